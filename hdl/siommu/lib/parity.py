"""Parity of the words of a memory, in two steps of two levels of LUT4 each."""

from amaranth import Cat

__all__ = ["guarded", "guarded_bits", "parity_sums", "sound", "unguarded"]

PARITY_SPAN = 15        #: bits that one parity bit watches over: with it, two levels of LUT4
SUM_BITS = 4            #: bits of one sum: one LUT4


def guarded(value):
    """``value`` with a parity bit behind each 15 of its bits, and behind the last ones.

    What is added up together lies together, and so in one block RAM of a wide memory.
    """
    pieces = (value[low:low + PARITY_SPAN] for low in range(0, len(value), PARITY_SPAN))
    return Cat(Cat(piece, piece.xor()) for piece in pieces)


def guarded_bits(width):
    """How many bits :func:`guarded` gives for ``width`` bits."""
    return width - width // -PARITY_SPAN


def unguarded(word):
    """The value in a :func:`guarded` word."""
    return Cat(word[low:low + PARITY_SPAN + 1][:-1]
               for low in range(0, len(word), PARITY_SPAN + 1))


def parity_sums(word):
    """What says whether a :func:`guarded` word is undamaged: sums of four bits each, the first
    half of the work, to be registered in front of :func:`sound`."""
    return _sums(word)


def sound(sums):
    """Whether the :func:`parity_sums` are those of an undamaged word."""
    return ~_sums(sums).any()


def _sums(bits):
    return Cat(bits[low:low + SUM_BITS].xor() for low in range(0, len(bits), SUM_BITS))
