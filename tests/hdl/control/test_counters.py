"""The counters against a Python model that adds up every cycle's events."""

from siommu.control.counters import TURNS, Counters

from ...support.simulate import recorded_memories, seeded, simulate

WIDTHS = {"cycles": 1, "many": 7, "one": 1, "some": 3, "few": 2}
NAMES = list(WIDTHS)
NO_EVENTS = dict.fromkeys(WIDTHS, 0)


class Model:
    """Totals, as they are read: of all cycles before."""

    def __init__(self, ctx, dut, rng=None):
        self.ctx, self.dut, self.rng = ctx, dut, rng
        self.totals = dict(NO_EVENTS)
        self.freeze = self.clear = 0

    async def tick(self, busy=True):
        """A cycle of random events (or none)."""
        events = dict(NO_EVENTS)
        if self.rng and busy:
            events = {name: self.rng.choice((0, self.rng.getrandbits(width), (1 << width) - 1))
                      for name, width in WIDTHS.items()}
            events["cycles"] = 0
        self.ctx.set(self.dut.events, events)
        self.ctx.set(self.dut.freeze, self.freeze)
        self.ctx.set(self.dut.clear, self.clear)
        await self.ctx.tick()
        for name in NAMES:
            if self.clear:
                self.totals[name] = 0
            elif not self.freeze:
                self.totals[name] += 1 if name == "cycles" else events[name]
        self.ctx.set(self.dut.clear, 0)
        self.clear = 0

    async def read(self, name, high=0, busy=True):
        """A word, and the totals of the cycles before it was answered."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.ask, 1)
        ctx.set(dut.index, NAMES.index(name))
        ctx.set(dut.high, high)
        await self.tick(busy)
        ctx.set(dut.ask, 0)
        for _ in range(20):
            if ctx.get(dut.done):
                value = ctx.get(dut.value)
                before = self.totals[name]
                await self.tick(busy)
                assert not ctx.get(dut.done), "for one cycle"
                return value, before
            await self.tick(busy)
        raise AssertionError("it is not answered in time")


def test_exact_when_quiet():
    """Whatever happened until it became quiet, frozen and cleared ones among it: exact."""
    dut, rng = Counters(WIDTHS), seeded("counters/quiet")

    async def bench(ctx):
        model = Model(ctx, dut, rng)
        for _ in range(25):
            for _ in range(rng.randrange(60)):
                model.freeze = rng.random() < .2
                model.clear = rng.random() < .02
                await model.tick()
            model.freeze = 1
            for name in rng.sample(NAMES, len(NAMES)):
                value, _ = await model.read(name)
                assert value == model.totals[name], name
                assert await model.read(name, high=1) == (0, model.totals[name])
            assert ctx.get(dut.cycles) == model.totals["cycles"]
            assert not ctx.get(dut.overflows)
            model.freeze = 0

    simulate(dut, bench, cycles=20_000)


def test_read_under_traffic():
    """A read holds all events up to the cycle in which the counter had its turn: no more than a few
    cycles before the answer, and between two reads nothing is lost or counted twice."""
    dut, rng = Counters(WIDTHS), seeded("counters/traffic")

    async def bench(ctx):
        model = Model(ctx, dut, rng)
        history = {name: [] for name in NAMES}
        for _ in range(150):
            name = rng.choice(NAMES)
            earliest = model.totals[name]
            value, latest = await model.read(name)
            assert earliest <= value <= latest, name
            history[name].append(value)
        assert all(values == sorted(values) for values in history.values())

    simulate(dut, bench, cycles=20_000)


def test_clears_what_is_under_way():
    """A clear in every phase of the turn: what came before it never comes back."""
    dut, rng = Counters(WIDTHS), seeded("counters/clear")

    async def bench(ctx):
        model = Model(ctx, dut, rng)
        for phase in range(2 * TURNS):
            for _ in range(TURNS + phase):
                await model.tick()
            model.clear = 1
            await model.tick()
            for _ in range(rng.randrange(3)):
                await model.tick()
            for name in NAMES:
                value, before = await model.read(name, busy=False)
                assert name == "cycles" and value <= before or value == before, (phase, name)
                assert name == "cycles" or value == model.totals[name]

    simulate(dut, bench, cycles=20_000)


def test_high_words(monkeypatch):
    """Reading a low word keeps the high word that belonged to it, for each counter; a carry between
    the two reads does not show."""
    made = recorded_memories(monkeypatch)
    dut = Counters(WIDTHS)

    async def bench(ctx):
        model = Model(ctx, dut)
        for _ in range(2 * TURNS):
            await model.tick()          # so that the totals stand in the memory
        totals = next(each.data for each in made if each.shape == 64)
        starts = {"many": 0x1234_5678_FFFF_FFF0, "one": 0x0000_0001_0000_0000,
                  "some": 0xFFFF_FFFF_0000_0003, "few": 0x0000_0000_FFFF_FFFF}
        for name, start in starts.items():
            ctx.set(totals[NAMES.index(name)], start)
        lows = {name: (await model.read(name))[0] for name in starts}
        assert lows == {name: start & 0xFFFF_FFFF for name, start in starts.items()}
        for _ in range(40):
            ctx.set(dut.events, {**NO_EVENTS, "many": 127, "few": 3})
            await ctx.tick()
        ctx.set(dut.events, NO_EVENTS)
        for name, start in starts.items():
            assert (await model.read(name, high=1))[0] == start >> 32, name
        wanted = starts["many"] + 40 * 127
        assert (await model.read("many"))[0] == wanted & 0xFFFF_FFFF
        assert (await model.read("many", high=1))[0] == wanted >> 32

    simulate(dut, bench, cycles=20_000)


def test_overflows(monkeypatch):
    """A counter that goes beyond 2^64 says so for one cycle, goes on from 0, and no other does."""
    made = recorded_memories(monkeypatch)
    dut = Counters(WIDTHS)

    async def bench(ctx):
        model = Model(ctx, dut)
        for _ in range(2 * TURNS):
            await model.tick()
        totals = next(each.data for each in made if each.shape == 64)
        for number, name in enumerate(NAMES[1:], 1):
            for room, events, raised in ((5, 5, 0), (5, 6, 1), (1, 1, 0), (0, 1, 1)):
                while ctx.get(dut.cycles) % TURNS != (number + TURNS // 2) % TURNS:
                    await ctx.tick()    # its turn is far away
                ctx.set(totals[number], (1 << 64) - 1 - room)
                seen = []
                for _ in range(4 * TURNS):
                    left = min(events, (1 << WIDTHS[name]) - 1)
                    events -= left
                    ctx.set(dut.events, {**NO_EVENTS, name: left})
                    await ctx.tick()
                    seen.append(ctx.get(dut.overflows))
                assert [bits for bits in seen if bits] == [1 << number] * raised, (name, room)
                value, _ = await model.read(name)
                assert value == (0 if raised else 0xFFFF_FFFF), (name, room)
        ctx.set(dut.cycles, (1 << 64) - 3)
        seen = []
        for _ in range(6):
            seen.append((ctx.get(dut.cycles), ctx.get(dut.overflows)))
            await ctx.tick()
        assert seen == [((1 << 64) - 3, 0), ((1 << 64) - 2, 0), ((1 << 64) - 1, 0), (0, 0), (1, 1),
                        (2, 0)]

    simulate(dut, bench, cycles=20_000)
