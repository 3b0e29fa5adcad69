"""Directed tests: every cause of §5 at every level where it can arise, for both FT.

Every case is one broken translation beside a good one of the same address space. It is asked for
cold, again, with everything around it cached, and once more when it has been repaired: a fault
must never come from a cache, and a right given needs no invalidation (§4).
"""

import cocotb

from sim.model.golden import Access
from siommu.arch.formats import Cause, Disposition, Mode, Size

from .bench import Testbench
from .queues import Queues, check_records, collect
from .scene import Scene

BASE = 0x1234_5678_9000     # every level's index differs
DISPOSITIONS = (0, 1, 2, 3)


class Case:
    """A broken translation: which cause it ends with, where, and how it is broken and repaired.

    Parameters
    ----------
    name, cause, level
        ``level`` as in a fault record (§5.1).
    do, undo : callable
        Break and repair it; called with the memory.
    access : Access
    """

    def __init__(self, name, cause, level, access, do=None, undo=None):
        self.name, self.cause, self.level, self.access = name, cause, level, access
        self.do, self.undo = do or (lambda: None), undo


def word_case(tb, name, cause, level, access, addr, change):
    """A case that changes the 64-bit word at ``addr``."""
    before = tb.memory.read_u64(addr)
    assert change(before) != before, f"{name} breaks nothing"
    return Case(name, cause, level, access, lambda: tb.memory.write_u64(addr, change(before)),
                lambda: tb.memory.write_u64(addr, before))


def bits(*ranges):
    """All bit numbers of the (high, low) pairs."""
    return [bit for high, low in ranges for bit in range(low, high + 1)]


async def run_case(tb, case, good):
    """Cold, again, warm, repaired. Every answer is checked against the golden model as well, and
    every fault's record, with its level and entry."""
    recorded = await _recorded(tb)

    async def ask(access, cause, level=None):
        tb.forget()
        answer = tb.answers(access)[-1]
        assert answer.cause is cause and (level is None or answer.level == level), \
            f"{case.name} is no test of {cause.name} at level {level}: the golden model says " \
            f"{answer.cause.name} at level {answer.level}"
        ports = [tb.port(tb.rng.randrange(len(tb.drivers)))]
        if tb.rng.random() < .3:
            ports = tb.drivers
        for transaction in [port.send(access) for port in ports]:
            await transaction.wait()

    await tb.invalidate()
    case.do()
    await ask(case.access, case.cause, case.level)
    await ask(case.access, case.cause, case.level)
    await ask(good, tb.golden.translate(good)[-1].cause)
    await ask(case.access, case.cause, case.level)
    if case.undo:
        case.undo()
        await ask(case.access, Cause.OK)
        await ask(case.access, Cause.OK)
    await check_records(*recorded)


async def _recorded(tb):
    """The queues of a simulation, whose faults are recorded from the first case on, and the records
    that they must leave."""
    if not hasattr(tb, "recorded"):
        tb.recorded = Queues(tb), collect(tb)
        await tb.recorded[0].start(commands=False)
    return tb.recorded


