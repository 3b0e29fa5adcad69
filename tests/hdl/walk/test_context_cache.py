import pytest
from amaranth.lib import data

from siommu.walk.context_cache import FILL_CYCLES, ContextCache

from ...support.simulate import seeded, simulate


async def fill(ctx, dut, key, value):
    ctx.set(dut.fill.valid, 1)
    ctx.set(dut.fill.payload, {"key": key, "value": value})
    await ctx.tick()
    ctx.set(dut.fill.valid, 0)
    await ctx.tick().repeat(FILL_CYCLES - 1)


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
        for delay in range(4):
            ctx.set(dut.fill.valid, 1)
            ctx.set(dut.fill.payload.key, 5)
            ctx.set(dut.flush, delay == 0)
            await ctx.tick()
            ctx.set(dut.fill.valid, 0)
            for cycle in range(1, 6):
                ctx.set(dut.flush, delay == cycle)
                await ctx.tick()
            assert await look_up(ctx, dut, 5) is None, f"flush {delay} cycles after the fill"

    simulate(dut, bench)


def test_random_fills_as_close_as_can_be():
    """A value always belongs to its key, however closely fills and look-ups follow each other."""
    for entries in (1, 2, 4):
        dut = ContextCache(key=8, value=16, entries=entries)
        rng = seeded(f"cache/{entries}")
        hits = 0

        async def bench(ctx):
            nonlocal hits
            version, key, since = [{0} for _ in range(8)], 0, FILL_CYCLES
            for _ in range(4000):
                if ctx.get(dut.hit):
                    hits += 1
                    value = ctx.get(dut.value)
                    assert value >> 8 == key and value & 0xff in version[key]
                key = rng.randrange(8)
                ctx.set(dut.key, key)
                busy = since >= FILL_CYCLES and rng.random() < .7
                since = 1 if busy else since + 1
                ctx.set(dut.fill.valid, busy)
                if busy:        # it stays behind it
                    filled, number = rng.randrange(8), rng.getrandbits(8)
                    ctx.set(dut.fill.payload.key, filled)
                    ctx.set(dut.fill.payload.value, filled << 8 | number)
                    version[filled].add(number)
                ctx.set(dut.flush, rng.random() < .02)
                await ctx.tick()

        simulate(dut, bench)
        assert hits > 50


def test_fills_keep_their_distance():
    """The contract: a fill that comes too soon is told of."""
    for distance in range(1, FILL_CYCLES + 1):
        dut = ContextCache(key=8, value=16, entries=2)

        async def bench(ctx):
            for cycle in range(distance + 2):
                ctx.set(dut.fill.valid, cycle in (0, distance))     # noqa: B023 - called at once
                await ctx.tick()

        if distance == FILL_CYCLES:
            simulate(dut, bench)
        else:
            with pytest.raises(AssertionError, match="FILL_CYCLES apart"):
                simulate(dut, bench)


FIELDS = data.StructLayout({"ft": 1, "device": 2, "pasid": 2})


def test_drop():
    """Drops what agrees in the selected fields, and nothing else that was there."""
    dut, rng = ContextCache(key=FIELDS, value=16, entries=4), seeded("cache/drop")
    names = ["ft", "device", "pasid"]

    async def bench(ctx):
        kept = gone = 0
        for _ in range(150):
            ctx.set(dut.flush, 1)
            await ctx.tick()
            ctx.set(dut.flush, 0)
            keys = [{"ft": rng.getrandbits(1), "device": rng.randrange(3),
                     "pasid": rng.randrange(3)} for _ in range(4)]
            for number, key in enumerate(keys):
                await fill(ctx, dut, key, number)
            await ctx.tick().repeat(2)
            selected = rng.randrange(8)
            target = rng.choice(keys) if rng.random() < .8 else {name: 3 for name in names[1:]}
            target.setdefault("ft", 0)
            ctx.set(dut.drop, 1)
            ctx.set(dut.drop_key, target)
            ctx.set(dut.drop_by, selected)
            await ctx.tick()
            ctx.set(dut.drop, 0)
            await ctx.tick().repeat(2)
            for key in keys:
                covered = all(key[name] == target[name] for bit, name in enumerate(names)
                              if selected >> bit & 1)
                found = await look_up(ctx, dut, key)
                assert (found is None) == covered, (key, target, selected)
                kept, gone = kept + (not covered), gone + covered
        assert kept > 50 and gone > 50

    simulate(dut, bench)


def test_drop_of_a_fill_under_way():
    """A fill of the cycle of a drop, or of any before, does not outlive it."""
    dut = ContextCache(key=FIELDS, value=16, entries=2)

    async def bench(ctx):
        for delay in range(5):
            ctx.set(dut.fill.valid, 1)
            ctx.set(dut.fill.payload.key, {"device": 1})
            ctx.set(dut.drop_key, {"device": 1})
            ctx.set(dut.drop_by, 2)
            for cycle in range(7):
                ctx.set(dut.drop, cycle == delay)
                await ctx.tick()
                ctx.set(dut.fill.valid, 0)
            found = await look_up(ctx, dut, {"device": 1})
            assert found is None, f"{delay} cycles after the fill"
            ctx.set(dut.flush, 1)
            await ctx.tick()
            ctx.set(dut.flush, 0)

    simulate(dut, bench)
