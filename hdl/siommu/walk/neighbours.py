"""The leaf entries of a line, on their way from the beats to the line buffer."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import ENTRY_BYTES
from ..lib.event import Event
from ..lib.payload import Payload
from ..lib.structs import assign
from ..pipeline.lines import LineWords
from ..pipeline.paging import format_bits
from ..pipeline.sizes import LINE_BITS, SLOT_BITS
from .leaf import decode_leaf, leaf_page
from .state import Beat, WalkState
from .word_stage import lane, lanes

__all__ = ["Neighbours"]


class LinePlace(data.Struct):
    """Where words of a line go in the line buffer: see :class:`siommu.pipeline.lines.LineWords`."""

    slot: SLOT_BITS
    row: LINE_BITS - 1
    enable: 2


def AboveLeaf(config: Config):      # noqa: N802 - a shape
    """What the levels above a leaf say of it: by which format it is read, W and NR. ``line``: with
    two formats, the lowest bit of its line's number."""
    return data.StructLayout({"entry_format": format_bits(config), "write": 1, "no_read": 1,
                              "line": format_bits(config)})


class Neighbours(wiring.Component):
    """Hands on what the words of lines grant, two of them a cycle (one on a bus of 64 bits).

    A word passes in two cycles: first its kind and its device are compared, then it is decided
    what it grants. Words of a line that is skipped do no harm in the line buffer: the walk's next
    line replaces them, or is not complete.

    Parameters
    ----------
    config : Config

    Members
    -------
    beat : In(Event(Beat))
    state : In(WalkState), ft : In(1)
        Of the walk whose beat it is. The state is that of the line's read: it stays until the next
        read.
    check_ad : In(1)
        Register (§7).
    words : Out(LineWords)
        Two cycles after ``beat``, and so in ``Walk.PASSED``.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "beat": In(Event(Beat(config.axi_data_width))),
            "state": In(WalkState(config)),
            "ft": In(1),
            "check_ad": In(1),
            "words": Out(LineWords),
        })

    def elaborate(self, platform):
        m = Module()
        beat = self.beat.payload
        number, words, enable = self._pair(m)

        # Its pages are yet to be known.
        passing, passes = Payload(LinePlace), Signal()
        above, ft, broken = Payload(AboveLeaf(self._config)), Payload(), Payload()
        place, pages = Payload(LinePlace), Payload(self.words.pages.shape())
        m.d.comb += [*assign(self.words, {name: place[name] for name in ("slot", "row", "enable")}),
                     self.words.pages.eq(pages)]
        valid = Signal()
        m.d.comb += self.words.valid.eq(valid)
        m.d.sync += [
            passes.eq(self.beat.valid & beat.of_line), passing.slot.eq(beat.slot),
            passing.row.eq(number[1:]), passing.enable.eq(enable),
            above.entry_format.eq(self.state.entry_format), above.write.eq(self.state.write),
            above.no_read.eq(self.state.no_read), above.line.eq(self._line(self.state)),
            ft.eq(self.ft), broken.eq(beat.error), valid.eq(passes), place.eq(passing),
        ]
        for half, word in enumerate(words):
            passing_word, fits = Payload(len(word), name=f"passes_{half}"), \
                Payload(name=f"fits_{half}")
            leaf = decode_leaf(m, word, ft=self.ft, entry_format=self.state.entry_format,
                               page=Cat(Const(half, 1), number[1:], self._line(self.state)))
            page = Cat(Const(half, 1), passing.row, above.line)
            m.d.sync += [passing_word.eq(word),
                         fits.eq(leaf.is_of(ft=self.ft, devid=self.state.devid))]
            m.d.sync += assign(pages[half], leaf_page(
                decode_leaf(m, passing_word, ft=ft, page=page, entry_format=above.entry_format),
                fits=fits, above=above, check_ad=self.check_ad))
        with m.If(broken):              # an error on a neighbour is no fault (§5.1)
            m.d.sync += [field.eq(0) for page in pages for field in (page.read, page.write)]
        return m

    def _line(self, state):
        """The lowest bit of the number of the line that was read, if there is a format that asks
        for it: its index in the level-1 table."""
        low = exact_log2(ENTRY_BYTES) + LINE_BITS
        return state.entry[low:low + format_bits(self._config)]

    def _pair(self, m):
        """Number in the line of the first word of the pair that passes, the pair, and which of it
        is new. A burst wraps, so the first beat holds the word that was asked for."""
        width, beat = self._config.axi_data_width, self.beat.payload
        first = self.state.entry[exact_log2(ENTRY_BYTES):][:LINE_BITS]
        number, words = Signal(LINE_BITS), lanes(beat.data)
        if len(words) == 1:
            m.d.comb += number.eq(first + beat.count)
            return number, words * 2, Cat(~number[0], number[0])
        in_beat = exact_log2(width // 8 // ENTRY_BYTES)
        pair = (first[1:] + beat.turn)[:in_beat - 1]
        m.d.comb += number.eq(Cat(
            Const(0, 1), pair, (first[in_beat:] + beat.count)[:LINE_BITS - in_beat]))
        return number, [lane(words, Cat(Const(half, 1), pair)) for half in (0, 1)], Const(3, 2)