def context_cases(tb, space, ft, write, addr):
    """Device directory, PASID directory and context."""
    memory, directory, pasids = tb.memory, space.scene.directory, space.pasids
    access = space.access(ft, write, addr)
    device = directory.entry_address(space.device)
    context = pasids.context_address(space.pasid)

    def word(name, cause, level, at, change):
        return word_case(tb, name, cause, level, access, at, change)

    yield word("device V", Cause.DEVICE_INVALID, 7, device, lambda w: w & ~1)
    for bit in bits((11, 8), (63, 52)):
        yield word(f"device word 0 bit {bit}", Cause.ENTRY_RESERVED, 7, device,
                   lambda w, bit=bit: w | 1 << bit)
    for bit in bits((63, 10)):
        yield word(f"device word 1 bit {bit}", Cause.ENTRY_RESERVED, 7, device + 8,
                   lambda w, bit=bit: w | 1 << bit)
    yield word("PDT_LEVELS 3", Cause.ENTRY_RESERVED, 7, device, lambda w: w | 3 << 6)
    yield word("FT disabled", Cause.FT_DISABLED, 7, device, lambda w: w & ~(1 << 1 + ft))
    for level in range(pasids.levels, 0, -1):
        entry = pasids.entry_address(space.pasid, level)
        yield word(f"PASID directory {level} V", Cause.PASID_INVALID, 6, entry, lambda w: w & ~1)
        for bit in bits((11, 1), (63, 52)):
            yield word(f"PASID directory {level} bit {bit}", Cause.ENTRY_RESERVED, 6, entry,
                       lambda w, bit=bit: w | 1 << bit)
    # Bits 3:2 of the memory root are MEM_FMT, where there are RISC-V tables.
    memory_root = (11, 4 if tb.config.riscv_tables else 2)
    for index, ranges in enumerate(((memory_root, (63, 52)), ((11, 2), (63, 52)), ((63, 6),),
                                    ((63, 0),))):
        for bit in bits(*ranges):
            yield word(f"context word {index} bit {bit}", Cause.ENTRY_RESERVED, 6,
                       context + 8 * index, lambda w, bit=bit: w | 1 << bit)
    yield word("table absent", Cause.TABLE_ABSENT, 6, context + 8 * ft, lambda w: w & ~1)
    roots = memory.read(context, 16)
    yield Case("both tables absent", Cause.PASID_INVALID, 6, access,
               lambda: memory.write(context, bytes(16)), lambda: memory.write(context, roots))
    outside = directory.entry_address((1 << directory.log2) - 1) + 16
    memory.write(outside, memory.read(device, 16))
    yield Case("device beyond DDT_LOG2", Cause.DEVICE_INVALID, 0,
               space.access(ft, write, addr, device=1 << directory.log2))
    yield Case("device far beyond DDT_LOG2", Cause.DEVICE_INVALID, 0,
               space.access(ft, write, addr, device=0x8000 | space.device))
    if pasids.levels < 2:
        reach = (7, 16)[pasids.levels]
        for pasid in (1 << reach, 1 << 19, 1 << reach | space.pasid):
            yield Case(f"PASID {pasid:#x} beyond the reach", Cause.PASID_INVALID, 0,
                       space.access(ft, write, addr, pasid=pasid))


def table_cases(tb, space, ft, write, addr, size):
    """The page table that maps ``addr`` with a leaf of ``size``."""
    table, memory = space.tables[ft], tb.memory
    access = space.access(ft, write, addr)
    leaf = size.value + 1
    entries = {level: table.entry_address(addr, level) for level in range(leaf, table.levels + 1)}
    top = 47 if table.levels == 4 else 56

    def word(name, cause, level, change, at=None):
        return word_case(tb, name, cause, level, access, at or entries[level], change)

    for level in entries:
        for code in DISPOSITIONS:
            # Every other bit is software's.
            yield word(f"P at level {level}, disposition {code}", Cause.NOT_PRESENT, level,
                       lambda w, code=code: 0xFEDC_BA98_7654_3210 & ~7 | code << 1)
        yield word(f"U at level {level}", Cause.SUPERVISOR, level, lambda w: w & ~4)
        if level >= 4:
            yield word(f"PS at level {level}", Cause.ENTRY_RESERVED, level, lambda w: w | 1 << 7)
        if write:
            yield word(f"W at level {level}", Cause.WRITE_DENIED, leaf, lambda w: w & ~2)
        elif ft:
            yield word(f"NR at level {level}", Cause.READ_DENIED, leaf, lambda w: w | 1 << 9)
    if leaf > 1:
        for bit in range(13, 12 + 9 * (leaf - 1)):
            yield word(f"leaf bit {bit}", Cause.ENTRY_RESERVED, leaf,
                       lambda w, bit=bit: w | 1 << bit)
    yield word("FT of the leaf", Cause.FT_MISMATCH, leaf, lambda w: w ^ 1 << 10)
    if ft:
        for bit in range(52, 62):
            yield word(f"DEVID bit {bit - 52}", Cause.DEVICE_MISMATCH, leaf,
                       lambda w, bit=bit: w ^ 1 << bit)
    for bit in range(top, 64):
        # One bit that differs from the others, at either end of the canonical range.
        for sign in (0, (1 << 64) - 1 << top & (1 << 64) - 1):
            bad = (addr & (1 << top) - 1 | sign) ^ 1 << bit
            yield Case(f"address {bad:#x}", Cause.NON_CANONICAL, 0, space.access(ft, write, bad))
    # What must not matter.
    ignored = [3, 4, 8, 11, 62, 63] + ([] if ft else list(range(52, 62)) + [9]) + \
        ([12] if leaf > 1 else [7])
    for bit in ignored:
        yield Case(f"ignored leaf bit {bit}", Cause.OK, leaf, access,
                   lambda bit=bit: memory.write_u64(
                       entries[leaf], memory.read_u64(entries[leaf]) ^ 1 << bit),
                   lambda bit=bit: memory.write_u64(
                       entries[leaf], memory.read_u64(entries[leaf]) ^ 1 << bit))


