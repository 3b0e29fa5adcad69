"""The entries of x86-64 page tables, memory or file (§3.3): where each bit stands, what it means.

A format is two functions, which :mod:`siommu.walk.entry` offers to the walk. Both are
combinational. Rights are ANDed (W) and ORed (NR) over the levels of this format, so that every
entry has some; U and A are looked at in every entry.
"""

from amaranth import Cat, Const
from amaranth.lib import data

from ..arch.formats import INDEX_BITS, TableEntry

__all__ = ["decode", "reserved_by_level"]


def reserved_by_level(word):
    """Whether ``word`` has a reserved bit set: a bit for each level, level 1 first.

    It is a question to the word alone, so that it can be answered before the level is known.
    """
    entry = data.View(TableEntry, word)

    def unaligned(level):
        # Bit 0 of the page number is ignored in a leaf (it is x86's PAT).
        return entry.ps & (entry.pfn[1:INDEX_BITS * (level - 1)] != 0)

    return Cat(Const(0, 1), unaligned(2), unaligned(3), entry.ps, entry.ps)


def decode(word, *, level, ft, page):
    """The fields of a :class:`siommu.walk.entry.PageEntry`, but for ``reserved``, as a
    dictionary."""
    entry = data.View(TableEntry, word)
    return {
        "present": entry.p,
        "disposition": Cat(entry.w, entry.u),       # with P = 0
        "user": entry.u,
        "accessed": entry.a,
        "dirty": entry.d,
        "write": entry.w,
        "no_read": ft & entry.nr,
        "leaf": (level == 1) | (entry.ps & ((level == 2) | (level == 3))),
        "ft": entry.ft,
        "devid": entry.devid,
        "pfn": entry.pfn,
        "size": (level - 1)[:2],                    # ``Size`` counts the levels of leaves
    }
