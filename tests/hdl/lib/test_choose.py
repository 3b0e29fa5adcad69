import pytest
from amaranth.hdl import Module, Signal

from siommu.lib.choose import RoundRobin, RoundRobinAhead, lowest, one_hot_index

from ...support.simulate import seeded, simulate


def test_lowest_and_index():
    m = Module()
    bits, low, index = Signal(6), Signal(6), Signal(3)
    m.d.comb += [low.eq(lowest(bits)), index.eq(one_hot_index(low))]

    async def bench(ctx):
        for value in range(64):
            ctx.set(bits, value)
            await ctx.delay(1e-9)
            assert ctx.get(low) == value & -value
            if value:
                assert ctx.get(index) == (value & -value).bit_length() - 1
    m.d.sync += Signal().eq(0)
    simulate(m, bench)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_round_robin(count):
    m = Module()
    m.submodules.dut = dut = RoundRobin(count)

    async def bench(ctx):
        everybody = (1 << count) - 1
        order = list(range(count))      # whoever was served longest ago, first
        for requests in [everybody] * (2 * count) + list(range(1 << min(count, 5))) * 2:
            ctx.set(dut.requests, requests)
            ctx.set(dut.taken, 1)
            expected = next((i for i in order if requests >> i & 1), None)
            if expected is None:
                assert ctx.get(dut.grant) == 0
            else:
                assert ctx.get(dut.grant) == 1 << expected
                assert ctx.get(dut.index) == expected
                order.remove(expected)
                order.append(expected)
            await ctx.tick()
    m.d.sync += Signal().eq(0)
    simulate(m, bench)


def test_round_robin_waits_for_taken():
    dut = RoundRobin(3)

    async def bench(ctx):
        ctx.set(dut.requests, 0b111)
        for _ in range(3):
            assert ctx.get(dut.grant) == 0b001
            await ctx.tick()
        ctx.set(dut.taken, 1)
        await ctx.tick()
        assert ctx.get(dut.grant) == 0b010

    simulate(dut, bench)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_round_robin_ahead_grants_the_same_from_a_register(count):
    m = Module()
    m.submodules.ahead = ahead = RoundRobinAhead(count)
    m.submodules.model = model = RoundRobin(count)
    rng = seeded(f"choose/ahead/{count}")

    async def bench(ctx):
        requests = 0
        ctx.set(model.taken, 1)
        for _ in range(300):
            following, blocked = rng.getrandbits(count), rng.random() < 0.2
            ctx.set(model.requests, requests)
            ctx.set(ahead.requests, following)
            ctx.set(ahead.blocked, blocked)
            assert ctx.get(ahead.grant) == ctx.get(model.grant)
            announced = ctx.get(ahead.next)
            await ctx.tick()
            assert ctx.get(ahead.grant) == announced
            requests = 0 if blocked else following

    simulate(m, bench)
