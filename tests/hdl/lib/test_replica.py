"""Copies of registers: they follow, and hold the complement."""

from amaranth import Module, Signal
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from siommu.lib.replica import inverted_copy

from ...support.simulate import seeded, simulate


class Copied(wiring.Component):
    value: In(5)
    plain: Out(5)
    reset: Out(5)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.plain.eq(inverted_copy(m, self.value, name="plain_n")),
                     self.reset.eq(inverted_copy(m, self.value, name="reset_n", init=0b10110))]
        return m


def test_a_copy_follows():
    dut, rng = Copied(), seeded("replica")

    async def bench(ctx):
        assert ctx.get(dut.reset) == 0b10110
        for _ in range(50):
            value = rng.getrandbits(5)
            ctx.set(dut.value, value)
            await ctx.tick()
            assert ctx.get(dut.plain) == ctx.get(dut.reset) == value

    simulate(dut, bench)


def test_a_copy_holds_the_complement():
    """Else synthesis merges it with the register beside it."""
    m, value = Module(), Signal(5)
    copy = inverted_copy(m, value, name="copy", init=0b10110)
    held, = copy.operands
    assert copy.operator == "~" and held.name == "copy" and held.init == 0b01001
    assert not held.reset_less
    plain, = inverted_copy(m, value, name="plain").operands
    assert plain.reset_less
    Fragment.get(m, None)       # else Amaranth says that it was never used
