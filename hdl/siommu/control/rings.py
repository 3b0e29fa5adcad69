"""Rings in memory (§5.1, §6): their indexes, and where a slot is."""

from amaranth import Cat, Const
from amaranth.utils import exact_log2

from ..arch.formats import PAGE_SHIFT
from ..lib.arithmetic import above

__all__ = ["RING_INDEX_BITS", "following", "ring_mask", "slot_address"]

RING_INDEX_BITS = 15     #: of a ring's index


def following(index, mask):
    """The index behind ``index`` in a ring of that :func:`ring_mask`."""
    return (index + 1)[:RING_INDEX_BITS] & mask


def ring_mask(log2):
    """The bits that an index has in a ring of 2^``log2`` slots; ``log2`` (a signal of 4 or more
    bits) is at most 15."""
    return Cat(above(log2[:4], bit) for bit in range(RING_INDEX_BITS))


def slot_address(base, index, slot_bytes):
    """The address of a ring's slot of ``slot_bytes``, a power of two. A ring begins at a page,
    whose number is ``base``, so the carry of the sum begins there."""
    shift = exact_log2(slot_bytes)
    within = PAGE_SHIFT - shift         # bits of an index inside of a page
    return Cat(Const(0, shift), index[:within], base + index[within:])
