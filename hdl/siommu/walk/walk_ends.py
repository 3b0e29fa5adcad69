"""When a walk is over, and which slots have a read under way until then."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.event import Event
from ..pipeline.sizes import SLOT_BITS
from ..pipeline.walks import WalkOver
from .state import Beat, NextRead, beats_per_line

__all__ = ["WalkEnds"]


class WalkEnds(wiring.Component):
    """A walk ends with the word that finishes it, or with the line around that word.

    When a line leads to another read, what else it holds is skipped: it comes before the words of
    that read.

    Parameters
    ----------
    config : Config

    Members
    -------
    beat : In(Event(Beat))
    decides, reads, finishes : In(1)
        The beat has a word that is decided; it leads to a read; it ends its walk.
    asked : In(Event(NextRead))
        A read is asked for, in the cycle after the word that led to it.
    reading : Out(slots)
        Slots that have a read under way, until ``over``.
    ended : Out(1)
        A walk that read something has ended, one cycle before ``over``.
    over : Out(Event(WalkOver))
        ``Walk.OVER`` cycles after the walk's last word: nothing more comes for it.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "beat": In(Event(Beat(config.axi_data_width))),
            "decides": In(1),
            "reads": In(1),
            "finishes": In(1),
            "asked": In(Event(NextRead(config))),
            "reading": Out(config.walk_slots),
            "ended": Out(1),
            "over": Out(Event(WalkOver)),
        })

    def elaborate(self, platform):
        m = Module()
        beat, asked, slots = self.beat.payload, self.asked, self._config.walk_slots
        # Of the beat before:
        slot, line_ends, complete = Signal(SLOT_BITS), Signal(), Signal()
        decided = Signal()              # it was the last word of a walk, and of no line
        leads_on = Signal()             # a word of a line, but the rest of that is not needed
        skips = Signal(slots)           # by slot: what comes of a line is not needed
        skipped, wanted, skips_now = Signal(), Signal(), Signal()
        last = beats_per_line(self._config.axi_data_width) - 1      # number of a line's last beat
        m.d.comb += [
            skips_now.eq(leads_on & (asked.payload.slot == beat.slot)),
            # a line of one beat ends while its own first word is decided
            wanted.eq(line_ends & ~leads_on & ~skipped),
            self.ended.eq(decided | wanted),
        ]
        over, over_slot, over_line = Signal(), Signal(SLOT_BITS), Signal()
        m.d.sync += [
            line_ends.eq(self.beat.valid & beat.of_line & beat.ends), slot.eq(beat.slot),
            complete.eq(beat.count == last),
            decided.eq(self.decides & self.finishes & ~beat.of_line),
            leads_on.eq(self.decides & self.reads & beat.of_line),
            skipped.eq((skips >> beat.slot)[0] | skips_now),
            over.eq(self.ended), over_slot.eq(slot), over_line.eq(wanted & complete),
        ]
        m.d.comb += [self.over.valid.eq(over), self.over.payload.slot.eq(over_slot),
                     self.over.payload.line.eq(over_line)]
        for index, (reading, skip) in enumerate(zip(self.reading, skips)):
            with m.If(asked.valid & (asked.payload.slot == index)):
                m.d.sync += reading.eq(1)
            with m.Elif(self.ended & (slot == index)):
                m.d.sync += reading.eq(0)
            with m.If(line_ends & (slot == index)):
                m.d.sync += skip.eq(0)
            with m.Elif(leads_on & (asked.payload.slot == index)):
                m.d.sync += skip.eq(1)
        return m
