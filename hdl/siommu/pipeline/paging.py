"""How an address space is paged: what its context says of its tables, and what follows from that.

This is the one place that knows how many levels a table may have and how wide its addresses are.
What an *entry* means is asked of :mod:`siommu.walk.entry`; ``entry_format`` says by which rules. It
travels with every walk, from its context (:func:`page_format`) to its last entry, through the
context cache and the walk cache; with one format it has no bits.

Another kind of table (RISC-V, §3.4) is another field of :class:`Paging`, with what the functions
here make of it, and a module of its own in the list of formats.
"""

from amaranth import Cat, Const, Mux
from amaranth.lib import data

from ..arch.formats import INDEX_BITS, PAGE_SHIFT, ContextRoot

__all__ = ["ADDRESS_WIDTHS", "FORMAT_BITS", "LEVELS", "Paging", "canonical", "is_canonical",
           "page_format", "paging_of", "reserved_in_root", "root_index", "root_level",
           "table_index", "widths"]

LEVELS = 5              #: most levels of a page table; 1 is that of 4 KiB leaves
ADDRESS_WIDTHS = 48, 57     #: of canonical addresses
FORMAT_BITS = 0         #: that tell the formats of entries apart


class Paging(data.Struct):
    """What a context says of a page table, besides where it is (§3.2): it has 5 levels
    (``l5``), else 4."""

    l5: 1


def paging_of(root):
    """Fields of the :class:`Paging` that ``root``, a ``ContextRoot``, asks for."""
    return {"l5": root.l5}


def reserved_in_root(word):
    """Whether ``word``, a ``ContextRoot``, has a reserved bit set below its page number. Above it
    all bits of a context are reserved."""
    root = data.View(ContextRoot, word)
    return Cat(root.fmt, root.reserved_11_4) != 0


def page_format(paging):
    """Number of the format of the table's entries, in :data:`siommu.walk.entry.FORMATS`."""
    return Const(0, FORMAT_BITS)


def widths(paging):
    """Which of :data:`ADDRESS_WIDTHS` the table's addresses have, one-hot."""
    return Cat(~paging.l5, paging.l5)


def canonical(page):
    """Whether an address of ``page`` is canonical: a bit for each of :data:`ADDRESS_WIDTHS`."""
    return Cat(_all_equal(page[width - 1 - PAGE_SHIFT:]) for width in ADDRESS_WIDTHS)


def is_canonical(paging, bits):
    """Whether an address is canonical for the table (step 4 of §4): ``bits`` is what
    :func:`canonical` said of it."""
    return (widths(paging) & bits).any()


def root_level(paging):
    """The level of the root table."""
    return Mux(paging.l5, 5, 4)


def root_index(paging, page):
    """Index of the entry of the root table that is on the way to ``page``."""
    return Mux(paging.l5, table_index(page, 5), table_index(page, 4))


def table_index(page, level):
    """The bits of the page number ``page`` that index a table of ``level``, a constant."""
    return page[INDEX_BITS * (level - 1):INDEX_BITS * level]


def _all_equal(bits):
    return bits.all() | ~bits.any()
