"""Speculative walks, of look-ahead and prefetch: their faults are nobody's answer (§4)."""

import cocotb

from sim.tables import PageTable
from siommu.arch.formats import Cause

from .bench import Testbench
from .queues import Queues, inval_context, offset, prefetch
from .scene import Scene, anywhere

PAGE, AREA = 4096, 1 << 39


async def _moved(tb, what):
    """A space whose pages have moved to another table since the caches saw it: to another level-1
    table (``what`` is "table"; the walk cache knows the old one, with nothing in it), or below
    another root ("root"; the context cache knows the old one, with nothing there). Rights were
    given only: nothing has to be invalidated, and no request may be refused."""
    scene, queues = Scene(tb), Queues(tb)
    space = scene.space()
    warm = AREA + 511 * PAGE if what == "table" else AREA + (5 << 30)
    space.map(1, warm)
    await scene.enable()
    await queues.start()
    await tb.cycles(1000)                           # the caches have been swept
    await tb.drivers[0].request(space.access(1, 0, warm))
    table, fresh = space.tables[1], PageTable(tb.memory)
    fresh.map(AREA, scene.fresh(512), 512, devid=space.devid)
    if what == "root":
        fresh.map(warm, 1 << 40, devid=space.devid)

    async def move():
        """Once more, after the caches have learnt of the new table."""
        if what == "table":
            tb.memory.write_u64(table.entry_address(AREA, 2),
                                tb.memory.read_u64(fresh.entry_address(AREA, 2)))
        else:
            space.pasids.set(space.pasid, mem=space.tables[0], sto=table)
            tb.forget()
            await queues.run(inval_context())
            await tb.drivers[0].request(space.access(1, 0, warm))
            space.pasids.set(space.pasid, mem=space.tables[0], sto=fresh)
        tb.forget()
    await move()
    return space, queues, move


@cocotb.test(timeout_time=60, timeout_unit="ms")
@cocotb.parametrize(what=["table", "root"], latency=[1, 40])
async def a_prefetch_denies_no_request(dut, what, latency):
    """While a prefetch finds pages absent through a cached table that the tables do not lead to any
    more, requests of all ports for the same pages are granted, however they meet."""
    async with Testbench(dut) as tb:
        tb.name = f"a_prefetch_denies_no_request/{what}/{latency}"
        space, queues, move = await _moved(tb, what)
        tb.axi.latency = (latency, latency)
        for line, delay in enumerate(range(0, 62, 2)):
            if what == "root":
                await move()
            queues.put(prefetch(5, 3, 1, AREA + line * 8 * PAGE, 3))
            await queues.ring()
            await tb.cycles(delay)
            sent = [port.send(space.access(1, 0, AREA + (line * 8 + page) * PAGE))
                    for port in tb.drivers for page in (0, 0, 3)]
            await tb.drain()
            assert all(each.beats[0].cause == Cause.OK.value for each in sent)
            await tb.cycles(200 + 3 * latency)
        assert not await tb.regs.get(offset("FQ_STATUS"))


@cocotb.test(timeout_time=60, timeout_unit="ms")
@cocotb.parametrize(latency=[1, 40])
async def look_aheads_deny_no_request(dut, latency):
    """The same for the look-aheads of long requests, which others follow closely."""
    async with Testbench(dut) as tb:
        tb.name = f"look_aheads_deny_no_request/{latency}"
        space, *_ = await _moved(tb, "table")
        tb.axi.latency = (latency, latency)
        for block in range(7):
            addr = AREA + block * 64 * PAGE
            sent = [tb.drivers[0].send(space.access(1, 0, addr, 64))]
            for line in range(1, 8):
                await tb.cycles(block + 3)
                sent += [port.send(space.access(1, 0, addr + line * 8 * PAGE))
                         for port in tb.drivers[1:]]
            await tb.drain()
            for each in sent:
                assert {beat.cause for beat in each.beats} == {Cause.OK.value}


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def look_aheads_of_any_key(dut):
    """A long request reads as much, and takes as long, whatever device, process and address it is
    of: the walks ahead of it are for its own next lines."""
    async with Testbench(dut) as tb:
        tb.name = "look_aheads_of_any_key"
        scene = Scene(tb, log2=16)
        await scene.enable()
        tb.axi.latency, found = (40, 40), []
        for _ in range(10):
            await tb.invalidate()
            await tb.cycles(1000)                   # the caches have been swept
            space, page = anywhere(tb, tb.rng.getrandbits(16), scene)
            ft, first = tb.rng.randrange(2), page // 512 * 512
            for number in range(256):               # no two of them merge
                space.map(ft, PAGE * (first + number))
            reads = tb.axi.reads
            done = await tb.drivers[0].request(space.access(ft, 0, PAGE * first, 256))
            found.append((tb.axi.reads - reads - space.levels, done.latency))
            await tb.cycles(500)                    # walks ahead of it end
        tb.log(f"reads and cycles: {found}")
        reads, cycles = zip(*found)
        assert len({*reads}) == 1 and max(cycles) - min(cycles) < 60, found     # a level more
