"""Choosing one of several: round-robin and lowest-first, as plain combinational helpers."""

from amaranth import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["lowest", "one_hot_index", "one_of", "RoundRobin"]


def lowest(bits):
    """One-hot vector of the lowest set bit of ``bits``; 0 when none is set."""
    if len(bits) <= 4:
        return Cat(bits[index] & ~bits[:index].any() if index else bits[0]
                   for index in range(len(bits)))
    return (bits & (~bits + 1))[:len(bits)]


def one_hot_index(bits):
    """Index of the only set bit of ``bits`` (an OR of encodings: 0 when none is set)."""
    width = bits_for(max(len(bits) - 1, 1))
    return Cat(*(Cat(*(bits[i] for i in range(len(bits)) if i >> k & 1)).any()
                 if len(bits) > 1 << k else C(0, 1) for k in range(width)))


def one_of(bits, values):
    """The one of ``values`` (of equal width) whose bit of the one-hot ``bits`` is set; else 0."""
    result = C(0, 1)
    for bit, value in zip(bits, values):
        value = Value.cast(value)
        result = result | (value & bit.replicate(len(value)))
    return result


class RoundRobin(wiring.Component):
    """A round-robin arbiter.

    Parameters
    ----------
    count : int
        Number of requesters.

    Members
    -------
    requests : In(count)
    grant : Out(count)
        One-hot, combinational: the first requester behind the last one that was served.
    index : Out
        Number of the granted requester.
    taken : In(1)
        The grant is used in this cycle; its requester becomes the last in the round.
    """

    def __init__(self, count):
        self._count = count
        super().__init__({
            "requests": In(unsigned(count)),
            "grant": Out(unsigned(count)),
            "index": Out(bits_for(max(count - 1, 1))),
            "taken": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        behind = Signal(self._count)  # set for the requesters behind the last one served
        preferred = self.requests & behind
        m.d.comb += self.grant.eq(Mux(preferred.any(), lowest(preferred), lowest(self.requests)))
        m.d.comb += self.index.eq(one_hot_index(self.grant))
        with m.If(self.taken & self.requests.any()):
            # all bits above the granted one
            m.d.sync += behind.eq(~((self.grant - 1) | self.grant))
        return m
