"""The fills of a line: one entry of the first level, and a tag and rows of the second one."""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import Size
from ..lib.contract import require
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.grants import FillRequest
from ..pipeline.keys import WalkKey, line_key
from ..pipeline.lines import LineFill, LinePage, LineRights, MeasuredRun
from ..pipeline.sizes import LINE_BITS, LINE_PAGES, LINE_ROWS, SET_BITS, WAY_BITS
from ..pipeline.timetable import LINE_CYCLES, Line
from .line_record import FirstHalf, SecondHalf
from .line_schedule import at, row_at

__all__ = ["FirstLevelFill", "SecondLevelFill", "pages_between"]


def pages_between(first, last):
    """A bit for each page of a line, set from ``first`` to ``last``."""
    top = LINE_PAGES - 1
    return Cat((first <= index if index < top else C(1)) & (last >= index if index else C(1))
               for index in range(LINE_PAGES))


class FirstLevelFill(wiring.Component):
    """Makes an entry of the first level of each line: of its run around the page that was asked
    for; of a larger mapping, as it is; of an incomplete line, of that page alone.

    Members
    -------
    since : In(LINE_CYCLES), second : In(SecondHalf)
    first, last : In(LINE_BITS)
        From ``LineRuns``; in ``RUN``, and in ``FILL`` - 1.
    fill : Out(stream.Signature(FillRequest))
        From ``FILL`` on; taken before the next line comes so far. The payload stays for another
        cycle after it was taken.
    measured : Out(stream.Signature(MeasuredRun))
        In ``RUN``; always taken.
    """

    def __init__(self):
        super().__init__({
            "since": In(LINE_CYCLES),
            "second": In(SecondHalf),
            "first": In(LINE_BITS),
            "last": In(LINE_BITS),
            "fill": Out(stream.Signature(FillRequest)),
            "measured": Out(stream.Signature(MeasuredRun, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        line, comes = self.second, at(self.since, Line.FILL - 1)
        page, run = line.key.page[:LINE_BITS], Signal(LINE_PAGES)
        m.d.comb += [
            self.measured.valid.eq(at(self.since, Line.RUN)),
            self.measured.payload.slot.eq(line.slot),
            self.measured.payload.extent.eq(Mux(line.line, self.last - page, 0)),
            run.eq(pages_between(self.first, self.last)),
        ]
        fill = payload_of(m, self.fill.payload)
        with m.If(self.fill.ready):
            m.d.sync += self.fill.valid.eq(0)
        with m.If(comes):
            translation = fill.grant.translation
            m.d.sync += [
                self.fill.valid.eq(1), fill.grant.walked.eq(1), fill.grant.slot.eq(line.slot),
                fill.key.eq(line.key), translation.rights.eq(line.rights),
                translation.base.eq(line.base),
            ]
            with m.If(line.rights.size != Size.PAGE_4K):
                m.d.sync += [translation.mask.eq(-1), translation.last.eq(-1)]
            with m.Elif(line.line):
                m.d.sync += [translation.mask.eq(run), translation.last.eq(self.last)]
            with m.Else():
                m.d.sync += [translation.mask.eq(1 << page), translation.last.eq(page)]
        require(m, ~(comes & self.fill.valid & ~self.fill.ready),
                "a fill of the first level is taken before the next one comes")
        return m


class SecondLevelFill(wiring.Component):
    """Writes a line into the second level: tag off, rows, tag on.

    Members
    -------
    since : In(LINE_CYCLES), first : In(FirstHalf), first_set : In(SET_BITS)
    second : In(SecondHalf)
    rows : In(ArrayLayout(LinePage, 2)), rights : In(LineRights)
        From ``LineRuns``.
    fill : Out(LineFill)
    """

    def __init__(self):
        super().__init__({
            "since": In(LINE_CYCLES),
            "first": In(FirstHalf),
            "first_set": In(SET_BITS),
            "second": In(SecondHalf),
            "rows": In(data.ArrayLayout(LinePage, 2)),
            "rights": In(LineRights),
            "fill": Out(LineFill()),
        })

    def elaborate(self, platform):
        m = Module()
        self._tags(m)
        self._rows(m)
        return m

    def _tags(self, m):
        since, first, second = self.since, self.first, self.second
        goes_off, goes_on = at(since, Line.TAG_OFF), at(since, Line.TAG_ON)
        tag, key = self.fill.tag, Signal(WalkKey, name="tag_key")
        rights = Payload(LineRights, name="tag_rights")
        m.d.sync += rights.eq(self.rights)
        m.d.comb += [
            key.eq(Mux(goes_off, first.key.as_value(), second.key.as_value())),
            tag.valid.eq((goes_off & first.keep) | (goes_on & second.keep)),
            tag.payload.on.eq(goes_on), tag.payload.way.eq(Mux(goes_off, first.way, second.way)),
            tag.payload.rights.eq(rights), *assign(tag.payload.key, line_key(key, key.page)),
        ]

    def _rows(self, m):
        since, row = self.since, self.fill.row
        keep, way, set_ = Payload(name="row_keep"), Payload(WAY_BITS), Payload(SET_BITS)
        with m.If(at(since, Line.FIRST_ROW - 1)):
            m.d.sync += [set_.eq(self.first_set), way.eq(self.first.way), keep.eq(self.first.keep)]
        m.d.comb += [
            row.valid.eq(at(since, Line.FIRST_ROW, LINE_ROWS) & keep),
            row.payload.way.eq(way), row.payload.set.eq(set_),
            row.payload.number.eq(row_at(since, Line.FIRST_ROW)), row.payload.pages.eq(self.rows),
        ]
