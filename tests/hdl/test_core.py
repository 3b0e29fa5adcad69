"""The whole datapath in Amaranth's simulator: answers against the golden model, and its timing.

The regression on the exported Verilog (``tests/regression``) goes much further; this one needs no
compiler and shows every signal."""

from collections import Counter

import pytest
from amaranth.lib import data

from siommu.config import Config
from siommu.core import Core
from siommu.formats import Cause, Mode, Request, Response
from sim.golden import Access, Beat, GoldenModel, check_response

from .simulate import seeded, simulate
from .soup import Soup
from .test_walker import ReadSlave, random_key


def names(struct):
    return [name for name, _ in data.Layout.cast(struct)]


def as_beat(payload):
    values = (getattr(payload, name) for name in names(Response))
    return Beat(*(getattr(value, "value", value) for value in values))


def as_payload(access):
    return {name: getattr(access, name) for name in names(Request)}


def enable(ctx, dut, config, mode=Mode.TRANSLATE):
    ctx.set(dut.mode, mode.value)
    ctx.set(dut.ddt_base, Soup.ddt_base >> 12)
    ctx.set(dut.ddt_log2, 5)
    ctx.set(dut.port_enable, (1 << config.ports) - 1)


@pytest.mark.parametrize("config", [
    Config(), Config(device_ports=1, cpu_port=False, port_depth=4, tlb_entries=2,
                     device_entries=1, context_entries=1, walks=1),
    Config(device_ports=5, port_depth=16, tlb_entries=8, walks=3, axi_data_width=256),
], ids=["default", "smallest", "odd"])
def test_random_traffic(config):
    """Slow here, so it is short; the regression has the long ones."""
    dut = Core(config)
    rng = seeded(f"core/{config}")
    memory = Soup(rng, errors=.01)
    golden = GoldenModel(memory, Mode.TRANSLATE, 0, Soup.ddt_base, 5)
    slave = ReadSlave(dut, memory, rng, config.axi_data_width)
    count, causes = 50, Counter()
    pool = [random_key(rng) for _ in range(30)]

    async def bench(ctx):
        enable(ctx, dut, config)
        waiting = [dict() for _ in range(config.ports)]
        offered = [None] * config.ports
        sent = answered = now = 0
        while answered < count:
            await slave.cycle(ctx, now)
            for port in range(config.ports):
                requests, responses = dut.requests[port], dut.responses[port]
                if offered[port] is None and sent < count and rng.random() < .5:
                    key = rng.choice(pool)
                    tag = rng.choice([t for t in range(256) if t not in waiting[port]])
                    offered[port] = Access(
                        key["ft"], key["write"], key["device"], key["pasid"],
                        key["page"] << 12 | rng.getrandbits(12),
                        rng.choice([0, 0, 0, 1, 4]), tag)
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
                        answers = golden.translate(access)
                        check_response(access, answers, beats)
                        causes[Cause(beat.cause)] += 1
                        answered += 1
            await ctx.tick()
            now += 1
        await ctx.tick().repeat(40)
        assert not ctx.get(dut.active) and not ctx.get(dut.walking)

    simulate(dut, bench, cycles=200_000)
    assert len(causes) > 3, causes


async def one(ctx, dut, access, memory, latency, port=0):
    """Sends one request; returns its beats, cycles to the first one, and the bursts read.

    The memory answers the first word of a burst ``latency`` cycles after its address."""
    bursts, queue, beats, cycle, first = 0, [], [], 0, None
    ctx.set(dut.ar.ready, 1)
    ctx.set(dut.responses[port].ready, 1)
    ctx.set(dut.requests[port].payload, as_payload(access))
    ctx.set(dut.requests[port].valid, 1)
    while cycle < 5000:
        if ctx.get(dut.ar.valid):
            address = ctx.get(dut.ar.payload)
            bursts += 1
            queue += [(cycle + latency + word, address.id, address.addr + 8 * word,
                       word == address.len) for word in range(address.len + 1)]
        ctx.set(dut.r.valid, 0)
        if queue and queue[0][0] <= cycle:
            _, identity, addr, last = queue.pop(0)
            ctx.set(dut.r.payload, {"id": identity, "data": memory.read_u64(addr), "last": last})
            ctx.set(dut.r.valid, 1)
        if ctx.get(dut.responses[port].valid):
            first = cycle if first is None else first
            beats.append(as_beat(ctx.get(dut.responses[port].payload)))
            if beats[-1].last:
                await ctx.tick()
                return beats, first, bursts
        await ctx.tick()
        ctx.set(dut.requests[port].valid, 0)
        cycle += 1
    raise AssertionError("no answer")


def tables():
    """Device 0 with a PASID directory of two levels and one 4-level table, all granting."""
    soup = Soup(seeded("core/tables"), wrong=0)
    soup.words.update({0x100000: 0x200086, 0x100008: 5})
    soup.words[0x100000] |= 1
    soup.words.update({0x200000: 0x201001, 0x201000: 0x300001})
    soup.words.update({0x300000: 0x400001, 0x300008: 0, 0x300010: 0, 0x300018: 0})
    soup.words.update({0x400000: 0x401007, 0x401000: 0x402007, 0x402000: 0x403007})
    soup.words.update({0x403000 + 8 * i: (0x800 + 2 * i) << 12 | 7 for i in range(512)})
    return soup


