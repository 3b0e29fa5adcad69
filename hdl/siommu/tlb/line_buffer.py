"""The line buffer: leaf entries of every walk slot's line, as they come from memory."""

from amaranth import Cat, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..lib.clocked_ram import ClockedRam
from ..lib.watch import watch_clocked
from ..pipeline.lines import LeafPage, LineWords
from ..pipeline.sizes import LINE_BITS, LINE_ROWS, SLOT_BITS

__all__ = ["LineBuffer"]


class LineBuffer(wiring.Component):
    """Two memories, one for the even pages and one for the odd ones, which are written alone.

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
        In cycle *n* + 1: the row.
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
            m.submodules[f"half_{half}"] = ram = ClockedRam(LeafPage, self._walk_slots * LINE_ROWS)
            m.d.comb += [
                ram.write.eq(words.valid & words.enable[half]),
                ram.write_address.eq(Cat(words.row, words.slot[:slot_bits])),
                ram.word.eq(words.pages[half]),
                ram.address.eq(Cat(self.row, self.slot[:slot_bits])), page.eq(ram.answer),
            ]
            watch_clocked(m, f"watch_{half}", ram, written=True)
        return m
