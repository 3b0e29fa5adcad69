"""Lines: what a leaf's neighbours grant, and how it gets into both levels of the TLB.

The walker puts the eight leaf entries of a line into a buffer as they come. When a walk with a
grant is over, the line is gone through from its last page to its first, in the cycles of
``timetable.Line``::

    LineSchedule ──> LineBuffer ──> LineRuns ──┬─> FirstLevelFill
         └─────────> LineRecords ──────────────┴─> SecondLevelFill

The run around the page that was asked for becomes one entry of the first level, all pages a line of
the second one. Grants of larger mappings, and those whose line came incomplete, pass through as
they are.
"""

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..pipeline.grants import FillRequest
from ..pipeline.lines import GrantedWalk, LineFill, LineWords, MeasuredRun, WalkOfLine
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import Line
from .line_buffer import LineBuffer
from .line_fill import FirstLevelFill, SecondLevelFill
from .line_record import LineRecords
from .line_runs import LineRuns
from .line_schedule import LineSchedule, at, row_to_read

__all__ = ["TableLines"]


class TableLines(wiring.Component):
    """The line buffer and the way from there to both levels of the TLB.

    Parameters
    ----------
    config : Config

    Members
    -------
    words : In(LineWords)
        From the walker.
    granted : In(stream.Signature(GrantedWalk))
        One every ``Line.PITCH`` cycles begins, and there is room for one of each slot.
    walk : Out(WalkOfLine)
        Of the walk that begins next.
    stale : In(walk_slots)
        Slots whose lines must not be kept any more.
    fill : Out(stream.Signature(FillRequest))
        To the first level: taken within ``Line.PITCH`` cycles. The payload stays for another cycle
        after it was taken.
    measured : Out(stream.Signature(MeasuredRun))
        To the look-aheads.
    second_fill : Out(LineFill)
        To the second level, in the cycles ``TAG_OFF``, ``FIRST_ROW`` and following, ``TAG_ON`` of
        ``Line``.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "words": In(LineWords),
            "granted": In(stream.Signature(GrantedWalk)),
            "walk": Out(WalkOfLine()),
            "stale": In(config.walk_slots),
            "fill": Out(stream.Signature(FillRequest)),
            "measured": Out(stream.Signature(MeasuredRun, always_ready=True)),
            "second_fill": Out(LineFill()),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.schedule = schedule = LineSchedule(self._config.walk_slots)
        m.submodules.records = records = LineRecords(self._config)
        m.submodules.buffer = buffer = LineBuffer(self._config.walk_slots)
        m.submodules.runs = runs = LineRuns()
        m.submodules.first_fill = first = FirstLevelFill()
        m.submodules.second_fill = second = SecondLevelFill()
        connect(m, flipped(self.granted), schedule.granted)
        connect(m, first.fill, flipped(self.fill))
        connect(m, first.measured, flipped(self.measured))
        connect(m, second.fill, flipped(self.second_fill))
        since, walk = schedule.since, self.walk
        m.d.comb += [
            *(each.since.eq(since) for each in (records, runs, first, second)),
            walk.reads.eq(schedule.reads), walk.coming.eq(schedule.coming),
            walk.slot.eq(schedule.next.slot), records.next.eq(schedule.next),
            *(getattr(records, name).eq(getattr(walk, name))
              for name in ("key", "way", "rights", "pfn")),
            records.stale.eq(self.stale),
            buffer.words.eq(self.words), buffer.row.eq(row_to_read(since)),
            buffer.slot.eq(Mux(at(since, Line.BEGIN), schedule.next.slot, records.first.slot)),
            runs.pages.eq(buffer.pages), runs.wanted.eq(records.first.key.page[:LINE_BITS]),
            first.second.eq(records.second), first.first.eq(runs.first), first.last.eq(runs.last),
            second.first.eq(records.first), second.first_set.eq(records.first_set),
            second.second.eq(records.second),
            second.rows.eq(runs.rows), second.rights.eq(runs.rights),
        ]
        return m
