"""Registers that reset leaves alone.

Reset clears what says that something counts: valid bits, states, counters, indexes. What those
speak of may keep what it holds; a reset there would cost a wire to every flip-flop of the data
path, and the comparison of its bits with nothing.
"""

from amaranth import Signal, Value

__all__ = ["Payload", "later", "payload_of"]


def Payload(shape=1, *, name=None):     # noqa: N802 - stands where ``Signal`` does
    """A signal without a reset: what it holds counts only while a register with one says so."""
    return Signal(shape, name=name, reset_less=True, src_loc_at=1)


def payload_of(m, output, name=None):
    """A :class:`Payload` that drives ``output``, a member of an interface; assign to it instead."""
    held = Signal(output.shape(), name=name or f"{Value.cast(output).name}_held",
                  reset_less=True)
    m.d.comb += output.eq(held)
    return held


def later(m, value, cycles, *, name):
    """What ``value`` was ``cycles`` ago: itself, if 0. The registers in between, ``name`` and a
    number, have no reset."""
    for ago in range(1, cycles + 1):
        held = Payload(Value.cast(value).shape(), name=f"{name}_{ago}")
        m.d.sync += held.eq(value)
        value = held
    return value
