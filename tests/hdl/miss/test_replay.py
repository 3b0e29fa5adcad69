"""Where operations wait: order, who may leave, and that nothing is lost."""

from collections import deque

import pytest

from siommu.arch.config import Config
from siommu.miss.replay import Reason, ReplayQueue

from ...support.simulate import seeded, simulate

CONFIG = Config(device_ports=2, cpu_port=False, port_depth=8, walks=2)
JOINED, WANTS, CONTINUES = Reason.JOINED, Reason.WANTS, Reason.CONTINUES


def run(scenario, config=CONFIG, cycles=2000):
    dut = ReplayQueue(config)

    async def bench(ctx):
        ctx.set(dut.retry.operation.ready, 1)
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=cycles)


async def push(ctx, dut, reason, port, tag, slot=0):
    for name, value in (("push", 1), ("reason", reason), ("port", port), ("slot", slot)):
        ctx.set(getattr(dut.waits, name), value)
    await ctx.tick()
    ctx.set(dut.waits.push, 0)
    ctx.set(dut.operation, {"port": port, "tag": tag, "slot": slot, "addr": tag << 12,
                            "pasid": 0xABCDE, "claims": reason == JOINED})


async def leaving(ctx, dut, cycles=14):
    """(port, tag, reserved) of what leaves within some cycles."""
    found = []
    for _ in range(cycles):
        if ctx.get(dut.retry.operation.valid):
            operation = ctx.get(dut.retry.operation.payload)
            assert operation.addr == operation.tag << 12 and operation.pasid == 0xABCDE
            found.append((operation.port, operation.tag, operation.reserved))
        await ctx.tick()
    return found


def test_joiners_leave_when_their_slot_is_settled():
    async def scenario(ctx, dut):
        for tag, slot in enumerate((2, 2, 1)):
            await push(ctx, dut, JOINED, 0, tag, slot)
        await push(ctx, dut, JOINED, 1, 9, 2)
        assert await leaving(ctx, dut) == []
        ctx.set(dut.settled, 1 << 1)
        assert await leaving(ctx, dut) == [], "one behind another stays in order"
        ctx.set(dut.settled, 1 << 2)
        assert sorted(await leaving(ctx, dut, 30)) == [(0, 0, 0), (0, 1, 0), (1, 9, 0)]
        ctx.set(dut.settled, 1 << 1)
        assert await leaving(ctx, dut) == [(0, 2, 0)]
    run(scenario)


def test_overdue_ports_let_the_first_one_go():
    async def scenario(ctx, dut):
        await push(ctx, dut, JOINED, 0, 1, slot=2)
        await push(ctx, dut, JOINED, 1, 2, slot=2)
        ctx.set(dut.overdue, 0b10)
        assert await leaving(ctx, dut) == [(1, 2, 0)]
        ctx.set(dut.overdue, 0)
        assert await leaving(ctx, dut) == []
    run(scenario)


@pytest.mark.parametrize("reason", [WANTS, CONTINUES])
def test_slots_and_credits(reason):
    """One leaves for each cycle in which its port may, and it is said who took it."""
    async def scenario(ctx, dut):
        allowed = dut.slot_for if reason == WANTS else dut.credits.some
        other = dut.credits.some if reason == WANTS else dut.slot_for
        taken = dut.slot_taken if reason == WANTS else dut.credits.taken
        waits = dut.wants if reason == WANTS else dut.credits.rests
        for tag in range(3):
            await push(ctx, dut, reason, 1, tag)
        await ctx.tick()
        assert ctx.get(waits) == 0b10
        ctx.set(other, 0b11)
        ctx.set(allowed, 0b01)
        assert await leaving(ctx, dut) == []
        for tag in range(3):
            ctx.set(allowed, 0b10)
            while not ctx.get(taken):
                await ctx.tick()
            assert ctx.get(taken) == 0b10
            await ctx.tick()
            ctx.set(allowed, 0)
            assert await leaving(ctx, dut) == [(1, tag, reason == WANTS)]
        assert ctx.get(waits) == 0
    run(scenario)


