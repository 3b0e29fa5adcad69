"""Directed tests of the registers (§7): offsets, reset values, access, strobes, locking, and the
debug translation.

What each register should do is taken from its declaration, which ``tests/hdl/literals.py`` pins with
numbers written by hand.
"""

import cocotb

from siommu.formats import Cause, Disposition, Mode, Size
from siommu.register_map import REGISTERS, existing, register, reset_value
from sim.golden import Access

from .bench import OKAY, SLVERR, Testbench
from .queues import Queues, offset
from .scene import Scene

LOCKED = (0x018, 0x01C, 0x020)
BY_OFFSET = {entry.offset: entry for entry in REGISTERS}
AREA, PAGE = 1 << 39, 4096


def _counts(entry):
    """Whether the register changes by itself."""
    return 0x100 <= entry.offset < 0x178


def _kept(entry, config, value):
    """What a register of storage reads after ``value`` was written to it."""
    storage = sum(field.mask for field in entry.fields if field.access == "RW")
    value &= storage & existing(entry, config)
    if entry.maximum is not None:
        value = min(value, entry.maximum)
    if entry.minimum is not None:
        value = max(value, entry.minimum)
    return value


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_values(dut):
    """Every register reads its reset value; every other offset reads 0 with SLVERR."""
    async with Testbench(dut) as tb:
        for turn in range(2):
            for at in range(0, 0x1000, 4):
                value, response = await tb.regs.read(at)
                entry = BY_OFFSET.get(at)
                if entry is None:
                    assert (value, response) == (0, SLVERR), f"{at:#05x} is no register"
                    continue
                assert response == OKAY, f"{entry.name} answers {response}"
                if entry.name not in ("CYCLES_LOW",):
                    assert value == reset_value(entry, tb.config), f"{entry.name}: {value:#x}"
            assert await tb.regs.get(0x000) == 0x5349_4F4D
            assert await tb.regs.get(0x004) >> 16 == 1
            assert await tb.regs.get(0x068) == (1 << len(tb.drivers)) - 1
            caps, config = await tb.regs.get(0x008), tb.config
            assert caps & 15 == config.device_ports
            assert caps >> 4 & 1 == int(config.cpu_port)
            assert caps >> 5 & 7 == 1, "five-level tables, and two bits that do not exist"
            assert caps >> 8 & 255 == config.walks
            assert caps >> 16 == config.tlb_entries
            assert await tb.regs.get(0x00C) == config.l2_entries
            for entry in REGISTERS:             # and not what was written before
                if entry.access == "RW" and entry.name != "CTRL":
                    await tb.regs.write(entry.offset, 0xA5A5_5A5A & ~1)
            await tb.regs.set(0x010, 2)
            await tb.reset()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes(dut):
    """RW registers keep the bits that exist, within their limits; what is written to a RO register
    or to none answers SLVERR and changes nothing."""
    async with Testbench(dut) as tb:
        for at in range(0, 0x1000, 4):
            entry = BY_OFFSET.get(at)
            if entry is None or entry.access == "RO":
                for value in (0xFFFF_FFFF, 0):
                    before = await tb.regs.read(at)
                    assert await tb.regs.write(at, value) == SLVERR, f"{at:#05x} takes a write"
                    after = await tb.regs.read(at)
                    assert before == after or (entry and (_counts(entry)
                                                          or entry.name == "PORT_STATUS")), entry
            elif entry.access == "RW1C":
                for value in (0xFFFF_FFFF, 0):
                    await tb.regs.set(at, value)
                    assert await tb.regs.get(at) == 0, "writing sets nothing"
            elif entry.name not in ("CTRL", "CQ_CTRL", "FQ_CTRL", "CQ_TAIL", "FQ_HEAD", "DBG_CTRL"):
                for value in (0xFFFF_FFFF, 0x5555_5555, 0xAAAA_AAAA, 0):
                    await tb.regs.set(at, value)
                    got, want = await tb.regs.get(at), _kept(entry, tb.config, value)
                    assert got == want, f"{entry.name}: {value:#x} reads {got:#x}, not {want:#x}"
        # indexes count modulo the ring, and begin at 0 when the queue is turned on
        for queue, name in (("CQ", "CQ_TAIL"), ("FQ", "FQ_HEAD")):
            for log2 in range(1, 16):
                await tb.regs.set(offset(f"{queue}_LOG2"), log2)
                await tb.regs.set(offset(name), 0xFFFF_FFFF)
                assert await tb.regs.get(offset(name)) == (1 << log2) - 1
            await tb.regs.set(offset(f"{queue}_CTRL"), 0xFFFF_FFFF)
            assert await tb.regs.get(offset(f"{queue}_CTRL")) == 1
            assert await tb.regs.get(offset(name)) == 0
            await tb.regs.set(offset(name), 5)
            await tb.regs.set(offset(f"{queue}_CTRL"), 1)
            assert await tb.regs.get(offset(name)) == 5, "it was on already"
            await tb.regs.set(offset(f"{queue}_CTRL"), 0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def strobes(dut):
    """Every combination of bytes that AXI4-Lite can write."""
    async with Testbench(dut) as tb:
        for offset, bits in ((0x018, 0xFFFF_F000), (0x01C, 0x000F_FFFF)):
            for first in range(4):
                for count in range(1, 5 - first):
                    for old, new in ((0, 0xFFFF_FFFF), (0xFFFF_FFFF, 0), (0x1234_5678, 0x9ABC_DEF0)):
                        await tb.regs.set(offset, old)
                        field = new & (1 << 8 * count) - 1
                        assert await tb.regs.write(offset + first, field, count) == OKAY
                        mask = (1 << 8 * count) - 1 << 8 * first
                        want = (old & ~mask | field << 8 * first) & bits
                        got = await tb.regs.get(offset)
                        assert got == want, f"{got:#x} instead of {want:#x}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def locked_while_on(dut):
    """DDT registers refuse writes unless MODE is ABORT (0 or 3), and keep their values."""
    async with Testbench(dut) as tb:
        await tb.regs.set(0x018, 0x1234_5000)
        await tb.regs.set(0x01C, 0x9)
        await tb.regs.set(0x020, 7)
        for mode in (1, 2):
            await tb.regs.set(0x010, mode)
            for offset in LOCKED:
                before = await tb.regs.get(offset)
                for value in (0, 0xFFFF_FFFF, before):
                    assert await tb.regs.write(offset, value) == SLVERR
                    assert await tb.regs.get(offset) == before
        for mode in (0, 3):
            await tb.regs.set(0x010, mode)
            for offset in LOCKED:
                await tb.regs.set(offset, 0)
                assert await tb.regs.get(offset) == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def locked_while_queues_are_on(dut):
    """BASE and LOG2 of a queue refuse writes while it is on; those of the other one do not."""
    async with Testbench(dut) as tb:
        await tb.regs.set(offset("IRQ_ENABLE"), 0)
        for queue, other in (("CQ", "FQ"), ("FQ", "CQ")):
            names = [entry.name for entry in REGISTERS if entry.locked == queue]
            assert len(names) == 3
            for name in names:
                await tb.regs.set(offset(name), 0x000F_F003)
            await tb.regs.set(offset(f"{queue}_CTRL"), 1)
            for name in names:
                before = await tb.regs.get(offset(name))
                for value in (0, before, 0xFFFF_FFFF):
                    assert await tb.regs.write(offset(name), value) == SLVERR, name
                    assert await tb.regs.get(offset(name)) == before
                await tb.regs.set(offset(name.replace(queue, other)), 0x1000)
            await tb.regs.set(offset(f"{queue}_CTRL"), 0)
            for name in names:
                await tb.regs.set(offset(name), 0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def directory_log2_limit(dut):
    """DDT_LOG2 is at most 16: no write makes it more."""
    async with Testbench(dut) as tb:
        for value in range(32):
            await tb.regs.write(0x020, value)
            assert await tb.regs.get(0x020) <= 16
            if value <= 16:
                assert await tb.regs.get(0x020) == value


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def mode_field(dut):
    """MODE and CHECK_AD read back; 3 acts as ABORT."""
    async with Testbench(dut) as tb:
        access = Access(0, 1, 3, 4, 0xABCDE, 7)
        for value in (*range(8), *range(7, -1, -1)):
            await tb.regs.set(0x010, value)
            assert await tb.regs.get(0x010) == value
            tb.golden.mode, tb.golden.check_ad = value & 3, value >> 2
            tb.forget()
            done = await tb.port(value).request(access)
            cause = {1: Cause.DEVICE_INVALID, 2: Cause.OK}.get(value & 3, Cause.CORE_OFF)
            assert done.beats[0].cause == cause.value


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def under_pressure(dut):
    """Reads and writes at once, with every handshake of the master stalling at random."""
    async with Testbench(dut) as tb:
        rng = tb.rng
        tb.regs.stall(rng)
        await tb.regs.set(0x018, 0)

        async def reads():
            for _ in range(150):
                assert await tb.regs.get(0x000) == 0x5349_4F4D
                _, response = await tb.regs.read(0xFFC)
                assert response == SLVERR
        task = cocotb.start_soon(reads())
        for _ in range(150):
            value = rng.getrandbits(32)
            await tb.regs.set(0x018, value)
            assert await tb.regs.write(0x000, value) == SLVERR
            assert await tb.regs.get(0x018) == value & 0xFFFF_F000
        await task


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def interrupts_are_quiet(dut):
    """No interrupt is raised without a queue or a counter to raise it."""
    async with Testbench(dut) as tb:
        await tb.enable(0, 0, Mode.TRANSLATE)
        await tb.port(0).request(Access(0, 0, 1, 0, 0, 0))
        for name in ("irq_command", "irq_fault", "irq_counter"):
            assert int(getattr(dut, name).value) == 0


async def _debug(tb, addr, device=5, pasid=3, ft=0, write=0, polls=2000):
    """A debug translation: (cause, disposition, read, write, size), physical address, polls."""
    for name, value in (("DBG_ADDR_LOW", addr & 0xFFFFFFFF), ("DBG_ADDR_HIGH", addr >> 32),
                        ("DBG_SOURCE", device), ("DBG_PASID", pasid)):
        await tb.regs.set(offset(name), value)
    await tb.regs.set(offset("DBG_CTRL"), 1 | write << 1 | ft << 2)
    for poll in range(polls):
        control = await tb.regs.get(offset("DBG_CTRL"))
        assert control >> 1 == write | ft << 1
        if not control & 1:
            break
    else:
        raise AssertionError("the debug translation does not end")
    word, result = await tb.regs.get(offset("DBG_RESULT")), register("DBG_RESULT")
    fields = [(word & result.field(name).mask) >> result.field(name).low
              for name in ("CAUSE", "DISPOSITION", "READ", "WRITE", "SIZE")]
    phys = await tb.regs.get(offset("DBG_PHYS_LOW"))
    return (Cause(fields[0]), Disposition(fields[1]), *fields[2:4], Size(fields[4])), \
        phys | await tb.regs.get(offset("DBG_PHYS_HIGH")) << 32, poll


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def debug_translations(dut):
    """Each answer is that of the golden model; caches are used, and nothing is recorded."""
    async with Testbench(dut) as tb:
        scene, queues = Scene(tb), Queues(tb)
        deny, ok = Disposition.DENY, Cause.OK
        assert (await _debug(tb, AREA + 5))[:2] == ((Cause.CORE_OFF, deny, 0, 0, Size.PAGE_4K), 0)
        await scene.enable()
        await queues.start()
        space = scene.space()
        small = space.map(0, AREA, write=False)
        page_2m = space.map(1, AREA, size=Size.PAGE_2M)
        page_1g = space.map(1, 2 * AREA, size=Size.PAGE_1G, read=False)
        for addr, ft, write, want, phys in (
                (AREA + 0x123, 0, 0, (ok, deny, 1, 0, Size.PAGE_4K), small + 0x123),
                (AREA + 0x54321, 1, 1, (ok, deny, 1, 1, Size.PAGE_2M), page_2m + 0x54321),
                (2 * AREA + 0x1234567, 1, 1, (ok, deny, 0, 1, Size.PAGE_1G), page_1g + 0x1234567),
                (2 * AREA, 1, 0, (Cause.READ_DENIED, Disposition.REMAP, 0, 0, Size.PAGE_4K), 0),
                (AREA, 0, 1, (Cause.WRITE_DENIED, Disposition.OS, 0, 0, Size.PAGE_4K), 0),
                (AREA + PAGE, 0, 0, (Cause.NOT_PRESENT, deny, 0, 0, Size.PAGE_4K), 0),
                (1 << 60, 0, 0, (Cause.NON_CANONICAL, deny, 0, 0, Size.PAGE_4K), 0)):
            got = await _debug(tb, addr, ft=ft, write=write)
            assert got[:2] == (want, phys), (hex(addr), got)
        assert (await _debug(tb, AREA, device=99))[0][0] is Cause.DEVICE_INVALID
        assert (await _debug(tb, AREA, pasid=9999))[0][0] is Cause.PASID_INVALID
        # caches: what it loaded, a device finds, and the other way round
        await _debug(tb, AREA + 7)
        await tb.cycles(50)
        reads = tb.axi.reads
        await _debug(tb, AREA + 9)
        await tb.drivers[0].request(space.access(0, 0, AREA))
        assert tb.axi.reads == reads
        # it is busy while the memory is slow; a second GO starts nothing
        tb.axi.latency = (300, 300)
        space.map(0, 3 * AREA)
        assert (await _debug(tb, 3 * AREA))[2] > 10
        await tb.cycles(1000)
        assert not await queues.take()
        assert [await queues.counter(name) for name in
                ("requests", "pages", "l1_hits", "l2_hits", "misses", "faults", "miss_cycles")] \
            == [1, 1, 1, 0, 0, 0, 0]
        assert await queues.counter("walks") > 0
        tb.axi.latency = (1, 1)
        await tb.set_mode(Mode.ABORT)
        await tb.set_mode(Mode.BYPASS)
        assert (await _debug(tb, 0xFEDC_BA98_7654_3210))[:2] == (
            (ok, deny, 1, 1, Size.BYPASS), 0xFEDC_BA98_7654_3210)
