"""Fences that software reuses a place for, and when they are over."""

import pytest

from sim.host.control.offsets import Reg
from sim.qemu.watch import Watch
from sim.verilated.core import WordAccess

RING, PLACE = 0x1000, 0x2004
INVAL = 1


class Core:
    """In place of ``Core``: registers, and a clock."""

    def __init__(self):
        self.cycles = 0
        self.registers = {Reg.CQ_LOG2: 4, Reg.CQ_BASE_LOW: RING, Reg.CQ_CTRL: 1}

    def read(self, offset):
        return self.registers.get(offset, 0), 0


class Memory:
    """In place of guest memory: the ring."""

    def __init__(self):
        self.slots = {}

    def read(self, address, size):
        word, more = self.slots[(address - RING) // 16 % 16]
        return word.to_bytes(8, "little") + more.to_bytes(8, "little")


class Judge:
    """In place of ``Lockstep``: keeps what it is told."""

    def __init__(self):
        self.begun = []

    def reset(self, cycle):
        pass

    def invalidated(self, scope, begin):
        self.begun.append(begin)


@pytest.fixture
def parts():
    core, memory, judge = Core(), Memory(), Judge()
    return core, memory, judge, Watch(core, memory, judge)


def invalidate(parts, cycle, place=PLACE):
    """Software writes INVAL and FENCE, and CQ_TAIL in ``cycle``."""
    core, memory, _, watch = parts
    tail = core.registers.get(Reg.CQ_TAIL, 0)
    memory.slots[tail] = INVAL, 0
    memory.slots[(tail + 1) % 16] = 3 | 1 << 8 | 7 << 32, place
    core.registers[Reg.CQ_TAIL] = (tail + 2) % 16
    watch.written(Reg.CQ_TAIL, cycle, 0)


def store(place=PLACE, cycle=0):
    return WordAccess(cycle, place & -8, 7, True, 0, 0xF << (place & 4))


@pytest.mark.parametrize("turns", [1, 30])
def test_a_fence_is_over_with_its_store(parts, turns):
    _, _, judge, watch = parts
    for turn in range(turns):
        invalidate(parts, turn)
        assert len(judge.begun) == turn
        watch.stored(store(0x3000))
        watch.stored(store(PLACE ^ 4))
        assert len(judge.begun) == turn
        watch.stored(store())
        assert judge.begun[-1] == turn


def test_a_store_that_is_told_of_late_is_not_the_next_fences(parts):
    """CQ_HEAD shows that a fence is over; its store comes when the next one is under way."""
    core, _, judge, watch = parts
    invalidate(parts, 100)
    core.registers[Reg.CQ_HEAD] = 2
    watch.look()
    assert judge.begun == [100]
    invalidate(parts, 200)
    watch.stored(store(cycle=99))
    assert judge.begun == [100]
    watch.stored(store(cycle=250))
    assert judge.begun == [100, 200]


def test_fences_without_a_store_are_owed_none(parts):
    core, memory, judge, watch = parts
    memory.slots = {0: (INVAL, 0), 1: (3, 0)}
    core.registers[Reg.CQ_TAIL] = 2
    watch.written(Reg.CQ_TAIL, 5, 0)
    core.registers[Reg.CQ_HEAD] = 2
    watch.look()
    invalidate(parts, 10)
    watch.stored(store())
    assert judge.begun == [5, 10]


@pytest.mark.parametrize("turns", [1, 40])
def test_a_head_that_comes_behind_the_store(parts, turns):
    """Software sees the store and goes on, before CQ_HEAD has moved: that completes nothing."""
    core, _, judge, watch = parts
    for turn in range(turns):
        invalidate(parts, turn)
        watch.look()
        assert len(judge.begun) == turn
        watch.stored(store())
        assert len(judge.begun) == turn + 1
        invalidate(parts, turn + 1000)
        watch.look()
        core.registers[Reg.CQ_HEAD] = (4 * turn + 1) % 16
        watch.look()
        core.registers[Reg.CQ_HEAD] = (4 * turn + 2) % 16
        watch.look()
        assert len(judge.begun) == turn + 1
        core.registers[Reg.CQ_HEAD] = (4 * turn + 4) % 16
        watch.look()
        assert judge.begun.pop() == turn + 1000
        watch.stored(store())                       # told of late
        assert len(judge.begun) == turn + 1
