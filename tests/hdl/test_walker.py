"""The walker against the golden model: outcome, level and entry address of random walks."""

from collections import Counter

import pytest

from siommu.config import Config
from siommu.formats import Cause, Mode, Size
from siommu.walker import TableWalker
from sim.golden import Access, GoldenModel
from sim.memory import BusError

from .simulate import seeded, simulate
from .soup import Soup


class ReadSlave:
    """Answers the walker's reads out of order across ids, and counts them."""

    def __init__(self, dut, memory, rng, width, latency=(1, 8)):
        self.dut, self.memory, self.rng, self.width = dut, memory, rng, width
        self.latency = latency
        self.pending, self.reads = [], 0        # [id, address, words left, ready at]

    async def cycle(self, ctx, now):
        """What happens in this cycle; to be called before its end."""
        dut, rng = self.dut, self.rng
        ctx.set(dut.ar.ready, rng.random() < .8)
        if ctx.get(dut.ar.valid) and ctx.get(dut.ar.ready):
            payload = ctx.get(dut.ar.payload)
            assert payload.size == 3
            assert payload.addr >> 12 == (payload.addr + 8 * payload.len) >> 12
            assert all(entry[0] != payload.id for entry in self.pending), "two reads of one id"
            self.pending.append([payload.id, payload.addr, payload.len + 1,
                                 now + rng.randint(*self.latency)])
            self.reads += 1
        ripe = [entry for entry in self.pending if entry[3] <= now]
        ctx.set(dut.r.valid, 0)
        if ripe and rng.random() < .8:
            entry = rng.choice(ripe)
            identity, addr, left, _ = entry
            try:
                word, resp = self.memory.read_u64(addr), 0
            except BusError:
                word, resp = rng.getrandbits(64), rng.choice([2, 3])
            lane = addr % (self.width // 8) * 8
            noise = rng.getrandbits(self.width) & ~((1 << 64) - 1 << lane)
            ctx.set(dut.r.payload, {"id": identity, "data": word << lane | noise, "resp": resp,
                                    "last": left == 1})
            ctx.set(dut.r.valid, 1)
            entry[1:3] = addr + 8, left - 1
            if left == 1:
                self.pending.remove(entry)


def random_key(rng):
    page = rng.getrandbits(52)
    if rng.random() < .9:
        sign = rng.choice([0, (1 << 17) - 1])
        page = sign << 35 | page & (1 << 35) - 1
    pasid = rng.choice([rng.randrange(128), rng.randrange(1 << 16), rng.randrange(1 << 20)])
    return {"ft": rng.getrandbits(1), "write": rng.getrandbits(1), "device": rng.randrange(40),
            "pasid": pasid, "page": page}


def expected(golden, key):
    return golden.translate_page(Access(key["ft"], key["write"], key["device"], key["pasid"],
                                        key["page"] << 12, 0), 0)


def check(outcome, answer, golden):
    assert outcome.cause == answer.cause
    assert outcome.disposition == answer.disposition
    if answer.cause == Cause.OK:
        assert (outcome.read, outcome.write, outcome.size) == (answer.read, answer.write,
                                                               answer.size)
        if answer.size != Size.BYPASS:
            shift = 9 * answer.size.value
            assert outcome.pfn >> shift == answer.addr >> 12 + shift
    else:
        assert (outcome.level, outcome.entry) == (answer.level, answer.entry_addr)


def walk_all(name, *, width=64, walks=4, count=800, errors=.01, check_ad=0):
    config = Config(walks=walks, axi_data_width=width)
    dut = TableWalker(config)
    rng = seeded(name)
    memory = Soup(rng, errors=errors)
    golden = GoldenModel(memory, Mode.TRANSLATE, check_ad, Soup.ddt_base, 5)
    slave = ReadSlave(dut, memory, rng, width)
    causes = Counter()

    async def bench(ctx):
        ctx.set(dut.ddt_base, Soup.ddt_base >> 12)
        ctx.set(dut.ddt_log2, 5)
        ctx.set(dut.check_ad, check_ad)
        walking, started, now = {}, 0, 0
        contexts = {}
        while started < count or walking:
            await slave.cycle(ctx, now)
            free = [slot for slot in range(walks) if slot not in walking]
            starts = free and started < count and rng.random() < .5
            ctx.set(dut.start.valid, bool(starts))
            if starts:
                slot, key = rng.choice(free), random_key(rng)
                start = {"slot": slot, "key": key, "fresh": rng.getrandbits(1)}
                # what a context cache would know: right values, of the past walks
                known = contexts.get((key["ft"], key["device"], key["pasid"]))
                if known and rng.random() < .5:
                    start |= {"context_hit": 1, "context": known}
                ctx.set(dut.start.payload, start)
                if ctx.get(dut.start.ready):
                    walking[slot] = key
                    started += 1
            if ctx.get(dut.finished):
                slot = ctx.get(dut.finished_slot)
                assert slot in walking, "an outcome nobody asked for"
                key = walking.pop(slot)
                outcome, answer = ctx.get(dut.outcome), expected(golden, key)
                check(outcome, answer, golden)
                causes[outcome.cause] += 1
            if ctx.get(dut.context_fill):
                where, what = ctx.get(dut.context_key), ctx.get(dut.context)
                contexts[where.ft, where.device, where.pasid] = {
                    "root": what.root, "l5": what.l5, "deny": what.deny, "devid": what.devid}
            await ctx.tick()
            now += 1

    simulate(dut, bench, cycles=count * 200)
    return causes


@pytest.mark.parametrize("width", [64, 128, 256, 512])
def test_random_walks(width):
    causes = walk_all(f"walker/{width}", width=width)
    missing = set(Cause) - set(causes) - {Cause.CORE_OFF, Cause.ACCESS_FLAG}
    assert not missing, f"never seen: {missing}"


def test_check_ad():
    causes = walk_all("walker/ad", check_ad=1)
    assert causes[Cause.ACCESS_FLAG] > 20


@pytest.mark.parametrize("walks", [1, 3, 16])
def test_other_numbers_of_walks(walks):
    walk_all(f"walker/walks{walks}", walks=walks, count=400)


def test_wrong_number_of_words_is_an_error():
    """A memory that ends a read early or late causes TABLE_ERROR, and nothing hangs."""
    dut = TableWalker(Config(walks=2))

    async def bench(ctx):
        for words in (1, 3, 5):     # the device entry has 2
            ctx.set(dut.ddt_log2, 5)
            ctx.set(dut.ar.ready, 1)
            ctx.set(dut.start.payload, {"slot": 1, "key": {"device": 3}})
            ctx.set(dut.start.valid, 1)
            await ctx.tick()
            ctx.set(dut.start.valid, 0)
            await ctx.tick()
            for word in range(words):
                ctx.set(dut.r.payload, {"id": 1, "data": 3, "last": word == words - 1})
                ctx.set(dut.r.valid, 1)
                await ctx.tick()
            ctx.set(dut.r.valid, 0)
            assert ctx.get(dut.finished) and ctx.get(dut.finished_slot) == 1
            outcome = ctx.get(dut.outcome)
            assert (outcome.cause, outcome.level, outcome.entry) == (Cause.TABLE_ERROR, 7, 48)
            await ctx.tick()

    simulate(dut, bench, cycles=100)


def test_answers_without_a_read_are_dropped():
    dut = TableWalker(Config(walks=2))

    async def bench(ctx):
        for identity in (0, 1, 7, 15):
            ctx.set(dut.r.payload, {"id": identity, "data": 1, "last": 1})
            ctx.set(dut.r.valid, 1)
            await ctx.tick()
            assert not ctx.get(dut.finished) and not ctx.get(dut.ar.valid)
            assert not ctx.get(dut.device_fill) and not ctx.get(dut.context_fill)

    simulate(dut, bench, cycles=20)


def test_a_fault_from_a_cache_is_looked_up_again():
    """A cached context that leads to a fault is not believed: the walk begins anew at the device
    directory, and only what memory says there is reported."""
    dut = TableWalker(Config(walks=1))
    rng = seeded("walker/again")
    soup = Soup(rng, wrong=0)
    soup.words.update({
        # device 0: contexts at page 0x300; its context 0 has its root at page 0x400
        0x100000: 0x300007, 0x100008: 5,
        0x300000: 0x400001, 0x300008: 0, 0x300010: 0, 0x300018: 0,
        0x400000: 0x401007, 0x401000: 0x402007, 0x402000: 0x403007, 0x403000: 0x777007,
        0x500000: 0,            # what the stale context points to
    })
    slave = ReadSlave(dut, soup, rng, 64)

    async def bench(ctx):
        ctx.set(dut.ddt_base, 0x100)
        ctx.set(dut.ddt_log2, 5)
        ctx.set(dut.start.payload, {
            "slot": 0, "key": {"ft": 0}, "context_hit": 1,
            "context": {"root": 0x500, "devid": 5}})
        ctx.set(dut.start.valid, 1)
        await ctx.tick()
        ctx.set(dut.start.valid, 0)
        for now in range(200):
            await slave.cycle(ctx, now)
            if ctx.get(dut.finished):
                outcome = ctx.get(dut.outcome)
                assert (outcome.cause, outcome.pfn) == (Cause.OK, 0x777)
                assert slave.reads == 1 + 2 + 4
                return
            await ctx.tick()
        raise AssertionError("the walk has not ended")

    simulate(dut, bench, cycles=300)
