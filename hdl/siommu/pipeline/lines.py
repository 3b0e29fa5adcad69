"""Lines: the eight pages of 64 bytes of leaf entries, on their way from memory to the TLBs."""

from amaranth.lib import data

from ..arch.formats import PFN_BITS
from .sizes import LINE_BITS, LINE_PAGES, SLOT_BITS

__all__ = ["LeafPage", "LineWords", "LinePage", "LineRights"]


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
