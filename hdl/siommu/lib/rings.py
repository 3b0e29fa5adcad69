"""Rings in memory (§5.1, §6), as far as their indexes go."""

from amaranth import Cat, Const

__all__ = ["INDEX_BITS", "above", "following", "one_less", "one_more", "ring_mask"]

INDEX_BITS = 15     #: of a ring's index


def above(number, limit):
    """Whether ``number`` is larger than the constant ``limit``: gates, and no carry chain."""
    result = Const(0)
    if limit >> len(number):
        return result
    for place, bit in enumerate(number):
        result = bit & result if limit >> place & 1 else bit | result
    return result


def one_more(number):
    """``number`` + 1, of the same width: gates, and no carry chain."""
    return Cat(bit ^ number[:place].all() for place, bit in enumerate(number))


def one_less(number):
    """``number`` - 1, of the same width: gates, and no carry chain."""
    return Cat(bit ^ ~number[:place].any() for place, bit in enumerate(number))


def following(index, mask):
    """The index behind ``index`` in a ring of that :func:`ring_mask`."""
    return (index + 1)[:INDEX_BITS] & mask


def ring_mask(log2):
    """The bits that an index has in a ring of 2^``log2`` slots; ``log2`` (a signal of 4 or more
    bits) is at most 15."""
    return Cat(above(log2[:4], bit) for bit in range(INDEX_BITS))
