"""What a neighbour of the leaf that was asked for grants: steps 5 to 7 of §4 in one go.

The two halves are for two cycles; both take the :class:`siommu.walk.entry.PageEntry` of the
neighbour, decoded at level 1.
"""

from amaranth import Cat, Const

from ..pipeline.sizes import PAGE_NUMBER_BITS
from .entry import PageEntry, decode

__all__ = ["LEAF_LEVEL", "decode_leaf", "leaf_page"]

LEAF_LEVEL = 1          #: the level of the leaves of 4 KiB, which come by lines


def decode_leaf(m, word, *, ft, page, entry_format):
    """The :class:`PageEntry` that ``word`` is among the 4 KiB leaves, of the page whose number's
    lowest bits are ``page``."""
    page = Cat(page, Const(0, PAGE_NUMBER_BITS - len(page)))
    return decode(m, word, level=LEAF_LEVEL, ft=ft, page=page, entry_format=entry_format)


def leaf_page(entry: PageEntry, *, fits, above, check_ad):
    """What the 4 KiB leaf ``entry`` grants, as the fields of a
    :class:`siommu.pipeline.lines.LeafPage`.

    Where §4 would end in a fault whatever is asked, it grants nothing. ``above`` has ``write``
    and ``no_read`` of the levels above, of the walk that read the line; ``fits`` is what
    ``entry.is_of(...)`` said in the cycle before.
    """
    granted = (entry.present & ~entry.reserved & entry.leaf & entry.user
               & ~(check_ad & ~entry.accessed) & fits)
    return {
        "pfn": entry.pfn,
        "read": granted & ~(above.no_read | entry.no_read),
        "write": granted & above.write & entry.write,
        "dirty": ~check_ad | entry.dirty,
    }
