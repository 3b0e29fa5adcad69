"""The line buffer: leaf entries of every walk slot's line, as they come from memory."""

from amaranth import Cat, Module
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..lib.payload import Payload
from ..pipeline.lines import LeafPage, LineWords
from ..pipeline.sizes import LINE_BITS, LINE_ROWS, SLOT_BITS

__all__ = ["LineBuffer"]


class LineBuffer(wiring.Component):
    """Two LUT RAMs, one for the even pages and one for the odd ones, which are written alone.

    Parameters
    ----------
    walk_slots : int

    Members
    -------
    words : In(LineWords)
        From the walker.
    slot : In(SLOT_BITS), row : In(LINE_BITS - 1)
        In cycle *n*: which row is read.
    pages : Out(ArrayLayout(LeafPage, 2))
        In cycle *n* + 1, combinational: the row.
    """

    def __init__(self, walk_slots):
        self._walk_slots = walk_slots
        super().__init__({
            "words": In(LineWords),
            "slot": In(SLOT_BITS),
            "row": In(LINE_BITS - 1),
            "pages": Out(data.ArrayLayout(LeafPage, 2)),
        })

    def elaborate(self, platform):
        m = Module()
        words, slot_bits = self.words, bits_for(self._walk_slots - 1)
        for half, page in enumerate(self.pages):
            ram = memory.Memory(shape=LeafPage, depth=self._walk_slots * LINE_ROWS, init=[],
                                attrs={"no_rw_check": 1})
            m.submodules[f"half_{half}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            address = Payload(len(read.addr), name=f"address_{half}")
            m.d.sync += address.eq(Cat(self.row, self.slot[:slot_bits]))
            m.d.comb += [
                write.en.eq(words.valid & words.enable[half]),
                write.addr.eq(Cat(words.row, words.slot[:slot_bits])),
                write.data.eq(words.pages[half]),
                read.addr.eq(address), page.eq(read.data),
            ]
        return m
