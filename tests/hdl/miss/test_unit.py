"""The miss unit by itself: the bench plays arbiter, first level, walker and line scan.

Every request must be answered once for each of its pages, in order, by an outcome of its own key;
when all is answered, no slot is in use and no operation waits.
"""

from collections import Counter, deque

import pytest

from siommu.arch.config import Config
from siommu.arch.formats import Cause, Disposition, Size
from siommu.miss.unit import MissUnit

from ...support.simulate import seeded, simulate

CONFIG = Config(device_ports=2, cpu_port=False, port_depth=8, walks=3)
PAGES = 128         #: few pages, so that requests meet


class World:
    """What walks find: the same for every walk of a page."""

    def __init__(self, rng, faults):
        self.kind = {}
        for ft in (0, 1):
            for pasid in (1, 2):
                page = 0
                while page < PAGES:
                    if rng.random() < faults:
                        self.kind[ft, pasid, page] = None
                        page += 1
                        continue
                    length = min(rng.choice([1, 2, 5]), PAGES - page, 8 - page % 8)
                    base = rng.getrandbits(30)
                    for index in range(length):
                        self.kind[ft, pasid, page + index] = base + index, length - 1 - index
                    page += length

    def outcome(self, key):
        """(granted, frame, pages that follow)"""
        found = self.kind[key]
        return (True, *found) if found else (False, 0, 0)


