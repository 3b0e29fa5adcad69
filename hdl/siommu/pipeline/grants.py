"""What was decided: rights, translations, outcomes."""

from amaranth.lib import data

from ..arch.formats import PFN_BITS, Cause, Disposition, Size
from .keys import WalkKey
from .sizes import ENTRY_ADDR_BITS, LINE_BITS, LINE_PAGES, SLOT_BITS

__all__ = ["GibNumber", "Rights", "Translation", "Outcome", "FillGrant", "FillRequest"]


class Rights(data.Struct):
    """What a mapping allows, and its size. ``dirty`` says that a write may use it: always, unless
    CHECK_AD is set and the leaf's D is clear."""

    size: Size
    read: 1
    write: 1
    dirty: 1


class GibNumber(data.Struct):
    """The page number of a mapping of 1 GiB. Of its lower bits, which a page has from its address,
    the highest two tell of a larger leaf (§3.4), of which this is one GiB: that it is a ``part``,
    and ``goes_on`` with the next GiB, contiguously. They are 0 in a leaf of 1 GiB."""

    below: 16
    part: 1
    goes_on: 1
    gib: PFN_BITS - 18


class Translation(data.Struct):
    """Up to eight pages of one line that are contiguous and have equal rights.

    ``mask`` has a bit for each page of the line; page *i* is at page number ``base`` + *i*
    (modulo 2^40). Of a larger mapping, ``base`` is its leaf's page number and ``mask`` is full.
    """

    rights: Rights
    mask: LINE_PAGES
    last: LINE_BITS
    base: PFN_BITS


class Outcome(data.Struct):
    """How a page was decided: a grant (``cause`` = OK) or a fault.

    ``pfn`` is the page's own (4 KiB) or the leaf's (its bits below the mapping's size have no
    meaning, but for those of a :class:`GibNumber`). ``extent`` more pages behind it are contiguous
    to it, in the same line and with equal rights (4 KiB). ``level`` and ``entry`` are those of a
    fault record (§5.1); ``quiet``: the device's faults are not recorded.
    """

    cause: Cause
    disposition: Disposition
    rights: Rights
    pfn: PFN_BITS
    extent: LINE_BITS
    level: 3
    entry: ENTRY_ADDR_BITS
    quiet: 1


class FillGrant(data.Struct):
    """A grant to be written to the first-level TLB. ``walked``: it is the outcome of ``slot``.
    ``drops``: it is no grant, but a step of an invalidation. Neither: it comes from the second
    level. A grant of no rights, which a speculative walk may end in, is not written."""

    walked: 1
    drops: 1
    slot: SLOT_BITS
    translation: Translation


class FillRequest(data.Struct):
    """A :class:`FillGrant`, and for what."""

    key: WalkKey
    grant: FillGrant
