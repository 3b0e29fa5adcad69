"""Second copies of registers, for readers that are too many, or too far apart, for one register."""

from amaranth import Signal, Value

__all__ = ["inverted_copy"]


def inverted_copy(m, value, *, name, init=None):
    """A register that follows ``value``, beside another register that does the same; returns what
    it holds, as a value of equal width.

    The copy stores the complement. Synthesis merges registers of equal input, so that a plain copy
    would be gone and all readers would hang on one register again; a register of the complement is
    another one, and the inversion behind it vanishes in the LUTs of its readers.

    Parameters
    ----------
    m : Module
        Gets the register, in its domain ``sync``.
    value : value-castable
        What the copy holds in the next cycle.
    name : str
        Of the register.
    init : int or None
        What is read after a reset. By default the copy has no reset, as a payload.
    """
    value = Value.cast(value)
    mask = (1 << len(value)) - 1
    held = Signal(len(value), name=name, reset_less=init is None,
                  init=0 if init is None else ~init & mask)
    m.d.sync += held.eq(~value)
    return ~held
