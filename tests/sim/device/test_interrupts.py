"""Interrupts that are held back (NVMe 1.4, 7.5)."""

import pytest

from sim.device.nvme.defs import Admin, Command, Feature, Io
from sim.device.nvme.interrupts import UNIT_CYCLES

from .test_nvme import Rig

VECTOR = 3


def interrupts(coalescing, flushes, *, vector=VECTOR, disabled=False, pause=0, wait=0):
    """Cycles, since the first doorbell, of the interrupts at ``vector`` while ``flushes`` commands
    complete one after the other, ``pause`` cycles between them."""
    seen, rig = [], None

    def interrupt(which):
        if which == vector:
            seen.append(rig.scheduler.now)
    rig = Rig(interrupt=interrupt)

    async def feature(feature, word):
        await rig.driver.admin(Command(Admin.SET_FEATURES, cdw10=feature, cdw11=word))

    async def work():
        await feature(Feature.INTERRUPT_COALESCING, coalescing)
        await feature(Feature.VECTOR_CONFIGURATION, vector | disabled << 16)
        cq, sq = rig.memory.alloc_pages(), rig.memory.alloc_pages()
        await rig.driver.admin(Command(Admin.CREATE_CQ, prp1=cq, cdw10=0x003F0009,
                                       cdw11=vector << 16 | 3))
        await rig.driver.admin(Command(Admin.CREATE_SQ, prp1=sq, cdw10=0x003F0009,
                                       cdw11=9 << 16 | 1))
        rig.memory.write(sq, Command(Io.FLUSH, nsid=1).pack() * flushes)
        seen.clear()
        start = rig.scheduler.now
        for tail in range(1, flushes + 1):
            rig.controller.write_register(rig.controller.doorbell_offset(9), tail)
            await rig.scheduler.delay(pause + 50)
        await rig.scheduler.delay(wait)
        return [cycle - start for cycle in seen]
    return rig.run(work)


def test_nothing_is_held_back_at_first():
    assert len(interrupts(0, 5)) == 5


@pytest.mark.parametrize("word", [0x0003, 0x0300])
def test_a_threshold_or_a_time_alone_does_little(word):
    """A time of 0 is no delay; a threshold of 0 is one completion."""
    assert len(interrupts(word, 5)) == 5


def test_a_threshold():
    assert len(interrupts(0xFF03, 12)) == 3             # each fourth


def test_a_time():
    times = interrupts(0x0207, 3, wait=3 * UNIT_CYCLES)
    assert len(times) == 1 and 2 * UNIT_CYCLES < times[0] < 2 * UNIT_CYCLES + 100


def test_the_time_begins_with_the_first_that_waits():
    """Two thresholds' worth, then one alone: its time is its own."""
    times = interrupts(0x0101, 5, pause=1000, wait=2 * UNIT_CYCLES)
    assert len(times) == 3 and times[1] < 5000
    assert times[2] > 4 * 1050 + UNIT_CYCLES


def test_a_vector_that_is_not_coalesced():
    assert len(interrupts(0xFF0F, 6, disabled=True)) == 6


def test_the_admin_queue_never_waits():
    assert len(interrupts(0xFF0F, 4, vector=0)) >= 4


def test_a_reset_forgets_what_waits():
    seen = []
    rig = Rig(interrupt=seen.append)
    rig.controller.features.value = lambda feature, part=None: \
        0x0103 if feature == Feature.INTERRUPT_COALESCING else 0

    async def work():
        rig.controller.interrupts.posted(VECTOR, seen.append)
        await rig.driver.start()
        await rig.scheduler.delay(2 * UNIT_CYCLES)
    rig.run(work)
    assert VECTOR not in seen
