"""Figures in cycles: what hits and misses cost. Printed; asserted where the project promises."""

import cocotb

from siommu.arch.formats import Size

from .bench import Testbench
from .scene import Scene

PAGE, LINE, REGION = 1 << 12, 1 << 15, 1 << 21
BASE = 0x1234_5600_0000
HUGE = BASE + (1 << 30)
LATENCY = 100       #: cycles of the memory
REGIONS = 8


async def prepare(tb, pages, scattered=False):
    """A space with ``pages`` pages from BASE on, and a 2 MiB page at HUGE."""
    scene = Scene(tb)
    space = scene.space(pdt_levels=2)
    if scattered:
        frames = list(range(pages))
        tb.rng.shuffle(frames)
        for index, frame in enumerate(frames):
            space.map(1, BASE + index * PAGE, paddr=0x4000_0000 + frame * 2 * PAGE)
    else:
        space.map(1, BASE, pages)
    space.map(1, HUGE, size=Size.PAGE_2M)
    await scene.enable()
    await swept(tb)
    return space


async def swept(tb):
    """Waits until the caches in block RAM take something in again: they are swept set by set."""
    await tb.cycles(tb.config.walk_entries + tb.config.l2_entries // 8)


async def prepare_lines(tb):
    """A space of eight regions whose upper levels are cached; returns one page of each line that
    nobody asked for yet, in random order."""
    space = await prepare(tb, REGIONS * 512)
    for region in range(REGIONS):
        await tb.port(0).request(space.access(1, 0, BASE + region * REGION))
    await tb.cycles(40)
    lines = [space.access(1, 0, BASE + line * LINE + tb.rng.randrange(8) * PAGE)
             for line in range(REGIONS * 64) if line % 64]
    tb.rng.shuffle(lines)
    return space, lines


async def warm(tb, accesses):
    for access in accesses:
        await tb.port(0).request(access)
    await tb.cycles(20)


async def sustained(tb, ports, accesses, count=2000):
    """Translations per cycle that ``ports`` get between them, start and end left out."""
    sent = [port.send(accesses[index % len(accesses)])
            for index in range(count) for port in ports]
    await tb.drain(ports)
    ends = sorted(cycle for one in sent for cycle in one.beat_cycles)
    ends = ends[len(ends) // 20:-len(ends) // 20]
    return (len(ends) - 1) / (ends[-1] - ends[0])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def hits(dut):
    """Hits flow at one translation a cycle, from one port and from all."""
    async with Testbench(dut) as tb:
        tb.name = "hits"
        pages = tb.config.tlb_entries // 2
        space = await prepare(tb, pages, scattered=True)
        accesses = [space.access(1, 0, BASE + index * PAGE) for index in range(pages)]
        for _ in range(3):      # what the second level knows comes up when there is time
            await warm(tb, accesses)
        reads = tb.axi.reads
        latency = max([(await tb.port(0).request(access)).latency for access in accesses])
        tb.log(f"figure: a hit takes {latency} cycles from request to response")
        for ports in [[port] for port in tb.drivers] + [tb.drivers]:
            rate = await sustained(tb, ports, accesses)
            tb.log(f"figure: {', '.join(port.name for port in ports)}: {rate:.3f} hits per cycle")
            assert rate >= .99
        assert tb.axi.reads == reads and latency <= 5 + tb.held


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def second_level_hits(dut):
    """Pages that fit the second level flow at nearly one a cycle."""
    async with Testbench(dut) as tb:
        tb.name = "second_level_hits"
        pages = 800
        if tb.config.l2_entries < 1024:
            tb.log("the second level is too small: nothing to measure")
            return
        space = await prepare(tb, pages, scattered=True)
        accesses = [space.access(1, 0, BASE + index * PAGE) for index in range(pages)]
        await warm(tb, accesses)
        reads = tb.axi.reads
        latency = max([(await tb.port(0).request(access)).latency
                       for access in tb.rng.sample(accesses, 200)])
        tb.log(f"figure: a second-level hit takes {latency} cycles")
        assert latency <= 9 + tb.held
        for ports in [[tb.port(0)], tb.drivers]:
            rate = await sustained(tb, ports, tb.rng.choices(accesses, k=2000))
            tb.log(f"figure: {', '.join(port.name for port in ports)}: {rate:.3f} hits per cycle "
                   "of 800 random pages")
            assert rate >= .95
        assert tb.axi.reads == reads, "hits need no table"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def single_misses(dut):
    """A warm miss reads one line; a cold one every level once."""
    async with Testbench(dut) as tb:
        tb.name = "single_misses"
        space, lines = await prepare_lines(tb)
        for latency in (1, 20, LATENCY):
            tb.axi.latency = latency, latency
            reads = tb.axi.reads
            took = [(await tb.port(0).request(lines.pop())).latency for _ in range(5)]
            assert tb.axi.reads - reads == len(took), "one burst each"
            tb.log(f"figure: L = {latency}: a warm miss takes {max(took)} cycles, 1 burst")
            assert max(took) <= latency + 12 + tb.held
            await tb.invalidate()
            await swept(tb)
            reads = tb.axi.reads
            done = await tb.port(0).request(lines.pop())
            tb.log(f"figure: L = {latency}: a cold miss takes {done.latency} cycles, "
                   f"{tb.axi.reads - reads} bursts")
            assert tb.axi.reads - reads == 8
            assert done.latency <= 8 * (latency + 3) + 12 + tb.held
            for region in range(REGIONS):
                await tb.port(0).request(space.access(1, 0, BASE + region * REGION))
            await tb.cycles(40)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def misses_overlap(dut):
    """Misses of different requests share the memory's latency."""
    async with Testbench(dut) as tb:
        tb.name = "misses_overlap"
        _, lines = await prepare_lines(tb)
        tb.axi.latency = LATENCY, LATENCY
        for ports in [[tb.port(0)], tb.drivers]:
            chosen, lines = lines[:200], lines[200:]
            sent = [ports[index % len(ports)].send(access) for index, access in enumerate(chosen)]
            await tb.drain()
            ends = sorted(one.finished for one in sent)[20:-20]
            rate = (len(ends) - 1) / (ends[-1] - ends[0])
            ideal = tb.config.walks / (LATENCY + 12)
            tb.log(f"figure: L = {LATENCY}: {rate:.4f} misses per cycle from {len(ports)} port(s), "
                   f"{rate / ideal:.3f} of {tb.config.walks} / (L + 12)")
            assert rate >= .9 * ideal


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def hits_under_misses(dut):
    """Hits of one port go on while another port's misses wait for memory."""
    async with Testbench(dut) as tb:
        tb.name = "hits_under_misses"
        space, lines = await prepare_lines(tb)
        hit = space.access(1, 0, HUGE + 5 * PAGE)
        await warm(tb, [hit])
        tb.axi.latency = 5 * LATENCY, 5 * LATENCY
        misser, hitter = tb.port(0), tb.port(1)
        if misser is hitter:
            tb.log("one port only: nothing to measure")
            return
        for access in lines:
            misser.send(access)
        await tb.cycles(600)
        rate = await sustained(tb, [hitter], [hit], 4000)
        tb.log(f"figure: {rate:.3f} hits per cycle beside a port that misses, L = {5 * LATENCY}")
        assert misser.queue, "the misses ended too early"
        # A walk costs three cycles: the look-up that misses, the one that takes a slot, the fill.
        assert rate >= (.95 if tb.config.walks <= 8 else 1 - 3.3 * tb.config.walks / (5 * LATENCY))
        misser.queue.clear()
        await tb.drain()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def absent_page(dut):
    """100 requests for a page that is not cached share one walk; so do those for a page that is
    not present, if the levels above are known and all of them are in flight together."""
    async with Testbench(dut) as tb:
        tb.name = "absent_page"
        space, lines = await prepare_lines(tb)
        absent = BASE + 5 * LINE
        space.edit(1, absent, 1, p=0)
        leaf = space.tables[1].entry_address(absent, 1)
        tb.axi.latency = LATENCY, LATENCY
        together = min(100, tb.config.port_depth * len(tb.drivers))
        for what, access, count in (("uncached", lines.pop(), 100),
                                    ("not present", space.access(1, 0, absent), together)):
            tb.axi.log = []
            entry = space.tables[1].entry_address(access.addr, 1) if what == "uncached" else leaf
            for index in range(count):
                tb.port(index).send(access)
            await tb.drain()
            reads = [addr for _, addr, _ in tb.axi.log]
            # A fault found through a cache is looked up again in memory: the leaf is read twice.
            of_leaf = sum(addr & -64 == entry & -64 for addr in reads)
            tb.log(f"figure: {count} requests for one {what} page: {len(reads)} bursts, "
                   f"{of_leaf} of the leaf")
            if tb.config.walks > 1:
                assert of_leaf == (1 if what == "uncached" else 2)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def long_requests(dut):
    """256 pages of one leaf cost no more beats than one page; 256 small ones a line each."""
    async with Testbench(dut) as tb:
        tb.name = "long_requests"
        space, _ = await prepare_lines(tb)
        access = space.access(1, 0, HUGE, 256)
        await warm(tb, [access])
        rate = await sustained(tb, tb.drivers, [access], 500)
        tb.log(f"figure: {256 * rate:.0f} pages per cycle from 2 MiB leaves")
        assert rate >= .95
        tb.axi.latency = LATENCY, LATENCY
        reads = tb.axi.reads
        done = await tb.port(0).request(space.access(1, 0, BASE + REGION + 16 * LINE, 256))
        tb.log(f"figure: 256 contiguous 4 KiB leaves, L = {LATENCY}: "
               f"{tb.axi.reads - reads} bursts, {len(done.beats)} beats, {done.latency} cycles")
        assert len(done.beats) <= 32 and tb.axi.reads - reads <= 32
        if tb.config.walks >= 8:
            assert done.latency <= 700