def test_a_stalled_arbiter_loses_nothing():
    async def scenario(ctx, dut):
        ctx.set(dut.retry.operation.ready, 0)
        ctx.set(dut.credits.some, 0b11)
        for tag in range(8):
            await push(ctx, dut, CONTINUES, tag & 1, tag)
        await ctx.tick().repeat(20)
        before = ctx.get(dut.retry.operation.payload)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.retry.operation.valid) and ctx.get(dut.retry.operation.payload) == before
        ctx.set(dut.retry.operation.ready, 1)
        found = await leaving(ctx, dut, 30)
        for port in (0, 1):
            assert [tag for p, tag, _ in found if p == port] == list(range(port, 8, 2))
    run(scenario)


def test_a_credit_is_kept_for_a_rest_from_the_first_cycle_on():
    """Rests that come at any distance, and one that leaves among them."""
    async def scenario(ctx, dut):
        for distance in range(6):
            ctx.set(dut.credits.some, 0)
            for tag in range(2):
                await push(ctx, dut, CONTINUES, 1, tag)
                for _ in range(distance + 3 * tag):
                    assert ctx.get(dut.credits.rests) == 1 << 1
                    await ctx.tick()
            ctx.set(dut.credits.some, 1 << 1)
            taken = 0
            for _ in range(20):
                rests = ctx.get(dut.credits.rests)
                assert rests == 1 << 1 or taken == 2 or ctx.get(dut.credits.taken)
                taken += ctx.get(dut.credits.taken) == 1 << 1
                await ctx.tick()
            assert taken == 2 and ctx.get(dut.credits.rests) == 0
    run(scenario)


@pytest.mark.parametrize("config", [CONFIG, Config(device_ports=4, port_depth=4, walks=3)],
                         ids=["two", "five"])
def test_random_traffic(config):
    """Every operation leaves once, in the order of its queue, and joiners only when they may."""
    ports, rng = config.ports, seeded(f"replay/{config.ports}")

    async def scenario(ctx, dut):
        queues = {(reason, port): deque() for reason in Reason for port in range(ports)}
        inside, number, left, operation_of_before = [0] * ports, 0, 0, {}
        may = deque([(0, 0)] * 12, maxlen=12)       # (settled, overdue) of the last cycles
        for cycle in range(3000):
            draining = cycle > 2600
            settled = (1 << config.walk_slots) - 1 if draining else \
                rng.getrandbits(config.walk_slots) & rng.getrandbits(config.walk_slots)
            overdue = rng.getrandbits(ports) if rng.random() < .1 else 0
            if cycle % 8 == 0 or draining:          # as slots do, for some time
                ctx.set(dut.settled, settled)
                may.append((settled, overdue))
                ctx.set(dut.overdue, overdue)
            ctx.set(dut.slot_for, (1 << ports) - 1 if draining else rng.getrandbits(ports))
            ctx.set(dut.credits.some, (1 << ports) - 1 if draining else rng.getrandbits(ports))
            ready = draining or rng.random() < .8
            ctx.set(dut.retry.operation.ready, ready)
            if ready and ctx.get(dut.retry.operation.valid):
                operation = ctx.get(dut.retry.operation.payload)
                port, tag = operation.port, operation.tag
                reason = next(reason for reason in Reason
                              if queues[reason, port] and queues[reason, port][0][0] == tag)
                _, slot = queues[reason, port].popleft()
                assert operation.reserved == (reason == WANTS)
                if reason == JOINED:
                    assert any(s >> slot & 1 or o >> port & 1 for s, o in may), "too early"
                inside[port] -= 1
                left += 1
            port = rng.randrange(ports)
            pushes = not draining and inside[port] < config.port_depth and rng.random() < .6
            ctx.set(dut.operation, operation_of_before)
            ctx.set(dut.waits.push, pushes)
            if pushes:
                reason, slot = rng.choice(list(Reason)), rng.randrange(config.walk_slots)
                tag, number = number % 256, number + 1
                ctx.set(dut.waits.reason, reason)
                ctx.set(dut.waits.port, port)
                ctx.set(dut.waits.slot, slot)
                operation_of_before = {"port": port, "tag": tag, "slot": slot}
                queues[reason, port].append((tag, slot))
                inside[port] += 1
            await ctx.tick()
        assert left == number > 400, (left, number)

    run(scenario, config, cycles=4000)
