"""Figures in cycles: what hits and misses cost. Printed, and asserted where the project promises."""

import cocotb

from siommu.formats import Size

from .bench import Testbench
from .scene import Scene

PAGE = 4096
BASE = 0x1234_5600_0000
LATENCY = 100       #: cycles of the memory


async def prepare(tb, pages):
    scene = Scene(tb)
    space = scene.space()
    space.map(1, BASE, pages)
    space.map(1, BASE + (1 << 30), size=Size.PAGE_2M)
    await scene.enable()
    return space


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
        space = await prepare(tb, pages)
        accesses = [space.access(1, 0, BASE + index * PAGE) for index in range(pages)]
        await warm(tb, accesses)
        reads = tb.axi.reads
        latency = max([(await tb.port(0).request(access)).latency for access in accesses])
        tb.log(f"figure: a hit takes {latency} cycles from request to response")
        for ports in [[port] for port in tb.drivers] + [tb.drivers]:
            rate = await sustained(tb, ports, accesses)
            tb.log(f"figure: {', '.join(port.name for port in ports)}: {rate:.3f} hits per cycle")
            assert rate >= .95
        assert tb.axi.reads == reads, "hits need no table"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def misses_overlap(dut):
    """Misses of different requests share the memory's latency."""
    async with Testbench(dut) as tb:
        tb.name = "misses_overlap"
        count = 64
        space = await prepare(tb, 512)
        tb.axi.latency = LATENCY, LATENCY
        await warm(tb, [space.access(1, 0, BASE)])
        single = (await tb.port(0).request(space.access(1, 0, BASE + PAGE))).latency
        for ports in [[tb.port(0)], tb.drivers]:
            await tb.invalidate()
            await tb.port(0).request(space.access(1, 0, BASE))
            await tb.cycles(20)
            begin = tb.cycle
            # 8 pages apart, so that no run brings two of them along.
            for index in range(count):
                ports[index % len(ports)].send(space.access(1, 0, BASE + (index + 1) * 7 * PAGE))
            await tb.drain()
            took = tb.cycle - begin
            tb.log(f"figure: {count} misses of {single} cycles each, {len(ports)} port(s): {took} "
                   f"cycles, {count * single / took:.1f} at once; at most {tb.axi.busiest} reads "
                   f"in flight")
            assert count * single / took >= .7 * tb.config.walks


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def hits_under_misses(dut):
    """Hits of one port go on while another port's misses wait for memory."""
    async with Testbench(dut) as tb:
        tb.name = "hits_under_misses"
        space = await prepare(tb, 512)
        hit = space.access(1, 0, BASE + (1 << 30) + 5 * PAGE)
        await warm(tb, [hit])
        tb.axi.latency = LATENCY, LATENCY
        misser, hitter = tb.port(0), tb.port(1)
        if misser is hitter:
            tb.log("one port only: nothing to measure")
            return
        for index in range(4000):
            misser.send(space.access(1, 0, BASE + index * 7 % 512 * PAGE))
        await tb.cycles(300)
        rate = await sustained(tb, [hitter], [hit])
        tb.log(f"figure: {rate:.3f} hits per cycle beside a port that misses")
        assert misser.queue, "the misses ended too early"
        assert rate >= .85
        misser.queue.clear()
        await tb.drain()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def long_requests(dut):
    """256 pages of one leaf cost no more beats than one page."""
    async with Testbench(dut) as tb:
        tb.name = "long_requests"
        space = await prepare(tb, 1)
        access = space.access(1, 0, BASE + (1 << 30), 256)
        await warm(tb, [access])
        rate = await sustained(tb, tb.drivers, [access], 500)
        tb.log(f"figure: {256 * rate:.0f} pages per cycle from 2 MiB leaves")
        assert rate >= .95
