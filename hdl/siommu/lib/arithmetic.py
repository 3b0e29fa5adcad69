"""Arithmetic of gates. A carry chain is slow to enter and to leave: for few bits, and for numbers
that change by one, gates are faster."""

from amaranth import Cat, Const

__all__ = ["above", "follows", "one_less", "one_more", "small_sum"]


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


def follows(number, other):
    """Whether ``other`` is ``number`` + 1, modulo their width: a function of four bits for each
    place, and no sum. ``other`` + ``~number`` is to be 0: then the carry out of a place is the OR
    of its bits, and the carry into it must be their XOR."""
    carry, same = Const(0, 1), []
    for left, right in zip(other, ~number):
        same.append((left ^ right) == carry)
        carry = left | right
    return Cat(*same).all()


def small_sum(one, other):
    """The sum of two numbers of equal width, and its carry, as one value of a bit more."""
    bits, carry = [], Const(0, 1)
    for left, right in zip(one, other):
        bits.append(left ^ right ^ carry)
        carry = (left & right) | (carry & (left | right))
    return Cat(*bits, carry)
