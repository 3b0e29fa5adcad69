"""The event counters (§7): 64 bits each, in one memory with one adder.

Every counter gathers its events in a few bits, which go round; in turn, one a cycle, what has come
since its last turn is added to the RAM. That costs a tenth of as many counters in flip-flops. A
read waits for the counter's turn, so it is exact: it holds all events of the cycles before.

To add one: its two registers and its bit of COUNTER_OVERFLOW in ``arch/siommu.rdl``, whose order is
that of the counters; its event in ``pipeline/outside.py`` (``CoreEvents``), driven in ``core.py``
(``_tell``) and passed on in ``control_plane.py`` (``_count``); the tables of §7 in
docs/specification.md and of docs/programming.md; ``make generate``. There are places for sixteen.
"""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..lib.clocked_ram import ClockedRam

__all__ = ["Counters", "TURNS"]

TURNS = 16      #: cycles in which every counter has its turn


class Counters(wiring.Component):
    """Counts events.

    Parameters
    ----------
    widths : dict of str to int
        At most 16 counters: name, and how many bits the events of one cycle have. The first one
        counts cycles: it has no events, and its value is on ``cycles`` as well.

    Members
    -------
    events : In(StructLayout(widths))
        How many there were in this cycle.
    freeze : In(1), clear : In(1)
        Nothing counts; everything becomes 0, the events of this cycle included.
    overflows : Out(counters)
        For one cycle, a cycle after that was known: the counter went beyond 2^64.
    cycles : Out(64)
    ask : In(1), index : In(4), high : In(1)
        Reads a counter's low or high word. Only when nothing is being read; which one stays until
        it is done.
    done : Out(1), value : Out(32)
        The word, at most 20 cycles later; else it is 0. Reading the low word keeps the high one
        for later.
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
        widest = max(len(self.events[name]) for name in self._names) + exact_log2(TURNS)
        # Whose turn it is: its number, and a bit for each. Two stages follow, for the turns before.
        coming, turn, second, third = (Signal(range(TURNS)) for _ in range(4))
        turns = Signal(TURNS, init=1)
        m.d.comb += coming.eq(turn + 1)
        m.d.sync += [turn.eq(coming), turns.eq(turns.rotate_left(1)),
                     second.eq(turn), third.eq(second)]
        # For a round, totals and what was taken are 0, whatever stands in the RAMs.
        since, fresh, fresh_second = Signal(range(TURNS + 1)), Signal(), Signal()
        m.d.comb += fresh.eq(since != TURNS)
        m.d.sync += [since.eq(since + fresh), fresh_second.eq(fresh)]
        with m.If(self.clear):
            m.d.sync += since.eq(0)

        now, before = self._gather(m, widest, coming, turn, turns, fresh)
        more = self._between(m, now, before, turns)
        total = self._add(m, more, turns, turn, third, fresh_second)
        self._count_cycles(m)
        self._read(m, total, turn, second, third)
        return m

    def _gather(self, m, widest, coming, turn, turns, fresh):
        """Stage 1: the gathered events of the counter whose turn it is, now and a round ago."""
        m.submodules.taken = taken = ClockedRam(widest, TURNS)
        now, chosen, before = Signal(widest), 0, Signal(widest)
        for number, name in enumerate(self._names):
            events = self.events[name] if number else Const(1)
            some = Signal(len(events) + exact_log2(TURNS), name=f"gathered_{name}")
            with m.If(~self.freeze):
                m.d.sync += some.eq(some + events)
            with m.If(self.clear):
                m.d.sync += some.eq(0)
            chosen = chosen | (some & turns[number].replicate(len(some)))
        m.d.comb += [taken.write.eq(1), taken.write_address.eq(turn), taken.word.eq(chosen),
                     taken.address.eq(coming)]
        m.d.sync += [now.eq(chosen), before.eq(taken.answer)]
        with m.If(fresh):
            m.d.sync += before.eq(0)
        with m.If(self.clear):
            m.d.sync += [now.eq(0), before.eq(0)]
        return now, before

    def _between(self, m, now, before, turns):
        """Stage 2: the events between, modulo what the counter can gather."""
        more = Signal.like(now)
        m.d.sync += more.eq(now - before)
        for place in range(exact_log2(TURNS), len(now)):
            owners = Cat(len(self.events[name]) + exact_log2(TURNS) > place
                         for name in self._names)
            with m.If(~(turns.rotate_right(1)[:len(self._names)] & owners).any()):
                m.d.sync += more[place].eq(0)
        with m.If(self.clear):
            m.d.sync += more.eq(0)
        return more

    def _add(self, m, more, turns, turn, third, fresh_second):
        """Stage 3: the sum. Its carry comes late in the cycle, and tells in the next one."""
        m.submodules.totals = totals = ClockedRam(64, TURNS)
        old, new, carry, carried = Signal(64), Signal(64), Signal(), Signal()
        m.d.sync += old.eq(totals.answer)
        with m.If(fresh_second | self.clear):
            m.d.sync += old.eq(0)
        m.d.comb += [totals.address.eq(turn), Cat(new, carry).eq(old + more),
                     totals.write.eq(1), totals.write_address.eq(third), totals.word.eq(new)]
        m.d.sync += [carried.eq(carry & ~self.clear), self.overflows.eq(turns.rotate_right(3))]
        with m.If(~carried | self.clear):
            m.d.sync += self.overflows.eq(0)
        return new

    def _count_cycles(self, m):
        """The first counter, once more, in registers."""
        following, wraps, wrapped = Signal(64), Signal(), Signal()
        m.d.comb += Cat(following, wraps).eq(self.cycles + 1)
        with m.If(~self.freeze):
            m.d.sync += self.cycles.eq(following)
        with m.If(self.clear):
            m.d.sync += self.cycles.eq(0)
        m.d.sync += [wrapped.eq(wraps & ~self.freeze & ~self.clear),
                     self.overflows[0].eq(wrapped & ~self.clear)]

    def _read(self, m, total, turn, second, third):
        """An answer, when the counter's turn comes. In the first round of all, every high word that
        is kept becomes 0."""
        m.submodules.kept = kept = ClockedRam(32, TURNS)
        reading, hits, started = Signal(), Signal(3), Signal()
        low, high = Signal(32), Signal(32)      # 0 unless they are the answer
        m.d.comb += [
            hits[0].eq(reading & (turn == self.index)),
            kept.write_address.eq(third), kept.word.eq(total[32:]),
            kept.write.eq(~started | (hits[2] & ~self.high)), kept.address.eq(second),
            self.value.eq(low | high),
        ]
        m.d.sync += [
            hits[1:].eq(hits), self.done.eq(hits[2]), reading.eq(self.ask | (reading & ~hits[0])),
            started.eq(started | (third == TURNS - 1)),
            low.eq(total[:32]), high.eq(kept.answer),
        ]
        with m.If(~hits[2] | self.high):
            m.d.sync += low.eq(0)
        with m.If(~hits[2] | ~self.high | ~started):
            m.d.sync += high.eq(0)
