"""Figures 3, 4 and 8 for RISC-V memory tables (§3.4): what ``measure`` has for the other format."""

import random

import cocotb

from siommu.arch.formats import Size

from .common import PAGE, REGION, Bench, random_lines, regions_of_pages
from .measure import LATENCIES

BASE = 0x12_4000_0000       #: in the lower half of Sv39


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def riscv_warm_misses(dut):
    """Figure 3: misses with contexts and upper levels cached."""
    async with Bench(dut) as tb:
        rng = random.Random(3)
        space = tb.scene.space(riscv=3)
        regions_of_pages(tb, space, BASE, 1, ft=0)
        await tb.begin()
        await tb.warm([space.access(0, 0, BASE)])
        lines = iter(random_lines(rng, BASE, 1, 63))
        for latency in LATENCIES:
            tb.latency(latency)
            found = [await tb.one(space.access(0, 0, next(lines))) for _ in range(6)]
            tb.check_latency(latency)
            worst, bursts = max(one[0] for one in found), max(one[1] for one in found)
            tb.record(3, f"miss, upper levels cached, Sv39, L = {latency}", worst, "cycles",
                      bar=latency + 12, note=f"{bursts} read burst(s)")
        tb.record(3, "miss, upper levels cached, Sv39", bursts, "read bursts", bar=1)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def riscv_cold_misses(dut):
    """Figure 4: nothing cached, PDT_LEVELS = 2: a device entry, two directories, a context, and 3
    to 5 tables."""
    async with Bench(dut) as tb:
        spaces = {levels: tb.scene.space(device=levels, pasid=0x54321, pdt_levels=2, riscv=levels)
                  for levels in (3, 4, 5)}
        for space in spaces.values():
            tb.scatter(space, BASE, 1, ft=0)
        await tb.begin()
        for levels, space in spaces.items():
            tables, name = 4 + levels, f"Sv{9 * levels + 12}"
            for latency in LATENCIES:
                tb.latency(latency)
                await tb.empty()
                took, bursts, _ = await tb.one(space.access(0, 0, BASE))
                tb.check_latency(latency)
                tb.record(4, f"everything cold, {name}, L = {latency}", took, "cycles",
                          bar=tables * (latency + 3) + 12, note=f"{bursts} read bursts")
            tb.record(4, f"everything cold, {name}", bursts, "read bursts", bar=tables)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def riscv_long_requests(dut):
    """Figure 8: requests of 256 pages at L = 100, plain and NAPOT leaves and larger ones."""
    async with Bench(dut) as tb:
        space = tb.scene.space(riscv=4)
        table, bases = space.tables[0], (BASE, BASE + 4 * REGION)
        for base, napot in zip(bases, (False, True)):
            table.map(base, 0x30_0000_0000 + base % (1 << 30), 288, napot=napot)
            tb.scatter(space, base + 500 * PAGE, 1, ft=0)
        large, huge = BASE + 16 * REGION, 5 << 39
        table.map(large, 0x4000_0000, size=Size.PAGE_2M)
        table.map(huge, 7 << 39, size=3)
        await tb.begin()
        tb.latency(100)
        for base, what in zip(bases, ("contiguous leaves", "NAPOT leaves of 64 KiB")):
            await tb.warm([space.access(0, 0, base + 500 * PAGE)])
            _, bursts, done = await tb.one(space.access(0, 0, base, 256))
            prefix = f"256 pages, Sv48, {what}"
            tb.record(8, prefix, bursts, "read bursts", bar=32)
            tb.record(8, prefix, len(done.beats), "response beats", bar=32)
            tb.record(8, prefix, done.latency, "cycles", bar=700,
                      note=f"first beat after {done.beat_cycles[0] - done.accepted}")
        over = huge + (3 << 30) - 100 * PAGE
        for addr, what in ((large, "of a 2 MiB leaf"), (over, "of a 512 GiB leaf, over a GiB")):
            for found in ("miss", "hit"):
                took, bursts, done = await tb.one(space.access(0, 0, addr, 256))
                tb.record(8, f"256 pages {what}, Sv48, {found}", len(done.beats),
                          "response beats", bar=1, note=f"{took} cycles, {bursts} read burst(s)")
