"""The miss unit with a mock walker: who joins whose walk, who waits, who is answered with what."""

from collections import Counter

import pytest
from amaranth.lib import data

from siommu.bundles import Operation
from siommu.config import Config
from siommu.formats import Cause, Size
from siommu.miss import MissUnit

from .simulate import seeded, simulate

SMALL = Config(device_ports=2, cpu_port=False, port_depth=8, tlb_entries=2, walks=2)


class Bench:
    """Drives requests and plays the walker, the arbiter and the TLB."""

    def __init__(self, config=SMALL):
        self.config = config
        self.dut = MissUnit(config)
        self.starts, self.beats, self.retries, self.fills = [], [], [], []
        self.cycle = 0
        self.fill_at = {}       # cycle -> slot: when a fill is over

    async def tick(self, ctx, request=None, finish=None):
        """One cycle: offers a miss ``request`` and ends the walk ``finish`` = (slot, outcome)."""
        dut = self.dut
        ctx.set(dut.request.valid, request is not None)
        if request is not None:
            kind = {key: request.get(key, 0) for key in ("miss", "rest")}
            fields = {key: value for key, value in request.items() if key not in kind}
            ctx.set(dut.request.payload, {**kind, "operation": fields})
        ctx.set(dut.finished, finish is not None)
        if finish is not None:
            ctx.set(dut.finished_slot, finish[0])
            ctx.set(dut.outcome, finish[1])
        ctx.set(dut.start.ready, 1)
        ctx.set(dut.retry.ready, 1)
        ctx.set(dut.fill.ready, 1)
        ctx.set(dut.filled, 1 << self.fill_at.pop(self.cycle) if self.cycle in self.fill_at else 0)
        if ctx.get(dut.start.valid):
            start = ctx.get(dut.start.payload)
            self.starts.append((start.slot, start.fresh, start.key.page, start.context_hit))
        if ctx.get(dut.beat.valid):
            beat = ctx.get(dut.beat.payload)
            self.beats.append((ctx.get(dut.beat_port), beat.tag, beat.cause, beat.addr, beat.last))
        if ctx.get(dut.retry.valid):
            retry = ctx.get(dut.retry.payload)
            self.retries.append({name: getattr(retry, name)
                                 for name, _ in data.Layout.cast(Operation)})
        if ctx.get(dut.fill.valid):
            fill = ctx.get(dut.fill.payload)
            self.fills.append((fill.slot, fill.key.page))
            self.fill_at[self.cycle + 5] = fill.slot
        await ctx.tick()
        self.cycle += 1

    async def idle(self, ctx, cycles=12):
        for _ in range(cycles):
            await self.tick(ctx)


def miss(page, tag=0, port=0, **fields):
    return {"miss": 1, "addr": page << 12, "tag": tag, "port": port, **fields}


def grant(pfn, size=Size.PAGE_4K):
    return {"cause": Cause.OK, "pfn": pfn, "size": size, "read": 1, "dirty": 1}


def run(scenario, config=SMALL):
    bench = Bench(config)

    async def testbench(ctx):
        await scenario(ctx, bench)
    simulate(bench.dut, testbench, cycles=5000)


def test_a_miss_starts_a_walk_and_is_answered():
    async def scenario(ctx, bench):
        await bench.tick(ctx, miss(5, tag=7, port=1))
        await bench.idle(ctx)
        assert bench.starts == [(0, 0, 5, 0)] and not bench.beats
        assert ctx.get(bench.dut.walking)
        await bench.tick(ctx, finish=(0, grant(0x99)))
        await bench.idle(ctx)
        assert bench.beats == [(1, 7, Cause.OK, 0x99000, 1)]
        assert bench.fills == [(0, 5)]
        assert not ctx.get(bench.dut.walking), "the slot is free again"
    run(scenario)


def test_timing():
    """A start follows two cycles after the miss, the answer two after the walk's end."""
    async def scenario(ctx, bench):
        await bench.tick(ctx, miss(1))
        await bench.tick(ctx)
        assert ctx.get(bench.dut.start.valid)
        await bench.tick(ctx, finish=None)
        await bench.tick(ctx, finish=(0, grant(1)))
        await bench.tick(ctx)
        assert ctx.get(bench.dut.beat.valid)
        await bench.tick(ctx)
    run(scenario)


