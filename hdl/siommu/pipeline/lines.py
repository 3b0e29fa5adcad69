"""Lines: the eight pages of 64 bytes of leaf entries, on their way from memory to the TLBs."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import PFN_BITS
from .grants import Rights
from .keys import LineKey, WalkKey
from .sizes import LINE_BITS, LINE_PAGES, SET_BITS, SLOT_BITS, WAY_BITS

__all__ = ["GrantedWalk", "LeafPage", "LineFill", "LinePage", "LineRights", "LineRow", "LineTag",
           "LineWords", "MeasuredRun", "WalkOfLine"]


class LeafPage(data.Struct):
    """What a leaf entry of 4 KiB grants."""

    pfn: PFN_BITS
    read: 1
    write: 1
    dirty: 1


class LineWords(data.Struct):
    """Leaf entries of ``slot``'s line on their way to the line buffer: a row of two, of which
    ``enable`` are written."""

    valid: 1
    slot: SLOT_BITS
    row: LINE_BITS - 1
    enable: 2
    pages: data.ArrayLayout(LeafPage, 2)


class LinePage(data.Struct):
    """A page of a line: where it is, what it allows, and how many more follow contiguously."""

    pfn: PFN_BITS
    read: 1
    write: 1
    dirty: 1
    extent: LINE_BITS


class LineRights(data.Struct):
    """Which pages of a line a read, and which a write, may use."""

    readable: LINE_PAGES
    writable: LINE_PAGES


class GrantedWalk(data.Struct):
    """An ended walk whose grant may be cached; ``line``: its line is complete in the buffer."""

    slot: SLOT_BITS
    line: 1


class MeasuredRun(data.Struct):
    """How many more pages follow, contiguously and with equal rights, the page that ``slot`` was
    walked for."""

    slot: SLOT_BITS
    extent: LINE_BITS


class LineTag(data.Struct):
    """The tag of a line in the second level; ``on`` = 0: nothing stands there afterwards."""

    on: 1
    way: WAY_BITS
    key: LineKey
    rights: LineRights


class LineRow(data.Struct):
    """Two pages of a line in the second level: the row ``number`` of the line in ``way`` of
    ``set``."""

    way: WAY_BITS
    set: SET_BITS
    number: LINE_BITS - 1
    pages: data.ArrayLayout(LinePage, 2)


class LineFill(wiring.Signature):
    """Writes of a line into the second level: tag off, rows, tag on. The first row comes at least
    ``timetable.ROW_AFTER_TAG`` cycles behind the tag that goes off.

    Members
    -------
    tag : Out(stream.Signature(LineTag)), row : Out(stream.Signature(LineRow))
        Always taken.
    """

    def __init__(self):
        super().__init__({
            "tag": Out(stream.Signature(LineTag, always_ready=True)),
            "row": Out(stream.Signature(LineRow, always_ready=True)),
        })


class WalkOfLine(wiring.Signature):
    """What is kept of an ended walk.

    Members
    -------
    reads : Out(1), coming : Out(SLOT_BITS)
        In the cycle before: a line may begin, and which ``slot`` it will be. The key, the rights
        and the number are needed only behind ``reads``.
    slot : Out(SLOT_BITS)
    key : In(WalkKey), way : In(WAY_BITS), rights : In(Rights), pfn : In(PFN_BITS)
        ``way``: where the second level has room for its line, combinational from ``slot``.
    """

    def __init__(self):
        super().__init__({"reads": Out(1), "coming": Out(SLOT_BITS), "slot": Out(SLOT_BITS),
                          "key": In(WalkKey), "way": In(WAY_BITS), "rights": In(Rights),
                          "pfn": In(PFN_BITS)})
