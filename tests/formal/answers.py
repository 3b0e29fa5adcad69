"""Which answers of memory reach which walk, for all time, by induction: a word that is decided for
a slot is one of a read that this slot asked for and that is under way, beside the state that it
asked with; behind the first word of a line none is decided; what came with a bus error, or as a
line that is no burst, is marked as failed, and ends in no grant (proof ``walk-step``). The beats of
lines are told in their order.

Two slots, whose walks begin, read and end when they like. Memory answers in any order of slots with
bursts of any length; and it sends beats that nobody asked for, once a slot has asked for a read.
"""

from amaranth.hdl import Assert, Assume, Const, Cover, Module, Mux, Signal
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.walk.read_tracker import ReadTracker
from siommu.walk.records import WalkRecords
from siommu.walk.state import Table, WalkState
from siommu.walk.word_stage import WordStage

from .state import State
from .temporal import delayed

__all__ = ["WalkAnswersProof"]

TINY = Config(device_ports=1, cpu_port=False, walks=1)
SLOTS = TINY.walk_slots
IDLE, STARTED, RUNNING = range(3)
COUNT_BITS = 4      #: of a beat's number in its line, which stays at its highest value


class WalkAnswersProof(Component):
    """The way of a beat to its word, on a bus of 64 bits."""

    starts: In(1)
    accepts: In(1)
    start_slot: In(1)
    asks: In(1)
    ask_slot: In(1)
    line: In(1)
    entry: In(3)
    over: In(SLOTS)
    r: In(1)
    r_slot: In(1)
    r_data: In(64)
    r_resp: In(2)
    r_last: In(1)

    def elaborate(self, platform):
        m = Module()
        tracker, records = ReadTracker(TINY), WalkRecords(TINY)
        self._states = State(tracker), State(records)
        m.submodules.tracker, m.submodules.records = (each.fragment for each in self._states)
        m.submodules.stage = stage = WordStage(TINY)
        first = Signal()
        for asked in (tracker.asked, records.asked):
            state = asked.payload.state
            m.d.comb += [
                asked.valid.eq(self.asks), asked.payload.slot.eq(self.ask_slot),
                asked.payload.first.eq(first), state.line.eq(self.line),
                state.entry.eq(self.entry), state.table.eq(Table.PAGE_TABLE),
            ]
        beat = tracker.r.payload
        m.d.comb += [
            tracker.r.valid.eq(self.r), beat.id.eq(self.r_slot), beat.data.eq(self.r_data),
            beat.resp.eq(self.r_resp), beat.last.eq(self.r_last),
            tracker.line.eq(records.record.state.line), records.slot.eq(self.r_slot),
            tracker.starting.eq(self.starts), tracker.starting_slot.eq(self.start_slot),
            stage.beat.eq(beat), stage.moves.eq(tracker.r.ready),
            stage.decides.eq(tracker.decides), stage.record.eq(records.record),
        ]
        slots = [self._follow(m, number, first, tracker.occupied) for number in range(SLOTS)]
        ours, due, in_line, count, entry, line = (
            Mux(self.r_slot, one, zero) for zero, one in zip(*slots))

        # What is told of a beat, in the cycle after it.
        m.d.sync += [Assert(tracker.r.ready), Assert(tracker.decides == due)]
        then = [delayed(m, each, 1) for each in (
            self.r_slot, self.r_data, self.r_resp[1], self.r_last, in_line, count, entry, line)]
        slot, content, error, last, of_line, number, entry, line = then
        told, word = tracker.beat.payload, stage.word.payload
        m.d.sync += [Assert(tracker.beat.valid == delayed(m, ours, 1)),
                     Assert(stage.word.valid == delayed(m, due, 1))]
        with m.If(tracker.beat.valid):
            m.d.sync += [
                Assert(told.slot == slot), Assert(told.data == content),
                Assert(told.error == error), Assert(told.ends == last),
                Assert(told.of_line == of_line), Assert(~of_line | (told.count == number)),
            ]
        with m.If(stage.word.valid):
            m.d.sync += [
                Assert(word.slot == slot), Assert(word.content == content),
                Assert(word.state.entry == entry), Assert(word.state.line == line),
                Assert(word.says.failed == (error | (line & last))),
                Assert(~line | word.says.whole),
            ]
        m.d.sync += [
            Cover(tracker.beat.valid & of_line & (told.count == 7) & told.ends),
            Cover(stage.word.valid & word.says.failed & line),
        ]
        return m

    def _follow(self, m, number, first, occupied):
        """A slot, and its reads. Returns, for a beat that comes for it: whether it is one of a read
        under way; whether its word is to be decided; whether it is one of a line, and which; the
        state of the newest read."""
        phase, under_way, seen = (Signal(width, name=f"{name}_{number}") for name, width in (
            ("phase", 2), ("under_way", 2), ("seen", 1)))
        oldest, newest, past = (Signal(name=f"{name}_{number}")
                                for name in ("oldest_is_line", "newest_is_line", "past"))
        count, entry = Signal(COUNT_BITS, name=f"beats_{number}"), Signal(3, name=f"at_{number}")
        starts = self.starts & (self.start_slot == number)
        asks, comes = self.asks & (self.ask_slot == number), self.r & (self.r_slot == number)
        ours, ends = comes & under_way.any(), comes & under_way.any() & self.r_last
        skipped = (under_way == 1) & oldest & past
        with m.If(asks):
            m.d.comb += first.eq(phase == STARTED)
        m.d.sync += [
            Assume(~starts | ((phase == IDLE) & ~under_way.any())),
            Assume(~asks | (phase == STARTED)
                   | ((phase == RUNNING) & (~under_way.any() | skipped))),
            Assume(~comes | seen),
            under_way.eq(under_way + asks - ends),
        ]
        with m.If(starts & self.accepts & ~occupied):
            m.d.sync += phase.eq(STARTED)
        with m.If((phase == RUNNING) & ~under_way.any() & self.over[number] & ~asks):
            m.d.sync += phase.eq(IDLE)
        with m.If(ends):
            m.d.sync += [oldest.eq(newest), past.eq(0), count.eq(0)]
        with m.Elif(ours):
            m.d.sync += [past.eq(1), count.eq(Mux(count.all(), count, count + 1))]
        with m.If(asks):
            m.d.sync += [phase.eq(RUNNING), seen.eq(1), newest.eq(self.line), entry.eq(self.entry)]
            with m.If(~under_way.any() | ends):
                m.d.sync += [oldest.eq(self.line), past.eq(0), count.eq(0)]

        # Of the state.
        tracker, records = self._states
        asked, ended = (tracker.row(name, Const(number, 1)) for name in ("asks", "ends"))
        inside, counts = (tracker.row(name, Const(number, 1)) for name in ("inside", "counts"))
        kept = WalkState(TINY)(records.row("of_state", Const(number, 1)))
        m.d.sync += [
            Assert(~seen | ((asked - ended)[:2] == under_way)), Assert(under_way <= 2),
            Assert(~under_way.any() | (phase == RUNNING)), Assert(seen | (phase != RUNNING)),
            Assert((under_way != 2) | (oldest & past)),
            Assert(under_way.any() | ~past), Assert(past | ~count.any()),
            Assert((under_way != 1) | (oldest == newest)),
        ]
        with m.If(phase != IDLE):
            m.d.sync += Assert(inside == (under_way.any() & oldest & past))
        with m.If(phase == RUNNING):
            m.d.sync += [Assert(kept.line == newest), Assert(kept.entry == entry),
                         Assert(~(oldest & past) | (counts == count))]
        m.d.sync += Cover((under_way == 2) & ends)
        return [ours, ours & ~(oldest & past), oldest, count, entry, newest]
