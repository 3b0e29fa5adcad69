"""Rings of every size up to the largest, and quotas, at ends that few simulations ever reach: the
indexes are set to what a million records or commands would have made them."""

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from siommu.arch.config import Config
from siommu.control.commands import CommandQueue
from siommu.control.fault_quota import RecordQuota
from siommu.control.fault_ring import RecordRing
from siommu.control.rings import RING_INDEX_BITS, following, ring_mask, slot_address

from ...support.simulate import seeded, simulate

SIZES = range(1, RING_INDEX_BITS + 1)


class Indexes(wiring.Component):
    """What the functions of rings.py make."""

    log2: In(5)
    index: In(RING_INDEX_BITS)
    base: In(40)
    next: Out(RING_INDEX_BITS)
    command: Out(64)
    record: Out(64)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.next.eq(following(self.index, ring_mask(self.log2))),
            self.command.eq(slot_address(self.base, self.index, 16)),
            self.record.eq(slot_address(self.base, self.index, 32)),
        ]
        return m


def test_indexes_and_addresses():
    """The first, the last and random ones of each size; every bit is in the address."""
    dut, rng = Indexes(), seeded("indexes")

    async def bench(ctx):
        for log2 in SIZES:
            last, base = (1 << log2) - 1, rng.getrandbits(39)
            ctx.set(dut.log2, log2)
            ctx.set(dut.base, base)
            for index in {0, last, last - 1, last // 2, *(rng.randint(0, last) for _ in range(9))}:
                ctx.set(dut.index, index)
                assert ctx.get(dut.next) == (index + 1) % (last + 1)
                assert ctx.get(dut.command) == (base << 12) + 16 * index
                assert ctx.get(dut.record) == (base << 12) + 32 * index

    simulator = Simulator(dut)          # without a clock, which it has not got
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("log2", SIZES)
def test_ends_of_the_fault_queue(log2):
    """The ring is full at one slot less than its size, wherever it begins, and goes on at 0."""
    dut, last = RecordRing(), (1 << log2) - 1

    async def pulse(ctx, name):
        ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        ctx.set(getattr(dut, name), 0)
        await ctx.tick().repeat(2)

    async def bench(ctx):
        ctx.set(dut.log2, log2)
        ctx.set(dut.enable, 1)
        ctx.set(dut.idle, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.idle, 0)
        assert ctx.get(dut.on) and not ctx.get(dut.next)
        for head in {0, 1, last // 2, last - 1, last}:
            # All slots but two are taken.
            ctx.set(dut.head, head)
            ctx.set(dut.next, (head + last - 1) % (last + 1))
            await ctx.tick().repeat(3)
            assert not ctx.get(dut.full)
            await pulse(ctx, "adds")
            assert ctx.get(dut.full) and ctx.get(dut.next) == (head + last) % (last + 1)
            ctx.set(dut.head, (head + 1) % (last + 1))
            await ctx.tick().repeat(2)
            assert ctx.get(dut.full) == 0

    simulate(dut, bench, cycles=200)


@pytest.mark.parametrize("log2", SIZES)
def test_ends_of_the_command_queue(log2):
    """The command in the last slot is read, and CQ_HEAD goes on at 0."""
    dut, last, base = CommandQueue(Config()), (1 << log2) - 1, 0x7F_FFFF_FF00
    registers, read, count = dut.registers, [], min(2, last)

    async def bench(ctx):
        for name, value in (("log2", log2), ("base", base), ("enable", 1)):
            ctx.set(getattr(registers, name), value)
        ctx.set(dut.ar.ready, 1)
        await ctx.tick().repeat(3)
        ctx.set(registers.head, last)
        ctx.set(registers.tail, (last + count) % (last + 1))
        beats = 0
        while len(read) < count:
            if ctx.get(dut.ar.valid):
                read.append(ctx.get(dut.ar.payload.addr))
                beats = 2
            ctx.set(dut.invalidation.done, 0)
            if ctx.get(dut.invalidation.start):
                ctx.set(dut.invalidation.done, 1)
            await ctx.tick()
            ctx.set(dut.r.valid, beats > 0)
            ctx.set(dut.r.payload, {"data": 1 if beats == 2 else 0, "last": beats == 1})
            beats -= beats > 0

    simulate(dut, bench, cycles=200)
    assert read == [(base << 12) + 16 * last, base << 12][:count]


@pytest.mark.parametrize("quota", [1 << bit for bit in range(16)] + [0xFFFF])
def test_quotas_of_every_size(quota):
    """A port may add that many records and no more; the others are not concerned."""
    config = Config(device_ports=2)
    dut = RecordQuota(config)

    async def bench(ctx):
        ctx.set(dut.quota, quota)
        ctx.set(dut.port, 1)
        ctx.set(dut.adds, 1)
        for _ in range(quota - 1):
            await ctx.tick()
        ctx.set(dut.adds, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.spent)
        ctx.set(dut.adds, 1)
        await ctx.tick()
        ctx.set(dut.adds, 0)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.spent)
        ctx.set(dut.port, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.spent)

    simulate(dut, bench, cycles=70_000)
