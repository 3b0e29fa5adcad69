"""The table walker: one event a cycle, a word from memory or a walk's start; all walks overlap.

Each walk has a slot and an AXI id of the same number, and its reads follow one another, so answers
may come in any order. The stages are those of ``Walk`` in :mod:`siommu.pipeline.timetable`::

    FACTS                        DECIDE              DECIDED             PASSED, OVER

    r ──┬> ReadTracker ─beat──┬────────────────────────────────> Neighbours ──> words
        │                     └─> WalkEnds ───────────────────────────────────> over
        ├> WalkRecords ┐                         ┌─> ReadPort ──> ar
        └> WordStage ──┴──word──> Decision ──────┼─> WalkRecords, ReadTracker (asked)
    start ─> StartGate ─begun──>  (WordStep,     ├─> finished, restart
                                   StartStep)    └─> UpperFills ──> cache fills

Of a line only the first word is decided; its neighbours pass by (``words``) while starts are
decided. This module wires the stages, and does nothing else.
"""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..arch.formats import PFN_BITS
from ..bus.axi import ReadAddress, ReadData
from ..lib.contract import require
from ..lib.cover import cover_meetings, covering
from ..lib.event import Event
from ..pipeline.events import Revoked
from ..pipeline.lines import LineWords
from ..pipeline.sizes import SLOT_BITS
from ..pipeline.tables import WalkStart
from ..pipeline.walks import ContextFill, DeviceFill, RegionFill, WalkFinished, WalkOver
from .decision import Decision
from .directory import DirectoryRange
from .neighbours import Neighbours
from .read_port import ReadPort
from .read_tracker import ReadTracker
from .records import WalkRecords
from .stages import reads_of_walks
from .start_gate import StartGate
from .upper_fills import UpperFills
from .walk_ends import WalkEnds
from .word_stage import WordStage

__all__ = ["TableWalker"]


