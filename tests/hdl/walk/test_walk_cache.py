"""The walk cache: every field of its key, what it tells, and that a flush leaves nothing."""

from siommu.arch.config import Config
from siommu.walk.walk_cache import WalkCache

from ...support.simulate import one_bit_off, simulate

CONFIG = Config(walk_entries=8)
KEY = {"ft": 1, "device": 0x1234, "pasid": 0x54321, "region": 0x9_8765_4321, "canonical": 1}
INFO = {"table": 0xAB_CDEF_0123, "write": 1, "no_read": 0, "devid": 0x2A5}


async def fill(ctx, dut, key, info, way):
    ctx.set(dut.fill.valid, 1)
    ctx.set(dut.fill.payload, {"way": way, "key": key, "value": info})
    await ctx.tick()
    ctx.set(dut.fill.valid, 0)
    await ctx.tick()


async def look_up(ctx, dut, key, flush=None):
    """(info or None, place); ``flush`` says how many cycles after the key one comes."""
    for cycle in range(3):
        ctx.set(dut.flush, cycle == flush)
        ctx.set(dut.key, key if cycle == 0 else {})
        await ctx.tick()
    ctx.set(dut.flush, 0)
    info = ctx.get(dut.info)
    found = {name: getattr(info, name) for name in INFO} if ctx.get(dut.hit) else None
    return found, ctx.get(dut.place)


def run(scenario):
    dut = WalkCache(CONFIG)

    async def bench(ctx):
        await ctx.tick().repeat(CONFIG.walk_entries)
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=3000)


def test_every_field_of_the_key_counts():
    async def scenario(ctx, dut):
        for way in (0, 1):
            await fill(ctx, dut, KEY, INFO, way)
            assert await look_up(ctx, dut, KEY) == (INFO, 0)    # its first own way
            for field, bit, key in one_bit_off(KEY, (
                    ("ft", 1), ("device", 16), ("pasid", 20), ("region", 36), ("canonical", 1))):
                found, _ = await look_up(ctx, dut, key)
                assert found is None, f"{field} bit {bit}"
    run(scenario)


def test_place_is_where_it_is():
    async def scenario(ctx, dut):
        await fill(ctx, dut, KEY, INFO, 1)
        assert await look_up(ctx, dut, KEY) == (INFO, 1)
        await fill(ctx, dut, KEY, {**INFO, "write": 0}, 1)
        assert await look_up(ctx, dut, KEY) == ({**INFO, "write": 0}, 1)
    run(scenario)


def test_a_flush_drops_entries_and_look_ups():
    async def scenario(ctx, dut):
        for flush in (0, 1, 2):
            await fill(ctx, dut, KEY, INFO, 0)
            assert (await look_up(ctx, dut, KEY))[0] == INFO
            assert (await look_up(ctx, dut, KEY, flush))[0] is None, f"flush in cycle {flush}"
            for _ in range(CONFIG.walk_entries):
                assert (await look_up(ctx, dut, KEY))[0] is None
    run(scenario)


def test_an_invalidation_drops_what_it_covers():
    """A step of an invalidation looks at one set: that of its key, or each in turn."""
    async def scenario(ctx, dut):
        for natural in (1, 0):
            for by, operands, covered in (
                    ({"by_device": 1}, {"device": 0x1234}, True),
                    ({"by_device": 1}, {"device": 0x1235}, False),
                    ({"by_pasid": 1, "by_ft": 1}, {"pasid": 0x54321, "ft": 1}, True),
                    ({"by_pasid": 1, "by_ft": 1}, {"pasid": 0x54321, "ft": 0}, False),
                    ({}, {}, True)):
                await fill(ctx, dut, KEY, INFO, 1)
                assert (await look_up(ctx, dut, KEY))[0] == INFO
                ctx.set(dut.invalidation, {**by, **operands})
                for number in range(1 if natural else CONFIG.walk_entries // 2):
                    ctx.set(dut.key, {**KEY, **operands})
                    ctx.set(dut.scan.natural, natural)
                    ctx.set(dut.scan.set, number)
                    ctx.set(dut.scan.valid, 1)
                    await ctx.tick()
                    ctx.set(dut.scan.valid, 0)
                    while ctx.get(dut.scan.busy):
                        await ctx.tick()
                found = (await look_up(ctx, dut, KEY))[0]
                if not natural or operands.items() <= KEY.items():
                    assert found == (None if covered else INFO), (natural, by, operands)
    run(scenario)