class Bench:
    """Everything around the miss unit, cycle by cycle."""

    def __init__(self, dut, ctx, rng, world, second_level):
        self.dut, self.ctx, self.rng, self.world = dut, ctx, rng, world
        self.second_level = second_level
        self.first = set()                  # pages that the first level holds
        self.stages = [None] * 5            # operations in COMPARE to JOIN
        self.open = {}                      # (port, tag) -> pages that are not answered
        self.walks = {}                     # slot -> [key, cycles left, phase]
        self.events = deque()               # (cycle, name, slot, ...)
        self.now = self.answered = self.seen_walks = 0
        self.starts = Counter()

    def key(self, operation):
        return operation["ft"], operation["pasid"], (operation["addr"] >> 12) % PAGES

    def holds(self, operation):
        return self.key(operation) in self.first

    def answer(self, port, tag, pages, cause, frame=None, offset=None):
        """Pages of a request are answered: they are the next ones, and rightly so."""
        request = self.open[port, tag]
        for index in range(pages + 1):
            key = request["ft"], request["pasid"], request["page"]
            granted, wanted, _ = self.world.outcome(key)
            assert (cause == Cause.OK) == granted, (key, cause)
            if granted and frame is not None:
                assert frame + index == wanted, key
            request["page"] += 1
            request["left"] -= 1
        self.answered += pages + 1
        if request["left"] == 0 or cause != Cause.OK:
            del self.open[port, tag]

    def enter(self):
        """The operation that enters COMPARE: a retry, a look-ahead, or a new request."""
        ctx, dut, rng = self.ctx, self.dut, self.rng
        retry, ahead = dut.reentry.retry, dut.reentry.look_aheads
        choice = rng.random()
        paused, takes = ctx.get(dut.reentry.pause), None
        ctx.set(retry.operation.ready, 0)
        ctx.set(ahead.ready, 0)
        if paused or choice < .1:
            return None
        if ctx.get(retry.operation.valid) and choice < .7:
            port = ctx.get(retry.port)
            takes = retry.operation
            assert port == 1 << ctx.get(takes.payload.port)
        elif ctx.get(ahead.valid):
            takes = ahead
        if takes is not None:
            ctx.set(takes.ready, 1)
            return self.fields(ctx.get(takes.payload))
        if self.more and len(self.open) < 12:
            port, tag = rng.randrange(2), rng.randrange(256)
            if (port, tag) in self.open or sum(p == port for p, _ in self.open) >= 8:
                return None
            page = rng.randrange(PAGES)
            pages = rng.choice([0, 1, 3, 60, 60])
            pages = min(pages, PAGES - 1 - page)
            request = {"ft": rng.getrandbits(1), "pasid": rng.choice([1, 2])}
            self.open[port, tag] = {**request, "page": page, "left": pages + 1}
            return {**request, "port": port, "tag": tag, "addr": page << 12 | 0x40,
                    "pages": pages, "write": 0, "device": 7}
        return None

    @staticmethod
    def fields(view):
        names = ("speculative", "reserved", "claims", "in_time", "slot", "tries",
                 "skip_second_level", "port", "ft", "write", "device", "pasid", "addr", "pages",
                 "tag")
        return {name: view[name] for name in names}

    async def cycle(self):
        ctx, dut = self.ctx, self.dut
        self.stages = [self.enter(), *self.stages[:4]]
        compare, select, match, act, join = self.stages
        ctx.set(dut.in_compare, compare or {})
        ctx.set(dut.in_select, select or {})
        self.match(match)
        second = act is not None and act.get("second")
        ctx.set(dut.second.hit, bool(second))
        ctx.set(dut.upper.region_hit, 1)
        self.second_outcome()
        self.walk()
        self.happen()
        await ctx.tick()
        self.now += 1
        if ctx.get(dut.answers.beat.valid):
            beat, port = ctx.get(dut.answers.beat.payload), ctx.get(dut.answers.port)
            self.answer(port, beat.tag, beat.pages, beat.cause, beat.addr >> 12)

    def match(self, operation):
        """The first level answers in MATCH, with the run that it knows."""
        ctx, dut = self.ctx, self.dut
        if operation is None:
            ctx.set(dut.look_up, {})
            return
        held = self.holds(operation)
        operation["second"] = not held and self.second_level and self.rng.random() < .2 \
            and not operation.get("skip_second_level") and self.world.outcome(
                self.key(operation))[0]
        run = 0
        if held:
            _, frame, follow = self.world.outcome(self.key(operation))
            run = min(follow, operation["pages"])
            if not operation.get("speculative"):
                self.answer(operation["port"], operation["tag"], run, Cause.OK, frame)
        fields = {name: value for name, value in operation.items() if name != "second"}
        ctx.set(dut.look_up, {"valid": 1, "answered": held, "run": run,
                              "more": held and run < operation["pages"], "operation": fields})

    def second_outcome(self):
        """What the second level says two cycles after its hit: of the operation behind JOIN."""
        ctx, dut, join = self.ctx, self.dut, self.before_exit
        self.before_exit = self.stages[4]
        if join is None or not join.get("second"):
            ctx.set(dut.second.damaged, 0)
            return
        _, frame, follow = self.world.outcome(self.key(join))
        ctx.set(dut.second.damaged, self.rng.random() < .2)
        ctx.set(dut.second.outcome, self.granted(frame, follow))

    before_exit = None

    @staticmethod
    def granted(frame, follow):
        return {"cause": Cause.OK, "pfn": frame, "extent": follow,
                "rights": {"size": Size.PAGE_4K, "read": 1, "write": 1, "dirty": 1}}

    def walk(self):
        """The walker: starts, restarts, ends."""
        ctx, rng, walks = self.ctx, self.rng, self.dut.walks
        for name in (walks.stepping, walks.restart, walks.finished):
            ctx.set(name.valid, 0)
        ctx.set(walks.start.ready, 0)
        if ctx.get(walks.start.valid) and len(self.walks) < CONFIG.walks and rng.random() < .7:
            start = ctx.get(walks.start.payload)
            assert start.slot not in self.walks, "the slot walks already"
            ctx.set(walks.start.ready, 1)
            self.starts[start.speculative] += 1
            key = start.key.ft, start.key.pasid, start.key.page % PAGES
            self.walks[start.slot] = {"key": key, "left": rng.randrange(2, 30),
                                      "speculative": start.speculative, "over": 0}
        steps = False
        for slot, walk in list(self.walks.items()):
            walk["left"] -= 1
            # a word decides nothing, or the walk; one at a time
            if walk["left"] == 1 and steps:
                walk["left"] += 1
            elif walk["left"] == 1 or (walk["left"] > 1 and not steps and rng.random() < .2):
                steps = True
                ctx.set(walks.stepping.valid, 1)
                ctx.set(walks.stepping.payload, slot)
            elif walk["left"] == 0:
                self.end(slot, walk)
        ctx.set(walks.reading, sum(1 << slot for slot in self.walks))

    def end(self, slot, walk):
        ctx, walks = self.ctx, self.dut.walks
        granted, frame, follow = self.world.outcome(walk["key"])
        ctx.set(walks.finished.valid, 1)
        outcome = self.granted(frame, 0) if granted else {
            "cause": Cause.NOT_PRESENT, "disposition": Disposition.OS, "level": 1}
        ctx.set(walks.finished.payload, {"slot": slot, "outcome": outcome})
        del self.walks[slot]
        if granted:
            wait = self.now + self.rng.randrange(8, 12)
            while any(at == wait for at, *_ in self.events):
                wait += 1
            self.events.append((wait, slot, walk["key"], follow))

    def happen(self):
        """The line scan: runs measured, fills of the first level."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.measured.valid, 0)
        ctx.set(dut.filled.valid, 0)
        for event in list(self.events):
            at, slot, (ft, pasid, page), follow = event
            if at == self.now:
                ctx.set(dut.measured.valid, 1)
                ctx.set(dut.measured.payload, {"slot": slot, "extent": follow})
            if at + 3 == self.now:
                while len(self.first) > 12:     # some entries are replaced
                    self.first.remove(min(self.first))
                self.first |= {(ft, pasid, page + index) for index in range(follow + 1)}
            if at + 5 == self.now:
                ctx.set(dut.filled, {"valid": 1, "slot": slot})
                self.events.remove(event)


@pytest.mark.parametrize("faults", [0, .3, 1])
@pytest.mark.parametrize("second_level", [False, True])
def test_random_traffic_loses_nothing(faults, second_level):
    rng = seeded(f"miss/{faults}/{second_level}")
    dut = MissUnit(CONFIG)

    async def scenario(ctx):
        bench = Bench(dut, ctx, rng, World(rng, faults), second_level)
        ports = CONFIG.requesters
        ctx.set(dut.port_enable, (1 << ports) - 1)
        ctx.set(dut.credits.some, (1 << ports) - 1)
        bench.more = True
        for _ in range(2500):
            await bench.cycle()
        bench.more = False
        for _ in range(4000):
            await bench.cycle()
            if not bench.open and not ctx.get(dut.states.busy):
                break
        assert not bench.open, f"not answered: {bench.open}"
        assert not ctx.get(dut.states.busy) and not ctx.get(dut.events.waiting)
        assert bench.answered > 250 and bench.starts[0] > 50
        assert bench.starts[1] > (0 if faults else 5), "there were look-aheads"
    simulate(dut, scenario, cycles=8000)
