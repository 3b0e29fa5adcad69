"""Directed tests of the command queue (§6)."""

from dataclasses import replace
from itertools import product

import cocotb

from siommu.arch.formats import Cause, Opcode, Size

from .bench import OKAY, PORT_ENABLE, SLVERR, STATUS, Testbench
from .queues import Queues, fence, inval_context, inval_tlb, offset, prefetch, start
from .scene import Scene

PAGE, AREA = 4096, 1 << 39
ILLEGAL, ERROR, FENCE = 1, 2, 4
SELECTORS = ("device", "pasid", "ft", "addr")


def _any(transaction):
    """For tests that judge by themselves."""


async def _causes(tb, accesses):
    """Causes of single-page requests, sent one behind the other."""
    sent = [tb.drivers[0].send(access) for access in accesses]
    await tb.drain()
    return [Cause(transaction.beats[-1].cause) for transaction in sent]


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def every_selector(dut):
    """Each combination of selectors drops what it covers, and leaves others of it."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "every_selector")
        tb.expect = _any
        spaces, where = [], {}
        for device, pasid in product((5, 6), (1, 2)):
            space = scene.space(device, pasid)
            if pasid == 2:          # both of a device in one directory
                first = spaces[-1].pasids
                first.set(pasid, mem=space.tables[0], sto=space.tables[1])
                scene.directory.set(device, devid=space.devid, pasids=first)
                space.pasids = first
            spaces.append(space)
            for ft, addr in product((0, 1), (AREA, AREA + (5 << 21))):
                space.map(ft, addr, 2)
                where[device, pasid, ft, addr] = space
        keys = list(where)
        for chosen in product((0, 1), repeat=4):
            accesses = [where[key].access(key[2], 0, key[3]) for key in keys]
            assert set(await _causes(tb, accesses)) == {Cause.OK}
            await tb.cycles(50)     # what is on its way into a cache would be stale
            for key in keys:        # in the caches, and not in the tables
                where[key].edit(key[2], key[3], 1, p=0, w=0, u=0)
            target = dict(zip(SELECTORS, key_for(keys, chosen)))
            await queues.run(inval_tlb(**{name: target[name] if on else None
                                          for name, on in zip(SELECTORS, chosen)}))
            causes = await _causes(tb, accesses)
            left = 0
            for key, cause in zip(keys, causes):
                covered = all(not on or dict(zip(SELECTORS, key))[name] == target[name]
                              for name, on in zip(SELECTORS, chosen))
                assert cause in ((Cause.NOT_PRESENT,) if covered
                                 else (Cause.NOT_PRESENT, Cause.OK)), (chosen, key, cause)
                left += cause is Cause.OK
            if tb.config.tlb_entries >= 16:
                assert left == 16 - (16 >> sum(chosen)), f"{chosen}: {left} kept"
            for key in keys:
                where[key].edit(key[2], key[3], 1, p=1, w=1, u=1)
            await queues.run(inval_tlb())
        tb.log("16 combinations of selectors")


def key_for(keys, chosen):
    """A key to invalidate by, another one for each combination."""
    return keys[int("".join(map(str, chosen)), 2)]


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def ranges(dut):
    """Ranges of 2^n pages: nothing inside is left in either level, and all outside of the 1 GiB."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "ranges")
        tb.expect = _any
        space = scene.space()
        span = 1 << 13
        pages = sorted({0, 1, 2, 7, 8, 9, 63, 64, 511, 512, 513, 1023, 1024, 4095, 4096, span - 1})
        for page in pages:
            space.map(1, AREA + PAGE * page)
        space.map(1, 2 * AREA)
        for n in (*range(0, 14), 18, 19, 27, 51, 52, 63):
            for first in sorted({page >> n << n for page in pages}):
                accesses = [space.access(1, 0, AREA + PAGE * page) for page in pages]
                other = space.access(1, 0, 2 * AREA)
                assert set(await _causes(tb, [*accesses, other])) == {Cause.OK}
                await tb.cycles(50)     # what is on its way into a cache would be stale
                inside = [page for page in pages if page >> n == first >> n or n > 18]
                for page in inside:
                    space.edit(1, AREA + PAGE * page, 1, p=0, w=0, u=0)
                base = (AREA >> 12) + first if n <= 18 else (AREA >> 12) >> n << n
                await queues.run(inval_tlb(device=5, pasid=3, ft=1, addr=base << 12, n=n))
                reads = tb.axi.reads
                causes = await _causes(tb, [space.access(1, 0, AREA + PAGE * page)
                                            for page in inside])
                assert set(causes) == {Cause.NOT_PRESENT}, (n, first, inside, causes)
                if n <= 18:         # 2^18 pages are 1 GiB
                    reads = tb.axi.reads
                    assert await _causes(tb, [other]) == [Cause.OK]
                    if tb.config.tlb_entries >= 32:
                        assert tb.axi.reads == reads, "another gigabyte is still cached"
                for page in inside:
                    space.edit(1, AREA + PAGE * page, 1, p=1, w=1, u=1)
                if n > 12:
                    break


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def ranges_and_pages_far_away(dut):
    """Every bit of an address: a range is legal with each set, and leaves a page that differs in
    one of those above its gigabyte, if it is no larger than that."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "ranges_and_pages_far_away")
        tb.expect = _any
        space = scene.space()
        highest = (1 << 35) - 1             # page of the positive half of 48 bits
        others = [highest ^ (1 << bit) for bit in range(35)]
        access = {page: space.access(1, 0, PAGE * page) for page in (highest, *others)}
        for page in access:
            space.map(1, PAGE * page)
        for n in range(36):
            for page in others[18 + n % 17], others[max(n - 1, 0)]:     # far away, and inside
                assert set(await _causes(tb, [access[highest], access[page]])) == {Cause.OK}
                await tb.cycles(50)     # what is on its way into a cache would be stale
                for each in highest, page:
                    space.edit(1, PAGE * each, 1, p=0, w=0, u=0)
                await queues.run(inval_tlb(device=5, pasid=3, ft=1, n=n,
                                           addr=PAGE * (highest >> n << n)))
                causes = await _causes(tb, [access[highest], access[page]])
                assert causes[0] is Cause.NOT_PRESENT, (n, page, causes)
                if page >> n == highest >> n:
                    assert causes[1] is Cause.NOT_PRESENT, (n, page, causes)
                elif n <= 18 and page >> 18 != highest >> 18:   # 2^18 pages are 1 GiB
                    assert causes[1] is Cause.OK, (n, page, causes)
                for each in highest, page:
                    space.edit(1, PAGE * each, 1, p=1, w=1, u=1)
                await queues.run(inval_tlb(device=5))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def fences(dut):
    """Stores in every lane, beside bytes that stay; the status bit and the interrupt."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "fences")
        await tb.regs.set(offset("IRQ_ENABLE"), FENCE)
        guard = bytes(range(1, 255)) * 2
        for lane in range(0, 128, 4):
            tb.memory.write(queues.flag + 512, guard)
            await queues.run(fence(queues.flag + 512 + lane, 0xA0B0C0D0 + lane))
            want = bytearray(guard)
            want[lane:lane + 4] = (0xA0B0C0D0 + lane).to_bytes(4, "little")
            assert tb.memory.read(queues.flag + 512, len(guard)) == bytes(want)
            assert not await tb.regs.get(offset("CQ_STATUS"))
        await queues.run(fence())               # it stores nothing, and tells nobody
        assert not await tb.regs.get(offset("CQ_STATUS"))
        assert not int(dut.irq_command.value)
        await queues.run(fence(signal=1))
        assert await tb.regs.get(offset("CQ_STATUS")) == FENCE
        assert int(dut.irq_command.value) and not int(dut.irq_fault.value)
        await tb.regs.set(offset("CQ_STATUS"), FENCE)
        await tb.cycles(2)
        assert not int(dut.irq_command.value)
        await queues.run(fence(queues.flag + 8, 7, signal=1))
        assert tb.memory.read(queues.flag + 8, 4) == b"\7\0\0\0"
        assert await tb.regs.get(offset("CQ_STATUS")) == FENCE
        assert await tb.regs.get(offset("CQ_HEAD")) == queues.tail


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def illegal_commands(dut):
    """Each stops the queue at its place; corrected, it is fetched again and carried out."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "illegal_commands")
        await tb.regs.set(offset("IRQ_ENABLE"), ILLEGAL)
        bad = [(opcode, 0) for opcode in (0, 5, 6, 0x81, 0xFF)]
        bad += [inval_tlb(addr=1 << bit, n=n)
                for n, bit in ((0, 0), (0, 11), (1, 12), (9, 20), (40, 51), (63, 63))]
        bad += [fence(queues.flag + 1), fence(queues.flag + 2)]
        bad += [prefetch(5, 3, 1, AREA + 1), prefetch(5, 3, 1, AREA + PAGE, 1),
                prefetch(5, 3, 1, AREA, 9), prefetch(5, 3, 1, 0, 63)]
        for number, command in enumerate(bad):
            at = queues.tail
            queues.put(command, fence(queues.flag, 0x100 + number))
            await queues.ring()
            for _ in range(100):
                if await tb.regs.get(offset("CQ_STATUS")):
                    break
            assert await tb.regs.get(offset("CQ_STATUS")) == ILLEGAL, hex(command[0])
            assert int(dut.irq_command.value)
            await tb.cycles(100)
            assert await tb.regs.get(offset("CQ_HEAD")) == at, "the head stays on the command"
            assert await tb.regs.get(STATUS) == 4, "the queue is busy"
            assert queues.flagged() != 0x100 + number
            address = queues.commands + 16 * at
            tb.memory.write_u64(address, fence()[0])
            tb.memory.write_u64(address + 8, 0)
            await tb.cycles(200)
            assert await tb.regs.get(offset("CQ_HEAD")) == at, "stopped until the bit is cleared"
            await tb.regs.set(offset("CQ_STATUS"), ILLEGAL)
            await tb.until(lambda: queues.flagged() == 0x100 + number, what="the fence behind")
        # what is ignored is not looked at
        words = inval_tlb(addr=0)[0] & ~(1 << 11), 0x123
        await queues.run(words, (fence()[0], 3), (inval_context()[0] | 1 << 11, 5),
                         (0xFC00_0000_0000_E000 | Opcode.INVAL_TLB.value, 0))
        assert not await tb.regs.get(offset("CQ_STATUS"))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bus_errors(dut):
    """A command that cannot be read and a store that fails stop the queue, which then resumes."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "bus_errors")
        for number, (command, place, size) in enumerate((
                (inval_tlb(), queues.commands, 8), (inval_tlb(), queues.commands + 8, 8),
                (fence(queues.flag + 64, 99), queues.flag + 64, 4))):
            at = queues.tail
            where = place if number == 2 else place + 16 * at
            queues.put(command, fence(queues.flag, 50 + number))
            tb.memory.poison(where, size)
            await queues.ring()
            for _ in range(100):
                if await tb.regs.get(offset("CQ_STATUS")):
                    break
            assert await tb.regs.get(offset("CQ_STATUS")) == ERROR, number
            assert await tb.regs.get(offset("CQ_HEAD")) == at
            assert queues.flagged() != 50 + number
            tb.memory.cure()
            await tb.regs.set(offset("CQ_STATUS"), ERROR)
            await tb.until(lambda: queues.flagged() == 50 + number, what="the fence behind")
        assert tb.memory.read(queues.flag + 64, 4) == b"\x63\0\0\0"


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def prefetches(dut):
    """What was prefetched needs no memory; holes and unreadable pages do not end it; no fault is
    recorded or counted."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "prefetches")
        space = scene.space()
        space.map(1, AREA, 8, write=1)
        space.map(1, AREA + (1 << 21), size=Size.PAGE_2M)
        await queues.run(prefetch(5, 3, 1, AREA, 3), prefetch(5, 3, 1, AREA + (1 << 21), 8))
        await tb.cycles(50)
        reads = tb.axi.reads
        for access in (space.access(1, 1, AREA + 5 * PAGE), space.access(1, 0, AREA, 8),
                       space.access(1, 0, AREA + (3 << 20), 256)):
            await tb.drivers[0].request(access)
        assert tb.axi.reads == reads, "everything was cached"
        space.map(0, AREA, 8)
        space.map(0, AREA + (1 << 21), 16)
        await queues.run(prefetch(5, 3, 0, AREA, 3), prefetch(5, 3, 0, AREA + (1 << 21), 4))
        await tb.cycles(50)
        reads = tb.axi.reads
        for access in (space.access(0, 0, AREA, 8), space.access(0, 0, AREA + (1 << 21), 16)):
            await tb.drivers[0].request(access)
        assert tb.axi.reads == reads, "memory is prefetched as files are"
        # a sparse file, pages that may only be written, a foreign device
        for page in (0, 3, 17, 30):
            space.map(1, 2 * AREA + PAGE * page, read=page != 3)
        await queues.run(prefetch(5, 3, 1, 2 * AREA, 5), prefetch(9, 3, 1, AREA, 8),
                         prefetch(5, 77, 1, AREA, 8))
        if tb.config.tlb_entries >= 16:
            await tb.cycles(50)
            reads = tb.axi.reads
            for page in (0, 3, 17, 30):
                await tb.drivers[0].request(space.access(1, 1, 2 * AREA + PAGE * page))
            assert tb.axi.reads == reads
        assert not await queues.take()
        assert await queues.counter("prefetches") == 7
        assert await queues.counter("faults") == 0
        assert not await tb.regs.get(offset("FQ_STATUS"))


@cocotb.test(timeout_time=30, timeout_unit="ms")
@cocotb.parametrize(absent=["pages", "table", "region", "process", "nothing", "every other page"])
async def a_prefetch_is_cheap(dut, absent):
    """At most 2^n/8 + 16 reads, no entry twice, as many at a time as there are walks (§6), whatever
    is absent, cold and warm."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, f"a_prefetch_is_cheap/{absent}")
        space = scene.space()
        space.map(1, AREA + (511 << 12))                # the level-1 table exists
        if absent in ("nothing", "every other page"):
            for page in range(0, 256, 1 if absent == "nothing" else 2):
                space.map(1, AREA + page * PAGE)
        addr, pasid = {"table": AREA + (1 << 21), "region": AREA + (1 << 30)}.get(absent, AREA), 3
        if absent == "process":
            pasid = 77
        await tb.cycles(1000)           # the caches have been swept
        for turn in range(2):
            tb.axi.log, tb.axi.busiest = [], 0
            await queues.run(prefetch(5, pasid, 1, addr, 8))
            assert tb.axi.busiest <= tb.config.walks + 1    # the fence is read beside it
            read = [each for _, each, _ in tb.axi.log if each >> 12 != queues.commands >> 12]
            assert len(read) == len(set(read)), "an entry was read twice"
            assert len(read) <= 256 // 8 + 16
            if turn:                    # the upper levels are known
                assert len(read) <= 32
            elif absent in ("pages", "nothing", "every other page"):
                assert len(read) > 32, "every line is looked at"
        assert await queues.counter("prefetches") == 2 and not await queues.take()


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def a_prefetch_ends_under_a_flood(dut):
    """All ports miss without end, at absent pages too: a prefetch gets its share of the walks, and
    its pages are cached."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "a_prefetch_ends_under_a_flood")
        space = scene.space()
        space.map(1, AREA, 256)
        rng, stop = tb.rng, False

        async def flood(port):
            while not stop:
                page = rng.randrange(1 << 16)
                if len(port.outstanding) < 8:
                    port.send(space.access(1, 0, 2 * AREA + page * PAGE))
                await tb.cycles(1)
        floods = [cocotb.start_soon(flood(port)) for port in tb.drivers]
        began = tb.cycle
        for _ in range(4):
            await queues.run(inval_tlb(), prefetch(5, 3, 1, AREA, 8))
        assert tb.cycle - began < 60_000
        stop = True
        for each in floods:
            await each
        await tb.drain()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def rings(dut):
    """Every size of ring, round and round; turned off and on again."""
    async with Testbench(dut) as tb:
        tb.name = "rings"
        scene = Scene(tb)
        await scene.enable()
        regs = tb.regs
        for log2 in (1, 2, 3, 8, 9):
            queues = Queues(tb, cq_log2=log2)
            await queues.start(faults=False)
            for _ in range(3 << log2 if log2 < 4 else 40):
                await queues.run()
                await tb.cycles(10)
                assert await regs.get(offset("CQ_HEAD")) == queues.tail
            assert await regs.write(offset("CQ_LOG2"), 4) == SLVERR
            assert await regs.write(offset("CQ_BASE_LOW"), 0) == SLVERR
            await regs.set(offset("CQ_CTRL"), 0)
            assert await regs.get(offset("CQ_HEAD")) == queues.tail
            assert await regs.write(offset("CQ_LOG2"), log2) == OKAY
        # tail counts modulo the ring
        queues = Queues(tb, cq_log2=2)
        await queues.start(faults=False)
        await regs.set(offset("CQ_TAIL"), 0x7FFC)
        assert await regs.get(offset("CQ_TAIL")) == 0
        # off while a command is under way: it ends, and the new ring begins at 0
        tb.axi.latency = (400, 400)
        queues.put(inval_tlb(), fence(queues.flag, 1))
        await queues.ring()
        await tb.cycles(50)
        await regs.set(offset("CQ_CTRL"), 0)
        other = Queues(tb, cq_log2=3)
        await tb.until(lambda: not tb.axi.in_flight)
        tb.axi.latency = (1, 1)
        await other.start(faults=False)
        assert await regs.get(offset("CQ_HEAD")) == 0
        await other.run(inval_tlb())
        await tb.cycles(10)
        assert await regs.get(offset("CQ_HEAD")) == 2
        assert queues.flagged() != 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_stuck_port_holds_a_fence(dut):
    """A fence waits for old beats that a port does not take, until the port is disabled."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "a_stuck_port_holds_a_fence")
        space = scene.space()
        space.map(1, AREA, 4)
        await tb.drivers[0].request(space.access(1, 0, AREA))
        port = tb.drivers[0]
        port.take_rate = 0.0
        await tb.cycles(2)
        port.send(space.access(1, 0, AREA))
        await tb.until(lambda: port.holds_beat)
        space.edit(1, AREA, 1, p=0, w=0, u=0)
        queues.put(inval_tlb(), fence(queues.flag, 77))
        await queues.ring()
        await tb.cycles(5000)
        assert queues.flagged() != 77, "the fence passed a beat of before"
        port.disabled = port.refusing = True
        enabled = await tb.regs.get(PORT_ENABLE)
        await tb.regs.set(PORT_ENABLE, enabled & ~1)
        await tb.until(lambda: queues.flagged() == 77, what="the fence")
        while await tb.regs.get(offset("PORT_STATUS")) & 1:
            pass
        port.drop()
        port.take_rate, port.disabled, port.refusing = 1.0, False, False
        await tb.regs.set(PORT_ENABLE, enabled)
        done = await port.request(space.access(1, 0, AREA))
        assert done.beats[0].cause == Cause.NOT_PRESENT.value


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def contexts_and_devices(dut):
    """A changed context and a changed device entry count after INVAL_CONTEXT."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "contexts_and_devices")
        space, other = scene.space(), scene.space(6, 4)
        for each in (space, other):
            for ft in (0, 1):
                each.map(ft, AREA)
                await tb.drivers[0].request(each.access(ft, 0, AREA))
        for device, pasid, change in (
                (5, 3, lambda: space.pasids.set(3, mem=space.tables[0])),
                (5, None, lambda: scene.directory.set(5, devid=1, pasids=space.pasids)),
                (None, 4, lambda: other.pasids.set(4, sto=other.tables[1])),
                (None, None, lambda: scene.directory.remove(6))):
            change()
            tb.forget()
            await queues.run(inval_context(device, pasid))
            for each in (space, other):
                if device in (None, each.device) and pasid in (None, each.pasid):
                    for ft in (0, 1):
                        await tb.drivers[0].request(each.access(ft, 0, AREA))


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(kind=["devices", "contexts"])
async def every_cached_context(dut, kind):
    """The caches of device entries and of contexts keep as many as they have entries; and then
    what is taken away in memory counts for all of them, for each alone, and when the core is
    turned off and on."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, f"every_cached_context {kind}")
        tb.expect = _any
        other = kind == "devices"       # with another process of each, whose context is not cached
        if kind == "devices":
            spaces = [scene.space(7 + 5 * each, 3) for each in range(tb.config.device_entries)]
        else:
            spaces = [scene.space(7, 3 + each) for each in range(tb.config.context_entries)]
            for space in spaces:        # all of them in one directory
                space.pasids = spaces[0].pasids

        def keep():
            for space in spaces:
                for pasid in range(space.pasid, space.pasid + 1 + other):
                    space.pasids.set(pasid, mem=space.tables[0], sto=space.tables[1])
                scene.directory.set(space.device, devid=space.devid, pasids=space.pasids)

        def take_away():
            for space in spaces:
                if kind == "devices":
                    scene.directory.remove(space.device)
                else:
                    space.pasids.set(space.pasid)

        accesses = [space.access(number & 1, 0, AREA) for number, space in enumerate(spaces)]
        elsewhere = [replace(access, addr=2 * AREA, pasid=access.pasid + other)
                     for access in accesses]
        for space, access in zip(spaces, accesses):
            space.map(access.ft, AREA)
            space.map(access.ft, 2 * AREA)
        for device, pasid in ((None, None), (7, None), (None, 3), ("off", None),
                              *((space.device, space.pasid) for space in spaces)):
            keep()
            await queues.run(inval_context())
            for access in accesses:     # one by one: of two fills at once one may be left out
                assert await _causes(tb, [access]) == [Cause.OK]
            await tb.cycles(50)         # what is on its way into a cache would be stale
            reads = tb.axi.reads
            assert set(await _causes(tb, elsewhere)) == {Cause.OK}
            # All are still cached: a table of each level is read, two of the PASID directory for a
            # context that is not cached, and nothing above.
            assert tb.axi.reads - reads == (4 + 2 * other) * len(spaces), (device, pasid)
            take_away()
            if device == "off":
                await tb.invalidate()
                device = pasid = None
            else:
                await queues.run(inval_context(device, pasid))
            for space, cause in zip(spaces, await _causes(tb, accesses)):
                covered = device in (None, space.device) and pasid in (None, space.pasid)
                assert cause != Cause.OK or not covered, (kind, device, pasid, space.device)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def invalidation_takes_bounded_time(dut):
    """How long an invalidation takes, and that hits go on meanwhile."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "invalidation_takes_bounded_time")
        space, other = scene.space(), scene.space(6, 4)
        space.map(1, AREA, 8)
        other.map(1, AREA, 8)
        port = tb.drivers[0]
        await port.request(space.access(1, 0, AREA, 8))
        config = tb.config
        sets = max(config.walk_entries // config.walk_cache_ways,
                   config.l2_entries // 8 // config.l2_ways)
        for name, command, bound in (
                ("of a page", inval_tlb(6, 4, 1, AREA), 48 + 24 + 120),
                ("of a process", inval_tlb(6, 4), 48 + 12 * sets + 120),
                ("of everything", inval_tlb(), 48 + 12 * sets + 120)):
            beats = port.beats
            for _ in range(4000):
                port.send(space.access(1, 0, AREA))
            await tb.cycles(20)
            before, began = port.beats, tb.cycle
            ended = await queues.run(command)
            rate = (port.beats - before) / (ended - began)
            tb.log(f"figure: an invalidation {name} and its fence take {ended - began} cycles; "
                   f"{rate:.2f} hits per cycle meanwhile")
            assert ended - began <= bound, (ended - began, bound)
            if "everything" not in name:
                # a small port waits for its own beats
                assert rate > .7 * min(1, tb.config.port_depth / (5 + tb.held))
            port.queue.clear()
            await tb.drain()
            assert port.beats > beats
