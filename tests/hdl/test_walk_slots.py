from siommu.config import Config
from siommu.walk_slots import WalkSlots

from .simulate import simulate

KEY = {"ft": 1, "write": 1, "device": 3, "pasid": 4, "page": 0x5678}


def run(scenario):
    dut = WalkSlots(Config(walks=4), names=4)

    async def bench(ctx):
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=200)


async def pulse(ctx, dut, **values):
    for name, value in values.items():
        ctx.set(getattr(dut, name), value)
    await ctx.tick()
    for name in values:
        ctx.set(getattr(dut, name), {} if name in ("key", "lookup") else 0)


async def take(ctx, dut, slot):
    """Allocates a slot for KEY with one operation, named 7, in its queue."""
    await pulse(ctx, dut, allocate=1 << slot, join=1 << slot, key=KEY)
    ctx.set(dut.waiting, 1 << slot)
    ctx.set(dut.first[slot], 7)
    ctx.set(dut.last[slot], 7)


def test_life_of_a_slot():
    async def scenario(ctx, dut):
        assert ctx.get(dut.free) == 0b1111 and ctx.get(dut.open) == 0
        await take(ctx, dut, 2)
        assert ctx.get(dut.free) == 0b1011 and ctx.get(dut.open) == 0b0100
        await pulse(ctx, dut, lookup=KEY)
        assert ctx.get(dut.match) == 0b0100
        await pulse(ctx, dut, started=1, started_slot=2)
        assert ctx.get(dut.drain) == 0
        await pulse(ctx, dut, finished=1, finished_slot=2, granted=1)
        assert ctx.get(dut.drain) == 0b0100 and ctx.get(dut.fill) == 0b0100
        await pulse(ctx, dut, popped=0b0100)
        ctx.set(dut.waiting, 0)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.free) == 0b1011, "not before its grant is in the TLB"
        await pulse(ctx, dut, filled=0b0100)
        await ctx.tick()
        assert ctx.get(dut.free) == 0b1111
    run(scenario)


def test_a_slot_that_is_joined_is_not_released():
    async def scenario(ctx, dut):
        await take(ctx, dut, 0)
        await pulse(ctx, dut, started=1, started_slot=0)
        await pulse(ctx, dut, finished=1, finished_slot=0, granted=1)
        await pulse(ctx, dut, popped=1, filled=1)
        ctx.set(dut.waiting, 0)
        ctx.set(dut.join, 1)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.open) == 1
        ctx.set(dut.join, 0)
        await ctx.tick()
        assert ctx.get(dut.free) == 0b1111
    run(scenario)


def test_a_fault_is_for_those_in_time():
    async def scenario(ctx, dut):
        await take(ctx, dut, 1)
        await pulse(ctx, dut, started=1, started_slot=1)
        ctx.set(dut.last[1], 9)         # another operation joins: too late
        await pulse(ctx, dut, finished=1, finished_slot=1, granted=0)
        assert ctx.get(dut.drain) == 0b0010 and ctx.get(dut.again) == 0
        assert ctx.get(dut.fill) == 0
        await pulse(ctx, dut, popped=0b0010)
        ctx.set(dut.first[1], 9)
        assert ctx.get(dut.drain) == 0 and ctx.get(dut.again) == 0b0010
        await pulse(ctx, dut, renew=0b0010)
        await pulse(ctx, dut, started=1, started_slot=1)
        assert ctx.get(dut.again) == 0
        await pulse(ctx, dut, finished=1, finished_slot=1, granted=0)
        assert ctx.get(dut.drain) == 0b0010, "now it is in time"
        await pulse(ctx, dut, popped=0b0010)
        ctx.set(dut.waiting, 0)
        await ctx.tick()
        assert ctx.get(dut.free) == 0b1111
    run(scenario)


def test_flush_makes_walks_stale():
    async def scenario(ctx, dut):
        await take(ctx, dut, 3)
        await pulse(ctx, dut, flush=1)
        assert ctx.get(dut.stale) & ~ctx.get(dut.free) == 0b1000 and ctx.get(dut.open) == 0
        await pulse(ctx, dut, lookup=KEY)
        assert ctx.get(dut.match) == 0
        await pulse(ctx, dut, finished=1, finished_slot=3, granted=1)
        assert ctx.get(dut.fill) == 0 and ctx.get(dut.drain) == 0b1000
        # one that is allocated in the cycle of a flush reads the tables after it
        await pulse(ctx, dut, flush=1, allocate=1, join=1, key=KEY)
        assert ctx.get(dut.open) == 1
    run(scenario)


def test_every_bit_of_the_key_counts():
    async def scenario(ctx, dut):
        await take(ctx, dut, 0)
        for field, bits in (("ft", 1), ("write", 1), ("device", 16), ("pasid", 20), ("page", 52)):
            for bit in range(bits):
                await pulse(ctx, dut, lookup={**KEY, field: KEY[field] ^ 1 << bit})
                assert ctx.get(dut.match) == 0, f"{field} bit {bit}"
    run(scenario)
