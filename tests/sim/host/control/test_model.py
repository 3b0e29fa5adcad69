"""The register file of the model (§7), access by access."""

import pytest

from sim.host.control import GoldenControlPlane, Reg
from sim.host.control.model import OKAY, SLVERR
from sim.memory import Memory
from sim.model.golden import GoldenModel
from sim.time.scheduler import Scheduler
from siommu.arch.register_map import REGISTERS


@pytest.fixture
def plane():
    memory = Memory()
    return GoldenControlPlane(Scheduler(), memory, GoldenModel(memory))


@pytest.mark.parametrize("offset, value, then", [
    (0x010, 0xFFFFFFFF, 0x7), (0x018, 0xFFFFFFFF, 0xFFFFF000), (0x01C, 0xFFFFFFFF, 0xFFFFF),
    (0x020, 31, 16), (0x020, 7, 7), (0x028, 0x12345FFF, 0x12345000), (0x02C, 0x123456, 0x23456),
    (0x030, 0, 1), (0x030, 31, 15), (0x030, 9, 9), (0x03C, 3, 1), (0x048, 0xFFF, 0),
    (0x050, 0, 1), (0x05C, 2, 0), (0x064, 0xFFFFFFFF, 0x1F7), (0x068, 0x1FF, 7),
    (0x070, 0x12345, 0x2345), (0x080, 0xFFFFFFFF, 0xFFFFFFFF), (0x084, 1, 1),
    (0x088, 0x12345, 0x2345),
    (0x08C, 0x1FFFFF, 0xFFFFF), (0x1F8, 1, 1), (0x1F8, 2, 0), (0x1FC, 1, 0)])
def test_what_is_kept(plane, offset, value, then):
    assert plane.write(offset, value) == OKAY
    assert plane.read(offset) == (then, OKAY)


@pytest.mark.parametrize("offset, value", [
    (0x000, 0x53494F4D), (0x004, 0x10001), (0x008, 0x72), (0x00C, 0), (0x014, 0), (0x034, 0),
    (0x058, 0), (0x06C, 0), (0x094, 0), (0x098, 0), (0x09C, 0), (0x100, 0), (0x174, 0)])
def test_read_only(plane, offset, value):
    assert plane.read(offset) == (value, OKAY)
    assert plane.write(offset, 1) == SLVERR
    assert plane.read(offset) == (value, OKAY)


@pytest.mark.parametrize("offset", [0x024, 0x044, 0x074, 0x0A0, 0x178, 0x1F4, 0x200, 0xFFC])
def test_nothing_there(plane, offset):
    assert plane.read(offset) == (0, SLVERR) and plane.write(offset, 1) == SLVERR


@pytest.mark.parametrize("user, value, offsets", [
    (Reg.CTRL, 1, (0x018, 0x01C, 0x020)), (Reg.CQ_CTRL, 1, (0x028, 0x02C, 0x030)),
    (Reg.FQ_CTRL, 1, (0x048, 0x04C, 0x050))])
def test_locked_while_in_use(plane, user, value, offsets):
    plane.write(user, value)
    for offset in offsets:
        before = plane.read(offset)
        assert plane.write(offset, 0x7007) == SLVERR and plane.read(offset) == before
    plane.write(user, 0)
    assert all(plane.write(offset, 0x7007) == OKAY for offset in offsets)


def test_the_same_registers_as_the_declaration():
    """Offsets, accesses, bits and locks, but for what depends on a configuration."""
    for entry in REGISTERS:
        memory = Memory()
        plane = GoldenControlPlane(Scheduler(), memory, GoldenModel(memory), ports=9)
        assert (plane.write(entry.offset, 0xFFFFFFFF) == SLVERR) == (entry.access == "RO")
        value, response = plane.read(entry.offset)
        assert response == OKAY
        if entry.access == "RW" and "INDEX" not in [field.name for field in entry.fields]:
            kept = sum(field.mask for field in entry.fields if field.access == "RW")
            assert value == (entry.maximum if entry.maximum is not None else kept), entry.name
        if entry.locked:
            plane.write({"MODE": Reg.CTRL}.get(entry.locked) or Reg[f"{entry.locked}_CTRL"], 1)
            assert plane.write(entry.offset, 0) == SLVERR


def test_indexes_are_stored_modulo_the_ring(plane):
    plane.write(Reg.CQ_LOG2, 3)
    plane.write(Reg.FQ_LOG2, 2)
    plane.write(Reg.CQ_TAIL, 0x1D)
    plane.write(Reg.FQ_HEAD, 0x1D)
    assert plane.read(Reg.CQ_TAIL) == (5, OKAY) and plane.read(Reg.FQ_HEAD) == (1, OKAY)
    plane.write(Reg.CQ_CTRL, 1)
    plane.write(Reg.FQ_CTRL, 1)
    assert plane.read(Reg.CQ_TAIL) == (0, OKAY) and plane.read(Reg.FQ_HEAD) == (0, OKAY)


def test_the_golden_model_follows(plane):
    plane.write(Reg.DDT_BASE_LOW, 0x5000)
    plane.write(Reg.DDT_BASE_HIGH, 0x2)
    plane.write(Reg.DDT_LOG2, 9)
    plane.write(Reg.CTRL, 5)
    model = plane.model
    assert (model.ddt_base, model.ddt_log2, model.mode, model.check_ad) == (0x2_0000_5000, 9, 1, 1)


def test_commands_wait_for_the_queue(plane):
    """Off, the tail moves and nothing is executed; turned on, both indexes are 0."""
    scheduler = plane._scheduler
    plane.memory.write_u64(0, 0x203)
    plane.write(Reg.CQ_LOG2, 1)
    plane.write(Reg.CQ_TAIL, 1)
    scheduler.run(scheduler.delay(100))
    assert plane.read(Reg.CQ_STATUS) == (0, OKAY)
    plane.write(Reg.CQ_CTRL, 1)
    plane.write(Reg.CQ_TAIL, 1)
    assert plane.read(Reg.STATUS) == (4, OKAY)
    scheduler.run(scheduler.delay(100))
    assert plane.read(Reg.CQ_STATUS) == (4, OKAY) and plane.read(Reg.STATUS) == (0, OKAY)
    assert not plane.interrupt("command")
    plane.write(Reg.IRQ_ENABLE, 4)
    assert plane.interrupt("command") and not plane.interrupt("fault")
    plane.write(Reg.CQ_STATUS, 4)
    assert not plane.interrupt("command") and not plane.interrupt("counter")
