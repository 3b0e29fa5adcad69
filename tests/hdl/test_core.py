"""The whole datapath in Amaranth's simulator: answers against the golden model, and its timing.

The regression on the exported Verilog (``tests/regression``) goes much further; this one needs no
compiler and shows every signal."""

from collections import Counter

import pytest
from amaranth.lib import data

from sim.model.golden import Access, Beat, GoldenModel, check_response
from siommu.arch.config import Config
from siommu.arch.formats import Cause, Mode, Request, Response
from siommu.core import Core

from ..support.read_slave import ReadSlave
from ..support.simulate import compiled, seeded
from ..support.soup import Soup
from .walk.test_walker import random_key

#: Small, so that the simulation is quick; both levels of the TLB and the walk cache are there.
SMALL = Config(device_ports=2, cpu_port=False, port_depth=4, tlb_entries=4, device_entries=2,
               context_entries=2, l2_entries=128, walk_entries=8, walks=2)
SWEEP = 20      #: cycles in which the memories of SMALL are cleared, and some


def names(struct):
    return [name for name, _ in data.Layout.cast(struct)]


def as_beat(payload):
    values = (getattr(payload, name) for name in names(Response))
    return Beat(*(getattr(value, "value", value) for value in values))


def as_payload(access):
    return {name: getattr(access, name) for name in names(Request)}


