"""A core that stops when a memory is damaged."""

import pytest
from amaranth import Signal

from siommu.arch.config import Config
from siommu.control.fail_stop import FailStop
from siommu.generate.ports import ports_of
from siommu.lib.watch import STOP_CYCLES, WATCH_CYCLES

from ...support.simulate import simulate


@pytest.mark.parametrize("which", [0, 4])
def test_it_stays_stopped(which):
    """From any damaged memory on, for ever."""
    damaged = [Signal(name=f"damaged_{index}") for index in range(5)]
    dut = FailStop(damaged)

    async def bench(ctx):
        await ctx.tick().repeat(10)
        assert not ctx.get(dut.stop)
        ctx.set(damaged[which], 1)
        await ctx.tick()
        ctx.set(damaged[which], 0)
        await ctx.tick().repeat(STOP_CYCLES - WATCH_CYCLES - 1)
        for _ in range(10):
            assert ctx.get(dut.stop)
            await ctx.tick()

    simulate(dut, bench)


def test_only_a_core_with_it_has_the_line():
    """``irq_damage`` is a port of a core with ``fail_stop``, and of no other."""
    for fail_stop in (False, True):
        config = Config(fail_stop=fail_stop)
        assert ("irq_damage" in [port.name for port in ports_of(config)]) == fail_stop
