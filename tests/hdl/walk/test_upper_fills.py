"""Fills of the caches of the upper tables: their keys, and that none comes of a stale walk."""

from siommu.arch.config import Config
from siommu.walk.context_cache import FILL_CYCLES
from siommu.walk.upper_fills import UpperFills

from ...support.simulate import simulate

KEY = {"ft": 1, "device": 0x1234, "pasid": 0x5_4321, "page": 0xF_FFF8_1234_5678}
NAMES = "device", "context", "region"


def run(scenario):
    dut = UpperFills(Config())

    async def bench(ctx):
        ctx.set(dut.word.payload, {"key": KEY, "state": {"region_way": 2}})
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=50)


async def found(ctx, dut):
    """Names of the fills in the next cycle."""
    await ctx.tick()
    return [name for name in NAMES if ctx.get(getattr(dut, f"{name}_fill").valid)]


def test_keys_and_values():
    async def scenario(ctx, dut):
        ctx.set(dut.word.valid, 1)
        for name in NAMES:
            ctx.set(getattr(dut, name).valid, 1)
        ctx.set(dut.device.payload, {"mem_en": 1, "pfn": 0x777, "devid": 5})
        ctx.set(dut.context.payload, {"root": 0x888, "paging": {"l5": 1}, "devid": 6})
        ctx.set(dut.region.payload, {"table": 0x999, "write": 1, "devid": 7})
        assert await found(ctx, dut) == list(NAMES)
        device, context, region = (ctx.get(getattr(dut, f"{name}_fill").payload)
                                   for name in NAMES)
        assert (device.key, device.value.pfn, device.value.devid) == (0x1234, 0x777, 5)
        assert (context.key.ft, context.key.device, context.key.pasid) == (1, 0x1234, 0x5_4321)
        assert (context.value.root, context.value.paging.l5, context.value.devid) == (0x888, 1, 6)
        key = region.key
        assert (key.ft, key.device, key.pasid, key.canonical) == (1, 0x1234, 0x5_4321, 1)
        assert key.region == KEY["page"] >> 9 & (1 << 36) - 1
        assert (region.way, region.value.table, region.value.write) == (2, 0x999, 1)
    run(scenario)


def test_each_fills_its_own_cache():
    async def scenario(ctx, dut):
        ctx.set(dut.word.valid, 1)
        for name in NAMES:
            ctx.set(getattr(dut, name).valid, 1)
            assert await found(ctx, dut) == [name]
            ctx.set(getattr(dut, name).valid, 0)
    run(scenario)


def test_a_fill_stays_as_long_as_a_cache_takes_for_it():
    """Whatever comes meanwhile; the walk cache takes one in every cycle."""
    async def scenario(ctx, dut):
        for name in NAMES:
            ctx.set(getattr(dut, name).valid, 1)
        ctx.set(dut.word.valid, 1)
        for number in range(3 * FILL_CYCLES):
            ctx.set(dut.word.payload.key, {"device": number, "pasid": number})
            ctx.set(dut.device.payload.pfn, number)
            ctx.set(dut.context.payload.root, number)
            ctx.set(dut.region.payload.table, number)
            first = number % FILL_CYCLES == 0
            assert await found(ctx, dut) == (list(NAMES) if first else ["region"])
            kept = number - number % FILL_CYCLES
            device, context, region = (ctx.get(getattr(dut, f"{name}_fill").payload)
                                       for name in NAMES)
            assert (device.key, device.value.pfn) == (kept, kept)
            assert (context.key.pasid, context.value.root) == (kept, kept)
            assert (region.key.pasid, region.value.table) == (number, number)
    run(scenario)


def test_nothing_of_before_a_flush():
    """Neither of a walk that began before one, nor in the cycle of one, nor without a word."""
    async def scenario(ctx, dut):
        for name in NAMES:
            ctx.set(getattr(dut, name).valid, 1)
        assert await found(ctx, dut) == []
        ctx.set(dut.word.valid, 1)
        ctx.set(dut.word.payload.stale, 1)
        assert await found(ctx, dut) == []
        ctx.set(dut.word.payload.stale, 0)
        ctx.set(dut.flush, 1)
        assert await found(ctx, dut) == []
        ctx.set(dut.flush, 0)
        assert await found(ctx, dut) == list(NAMES)
    run(scenario)
