from collections import deque

import pytest

from siommu.queues import MultiQueue

from .simulate import seeded, simulate


@pytest.mark.parametrize("queues, depth", [(1, 2), (3, 8), (14, 96), (5, 12)])
def test_against_deques(queues, depth):
    """Random pushes and pops, also of one queue in one cycle, against as many deques."""
    dut = MultiQueue(16, queues=queues, depth=depth)
    rng = seeded(f"queues/{queues}/{depth}")

    async def bench(ctx):
        model = [deque() for _ in range(queues)]
        expected, seen_full = None, False
        for cycle in range(3000):
            held = sum(map(len, model))
            seen_full |= held == depth
            busy = .9 if cycle // 300 % 2 else .4
            waiting = [i for i in range(queues) if model[i]]
            assert ctx.get(dut.waiting) == sum(1 << i for i in waiting)
            if expected is not None:
                assert ctx.get(dut.popped) == expected
            push, pop = held < depth and rng.random() < busy, waiting and rng.random() < .6
            target, value = rng.randrange(queues), rng.getrandbits(16)
            ctx.set(dut.push, bool(push))
            ctx.set(dut.push_queue, target)
            ctx.set(dut.push_data, value)
            ctx.set(dut.pop, bool(pop))
            if pop:
                source = rng.choice(waiting)
                ctx.set(dut.pop_queue, source)
                assert (ctx.get(dut.first[source]) == ctx.get(dut.last[source])) \
                    == (len(model[source]) == 1)
                expected = model[source].popleft()
            if push:
                model[target].append(value)
            await ctx.tick()
        assert seen_full, "the test never filled the memory"

    simulate(dut, bench)
