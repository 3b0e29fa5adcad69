"""The invalidator with a mock of the pipeline around it."""

import pytest

from siommu.config import Config
from siommu.invalidate import SETTLING, Invalidator

from .simulate import seeded, simulate

CONFIG = Config(walk_entries=16, l2_entries=256)        # 8 sets each


async def invalidate(ctx, dut, rng, **request):
    """Runs one; returns the steps taken, the cycles it took, and whether contexts were dropped."""
    ctx.set(dut.request, request)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    assert ctx.get(dut.active) and ctx.get(dut.begins)
    steps, arriving, scanning, dropped = [], [], 0, 0
    for cycle in range(5000):
        arrives = bool(arriving) and arriving[0] == cycle
        taken = ctx.get(dut.asks) and not arriving and rng.random() < .5
        if ctx.get(dut.asks):
            assert not scanning and not arriving, "one step at a time"
        if taken:
            arriving.append(cycle + 2)
        if arrives:
            arriving.pop()
            steps.append(ctx.get(dut.step))
            scanning = rng.randrange(2, 9)
        elif scanning:
            scanning -= 1
        ctx.set(dut.taken, taken)
        ctx.set(dut.arrives, arrives)
        dropped += ctx.get(dut.drop)
        await ctx.tick()
        ctx.set(dut.scanning, scanning > 0)
        assert not ctx.get(dut.begins)
        if ctx.get(dut.done):
            assert not ctx.get(dut.active) and not scanning
            await ctx.tick()
            assert not ctx.get(dut.done)
            return steps, cycle, dropped
    raise AssertionError("it does not end")


@pytest.mark.parametrize("context", [0, 1])
def test_every_set_once(context):
    rng = seeded(f"invalidate/{context}")
    dut = Invalidator(CONFIG)

    async def bench(ctx):
        for _ in range(3):
            steps, cycles, dropped = await invalidate(ctx, dut, rng, context=context, by_device=1)
            assert steps == list(range(8)) == list(range(dut.steps))
            assert dropped == context
            assert cycles >= 2 * SETTLING
    simulate(dut, bench, cycles=5000)


def test_a_line_of_one_space_is_one_step():
    rng = seeded("invalidate/line")
    dut = Invalidator(CONFIG)
    chosen = {"by_device": 1, "by_pasid": 1, "by_ft": 1, "by_addr": 1}

    async def bench(ctx):
        for n in (0, 3):
            steps, _, dropped = await invalidate(ctx, dut, rng, n=n, **chosen)
            assert steps == [0] and not dropped and ctx.get(dut.exact)
        for request in ({**chosen, "n": 4}, *({**chosen, name: 0} for name in chosen)):
            steps, _, _ = await invalidate(ctx, dut, rng, **request)
            assert len(steps) == 8, request
    simulate(dut, bench, cycles=10_000)