def test_equal_keys_share_a_walk_in_every_stage():
    async def scenario(ctx, bench):
        for tag in range(6):
            await bench.tick(ctx, miss(5, tag))
            if tag % 2:
                await bench.idle(ctx, tag)
        await bench.tick(ctx, finish=(0, grant(0x42)))
        await bench.tick(ctx, miss(5, 6))       # while the grant is handed out
        await bench.idle(ctx)
        assert len(bench.starts) == 1
        assert [beat[1] for beat in bench.beats] == list(range(7))
        assert all(beat[2] == Cause.OK and beat[3] == 0x42000 for beat in bench.beats)
    run(scenario)


@pytest.mark.parametrize("other", [
    {"write": 1}, {"ft": 1}, {"device": 1}, {"device": 0x8000}, {"pasid": 1}, {"pasid": 0x80000},
    {"addr": 0x1000}, {"addr": 1 << 63}])
def test_every_field_of_the_key_counts(other):
    async def scenario(ctx, bench):
        await bench.tick(ctx, {**miss(0), "tag": 1})
        await bench.tick(ctx, {**miss(0), **other, "tag": 2})
        await bench.idle(ctx)
        assert len(bench.starts) == 2
        await bench.tick(ctx, finish=(1, grant(2)))
        await bench.tick(ctx, finish=(0, grant(1)))
        await bench.idle(ctx)
        assert sorted((beat[1], beat[3] >> 12) for beat in bench.beats) == [(1, 1), (2, 2)]
    run(scenario)


def test_a_fault_answers_only_who_came_in_time():
    """Whoever joined after the walk had begun to read gets a new walk that trusts no cache."""
    fault = {"cause": Cause.NOT_PRESENT, "level": 1, "entry": 0x1000}

    async def scenario(ctx, bench):
        await bench.tick(ctx, miss(5, 0))
        await bench.tick(ctx, miss(5, 1))       # together with the first: before the first read
        await bench.idle(ctx)
        for tag in (2, 3):
            await bench.tick(ctx, miss(5, tag))
        await bench.idle(ctx, 5)
        assert len(bench.starts) == 1
        await bench.tick(ctx, finish=(0, fault))
        await bench.idle(ctx)
        first = [beat[1] for beat in bench.beats]
        assert first in ([0], [0, 1]) and all(beat[2] == Cause.NOT_PRESENT for beat in bench.beats)
        assert bench.starts[1:] == [(0, 1, 5, 0)], "the walk begins again, and is fresh"
        await bench.tick(ctx, finish=(0, grant(9)))
        await bench.idle(ctx)
        assert [beat[1] for beat in bench.beats] == [0, 1, 2, 3]
        assert all(beat[2:4] == (Cause.OK, 0x9000) for beat in bench.beats[len(first):])
        assert not ctx.get(bench.dut.walking)
    run(scenario)


def test_without_a_slot_a_miss_waits_and_is_retried_with_a_promise():
    async def scenario(ctx, bench):
        for page in range(4):
            await bench.tick(ctx, miss(page, page, port=page & 1))
        await bench.idle(ctx)
        assert len(bench.starts) == 2 and not bench.retries
        await bench.tick(ctx, finish=(1, {"cause": Cause.SUPERVISOR}))
        await bench.idle(ctx)
        assert [(retry["tag"], retry["reserved"]) for retry in bench.retries] == [(2, 1)]
        # another port's new miss does not take the promised slot
        await bench.tick(ctx, miss(9, 9, port=1))
        await bench.idle(ctx)
        assert len(bench.starts) == 2
        await bench.tick(ctx, {**bench.retries[0], "miss": 1})
        await bench.idle(ctx)
        assert bench.starts[-1][:3] == (1, 0, 2)
        # the promise is given back when the retry needs no slot
        await bench.tick(ctx, finish=(0, {"cause": Cause.SUPERVISOR}))
        await bench.idle(ctx)
        assert bench.retries[-1]["tag"] == 3
        await bench.tick(ctx, {**bench.retries[-1], "miss": 0})
        await bench.idle(ctx)
        assert (bench.retries[-1]["tag"], bench.retries[-1]["reserved"]) == (9, 1)
    run(scenario)


def test_the_rest_of_a_request_waits_for_a_credit():
    async def scenario(ctx, bench):
        ctx.set(bench.dut.credits, 0b01)
        for port in range(2):
            await bench.tick(ctx, {"rest": 1, "addr": 0x7000, "pages": 3, "tag": 4, "port": port})
        await bench.idle(ctx)
        assert [(retry["port"], retry["pages"], retry["reserved"]) for retry in bench.retries] \
            == [(0, 3, 0)]
        assert ctx.get(bench.dut.continues) == 0b10
        ctx.set(bench.dut.credits, 0b10)
        await bench.idle(ctx)
        assert bench.retries[-1]["port"] == 1
    run(scenario)


