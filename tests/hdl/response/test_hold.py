"""Beats that wait for whether the core stops: the hold alone, and in a core with ``fail_stop``
whose memories are damaged, where nothing that rests on a wrong bit is offered.
``tests/soft_errors`` does that in each memory of the exported Verilog."""

from collections import deque

import pytest
from amaranth import Fragment, Module, ResetInserter, Signal

from sim.model.golden import Access
from siommu.arch.formats import Response
from siommu.control.fail_stop import FailStop
from siommu.core import Core
from siommu.lib.watch import watching
from siommu.pipeline.sizes import LINE_BITS
from siommu.response.egress import PortEgress
from siommu.response.hold import HOLD, Hold
from siommu.tlb.entry import EntryRow

from ...support.simulate import Running, recorded_memories, seeded, simulate
from ..test_core import SMALL, SWEEP, Bench, as_payload, tables

PATIENCE = 40           #: cycles in which an answer would have come
ASKED = Access(0, 0, 0, 0, 0x8456, 0)
#: Beats of a port do not all fit the registers in front of it.
CONFIG = SMALL.with_(port_depth=8, fail_stop=True)


@pytest.mark.parametrize("stops", [False, True])
def test_beats_wait_in_order(stops):
    """Each beat is offered HOLD cycles later at the earliest, once, in order, and stays until it is
    taken; one that is not offered when the core stops never is."""
    dut, rng = Hold(), seeded(f"hold/{stops}")

    async def bench(ctx):
        waiting, offered, taken = deque(), None, 0
        stopped = None
        for now in range(600):
            comes, ready = rng.random() < .7, rng.random() < .7
            if stops and now >= 300:
                stopped = 300 if stopped is None else stopped
            ctx.set(dut.stop, stopped is not None)
            ctx.set(dut.beats.valid, comes)
            ctx.set(dut.beats.payload, {"addr": now, "last": 1})
            ctx.set(dut.port.ready, ready)
            valid = ctx.get(dut.port.valid)
            if valid:
                addr = ctx.get(dut.port.payload.addr)
                assert offered in (None, addr), "it stays until it is taken"
                assert addr == waiting[0] and now >= addr + HOLD
                # Loaded in the cycle of the stop at the latest.
                assert stopped is None or offered == addr or now <= stopped, "the core has stopped"
                offered = addr
            else:
                assert offered is None
                assert stopped is not None or not waiting or now < waiting[0] + HOLD \
                    or len(waiting) <= HOLD
            if comes and ctx.get(dut.beats.ready):
                waiting.append(now)
            if valid and ready:
                waiting.popleft()
                offered, taken = None, taken + 1
            await ctx.tick()
        assert taken > (80 if stops else 200)

    simulate(dut, bench)


def test_a_beat_alone_takes_no_longer():
    """A beat that is alone is offered after HOLD cycles."""
    dut = Hold()

    async def bench(ctx):
        ctx.set(dut.port.ready, 1)
        ctx.set(dut.beats.valid, 1)
        await ctx.tick()
        ctx.set(dut.beats.valid, 0)
        for _ in range(HOLD - 1):
            assert not ctx.get(dut.port.valid)
            await ctx.tick()
        assert ctx.get(dut.port.valid)

    simulate(dut, bench)


def test_a_beat_that_waits_has_not_left():
    """A mark finds a beat in the hold, its credit comes back when it is taken, and a disabled port
    drops it."""
    dut = PortEgress(8, fail_stop=True)

    async def bench(ctx):
        for enabled in (1, 0):
            ctx.set(dut.enable, 1)
            ctx.set(dut.port.ready, 0)
            ctx.set(dut.credits.begins, 1)
            await ctx.tick()
            ctx.set(dut.credits.begins, 0)
            ctx.set(dut.listens, 1)
            ctx.set(dut.hit.valid, 1)
            ctx.set(dut.hit.payload, {"addr": 5, "last": 1})
            await ctx.tick()
            ctx.set(dut.hit.valid, 0)
            ctx.set(dut.listens, 0)
            await ctx.tick().repeat(2 * HOLD)
            assert ctx.get(dut.port.valid)
            ctx.set(dut.mark.set, 1)
            await ctx.tick()
            ctx.set(dut.mark.set, 0)
            await ctx.tick().repeat(4)
            assert ctx.get(dut.mark.remains)
            ctx.set(dut.enable, enabled)
            ctx.set(dut.port.ready, enabled)
            assert ctx.get(dut.port.valid) == enabled
            await ctx.tick()
            assert ctx.get(dut.retired)
            await ctx.tick().repeat(3)
            assert not ctx.get(dut.mark.remains) and not ctx.get(dut.port.valid)

    simulate(dut, bench)


