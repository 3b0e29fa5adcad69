"""Small helpers for properties over time."""

from amaranth.hdl import Assert, Assume, Signal, Value

__all__ = ["delayed", "assume_recorded", "assume_stream", "assert_stream"]


def delayed(m, value, cycles):
    """``value`` as it was ``cycles`` cycles ago (its reset value before that)."""
    shape = value.shape() if hasattr(value, "shape") else Value.cast(value).shape()
    for _ in range(cycles):
        later = Signal(shape)
        m.d.sync += later.eq(value)
        value = later
    return value


def assume_recorded(m, fault, recorded, most):
    """The fault queue records each ``fault`` once, some time later; ``most`` wait for it. Returns
    how many do."""
    unrecorded = Signal(range(most + 1), name="unrecorded")
    m.d.sync += unrecorded.eq(unrecorded + fault - recorded)
    m.d.sync += Assume(~recorded | unrecorded.any())
    return unrecorded


def _rules(m, stream, what):
    """The rules of §2.1: an offer stands, unchanged, until it is taken."""
    payload = Value.cast(stream.payload)
    waits = delayed(m, stream.valid & ~stream.ready, 1)
    before = delayed(m, payload, 1)
    with m.If(waits):
        m.d.sync += [what(stream.valid), what(payload == before)]


def assert_stream(m, stream):
    """The module under proof keeps the rules on its output ``stream``."""
    _rules(m, stream, Assert)


def assume_stream(m, stream):
    """The environment keeps the rules on the input ``stream``."""
    _rules(m, stream, Assume)