def flag_cases(tb, space, ft, write, addr, size):
    """ACCESS_FLAG, with CHECK_AD set."""
    table, access, leaf = space.tables[ft], space.access(ft, write, addr), size.value + 1
    for level in range(leaf, table.levels + 1):
        yield word_case(tb, f"A at level {level}", Cause.ACCESS_FLAG, level, access,
                        table.entry_address(addr, level), lambda w: w & ~(1 << 5))
    if write:
        yield word_case(tb, "D of the leaf", Cause.ACCESS_FLAG, leaf, access,
                        table.entry_address(addr, leaf), lambda w: w & ~(1 << 6))


async def prepare(tb, levels, pdt_levels, **enable):
    scene = Scene(tb)
    space = scene.space(levels=levels, pdt_levels=pdt_levels,
                        pasid=(0x5A, 0x9B5A, 0xC9B5A)[pdt_levels])
    for ft in (0, 1):
        for size, addr in ADDRESSES.items():
            space.map(ft, addr, 2, size=size)
    await scene.enable(**enable)
    return space


#: A page of each size; the next one of the same size is mapped as well.
ADDRESSES = {Size.PAGE_4K: BASE, Size.PAGE_2M: 0x0077_6640_0000, Size.PAGE_1G: 0x0055_4000_0000}


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1], pdt_levels=[0, 1, 2])
async def device_and_pasid(dut, ft, pdt_levels):
    """DEVICE_INVALID, FT_DISABLED, PASID_INVALID, TABLE_ABSENT, ENTRY_RESERVED; levels 0, 6, 7."""
    async with Testbench(dut, seed=ft) as tb:
        space = await prepare(tb, 4, pdt_levels)
        good = space.access(ft, 0, BASE + 0x1000)
        # Reads and writes by turns: above the page tables nothing depends on that.
        both = zip(*(context_cases(tb, space, ft, write, BASE + 0xABC) for write in (0, 1)),
                   strict=True)
        for number, cases in enumerate(both):
            await run_case(tb, cases[number % 2], good)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1], levels=[4, 5], size=[0, 1, 2])
async def page_table(dut, ft, levels, size):
    """NON_CANONICAL, NOT_PRESENT, SUPERVISOR, ENTRY_RESERVED, mismatches, denials; levels 1-5."""
    async with Testbench(dut, seed=levels) as tb:
        space = await prepare(tb, levels, 1)
        size = Size(size)
        addr = ADDRESSES[size] + 0x123
        good = space.access(ft, 0, ADDRESSES[size] + (4096 << 9 * size.value))
        for write in (0, 1):
            for case in table_cases(tb, space, ft, write, addr, size):
                await run_case(tb, case, good)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1], levels=[4, 5])
