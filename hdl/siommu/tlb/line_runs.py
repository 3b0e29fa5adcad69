"""Runs: which pages of a line are contiguous, with equal rights.

A line is gone through from its last page to its first, two pages a cycle::

    ROW          FOLLOWED                         FIRST_ROW
    pages        whether the next page follows    extents, for the second level

Every page learns how many more follow it; the run around the page that was asked for is for the
first level.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..lib.arithmetic import follows
from ..lib.payload import Payload, payload_of
from ..pipeline.lines import LeafPage, LinePage, LineRights
from ..pipeline.sizes import LINE_BITS, LINE_ROWS
from ..pipeline.timetable import LINE_CYCLES, Line
from .line_schedule import at, row_at

__all__ = ["LineRuns"]


def _alike(page, other):
    """Whether two pages have equal rights, and any."""
    return (Cat(page.read, page.write, page.dirty)
            == Cat(other.read, other.write, other.dirty)) & (page.read | page.write)


class LineRuns(wiring.Component):
    """Finds extents and runs.

    Members
    -------
    since : In(LINE_CYCLES)
        From ``LineSchedule``.
    pages : In(ArrayLayout(LeafPage, 2))
        From ``ROW`` - 1 on, the last row first.
    wanted : In(LINE_BITS)
        In ``ROW``: the page that was asked for.
    rows : Out(ArrayLayout(LinePage, 2))
        From ``FIRST_ROW`` on, the last row first.
    first, last : Out(LINE_BITS)
        From ``RUN`` to ``FILL`` - 1: of the run around the wanted page.
    rights : Out(LineRights)
        In ``RUN``: of all pages.
    """

    def __init__(self):
        super().__init__({
            "since": In(LINE_CYCLES),
            "pages": In(data.ArrayLayout(LeafPage, 2)),
            "wanted": In(LINE_BITS),
            "rows": Out(data.ArrayLayout(LinePage, 2)),
            "first": Out(LINE_BITS),
            "last": Out(LINE_BITS),
            "rights": Out(LineRights),
        })

    def elaborate(self, platform):
        m = Module()
        number = Signal(LINE_BITS)          # of the lower page in FOLLOWED
        m.d.comb += number.eq(Cat(0, row_at(self.since, Line.FOLLOWED)))
        pages, followed = self._followed(m)
        ends = self._extents(m, number, pages, followed)
        self._run(m, number, ends, followed)
        self._rights(m, pages)
        return m

    def _followed(self, m):
        """In FOLLOWED: the lower and the upper page of the row, and whether each is followed by
        the page behind it."""
        lower, upper, behind = (Payload(LeafPage, name=name) for name in (
            "lower_row", "upper_row", "behind"))
        pages = [Payload(LeafPage, name=f"{half}_followed") for half in ("lower", "upper")]
        followed = [Payload(name=f"{half}_is_followed") for half in ("lower", "upper")]
        m.d.sync += [
            lower.eq(self.pages[0]), upper.eq(self.pages[1]), behind.eq(lower),
            pages[0].eq(lower), pages[1].eq(upper),
            followed[0].eq(follows(lower.pfn, upper.pfn) & _alike(lower, upper)),
            # nothing follows a line's last page here
            followed[1].eq(follows(upper.pfn, behind.pfn) & _alike(upper, behind)
                           & ~at(self.since, Line.ROW)),
        ]
        return pages, followed

    def _extents(self, m, number, pages, followed):
        """In FOLLOWED: where the runs of both pages end, from the last page down."""
        end_behind = Signal(LINE_BITS)      # of the page behind the row
        lower_end, upper_end = Signal(LINE_BITS), Signal(LINE_BITS)
        m.d.comb += [
            upper_end.eq(Mux(followed[1], end_behind, number | 1)),
            lower_end.eq(Mux(followed[0], upper_end, number)),
        ]
        m.d.sync += end_behind.eq(lower_end)
        rows, ends = payload_of(m, self.rows), (lower_end, upper_end)
        for row, page, end, begin in zip(rows, pages, ends, (number, number | 1)):
            m.d.sync += [row.pfn.eq(page.pfn), row.read.eq(page.read), row.write.eq(page.write),
                         row.dirty.eq(page.dirty), row.extent.eq(end - begin)]
        return ends

    def _run(self, m, number, ends, followed):
        """The run around the wanted page."""
        since, wanted = self.since, Payload(LINE_BITS, name="wanted_held")
        with m.If(at(since, Line.ROW)):
            m.d.sync += wanted.eq(self.wanted)
        lower_wanted, upper_wanted = wanted == number, wanted == (number | 1)
        behind_linked, lower_linked, upper_linked = Signal(), Signal(), Signal()
        m.d.comb += [
            upper_linked.eq(upper_wanted | (behind_linked & followed[1])),
            lower_linked.eq(lower_wanted | (upper_linked & followed[0])),
        ]
        m.d.sync += behind_linked.eq(lower_linked)
        under_way = at(since, Line.FOLLOWED, LINE_ROWS)
        with m.If(under_way):
            with m.If(lower_linked):
                m.d.sync += self.first.eq(number)
            with m.Elif(upper_linked):
                m.d.sync += self.first.eq(number | 1)
            with m.If(lower_wanted):
                m.d.sync += self.last.eq(ends[0])
            with m.Elif(upper_wanted):
                m.d.sync += self.last.eq(ends[1])
        with m.If(~under_way | at(since, Line.RUN - 1)):
            m.d.sync += behind_linked.eq(0)

    def _rights(self, m, pages):
        """Which pages a read and which a write may use."""
        rights = payload_of(m, self.rights)
        for row in range(LINE_ROWS):
            with m.If(at(self.since, Line.RUN - 1 - row)):
                for half, page in enumerate(pages):
                    m.d.sync += [
                        rights.readable[2 * row + half].eq(page.read),
                        rights.writable[2 * row + half].eq(page.write & page.dirty),
                    ]
