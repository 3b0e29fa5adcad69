"""An entry of the first-level TLB: its tag, its row in the RAM, and how keys are compared.

A key is compared in fields, which are cut where the sizes of mappings and of invalidations differ.
A field in which one side covers everything need not be equal.
"""

from amaranth import C, Cat
from amaranth.lib import data

from ..arch.config import Config
from ..arch.formats import INDEX_BITS, PFN_BITS, Size
from ..lib.arithmetic import above
from ..pipeline.grants import GibNumber, Rights
from ..pipeline.keys import TlbKey
from ..pipeline.sizes import LINE_BITS, LINE_PAGES

__all__ = ["BANK", "EntryRow", "KeyFields", "Spans", "Tag", "bank_ranges", "covered_by_drop",
           "covered_by_fill", "equal_fields", "is_part", "overlapping", "spanned"]

BANK = 16       #: entries in one LUT RAM, and readers of one register of the key
PIECE = 8       #: bits of a key that two levels of LUT4 compare
PIECES = 3      #: compared pieces that one further level puts together


class Spans(data.Struct):
    """What a mapping is large enough to cover as a whole: its device's address space, the 1 GiB or
    the 2 MiB that it lies in."""

    device: 1
    gib: 1
    mib2: 1


def Tag(config: Config):        # noqa: N802 - a shape
    """What an entry is found by, and what decides about a hit.

    ``mask``: the pages of the line that the entry is of. ``spans`` repeats the size in ``rights``,
    because the comparison has no time to decode it. ``low``: the lowest bits of the base.
    ``part``, in a core with RISC-V tables: the entry is one GiB of a larger leaf.
    """
    fields = {"key": TlbKey, "mask": LINE_PAGES, "rights": Rights, "spans": Spans,
              "low": LINE_BITS}
    return data.StructLayout({**fields, "part": 1} if config.riscv_tables else fields)


class EntryRow(data.Struct):
    """The rest of an entry, in LUT RAM. ``high``: the base without its lowest bits, for the pages
    up to a carry out of those; ``carried``: that plus one, for the pages behind it."""

    high: PFN_BITS - LINE_BITS
    carried: PFN_BITS - LINE_BITS
    last: LINE_BITS
    rights: Rights


class KeyFields(data.Struct):
    """A bit for each field of a key. Page numbers have three: above 1 GiB (``high``), from 2 MiB
    to 1 GiB (``middle``), from a line to 2 MiB (``line``)."""

    ft: 1
    device: 1
    pasid: 1
    high: 1
    middle: 1
    line: 1


def bank_ranges(entries):
    """The entries of each LUT RAM, as ranges."""
    return [range(entries)[low:low + BANK] for low in range(0, entries, BANK)]


def spanned(size):
    """Fields of the :class:`Spans` of a mapping of ``size``."""
    return {name: size.as_value() >= least.value for name, least in (
        ("device", Size.BYPASS), ("gib", Size.PAGE_1G), ("mib2", Size.PAGE_2M))}


def is_part(translation):
    """Whether ``translation`` is one GiB of a larger leaf (§3.4)."""
    return ((translation.rights.size == Size.PAGE_1G)
            & data.View(GibNumber, translation.base).part)


def equal_fields(tag, key):
    """Fields of the :class:`KeyFields` in which ``key``, a :class:`TlbKey`, is that of the ``tag``,
    or the tag's mapping covers everything."""
    spans, held, asked = tag.spans, tag.key.vpn, key.vpn
    gib, mib2 = 2 * INDEX_BITS, INDEX_BITS      # page bits of these sizes
    return {
        "ft": tag.key.ft == key.ft,
        "device": _equal_or(tag.key.device, key.device),
        "pasid": _equal_or(tag.key.pasid, key.pasid, spans.device),
        "high": _equal_or(Cat(held[gib:], tag.key.canonical),
                          Cat(asked[gib:], key.canonical), spans.device),
        "middle": _equal_or(held[mib2:gib], asked[mib2:gib], spans.gib),
        "line": (held[LINE_BITS:mib2] == asked[LINE_BITS:mib2]) | spans.mib2,
    }


def covered_by_fill(size):
    """The :class:`KeyFields`, as a value, of which a mapping of ``size`` covers everything."""
    spans = spanned(size)
    return Cat(0, 0, spans["device"], spans["device"], spans["gib"], spans["mib2"])


def covered_by_drop(invalidation):
    """The :class:`KeyFields`, as a value, that an :class:`Invalidation` does not look at. Of its
    range it looks at the first of line, 2 MiB, 1 GiB that holds all of the pages."""
    return Cat(~invalidation.by_ft, ~invalidation.by_device, ~invalidation.by_pasid,
               *(~invalidation.by_addr | above(invalidation.n, bits)
                 for bits in (2 * INDEX_BITS, INDEX_BITS, LINE_BITS)))


def overlapping(equal, covered, shared_page):
    """Whether an entry overlaps what is asked for: its fields are ``equal`` to those asked for, or
    everything in them is ``covered`` (both :class:`KeyFields`), and of the line they have a
    ``shared_page``."""
    return ((equal.ft | covered.ft) & (equal.device | covered.device)
            & (equal.pasid | covered.pasid) & (equal.high | covered.high)
            & (equal.middle | covered.middle) & (equal.line | covered.line) & shared_page)


def _equal_or(one, other, anyway=C(0, 1)):
    """Whether two values are equal, or ``anyway``: in pieces, so that no level is wide."""
    pieces = [one[low:low + PIECE] == other[low:low + PIECE] for low in range(0, len(one), PIECE)]
    return Cat(Cat(pieces[first:first + PIECES]).all() | anyway
               for first in range(0, len(pieces), PIECES)).all()
