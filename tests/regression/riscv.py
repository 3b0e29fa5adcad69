"""Directed tests of RISC-V memory tables (§3.4): every cause at every level, leaves of every size,
NAPOT pages, and both formats side by side under one PASID directory."""

import cocotb

from sim.tables import NAPOT_PAGES, PageTable, RiscvTable
from siommu.arch.formats import Cause, Mode, Size

from .bench import Testbench
from .causes import DISPOSITIONS, Case, run_case, word_case
from .queues import Queues, inval_tlb
from .scene import Scene

PAGE, HUGE = 4096, 1 << 30
TOP = 1 << 64
#: By levels: an address whose index differs at every level; a physical one, bit 51 set.
BASE = {3: 0x0000_0031_2345_6000, 4: 0x0000_6F12_3456_7000, 5: 0x00AB_CDEF_1234_5000}
PHYSICAL = 0x8_0009_8765_4000
#: Levels of the table and of the leaf, as the digits of a number.
LEAVES = [10 * levels + level for levels in (3, 4, 5) for level in range(1, levels + 1)]


async def prepare(tb, levels, level, **enable):
    """A space whose memory table has two leaves of ``level`` beside each other; their address."""
    scene = Scene(tb)
    space = scene.space(riscv=levels)
    span = PAGE << 9 * (level - 1)
    addr = BASE[levels] // (2 * span) * 2 * span
    space.tables[0].map(addr, PHYSICAL // span * span, 2, size=level - 1)
    await scene.enable(**enable)
    return space, addr, span


def pointer_cases(word, level):
    """What is wrong, and what does not matter, in an entry that points to a table."""
    for bit in (4, 6, 7, *range(50, 64)):
        yield word(f"pointer bit {bit} at level {level}", Cause.ENTRY_RESERVED, level,
                   lambda w, bit=bit: w | 1 << bit)
    for bit in (5, 8, 9):
        yield word(f"ignored bit {bit} at level {level}", Cause.OK, 0,
                   lambda w, bit=bit: w ^ 1 << bit)


def leaf_cases(word, level, write):
    """The same of a leaf of 4 KiB (level 1) or more."""
    for bit in (*range(50, 61), *range(10, 10 + 9 * (level - 1))):
        yield word(f"leaf bit {bit}", Cause.ENTRY_RESERVED, level, lambda w, bit=bit: w | 1 << bit)
    yield word("W without R", Cause.ENTRY_RESERVED, level, lambda w: w & ~2)
    yield word("W and X without R", Cause.ENTRY_RESERVED, level, lambda w: w & ~2 | 8)
    yield word("PBMT 3", Cause.ENTRY_RESERVED, level, lambda w: w | 3 << 61)
    for low in range(16):
        if level > 1 or low != 8:
            yield word(f"N with {low}", Cause.ENTRY_RESERVED, level,
                       lambda w, low=low: w & ~(15 << 10) | low << 10 | 1 << 63)
    if level == 1:
        yield word("a pointer at level 1", Cause.ENTRY_RESERVED, 1, lambda w: w & ~0xDE)
        yield word("NAPOT", Cause.OK, 0, lambda w: w & ~(15 << 10) | 8 << 10 | 1 << 63)
    yield word("U", Cause.SUPERVISOR, level, lambda w: w & ~16)
    denied = Cause.WRITE_DENIED if write else Cause.READ_DENIED
    yield word("X alone", denied, level, lambda w: w & ~6 | 8)
    yield word("no W", Cause.WRITE_DENIED if write else Cause.OK, level, lambda w: w & ~4)
    for bit in (3, 5, 8, 9, 61, 62):
        yield word(f"ignored leaf bit {bit}", Cause.OK, level, lambda w, bit=bit: w ^ 1 << bit)


def table_cases(tb, space, addr, levels, level, write):
    """Every entry on the way to ``addr``, and the address itself."""
    access, table = space.access(0, write, addr), space.tables[0]
    for at in range(level, levels + 1):
        def word(name, cause, where, change, entry=table.entry_address(addr, at)):
            return word_case(tb, name, cause, where or level, access, entry, change)

        for code in DISPOSITIONS:
            yield word(f"V at level {at}, disposition {code}", Cause.NOT_PRESENT, at,
                       lambda w, code=code: 0xFEDC_BA98_7654_3210 & ~7 | code << 1)
        yield from leaf_cases(word, at, write) if at == level else pointer_cases(word, at)
    lowest = 9 * levels + 11
    for bit in range(lowest, 64):
        for sign in (0, TOP - (1 << lowest)):
            bad = (addr & (1 << lowest) - 1 | sign) ^ 1 << bit
            yield Case(f"address {bad:#x}", Cause.NON_CANONICAL, 0, space.access(0, write, bad))


@cocotb.test(timeout_time=30, timeout_unit="ms")
@cocotb.parametrize(leaf=LEAVES)
async def riscv_page_table(dut, leaf):
    """NOT_PRESENT, ENTRY_RESERVED, SUPERVISOR, denials, NON_CANONICAL, and what is ignored."""
    levels, level = divmod(leaf, 10)
    async with Testbench(dut, seed=leaf) as tb:
        space, addr, span = await prepare(tb, levels, level)
        good = space.access(0, 0, addr + span)
        for write in (0, 1):
            for case in table_cases(tb, space, addr + 0x123, levels, level, write):
                undo = case.undo
                if case.cause is Cause.OK:      # it may be kept: the next case invalidates first
                    case.undo = None
                await run_case(tb, case, good)
                if undo:
                    undo()


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(leaf=LEAVES)
async def riscv_access_flag(dut, leaf):
    """A and D of the leaf with CHECK_AD, and not without; errors of the memory at each entry."""
    levels, level = divmod(leaf, 10)
    async with Testbench(dut, seed=leaf) as tb:
        space, addr, span = await prepare(tb, levels, level, check_ad=1)
        good, table = space.access(0, 0, addr + span), space.tables[0]
        for write in (0, 1):
            access = space.access(0, write, addr)

            def word(name, cause, bit, access=access):
                return word_case(tb, name, cause, level, access, table.entry_address(addr, level),
                                 lambda w: w & ~(1 << bit))
            await run_case(tb, word("A", Cause.ACCESS_FLAG, 6), good)
            await run_case(tb, word("D", Cause.ACCESS_FLAG if write else Cause.OK, 7), good)
            for at in range(level, levels + 1):
                entry = table.entry_address(addr, at)
                await run_case(tb, Case(f"error at level {at}", Cause.TABLE_ERROR, at, access,
                                        lambda entry=entry: tb.memory.poison(entry, 8),
                                        tb.memory.cure), good)
        await tb.set_mode(Mode.ABORT)
        await tb.set_mode(Mode.TRANSLATE, check_ad=0)
        for bit in (6, 7):
            await run_case(tb, word(f"bit {bit}, not looked at", Cause.OK, bit), good)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def riscv_contexts(dut, ft):
    """MEM_FMT in the memory root with L5 and without V, and in the storage root."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space(riscv=3)
        addr = BASE[3]
        space.map(0, addr)
        space.map(1, addr)
        context = space.pasids.context_address(space.pasid)
        access = space.access(ft, 0, addr)
        await scene.enable()
        good = space.access(1 - ft, 0, addr)
        # Each of the formats, beside L5, of either root; §3.2 says what is reserved.
        for fmt in range(4):
            for l5 in (0, 1):
                bits = fmt << 2 | l5 << 1
                if bits == 4:
                    continue        # it is what stands there
                broken = bool(fmt and l5)
                if ft or broken:
                    await run_case(tb, word_case(
                        tb, f"MEM_FMT {fmt}, L5 {l5}", Cause.ENTRY_RESERVED if broken else Cause.OK,
                        6 if broken else 1, access, context, lambda w, bits=bits: w & ~0xE | bits),
                        good)
                await run_case(tb, word_case(
                    tb, f"MEM_FMT {fmt}, L5 {l5}, no V", Cause.OK if ft else Cause.TABLE_ABSENT,
                    1 if ft else 6, access, context, lambda w, bits=bits: w & ~0xF | bits), good)
            if fmt:
                await run_case(tb, word_case(
                    tb, f"STO_FMT {fmt}", Cause.ENTRY_RESERVED, 6, access, context + 8,
                    lambda w, fmt=fmt: w | fmt << 2), good)
                await run_case(tb, word_case(
                    tb, f"STO_FMT {fmt}, no V", Cause.ENTRY_RESERVED, 6, access, context + 8,
                    lambda w, fmt=fmt: w & ~1 | fmt << 2), good)
        # A table read at another depth: the answer is the golden model's, whatever it is.
        for fmt in (2, 3, 1):
            await tb.invalidate()
            tb.memory.write_u64(context, tb.memory.read_u64(context) & ~0xC | fmt << 2)
            tb.forget()
            for _ in range(2):
                for write in (0, 1):
                    await tb.port(0).request(space.access(0, write, addr))


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(leaf=[44, 54, 55])
async def larger_leaves(dut, leaf):
    """Leaves above 1 GiB: addresses all over them; one run over the end of a GiB, none over their
    own; an invalidation of any page leaves nothing of them, and a leaf of 1 GiB alone."""
    levels, level = divmod(leaf, 10)
    async with Testbench(dut, seed=leaf) as tb:
        space, addr, span = await prepare(tb, levels, level)
        queues, table = Queues(tb), space.tables[0]
        await queues.start()
        table.map(addr + 4 * span, PHYSICAL // HUGE * HUGE, size=Size.PAGE_1G)
        tb.forget()
        other = space.access(0, 0, addr + 4 * span + 5 * PAGE)
        gibs = {0, 1, 255, 511, span // HUGE - 1, span // HUGE // 2, 512 % (span // HUGE)}
        for gib in sorted(gibs):
            for offset in (0, PAGE * 0x3_4567 + 0x89, HUGE - 1):
                done = await tb.port(gib).request(space.access(0, 1, addr + gib * HUGE + offset))
                assert done.beats[0].size == Size.PAGE_1G.value
            for _ in range(2):      # by a walk, then from the TLB
                done = await tb.port(gib).request(
                    space.access(0, 0, addr + (gib + 1) * HUGE - 100 * PAGE, 256))
                runs = 2 if gib == span // HUGE - 1 else 1
                assert len(done.beats) == runs, f"GiB {gib}: {len(done.beats)} runs"
        await tb.port(0).request(other)
        # Every GiB that is kept goes with any page of the leaf.
        entry = table.entry_address(addr, level)
        word = tb.memory.read_u64(entry)
        for asked in (span // 2, 0, span - PAGE):
            kept = [space.access(0, 0, addr + gib * HUGE + 77 * PAGE) for gib in (1, 3, 511)]
            for access in (*kept, *kept):
                await tb.port(1).request(access)
            await tb.cycles(50)
            tb.memory.write_u64(entry, 0)
            tb.forget()
            await queues.run(inval_tlb(device=space.device, pasid=space.pasid, ft=0,
                                       addr=addr + asked))
            for access in kept:
                done = await tb.port(2).request(access)
                assert done.beats[0].cause == Cause.NOT_PRESENT.value
            reads = tb.axi.reads
            assert (await tb.port(1).request(other)).beats[0].cause == Cause.OK.value
            if tb.config.tlb_entries > 8:
                assert tb.axi.reads == reads, "a leaf of 1 GiB is still kept"
            tb.memory.write_u64(entry, word)
            tb.forget()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def napot_pages(dut):
    """64 KiB in sixteen entries: each page its own, merged as other contiguous pages are; and a
    group in which one entry differs."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space(riscv=4)
        table, addr = space.tables[0], BASE[4] & -(PAGE << 4)
        plain, groups = addr + (1 << 24), 30
        table.map(addr, 0x1_2340_0000, groups * NAPOT_PAGES, napot=True)
        table.map(plain, 0x5_6780_0000, 4 * NAPOT_PAGES)
        assert table.entry(addr) >> 63 and not table.entry(plain) >> 63
        await scene.enable()
        for start in (addr, plain):
            for turn in range(2):       # by walks, then from the TLB
                runs = []
                for first in range(0, 64, 8):
                    done = await tb.port(turn).request(
                        space.access(0, 1, start + first * PAGE + 0x10, 8))
                    runs.append(len(done.beats))
                assert runs == [1] * 8
                for page in range(64):
                    done = await tb.port(turn).request(space.access(0, 0, start + page * PAGE))
                    assert done.beats[0].size == Size.PAGE_4K.value
            for first, pages in ((0, 64), (5, 40), (15, 2), (3, 61)):
                await tb.invalidate()
                for _ in range(2):
                    done = await tb.port(2).request(
                        space.access(0, 0, start + first * PAGE, pages))
                    assert len(done.beats) <= (first + pages + 7) // 8 - first // 8
        # More lines than the first level has entries: the pages of the second level, too.
        await tb.invalidate()
        everywhere = range(groups * NAPOT_PAGES)
        for page in (*everywhere[::8], *tb.rng.sample(everywhere, len(everywhere))):
            await tb.port(page).request(space.access(0, page & 1, addr + page * PAGE))
        # What one entry of a group says counts for its own page.
        for change in (0, 0x13, 1 << 63 | 9 << 14 | 8 << 10 | 0xD7):
            await tb.invalidate()
            tb.memory.write_u64(table.entry_address(addr + 5 * PAGE), change)
            tb.forget()
            for page in (*range(16), *range(16)):
                for write in (0, 1):
                    await tb.port(page).request(space.access(0, write, addr + page * PAGE))
                    await tb.port(page).request(space.access(0, write, addr + page * PAGE, 4))


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def formats_side_by_side(dut):
    """Processes of all formats under one PASID directory use the same addresses, and each other's
    table pages: each has its own answers."""
    async with Testbench(dut, seed=5) as tb:
        scene = Scene(tb)
        space = scene.space(pasid=1)
        pasids, memory = space.pasids, tb.memory
        tables = [space.tables[0], PageTable(memory, 5), *(RiscvTable(memory, levels)
                                                          for levels in (3, 4, 5))]
        addr = 0x21_2345_6000
        places = [addr, addr + 7 * PAGE, addr + (1 << 21), addr + (1 << 30), 0x7000]
        for number, table in enumerate(tables):
            for index, place in enumerate(places):
                if (number + index) % 5:
                    table.map(place, scene.fresh(2), 1, write=(number + index) % 3 > 0)
            pasids.set(number + 1, mem=table, sto=space.tables[1])
        # A root that is read in the format of another process.
        strange = [10, 11]
        for pasid, table, fmt in ((10, tables[0], 2), (11, tables[3], 0)):
            pasids.set(pasid, mem=table, sto=space.tables[1])
            context = pasids.context_address(pasid)
            memory.write_u64(context, memory.read_u64(context) & ~0xC | fmt << 2)
        space.map(1, addr)
        await scene.enable()
        for _ in range(600):
            pasid = tb.rng.choice((*range(1, len(tables) + 1), *strange))
            place = tb.rng.choice(places) + PAGE * tb.rng.choice((0, 0, 0, 1, 2, -1))
            pages = tb.rng.choice((1, 1, 2, 9))
            ft = int(tb.rng.random() < .1)
            tb.port(tb.rng.randrange(3)).send(space.access(
                ft, tb.rng.getrandbits(1), place, pages, pasid=pasid))
            if tb.rng.random() < .02:
                await tb.drain()
                await tb.invalidate()
        await tb.drain()
