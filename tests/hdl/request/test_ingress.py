"""The entrances of the ports: order, limit, and what is outstanding."""

from collections import deque

import pytest

from siommu.request.ingress import PortIngress, SoftwareIngress

from ...support.simulate import seeded, simulate


def test_ingress_latency_and_limit():
    dut = PortIngress(4)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.requests.ready, 1)
        ctx.set(dut.port.valid, 1)
        for number in range(4):
            assert ctx.get(dut.port.ready) and ctx.get(dut.stays)
            ctx.set(dut.port.payload, {"tag": number})
            # the one of the cycle before
            assert ctx.get(dut.requests.valid) == (number > 0)
            assert not number or ctx.get(dut.requests.payload.tag) == number - 1
            await ctx.tick()
        assert ctx.get(dut.requests.valid) and ctx.get(dut.requests.payload.tag) == 3
        for _ in range(3):
            assert not ctx.get(dut.port.ready), "more than its depth outstanding"
            assert ctx.get(dut.active) and not ctx.get(dut.stays)
            await ctx.tick()
            assert not ctx.get(dut.requests.valid)
        ctx.set(dut.retired, 1)
        await ctx.tick()
        ctx.set(dut.retired, 0)
        assert ctx.get(dut.port.ready)
        await ctx.tick()
        assert not ctx.get(dut.port.ready)
        ctx.set(dut.port.valid, 0)
        ctx.set(dut.retired, 1)
        await ctx.tick().repeat(4)
        assert not ctx.get(dut.active)

    simulate(dut, bench)


def test_ingress_takes_what_it_says():
    """Requests leave in order, once each; ``stays`` tells the next cycle; the limit is exact."""
    depth = 4
    dut = PortIngress(depth)
    rng = seeded("ingress")

    async def bench(ctx):
        inside, outstanding, number, left = deque(), 0, 0, 0
        for _ in range(3000):
            enabled, offers, takes = rng.random() < .9, rng.random() < .7, rng.random() < .6
            retires = outstanding > len(inside) and rng.random() < .4
            ctx.set(dut.enable, enabled)
            ctx.set(dut.port.valid, offers)
            ctx.set(dut.port.payload, {"tag": number % 256, "addr": number})
            ctx.set(dut.requests.ready, takes)
            ctx.set(dut.retired, retires)
            ready = ctx.get(dut.port.ready)
            assert ready == (enabled and len(inside) < 2 and outstanding < depth)
            assert ctx.get(dut.requests.valid) == bool(inside)
            assert ctx.get(dut.active) == bool(outstanding)
            if inside:
                assert ctx.get(dut.requests.payload.addr) == inside[0]
            assert ctx.get(dut.stays) == (len(inside) - 1 + (offers and ready) > 0
                                          or (not inside and offers and ready))
            if inside and takes:
                inside.popleft()
                left += 1
            if offers and ready:
                inside.append(number)
                number += 1
            outstanding += (offers and ready) - retires
            await ctx.tick()
        assert left > 500

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
        taken = []
        for number in range(10):
            ctx.set(dut.port.payload, {"tag": number})
            if ctx.get(dut.port.ready):
                taken.append(number)
            await ctx.tick()
        assert taken == [0, 1], "the ingress holds two requests"
        # they leave, and the next one, offered meanwhile, comes behind them
        ctx.set(dut.requests.ready, 1)
        for expected in (0, 1, 9):
            assert ctx.get(dut.requests.valid) and ctx.get(dut.requests.payload.tag) == expected
            await ctx.tick()

    simulate(dut, bench)


def test_software_is_active_until_its_last_beat():
    dut = SoftwareIngress()

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        for outstanding in range(2):
            ctx.set(dut.port.payload, {"tag": outstanding, "addr": 7})
            ctx.set(dut.port.valid, 1)
            await ctx.delay(1e-9)
            assert ctx.get(dut.requests.valid) and not ctx.get(dut.port.ready)
            assert ctx.get(dut.requests.payload.tag) == outstanding
            await ctx.tick()
            assert ctx.get(dut.active) == bool(outstanding)
            ctx.set(dut.requests.ready, 1)
            await ctx.delay(1e-9)
            assert ctx.get(dut.port.ready) and not ctx.get(dut.stays)
            await ctx.tick()
            ctx.set(dut.requests.ready, 0)
            ctx.set(dut.port.valid, 0)
        ctx.set(dut.retired, 1)
        await ctx.tick()
        assert ctx.get(dut.active)
        await ctx.tick()
        assert not ctx.get(dut.active)

    simulate(dut, bench)


@pytest.mark.parametrize("make", [lambda: PortIngress(4), SoftwareIngress])
def test_what_retires_is_outstanding(make):
    """The contract: a last beat that no request is outstanding for is told of."""
    dut = make()

    async def bench(ctx):
        ctx.set(dut.retired, 1)
        await ctx.tick()

    with pytest.raises(AssertionError, match="outstanding until its last beat"):
        simulate(dut, bench)
