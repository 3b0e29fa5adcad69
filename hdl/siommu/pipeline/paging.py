"""How an address space is paged: what its context says of its tables, and what follows from that.

This is the one place that knows how many levels a table may have and how wide its addresses are.
What an *entry* means is asked of :mod:`siommu.walk.entry`; ``entry_format`` says by which rules. It
travels with every walk, from its context (:func:`page_format`) to its last entry, through the
context cache and the walk cache.

A core without RISC-V tables (``riscv_tables``, §3.4) has one format of entries: there
``entry_format`` has no bits, a :class:`Paging` no ``fmt``, and no address is 39 bits wide.
"""

from amaranth import Cat, Const, Mux, Value
from amaranth.lib import data

from ..arch.config import Config
from ..arch.formats import INDEX_BITS, PAGE_SHIFT, ContextRoot, TableFormat

__all__ = ["LEVELS", "Paging", "address_widths", "canonical", "format_bits", "is_canonical",
           "page_format", "paging_of", "reserved_in_root", "root_index", "root_level",
           "table_index", "widths"]

LEVELS = 5              #: most levels of a page table; 1 is that of 4 KiB leaves


def address_widths(config: Config):
    """Widths of canonical addresses."""
    return (48, 57, 39) if config.riscv_tables else (48, 57)


def format_bits(config: Config):
    """Bits that tell the formats of entries apart."""
    return int(config.riscv_tables)


def Paging(config: Config):     # noqa: N802 - a shape
    """What a context says of a page table, besides where it is (§3.2): ``fmt``, a ``TableFormat``;
    of an x86 table, that it has 5 levels (``l5``), else 4."""
    return data.StructLayout({"l5": 1, "fmt": 2} if config.riscv_tables else {"l5": 1})


def paging_of(root, config):
    """Fields of the :class:`Paging` that ``root``, a ``ContextRoot``, asks for."""
    return {name: root[name] for name, _ in Paging(config)}


def reserved_in_root(word, config):
    """Whether ``word``, a ``ContextRoot``, has a reserved bit set below its page number. Above it
    all bits of a context are reserved. ``fmt`` is reserved in a storage table's root in any case,
    which is for the caller to see."""
    root = data.View(ContextRoot, word)
    if not config.riscv_tables:
        return Cat(root.fmt, root.reserved_11_4) != 0
    return (root.reserved_11_4 != 0) | (root.v & root.l5 & (root.fmt != TableFormat.X86.value))


def page_format(paging):
    """Number of the format of the table's entries, in :data:`siommu.walk.entry.FORMATS`."""
    return paging.fmt.any() if _has_formats(paging) else Const(0, 0)


def widths(paging):
    """Which of :func:`address_widths` the table's addresses have, one-hot."""
    five, three = _depth(paging)
    return Cat(~five, five) if three is None else Cat(~five & ~three, five, three)


def canonical(page, config):
    """Whether an address of ``page`` is canonical: a bit for each of :func:`address_widths`."""
    return Cat(_all_equal(page[width - 1 - PAGE_SHIFT:]) for width in address_widths(config))


def is_canonical(paging, bits):
    """Whether an address is canonical for the table (step 4 of §4): ``bits`` is what
    :func:`canonical` said of it."""
    return (widths(paging) & bits).any()


def root_level(paging):
    """The level of the root table."""
    five, three = _depth(paging)
    return Mux(five, 5, 4 if three is None else Mux(three, 3, 4))


def root_index(paging, page):
    """Index of the entry of the root table that is on the way to ``page``."""
    five, three = _depth(paging)
    index = table_index(page, 4)
    if three is not None:
        index = Mux(three, table_index(page, 3), index)
    return Mux(five, table_index(page, 5), index)


def table_index(page, level):
    """The bits of the page number ``page`` that index a table of ``level``, a constant."""
    return page[INDEX_BITS * (level - 1):INDEX_BITS * level]


def _has_formats(paging):
    return "fmt" in dict(iter(paging.shape()))


def _depth(paging):
    """Whether the table has five levels, and whether it has three (``None``: none has). Both have
    no meaning where ``l5`` stands beside a ``fmt``, which is reserved."""
    if not _has_formats(paging):
        return paging.l5, None
    fmt = Value.cast(paging.fmt)
    return paging.l5 | (fmt == TableFormat.SV57.value), fmt == TableFormat.SV39.value


def _all_equal(bits):
    return bits.all() | ~bits.any()
