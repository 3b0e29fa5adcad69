"""A cocotb test for the model with flips: random worlds, whose wrong answers are counted."""

import json
import os
import random
from collections import Counter
from pathlib import Path

import cocotb

from sim.model.responses import ResponseError, check_response
from sim.model.worlds import Traffic, World
from siommu.generate.files import write_whole

from ..regression.bench import HangError, Testbench

__all__ = ["kind_of", "tally"]

REQUESTS = 400          #: on each port


def kind_of(access, answers, beats):
    """``right``; ``grant``: one that is not due, or that gives another page or another right;
    ``other``: all else that is wrong, as a fault where a grant is due."""
    try:
        check_response(access, answers, beats)
    except ResponseError:
        page = 0
        for beat in beats:
            if not beat.cause and not all(
                    index < len(answers) and _covers(beat, index - page, answers[index])
                    for index in range(page, page + beat.pages + 1)):
                return "grant"
            page += beat.pages + 1
        return "other"
    return "right"


def _covers(beat, offset, answer):
    """Whether ``answer`` allows what a beat grants of its page number ``offset``."""
    return answer.granted and (beat.addr >> 12) + offset == answer.addr >> 12 \
        and beat.read <= answer.read and beat.write <= answer.write


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def tally(dut):
    """Counts the answers of each kind; ``lost``: the core hung."""
    seed, counts = int(os.environ["SEED"]), Counter()
    world = World(seed, .5)
    folder = Path(os.environ["SIOMMU_RUN_FOLDER"])
    try:
        async with Testbench(dut, seed, world.memory) as tb:
            tb.expect = lambda transaction: counts.update((kind_of(
                transaction.access, tb.answers(transaction.access), transaction.beats),))
            await tb.enable(world.directory.base, world.directory.log2, check_ad=world.check_ad)
            traffic, rng = Traffic(world, random.Random(seed + 1)), random.Random(seed + 2)
            for port in tb.drivers:
                port.take_rate = rng.choice((1.0, .5))
                for _ in range(REQUESTS):
                    port.send(traffic.access())
            await tb.drain()
    except HangError as error:
        counts["lost"] += 1
        tb.log(str(error))
    write_whole(folder / "tally.json", json.dumps(counts))
