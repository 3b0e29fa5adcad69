from amaranth.lib import data

from siommu.cache import ContextCache

from .simulate import seeded, simulate


async def fill(ctx, dut, key, value):
    ctx.set(dut.fill, 1)
    ctx.set(dut.fill_key, key)
    ctx.set(dut.fill_value, value)
    await ctx.tick()
    ctx.set(dut.fill, 0)
    await ctx.tick().repeat(2)


async def look_up(ctx, dut, key):
    ctx.set(dut.key, key)
    await ctx.tick()
    return ctx.get(dut.value) if ctx.get(dut.hit) else None


def test_holds_the_latest_and_renews():
    dut = ContextCache(key=8, value=16, entries=3)

    async def bench(ctx):
        for key in range(5):
            await fill(ctx, dut, key, key * 100)
        assert [await look_up(ctx, dut, key) for key in range(6)] == [None, None, 200, 300, 400,
                                                                      None]
        await fill(ctx, dut, 3, 999)
        assert [await look_up(ctx, dut, key) for key in (2, 3, 4)] == [200, 999, 400]

    simulate(dut, bench)


def test_flush_drops_a_fill_under_way():
    dut = ContextCache(key=8, value=16, entries=2)

    async def bench(ctx):
        for delay in range(3):
            ctx.set(dut.fill, 1)
            ctx.set(dut.fill_key, 5)
            ctx.set(dut.flush, delay == 0)
            await ctx.tick()
            ctx.set(dut.fill, 0)
            for cycle in range(1, 5):
                ctx.set(dut.flush, delay == cycle)
                await ctx.tick()
            assert await look_up(ctx, dut, 5) is None, f"flush {delay} cycles after the fill"

    simulate(dut, bench)


def test_random_fills_every_cycle():
    """A value always belongs to its key, however closely fills and look-ups follow each other."""
    for entries in (1, 2, 4):
        dut = ContextCache(key=8, value=16, entries=entries)
        rng = seeded(f"cache/{entries}")
        hits = 0

        async def bench(ctx):
            nonlocal hits
            version, key = [{0} for _ in range(8)], 0
            for _ in range(2000):
                if ctx.get(dut.hit):
                    hits += 1
                    value = ctx.get(dut.value)
                    assert value >> 8 == key and value & 0xff in version[key]
                key = rng.randrange(8)
                ctx.set(dut.key, key)
                filled, number = rng.randrange(8), rng.getrandbits(8)
                busy = rng.random() < .7
                ctx.set(dut.fill, busy)
                ctx.set(dut.fill_key, filled)
                ctx.set(dut.fill_value, filled << 8 | number)
                if busy:
                    version[filled].add(number)
                ctx.set(dut.flush, rng.random() < .02)
                await ctx.tick()

        simulate(dut, bench)
        assert hits > 50


def test_drop():
    """Entries that agree in the selected fields are dropped, and no others."""
    rng = seeded("cache/drop")
    key = data.StructLayout({"ft": 1, "device": 3, "pasid": 4})
    dut = ContextCache(key=key, value=16, entries=8)

    async def bench(ctx):
        for _ in range(60):
            held = {}
            for number in range(8):
                fields = rng.randrange(2), rng.randrange(2), rng.randrange(2)
                held[fields] = number
                await fill(ctx, dut, dict(zip(("ft", "device", "pasid"), fields)), number)
            wanted, by = [rng.randrange(2) for _ in range(3)], rng.randrange(8)
            ctx.set(dut.drop_key, dict(zip(("ft", "device", "pasid"), wanted)))
            ctx.set(dut.drop_by, by)
            ctx.set(dut.drop, 1)
            await ctx.tick()
            ctx.set(dut.drop, 0)
            for fields, number in held.items():
                gone = all(not by >> index & 1 or fields[index] == wanted[index]
                           for index in range(3))
                found = await look_up(ctx, dut, dict(zip(("ft", "device", "pasid"), fields)))
                assert found == (None if gone else number), (fields, wanted, by)
            ctx.set(dut.flush, 1)
            await ctx.tick()
            ctx.set(dut.flush, 0)

    simulate(dut, bench, cycles=5000)
