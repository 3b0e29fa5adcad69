"""The rows of the second level's lines: two pages each, in block RAM, with parity."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..lib.clocked_ram import ClockedRam
from ..lib.contract import require
from ..lib.parity import guarded, guarded_bits, parity_sums, sound, unguarded
from ..lib.payload import Payload
from ..pipeline.lines import LinePage, LineRow
from ..pipeline.sizes import LINE_BITS, LINE_ROWS
from ..pipeline.timetable import ROW_AFTER_TAG

__all__ = ["LineStore"]

_PAIR = data.ArrayLayout(LinePage, 2)
_ROW_BITS = guarded_bits(_PAIR.size)


class LineStore(wiring.Component):
    """Reads a page of a row, and writes rows.

    Parameters
    ----------
    lines : int
        A power of two. A line's number is its way and, above, its set.
    number_bits : int
        Width of a line's number.

    Members
    -------
    line : In(number_bits), page : In(LINE_BITS), read : In(1)
        In cycle *n*: which page is read, and that its answer is looked at.
    found : Out(LinePage), damaged : Out(1)
        In cycle *n* + 2: the page; its row's parity is wrong.
    write : In(1), write_line : In(number_bits), row : In(LineRow)
        Writes a row, in the next cycle. It must not be the one that is read in that cycle.
    replaces : In(1), replaced : In(number_bits)
        A tag is written. The first row of its line, which is the one of the highest number, is
        written at least ``ROW_AFTER_TAG`` cycles later.
    """

    def __init__(self, lines, number_bits):
        self._lines = lines
        super().__init__({
            "line": In(number_bits),
            "page": In(LINE_BITS),
            "read": In(1),
            "found": Out(LinePage),
            "damaged": Out(1),
            "write": In(1),
            "write_line": In(number_bits),
            "row": In(LineRow),
            "replaces": In(1),
            "replaced": In(number_bits),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = ClockedRam(_ROW_BITS, self._lines * LINE_ROWS)
        upper, row = Payload(name="upper"), ram.answer
        pair, added = unguarded(row), parity_sums(row)
        found, sums = Payload(LinePage, name="found_page"), Payload(len(added), name="sums")
        m.d.sync += [
            upper.eq(self.page[0]),
            found.eq(Mux(upper, pair[1::2], pair[::2])), sums.eq(added),
        ]
        m.d.comb += [self.damaged.eq(~sound(sums)), self.found.eq(found)]

        pages = Payload(_PAIR, name="pages")
        writes, row_address = Signal(), Payload(len(ram.write_address), name="row_address")
        m.d.sync += [
            writes.eq(self.write), row_address.eq(Cat(self.row.number, self.write_line)),
            pages.eq(self.row.pages),
        ]
        # Bit by bit, so that the choice between the two pages is one inside of a block RAM.
        pair = Cat(*zip(*(page.as_value() for page in pages)))
        m.d.comb += [
            ram.write.eq(writes), ram.write_address.eq(row_address), ram.word.eq(guarded(pair)),
            ram.address.eq(Cat(self.page[1:], self.line)),
        ]

        require(m, ~(writes & self.read & (row_address == ram.address)),
                "no row of the second level is overwritten while a look-up reads it")
        self._keep_distance(m)
        return m

    def _keep_distance(self, m):
        """The contract about tags and rows."""
        late, replaces, replaced = 0, self.replaces, self.replaced
        for ago in range(ROW_AFTER_TAG):
            late = late | (replaces & (replaced == self.write_line))
            replaces_, replaced_ = Signal(name=f"replaces_{ago}"), Signal.like(
                replaced, name=f"replaced_{ago}")
            m.d.sync += [replaces_.eq(replaces), replaced_.eq(replaced)]
            replaces, replaced = replaces_, replaced_
        first = self.write & (self.row.number == LINE_ROWS - 1)
        require(m, ~(first & late), "a line's first row is written into the second level "
                f"{ROW_AFTER_TAG} cycles behind its tag, or later")
