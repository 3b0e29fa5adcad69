"""Arithmetic of gates: every number of a few bits."""

from amaranth.hdl import Module, Signal

from siommu.lib.arithmetic import above, follows, one_less, one_more, small_sum

from ...support.simulate import simulate

BITS = 4


def test_every_pair_of_numbers():
    m, number, other = Module(), Signal(BITS), Signal(BITS)
    results = {"more": one_more(number), "less": one_less(number),
               "sum": small_sum(number, other), "follows": follows(number, other),
               **{f"above {limit}": above(number, limit) for limit in range(2 << BITS)}}
    found = {}
    for name, value in results.items():
        found[name] = Signal(len(value), name=f"found_{name}".replace(" ", "_"))
        m.d.comb += found[name].eq(value)
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for left in range(1 << BITS):
            for right in range(1 << BITS):
                ctx.set(number, left)
                ctx.set(other, right)
                await ctx.delay(1e-9)
                expected = {"more": (left + 1) % (1 << BITS), "less": (left - 1) % (1 << BITS),
                            "sum": left + right, "follows": right == (left + 1) % (1 << BITS),
                            **{f"above {limit}": left > limit for limit in range(2 << BITS)}}
                assert {name: ctx.get(signal) for name, signal in found.items()} == expected

    simulate(m, bench)
