"""The walker against the golden model: outcome, level and entry address of random walks, and what
it hands on of the lines around their leaves."""

from collections import Counter

import pytest

from sim.model.golden import Access, GoldenModel
from siommu.arch.config import Config
from siommu.arch.formats import Cause, Mode, Size
from siommu.pipeline.sizes import LINE_PAGES
from siommu.walk.walker import TableWalker

from ...support.read_slave import INCR, WRAP, ReadSlave
from ...support.simulate import compiled, seeded, simulate
from ...support.soup import Soup, known_of, reach_of

WIDTHS = pytest.mark.parametrize("width", [64, 128, 256, 512])


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


def check(outcome, answer):
    assert outcome.cause == answer.cause
    assert outcome.disposition == answer.disposition
    if answer.cause == Cause.OK:
        rights = outcome.rights
        assert (rights.read, rights.write, rights.size) == (answer.read, answer.write, answer.size)
        if answer.size != Size.BYPASS:
            shift = 9 * answer.size.value
            assert outcome.pfn >> shift == answer.addr >> 12 + shift
    else:
        assert (outcome.level, outcome.entry) == (answer.level, answer.entry_addr)


def check_line(golden, key, pages):
    """Every page of a line is allowed what §4 allows it; returns how many were granted."""
    for index in range(LINE_PAGES):
        page = pages[index]
        for write, allowed in ((0, page.read), (1, page.write & page.dirty)):
            answer = expected(golden, {**key, "page": key["page"] & ~7 | index, "write": write})
            assert bool(allowed) == (answer.cause == Cause.OK), (index, write, answer)
            if allowed:
                assert page.pfn == answer.addr >> 12
                assert (page.read, page.write) == (answer.read, answer.write)
    return sum(1 for page in pages.values() if page.read | page.write)


def start_of(*, key, **fields):
    """A ``WalkStart`` of these fields, with what its key says."""
    return {"key": key, "reach": reach_of(key), **known_of(**fields)}


class Driver:
    """Sees what the walker hands out, cycle by cycle."""

    def __init__(self, dut, slave):
        self.dut, self.slave, self.now = dut, slave, 0
        self.lines, self.finished, self.over, self.fills = {}, [], [], []

    async def cycle(self, ctx):
        """One cycle; a start is to be set before. Returns whether it was taken."""
        dut = self.dut
        self.slave.cycle(ctx, self.now)
        taken = ctx.get(dut.start.valid) and ctx.get(dut.start.ready)
        words = ctx.get(dut.words)
        if words.valid:
            for half in (0, 1):
                if words.enable >> half & 1:
                    self.lines.setdefault(words.slot, {})[2 * words.row + half] = words.pages[half]
        finished, over = ctx.get(dut.finished.payload), ctx.get(dut.over.payload)
        self.finished = [(finished.slot, finished.outcome)] if ctx.get(dut.finished.valid) else []
        self.over = [(over.slot, over.line)] if ctx.get(dut.over.valid) else []
        fills = {name: getattr(dut, f"{name}_fill") for name in ("device", "context", "region")}
        self.fills = [name for name, fill in fills.items() if ctx.get(fill.valid)]
        self.known = {name: (ctx.get(fills[name].payload.key), ctx.get(fills[name].payload.value))
                      for name in self.fills}
        await ctx.tick()
        self.now += 1
        return taken

    async def walk(self, ctx, cycles=400, **start):
        """One walk from its start to its end: outcome, and whether its whole line came."""
        ctx.set(self.dut.start.payload, start_of(**start))
        ctx.set(self.dut.start.valid, 1)
        outcome = over = None
        for _ in range(cycles):
            if await self.cycle(ctx):
                ctx.set(self.dut.start.valid, 0)
            for slot, result in self.finished:
                assert slot == start["slot"] and outcome is None
                outcome = result
            for slot, line in self.over:
                assert slot == start["slot"] and over is None
                over = bool(line)
            if outcome is not None and over is not None:
                return outcome, over
        raise AssertionError(f"the walk has not ended: {outcome} {over}")


def fields(struct):
    return {name: getattr(struct, name) for name, _ in struct.shape()}


def region_of(key):
    sign = key["page"] >> 44
    return (key["ft"], key["device"], key["pasid"], key["page"] >> 9 & (1 << 36) - 1,
            int(sign in (0, 0xFF)))


