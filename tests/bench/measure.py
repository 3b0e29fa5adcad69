"""Figures 1 to 9: hits, misses, bursts, shares. Latency is the cycles from the handshake of a
request to that of its first beat; L those from the handshake of a read address to its first data.
"""

import random
from collections import Counter

import cocotb

from siommu.arch.formats import Mode, Size

from ..regression.queues import Queues, prefetch
from .common import (
    BASE,
    LINE,
    PAGE,
    REGION,
    Bench,
    average,
    random_lines,
    regions_of_pages,
    sustained,
)

LATENCIES = (1, 5, 20, 50, 100, 200, 500)
REGIONS = 32            #: regions of 2 MiB whose upper levels are warm


def names(ports):
    return ", ".join(f"`{port.name}`" for port in ports)


def each_and_all(tb):
    """Every port alone, and all together."""
    return [[tb.port(0)], tb.drivers] if len(tb.drivers) > 1 else [tb.drivers]


async def upper_levels_cached(tb, latency):
    """A space of REGIONS regions from BASE on; one page of each is known, with all above it."""
    space = tb.scene.space()
    warm = regions_of_pages(tb, space, BASE, REGIONS)
    await tb.begin()
    await tb.warm([space.access(1, 0, page) for page in warm * 2])
    tb.latency(latency)
    return space


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def hits(dut):
    """Figure 1: pages that the first-level TLB holds."""
    async with Bench(dut) as tb:
        space = tb.scene.space()
        count = tb.config.tlb_entries // 2
        tb.scatter(space, BASE, count)
        await tb.begin()
        accesses = [space.access(1, 0, BASE + index * PAGE) for index in range(count)]
        await tb.warm(accesses * 2)
        reads = tb.axi.reads
        single = [(await tb.one(access))[0] for access in accesses]
        tb.record(1, f"hit in the first-level TLB, {count} pages, idle core", max(single), "cycles",
                  bar=5)
        for ports in each_and_all(tb):
            sent = [port.send(accesses[index % count]) for index in range(6000 // len(ports))
                    for port in ports]
            await tb.drain()
            tb.record(1, f"hits in the first-level TLB, {names(ports)}", sustained(sent),
                      "per cycle", bar=.99, atmost=False)
        assert tb.axi.reads == reads, "these were no hits"


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def second_level(dut):
    """Figure 2: random pages of 800, all touched before."""
    async with Bench(dut) as tb:
        rng = random.Random(2)
        space = tb.scene.space()
        tb.scatter(space, BASE, 800)
        await tb.begin()
        tb.latency(20)
        pages = [space.access(1, 0, BASE + index * PAGE) for index in range(800)]
        for _ in range(2):
            for access in pages:
                tb.port(0).send(access)
            await tb.rest()
        single, single_reads = [], 0
        for access in rng.sample(pages, 24):
            others = [page for page in pages if page is not access]
            for other in rng.sample(others, 3 * tb.config.tlb_entries):
                tb.port(0).send(other)
            await tb.rest()
            took, reads, _ = await tb.one(access)
            single.append(took)
            single_reads += reads
        tb.record(2, "page that the first level lost, idle core, slowest of 24", max(single),
                  "cycles", bar=9, note=f"{single_reads} table reads; mean {average(single):.1f}")
        for ports in each_and_all(tb):
            reads = tb.axi.reads
            sent = [port.send(rng.choice(pages)) for _ in range(6000 // len(ports))
                    for port in ports]
            await tb.drain()
            tb.record(2, f"random pages of 800, {names(ports)}", sustained(sent), "per cycle",
                      bar=.95, atmost=False,
                      note=f"{tb.axi.reads - reads} table reads for {len(sent)} requests")


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def warm_misses(dut):
    """Figure 3: misses with contexts and upper levels cached."""
    async with Bench(dut) as tb:
        rng = random.Random(3)
        space = tb.scene.space()
        regions_of_pages(tb, space, BASE, 1)
        await tb.begin()
        await tb.warm([space.access(1, 0, BASE)])
        lines = iter(random_lines(rng, BASE, 1, 63))
        for latency in LATENCIES:
            tb.latency(latency)
            found = [await tb.one(space.access(1, 0, next(lines))) for _ in range(6)]
            tb.check_latency(latency)
            worst, bursts = max(one[0] for one in found), max(one[1] for one in found)
            tb.record(3, f"miss, upper levels cached, L = {latency}", worst, "cycles",
                      bar=latency + 12, series="upper levels and contexts cached", x=latency,
                      note=f"{bursts} read burst(s)")
        tb.record(3, "miss, upper levels cached", bursts, "read bursts", bar=1)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def cold_misses(dut):
    """Figure 4: nothing cached, PDT_LEVELS = 2, 4 levels; and contexts cached alone."""
    async with Bench(dut) as tb:
        space = tb.scene.space(pasid=0x54321, pdt_levels=2)
        tb.scatter(space, BASE, 1)
        top = 1 << 39                       # bytes under one entry of the root
        others = [BASE + (index + 1) * top for index in range(2 * len(LATENCIES))]
        for other in others:
            tb.scatter(space, other, 1)
        await tb.begin()
        places = iter(others)
        for latency in LATENCIES:
            tb.latency(latency)
            await tb.empty()
            took, bursts, _ = await tb.one(space.access(1, 0, BASE))
            tb.check_latency(latency)
            tb.record(4, f"everything cold, L = {latency}", took, "cycles",
                      bar=8 * (latency + 3) + 12, series="everything cold, 8 tables", x=latency,
                      note=f"{bursts} read bursts")
            found = [await tb.one(space.access(1, 0, next(places))) for _ in range(2)]
            tb.record("contexts", f"contexts cached, no upper level, L = {latency}",
                      max(one[0] for one in found), "cycles", x=latency,
                      series="contexts cached, 4 levels cold", note=f"{found[0][1]} read bursts")
        tb.record(4, "everything cold", bursts, "read bursts", bar=8)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def overlapping(dut):
    """Figure 5: random single-page misses from all ports at L = 100."""
    async with Bench(dut) as tb:
        rng, latency = random.Random(5), 100
        space = await upper_levels_cached(tb, latency)
        reads, occupied, begin = tb.axi.reads, tb.axi.occupied, tb.cycle
        count = 200 + 100 * tb.config.walks
        sent = [tb.port(index).send(space.access(1, 0, page)) for index, page in
                enumerate(random_lines(rng, BASE, REGIONS, count))]
        await tb.drain()
        tb.check_latency(latency)
        walks, width = tb.config.walks, tb.config.axi_data_width
        # The bar is given for 8 walks, and for 16 on a bus of 128 bits.
        bar = {(8, 64): .9 * 8 / (latency + 12),
               (16, 128): 2 * .9 * 8 / (latency + 12)}.get((walks, width))
        tb.record(5, f"random misses, {walks} walk(s), {width}-bit bus, L = 100", sustained(sent),
                  "per cycle", bar=bar, atmost=False, x=walks, series=f"{width}-bit bus",
                  note=f"{(tb.axi.reads - reads) / count:.2f} read bursts per miss, "
                       f"{(tb.axi.occupied - occupied) / (tb.cycle - begin):.1f} in flight on "
                       f"average")


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def hits_beside_misses(dut):
    """Figure 6: hits of one port while another only misses at L = 500."""
    async with Bench(dut) as tb:
        rng = random.Random(6)
        space = tb.scene.space()
        regions_of_pages(tb, space, BASE, 4)
        few = 8
        tb.scatter(space, BASE + (1 << 30), few)
        await tb.begin()
        hot = [space.access(1, 0, BASE + (1 << 30) + index * PAGE) for index in range(few)]
        await tb.warm(hot * 2)
        tb.latency(500)
        misser, hitter = tb.port(0), tb.port(1)
        for page in random_lines(rng, BASE, 4, 252):
            misser.send(space.access(1, 0, page))
        await tb.cycles(300)
        before = misser.beats
        sent = [hitter.send(hot[index % few]) for index in range(6000)]
        await tb.drain([hitter])
        assert misser.queue, "the misses ended too early"
        tb.record(6, "hits of one port, another misses at L = 500", sustained(sent), "per cycle",
                  bar=.95, atmost=False, note=f"{misser.beats - before} misses meanwhile")
        misser.queue.clear()
        await tb.drain()


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def merging(dut):
    """Figure 7: 100 requests for one page that is not cached, or not there."""
    async with Bench(dut) as tb:
        space = tb.scene.space()
        table = space.tables[1]
        regions_of_pages(tb, space, BASE, 1)
        absent = BASE + 3 * REGION // 4
        table.unmap(absent)
        tb.forget()
        await tb.begin()
        tb.latency(100)
        for what, page, cold in (("mapped, not cached, upper levels cached", BASE + 5 * LINE, 0),
                                 ("not present, upper levels cached", absent, 0),
                                 ("not present, everything cold", absent, 1)):
            await tb.empty()
            if not cold:
                await tb.warm([space.access(1, 0, BASE)])
            tb.axi.log = []
            begin, accepted = tb.cycle, []
            for index in range(100):
                accepted.append(tb.port(index).send(space.access(1, 0, page)))
            await tb.drain()
            took = tb.cycle - begin
            line = table.entry_address(page) & -64
            walks = sum(addr & -64 == line for _, addr, _ in tb.axi.log)
            # A fault rests on memory that was read after its request: one walk cannot do for all.
            bar = None if page == absent else 1
            tb.record(7, f"100 requests for one page: {what}", walks, "walks", bar=bar,
                      note=f"{len(tb.axi.log)} read bursts in all, {took} cycles; the last request "
                           f"was taken after {max(one.accepted for one in accepted) - begin}")
            tb.axi.log = None


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def long_requests(dut):
    """Figure 8: requests of 256 pages at L = 100."""
    async with Bench(dut) as tb:
        space = tb.scene.space()
        physical = 0x30_0000_0000
        cases = (("physically aligned to 8 pages", 0, 0, True),
                 ("physically 3 pages off", 0, 3, True),
                 ("from page 5 of a line, 33 lines", 5, 5, False))
        for index, (_, first, shift, _) in enumerate(cases):
            base = BASE + index * REGION
            space.map(1, base, 300, paddr=physical + 2 * index * REGION +
                      PAGE * ((shift - first) % 8))
            tb.scatter(space, base + 500 * PAGE, 1)
        large = BASE + 16 * REGION
        space.map(1, large, size=Size.PAGE_2M)
        await tb.begin()
        tb.latency(100)
        for index, (what, first, _, bars) in enumerate(cases):
            base = BASE + index * REGION
            await tb.warm([space.access(1, 0, base + 500 * PAGE)])
            beats = tb.axi.beats
            _, bursts, done = await tb.one(space.access(1, 0, base + first * PAGE, 256))
            prefix = f"256 pages, contiguous 4 KiB leaves, {what}"
            tb.record(8, prefix, bursts, "read bursts", bar=32 if bars else None,
                      note=f"{tb.axi.beats - beats} bus beats")
            tb.record(8, prefix, len(done.beats), "response beats", bar=32 if bars else None)
            tb.record(8, prefix, done.latency, "cycles", bar=700 if bars else None,
                      note=f"first beat after {done.beat_cycles[0] - done.accepted}")
        for what in ("miss", "hit"):
            took, bursts, done = await tb.one(space.access(1, 0, large, 256))
            tb.record(8, f"256 pages of a 2 MiB leaf, {what}", len(done.beats), "response beats",
                      bar=1, note=f"{took} cycles, {bursts} read burst(s)")


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def shares(dut):
    """Figure 9: what saturating ports get, hits and misses."""
    async with Bench(dut) as tb:
        rng = random.Random(9)
        space = tb.scene.space()
        warm = regions_of_pages(tb, space, BASE, REGIONS)
        few = 8
        tb.scatter(space, BASE + (1 << 30), few)
        await tb.begin()
        hot = [space.access(1, 0, BASE + (1 << 30) + index * PAGE) for index in range(few)]
        await tb.warm(hot * 2)
        lines = random_lines(rng, BASE, REGIONS, 1800)
        per_port = len(lines) // len(tb.drivers)
        for what, queues in (
                ("hits", [[rng.choice(hot) for _ in range(3000)] for _ in tb.drivers]),
                ("misses, L = 100", [[space.access(1, 0, page) for page in
                                      lines[index * per_port:(index + 1) * per_port]]
                                     for index in range(len(tb.drivers))])):
            if what != "hits":
                await tb.warm([space.access(1, 0, page) for page in warm])
                tb.latency(100)
            sent = [[port.send(access) for access in queue]
                    for port, queue in zip(tb.drivers, queues)]
            begin = tb.cycle
            await tb.until(lambda: not all(port.queue for port in tb.drivers), 400_000,
                           "the end of a queue")
            end, start = tb.cycle, begin + (tb.cycle - begin) // 10
            await tb.drain()
            counts = [sum(start <= one.finished < end for one in each) for each in sent]
            mean = sum(counts) / len(counts)
            tb.record(9, f"{len(counts)} ports saturate with {what}: spread of their shares",
                      100 * (max(counts) - min(counts)) / mean, "%", bar=5,
                      note=" : ".join(map(str, counts)) + f" in {end - start} cycles")


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def more_hits(dut):
    """No bar: latencies of hits under load, of 2 MiB leaves, of bypass."""
    async with Bench(dut) as tb:
        rng = random.Random(10)
        space = tb.scene.space()
        count = tb.config.tlb_entries // 2
        tb.scatter(space, BASE, count)
        space.map(1, BASE + (1 << 30), size=Size.PAGE_2M)
        await tb.begin()
        accesses = [space.access(1, 0, BASE + index * PAGE) for index in range(count)]
        await tb.warm(accesses * 2)
        for port in tb.drivers:
            port.send_rate = .8 / len(tb.drivers)
        sent = [tb.port(index).send(rng.choice(accesses)) for index in range(6000)]
        await tb.drain()
        seen = Counter(one.latency for one in sent)
        tb.record("hits", "first-level hits at random times, 80 % load, mean",
                  average(one.latency for one in sent), "cycles",
                  note=", ".join(f"{took}: {100 * number / len(sent):.1f} %"
                                 for took, number in sorted(seen.items())),
                  histogram=sorted(seen.items()))
        for port in tb.drivers:
            port.send_rate = 1.0
        access = space.access(1, 0, BASE + (1 << 30) + 5 * PAGE)
        for what, mode in (("2 MiB leaf", Mode.TRANSLATE), ("bypass", Mode.BYPASS)):
            if mode is Mode.BYPASS:
                await tb.set_mode(Mode.ABORT)
                await tb.set_mode(mode)
            await tb.warm([access])
            took, _, _ = await tb.one(access)
            sent = [port.send(access) for _ in range(1500) for port in tb.drivers]
            await tb.drain()
            tb.record("hits", f"{what}: hit", took, "cycles",
                      note=f"{sustained(sent):.3f} per cycle from all ports")


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def lone_miss(dut):
    """No bar: misses of one port, one at a time, beside ports that flood the core with misses."""
    async with Bench(dut) as tb:
        rng, latency = random.Random(11), 100
        space = await upper_levels_cached(tb, latency)
        *flooding, lone = tb.drivers
        lines = random_lines(rng, BASE, REGIONS, 1600)
        alone = (await tb.one(space.access(1, 0, lines.pop()), lone))[0]
        for index in range(1500):
            flooding[index % len(flooding)].send(space.access(1, 0, lines.pop()))
        await tb.cycles(1000)
        waits = []
        for _ in range(30):
            done = await lone.request(space.access(1, 0, lines.pop()))
            waits.append(done.latency)
            await tb.cycles(rng.randrange(100))
            if not all(port.queue for port in flooding):
                break
        assert len(waits) >= 5, "the flood ended too early"
        tb.record("fairness", f"a lone miss beside {len(flooding)} ports that flood, L = 100, "
                  f"slowest of {len(waits)}", max(waits), "cycles",
                  note=f"{alone} on the idle core, mean {average(waits):.0f}")
        for port in flooding:
            port.queue.clear()
        await tb.drain()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def prefetches(dut):
    """PREFETCH of 256 absent pages and a fence behind it (§6), PDT_LEVELS = 2, 4 levels: where no
    level-1 table exists, and where one does."""
    async with Bench(dut) as tb:
        queues = Queues(tb)
        space = tb.scene.space(pdt_levels=2)
        tb.scatter(space, BASE, 1)
        await tb.begin()
        await queues.start()
        hole, table = BASE + (1 << 21), BASE + 256 * PAGE
        for latency in (1, 100):
            tb.latency(latency)
            for what, page in (("no level-1 table", hole), ("an empty level-1 table", table)):
                for state in ("cold", "upper levels cached"):
                    if state == "cold":
                        await tb.empty()
                    await tb.rest(300)      # the fence before has its response
                    reads, began = tb.axi.reads, tb.cycle
                    await queues.run(prefetch(space.device, space.pasid, 1, page, 8))
                    took, reads = tb.cycle - began, tb.axi.reads - reads - 2
                    bar = 1000 if latency == 100 else None
                    name = f"256 absent pages, {what}, {state}, L = {latency}"
                    tb.record("prefetch", name, reads, "reads", bar=48,
                              note="without the two commands' own")
                    tb.record("prefetch", f"{name}, to the end of the fence", took, "cycles",
                              bar=bar)
