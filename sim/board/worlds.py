"""Random worlds on a board: tables with every kind of damage, and requests that are compared with
the golden model."""

import random
from dataclasses import dataclass, field, replace

from siommu.arch.formats import Mode

from ..host.control.offsets import bit
from ..model.golden import GoldenModel
from ..model.responses import ResponseError, check_response
from ..model.worlds import Traffic, World
from .memory import BoardMemory

__all__ = ["Result", "run"]

PER_WORLD = 60          #: requests
CHANGES = 3             #: times that the tables of a world change


@dataclass
class Result:
    """What came of it.

    Parameters
    ----------
    worlds, translations, pages, grants : int
        Worlds made, requests compared, pages answered, and pages granted.
    causes : dict
        Requests that ended with each cause.
    differences : list of dict
        ``world``, ``request`` and ``error``, of each request that the golden model answers
        otherwise.
    """

    worlds: int = 0
    translations: int = 0
    pages: int = 0
    grants: int = 0
    causes: dict = field(default_factory=dict)
    differences: list = field(default_factory=list)


def run(board, translations, seed=0, progress=lambda result: None):
    """Compares so many requests; ``progress`` is called now and then with the ``Result`` so far.

    World ``seed`` is the first one, ``seed + 1`` the next.
    """
    result = Result()
    while result.translations < translations:
        _world(board, seed + result.worlds, translations, result, progress)
        result.worlds += 1
    progress(result)
    return result


def _world(board, seed, translations, result, progress):
    rng = random.Random(seed + 1)
    board.reset()
    memory = BoardMemory(board, seed=seed)
    riscv = bool(board.get("CAPS0") & bit("CAPS0", "RISCV_TABLES"))
    world = World(seed, .5 if riscv else .1, memory)
    golden = GoldenModel(memory, Mode.TRANSLATE, world.check_ad, world.directory.base,
                         world.directory.log2, riscv_tables=riscv)
    for change in range(CHANGES):
        if change:
            board.stop()
            for _ in range(rng.randint(1, 4)):
                world.damage()
        memory.flush()
        board.start(world.directory.base, world.directory.log2, world.check_ad)
        traffic = Traffic(world, rng)
        left = min(PER_WORLD // CHANGES, translations - result.translations)
        while left:
            count = min(left, rng.randint(1, board.info.depth))
            accesses = [replace(traffic.access(), tag=tag)
                        for tag in rng.sample(range(256), count)]
            requests = [(rng.randrange(board.info.ports), access) for access in accesses]
            for (_, access), beats in zip(requests, board.ask(requests)):
                _compare(result, seed, access, golden.translate(access), beats)
            left -= count
            progress(result)


def _compare(result, seed, access, answers, beats):
    result.translations += 1
    result.pages += sum(beat.pages + 1 for beat in beats)
    result.grants += sum(beat.pages + 1 for beat in beats if not beat.cause)
    cause = answers[-1].cause.name
    result.causes[cause] = result.causes.get(cause, 0) + 1
    try:
        check_response(access, answers, beats)
    except ResponseError as error:
        result.differences.append({"world": seed, "request": str(access), "error": str(error)})
