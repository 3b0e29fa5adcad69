"""The event counters (§7): 64 bits each, in one LUT RAM with one adder.

Every counter gathers its events in a few bits; in turn, one a cycle, they are added to the RAM.
That costs a tenth of as many counters in flip-flops. A read waits for the counter's turn, so it
is exact: it holds all events of the cycles before.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Counters", "TURNS"]

TURNS = 16      #: cycles in which every counter has its turn


class Counters(wiring.Component):
    """Counts events.

    Parameters
    ----------
    widths : dict of str to int
        At most 16 counters: name, and how many bits the events of one cycle have. The first one
        counts cycles: it has no events, and its value is on ``cycles``.

    Members
    -------
    events : In(StructLayout(widths))
        How many there were in this cycle.
    freeze : In(1), clear : In(1)
        Nothing counts; everything becomes 0, the events of this cycle included.
    overflows : Out(counters)
        For one cycle: the counter went beyond 2^64.
    cycles : Out(64)
    ask : In(1), index : In(4), high : In(1)
        Reads a counter's low or high word. Only when nothing is being read.
    done : Out(1), value : Out(32)
        The word, at most 20 cycles later. Reading the low word keeps the high one for later.
    """

    def __init__(self, widths):
        assert 0 < len(widths) <= TURNS
        self._names = tuple(widths)
        super().__init__({
            "events": In(data.StructLayout(widths)),
            "freeze": In(1),
            "clear": In(1),
            "overflows": Out(len(widths)),
            "cycles": Out(64),
            "ask": In(1),
            "index": In(4),
            "high": In(1),
            "done": Out(1),
            "value": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        count = len(self._names)
        counts = Signal()
        m.d.comb += counts.eq(~self.freeze & ~self.clear)
        m.submodules.totals = self.totals = totals = memory.Memory(shape=64, depth=TURNS, init=[])
        total, write = totals.read_port(domain="comb"), totals.write_port()
        m.submodules.kept = kept = memory.Memory(shape=32, depth=TURNS, init=[])
        keep, kept_high = kept.write_port(), kept.read_port(domain="comb")

        # Stage 1: whose turn it is.
        self.turn = turn = Signal(range(TURNS))
        m.d.sync += turn.eq(turn + 1)
        fresh = Signal(count, init=-1)      # its total is 0, whatever stands in the RAM
        gathered, takes = [], []
        for number, name in enumerate(self._names):
            events = self.events[name]
            some = Signal(len(events) + 4, name=f"gathered_{name}")
            mine = Signal(name=f"turn_{name}")
            m.d.comb += mine.eq(turn == number)
            m.d.sync += some.eq(Mux(mine | self.clear, 0, some) + Mux(counts, events, 0))
            gathered.append(some)
            takes.append(mine)
        with m.If(self.clear):
            m.d.sync += fresh.eq(-1)
        with m.Else():
            m.d.sync += fresh.eq(fresh & ~Cat(takes))
        # Stage 2: the sum. Stage 3: the RAM.
        widest = max(len(some) for some in gathered)
        more, old, whose = Signal(widest), Signal(64), Signal(range(TURNS))
        valid, cleared = Signal(), Signal()
        m.d.comb += total.addr.eq(turn)
        chosen = 0
        for some, mine in zip(gathered, takes):
            chosen = chosen | Mux(mine, some, 0)
        m.d.sync += [
            whose.eq(turn), more.eq(Mux(self.clear, 0, chosen)), valid.eq(Cat(takes).any()),
            old.eq(Mux((fresh & Cat(takes)).any() | self.clear, 0, total.data)),
        ]
        sum_, carry = Signal(64), Signal()
        m.d.comb += [Cat(sum_, carry).eq(old + more), cleared.eq(self.clear)]
        m.d.comb += [write.en.eq(valid), write.addr.eq(whose), write.data.eq(sum_)]
        m.d.sync += self.overflows.eq((valid & carry & ~cleared) << whose)

        # The first one.
        with m.If(self.clear):
            m.d.sync += self.cycles.eq(0)
        with m.Elif(~self.freeze):
            m.d.sync += self.cycles.eq(self.cycles + 1)
            with m.If(self.cycles.all()):
                m.d.sync += self.overflows[0].eq(1)

        # Reading.
        reading, index, known = Signal(), Signal(4), Signal(TURNS)
        m.d.comb += [
            keep.addr.eq(index), kept_high.addr.eq(index),
            keep.data.eq(Mux(index == 0, self.cycles[32:], sum_[32:])),
            self.done.eq(0),
        ]
        high = Signal()
        with m.If(self.ask):
            m.d.sync += [reading.eq(1), index.eq(self.index), high.eq(self.high)]
        with m.If(reading & high):
            m.d.comb += [self.done.eq(1),
                         self.value.eq(Mux((known >> index)[0], kept_high.data, 0))]
            m.d.sync += reading.eq(0)
        with m.Elif(reading & valid & (whose == index)):
            m.d.comb += [
                self.done.eq(1), keep.en.eq(1),
                self.value.eq(Mux(index == 0, self.cycles[:32], sum_[:32])),
            ]
            m.d.sync += [reading.eq(0), known.eq(known | 1 << index)]
        return m
