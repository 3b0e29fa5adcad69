"""The entries of RISC-V page tables, Sv39, Sv48 and Sv57 (§3.4): where each bit stands, what it
means.

A format is two functions, which :mod:`siommu.walk.entry` offers to the walk. Both are
combinational. Rights are those of the leaf alone, and only there U, A and D are looked at: a
pointer takes nothing away. There is no FT, so an entry serves memory alone.
"""

from amaranth import Cat, Const, Mux
from amaranth.lib import data

from ..arch.formats import DEVID_BITS, INDEX_BITS, RiscvEntry, Size
from ..pipeline.paging import LEVELS

__all__ = ["decode", "reserved_by_level"]

NAPOT_BITS = 4          #: of the page number, which a page of a 64 KiB mapping has from its address
NAPOT = 8               #: what an entry holds there


def reserved_by_level(word):
    """Whether ``word`` has a reserved bit set: a bit for each level, level 1 first.

    It is a question to the word alone, so that it can be answered before the level is known.
    """
    entry = data.View(RiscvEntry, word)
    leaf = _is_leaf(entry)
    anywhere = (entry.reserved_60_50 != 0) | (entry.w & ~entry.r) | entry.pbmt.all()
    of_pointer = ~leaf & (entry.u | entry.a | entry.d | entry.pbmt.any())
    not_napot = entry.n & (entry.pfn[:NAPOT_BITS] != NAPOT)

    def above_pages(level):
        unaligned = leaf & (entry.pfn[:INDEX_BITS * (level - 1)] != 0)
        return anywhere | of_pointer | entry.n | unaligned

    return Cat(anywhere | ~leaf | not_napot,
               (above_pages(level) for level in range(2, LEVELS + 1)))


def decode(word, *, level, ft, page):
    """The fields of a :class:`siommu.walk.entry.PageEntry`, but for ``reserved``, as a
    dictionary."""
    entry = data.View(RiscvEntry, word)
    leaf = _is_leaf(entry)
    return {
        "present": entry.v,
        "disposition": Cat(entry.r, entry.w),       # with V = 0
        "user": ~leaf | entry.u,
        "accessed": ~leaf | entry.a,
        "dirty": entry.d,
        "write": ~leaf | entry.w,
        "no_read": leaf & ~entry.r,
        "leaf": leaf,
        "ft": Const(0, 1),
        "devid": Const(0, DEVID_BITS),
        "pfn": _number(entry, leaf, level, page),
        "size": Mux(level[2], Size.PAGE_1G.value, (level - 1)[:2]),
    }


def _is_leaf(entry):
    return entry.r | entry.w | entry.x


def _number(entry, leaf, level, page):
    """The page number of the next table, or of a leaf: of a page of 64 KiB its own; of more than
    1 GiB that of the GiB that ``page`` lies in, a :class:`siommu.pipeline.grants.GibNumber`. The
    bits that come from the address are 0 in such an entry, unless they are reserved."""
    gib, gib_512 = 2 * INDEX_BITS, 3 * INDEX_BITS       # page bits of these sizes
    part, of_256t = leaf & level[2], leaf & level[2] & level[0]
    in_512g, in_256t = page[gib:gib_512], page[gib_512:gib_512 + INDEX_BITS]
    goes_on = part & ~(in_512g.all() & (~of_256t | in_256t.all()))
    given = Cat(Const(0, gib - 2), part, goes_on, in_512g & part.replicate(INDEX_BITS),
                in_256t & of_256t.replicate(INDEX_BITS))
    low = Mux(entry.n, page[:NAPOT_BITS], entry.pfn[:NAPOT_BITS])
    return Cat(low, (entry.pfn | given)[NAPOT_BITS:])
