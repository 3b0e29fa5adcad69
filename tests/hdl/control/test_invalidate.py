"""The invalidator, beside a pipeline and stores that take their time."""

import pytest

from siommu.arch.config import Config
from siommu.control.invalidate import Invalidator
from siommu.pipeline.timetable import DRAIN

from ...support.simulate import seeded, simulate

EXACT = {"by_device": 1, "by_pasid": 1, "by_ft": 1, "by_addr": 1}


async def invalidate(ctx, dut, rng, request):
    """One invalidation, whose steps are taken and scanned at random. Returns the (step, exact) of
    those that arrived, and how often the contexts were dropped."""
    steps, drops = [], 0
    ctx.set(dut.request, request)
    await ctx.tick()
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    assert ctx.get(dut.begins) and ctx.get(dut.active)
    since = scans = way = 0         # since the beginning; cycles left to scan, to the caches
    last = 0
    for _ in range(5000):
        asks, arrives = ctx.get(dut.asks), way == 1
        taken = asks and rng.random() < .5
        scanning = scans > 0
        ctx.set(dut.scanning, scanning)
        if scanning:
            assert not ctx.get(dut.asks), "it waits for what is being scanned"
            taken = False
        assert not (asks and way), "one step at a time"
        ctx.set(dut.taken, taken)
        ctx.set(dut.arrives, arrives)
        if arrives:
            assert since > DRAIN, "what was decided before has landed"
            assert not steps or since - last >= 5
            steps.append((ctx.get(dut.step), ctx.get(dut.exact)))
            last = since
            scans = rng.randint(2, 8) + 1
        way = 2 if taken else max(way - 1, 0)
        scans = max(scans - 1, 0)
        drops += ctx.get(dut.drop)
        if scanning:
            quiet = since
        if ctx.get(dut.done):
            assert not ctx.get(dut.active)
            assert since - quiet >= DRAIN, "look-ups of before have left the pipeline"
            await ctx.tick()
            assert not ctx.get(dut.done), "for one cycle"
            return steps, drops
        assert ctx.get(dut.active)
        await ctx.tick()
        assert not ctx.get(dut.begins), "for one cycle"
        since += 1
    raise AssertionError("it is never done")


@pytest.mark.parametrize("config, count", [
    (Config(walk_entries=4, l2_entries=0), 2), (Config(walk_entries=64, l2_entries=128), 32),
    (Config(walk_entries=4, l2_entries=512), 16)])
def test_steps(config, count):
    """Every set of the largest store, once each and in order; one step for a single line; contexts
    are dropped once if they are asked for."""
    dut, rng = Invalidator(config), seeded(f"invalidate/{count}")

    async def bench(ctx):
        for n in range(6):
            for chosen in range(16):
                request = {name: chosen >> bit & 1 for bit, name in enumerate(EXACT)}
                request |= {"n": n, "context": rng.getrandbits(1)}
                if chosen not in (0, 7, 11, 13, 14, 15):
                    continue
                if chosen != 15 and n not in (0, 5):
                    continue
                steps, drops = await invalidate(ctx, dut, rng, request)
                assert drops == request["context"]
                if chosen == 15 and n <= 3:
                    assert len(steps) == 1 and steps[0][1] == 1, "its set is known"
                else:
                    assert steps == [(step, 0) for step in range(count)]

    simulate(dut, bench, cycles=60_000)


@pytest.mark.parametrize("breach, sentence", [
    ("request", "stays until it is done"), ("start", "one invalidation at a time"),
    ("taken", "taken when the invalidation asks")])
def test_rules_of_an_invalidation(breach, sentence):
    """The contracts: a request that changes, one that begins too early, and a step that nothing
    asked for are told of."""
    dut = Invalidator(Config())

    async def bench(ctx):
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick()
        ctx.set(dut.request.n if breach == "request" else getattr(dut, breach), 1)
        await ctx.tick()

    with pytest.raises(AssertionError, match=sentence):
        simulate(dut, bench)
