"""The command queue with mocks of memory, invalidator and ports around it."""

import pytest
from amaranth.lib import data

from siommu.bundles import Invalidation
from siommu.commands import CommandQueue
from siommu.config import Config
from siommu.formats import Cause, CommandWord0, FenceWord0, Opcode, pack

from .simulate import simulate

BASE = 0x12345
KEY = {"device": 0xABCD, "pasid": 0x54321, "ft": 1}


class Around:
    """Everything that the queue talks to, with what it was asked for."""

    def __init__(self, dut, config, commands, *, log2=3):
        self.dut, self.width, self.ring, self.log2 = dut, config.axi_data_width, dict(
            enumerate(commands)), log2
        self.invalidations, self.stores, self.requests, self.fetches = [], [], [], []
        self.pulses = dict.fromkeys(
            ("illegal", "error", "fence", "invalidations", "fences", "prefetches"), 0)
        self.faults, self.words, self.failing = {}, 2, False
        self.outdated = self.marked = 0
        self._beats, self._answer, self._invalidated, self._stored = [], None, 0, 0

    async def cycle(self, ctx):
        dut = self.dut
        ctx.set(dut.ar.ready, 1)
        ctx.set(dut.aw.ready, 1)
        ctx.set(dut.w.ready, 1)
        ctx.set(dut.request.ready, 1)
        ctx.set(dut.outdated, self.outdated > 0)
        ctx.set(dut.marked, self.marked > 0)
        # memory
        ctx.set(dut.r.valid, bool(self._beats))
        if self._beats:
            ctx.set(dut.r.payload, self._beats.pop(0))
        if ctx.get(dut.ar.valid):
            self._fetch(ctx.get(dut.ar.payload.addr))
        ctx.set(dut.b.valid, self._stored == 1)
        ctx.set(dut.b.payload, self.failing)
        self._stored = max(0, self._stored - 1)
        if ctx.get(dut.aw.valid):
            data_, strb = ctx.get(dut.w.payload.data), ctx.get(dut.w.payload.strb)
            self.stores.append((ctx.get(dut.aw.payload.addr), data_, strb))
            self._stored = 3
        # the core
        ctx.set(dut.invalidated, self._invalidated == 1)
        self._invalidated = max(0, self._invalidated - 1)
        if ctx.get(dut.invalidate):
            view = ctx.get(dut.invalidation)
            self.invalidations.append({name: getattr(view, name)
                                       for name, _ in data.Layout.cast(Invalidation)})
            self._invalidated = 5
        ctx.set(dut.response.valid, self._answer is not None)
        if self._answer is not None:
            ctx.set(dut.response.payload, self._answer)
            self._answer = None
        if ctx.get(dut.request.valid):
            self._translate(ctx.get(dut.request.payload))
        await ctx.tick()
        for name in self.pulses:
            self.pulses[name] += ctx.get(getattr(dut, name))

    def _fetch(self, addr):
        self.fetches.append(addr)
        assert addr >> 12 == BASE and addr % 16 == 0
        words = self.ring.get(addr % 4096 // 16, (0, 0))
        for beat in range(self.words):
            lane = (addr // 8 + beat) % (self.width // 64)
            self._beats.append({"data": words[beat & 1] << 64 * lane, "id": 0,
                                "resp": 2 if self.failing else 0, "last": beat == self.words - 1})

    def _translate(self, request):
        self.requests.append((request.addr >> 12, request.pages, request.write))
        for page in range(request.pages + 1):
            number = (request.addr >> 12) + page
            cause = self.faults.get((number, request.write))
            if cause is not None:
                # one beat for the pages before would come first; the queue takes them one by one
                if page:
                    self._answer = {"cause": Cause.OK, "pages": page - 1, "last": 1}
                else:
                    self._answer = {"cause": cause, "last": 1}
                return
        self._answer = {"cause": Cause.OK, "pages": request.pages, "last": 1}


def run(commands, scenario, *, width=64, cycles=3000):
    config = Config(axi_data_width=width)
    dut = CommandQueue(config)
    around = Around(dut, config, commands)

    async def bench(ctx):
        ctx.set(dut.base, BASE)
        ctx.set(dut.log2, around.log2)
        ctx.set(dut.enable, 1)
        await around.cycle(ctx)
        ctx.set(dut.tail, len(commands))
        await scenario(ctx, around)
    simulate(dut, bench, cycles=cycles + 100)
    return around


async def finish(ctx, around, head, limit=2000):
    for _ in range(limit):
        if ctx.get(around.dut.head) == head and not ctx.get(around.dut.busy):
            return
        await around.cycle(ctx)
    raise AssertionError(f"the head is {ctx.get(around.dut.head)}, not {head}")


@pytest.mark.parametrize("width", [64, 128, 512])
def test_invalidations(width):
    """Operands reach the invalidator; INVAL_CONTEXT has neither FT nor address."""
    commands = [
        (pack(CommandWord0, opcode=Opcode.INVAL_TLB, by_device=1, by_addr=1, n=4, **KEY), 0x70000),
        (pack(CommandWord0, opcode=Opcode.INVAL_TLB, by_pasid=1, by_ft=1, **KEY), 0x70123),
        (pack(CommandWord0, opcode=Opcode.INVAL_CONTEXT, by_pasid=1, by_ft=1, by_addr=1, **KEY), 1)]

    async def scenario(ctx, around):
        await finish(ctx, around, 3)
    around = run(commands, scenario, width=width)
    common = {"context": 0, "by_device": 0, "by_pasid": 0, "by_ft": 0, "by_addr": 0, **KEY, "n": 0}
    assert around.invalidations == [
        {**common, "by_device": 1, "by_addr": 1, "n": 4, "page": 0x70},
        {**common, "by_pasid": 1, "by_ft": 1, "page": 0x70},
        {**common, "context": 1, "by_pasid": 1, "page": 0}]
    assert around.pulses == {"illegal": 0, "error": 0, "fence": 0, "invalidations": 3, "fences": 0,
                             "prefetches": 0}


def test_a_fence_waits():
    """For old walks, then for marked beats; then comes its store, and only then the signal."""
    commands = [(pack(FenceWord0, opcode=Opcode.FENCE, store=1, signal=1, data=0xCAFEF00D), 0x2004)]

    async def scenario(ctx, around):
        around.outdated = around.marked = 1
        for _ in range(200):
            await around.cycle(ctx)
        assert not around.stores
        around.outdated = 0
        marks = 0
        for _ in range(200):
            await around.cycle(ctx)
            marks += ctx.get(around.dut.mark)
        assert marks == 1 and not around.stores
        around.marked = 0
        while not around.stores:
            await around.cycle(ctx)
        assert not around.pulses["fence"] and not ctx.get(around.dut.head)
        await finish(ctx, around, 1)
    around = run(commands, scenario)
    assert around.stores == [(0x2004, 0xCAFEF00D_CAFEF00D, 0xF0)]
    assert around.pulses["fence"] == around.pulses["fences"] == 1


def test_prefetch_passes_over_faults():
    """Behind a page that faults it goes on; one that may not be read is tried for writing; a fault
    that would be that of every page ends it."""
    commands = [(pack(CommandWord0, opcode=Opcode.PREFETCH, n=3, **KEY), 0x8000),
                (pack(CommandWord0, opcode=Opcode.PREFETCH, n=8, **KEY), 0x100000)]

    async def scenario(ctx, around):
        around.faults = {(10, 0): Cause.NOT_PRESENT, (12, 0): Cause.READ_DENIED,
                         (15, 0): Cause.READ_DENIED, (15, 1): Cause.WRITE_DENIED,
                         (0x100, 0): Cause.PASID_INVALID}
        await finish(ctx, around, 2)
    around = run(commands, scenario)
    assert around.requests == [(8, 7, 0), (10, 5, 0), (11, 4, 0), (12, 3, 0), (12, 0, 1),
                               (13, 2, 0), (15, 0, 0), (15, 0, 1), (0x100, 255, 0)]
    assert around.pulses["prefetches"] == 2


@pytest.mark.parametrize("words", [1, 2, 3, 5])
def test_errors_stop_it(words):
    """An error of the bus, or a wrong number of words, stops it at the command."""
    commands = [(pack(CommandWord0, opcode=Opcode.INVAL_TLB), 0)]

    async def scenario(ctx, around):
        around.words, around.failing = words, words == 2
        for _ in range(40):
            await around.cycle(ctx)
            if around.pulses["error"]:
                ctx.set(around.dut.stopped, 1)
        assert around.pulses["error"] == 1 and len(around.fetches) == 1
        assert ctx.get(around.dut.busy) and not around.invalidations
        around.words, around.failing = 2, False
        ctx.set(around.dut.stopped, 0)
        await finish(ctx, around, 1)
        assert len(around.fetches) == 2 and len(around.invalidations) == 1
    run(commands, scenario)


def _ranged(opcode, n, addr, **fields):
    return pack(CommandWord0, opcode=opcode, n=n, **KEY, **fields), addr


@pytest.mark.parametrize("words", [
    (0, 0), (5, 0), (0xFF, 0),
    *(_ranged(Opcode.INVAL_TLB, n, 1 << bit, by_addr=1)
      for n, bit in ((0, 0), (0, 11), (1, 12), (4, 15), (9, 20), (40, 51), (63, 63))),
    *(_ranged(Opcode.PREFETCH, n, addr) for n, addr in ((0, 1), (1, 0x1000), (9, 0), (63, 0))),
    *((pack(FenceWord0, opcode=Opcode.FENCE, store=1), low) for low in (1, 2, 3)),
])
def test_illegal_commands(words):
    """They stop the queue; nothing is carried out."""
    async def scenario(ctx, around):
        for _ in range(80):
            await around.cycle(ctx)
            if around.pulses["illegal"]:
                ctx.set(around.dut.stopped, 1)
        assert ctx.get(around.dut.head) == 0 and ctx.get(around.dut.busy)
    around = run([words], scenario)
    assert around.pulses == {"illegal": 1, "error": 0, "fence": 0, "invalidations": 0, "fences": 0,
                             "prefetches": 0}
    assert not around.invalidations and not around.stores and not around.requests


def test_off_under_a_command():
    """The command ends without moving the head of the ring that follows."""
    commands = [(pack(FenceWord0, opcode=Opcode.FENCE, signal=1), 0)] * 4

    async def scenario(ctx, around):
        dut = around.dut
        await finish(ctx, around, 4)
        around.ring[4] = commands[0]
        ctx.set(dut.tail, 5)
        around.outdated = 1
        for _ in range(60):
            await around.cycle(ctx)
        ctx.set(dut.enable, 0)
        await around.cycle(ctx)
        ctx.set(dut.enable, 1)
        ctx.set(dut.tail, 0)
        await around.cycle(ctx)
        await around.cycle(ctx)
        assert ctx.get(dut.head) == 0 and ctx.get(dut.busy)
        around.outdated = 0
        await finish(ctx, around, 0)
        assert around.pulses["fence"] == 4
        ctx.set(dut.tail, 2)
        await finish(ctx, around, 2)
        assert around.pulses["fence"] == 6
    run(commands, scenario)