def walk_all(name, *, width=64, walks=4, count=350, errors=.015, check_ad=0):
    config = Config(walks=walks, axi_data_width=width)
    running = compiled(TableWalker, config)
    dut, rng = running.dut, seeded(name)
    memory = Soup(rng, wrong=.06, errors=errors, grain=width // 8)
    golden = GoldenModel(memory, Mode.TRANSLATE, check_ad, Soup.ddt_base, 5)
    slave = ReadSlave(dut, memory, width=width, rng=rng)
    driver = Driver(dut, slave)
    seen = Counter()
    places = [random_key(rng) for _ in range(count // 4)]
    leaves = [key for key in (random_key(rng) for _ in range(10 * count))
              if expected(golden, key).level == 1]
    places += leaves[:count // 10] * 3      # else most end in the upper tables

    def reads_of(slot):
        return sum(burst[0] == slot for burst in slave.bursts)

    async def bench(ctx):
        ctx.set(dut.ddt_base, Soup.ddt_base >> 12)
        ctx.set(dut.ddt_log2, 5)
        ctx.set(dut.check_ad, check_ad)
        walking, closing, started = {}, {}, 0
        devices, contexts, regions = {}, {}, {}     # what caches would know: of the past walks
        offered = None
        while started < count or walking or closing:
            if offered is None and started < count and rng.random() < .5:
                key = {**rng.choice(places), "write": rng.getrandbits(1)}
                key["page"] ^= rng.randrange(rng.choice([8, 512]))
                slot = rng.choice([slot for slot in range(config.walk_slots)
                                   if slot not in walking and slot not in closing])
                upper, space = {}, (key["ft"], key["device"], key["pasid"])
                for what, known in (("device", devices.get(key["device"])),
                                    ("context", contexts.get(space)),
                                    ("region", regions.get(region_of(key)))):
                    if known and rng.random() < .5:
                        upper |= {f"{what}_hit": 1, what: known}
                        seen[f"{what} known"] += 1
                offered = start_of(slot=slot, key=key, region_way=rng.randrange(2), **upper)
                ctx.set(dut.start.payload, offered)
                offered_at = reads_of(slot)
            ctx.set(dut.start.valid, offered is not None)
            if await driver.cycle(ctx):
                walking[offered["slot"]] = (offered["key"], offered_at)
                driver.lines.pop(offered["slot"], None)
                offered, started = None, started + 1
            for slot, outcome in driver.finished:
                assert slot in walking, "an outcome nobody asked for"
                key, before = walking.pop(slot)
                answer = expected(golden, key)
                check(outcome, answer)
                seen[outcome.cause] += 1
                if reads_of(slot) > before:     # else it was refused, or let pass, at its start
                    closing[slot] = (key, answer)
            for slot, line in driver.over:
                key, answer = closing.pop(slot)
                # a leaf whose beat has an error is read again, alone
                in_line = answer.level == 1 and not (
                    width > 64 and answer.cause == Cause.TABLE_ERROR)
                assert line == in_line, "over_line"
                if in_line and answer.granted:
                    seen["neighbours"] += check_line(golden, key, driver.lines[slot])
            for what in driver.fills:
                where, value = driver.known[what]
                if what == "device":
                    devices[where] = {**fields(value)}
                elif what == "context":
                    contexts[where.ft, where.device, where.pasid] = fields(value)
                else:
                    regions[where.ft, where.device, where.pasid, where.region,
                            where.canonical] = fields(value)
        ctx.set(dut.start.valid, 0)
        for _ in range(20):
            await driver.cycle(ctx)
            assert not driver.finished and not driver.over and not ctx.get(dut.reading)

    running.alone(bench, count * 200)
    return seen


@WIDTHS
def test_random_walks(width):
    seen = walk_all(f"walker/{width}", width=width, count=350 if width == 64 else 250)
    assert len(set(Cause) & set(seen)) >= 6, seen      # the regression covers every one
    assert seen["neighbours"] > 50
    assert all(seen[f"{what} known"] > 10 for what in ("device", "context", "region")), seen


def test_check_ad():
    seen = walk_all("walker/ad", check_ad=1, count=200)
    assert seen[Cause.ACCESS_FLAG] > 5


@pytest.mark.parametrize("walks", [1, 3, 16])
def test_other_numbers_of_walks(walks):
    walk_all(f"walker/walks{walks}", walks=walks, count=150)


def tables():
    """Device 0 with one 4-level table, which maps page i of the first 2 MiB to 0x800 + 2 i."""
    soup = Soup(seeded("walker/tables"), wrong=0)
    soup.words.update({
        0x100000: 0x300007, 0x100008: 5,
        0x300000: 0x400001, 0x300008: 0, 0x300010: 0, 0x300018: 0,
        0x400000: 0x401007, 0x401000: 0x402007, 0x402000: 0x403007})
    soup.words.update({0x403000 + 8 * i: (0x800 + 2 * i) << 12 | 7 for i in range(512)})
    return soup


REGION = {"region_hit": 1, "region": {"table": 0x403, "write": 1, "devid": 5}}


def run(scenario, *, width=64, walks=2, beats=None, latency=2, cycles=3000):
    running = compiled(TableWalker, Config(walks=walks, axi_data_width=width))
    dut, memory = running.dut, tables()
    slave = ReadSlave(dut, memory, width=width, latency=(latency, latency), beats=beats)

    async def bench(ctx):
        ctx.set(dut.ddt_base, Soup.ddt_base >> 12)
        ctx.set(dut.ddt_log2, 5)
        await scenario(ctx, Driver(dut, slave), memory)
    running.alone(bench, cycles)


@WIDTHS
def test_a_leaf_is_read_with_its_line(width):
    """One burst for the 64 bytes around the leaf, the needed beat first."""
    beats, size = 512 // width, (width // 8).bit_length() - 1

    async def scenario(ctx, driver, memory):
        for page in (*range(16), 0x1FF):
            driver.slave.bursts.clear()
            outcome, line = await driver.walk(ctx, slot=page % 3, key={"page": page}, **REGION)
            assert (outcome.cause, outcome.pfn, line) == (Cause.OK, 0x800 + 2 * page, True)
            addr = 0x403000 + 8 * page >> size << size
            assert driver.slave.bursts == [
                (page % 3, addr, beats, size, WRAP if beats > 1 else INCR)]
            first = page & ~7
            assert [entry.pfn for _, entry in sorted(driver.lines[page % 3].items())] == [
                0x800 + 2 * (first + index) for index in range(8)]
    run(scenario, width=width)


@WIDTHS
def test_an_error_in_the_beat_of_a_neighbour_is_no_fault(width):
    """The neighbour that a wide beat brings along is broken: the leaf is read again, alone."""
    async def scenario(ctx, driver, memory):
        memory.broken = {(0x403000 + 8 * 4) // memory.grain: True}
        outcome, line = await driver.walk(ctx, slot=1, key={"page": 5}, **REGION)
        assert (outcome.cause, outcome.pfn) == (Cause.OK, 0x80A)
        assert line == (width == 64)
        assert len(driver.slave.bursts) == (1 if width == 64 else 2)
        if width > 64:
            assert driver.slave.bursts[1] == (1, 0x403028, 1, 3, INCR)
        outcome, _ = await driver.walk(ctx, slot=1, key={"page": 4}, **REGION)
        assert outcome.cause == Cause.TABLE_ERROR
    run(scenario, width=width)


@pytest.mark.parametrize("width", [64, 128, 256])
def test_a_line_is_decided_by_its_first_beat(width):
    async def scenario(ctx, driver, memory):
        dut = driver.dut
        ctx.set(dut.start.payload, start_of(slot=1, key={"page": 5}, **REGION))
        ctx.set(dut.start.valid, 1)
        while not driver.slave.taken:
            if await driver.cycle(ctx):
                ctx.set(dut.start.valid, 0)
        ctx.set(dut.r.valid, 0)
        for _ in range(4):          # no further beat comes
            if ctx.get(dut.finished.valid):
                assert ctx.get(dut.finished.payload).outcome.pfn == 0x80A
                assert not ctx.get(dut.over.valid)
                return
            await ctx.tick()
        raise AssertionError("waits for the neighbours")
    run(scenario, width=width)


def test_starts_beside_the_neighbours_of_a_line():
    async def scenario(ctx, driver, memory):
        dut = driver.dut
        ctx.set(dut.start.valid, 1)
        ctx.set(dut.start.payload, start_of(slot=0, key={"page": 8}, **REGION))
        while not await driver.cycle(ctx):
            pass
        ctx.set(dut.start.valid, 0)
        while not driver.slave.taken:
            await driver.cycle(ctx)
        ctx.set(dut.start.valid, 1)
        ctx.set(dut.start.payload, start_of(slot=1, key={"page": 16}, **REGION))
        while not await driver.cycle(ctx):
            pass
        assert driver.slave.taken < 6, "the start waited for the line"
        ctx.set(dut.start.valid, 0)
        ended = []
        for _ in range(60):
            await driver.cycle(ctx)
            ended += driver.over
        assert ended == [(0, 1), (1, 1)]
        assert [len(driver.lines[slot]) for slot in (0, 1)] == [8, 8]
    run(scenario, walks=2)


@pytest.mark.parametrize("walks", [1, 2, 5])
def test_no_more_walks_in_flight_than_configured(walks):
    async def scenario(ctx, driver, memory):
        dut = driver.dut
        ctx.set(dut.start.valid, 1)
        taken, most, over = 0, 0, 0
        for _ in range(300):
            ctx.set(dut.start.payload, start_of(
                slot=taken % (walks + 1), key={"page": 8 * taken}, **REGION))
            taken += bool(await driver.cycle(ctx))
            over += len(driver.over)
            most = max(most, taken - over)
        assert most in (walks, walks + 1), "as many as configured; one may just have ended"
        assert taken > 5 * walks
    run(scenario, walks=walks, latency=15)


@pytest.mark.parametrize("width", [64, 128, 256])
@pytest.mark.parametrize("wanted", [0, 3, 7])
def test_an_error_on_a_neighbour_is_no_fault(width, wanted):
    """The grant stands, all in the erroneous beats grant nothing, the rest is kept (§5.1)."""
    per_beat = width // 64

    async def scenario(ctx, driver, memory):
        memory.grain = width // 8
        for other in range(8):
            if other // per_beat == wanted // per_beat:
                continue
            memory.broken = {(0x403000 + 8 * other) // memory.grain: True}
            outcome, line = await driver.walk(ctx, slot=1, key={"page": wanted}, **REGION)
            assert (outcome.cause, outcome.pfn, line) == (Cause.OK, 0x800 + 2 * wanted, True)
            for index, page in driver.lines[1].items():
                good = index // per_beat != other // per_beat
                assert (page.read, page.write) == (good, good), (other, index)
    run(scenario, width=width)


@pytest.mark.parametrize("width, sent", [(64, 1), (64, 2), (64, 7), (64, 9), (64, 12), (64, 16),
                                         (64, 17), (128, 1), (128, 3), (128, 5), (256, 1),
                                         (256, 3), (512, 2), (512, 3)])
def test_a_line_of_a_wrong_length(width, sent):
    """Ended before its time or late: nothing hangs, its neighbours are not believed; and where
    already the first beat shows it, it is a bus error."""
    wrong = True

    async def scenario(ctx, driver, memory):
        nonlocal wrong
        outcome, line = await driver.walk(ctx, slot=1, key={"page": 5})
        if (sent == 1) != (width == 512):
            assert (outcome.cause, outcome.level, outcome.entry) == (
                Cause.TABLE_ERROR, 1, 0x403000 + 40)
        else:
            assert (outcome.cause, outcome.pfn) == (Cause.OK, 0x80A)
        assert not line, "the line is not complete"
        wrong = False
        for _ in range(5):
            await driver.cycle(ctx)
        outcome, line = await driver.walk(ctx, slot=1, key={"page": 9}, **REGION)
        assert (outcome.cause, outcome.pfn, line) == (Cause.OK, 0x812, True)

    def beats(address):
        of_line = address.burst.value == WRAP or address.size == 6
        return sent if of_line and wrong else address.len + 1

    run(scenario, width=width, beats=beats)


def test_wrong_number_of_words_is_an_error():
    """A memory that ends a read early or late causes TABLE_ERROR, and nothing hangs."""
    for words in (1, 3, 5):         # the device entry has 2
        async def scenario(ctx, driver, memory):
            outcome, line = await driver.walk(ctx, slot=1, key={"device": 3})
            assert (outcome.cause, outcome.level, outcome.entry) == (
                Cause.TABLE_ERROR, 7, 0x100030)
            assert not line
        run(scenario, beats=lambda address, words=words: words)


def test_answers_without_a_read_are_dropped():
    dut = TableWalker(Config(walks=2))

    async def bench(ctx):
        for identity in (0, 1, 7, 15):
            for last in (0, 1):
                ctx.set(dut.r.payload, {"id": identity, "data": 1, "last": last})
                ctx.set(dut.r.valid, 1)
                await ctx.tick()
                for name in ("finished", "over", "device_fill", "context_fill", "region_fill"):
                    assert not ctx.get(getattr(dut, name).valid), name
                assert not ctx.get(dut.ar.valid) and not ctx.get(dut.words.valid)

    simulate(dut, bench, cycles=20)


STALE = {
    "context": {"context_hit": 1, "context": {"root": 0x500, "devid": 5}},
    "device": {"device_hit": 1, "device": {"mem_en": 1, "pfn": 0x500, "devid": 5}},
    "region": {"region_hit": 1, "region": {"table": 0x500, "write": 1, "devid": 5}},
    "rights": {"region_hit": 1, "region": {"table": 0x403, "write": 0, "devid": 5}},
    "devid": {"region_hit": 1, "region": {"table": 0x404, "write": 1, "devid": 4}},
}


@WIDTHS
@pytest.mark.parametrize("what", STALE)
def test_a_fault_from_a_cache_is_looked_up_again(what, width):
    """A cached table that leads to a fault is not believed: the walk begins anew at the device
    directory, and only what memory says there is reported. Of a line that led to the fault, the
    rest is skipped."""
    async def scenario(ctx, driver, memory):
        memory.words.update({0x500000 + 8 * i: 0 for i in range(64)})
        storage = what == "devid"
        if storage:
            memory.words[0x300008] = 0x400001
            memory.words[0x403018] = 0x777007 | 1 << 10 | 5 << 52
            memory.words.update({0x404000 + 8 * i: 0x999007 | 1 << 10 | 5 << 52
                                 for i in range(8)})
        else:
            memory.words[0x403018] = 0x777007
        page = {"page": 3, "write": what == "rights", "ft": storage}
        outcome, line = await driver.walk(ctx, slot=2, key=page, **STALE[what])
        assert (outcome.cause, outcome.pfn, line) == (Cause.OK, 0x777, True)
        assert len(driver.slave.bursts) == 1 + 2 + 4
        for index, entry in driver.lines[2].items():
            if index != 3 and not storage:
                assert entry.pfn == 0x800 + 2 * index, "a word of the first line"
    run(scenario, width=width)


def test_stale_walks_fill_no_cache():
    async def scenario(ctx, driver, memory):
        for stale in (0, 1):
            ctx.set(driver.dut.stale, stale << 2)
            ctx.set(driver.dut.start.payload, start_of(slot=2, key={"page": 1}))
            ctx.set(driver.dut.start.valid, 1)
            filled = []
            for _ in range(100):
                if await driver.cycle(ctx):
                    ctx.set(driver.dut.start.valid, 0)
                filled += driver.fills
            assert filled == ([] if stale else ["device", "context", "region"])
    run(scenario)


@pytest.mark.parametrize("walks, times", [(1, [0, 4, 8, 12]), (3, [0, 1, 2, 4])])
def test_a_refused_start_makes_room(walks, times):
    """A device beyond the directory: the walk has its outcome at its start, and its room is free
    four cycles after that."""
    async def scenario(ctx, driver, memory):
        taken, finished = [], []
        ctx.set(driver.dut.start.valid, 1)
        for _ in range(20):
            ctx.set(driver.dut.start.payload,
                    start_of(slot=len(taken) % 2, key={"device": 32}))
            if await driver.cycle(ctx):
                taken.append(driver.now - 1)
            finished += [(driver.now - 1, outcome.cause) for _, outcome in driver.finished]
        assert taken[:4] == times
        assert finished[:4] == [(now + 2, Cause.DEVICE_INVALID) for now in times]
        assert not driver.slave.bursts
    run(scenario, walks=walks)
