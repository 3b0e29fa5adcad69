import pytest

from sim.host.control import COUNTERS, DebugAnswer, Platform, Reg, RegisterControl
from sim.memory import Memory
from sim.time.scheduler import Scheduler
from siommu.arch.formats import Cause, Disposition, Size

from .rig import PA, VA, Rig


class Core:
    """Registers that keep what is written; busy for ``busy`` readings after MODE = ABORT."""

    def __init__(self, busy=3):
        self.registers = {Reg.ID: 0x53494F4D, Reg.VERSION: 0x10007, Reg.CTRL: 0b101,
                          Reg.STATUS: 0b011}
        self.log = []
        self.busy = busy

    async def read(self, offset):
        if offset == Reg.STATUS and self.registers[Reg.CTRL] & 3 == 0:
            self.busy -= 1
            return 0b000 if self.busy < 0 else 0b010
        return self.registers[offset]

    async def write(self, offset, value):
        self.registers[offset] = value
        self.log.append((offset, value, self.busy))

    def control(self, **options):
        self.scheduler = Scheduler()
        return RegisterControl(self.scheduler, Memory(), Platform(self.read, self.write),
                               **options)


def test_enable():
    core = Core()
    control = core.control()
    core.scheduler.run(control.enable(0x12_3456_7000, 9))
    assert core.log[0][:2] == (Reg.CTRL, 0b100)
    assert [item[:2] for item in core.log[-4:]] == [(0x18, 0x34567000), (0x1C, 0x12), (0x20, 9),
                                                    (Reg.CTRL, 0b101)]


@pytest.mark.parametrize("registers", [{Reg.ID: 0x53494F4E}, {Reg.VERSION: 0x20000}])
def test_another_device(registers):
    core = Core()
    core.registers.update(registers)
    with pytest.raises(RuntimeError, match="not a SIOMMU of version 1"):
        core.control().enable(0, 0).send(None)
    assert not core.log


def test_the_blunt_revocation_waits_until_nothing_is_in_flight():
    core = Core()
    control = core.control()
    core.scheduler.run(control.empty_caches())
    assert core.log == [(Reg.CTRL, 0b100, 3), (Reg.CTRL, 0b101, -1)]    # CHECK_AD stays


def test_a_hung_core_is_noticed():
    core = Core(busy=1 << 30)
    control = core.control(polls=50)
    with pytest.raises(TimeoutError, match="after 50 readings"):
        core.scheduler.run(control.empty_caches())
    assert core.registers[Reg.CTRL] & 3 == 0                            # and stays off


def test_blunt_revocations_do_not_meet():
    async def work(rig):
        rig.log.clear()
        for task in [rig.scheduler.start(rig.control.empty_caches()) for _ in range(3)]:
            await task
        assert rig.writes(Reg.CTRL) == [0, 1] * 3 and rig.invalidated[-3:] == [None] * 3
    Rig().run(work)


def test_prefetch():
    async def work(rig):
        await rig.control.prefetch(0x42, 3, 0, VA, 1)
        await rig.control.prefetch(0x42, 3, 1, 0x1000_0000, 257)
        await rig.control.fence()
        assert rig.slot(0) == (0x0000_0003_0042_0004, VA)
        assert rig.slot(1) == (0x0080_0003_0042_1004, 0x1000_0000)
        assert rig.slot(2) == (0x0000_0003_0042_1004, 0x1010_0000)
        assert rig.count("prefetches") == 3
    Rig().run(work)


def test_invalidate_context():
    async def work(rig):
        await rig.control.invalidate_context(pasid=3)
        await rig.control.invalidate_context(device=0x42)
        await rig.control.fence()
        assert rig.invalidated[-2:] == [(0x0000_0003_0000_0202, 0), (0x0042_0102, 0)]
    Rig().run(work)


def test_translate():
    async def work(rig):
        assert await rig.control.translate(0x42, 3, VA + 5, ft=0) == \
            DebugAnswer(Cause.OK, Disposition.DENY, 1, 0, Size.PAGE_4K, PA + 5)
        denied = await rig.control.translate(0x42, 3, VA, ft=0, write=1)
        assert (denied.cause, denied.read, denied.write) == (Cause.WRITE_DENIED, 0, 0)
        assert (await rig.control.translate(0x42, 3, VA, ft=1)).cause == Cause.TABLE_ABSENT
        both = [rig.scheduler.start(rig.control.translate(0x42, 3, addr, ft=0))
                for addr in (VA, VA + 0x1000)]
        assert [(await task).cause for task in both] == [Cause.OK, Cause.NOT_PRESENT]
        assert rig.count("requests") == 0
    Rig().run(work)


def test_counters():
    async def work(rig):
        rig.plane._counts["requests"] = (7 << 32) + 0xFFFF_FFFF
        await rig.ask()
        await rig.ask(pages=4, write=1)
        counters = await rig.control.counters()
        assert list(counters) == list(COUNTERS) == [
            "cycles", "requests", "pages", "l1_hits", "l2_hits", "misses", "walks", "table_reads",
            "faults", "faults_lost", "invalidations", "fences", "prefetches", "miss_cycles",
            "stall_cycles"]
        assert counters["requests"] == (8 << 32) + 1 and counters["pages"] == 6
        assert counters["cycles"] == rig.scheduler.now and counters["faults"] == 1
        # Device, directory, context, four levels.
        assert (counters["misses"], counters["walks"], counters["table_reads"]) == (2, 2, 14)
        await rig.control.freeze_counters()
        await rig.ask()
        assert (await rig.control.counters())["pages"] == 6
        await rig.control.clear_counters()
        assert not any((await rig.control.counters()).values())
        await rig.control.freeze_counters(False)
        await rig.scheduler.delay(10)
        assert (await rig.control.counters())["cycles"] == 10
    Rig().run(work)


def test_a_port_is_switched_off_and_on():
    async def work(rig):
        task = rig.scheduler.start(rig.ask(1))
        await rig.scheduler.delay(1)
        await rig.control.enable_port(1, False)
        assert task.done() and rig.register(Reg.PORT_ENABLE) == 0b101
        task = rig.scheduler.start(rig.ask(1))
        await rig.scheduler.delay(100)
        assert not task.done() and (await rig.ask(0)).cause == 0
        await rig.control.enable_port(1)
        assert (await task).cause == 0
        rig.plane._in_flight[2] = 1
        with pytest.raises(TimeoutError, match="port 2 is off and still"):
            await rig.control.enable_port(2, False)
    Rig(polls=20).run(work)