async def access_flag(dut, ft, levels):
    """ACCESS_FLAG at every level with CHECK_AD, and not without it."""
    async with Testbench(dut) as tb:
        space = await prepare(tb, levels, 1, check_ad=1)
        for write in (0, 1):
            for size, addr in ADDRESSES.items():
                good = space.access(ft, 0, addr + (4096 << 9 * size.value))
                for case in flag_cases(tb, space, ft, write, addr + 0x7F8, size):
                    await run_case(tb, case, good)
        await tb.set_mode(Mode.ABORT)
        await tb.set_mode(Mode.TRANSLATE, check_ad=0)
        for write in (0, 1):
            for size, addr in ADDRESSES.items():
                for case in flag_cases(tb, space, ft, write, addr, size):
                    case.cause = Cause.OK
                    case.level = None
                    await run_case(tb, case, space.access(ft, 0, addr))


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def table_error(dut, ft):
    """TABLE_ERROR for the entry being read at every level, and not for its neighbours."""
    async with Testbench(dut) as tb:
        space = await prepare(tb, 5, 2)
        good = space.access(ft, 0, BASE + 0x1000)
        access = space.access(ft, 0, BASE)
        pasids, table = space.pasids, space.tables[ft]
        device = space.scene.directory.entry_address(space.device)
        places = [(device, 7), (device + 8, 7)]
        places += [(pasids.entry_address(space.pasid, level), 6) for level in (2, 1)]
        context = pasids.context_address(space.pasid)
        places += [(context + 8 * index, 6) for index in range(4)]
        places += [(table.entry_address(BASE, level), level) for level in range(5, 0, -1)]
        for addr, level in places:
            await run_case(tb, Case(f"word at {addr:#x}", Cause.TABLE_ERROR, level, access,
                                    lambda addr=addr: tb.memory.poison(addr, 8), tb.memory.cure),
                           good)
        # Neighbours of every entry: those that a wider read might bring along.
        read = {addr for addr, _ in places}
        for addr, _ in places:
            for offset in (-8, 8):
                if addr + offset not in read and (addr ^ addr + offset) < 4096:
                    tb.memory.poison(addr + offset, 8)
        await tb.invalidate()
        done = await tb.port(0).request(access)
        assert done.beats[0].cause == Cause.OK.value


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def dispositions(dut):
    """Every disposition of §5 from every source, both FT; 3 is reported as DENY."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        spaces = [scene.space(device=10 + code, deny=(code, 3 - code)) for code in DISPOSITIONS]
        for space in spaces:
            for ft in (0, 1):
                space.map(ft, BASE, write=False)
                space.map(ft, BASE + 0x1000, read=False)
        await scene.enable()
        for space in spaces:
            for ft in (0, 1):
                code = space.device - 10
                expected = 3 - code if ft else code
                denied = await tb.port(0).request(space.access(ft, 1, BASE))
                assert denied.beats[0].cause == Cause.WRITE_DENIED.value
                assert denied.beats[0].disposition == expected % 3
                read = await tb.port(0).request(space.access(ft, 0, BASE + 0x1000))
                assert read.beats[0].cause == (Cause.READ_DENIED.value if ft else 0)
                assert read.beats[0].disposition == (expected % 3 if ft else 0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(riscv=[0, 3])
async def absent_pages(dut, riscv):
    """The disposition of NOT_PRESENT: the entry's, but for FT = 0 where MEM_ABSENT says another."""
    async with Testbench(dut) as tb:
        scene, addr = Scene(tb), 0x12_3456_7000         # of three levels as well
        spaces = [scene.space(device=20 + absent, riscv=riscv) for absent in range(4)]
        for absent, space in enumerate(spaces):
            space.pasids.set(space.pasid, mem=space.tables[0], sto=space.tables[1],
                             mem_absent=absent)
            for table in space.tables:
                for says in range(4):
                    table.set_disposition(addr + 0x1000 * says, 1, says)
        await scene.enable()
        for absent, space in enumerate(spaces):
            for ft in (0, 1):
                for says in range(4):
                    done = await tb.port(says).request(space.access(ft, 0, addr + 0x1000 * says))
                    assert done.beats[0].cause == Cause.NOT_PRESENT.value
                    wanted = says if ft or not absent else absent
                    assert done.beats[0].disposition == wanted % 3, (absent, ft, says)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def core_off(dut):
    """MODE 0 and 3 refuse everything; nothing is read from memory."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        for ft in (0, 1):
            space.map(ft, BASE)
        for reset in range(2):
            for mode in (0, 3):
                await tb.regs.set(0x10, mode)
                for ft in (0, 1):
                    for write in (0, 1):
                        for port in tb.drivers:
                            done = await port.request(space.access(ft, write, BASE + 5, 256))
                            assert done.beats[0].cause == Cause.CORE_OFF.value
                            assert done.beats[0].disposition == Disposition.DENY.value
                            assert done.beats[0].addr == BASE + 5
            assert tb.axi.reads == 0
            await tb.reset()
        # Out of reset, before any register was written.
        done = await tb.port(0).request(Access(1, 0, 0, 0, 0, 0))
        assert done.beats[0].cause == Cause.CORE_OFF.value