class Stopping(Bench):
    """A core with ``fail_stop``, what stops it, and a reset."""

    def __init__(self):
        super().__init__(tables(), CONFIG)

    def simulated(self, config):
        m, core, self.reset = Module(), Core(config), Signal()
        with watching() as damaged:
            m.submodules.core = Fragment.get(core, None)
        m.submodules.fail_stop = self.fail_stop = FailStop(damaged)
        m.d.comb += core.stop.eq(self.fail_stop.stop)
        return core, Running(ResetInserter(self.reset)(m))

    async def restart(self, ctx):
        """A reset, and the page that is asked for in the first level."""
        ctx.set(self.reset, 1)
        await self.cycle(ctx)
        ctx.set(self.reset, 0)
        await self.idle(ctx, SWEEP)
        for _ in range(2):
            beats, _, reads = await self.ask(ctx, ASKED)
        assert beats[0].addr == 0x810456 and not reads

    async def stopped(self, ctx, port=0):
        """Whether the core stops, and offers nothing, in the cycles to come."""
        for _ in range(PATIENCE):
            assert not ctx.get(self.dut.responses[port].valid), "a damaged word was answered"
            await self.cycle(ctx)
        return bool(ctx.get(self.fail_stop.stop))


def memory_of(memories, shape, depth):
    """The first of the memories with words of this shape, and as many."""
    return next(memory.data for memory in memories
                if memory.shape == shape and memory.depth == depth)


def flip(ctx, row, bit):
    """Damages a word."""
    word = ctx.get(row)
    ctx.set(row, word.shape().from_bits(word.as_bits() ^ 1 << bit))


async def offer(ctx, bench, access, port=0):
    """Sends a request, and does not wait for its answer."""
    ctx.set(bench.dut.requests[port].payload, as_payload(access))
    ctx.set(bench.dut.requests[port].valid, 1)
    await bench.cycle(ctx)
    ctx.set(bench.dut.requests[port].valid, 0)


def test_a_damaged_row_of_the_first_level_is_not_answered(monkeypatch):
    """Whichever bit of it, although the row is read two cycles before its beat is there. One that
    nobody reads stops nothing."""
    memories, rng = recorded_memories(monkeypatch), seeded("damage/first level")

    async def scenario(ctx, bench):
        rows = memory_of(memories, EntryRow, CONFIG.tlb_entries)
        for bit in rng.sample(range(EntryRow.as_shape().size), 6):
            await bench.restart(ctx)
            for _ in range(3):      # what its port's registers and its queue of two show now
                await bench.page(ctx, 0, rest=20)
            row = next(rows[number] for number in range(CONFIG.tlb_entries)
                       if ctx.get(rows[number]).high == 0x810 >> LINE_BITS)
            flip(ctx, row, bit)
            await bench.idle(ctx, PATIENCE)
            assert not ctx.get(bench.fail_stop.stop), "nobody has read it"
            await offer(ctx, bench, ASKED)
            assert await bench.stopped(ctx)

    Stopping().run(scenario, 8000)


def test_a_damaged_beat_is_not_offered(monkeypatch):
    """Of beats that wait in a port's queue: those in front of the damaged one are offered."""
    memories, rng = recorded_memories(monkeypatch), seeded("damage/beats")

    async def scenario(ctx, bench):
        port = bench.dut.responses[0]
        beats = [memory.data for memory in memories
                 if memory.shape == Response and memory.depth == CONFIG.port_depth]
        for bit in rng.sample(range(Response.as_shape().size), 5):
            await bench.restart(ctx)
            ctx.set(port.ready, 0)
            for _ in range(CONFIG.port_depth):
                await offer(ctx, bench, ASKED)
            await bench.idle(ctx, PATIENCE)
            for memory in beats:
                for row in range(CONFIG.port_depth):
                    flip(ctx, memory[row], bit)
            ctx.set(port.ready, 1)
            taken = 0
            for _ in range(PATIENCE):
                if ctx.get(port.valid):
                    assert ctx.get(port.payload.addr) == 0x810456
                    assert ctx.get(port.payload.cause).value == 0
                    taken += 1
                await bench.cycle(ctx)
            assert 0 < taken <= CONFIG.port_depth and ctx.get(bench.fail_stop.stop)

    Stopping().run(scenario, 8000)
