"""Directed tests of what only a full, a far or a busy world reaches: every place of every cache,
every walk slot, every bit of an address, what waits for its turn (§2.1, §4, §6)."""

import random
from collections import Counter
from dataclasses import replace
from itertools import cycle

import cocotb
from cocotb.triggers import FallingEdge

from siommu.arch.formats import Mode, Size
from siommu.arch.register_map import REGISTERS
from siommu.pipeline.sizes import LINE_PAGES

from .bench import Testbench
from .queues import Queues, inval_context, inval_tlb, offset, prefetch, start
from .scene import FarMemory, Scene, anywhere, ask, ask_all

PAGE, LARGE, AREA = 4096, 1 << 21, 1 << 39


def assert_read_once(tb, lines):
    """Each of the ``lines``, numbers, was read once since the log began."""
    reads = Counter(addr // 64 for _, addr, _ in tb.axi.log if addr // 64 in lines)
    assert reads == dict.fromkeys(lines, 1), reads


def assert_reads_tables_alone(tb):
    """Nothing was read since the log began that nobody wrote."""
    assert {addr // PAGE * PAGE for _, addr, _ in tb.axi.log} <= {*tb.memory.pages()}


def invalidations(space, ft, addr, pages):
    """Commands that each drop what is cached of so many ``pages`` of a space from ``addr`` on."""
    device, pasid = space.device, space.pasid
    return [inval_tlb(), inval_tlb(device), inval_tlb(device, pasid), inval_tlb(ft=ft),
            inval_tlb(device, pasid, ft), inval_tlb(pasid=pasid, ft=ft),
            inval_tlb(device, pasid, ft, addr, n=pages.bit_length() - 1), inval_context(device)]


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def the_second_level_is_full(dut):
    """It has a line in each place, whatever device, process and addresses: nothing is read again.
    And whatever an invalidation goes by, none of them is left."""
    async with Testbench(dut) as tb:
        tb.name = "the_second_level_is_full"
        if not tb.config.l2_entries:
            tb.log("there is no second level")
            return
        scene, queues = await start(tb, "the_second_level_is_full", log2=16)
        lines = tb.config.l2_entries // LINE_PAGES
        for round_, device in enumerate(tb.rng.sample(range(1 << 16), 8)):
            await tb.invalidate()
            space, page = anywhere(tb, device, scene)
            ft, first = tb.rng.randrange(2), page // LINE_PAGES // lines * lines
            # As many lines in a row fall on all sets alike.
            pages = [PAGE * ((first + line) * LINE_PAGES + tb.rng.randrange(LINE_PAGES))
                     for line in range(lines)]
            for addr in pages:
                behind = LINE_PAGES - addr // PAGE % LINE_PAGES
                space.map(ft, addr, behind, paddr=PAGE * tb.rng.randrange((1 << 40) - LINE_PAGES))
            accesses = [space.access(ft, 0, addr) for addr in pages]
            for access in accesses:     # one by one: a line's way is chosen when it is asked for
                await ask(tb, access)
                await tb.cycles(20)
            reads = tb.axi.reads
            await ask_all(tb, accesses)
            assert tb.axi.reads == reads, (device, hex(page))
            for addr in pages:
                space.edit(ft, addr, 1, p=0, w=0, u=0)
            await queues.run(invalidations(space, ft, PAGE * LINE_PAGES * first,
                                           tb.config.l2_entries)[round_])
            await ask_all(tb, accesses, rounds=1)


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def the_walk_cache_is_full(dut):
    """It has a table in each place, whatever device, process and address: no table above is read
    again. And whatever an invalidation goes by, none of them is left; nor by a change of MODE."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "the_walk_cache_is_full", log2=16)
        rows = tb.config.walk_entries
        for round_, device in enumerate(tb.rng.sample(range(1 << 16), 9)):
            await tb.invalidate()
            await tb.cycles(rows)           # it has been swept
            space, page = anywhere(tb, device, scene)
            ft, first = tb.rng.randrange(2), page >> 9 & -rows
            # As many tables in a row fall on all sets alike.
            tables = [LARGE * (first + row) for row in range(rows)]
            asked = [[addr + PAGE * place for addr in tables] for place in (100, 300, 500)]
            for addr in sum(asked, []):
                space.map(ft, addr)
            for addr in asked[0]:       # one by one: a table's way is chosen when it is asked for
                await ask(tb, space.access(ft, 0, addr))
            reads = tb.axi.reads
            await ask_all(tb, [space.access(ft, 0, addr) for addr in asked[1]], rounds=1)
            assert tb.axi.reads == reads + rows, (device, hex(page))
            for addr in tables:
                space.edit(ft, addr, 2, p=0, w=0, u=0)
            if round_ < 8:
                await queues.run(invalidations(space, ft, LARGE * first, 512 * rows)[round_])
            else:
                await tb.invalidate()
            await ask_all(tb, [space.access(ft, 0, addr) for addr in asked[2]], rounds=1)


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def every_entry_compares_every_bit(dut):
    """The first level is full of one page each of other processes, all of which the second level
    has, too: all of them hit in the first, and none of both answers for a key that differs in a
    bit."""
    async with Testbench(dut) as tb:
        tb.name = "every_entry_compares_every_bit"
        scene = Scene(tb, log2=16)
        await scene.enable()

        async def all_hit():
            for access in accesses:
                assert (await tb.port(0).request(access)).latency <= 5 + tb.held, access
        for _ in range(4):
            await tb.invalidate()
            accesses = []
            for device in tb.rng.sample(range(1 << 16), tb.config.tlb_entries):
                (space, page), ft = anywhere(tb, device, scene), tb.rng.randrange(2)
                space.map(ft, PAGE * page)
                accesses.append(space.access(ft, 0, PAGE * page))
            for access in accesses:
                await ask(tb, access)
                await tb.cycles(20)     # its fill ends before the next one begins
            await all_hit()
            for access in accesses:
                for field, low, high in (("ft", 0, 1), ("device", 0, 16), ("pasid", 0, 20),
                                         ("addr", 12, 64)):
                    for bit in range(low, high):
                        near = replace(access, **{field: getattr(access, field) ^ 1 << bit})
                        tb.port(tb.rng.randrange(9)).send(near)
                await tb.drain()
            await all_hit()             # what was refused has taken no place


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tables_anywhere(dut):
    """Every table is at an address of 52 bits of its own, and so is every page: read from the root
    on, from what the caches know of it, and by look-aheads. Nothing else is read."""
    async with Testbench(dut, memory=FarMemory(random.Random(7))) as tb:
        tb.name = "tables_anywhere"
        for _ in range(8):
            scene = Scene(tb, log2=16)
            await scene.enable()
            accesses = []
            for device in tb.rng.sample(range(1 << 16), 4):
                space, page = anywhere(tb, device, scene)
                for ft in (0, 1):
                    for near in {page ^ tb.rng.getrandbits(bits) for bits in (0, 3, 6, 9)}:
                        space.map(ft, PAGE * near, paddr=PAGE * tb.rng.getrandbits(40))
                        accesses += [space.access(ft, 0, PAGE * near),
                                     space.access(ft, 1, PAGE * near, 24)]
            tb.axi.log = []
            await ask(tb, *tb.rng.sample(accesses, len(accesses)))
            await ask_all(tb, accesses, rounds=1)
            assert_reads_tables_alone(tb)
            await tb.set_mode(Mode.ABORT)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def joins_in_every_slot(dut):
    """Who asks for a page that is being walked for waits for that walk, in whichever slot it is and
    whatever its address: no line is read twice."""
    async with Testbench(dut) as tb:
        tb.name = "joins_in_every_slot"
        scene = Scene(tb)
        spaces = [scene.space(device, pasid) for device, pasid in ((5, 3), (0xA, 0x55), (0xA5, 0))]
        await scene.enable()
        for _ in range(24):
            await tb.invalidate()
            asked = {}
            # As many walks are left for those who join none.
            while len(asked) < max(1, tb.config.walks // 2):
                space, ft, page = tb.rng.choice(spaces), tb.rng.randrange(2), tb.rng.getrandbits(35)
                space.map(ft, PAGE * page, paddr=scene.fresh(1))
                leaf = space.tables[ft].entry_address(PAGE * page, 1)
                asked[leaf // 64] = space.access(ft, 0, PAGE * page)
            tb.axi.log, tb.axi.hold = [], lambda addr: addr // 64 in asked
            sent = [tb.port(0).send(access) for access in asked.values()]
            await tb.until(lambda: {addr // 64 for _, addr, _ in tb.axi.log} >= {*asked},
                           what="the lines' reads")
            sent += [tb.port(1).send(access) for access in tb.rng.sample([*asked.values()],
                                                                        len(asked))]
            await tb.until(lambda: all(one.accepted for one in sent), what="acceptance")
            await tb.cycles(50)
            tb.axi.hold = None
            await tb.drain()
            assert_read_once(tb, asked)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(gap=[0, 1, 100])
async def faults_in_every_slot(dut, gap):
    """Who asks for an absent page behind another who does, at once, with one request between them,
    or before that walk begins, gets the fault of that walk, in whichever slot it is and whatever
    its address: no line is read twice."""
    async with Testbench(dut) as tb:
        tb.name = f"faults_in_every_slot/gap={gap}"
        scene = Scene(tb, log2=16)
        known = scene.space()
        known.map(1, AREA)
        hit = known.access(1, 0, AREA)
        await scene.enable()

        def absent():
            space, page = next(places)
            ft, page = tb.rng.randrange(2), page ^ tb.rng.getrandbits(34)
            space.map(ft, PAGE * (page ^ 1))
            lines.append(space.tables[ft].entry_address(PAGE * page, 1) // 64)
            return space.access(ft, 0, PAGE * page)
        for turn in range(48):
            if turn % 4 == 0:           # nothing that a walk needs is shared
                spaces = [anywhere(tb, device, scene)
                          for device in tb.rng.sample(range(1 << 16), tb.config.walk_slots)]
            # A walk that began at a cached entry denies only when it is repeated.
            await tb.invalidate()
            await tb.port(0).request(hit)
            places = iter(spaces)
            tb.axi.log, tb.axi.hold, lines = [], lambda addr: True, []
            for port in tb.drivers:
                if port is not tb.port(turn):
                    port.send(absent())
            await tb.cycles(100)
            asked = [absent() for _ in range(tb.config.slots_of_a_port)]
            if gap < 100:
                for access in asked:
                    for each in (access, *[hit] * gap, access):
                        tb.port(turn).send(each)
                    await tb.cycles(20)     # few slots are not given away one behind the other
            else:
                for access in asked:
                    tb.port(turn).send(access)
                await tb.cycles(100)
                for access in asked[tb.config.walks - len(lines):]:     # the last ones: they wait
                    tb.port(tb.rng.randrange(9)).send(access)
            await tb.cycles(100)
            tb.axi.hold = None
            await tb.drain()
            assert_read_once(tb, lines)


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def fills_delay_an_invalidation(dut):
    """What an invalidation drops from the walk cache has to wait while walks write there, a cycle
    each, as many as there can be: nothing of it is lost."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "fills_delay_an_invalidation")
        space, other, walks = scene.space(device=5), scene.space(device=6), tb.config.walks
        places = [AREA + LARGE * index for index in range(512)]
        for addr in places:
            other.map(1, addr)
        kept, unknown = places[:64], cycle(places)
        for addr in kept:
            space.map(1, addr)
        asked = [space.access(1, 0, addr) for addr in kept]
        table = other.tables[1].entry_address(AREA, 2) // PAGE

        async def fills():
            while going:
                tb.axi.hold = lambda addr: addr // PAGE == table
                for _ in range(walks):
                    tb.drivers[-1].send(other.access(1, 0, next(unknown)))
                await tb.cycles(tb.rng.randint(60, 71))     # they wait for entries above the leaves
                tb.axi.hold = lambda addr: addr // PAGE not in (table, queues.commands // PAGE)
                await tb.cycles(walks + 2)                  # and have them one after the other
                tb.axi.hold = None
                await tb.drain(tb.drivers[-1:])
        for _ in range(8):
            await ask_all(tb, asked, rounds=1)
            going, filled = True, cocotb.start_soon(fills())
            for addr in kept:
                space.edit(1, addr, 2, p=0)
            await queues.run(inval_tlb(5))
            going = False
            await filled
            await ask_all(tb, asked, rounds=1)
            for addr in kept:
                space.edit(1, addr, 2, p=1)


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def prefetches_beside_long_requests(dut):
    """Beside ports whose requests wait again and again, since none of their pages merges with the
    next and others are absent, software's look-ups have their turns in the replay queue."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "prefetches_beside_long_requests")
        space, pages = scene.space(), 24
        for page in range(pages):
            space.map(1, AREA + page * PAGE)
        tb.axi.latency = 1, 1
        for turn in range(20):
            for port in tb.drivers:
                for _ in range(30):
                    first = tb.rng.randrange(pages)
                    port.send(space.access(1, 0, AREA + first * PAGE, pages - first))
                    port.send(space.access(1, 0, AREA + tb.rng.getrandbits(38)))
            await queues.run(*[prefetch(5, 3, 1, AREA + (50 * turn + line + 3) * 8 * PAGE, 3)
                               for line in range(50)])
        await tb.drain()
        assert await queues.counter("prefetches") == 1000


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def large_quotas(dut):
    """Quotas of thousands are as exact as small ones, for every port."""
    async with Testbench(dut) as tb:
        tb.name = "large_quotas"
        scene, queues = Scene(tb), Queues(tb, fq_log2=14)
        await scene.enable()
        space = scene.space()
        for quota in (0x555, 0xAAA):
            await queues.start(quota=quota)
            for port in tb.drivers:
                for _ in range(quota + 20):
                    port.send(space.access(1, 0, AREA, device=0xFFFF))      # there is none
            await tb.drain()
            await tb.cycles(100)
            found = Counter(record["port"] for record in await queues.take())
            assert found == {port: quota for port in range(len(tb.drivers))}, (quota, found)
            await tb.regs.set(offset("FQ_CTRL"), 0)
            await tb.regs.set(offset("CQ_CTRL"), 0)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def contexts_read_twice(dut):
    """Two walks that read the same context at a time leave it in one place: all others that the
    cache has places for stay there."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "contexts_read_twice")
        # In different tables: a walk that begins at one that is cached needs no context.
        space, places = scene.space(pasid=0), [AREA + LARGE * index for index in range(3)]
        for addr in places:
            space.map(0, addr)
        pasids = range(1, 1 + tb.config.context_entries)
        for pasid in pasids:
            space.pasids.set(pasid, mem=space.tables[0])
        table = space.pasids.context_address(1) // PAGE
        for _ in pasids:
            await queues.run(inval_context())
            await tb.port(0).request(space.access(0, 0, AREA))      # the device is known
            for pasid in pasids:        # the last one takes another place each time
                tb.axi.hold = lambda addr: addr // PAGE == table
                for number in range(1 + (pasid == pasids[-1])):
                    tb.port(number).send(space.access(0, 0, places[number], pasid=pasid))
                await tb.cycles(60)
                tb.axi.hold = None
                await tb.drain()
                await tb.cycles(20)
            tb.axi.log = []
            await ask(tb, *(space.access(0, 0, places[2], pasid=pasid) for pasid in pasids))
            assert table not in {addr // PAGE for _, addr, _ in tb.axi.log}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_miss_beside_misses(dut):
    """While there are walks for all, a miss takes as many cycles beside others as alone, from any
    port, in any slot."""
    async with Testbench(dut) as tb:
        tb.name = "a_miss_beside_misses"
        scene = Scene(tb)
        space, pages = scene.space(), [AREA + 9 * PAGE * index for index in range(48)]
        for addr in pages:
            space.map(1, addr)
        await scene.enable()
        tb.axi.latency = 300, 300
        await ask(tb, space.access(1, 0, pages[0]))     # the tables above are known
        alone = (await tb.port(0).request(space.access(1, 0, pages[1]))).latency
        left = pages[2:]
        while len(left) >= tb.config.walks:
            sent = []
            for _ in range(tb.config.walks):
                sent.append(tb.port(tb.rng.randrange(9)).send(space.access(1, 0, left.pop())))
                await tb.cycles(tb.rng.randint(15, 35))     # more than a line has beats
            await tb.drain()
            assert {one.latency for one in sent} == {alone}, [one.latency for one in sent]


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tables_read_twice(dut):
    """Two walks read an entry that points to a table, which software changes in between: what is
    kept of it is one of both, and no mixture. Nothing but tables is read."""
    async with Testbench(dut, memory=FarMemory(random.Random(8))) as tb:
        tb.name = "tables_read_twice"
        tb.expect = lambda transaction: None        # what was before answers as well
        scene = Scene(tb)
        space, memory = scene.space(), tb.memory
        await scene.enable()
        full = [LARGE * index for index in range(2 * tb.config.walk_entries)]
        for addr in full:               # a way is chosen before what another walk finds is there
            space.map(1, addr)
        await ask_all(tb, [space.access(1, 0, addr) for addr in full], rounds=1)
        tb.axi.log = []
        for region in tb.rng.sample(range(1 << 25, 1 << 26), 60):
            places = [LARGE * region + 9 * PAGE * index for index in range(3)]
            found = [space.map(1, addr) for addr in places]
            entry, table = space.tables[1].entry_address(places[0], 2), memory.alloc_pages()
            for addr in places:
                leaf = space.tables[1].entry_address(addr, 1)
                memory.write_u64(table + leaf % PAGE, memory.read_u64(leaf) ^ 1 << 40)
            tb.axi.hold = lambda addr, page=entry // PAGE: addr // PAGE == page
            for number in range(2):
                tb.port(number).send(space.access(1, 0, places[number]))
                await tb.cycles(tb.rng.randint(60, 63))
                memory.write_u64(entry, memory.read_u64(entry) & ~(-PAGE % (1 << 52)) | table)
            tb.axi.hold = None
            await tb.drain()
            (beat,) = await ask(tb, space.access(1, 0, places[2]))
            assert beat.addr in (found[2], found[2] ^ 1 << 40), hex(beat.addr)
        assert_reads_tables_alone(tb)


@cocotb.test(timeout_time=40, timeout_unit="ms")
@cocotb.parametrize(what=["lines", "tables"])
async def invalidations_leave_the_rest(dut, what):
    """What an invalidation does not select stays, though more might go: what differs in a bit of
    the device, of the PASID, in FT, or by two bits more than the range has. Its line is found
    without memory, its table with one read of a leaf's line."""
    async with Testbench(dut) as tb:
        tb.name = f"invalidations_leave_the_rest/what={what}"
        if tb.config.l2_entries < 1024:
            tb.log("the second level is too small: nothing to measure")
            return
        scene, queues = await start(tb, tb.name, log2=16)
        device, pasid, tables = 0x5A5A, 0x5A5A5, what == "tables"
        space, page = scene.space(device, pasid, levels=5, pdt_levels=2), tb.rng.getrandbits(44)
        near = {
            "ft": [(space, pasid, 0, page)],
            "device": [(scene.space(device ^ 1 << bit, pasid, pdt_levels=2, levels=5),
                        pasid, 1, page) for bit in range(16)],
            "pasid": [(space, pasid ^ 1 << bit, 1, page) for bit in range(20)],
            "addr": [(space, pasid, 1, page ^ 1 << bit) for bit in range(44)]}
        for _, neighbour, _, _ in near["pasid"]:
            space.pasids.set(neighbour, sto=space.tables[1])
        wanted = {(owner, ft, at ^ line << 3) for owner, _, ft, at in sum(near.values(), [])
                  for line in (range(64) if tables else [0])}
        for owner, ft, at in wanted:
            owner.map(ft, PAGE * at)
        lines = iter(range(1, 64) if tables else [0] * 1000)
        others = scene.space(device ^ 0xFFFF)
        large = [others.access(1, 0, LARGE * index) for index in range(tb.config.tlb_entries)]
        for access in large:
            others.map(1, access.addr, size=Size.PAGE_2M)

        async def known(group):
            """Of these, those that need no more than they should. Then all are known."""
            await ask(tb, *large)       # the first level is full of what the second does not keep
            line, found = next(lines), []
            for each in group:
                owner, process, ft, at = each
                reads = tb.axi.reads
                await ask(tb, owner.access(ft, 0, PAGE * (at ^ line << 3), pasid=process))
                found += [each] * (tb.axi.reads - reads <= tables)
                await tb.cycles(20)
            return found

        async def leaves(group, *selectors, n=0):
            """An invalidation leaves these."""
            await known(group)
            before = await known(group)
            assert len(before) > len(group) / 2
            await queues.run(inval_tlb(*selectors, n=n))
            after = await known(before)
            assert before == after, (selectors, n, {*before} - {*after})
        for first in range(0, 20, 5):       # of more, too many are in the same set
            await leaves(near["device"][first:first + 5] + near["ft"], device, None, 1)
            await leaves(near["pasid"][first:first + 5] + near["ft"], None, pasid, 1)
        for bits in range(0, 42, 4 if tables else 1):       # pairs of bits are compared
            await leaves(near["addr"][max(bits + 2, 9 if tables else 3):][:4] + near["addr"][-1:],
                         device, pasid, 1, PAGE * (page >> bits << bits), n=bits)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(levels=[0, 3, 4, 5])
async def neighbours_of_every_kind(dut, levels):
    """A line is read for one of its pages; what is beside that grants what it may itself, and no
    more, whichever of its bits is wrong. ``levels``: of a RISC-V table; 0: ours."""
    async with Testbench(dut) as tb:
        tb.name = f"neighbours_of_every_kind/levels={levels}"
        if levels and not tb.config.riscv_tables:
            tb.log("there are no RISC-V tables: nothing to test")
            return
        scene = Scene(tb)
        space = scene.space(riscv=levels)
        for check_ad in (0, 1):
            await tb.set_mode(Mode.ABORT)
            await scene.enable(check_ad=check_ad)
            for line in range(check_ad, 160, 2):
                pages = [LARGE * 16 + PAGE * (8 * line + place) for place in range(8)]
                for addr in pages:
                    space.map(0, addr)
                    entry = space.tables[0].entry_address(addr, 1)
                    word = tb.memory.read_u64(entry)
                    bit = tb.rng.choice((*range(10), *range(52, 64)))
                    tb.memory.write_u64(entry, word ^ (tb.rng.random() < .6) << bit)
                tb.forget()
                for addr in tb.rng.sample(pages, 8):
                    await ask(tb, space.access(0, tb.rng.randrange(2), addr))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def noise_beside_the_beats(dut):
    """What software's channels say while they are not valid counts for nothing."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "noise_beside_the_beats")
        space, offsets = scene.space(), [entry.offset for entry in REGISTERS]
        space.map(1, AREA, 32)
        values = {name: await tb.regs.get(offset(name)) for name in (
            "ID", "VERSION", "CAPS0", "CAPS1", "DDT_BASE_LOW", "DDT_LOG2", "CQ_BASE_LOW", "CQ_LOG2",
            "FQ_BASE_LOW", "FQ_LOG2")}

        async def noise():
            while True:
                await FallingEdge(dut.clk)
                for valid, addr in ((dut.s_axil_arvalid, dut.s_axil_araddr),
                                    (dut.s_axil_awvalid, dut.s_axil_awaddr)):
                    if not valid.value:
                        addr.value = tb.rng.choice(offsets)
                if not dut.s_axil_wvalid.value:
                    dut.s_axil_wdata.value = tb.rng.getrandbits(32)
                    dut.s_axil_wstrb.value = tb.rng.getrandbits(4)
        noisy = cocotb.start_soon(noise())
        for turn in range(800):
            for name in tb.rng.sample([*values], 2):
                assert await tb.regs.get(offset(name)) == values[name], name
            if turn % 8 == 0:
                tb.port(turn).send(space.access(1, 0, AREA + PAGE * tb.rng.getrandbits(6)))
                await queues.run(inval_tlb())
        await tb.drain()
        noisy.cancel()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_bit_of_devid(dut):
    """A file's page of another device is refused, whichever bit of DEVID differs, and one's own is
    not: on the way from the device entry, and from what each cache knows."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "every_bit_of_devid")
        for device, devid in enumerate((0x155, 0x2AA, 0, 0x3FF), 20):
            space = scene.space(device=device, devid=devid)
            for pasid in (4, 5):
                space.pasids.set(pasid, sto=space.tables[1])
            accesses = []
            for bit in range(-1, 10):
                for place in range(4):          # two in one table, and each in a line of its own
                    addr = AREA + LARGE * (4 * bit + place // 2) + 9 * PAGE * place
                    space.map(1, addr, devid=devid ^ (bit >= 0) << max(bit, 0))
                    accesses += [space.access(1, 0, addr, pasid=pasid) for pasid in (3, 4, 5)]
            await ask(tb, *tb.rng.sample(accesses, len(accesses)))
            await queues.run(inval_tlb())
            await ask_all(tb, accesses, rounds=1)