@pytest.mark.parametrize("latency", [1, 20])
def test_latency_and_reads(latency):
    config = Config()
    dut = Core(config)

    async def bench(ctx):
        enable(ctx, dut, config)
        memory = tables()
        beats, cycles, bursts = await one(ctx, dut, Access(0, 0, 0, 0, 0x123, 0), memory, latency)
        assert beats[0].addr == 0x800123 and bursts == 8
        print(f"L = {latency}: cold, {cycles} cycles and {bursts} bursts")
        assert cycles <= 8 * (latency + 3) + 12
        beats, cycles, bursts = await one(ctx, dut, Access(0, 0, 0, 0, 0x456, 0), memory, latency)
        assert (beats[0].addr, cycles, bursts) == (0x800456, 5, 0), "a hit takes 5 cycles"
        await ctx.tick().repeat(20)
        beats, cycles, bursts = await one(ctx, dut, Access(0, 1, 0, 0, 0x1456, 0), memory, latency)
        print(f"L = {latency}: contexts cached, {cycles} cycles and {bursts} bursts")
        assert bursts == 4 and cycles <= 4 * (latency + 2) + 9

    simulate(dut, bench, cycles=5000)


def test_flush_empties_every_cache():
    config = Config()
    dut = Core(config)

    async def bench(ctx):
        enable(ctx, dut, config)
        memory = tables()
        for _ in range(2):
            _, _, bursts = await one(ctx, dut, Access(0, 0, 0, 0, 0, 0), memory, 3)
            assert bursts == 8
            await ctx.tick().repeat(20)
            ctx.set(dut.flush, 1)
            await ctx.tick()
            ctx.set(dut.flush, 0)

    simulate(dut, bench, cycles=5000)


@pytest.mark.parametrize("delay", range(0, 60, 3))
def test_flush_during_a_walk(delay):
    """Nothing that a walk read before a flush is found after it."""
    config = Config()
    dut = Core(config)

    async def bench(ctx):
        enable(ctx, dut, config)
        memory = tables()

        ctx.set(dut.requests[0].payload, as_payload(Access(0, 0, 0, 0, 0, 0)))
        ctx.set(dut.requests[0].valid, 1)
        ctx.set(dut.ar.ready, 1)
        ctx.set(dut.responses[0].ready, 1)
        queue, answered = [], False
        for cycle in range(120):
            ctx.set(dut.flush, cycle == delay)
            if cycle == delay:      # from here on the page is elsewhere
                memory.words[0x403000] = 0x999007
            if ctx.get(dut.ar.valid):
                address = ctx.get(dut.ar.payload)
                queue += [(cycle + 2 + word, address.id, memory.read_u64(address.addr + 8 * word),
                           word == address.len) for word in range(address.len + 1)]
            ctx.set(dut.r.valid, 0)
            if queue and queue[0][0] <= cycle:
                _, identity, word, last = queue.pop(0)
                ctx.set(dut.r.payload, {"id": identity, "data": word, "last": last})
                ctx.set(dut.r.valid, 1)
            answered |= bool(ctx.get(dut.responses[0].valid))
            await ctx.tick()
            ctx.set(dut.requests[0].valid, 0)
        assert answered
        beats, _, _ = await one(ctx, dut, Access(0, 0, 0, 0, 0, 0), memory, 3)
        assert beats[0].addr == 0x999000, f"flush in cycle {delay}: an old translation was kept"

    simulate(dut, bench, cycles=5000)


def test_a_disabled_port_drops_what_is_left_of_its_requests():
    """It walks for no further page of a request that nobody will hear the answer of."""
    config = Config()
    dut = Core(config)

    async def bench(ctx):
        enable(ctx, dut, config)
        memory = tables()
        reads, queue = 0, []
        ctx.set(dut.requests[1].payload, as_payload(Access(0, 0, 0, 0, 0, 255)))
        ctx.set(dut.requests[1].valid, 1)
        ctx.set(dut.ar.ready, 1)
        for cycle in range(200):
            if cycle == 60:
                assert reads > 8 and ctx.get(dut.active) == 0b010
                ctx.set(dut.port_enable, 0b101)
            if ctx.get(dut.ar.valid):
                address = ctx.get(dut.ar.payload)
                reads += 1
                queue += [(cycle + 2 + word, address.id, address.addr + 8 * word,
                           word == address.len) for word in range(address.len + 1)]
            ctx.set(dut.r.valid, 0)
            if queue and queue[0][0] <= cycle:
                _, identity, addr, last = queue.pop(0)
                ctx.set(dut.r.payload, {"id": identity, "data": memory.read_u64(addr),
                                        "last": last})
                ctx.set(dut.r.valid, 1)
            await ctx.tick()
            ctx.set(dut.requests[1].valid, 0)
        assert not ctx.get(dut.active) and not ctx.get(dut.walking)
        assert reads < 40, reads

    simulate(dut, bench, cycles=5000)


def test_contexts_are_found_by_device_pasid_and_ft():
    """Eight address spaces map one page to eight places. Whoever asks after the caches are warm
    with another's context still gets its own."""
    config = Config(tlb_entries=32)
    dut = Core(config)
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
        for page in range(8):
            memory.words[((table + 3) << 12) + 8 * page] = \
                (0x4000 + 0x100 * number + 2 * page) << 12 | 7 | ft << 10 | (5 + device) << 52

    async def bench(ctx):
        enable(ctx, dut, config)
        rng = seeded("core/contexts/order")
        for page in range(8):
            for number in rng.sample(range(8), 8):
                ft, device, pasid = spaces[number]
                beats, _, bursts = await one(
                    ctx, dut, Access(ft, 0, device, pasid, page << 12, 0), memory, 2)
                assert beats[0].cause == 0, spaces[number]
                assert beats[0].addr == (0x4000 + 0x100 * number + 2 * page) << 12, spaces[number]
                if page:
                    assert bursts == 4, "the context was cached"

    simulate(dut, bench, cycles=20_000)
