"""Directed tests of the registers (§7): offsets, reset values, access, strobes, locking.

Offsets and bits are written out here once more, so that a slip in the core's declaration shows.
"""

import cocotb

from siommu.formats import Cause, Mode
from sim.golden import Access

from .bench import OKAY, SLVERR, Testbench

RO, RW = "RO", "RW"
#: offset -> (access, bits that exist, reset value or None where it depends on the configuration)
EXPECTED = {
    0x000: (RO, 0xFFFF_FFFF, 0x5349_4F4D),
    0x004: (RO, 0xFFFF_FFFF, None),
    0x008: (RO, 0xFFFF_FFFF, None),
    0x00C: (RO, 0xFFFF_FFFF, None),
    0x010: (RW, 0x0000_0007, 0),
    0x014: (RO, 0x0000_0007, 0),
    0x018: (RW, 0xFFFF_F000, 0),
    0x01C: (RW, 0x000F_FFFF, 0),
    0x020: (RW, 0x0000_001F, 0),
    0x068: (RW, None, None),
    0x06C: (RO, None, 0),
}
#: Registers that §7 assigns beyond those: queues, debug port, counters.
LATER = {*range(0x028, 0x068, 4), *range(0x070, 0x0A0, 4), *range(0x100, 0x180, 4), 0x1F8, 0x1FC}
LOCKED = (0x018, 0x01C, 0x020)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_values(dut):
    """Every register reads its reset value; every other offset reads 0 with SLVERR."""
    async with Testbench(dut) as tb:
        for turn in range(2):
            for offset in range(0, 0x1000, 4):
                value, response = await tb.regs.read(offset)
                if offset in EXPECTED:
                    _, _, reset = EXPECTED[offset]
                    assert response == OKAY, f"{offset:#05x} answers {response}"
                    assert reset is None or value == reset, f"{offset:#05x} reads {value:#x}"
                elif offset not in LATER:
                    assert (value, response) == (0, SLVERR), f"{offset:#05x} is no register"
            ports = len(tb.drivers)
            assert await tb.regs.get(0x004) >> 16 == 1
            assert await tb.regs.get(0x068) == (1 << ports) - 1
            caps = await tb.regs.get(0x008)
            config = tb.config
            assert caps & 15 == config.device_ports
            assert caps >> 4 & 1 == int(config.cpu_port)
            assert caps >> 5 & 7 == 1, "five-level tables, and two bits that do not exist"
            assert caps >> 8 & 255 == config.walks
            assert caps >> 16 == config.tlb_entries
            await tb.regs.set(0x010, 2)
            await tb.regs.set(0x068, 0)
            await tb.reset()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes(dut):
    """RW registers keep the bits that exist; a write to a RO register or to none answers SLVERR
    and changes nothing."""
    async with Testbench(dut) as tb:
        everyone = (1 << len(tb.drivers)) - 1
        for offset in range(0, 0x1000, 4):
            if offset in LATER:
                continue
            access, bits, _ = EXPECTED.get(offset, (None, 0, 0))
            bits = everyone if bits is None else bits
            before = await tb.regs.read(offset)
            for value in (0xFFFF_FFFF, 0x5555_5555, 0xAAAA_AAAA, 0) if access == RW else \
                    (0xFFFF_FFFF, 0):
                if offset == 0x010:
                    value &= ~3                     # MODE has its own test
                if offset == 0x020:
                    value &= 0xF
                response = await tb.regs.write(offset, value)
                if access == RW:
                    assert response == OKAY, f"{offset:#05x} answers {response}"
                    got = await tb.regs.get(offset)
                    assert got == value & bits, f"{offset:#05x}: {value:#x} reads {got:#x}"
                else:
                    assert response == SLVERR, f"{offset:#05x} takes a write"
                    assert await tb.regs.read(offset) == before or offset == 0x06C


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
