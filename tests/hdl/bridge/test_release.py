import pytest

from siommu.arch.config import BridgeConfig
from siommu.bridge.in_memory import MOST, InMemory
from siommu.bridge.release import Release

from ...support.simulate import seeded, simulate
from .bench import burst, collect, feed


def decided(id_, granted, number=0, page=0):
    header = burst(id=id_, len=number % 256)
    del header["addr"]
    return {"header": {**header, "offset": number % 4096}, "granted": granted, "page": page}


def test_counts_of_bursts_in_memory():
    rng, dut = seeded("test_counts"), InMemory(BridgeConfig(id_width=6))
    counts, seen = [0] * 16, set()

    async def testbench(ctx):
        for cycle in range(4000):
            starts, ends, next_, refused = (rng.randrange(2) for _ in range(4))
            rising = cycle // 500 % 2 == 0
            may_start = rng.random() < (.9 if rising else .2) and counts[starts] < MOST
            may_end = rng.random() < (.2 if rising else .9) and counts[ends]
            ctx.set(dut.starts.valid, may_start)
            ctx.set(dut.starts.payload, starts)
            ctx.set(dut.ends.valid, bool(may_end))
            ctx.set(dut.ends.payload, ends)
            ctx.set(dut.next, next_)
            ctx.set(dut.refused, refused)
            await ctx.delay(1e-9)
            assert ctx.get(dut.full) == (counts[next_] == MOST)
            assert ctx.get(dut.some) == (counts[refused] > 0)
            seen.add((ctx.get(dut.full), ctx.get(dut.some)))
            await ctx.tick()
            counts[starts] += bool(may_start)
            counts[ends] -= bool(may_end)
    simulate(dut, testbench)
    assert {(1, 1), (0, 0)} <= seen


def test_a_granted_burst_keeps_its_offset_and_gets_its_page():
    dut = Release(BridgeConfig())

    async def testbench(ctx):
        ctx.set(dut.room, 1)
        ctx.set(dut.oldest.payload, decided(3, 1, 0xABC, 0x8_1234_5678_9ABC))
        ctx.set(dut.oldest.valid, 1)
        await ctx.delay(1e-9)
        assert ctx.get(dut.address.valid) and not ctx.get(dut.oldest.ready)
        assert ctx.get(dut.address.payload.addr) == 0x8_1234_5678_9ABC << 12 | 0xABC
        assert ctx.get(dut.address.payload.id) == 3
        assert not ctx.get(dut.refuses)
        ctx.set(dut.room, 0)
        await ctx.delay(1e-9)
        assert not ctx.get(dut.address.valid)
    simulate(dut, testbench)


def test_a_refused_burst_waits_for_its_id_and_its_id_for_it():
    dut = Release(BridgeConfig())

    async def offers(ctx, id_, granted):
        ctx.set(dut.oldest.payload, decided(id_, granted))
        await ctx.delay(1e-9)
        return ctx.get(dut.oldest.ready)

    async def ends(ctx, id_):
        ctx.set(dut.ends.payload, id_)
        ctx.set(dut.ends.valid, 1)
        await ctx.tick()
        ctx.set(dut.ends.valid, 0)

    async def testbench(ctx):
        ctx.set(dut.room, 1)
        ctx.set(dut.oldest.valid, 1)
        ctx.set(dut.address.ready, 1)
        for id_, granted in ((5, 1), (2, 1), (5, 1), (5, 0)):       # two of id 5 in memory
            assert await offers(ctx, id_, granted)
            await ctx.tick()
        assert not await offers(ctx, 5, 1)                  # a later one of its id waits
        assert not await offers(ctx, 6, 0)                  # one refused burst at a time
        assert await offers(ctx, 6, 1)                      # another id passes
        ctx.set(dut.oldest.valid, 0)
        for _ in range(2):
            await ctx.delay(1e-9)
            assert not ctx.get(dut.refusal.valid)
            await ends(ctx, 5)
        assert ctx.get(dut.refusal.valid) and ctx.get(dut.refusal.payload.id) == 5
        ctx.set(dut.oldest.valid, 1)
        assert not await offers(ctx, 5, 1)
        ctx.set(dut.refusal.ready, 1)                       # all of its answer is handed over
        await ctx.tick()
        assert await offers(ctx, 5, 1)
    simulate(dut, testbench)


def test_no_more_in_memory_than_can_be_counted():
    dut = Release(BridgeConfig())

    async def testbench(ctx):
        ctx.set(dut.room, 1)
        ctx.set(dut.address.ready, 1)
        ctx.set(dut.oldest.payload, decided(5, 1))
        ctx.set(dut.oldest.valid, 1)
        for _ in range(MOST):
            await ctx.delay(1e-9)
            assert ctx.get(dut.address.valid) and ctx.get(dut.oldest.ready)
            await ctx.tick()
        assert not ctx.get(dut.address.valid) and not ctx.get(dut.oldest.ready)
        ctx.set(dut.oldest.payload, decided(6, 1))          # another id passes
        await ctx.delay(1e-9)
        assert ctx.get(dut.address.valid)
        ctx.set(dut.oldest.payload, decided(5, 1))
        ctx.set(dut.oldest.valid, 0)
        ctx.set(dut.ends.payload, 5)
        ctx.set(dut.ends.valid, 1)
        await ctx.tick()
        ctx.set(dut.ends.valid, 0)
        ctx.set(dut.oldest.valid, 1)
        await ctx.delay(1e-9)
        assert ctx.get(dut.address.valid) and ctx.get(dut.oldest.ready)
    simulate(dut, testbench)


@pytest.mark.parametrize("id_width", [1, 4, 6])
def test_order_of_each_id(id_width):
    """Answers, memory's in any order of ids, come in the order of the bursts of each id."""
    rng, dut = seeded(f"test_order_of_each_id_{id_width}"), Release(BridgeConfig(id_width=id_width))
    ids = [rng.randrange(1 << id_width) for _ in range(4)]
    bursts = [decided(rng.choice(ids), rng.random() < .7, number) for number in range(255)]
    memory, answers = [], []

    async def slots(ctx):
        await feed(ctx, dut.oldest, bursts, lambda: rng.choice((0, 0, 0, 4)))

    async def addresses(ctx):
        await collect(ctx, dut.address, sum(one["granted"] for one in bursts), memory,
                      ready=lambda: rng.random() < .7, look=lambda a: [a.id, a.len, False])

    async def answering(ctx):
        while len(answers) < len(bursts):
            waiting = [one for one in memory if not one[2]]
            ends = bool(waiting) and rng.random() < .4
            if ends:                # the oldest of any id
                id_ = rng.choice(waiting)[0]
                one = next(one for one in waiting if one[0] == id_)
                one[2] = True
                answers.append((one[0], one[1], "memory"))
                ctx.set(dut.ends.payload, id_)
            ctx.set(dut.ends.valid, ends)
            await ctx.tick()

    async def refusing(ctx):
        while len(answers) < len(bursts):
            ctx.set(dut.refusal.ready, rng.random() < .5)
            *_, valid, ready, one = await ctx.tick().sample(
                dut.refusal.valid, dut.refusal.ready, dut.refusal.payload)
            if valid and ready:
                answers.append((one.id, one.len, "refused"))

    async def room(ctx):
        ctx.set(dut.room, 1)
        await ctx.tick()
    simulate(dut, room, slots, addresses, answering, refusing, cycles=20000)
    for id_ in ids:
        assert [(number, how) for own, number, how in answers if own == id_] == [
            (each["header"]["len"], "memory" if each["granted"] else "refused")
            for each in bursts if each["header"]["id"] == id_]
