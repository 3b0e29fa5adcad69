"""Rings in memory (§5.1, §6), as far as their indexes go."""

from amaranth import Const

__all__ = ["INDEX_BITS", "ring_mask"]

INDEX_BITS = 15     #: of a ring's index


def ring_mask(log2):
    """The bits that an index has in a ring of 2^``log2`` slots; ``log2`` (a signal of 4 or more
    bits) is at most 15."""
    return ((Const(1, INDEX_BITS + 1) << log2[:4]) - 1)[:INDEX_BITS]
