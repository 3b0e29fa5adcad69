"""Rings in memory (§5.1, §6), as far as their indexes go."""

from amaranth import Cat

from ..lib.arithmetic import above

__all__ = ["INDEX_BITS", "following", "ring_mask"]

INDEX_BITS = 15     #: of a ring's index


def following(index, mask):
    """The index behind ``index`` in a ring of that :func:`ring_mask`."""
    return (index + 1)[:INDEX_BITS] & mask


def ring_mask(log2):
    """The bits that an index has in a ring of 2^``log2`` slots; ``log2`` (a signal of 4 or more
    bits) is at most 15."""
    return Cat(above(log2[:4], bit) for bit in range(INDEX_BITS))
