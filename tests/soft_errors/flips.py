"""A cocotb test for the model with flips: random worlds, whose wrong answers are counted."""

import json
import os
import random
from collections import Counter, deque
from pathlib import Path

import cocotb
from cocotb.triggers import First, RisingEdge

from sim.model.responses import ResponseError, check_response
from sim.model.worlds import Traffic, World
from siommu.generate.files import write_whole

from ..regression.bench import HangError, Testbench
from ..regression.scene import Scene

__all__ = ["kind_of", "tally"]

REQUESTS = 400 * int(os.environ.get("LONGER", 1))    #: on each port
#: Requests that are made again, so that what is kept is used: few, which the first level holds, and
#: many, for which it is too small.
FEW, MANY = 6, 80
PAGE = 1 << 12
SILENCE = 300           #: cycles in which a core that has stopped must be silent


def grants_wrongly(answers, beats):
    """Whether a beat grants what is not due: another page, another right, or anything at all."""
    page = 0
    for beat in beats:
        if not beat.cause and not all(
                index < len(answers) and _covers(beat, index - page, answers[index])
                for index in range(page, page + beat.pages + 1)):
            return True
        page += beat.pages + 1
    return False


def kind_of(access, answers, beats):
    """``right``; ``grant``: one that is not due, or that gives another page or another right;
    ``other``: all else that is wrong, as a fault where a grant is due."""
    try:
        check_response(access, answers, beats)
    except ResponseError:
        return "grant" if grants_wrongly(answers, beats) else "other"
    return "right"


def _covers(beat, offset, answer):
    """Whether ``answer`` allows what a beat grants of its page number ``offset``."""
    return answer.granted and (beat.addr >> 12) + offset == answer.addr >> 12 \
        and beat.read <= answer.read and beat.write <= answer.write


async def answer_all(tb, counts):
    """Waits until every request is answered. A core that stops (``fail_stop``) is silent from then
    on; it is reset, and goes on with the requests that no port had taken."""
    while tb.config.fail_stop:
        if not int(tb.dut.irq_damage.value):        # it may be in the cycles behind a reset
            drained = cocotb.start_soon(tb.drain())
            await First(drained, RisingEdge(tb.dut.irq_damage))
            if drained.done():
                return drained.result()
            drained.cancel()
        await _stopped(tb, counts)
    await tb.drain()


async def _stopped(tb, counts):
    counts["stops"] += 1
    await tb.cycles(1)
    beats = [port.beats for port in tb.drivers]
    await tb.cycles(SILENCE)
    for port, before in zip(tb.drivers, beats):
        counts["other"] += max(0, port.beats - before - 1)      # one was on offer
    for port in tb.drivers:
        counts["grant"] += sum(grants_wrongly(tb.answers(one.access), one.beats)
                               for one in port.outstanding.values())
    queues = [[one.access for one in port.queue] for port in tb.drivers]
    golden = tb.golden.ddt_base, tb.golden.ddt_log2, tb.golden.mode, tb.golden.check_ad
    await tb.reset()
    await tb.enable(*golden)
    for port, queue in zip(tb.drivers, queues):
        for access in queue:
            port.send(access)


async def random_world(tb, rng, world):
    """Enables the core on a random world; returns what draws a request of it: nearly all are
    refused, or answered by contexts alone."""
    await tb.enable(world.directory.base, world.directory.log2, check_ad=world.check_ad)
    return Traffic(world, random.Random(rng.random())).access


async def many_pages(tb, rng):
    """Enables the core with processes that have more pages than the first level holds, in many
    regions; returns what draws a request: one in twenty is refused."""
    scene = Scene(tb)
    spaces = [scene.space(device, 3, devid=device) for device in range(1, 5)]
    places = [region << 21 | page << 12 for region in range(12) for page in (0, 1, 9, 40)]
    for space in spaces:
        for ft in (0, 1):
            for place in places:
                space.map(ft, place, paddr=rng.randrange(1 << 20) << 12)
    await scene.enable()

    def access():
        return rng.choice(spaces).access(rng.randrange(2), rng.randrange(2), rng.choice(places)
                                         + 2 * PAGE * (rng.random() < .05))
    return access


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def tally(dut):
    """Counts the answers of each kind; ``lost``: the core hung; ``stops``: it has stopped. Every
    third seed has a random world, the others many pages."""
    seed, counts = int(os.environ["SEED"]), Counter()
    rng = random.Random(seed)
    world = None if seed % 3 else World(seed, .5)
    folder = Path(os.environ["SIOMMU_RUN_FOLDER"])
    try:
        async with Testbench(dut, seed, world and world.memory) as tb:
            tb.expect = lambda transaction: counts.update((kind_of(
                transaction.access, tb.answers(transaction.access), transaction.beats),))
            access = await (random_world(tb, rng, world) if world else many_pages(tb, rng))
            latest = deque([access()], maxlen=MANY)
            for port in tb.drivers:
                port.take_rate = rng.choice((1.0, .5))
                for _ in range(REQUESTS):
                    if rng.random() < .3:
                        latest.append(access())
                    port.send(latest[-rng.randint(1, min(rng.choice((FEW, MANY)), len(latest)))])
            await answer_all(tb, counts)
    except HangError as error:
        counts["lost"] += 1
        tb.log(str(error))
    write_whole(folder / "tally.json", json.dumps(counts))