class Bench:
    """A core with its memory: enabled, swept, and driven cycle by cycle."""

    def __init__(self, memory, config=SMALL, *, rng=None, latency=(2, 2), mode=Mode.TRANSLATE):
        self.config, self.memory, self.mode = config, memory, mode
        self.dut, self.running = self.simulated(config)
        self.slave = ReadSlave(self.dut, memory, width=config.axi_data_width, rng=rng,
                               latency=latency)
        self.now = 0

    def simulated(self, config):
        """The core, and the simulation of it."""
        running = compiled(Core, config)
        return running.dut, running

    def run(self, scenario, cycles):
        async def bench(ctx):
            dut, config = self.dut, self.config
            ctx.set(dut.settings.mode, self.mode.value)
            ctx.set(dut.settings.ddt_base, Soup.ddt_base >> 12)
            ctx.set(dut.settings.ddt_log2, 5)
            ctx.set(dut.settings.port_enable, (1 << config.ports) - 1)
            await self.idle(ctx, config.walk_entries // 2 + config.l2_entries // 32 + 4)
            await scenario(ctx, self)
        self.running.alone(bench, cycles)

    def surroundings(self, ctx):
        """A cycle of the memory, and of a fault queue that records at once."""
        self.slave.cycle(ctx, self.now)
        faults = self.dut.faults
        faulty = ctx.get(faults.fault.valid)
        ctx.set(faults.recorded, 1 << ctx.get(faults.fault.payload.port) if faulty else 0)

    async def cycle(self, ctx):
        self.surroundings(ctx)
        await ctx.tick()
        self.now += 1

    async def idle(self, ctx, cycles):
        for _ in range(cycles):
            await self.cycle(ctx)

    async def flush(self, ctx):
        """Empties the caches; fills are kept again when it returns."""
        ctx.set(self.dut.settings.flush, 1)
        await self.cycle(ctx)
        ctx.set(self.dut.settings.flush, 0)
        await self.idle(ctx, SWEEP)

    async def ask(self, ctx, access, port=0, rest=12):
        """Sends one request; returns its beats, cycles to the first one, and the bursts read
        until ``rest`` cycles after the last one."""
        dut, bursts, beats, first = self.dut, len(self.slave.bursts), [], None
        ctx.set(dut.responses[port].ready, 1)
        ctx.set(dut.requests[port].payload, as_payload(access))
        ctx.set(dut.requests[port].valid, 1)
        for cycle in range(3000):
            self.surroundings(ctx)
            if cycle == 0:
                assert ctx.get(dut.requests[port].ready)
            if ctx.get(dut.responses[port].valid):
                first = cycle if first is None else first
                beats.append(as_beat(ctx.get(dut.responses[port].payload)))
            await ctx.tick()
            self.now += 1
            ctx.set(dut.requests[port].valid, 0)
            if beats and beats[-1].last:
                await self.idle(ctx, rest)
                return beats, first, len(self.slave.bursts) - bursts
        raise AssertionError("no answer")

    async def page(self, ctx, addr, rest=2, **fields):
        """Where the page of ``addr`` is: its physical address."""
        access = {"ft": 0, "write": 0, "device": 0, "pasid": 0, **fields}
        beats, _, _ = await self.ask(ctx, Access(addr=addr, pages=0, **access), rest=rest)
        assert Cause(beats[0].cause) == Cause.OK, beats
        return beats[0].addr


@pytest.mark.parametrize("config", [
    SMALL, Config(device_ports=1, cpu_port=False, port_depth=4, tlb_entries=2, device_entries=1,
                  context_entries=1, l2_entries=0, walk_entries=4, walks=1),
    Config(device_ports=4, port_depth=8, tlb_entries=8, walk_entries=4, l2_entries=256, walks=3,
           axi_data_width=256),
    SMALL.with_(axi_data_width=512)], ids=["small", "smallest", "odd", "wide"])
def test_random_traffic(config):
    """Slow here, so it is short; the regression has the long ones."""
    rng = seeded(f"core/{config}")
    memory = Soup(rng, wrong=.02, errors=.005, grain=config.axi_bytes)
    golden = GoldenModel(memory, Mode.TRANSLATE, 0, Soup.ddt_base, 5)
    bench = Bench(memory, config, rng=rng, latency=(1, 8))
    count, causes = 60, Counter()
    pool = [random_key(rng) for _ in range(300)]
    pool = pool[:8] + [key for key in pool if golden.translate_page(
        Access(key["ft"], key["write"], key["device"], key["pasid"], key["page"] << 12, 0),
        0).granted][:8]

    async def scenario(ctx, bench):
        dut = bench.dut
        waiting = [dict() for _ in range(config.ports)]
        offered = [None] * config.ports
        sent = answered = 0
        while answered < count:
            bench.surroundings(ctx)
            ctx.set(dut.settings.flush, rng.random() < .01)
            for port in range(config.ports):
                requests, responses = dut.requests[port], dut.responses[port]
                if offered[port] is None and sent < count and rng.random() < .5:
                    key = rng.choice(pool)
                    tag = rng.choice([t for t in range(256) if t not in waiting[port]])
                    page = key["page"] ^ rng.choice([0, 0, 1, 5])
                    offered[port] = Access(
                        key["ft"], key["write"], key["device"], key["pasid"],
                        page << 12 | rng.getrandbits(12), rng.choice([0, 0, 0, 1, 4, 17]), tag)
                    sent += 1
                    ctx.set(requests.payload, as_payload(offered[port]))
                ctx.set(requests.valid, offered[port] is not None)
                ctx.set(responses.ready, rng.random() < .7)
            for port in range(config.ports):
                requests, responses = dut.requests[port], dut.responses[port]
                if offered[port] is not None and ctx.get(requests.ready):
                    waiting[port][offered[port].tag] = (offered[port], [])
                    offered[port] = None
                if ctx.get(responses.valid) and ctx.get(responses.ready):
                    beat = as_beat(ctx.get(responses.payload))
                    access, beats = waiting[port][beat.tag]
                    beats.append(beat)
                    if beat.last:
                        del waiting[port][beat.tag]
                        check_response(access, golden.translate(access), beats)
                        causes[Cause(beat.cause)] += 1
                        answered += 1
            await ctx.tick()
            bench.now += 1
            for port in range(config.ports):
                if offered[port] is None:
                    ctx.set(dut.requests[port].valid, 0)
        ctx.set(dut.settings.flush, 0)
        await bench.idle(ctx, 150)
        assert not ctx.get(dut.active) and not ctx.get(dut.walking)

    bench.run(scenario, 100_000)
    assert len(causes) > 2 and causes[Cause.OK] > 10, causes


def put_table(soup, context, tables, where):
    """A 4-level table in ``context`` (an address) for FT = 0, whose pages are ``tables`` and the
    three behind it; it maps page i of the first 2 MiB to page number ``where(i)``."""
    soup.words.update({context: tables << 12 | 1, context + 8: 0, context + 16: 0,
                       context + 24: 0})
    for level in range(3):
        soup.words[(tables + level) << 12] = (tables + level + 1) << 12 | 7
    soup.words.update({((tables + 3) << 12) + 8 * i: where(i) << 12 | 7 for i in range(512)})


def tables():
    """Device 0 with a PASID directory of two levels and one 4-level table, all granting."""
    soup = Soup(seeded("core/tables"), wrong=0)
    soup.words.update({0x100000: 0x200087, 0x100008: 5})
    soup.words.update({0x200000: 0x201001, 0x201000: 0x300001})
    put_table(soup, 0x300000, 0x400, lambda page: 0x800 + 2 * page)
    return soup


@pytest.mark.parametrize("latency", [1, 20])
def test_latency_and_reads(latency):
    """The figures: a hit in 5 cycles, a second-level hit in 9, a warm miss with one burst, a cold
    one with eight."""
    async def scenario(ctx, bench):
        async def ask(addr, write=0, pages=0):
            return await bench.ask(ctx, Access(0, write, 0, 0, addr, pages), rest=40)

        beats, cycles, bursts = await ask(0x123)
        assert (beats[0].addr, bursts) == (0x800123, 8)
        assert cycles <= 8 * (latency + 3) + 12
        beats, cycles, bursts = await ask(0x456)
        assert (beats[0].addr, cycles, bursts) == (0x800456, 5, 0), "a hit takes 5 cycles"
        # its neighbour is not contiguous, but came along
        beats, cycles, bursts = await ask(0x3456)
        assert (beats[0].addr, cycles, bursts) == (0x806456, 9, 0), "a second-level hit takes 9"
        beats, cycles, bursts = await ask(0x3789)
        assert (beats[0].addr, cycles, bursts) == (0x806789, 5, 0), "now it is in the first level"
        for page in (0x1F7, 8):     # another line, warm
            beats, cycles, bursts = await ask(page << 12, write=1)
            assert (beats[0].addr, bursts) == (0x800 + 2 * page << 12, 1)
            assert cycles <= latency + 12

    bench = Bench(tables(), latency=(latency, latency))
    bench.run(scenario, 5000)


def test_a_run_of_contiguous_leaves():
    """A request over contiguous 4 KiB leaves: one burst and one beat for every line, the lines read
    ahead together."""
    memory = tables()
    memory.words.update({0x403000 + 8 * i: (0x5000 + i) << 12 | 7 for i in range(512)})

    async def scenario(ctx, bench):
        await bench.ask(ctx, Access(0, 0, 0, 0, 0x1FF000, 0))
        beats, _, bursts = await bench.ask(ctx, Access(0, 0, 0, 0, 0x8123, 39))
        assert [(beat.addr, beat.pages) for beat in beats] == [
            (0x5008123, 7), *((0x5000 + page << 12, 7) for page in (16, 24, 32, 40))]
        assert bursts == 5
        beats, cycles, bursts = await bench.ask(ctx, Access(0, 0, 0, 0, 0x2A123, 2))
        assert [(beat.addr, beat.pages) for beat in beats] == [(0x502A123, 2)] and not bursts

    Bench(memory, latency=(10, 10)).run(scenario, 5000)


def test_flush_empties_every_cache():
    async def scenario(ctx, bench):
        for _ in range(3):
            for _ in range(2):      # the second round finds everything
                _, _, first = await bench.ask(ctx, Access(0, 0, 0, 0, 0, 0))
                _, _, second = await bench.ask(ctx, Access(0, 0, 0, 0, 0x3000, 0))
                _, _, third = await bench.ask(ctx, Access(0, 0, 0, 0, 0x8000, 0))
                if (first, second, third) == (0, 0, 0):
                    break
                assert (first, second, third) == (8, 0, 1)
            await bench.flush(ctx)

    Bench(tables()).run(scenario, 5000)


#: What is in the caches, and asked for, when the flush comes: (asked before, asked while).
BEFORE_FLUSH = {
    "cold": ((), (0,)),
    "contexts": ((0x200000,), (0,)),
    "region": ((0x10,), (0,)),
    "second-level": ((0,), (3,)),               # a promotion is under way
    "busy": ((0x10, 0), (3,)),                  # it waits: the other port leaves no cycle to it
    "several": ((0x10,), (0, 3, 9, 2)),         # joiners, neighbours, two lines
    "first-level": ((0,), (0,)),
}


@pytest.mark.parametrize("state", BEFORE_FLUSH)
def test_nothing_read_before_a_flush_is_found_after_it(state):
    """A flush in every cycle of a request. With it the device's whole directory moves: whatever was
    kept of the old tables, in the contexts, the walk cache, either level of the TLB, a promotion
    or the fill of a line under way, would show the old pages."""
    before, during = BEFORE_FLUSH[state]
    memory = tables()
    memory.words[0x402008] = 0x404007       # another 2 MiB, for what knows the context alone
    memory.words.update({0x404000 + 8 * i: 0x9000007 for i in range(8)})
    memory.words.update({0x210000: 0x211001, 0x211000: 0x310001})
    put_table(memory, 0x310000, 0x440, lambda page: 0x2800 + 2 * page)
    memory.words[0x442008] = 0x444007
    memory.words.update({0x444000 + 8 * i: 0xA000007 for i in range(8)})
    directories = (0x200087, 0x210087)

    async def scenario(ctx, bench):
        dut = bench.dut
        length = 66 if state in ("cold", "contexts") else 36
        step = 3 if length == 66 else 1 if state in ("second-level", "busy") else 2
        for delay in range(0, length, step):
            memory.words[0x100000] = directories[0]
            await bench.flush(ctx)
            for page in before:
                await bench.ask(ctx, Access(0, 0, 0, 0, page << 12, 0))
            for port in (0, 1):
                ctx.set(dut.responses[port].ready, 1)
            ctx.set(dut.requests[1].payload, as_payload(Access(0, 0, 0, 0, 0x10000, 0)))
            offered = list(during)
            for cycle in range(length + 1):
                ctx.set(dut.settings.flush, cycle == delay)
                if cycle == delay:          # whoever reads from here on sees the new ones
                    memory.words[0x100000] = directories[1]
                if offered:
                    ctx.set(dut.requests[0].payload,
                            as_payload(Access(0, 0, 0, 0, offered[0] << 12, 0, len(offered))))
                    ctx.set(dut.requests[0].valid, 1)
                    if ctx.get(dut.requests[0].ready):
                        offered.pop(0)
                else:
                    ctx.set(dut.requests[0].valid, 0)
                ctx.set(dut.requests[1].valid, state == "busy" and cycle < delay)
                await bench.cycle(ctx)
            while ctx.get(dut.active):
                await bench.cycle(ctx)
            for page in (during[-1], 3, 9, 0x10, 0, 3):
                found = await bench.page(ctx, page << 12)
                assert found == 0x2800 + 2 * page << 12, \
                    f"flush in cycle {delay}: an old translation of page {page} was kept"

    Bench(memory, SMALL.with_(walk_entries=4, port_depth=16)).run(scenario, 60_000)


def test_a_disabled_port_drops_what_is_left_of_its_requests():
    """It walks for no further page of a request that nobody will hear the answer of."""
    async def scenario(ctx, bench):
        dut, slave = bench.dut, bench.slave
        ctx.set(dut.requests[1].payload, as_payload(Access(0, 0, 0, 0, 0, 255)))
        ctx.set(dut.requests[1].valid, 1)
        for cycle in range(400):
            if cycle == 120:
                assert len(slave.bursts) >= 8 and ctx.get(dut.active) == 0b10
                ctx.set(dut.settings.port_enable, 0b01)
            await bench.cycle(ctx)
            ctx.set(dut.requests[1].valid, 0)
        assert not ctx.get(dut.active) and not ctx.get(dut.walking)
        assert len(slave.bursts) < 35, slave.bursts
        assert await bench.page(ctx, 0x5000) == 0x80A000, "the other port is served"

    Bench(tables()).run(scenario, 5000)


@pytest.mark.parametrize("fault", [False, True])
def test_a_hundred_requests_for_one_page(fault):
    """They share the walk when it grants. A fault is told to each, and was read from memory after
    the request was made: with one walk for those who came before it read, and never an older
    one."""
    config = SMALL.with_(port_depth=128)
    memory = tables()
    if fault:
        memory.words[0x403028] = 0

    async def scenario(ctx, bench):
        dut = bench.dut
        await bench.ask(ctx, Access(0, 0, 0, 0, 0x100000, 0))
        before, answered, sent = len(bench.slave.bursts), [], 0
        for port in (0, 1):
            ctx.set(dut.responses[port].ready, 1)
        while len(answered) < 100:
            bench.surroundings(ctx)
            for port in (0, 1):
                ctx.set(dut.requests[port].valid, sent < 100)
                ctx.set(dut.requests[port].payload,
                        as_payload(Access(0, 0, 0, 0, 0x5000, 0, sent)))
                if sent < 100 and ctx.get(dut.requests[port].ready):
                    sent += 1
                if ctx.get(dut.responses[port].valid):
                    answered.append(as_beat(ctx.get(dut.responses[port].payload)))
            await ctx.tick()
            bench.now += 1
            ctx.set(dut.requests[0].valid, 0)
            ctx.set(dut.requests[1].valid, 0)
        assert sorted(beat.tag for beat in answered) == list(range(100))
        bursts = len(bench.slave.bursts) - before
        if fault:
            assert all(Cause(beat.cause) == Cause.NOT_PRESENT for beat in answered)
        else:
            assert all((beat.cause, beat.addr) == (0, 0x80A000) for beat in answered)
            assert bursts == 1
        await bench.idle(ctx, 60)
        assert not ctx.get(dut.walking) and not ctx.get(dut.active)

    Bench(memory, config, latency=(30, 30)).run(scenario, 50_000)


def test_a_fault_is_not_older_than_its_request():
    """The page appears while a walk that did not see it is under way: a request that comes after
    that is granted, at whatever moment it came."""
    memory = tables()

    async def scenario(ctx, bench):
        dut = bench.dut
        for delay in range(0, 80, 4):
            page = 8 + delay % 8            # of one line: the caches know the way
            entry = 0x403000 + 8 * page
            memory.words[entry] = 0
            await bench.flush(ctx)
            await bench.ask(ctx, Access(0, 0, 0, 0, 0x100000, 0))
            ctx.set(dut.responses[0].ready, 1)
            ctx.set(dut.responses[1].ready, 1)
            answers = [None, None]
            for cycle in range(delay + 150):
                if cycle == delay:
                    memory.words[entry] = 0x777007
                for port, when in ((0, 0), (1, delay)):
                    ctx.set(dut.requests[port].valid, cycle == when)
                    ctx.set(dut.requests[port].payload,
                            as_payload(Access(0, 0, 0, 0, page << 12, 0)))
                bench.surroundings(ctx)
                for port in (0, 1):
                    if ctx.get(dut.responses[port].valid):
                        answers[port] = as_beat(ctx.get(dut.responses[port].payload))
                await ctx.tick()
                bench.now += 1
            assert answers[0].cause in (Cause.OK.value, Cause.NOT_PRESENT.value)
            assert answers[1].cause == Cause.OK.value, f"request in cycle {delay}"
            assert answers[1].addr == 0x777000

    Bench(memory, latency=(6, 6)).run(scenario, 30_000)


def test_a_fault_is_for_its_page_alone():
    """Two pages of one line, one of them absent, asked for together: they share a walk, but not
    its fault."""
    memory = tables()
    memory.words[0x403028] = 0

    async def scenario(ctx, bench):
        dut = bench.dut
        for distance in range(12):
            await bench.flush(ctx)
            await bench.ask(ctx, Access(0, 0, 0, 0, 0x100000, 0))
            answers = {}
            for cycle in range(150):
                for port, page in ((0, 5), (1, 6)):
                    ctx.set(dut.responses[port].ready, 1)
                    ctx.set(dut.requests[port].valid, cycle == port * distance)
                    ctx.set(dut.requests[port].payload,
                            as_payload(Access(0, 0, 0, 0, page << 12, 0)))
                    if ctx.get(dut.responses[port].valid):
                        answers[page] = as_beat(ctx.get(dut.responses[port].payload))
                await bench.cycle(ctx)
            assert Cause(answers[5].cause) == Cause.NOT_PRESENT
            assert (answers[6].cause, answers[6].addr) == (0, 0x80C000)

    Bench(memory, latency=(6, 6)).run(scenario, 10_000)


def test_contexts_are_found_by_device_pasid_and_ft():
    """Eight address spaces map one page to eight places. Whoever asks after the caches are warm
    with another's context, table or line still gets its own."""
    memory = Soup(seeded("core/contexts"), wrong=0)
    memory.words[0x100000] = 0x300007       # devices 0 and 1: DEVIDs 5 and 6, contexts at a page
    memory.words.update({0x100008: 5, 0x100010: 0x301007, 0x100018: 6})
    spaces = [(ft, device, pasid) for device in (0, 1) for pasid in (0, 1) for ft in (0, 1)]
    for number, (ft, device, pasid) in enumerate(spaces):
        context = 0x300000 + 0x1000 * device + 32 * pasid
        table = 0x800 + 4 * number          # page numbers of its four tables
        memory.words[context + 8 * ft] = table << 12 | 1
        memory.words |= {context + 16: 0, context + 24: 0}
        for level in range(3):
            memory.words[(table + level) << 12] = (table + level + 1) << 12 | 7
        for page in range(24):
            memory.words[((table + 3) << 12) + 8 * page] = \
                (0x4000 + 0x100 * number + 2 * page) << 12 | 7 | ft << 10 | (5 + device) << 52
    config = SMALL.with_(device_entries=4, context_entries=8, walk_entries=32)

    async def scenario(ctx, bench):
        rng = seeded("core/contexts/order")
        for page in (0, 3, 8, 1, 9, 16):
            for number in rng.sample(range(8), 8):
                ft, device, pasid = spaces[number]
                beats, _, bursts = await bench.ask(
                    ctx, Access(ft, 0, device, pasid, page << 12, 0))
                assert beats[0].cause == 0, spaces[number]
                assert beats[0].addr == (0x4000 + 0x100 * number + 2 * page) << 12, spaces[number]
                if page:
                    assert bursts <= 4, "at least the context was cached"

    Bench(memory, config).run(scenario, 20_000)


def test_modes():
    """ABORT and BYPASS need no table (§4, step 1)."""
    for mode, cause, addr in ((Mode.ABORT, Cause.CORE_OFF, 0x1234_5678),
                              (Mode.BYPASS, Cause.OK, 0x1234_5678)):
        async def scenario(ctx, bench):
            beats, cycles, bursts = await bench.ask(ctx, Access(0, 1, 3, 4, 0x1234_5678, 9))
            assert (len(beats), cycles, bursts) == (1, 5, 0)
            assert (Cause(beats[0].cause), beats[0].addr) == (cause, addr)
        Bench(tables(), mode=mode).run(scenario, 200)
