"""Directed tests of §4, "Caches only grant; only memory denies", of what a cached translation is
found by, and of revocation by MODE = ABORT (§7)."""

import random

import cocotb

from sim.model.golden import check_response
from sim.tables import PageTable
from siommu.arch.formats import Cause, Mode, Size
from siommu.pipeline.sizes import LINE_PAGES
from siommu.tlb.second_level import line_sets

from .bench import STATUS, Testbench
from .scene import Scene, ask, ask_all
from .seeds import seeds

PAGE, LARGE, HUGE = 4096, 1 << 21, 1 << 30
BASE = 0x1234_5678_9000


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def every_bit_of_the_key(dut, ft):
    """Spaces and pages that differ in one bit of FT, device, PASID or page have their own answers.

    Each neighbour maps the same place elsewhere, with other rights, or not at all.
    """
    async with Testbench(dut) as tb:
        scene = Scene(tb, log2=16)
        space = scene.space(device=0x5A5A, pasid=0x5A5A5, pdt_levels=2)
        space.map(ft, BASE)
        space.map(1 - ft, BASE, write=False)
        near = [space.access(ft, 0, BASE), space.access(1 - ft, 0, BASE),
                space.access(1 - ft, 1, BASE)]
        for bit in range(20):
            table = PageTable(tb.memory)
            if bit % 3:
                table.map(BASE, scene.fresh(1), write=bit % 3 == 1,
                          devid=space.devid if ft else None)
            other = space.pasid ^ 1 << bit
            space.pasids.set(other, mem=None if ft else table, sto=table if ft else None)
            near += [space.access(ft, write, BASE, pasid=other) for write in (0, 1)]
        for bit in range(16):
            other = scene.space(device=space.device ^ 1 << bit, pasid=space.pasid, pdt_levels=2)
            if bit % 3:
                other.map(ft, BASE, write=bit % 3 == 1)
            near += [other.access(ft, write, BASE) for write in (0, 1)]
        for size, base in ((Size.PAGE_4K, BASE), (Size.PAGE_2M, 0x2345_6780_0000),
                           (Size.PAGE_1G, 0x3456_4000_0000)):
            if size is not Size.PAGE_4K:
                space.map(ft, base, size=size)
            for bit in range(12 + 9 * size.value, 47):
                if bit % 2:
                    space.map(ft, base ^ 1 << bit, size=size, write=bit % 4 == 1)
                near += [space.access(ft, write, base ^ 1 << bit | 0x123) for write in (0, 1)]
            near.append(space.access(ft, 1, base))
        await scene.enable()
        # Pairwise: the page itself, then a neighbour at once, so that the page is surely cached.
        for access in near:
            await ask(tb, space.access(ft, 1, BASE), access, access)
        await ask_all(tb, near)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def lines_of_one_set(dut, ft):
    """Many lines of a table that share a set of the second-level TLB are asked for from all ports,
    page by page, and their beats interleaved, so that they are complete, and replaced, one right
    behind another: no page is answered with another one's address."""
    async with Testbench(dut) as tb:
        tb.axi.latency, tb.axi.interleave = (20, 60), True
        scene = Scene(tb, log2=16)
        space = scene.space()
        bits = max(line_sets(tb.config) - 1, 7).bit_length()
        pairs = [(low, high) for low in range(1 << bits) for high in range(1 << bits)]
        # the set is the sum of the number's pieces without carry
        lines = [low | (low ^ high) << bits | high << 2 * bits
                 for low, high in tb.rng.sample(pairs, min(len(pairs), 32))]
        pages = [0x1230_0000_0000 + (line * LINE_PAGES + index) * PAGE
                 for line in lines for index in range(LINE_PAGES)]
        for page in tb.rng.sample(pages, len(pages)):
            space.map(ft, page)
        await scene.enable()
        reads = tb.axi.reads
        for index in range(4000):
            tb.port(index).send(space.access(ft, index & 1, tb.rng.choice(pages)))
        await tb.drain()
        # Lines that shared no set would be read once.
        assert tb.axi.reads - reads > 10 * len(lines), "they replaced each other"


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(levels=[4, 5])
async def sign_and_depth(dut, levels):
    """Addresses of both signs, and of 4 and 5 levels, in one cache."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space(device=1, levels=levels)
        other = scene.space(device=2, levels=9 - levels)
        half = 1 << 46
        for owner in (space, other):
            for ft in (0, 1):
                for sign in (0, (1 << 64) - (1 << 47)):
                    owner.map(ft, sign | half)
                    owner.map(ft, sign | half + HUGE, size=Size.PAGE_1G, write=False)
        await scene.enable()
        near = []
        for owner in (space, other):
            for ft in (0, 1):
                for high in range(1 << 4):
                    addr = half | high << 46 & (1 << 48) - 1 | (high >> 2) * 0x5555 << 48
                    near += [owner.access(ft, write, addr) for write in (0, 1)]
                for bit in range(46, 64):
                    for sign in (0, (1 << 64) - (1 << 47)):
                        near.append(owner.access(ft, 0, (sign | half + HUGE + 9 * PAGE) ^ 1 << bit))
        await ask_all(tb, near)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1], level=[1, 2, 3, 4, 5])
async def rights_given_later(dut, ft, level):
    """W, NR, U, A, D and P changed in software's favour while everything is cached: no
    invalidation is needed, at any level."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space(levels=5)
        await scene.enable(check_ad=1)
        good = dict(w=1, nr=0, u=1, a=1, d=1, p=1)
        for index, (field, bad) in enumerate((("w", 0), ("nr", 1), ("u", 0), ("a", 0), ("d", 0),
                                              ("p", 0))):
            if field == "d" and level > 1:
                continue
            addr = BASE + (index << 48)             # a subtree of its own
            space.map(ft, addr, 2)
            space.edit(ft, addr, level, **{field: bad})
            for write in (0, 1, 0):
                # Cache as much as can be: the neighbour shares every level above the leaf.
                await ask(tb, space.access(ft, write, addr), space.access(ft, 0, addr + PAGE))
            space.edit(ft, addr, level, **{field: good[field]})
            tb.expect = lambda transaction: None
            for write in (1, 0, 1):
                (beat,) = await ask(tb, space.access(ft, write, addr))
                # What was not asked for may still be reported as it was.
                assert beat.cause == 0 and (beat.read, beat.write)[write] == 1, \
                    f"{Cause(beat.cause).name} for write = {write} after {field} was repaired"
            tb.expect = tb.check


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def contexts_given_later(dut, ft):
    """The same for device entries and contexts: DEVID, roots, depth, enables, dispositions."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        directory, memory = scene.directory, tb.memory

        async def stale(device, break_, access, cause, repair):
            """Fault, with the contexts cached by the other FT and by this one; repair; grant."""
            break_()
            tb.forget()
            space = device
            for _ in range(2):
                (beat,) = await ask(tb, access)
                assert beat.cause == cause.value, f"{Cause(beat.cause)} instead of {cause}"
                await ask(tb, space.access(1 - ft, 0, BASE), space.access(ft, 0, BASE + PAGE))
            repair()
            tb.forget()
            (beat,) = await ask(tb, access)
            assert beat.cause == 0, f"still {Cause(beat.cause)} after {cause} was repaired"

        def made(device):
            space = scene.space(device=device, pasid=device)
            for kind in (0, 1):
                space.map(kind, BASE, 2)
            return space
        spaces = [made(device) for device in range(8)]
        await scene.enable()

        def entry(space, **fields):
            return lambda: directory.set(space.device, pasids=space.pasids,
                                         **{"devid": space.devid, **fields})

        def context(space, **fields):
            tables = {"mem": space.tables[0], "sto": space.tables[1], **fields}
            return lambda: space.pasids.set(space.pasid, **tables)

        if ft:
            space = spaces[0]
            await stale(space, entry(space, devid=1), space.access(1, 0, BASE),
                        Cause.DEVICE_MISMATCH, entry(space))
        space = spaces[1]
        await stale(space, entry(space, **{("mem", "sto")[ft]: False}), space.access(ft, 0, BASE),
                    Cause.FT_DISABLED, entry(space))
        space = spaces[2]
        empty = PageTable(memory)
        await stale(space, context(space, **{("mem", "sto")[ft]: empty}),
                    space.access(ft, 0, BASE), Cause.NOT_PRESENT, context(space))
        space = spaces[3]
        await stale(space, context(space, **{("mem", "sto")[ft]: None}),
                    space.access(ft, 0, BASE), Cause.TABLE_ABSENT, context(space))
        space = spaces[4]
        deep = PageTable(memory, 5)
        high = 0x00AB_1234_5678_9000
        deep.map(high, scene.fresh(1), devid=space.devid if ft else None)
        await stale(space, context(space), space.access(ft, 0, high), Cause.NON_CANONICAL,
                    context(space, **{("mem", "sto")[ft]: deep}))
        space = spaces[5]
        other = scene.space(device=9, pasid=space.pasid)
        other.map(ft, BASE + HUGE, devid=space.devid)
        await stale(space, lambda: None, space.access(ft, 0, BASE + HUGE), Cause.NOT_PRESENT,
                    lambda: directory.set(space.device, devid=space.devid, pasids=other.pasids))
        # A disposition is part of a denial, so it too comes from memory.
        space = spaces[6]
        space.edit(ft, BASE, 1, w=0)
        for code in (0, 1, 2, 1):
            context(space, mem_deny=code, sto_deny=code)()
            tb.forget()
            for _ in range(2):
                (beat,) = await ask(tb, space.access(ft, 1, BASE))
                assert (beat.cause, beat.disposition) == (Cause.WRITE_DENIED.value, code)
                await ask(tb, space.access(ft, 0, BASE))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(level=[1, 3, 6, 7])
async def joined_walk_denies_nobody_later(dut, level):
    """A fault must rest on entries read after the request came.

    A walk has read a bad entry, and the entry is repaired before the walk ends. A request that
    comes now must be granted, even if it waits for that same walk.
    """
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        space.map(0, BASE)
        await scene.enable()
        access = space.access(0, 1, BASE)
        entry = {6: space.pasids.context_address(space.pasid),
                 7: scene.directory.entry_address(space.device)}.get(level) or \
            space.tables[0].entry_address(BASE, level)
        word = tb.memory.read_u64(entry)
        tb.expect = lambda transaction: None
        for delay in range(0, 40, 3):
            await tb.invalidate()
            tb.memory.write_u64(entry, word & ~1)
            tb.axi.hold = lambda addr: addr == entry
            first = tb.port(0).send(access)
            await tb.until(lambda: tb.axi.holding(entry), what="the bad entry's read")
            tb.memory.write_u64(entry, word)
            later = [tb.port(index).send(access) for index in range(4)]
            await tb.until(lambda: all(one.accepted for one in later), what="acceptance")
            await tb.cycles(delay)
            tb.axi.hold = None
            await first.wait()
            for one in later:
                await one.wait()
                assert one.beats[0].cause == 0, \
                    f"{Cause(one.beats[0].cause).name}, although the entry was repaired before " \
                    f"the request came (read released after {delay} cycles)"


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(seed=seeds(3))
async def rights_given_under_traffic(dut, seed):
    """Pages are mapped one by one while all ports ask for them: nobody who asks after a page was
    mapped is refused, nobody who was answered before is granted."""
    async with Testbench(dut, seed) as tb:
        rng = random.Random(seed)
        scene = Scene(tb)
        space = scene.space()
        pages = 48
        space.map(0, BASE + pages * PAGE)           # the tables above exist
        await scene.enable()
        mapped = {}
        tb.axi.latency = 1, rng.choice((3, 30, 90))
        tb.axi.interleave = True
        counts = {"granted": 0, "refused": 0}

        def expect(transaction):
            page = (transaction.access.addr - BASE) // PAGE
            since = mapped.get(page)
            cause = transaction.beats[0].cause
            if since is None or since > transaction.finished:
                assert cause == Cause.NOT_PRESENT.value, "granted before it was mapped"
            elif since < transaction.accepted:
                assert cause == 0, \
                    f"page {page} was mapped in cycle {since}, asked for in cycle " \
                    f"{transaction.accepted}, and refused in cycle {transaction.finished}"
            counts["refused" if cause else "granted"] += 1
        tb.expect = expect
        for page in rng.sample(range(pages), pages):
            for _ in range(rng.randint(5, 120)):
                for port in tb.drivers:
                    if len(port.queue) < 8:
                        focus = page if rng.random() < .6 else rng.randrange(pages)
                        port.send(space.access(0, rng.randrange(2), BASE + focus * PAGE))
                await tb.cycles(1)
            space.map(0, BASE + page * PAGE)
            mapped[page] = tb.cycle
        await tb.drain()
        assert min(counts.values()) >= 10, counts


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def more_than_fits(dut, ft):
    """Far more pages, PASIDs and devices than any cache holds, of all sizes mixed."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        accesses = []
        for device in range(2 * tb.config.device_entries + 3):
            space = scene.space(device=device, pasid=device * 5)
            for size, base in ((Size.PAGE_4K, BASE), (Size.PAGE_2M, 0x2345_6780_0000),
                               (Size.PAGE_1G, 0x3456_4000_0000)):
                count = 2 * tb.config.tlb_entries // 5 + 2
                space.map(ft, base, count, size=size)
                step = PAGE << 9 * size.value
                accesses += [space.access(ft, index & 1, base + index * step + index * 8)
                             for index in range(count)]
        await scene.enable()
        await ask_all(tb, accesses, rounds=2)
        assert tb.answered == 2 * len(accesses)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def hits_need_no_memory(dut, ft):
    """A page that was granted is granted again without a table read, and so is all of its leaf."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        place = {Size.PAGE_4K: BASE, Size.PAGE_2M: 0x2345_6780_0000, Size.PAGE_1G: 0x3456_4000_0000}
        for size, base in place.items():
            space.map(ft, base, size=size)
        await scene.enable()
        for size, base in place.items():
            reads = tb.axi.reads
            await ask(tb, space.access(ft, 0, base))
            await tb.cycles(20)
            assert tb.axi.reads > reads
            tb.coverage.hit("answered after table reads")
            reads = tb.axi.reads
            step = PAGE << 9 * size.value
            for offset in (0, 0xFFF, step // 2, step - PAGE, step - 1):
                for write in (0, 1):
                    await ask(tb, space.access(ft, write, base + offset % step))
            await ask(tb, space.access(ft, 1, base, min(256, step // PAGE)))
            assert tb.axi.reads == reads, "a hit read the tables"
            tb.coverage.hit("answered without a table read")
            await tb.invalidate()
            await ask(tb, space.access(ft, 0, base))
            assert tb.axi.reads > reads, "MODE = ABORT left the page cached"
            await tb.cycles(20)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def revocation_by_abort(dut, ft):
    """After MODE = ABORT until nothing is in flight, nothing older is used: page, every level
    above, context and device entry."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        space.map(ft, BASE, 4)
        space.map(ft, 0x2345_6780_0000, size=Size.PAGE_2M)
        await scene.enable()
        table, pasids = space.tables[ft], space.pasids
        places = [table.entry_address(BASE, level) for level in (1, 2, 3, 4)]
        places += [pasids.entry_address(space.pasid, 1),
                   pasids.context_address(space.pasid) + 8 * ft,
                   scene.directory.entry_address(space.device)]
        for entry in places:
            await ask(tb, space.access(ft, 1, BASE), space.access(ft, 1, BASE + PAGE),
                      space.access(ft, 1, 0x2345_6780_0000))
            word = tb.memory.read_u64(entry)
            tb.memory.write_u64(entry, word & ~1)
            await tb.invalidate()
            (beat,) = await ask(tb, space.access(ft, 1, BASE))
            assert beat.cause, f"granted after the entry at {entry:#x} was taken away"
            tb.memory.write_u64(entry, word)
            tb.forget()
            (beat,) = await ask(tb, space.access(ft, 1, BASE))
            assert beat.cause == 0


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(seed=seeds(6))
async def abort_with_walks_in_flight(dut, seed):
    """Walks that began before MODE = ABORT leave nothing behind, and STATUS tells when."""
    async with Testbench(dut, seed) as tb:
        scene = Scene(tb)
        space = scene.space()
        count = 12
        space.map(0, BASE, count)
        await scene.enable()
        off = Cause.CORE_OFF.value
        for turn in range(12):
            tb.axi.latency = 1, tb.rng.choice((2, 40, 200))
            paddr = scene.fresh(count)
            old = {index: tb.answers(space.access(0, 1, BASE + index * PAGE))[0].addr
                   for index in range(count)}

            def either(transaction):
                beat = transaction.beats[0]
                page = (transaction.access.addr - BASE) // PAGE
                assert beat.cause == off or (beat.cause == 0 and beat.addr == old[page]), beat
            tb.expect = either
            for index in range(count):
                for port in tb.drivers:
                    port.send(space.access(0, 1, BASE + index * PAGE))
            await tb.cycles(tb.rng.randrange(80))
            await tb.regs.set(0x10, 0)
            # The tables change while the old walks are still reading.
            for index in range(count):
                space.edit(0, BASE + index * PAGE, 1, pfn=(paddr >> 12) + index)
            tb.expect = lambda transaction: None
            await tb.drain()
            while await tb.regs.get(STATUS) & 3:
                pass
            await tb.regs.set(0x10, 1)
            tb.forget()
            tb.expect = tb.check
            for index in range(count):
                tb.port(index).send(space.access(0, 1, BASE + index * PAGE))
            await tb.drain()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def mode_changes_under_traffic(dut):
    """MODE goes through all values while every port asks: each answer is that of one of them."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        space.map(0, BASE, 40)
        await scene.enable()
        accesses = [space.access(0, index & 1, BASE + index % 44 * PAGE) for index in range(88)]
        possible = {}
        for mode in (Mode.ABORT, Mode.TRANSLATE, Mode.BYPASS):
            tb.golden.mode = mode
            for access in accesses:
                possible.setdefault(access.addr | access.write, []).append(
                    tb.golden.translate(access))
        seen = set()

        def expect(transaction):
            access, beats = transaction.access, transaction.beats
            for answers in possible[access.addr | access.write]:
                try:
                    check_response(access, answers, beats)
                except AssertionError:
                    continue
                seen.add((answers[0].cause, answers[0].size))
                return
            raise AssertionError(f"{access}: {beats} is the answer of no MODE")
        tb.expect = expect
        tb.axi.latency = 1, 40
        for turn in range(60):
            for access in tb.rng.sample(accesses, 30):
                tb.port(tb.rng.randrange(9)).send(access)
            # Some times it stays at TRANSLATE for long, so that also a single walk reaches faults.
            await tb.cycles(tb.rng.randrange(1000 if turn % 12 == 4 else 60))
            await tb.regs.set(0x10, (0, 1, 2, 1, 3, 2)[turn % 6])
        await tb.drain()
        assert len(seen) == 4, seen


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def directory_size(dut):
    """DDT_LOG2 from 0 to 16: the last device inside and the first outside, warm and cold."""
    async with Testbench(dut) as tb:
        scene = Scene(tb, log2=16)
        for device in sorted({0} | {edge for log2 in range(17) for edge in
                                    ((1 << log2) - 1, 1 << log2) if edge < 1 << 16}):
            space = scene.space(device=device, pasid=1)
            space.map(0, BASE)
        base = scene.directory.base
        for log2 in [*range(17), *range(16, -1, -1)]:
            await tb.set_mode(Mode.ABORT)
            await tb.enable(base, log2)
            for device in (0, (1 << log2) - 1, 1 << log2, 1 << 15, 0xFFFF):
                await ask(tb, space.access(0, 0, BASE, pasid=1, device=device & 0xFFFF))
