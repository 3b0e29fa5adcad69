"""Rings in memory (§5.1, §6), as far as their indexes go."""

from amaranth import Cat, Const, Signal

__all__ = ["INDEX_BITS", "above", "following", "ring_mask"]

INDEX_BITS = 15     #: of a ring's index


def above(number, limit):
    """Whether ``number`` is larger than the constant ``limit``: gates, and no carry chain."""
    result = Const(0)
    for place, bit in enumerate(number):
        result = bit & result if limit >> place & 1 else bit | result
    return result


def following(m, index, log2):
    """The number behind ``index``, and whether the ring of 2^``log2`` slots begins there anew: then
    the index that follows is 0."""
    behind = Signal(INDEX_BITS + 1)
    m.d.comb += behind.eq(index + 1)
    return behind[:INDEX_BITS], behind.bit_select(log2[:4], 1)


def ring_mask(log2):
    """The bits that an index has in a ring of 2^``log2`` slots; ``log2`` (a signal of 4 or more
    bits) is at most 15."""
    return Cat(above(log2[:4], bit) for bit in range(INDEX_BITS))