class TableWalker(wiring.Component):
    """Walks the tables of main memory (§3, §4).

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(stream.Signature(WalkStart))
        Starts the walk of a slot that has none. Not ready in a cycle in which a word comes that
        is to be decided, nor while ``walks`` walks are in flight.
    stepping : Out(Event(SLOT_BITS))
        A word of this slot's walk is being decided (``Walk.DECIDE``).
    restart : Out(Event(SLOT_BITS))
        The slot's walk begins in memory, trusting no cache; it does so at most once. In
        ``Walk.DECIDED`` of the start or the word that led to it, with the address of the first
        read.
    finished : Out(Event(WalkFinished))
        A walk has its outcome, in ``Walk.DECIDED`` of the word (or the start) that decided it.
        Every start is followed by exactly one such cycle, once the memory answers.
    over : Out(Event(WalkOver))
        In ``Walk.OVER`` of the walk's last word, and so after ``finished``: nothing more comes for
        it (a walk that was refused at its start had no word). ``line``: that word was the end of a
        line, all of which came; it is on ``words``.
    words : Out(LineWords)
        Leaf entries as they come, in ``Walk.PASSED``, for the line buffer.
    reading : Out(slots)
        Slots that have a read under way, until ``over``.
    stale : In(slots), flush : In(1)
        Slots whose walk began before a flush (set behind its cycle): they fill no cache.
    revoked : In(Revoked)
        For covers alone, and otherwise unused: what begins, of what makes walks stale.
    ddt_base, ddt_log2, check_ad : In
        Registers (§7).
    device_fill, context_fill, region_fill : Out(Event(…Fill))
        Fills of the context caches and of the walk cache, in ``Walk.DECIDED`` of the word.
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
        The AXI read channels. ``last`` ends a read, whatever its length; a wrong length counts as
        a bus error, and answers with an id that has no read are dropped.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "start": In(stream.Signature(WalkStart(config))),
            "stepping": Out(Event(SLOT_BITS)),
            "restart": Out(Event(SLOT_BITS)),
            "finished": Out(Event(WalkFinished)),
            "over": Out(Event(WalkOver)),
            "words": Out(LineWords),
            "reading": Out(config.walk_slots),
            "stale": In(config.walk_slots),
            "flush": In(1),
            "revoked": In(Revoked),
            "ddt_base": In(PFN_BITS),
            "ddt_log2": In(5),
            "check_ad": In(1),
            "device_fill": Out(Event(DeviceFill)),
            "context_fill": Out(Event(ContextFill(config))),
            "region_fill": Out(Event(RegionFill(config))),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.tracker = tracker = ReadTracker(config)
        m.submodules.records = records = WalkRecords(config)
        m.submodules.facts = facts = WordStage(config)
        m.submodules.gate = gate = StartGate(config)
        m.submodules.decision = decision = Decision(config)
        m.submodules.ends = ends = WalkEnds(config)
        m.submodules.neighbours = neighbours = Neighbours(config)
        m.submodules.fills = fills = UpperFills(config)
        m.submodules.reads = reads = ReadPort(config)
        m.submodules.directory = directory = DirectoryRange()

        # A word that comes.
        slot, asked = self.r.payload.id, decision.asked
        connect(m, flipped(self.r), tracker.r)
        m.d.comb += [
            tracker.line.eq(records.record.state.line),
            tracker.starting.eq(self.start.valid),
            tracker.starting_slot.eq(self.start.payload.slot),
            records.slot.eq(slot),
            facts.beat.eq(self.r.payload), facts.moves.eq(self.r.ready),
            facts.decides.eq(tracker.decides), facts.record.eq(records.record),
            facts.stale.eq((self.stale >> slot)[0] | self.flush),
            facts.bounds.eq(directory.bounds), facts.check_ad.eq(self.check_ad),
            directory.ddt_base.eq(self.ddt_base), directory.ddt_log2.eq(self.ddt_log2),
        ]
        # A start.
        connect(m, flipped(self.start), gate.start)
        m.d.comb += [
            gate.occupied.eq(tracker.occupied),
            gate.ended.eq(ends.ended), gate.refused.eq(decision.refused),
            records.started.valid.eq(gate.begun.valid),
            records.started.payload.eq(gate.begun.payload.walk),
        ]
        # What follows.
        connect(m, gate.begun, decision.begun)
        connect(m, decision.progress, records.word)
        connect(m, facts.word, decision.word, fills.word)
        connect(m, asked, reads.asked, tracker.asked, records.asked, ends.asked)
        for name in ("device", "context", "region"):
            connect(m, getattr(decision, name), getattr(fills, name))
            connect(m, getattr(fills, f"{name}_fill"), flipped(getattr(self, f"{name}_fill")))
        for name in ("restart", "finished"):
            connect(m, getattr(decision, name), flipped(getattr(self, name)))
        connect(m, reads.ar, flipped(self.ar))
        m.d.comb += [
            decision.bounds.eq(directory.bounds), decision.check_ad.eq(self.check_ad),
            fills.flush.eq(self.flush),
            self.stepping.valid.eq(facts.word.valid),
            self.stepping.payload.eq(facts.word.payload.slot),
        ]
        self._pass_lines(m, tracker, facts, decision, ends, neighbours)
        return m

    def _pass_lines(self, m, tracker, facts, decision, ends, neighbours):
        """Lines, and the ends of walks."""
        connect(m, tracker.beat, ends.beat, neighbours.beat)
        connect(m, ends.over, flipped(self.over))
        m.d.comb += [
            ends.decides.eq(facts.word.valid),
            ends.reads.eq(decision.reads), ends.finishes.eq(decision.finishes),
            neighbours.state.eq(facts.word.payload.state),
            neighbours.ft.eq(facts.word.payload.key.ft),
            neighbours.check_ad.eq(self.check_ad),
            self.words.eq(neighbours.words), self.reading.eq(ends.reading),
        ]
        over, words = self.over, self.words
        require(m, ~(over.valid & over.payload.line)
                | (words.valid & (words.slot == over.payload.slot)),
                "A walk that ends with a line is over when the line's last word passes.")
        starts = self.start.valid & self.start.ready
        require(m, ~starts | ~(self.reading >> self.start.payload.slot)[0],
                "A walk starts in a slot that has no read under way.")
        if covering():
            self._cover(m, decision.asked, facts.word.valid)

    def _cover(self, m, asked, decides):
        """Everything that makes walks stale meets each stage of a walk."""
        cover_meetings(m, "walk", {
            name: self.revoked[name] for name, _ in data.Layout.cast(Revoked)}, {
            "waits_for_its_start": self.start.valid, **reads_of_walks(m, asked, self.reading),
            "is_decided": decides, "has_its_outcome": self.finished.valid,
            "passes_its_line": self.words.valid, "is_over": self.over.valid})