def test_pages_behind_a_walked_run_are_continued():
    async def scenario(ctx, bench):
        ctx.set(bench.dut.credits, 0b11)
        await bench.tick(ctx, miss(0x3FE, 1, pages=4))
        await bench.idle(ctx)
        await bench.tick(ctx, finish=(0, grant(0x200, Size.PAGE_2M)))
        await bench.idle(ctx)
        assert bench.beats == [(0, 1, Cause.OK, 0x3FE000, 0)]
        assert [(retry["addr"], retry["pages"]) for retry in bench.retries] == [(0x400000, 2)]
    run(scenario)


def test_a_flush_keeps_grants_out_of_the_tlb():
    async def scenario(ctx, bench):
        await bench.tick(ctx, miss(5, 0))
        await bench.idle(ctx)
        ctx.set(bench.dut.flush, 1)
        await bench.tick(ctx)
        ctx.set(bench.dut.flush, 0)
        await bench.tick(ctx, miss(5, 1))       # must not join the older walk
        await bench.idle(ctx)
        assert len(bench.starts) == 2
        await bench.tick(ctx, finish=(0, grant(1)))
        await bench.tick(ctx, finish=(1, grant(2)))
        await bench.idle(ctx)
        assert bench.fills == [(1, 5)]
        assert [(beat[1], beat[3]) for beat in bench.beats] == [(0, 0x1000), (1, 0x2000)]
    run(scenario)


@pytest.mark.parametrize("when", [0, 1])
def test_contexts_found_before_a_flush_are_not_trusted(when):
    async def scenario(ctx, bench):
        ctx.set(bench.dut.context_hit, 1)
        ctx.set(bench.dut.flush, when == 0)
        await bench.tick(ctx, miss(5, 0))
        ctx.set(bench.dut.flush, when == 1)
        await bench.tick(ctx)
        ctx.set(bench.dut.flush, 0)
        await bench.idle(ctx)
        assert bench.starts == [(0, 0, 5, 0)]
        await bench.tick(ctx, miss(6, 0))
        await bench.idle(ctx)
        assert bench.starts[1] == (1, 0, 6, 1)
    run(scenario)


@pytest.mark.parametrize("config", [SMALL, Config(walks=8), Config(walks=1, port_depth=4)],
                         ids=["two-walks", "default", "one-walk"])
def test_random_traffic_loses_nothing(config):
    """Every miss is answered once, by a walk for its own key, and all slots are free at the end."""
    bench, rng = Bench(config), seeded(f"miss/{config.walks}")
    count = 400

    async def testbench(ctx):
        ctx.set(bench.dut.credits, (1 << config.ports) - 1)
        open_, walking, sent = {}, {}, 0
        seen = retried = 0
        outstanding = Counter()
        while sent < count or open_:
            request = finish = None
            if retried < len(bench.retries):
                request = {**bench.retries[retried], "miss": 1}
                retried += 1
            elif sent < count and rng.random() < .5:
                port = rng.randrange(config.ports)
                if outstanding[port] < config.port_depth:
                    request = miss(rng.randrange(6), sent & 0xFF, port)
                    open_[port, sent & 0xFF] = request["addr"] >> 12
                    outstanding[port] += 1
                    sent += 1
                    while any(key[1] == sent & 0xFF for key in open_):
                        sent += 1
            if walking and rng.random() < .3:
                slot = rng.choice(list(walking))
                page = walking.pop(slot)
                finish = (slot, grant(0x1000 + page) if rng.random() < .6 else
                          {"cause": Cause.NOT_PRESENT})
            started = len(bench.starts)
            await bench.tick(ctx, request, finish)
            for slot, _, page, _ in bench.starts[started:]:
                assert slot not in walking
                walking[slot] = page
            for port, tag, cause, addr, last in bench.beats[seen:]:
                page = open_.pop((port, tag))
                assert last and addr == ((0x1000 + page) << 12 if cause == Cause.OK else page << 12)
                outstanding[port] -= 1
            seen = len(bench.beats)
        await bench.idle(ctx, 20)
        assert not ctx.get(bench.dut.walking)

    simulate(bench.dut, testbench, cycles=60_000)
    assert {beat[2] for beat in bench.beats} == {Cause.OK, Cause.NOT_PRESENT}
