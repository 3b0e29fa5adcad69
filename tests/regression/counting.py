"""The counters (§7) against the tests' own counts, to the last one."""

import random

import cocotb

from siommu.arch.register_map import COUNTERS

from .bench import PORT_ENABLE, STATUS, Testbench
from .queues import inval_context, inval_tlb, offset, prefetch, start
from .seeds import seeds

PAGE, AREA = 4096, 1 << 39


async def _all(queues):
    return {name: await queues.counter(name) for name in COUNTERS}


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def known_events(dut):
    """A script whose every event is known beforehand."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "known_events")
        space = scene.space()
        space.map(1, AREA, 8)
        reads = tb.axi.reads
        port = tb.drivers[0]
        await port.request(space.access(1, 0, AREA))            # a cold miss
        await tb.cycles(60)
        first = (await queues.counter("miss_cycles"), port.beats)
        assert first[1] == 1
        for _ in range(5):                                      # hits of the first level
            await port.request(space.access(1, 0, AREA + PAGE))
        await port.request(space.access(1, 0, AREA, 8))         # one run
        await port.request(space.access(1, 0, 2 * AREA))        # a fault
        await queues.run(inval_tlb(), inval_context(5), prefetch(5, 3, 1, AREA, 3))
        await tb.cycles(60)
        await port.request(space.access(1, 0, AREA + 5 * PAGE))
        await tb.cycles(60)
        for page in (0, 3):                                     # of a line, not contiguous
            space.map(1, 4 * AREA + page * PAGE)
        await port.request(space.access(1, 0, 4 * AREA))        # a miss, which brings the line
        await tb.cycles(100)
        await port.request(space.access(1, 0, 4 * AREA + 3 * PAGE))
        await tb.cycles(60)
        second = int(tb.config.l2_entries > 0)
        counts = await _all(queues)
        commands = 4                                            # each read once
        want = {"requests": 11, "pages": 18, "l1_hits": 7, "l2_hits": second,
                "misses": 4 - second,
                "table_reads": tb.axi.reads - reads - commands, "faults": 1, "faults_lost": 0,
                "invalidations": 2, "fences": 1, "prefetches": 1, "stall_cycles": 0}
        assert {name: counts[name] for name in want} == want
        # the miss, its fault, the prefetch, and the line
        assert counts["walks"] == 5 - second
        assert counts["miss_cycles"] > first[0] > 10


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def miss_cycles_are_latencies(dut):
    """Of a single miss, its latency less what every request takes; of several, their sum."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "miss_cycles_are_latencies")
        space = scene.space()
        extra = set()
        for number, latency in enumerate((1, 20, 100)):
            tb.axi.latency = (latency, latency)
            space.map(1, AREA + number * (1 << 21))
            before = await queues.counter("miss_cycles")
            done = await tb.drivers[0].request(space.access(1, 0, AREA + number * (1 << 21)))
            await tb.cycles(60)
            extra.add(done.latency - (await queues.counter("miss_cycles") - before))
        assert len(extra) == 1
        most = extra.pop()
        assert 5 <= most - tb.held <= 9
        space.map(1, 2 * AREA, 40)
        before = await queues.counter("miss_cycles")
        sent = [tb.port(page).send(space.access(1, 0, 2 * AREA + PAGE * page))
                for page in range(8)]
        await tb.drain()
        await tb.cycles(60)
        waited = sum(each.latency for each in sent)
        counted = await queues.counter("miss_cycles") - before
        assert waited - len(sent) * (most + 12) <= counted <= waited, "each counts by itself"


