from collections import deque

import pytest

from siommu.ports import PortEgress, PortIngress

from .simulate import seeded, simulate


def test_ingress_latency_and_limit():
    dut = PortIngress(4)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.requests.ready, 1)
        ctx.set(dut.port.valid, 1)
        for number in range(4):
            assert ctx.get(dut.port.ready)
            ctx.set(dut.port.payload, {"tag": number})
            # in the cycle of its handshake
            assert ctx.get(dut.requests.valid) and ctx.get(dut.requests.payload.tag) == number
            await ctx.tick()
        for _ in range(3):
            assert not ctx.get(dut.port.ready), "more than its depth outstanding"
            assert ctx.get(dut.active) and not ctx.get(dut.requests.valid)
            await ctx.tick()
        ctx.set(dut.retired, 1)
        await ctx.tick()
        ctx.set(dut.retired, 0)
        assert ctx.get(dut.port.ready)
        await ctx.tick()
        ctx.set(dut.port.valid, 0)
        ctx.set(dut.retired, 1)
        await ctx.tick().repeat(4)
        assert not ctx.get(dut.active)

    simulate(dut, bench)


def test_disabled_ingress_accepts_nothing():
    dut = PortIngress(4)

    async def bench(ctx):
        ctx.set(dut.port.valid, 1)
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.port.ready) and not ctx.get(dut.requests.valid)

    simulate(dut, bench)


def test_a_slow_core_holds_the_port():
    dut = PortIngress(8)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.port.valid, 1)
        taken = 0
        for number in range(10):
            ctx.set(dut.port.payload, {"tag": number})
            taken += ctx.get(dut.port.ready)
            assert ctx.get(dut.requests.valid) and ctx.get(dut.requests.payload.tag) == 0
            await ctx.tick()
        assert taken == 1, "the ingress holds one request"
        # it leaves, and the next one, offered meanwhile, comes behind it
        ctx.set(dut.requests.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.port.ready) and ctx.get(dut.requests.payload.tag) == 9

    simulate(dut, bench)


@pytest.mark.parametrize("enabled", [True, False])
def test_egress_keeps_the_order(enabled):
    """Beats of both paths leave in the order written, whole, once each; credits are exact."""
    depth = 8
    dut = PortEgress(depth)
    rng = seeded(f"egress/{enabled}")

    async def bench(ctx):
        ctx.set(dut.enable, enabled)
        promised, written, number = 0, deque(), 0
        was_stuck = None
        for _ in range(3000):
            unused = depth - promised - len(written)
            assert ctx.get(dut.credits) == (unused > 0), "credits are exact"
            assert ctx.get(dut.plenty) == (unused > 1)
            take = rng.randint(0, min(2, depth - promised - len(written)))
            ctx.set(dut.take, take)
            hit = promised > 0 and rng.random() < .5
            miss = promised > hit and rng.random() < .5
            ctx.set(dut.hit.valid, hit)
            ctx.set(dut.miss.valid, miss)
            ready = rng.random() < .6
            ctx.set(dut.port.ready, ready)
            valid = ctx.get(dut.port.valid)
            assert valid == (enabled and bool(written))
            left = written[0] if written else None
            if valid:
                assert (ctx.get(dut.port.payload.addr), ctx.get(dut.port.payload.last)) == left
                assert was_stuck in (None, left), "the payload changed while it waited"
            goes = bool(written) and (ready or not enabled)
            was_stuck = left if valid and not ready else None
            assert ctx.get(dut.retired) == bool(goes and left[1])
            for path, busy in ((dut.hit, hit), (dut.miss, miss)):
                beat = (number, rng.getrandbits(1))
                ctx.set(path.payload, {"addr": beat[0], "last": beat[1]})
                if busy:
                    written.append(beat)
                    number += 1
            promised += take - hit - miss
            if goes:
                written.popleft()
            await ctx.tick()
        assert number > 500

    simulate(dut, bench)
