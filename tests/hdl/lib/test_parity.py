"""Parity: what is guarded comes back, and each bit that flips is noticed."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from siommu.lib.parity import guarded, guarded_bits, parity_sums, sound, unguarded

from ...support.simulate import seeded


@pytest.mark.parametrize("width", [1, 14, 15, 16, 30, 47])
def test_every_bit_is_watched(width):
    rng = seeded(f"parity/{width}")
    value, flipped, word = Signal(width), Signal(guarded_bits(width)), Signal(guarded_bits(width))
    m = Module()
    assert len(guarded(value)) == guarded_bits(width)
    back, whole = Signal(width), Signal()
    m.d.comb += [word.eq(guarded(value) ^ flipped), back.eq(unguarded(word)),
                 whole.eq(sound(parity_sums(word)))]
    simulator = Simulator(m)

    async def bench(ctx):
        for _ in range(10):
            number = rng.getrandbits(width)
            ctx.set(value, number)
            ctx.set(flipped, 0)
            assert ctx.get(back) == number and ctx.get(whole)
            for bit in range(guarded_bits(width)):
                ctx.set(flipped, 1 << bit)
                assert not ctx.get(whole), f"bit {bit}"

    simulator.add_testbench(bench)
    simulator.run()