@cocotb.test(timeout_time=60, timeout_unit="ms")
@cocotb.parametrize(seed=seeds(2))
async def random_traffic(dut, seed):
    """Everything that can be seen from outside, under random traffic; frozen, and cleared."""
    async with Testbench(dut, seed) as tb:
        scene, queues = await start(tb, "random_traffic")
        rng = random.Random(seed)
        space = scene.space()
        space.map(1, AREA, 100)
        space.map(0, AREA, 50)
        seen = dict.fromkeys(("requests", "pages", "faults"), 0)
        counting = True

        def expect(transaction):
            tb.check(transaction)
            if counting:
                seen["requests"] += 1
                seen["pages"] += transaction.access.pages + 1
                seen["faults"] += bool(transaction.beats[-1].cause)
        tb.expect = expect
        stalls = 0
        began = ended = tb.axi.reads

        async def watch():
            nonlocal stalls
            while True:
                await tb.cycles(1)
                stalls += counting and any(
                    int(getattr(dut, f"{name}_req_valid").value)
                    and not int(getattr(dut, f"{name}_req_ready").value) for name in tb.ports)
        cocotb.start_soon(watch())
        total = 0
        for phase in range(6):
            if phase == 3:
                await tb.regs.set(offset("COUNTER_CTRL"), 1)
                counting, frozen = False, await _all(queues)
                ended = tb.axi.reads
                total = ended - began
            if phase == 4:
                assert await _all(queues) == frozen
                await tb.regs.set(offset("COUNTER_CTRL"), 0)
                counting, began = True, tb.axi.reads
            tb.axi.latency = rng.choice(((1, 3), (20, 60)))
            for port in tb.drivers:
                port.take_rate = rng.choice((1.0, .2))
                for _ in range(80):
                    port.send(space.access(rng.randrange(2), rng.randrange(2),
                                           AREA + PAGE * rng.randrange(120),
                                           rng.choice((1, 1, 2, 40))))
            await tb.drain()
            while await tb.regs.get(STATUS):    # walks ahead of long requests
                pass
            await tb.cycles(100)
        counts = await _all(queues)
        assert {name: counts[name] for name in seen} == seen
        assert counts["table_reads"] == total + tb.axi.reads - began
        assert counts["stall_cycles"] == stalls
        assert counts["l1_hits"] + counts["l2_hits"] + counts["misses"] >= seen["requests"]
        assert await tb.regs.get(offset("COUNTER_OVERFLOW")) == 0
        await tb.regs.set(offset("COUNTER_CTRL"), 2)
        assert await tb.regs.get(offset("COUNTER_CTRL")) == 0, "it clears itself"
        counts = await _all(queues)
        assert 0 < counts.pop("cycles") < 1000
        assert not any(counts.values()), counts
        tb.log(f"{seen['requests']} requests, {seen['faults']} faults, {stalls} stalls")


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def single_pages_count_once(dut):
    """Each request of a page is a hit of either level or a miss, once, however often it comes back
    from waiting: for pages of which several ports ask at once, and far more than the first level
    holds."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "single_pages_count_once")
        space = scene.space()
        pages = [AREA + PAGE * 5 * number for number in range(160)]
        for page in pages:
            space.map(1, page)
        requests = 0
        for latency in ((1, 3), (1, 90), (40, 40)):
            await queues.run(inval_tlb())
            tb.axi.latency = latency
            for _ in range(400):
                page = tb.rng.choice(pages)
                for port in tb.drivers:
                    port.send(space.access(1, 0, page if tb.rng.random() < .7
                                           else tb.rng.choice(pages)))
                    requests += 1
            await tb.drain()
        await tb.cycles(100)
        counts = await _all(queues)
        found = [counts[name] for name in ("l1_hits", "l2_hits", "misses")]
        assert counts["requests"] == requests == sum(found), (requests, found)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def words_of_a_counter(dut):
    """``cycles`` counts cycles; the high word is the one that belonged to the low word."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "words_of_a_counter")
        first, at = await queues.counter("cycles"), tb.cycle
        await tb.cycles(1000)
        second, then = await queues.counter("cycles"), tb.cycle
        assert abs((second - first) - (then - at)) <= 16
        await tb.regs.set(offset("COUNTER_CTRL"), 1)
        first = await queues.counter("cycles")
        await tb.cycles(100)
        assert await queues.counter("cycles") == first
        enabled = await tb.regs.get(PORT_ENABLE)
        await tb.reset()
        assert await tb.regs.get(PORT_ENABLE) == enabled
        assert await queues.counter("cycles") < 200
        assert await queues.counter("requests") == 0
