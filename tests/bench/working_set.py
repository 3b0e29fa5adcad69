"""Hit rate and throughput against the size of the working set."""

import random

import cocotb

from .common import BASE, PAGE, Bench, sustained

SIZES = (8, 16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2048, 4096, 8192)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def working_sets(dut):
    """No bar: random pages of a set, from all ports, L = 20."""
    async with Bench(dut) as tb:
        rng, latency = random.Random(12), 20
        space = tb.scene.space()
        table = space.tables[1]
        tb.scatter(space, BASE, max(SIZES))
        await tb.begin()
        tb.latency(latency)
        for size in SIZES:
            pages = [BASE + index * PAGE for index in range(size)]
            accesses = [space.access(1, 0, page) for page in pages]
            for index in range(2 * size):
                tb.port(index).send(accesses[index % size])
            await tb.rest()
            tb.axi.log = []
            sent = [tb.port(index).send(rng.choice(accesses)) for index in range(3000)]
            await tb.drain()
            misses = tb.leaf_reads(table, pages, tb.axi.log)
            tb.axi.log = None
            tb.record("working set", f"random pages of {size}, all ports, L = 20", sustained(sent),
                      "per cycle", x=size, hit_rate=1 - misses / len(sent),
                      note=f"{100 * (1 - misses / len(sent)):.1f} % without a leaf read")
