import pytest

from siommu.counters import TURNS, Counters

from .simulate import seeded, simulate

WIDTHS = {"cycles": 1, "single": 1, "several": 4, "many": 12}
NAMES = list(WIDTHS)


async def read(ctx, dut, index, high=0, model=None):
    """A word, and the cycles that it took."""
    ctx.set(dut.index, index)
    ctx.set(dut.high, high)
    ctx.set(dut.ask, 1)
    await ctx.tick()
    ctx.set(dut.ask, 0)
    for waited in range(TURNS + 5):
        if ctx.get(dut.done):
            value = ctx.get(dut.value)
            await ctx.tick()
            return value, waited
        await ctx.tick()
    raise AssertionError("no answer")


async def number(ctx, dut, index):
    low, _ = await read(ctx, dut, index)
    return low | (await read(ctx, dut, index, 1))[0] << 32


def test_exact_under_random_events():
    """After any script of events, freezing and clearing every counter holds what the model says."""
    rng = seeded("counters/random")
    dut = Counters(WIDTHS)

    async def bench(ctx):
        model = dict.fromkeys(NAMES, 0)
        for _ in range(40):
            for _ in range(rng.randrange(60)):
                events = {name: rng.getrandbits(width) * rng.randrange(2)
                          for name, width in WIDTHS.items() if name != "cycles"}
                freeze, clear = rng.random() < .1, rng.random() < .03
                ctx.set(dut.events, {"cycles": 0, **events})
                ctx.set(dut.freeze, freeze)
                ctx.set(dut.clear, clear)
                if clear:
                    model = dict.fromkeys(NAMES, 0)
                elif not freeze:
                    for name, count in events.items():
                        model[name] += count
                    model["cycles"] += 1
                await ctx.tick()
            ctx.set(dut.events, dict.fromkeys(NAMES, 0))
            ctx.set(dut.clear, 0)
            ctx.set(dut.freeze, 1)
            for index, name in enumerate(NAMES):
                assert await number(ctx, dut, index) == model[name], name
            assert ctx.get(dut.cycles) == model["cycles"]
    simulate(dut, bench, cycles=20_000)


def test_the_high_word_is_of_the_same_moment():
    """The high word was kept when the low one was read, for each counter by itself; without, 0."""
    dut = Counters(WIDTHS)

    async def bench(ctx):
        ctx.set(dut.freeze, 1)
        for index in range(len(NAMES)):
            assert (await read(ctx, dut, index, 1))[0] == 0
        ctx.set(dut.freeze, 0)
        await ctx.tick().repeat(TURNS + 2)
        totals = {1: 0x1_FFFF_FFFE, 3: 0x7_0000_0001}
        for index, value in totals.items():
            await poke(ctx, dut, index, value)
        assert await read(ctx, dut, 1) == (0xFFFF_FFFE, pytest.approx(8, abs=12))
        assert (await read(ctx, dut, 3))[0] == 1
        ctx.set(dut.events.single, 1)
        await ctx.tick().repeat(4 * TURNS)          # beyond 2^32
        ctx.set(dut.events.single, 0)
        assert (await read(ctx, dut, 1, 1))[0] == 1
        assert (await read(ctx, dut, 3, 1))[0] == 7
        assert (await read(ctx, dut, 1))[0] < 0x1000
        assert (await read(ctx, dut, 1, 1))[0] == 2
    simulate(dut, bench, cycles=2000)


async def poke(ctx, dut, index, value):
    """Sets a total, in a cycle in which nothing is written there."""
    memory = dut.totals
    while ctx.get(dut.turn) in (index, index + 1, index + 2):
        await ctx.tick()
    ctx.set(memory.data[index], value)


def test_overflow():
    """Beyond 2^64 there is one pulse, of that counter alone."""
    dut = Counters(WIDTHS)

    async def bench(ctx):
        await ctx.tick().repeat(TURNS + 2)
        await poke(ctx, dut, 2, (1 << 64) - 5)
        ctx.set(dut.events.several, 1)
        seen = 0
        for cycle in range(3 * TURNS):
            if cycle == 10:
                ctx.set(dut.events.several, 0)
            overflows = ctx.get(dut.overflows)
            assert overflows in (0, 1 << 2)
            seen += bool(overflows)
            await ctx.tick()
        assert seen == 1
        assert (await read(ctx, dut, 2))[0] == 5
    simulate(dut, bench, cycles=500)
