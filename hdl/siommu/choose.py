"""Choosing one of several: a fair arbiter, lowest-first, and one-hot helpers."""

from amaranth import C, Cat, Module, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["lowest", "one_hot_index", "one_of", "RoundRobin"]


def lowest(bits):
    """One-hot vector of the lowest set bit of ``bits``, a signal; 0 when none is set."""
    def none(low, high):
        return ~bits[low:high].any() if low < high else C(1, 1)
    return Cat(bits[index] & none(index & ~3, index) & none(0, index & ~3)
               for index in range(len(bits)))


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
    """A fair arbiter: whoever was served longest ago comes first. Requesters that always ask are
    served in turn.

    It keeps the order of every two requesters, so that a grant takes no search.

    Parameters
    ----------
    count : int
        Number of requesters.
    inverted : bool
        Its registers hold the complement. Of two arbiters that do the same, synthesis would make
        one, and so undo what they are two for: each to drive fewer loads.

    Members
    -------
    requests : In(count)
    grant : Out(count)
        One-hot, combinational.
    index : Out
        Number of the granted requester.
    taken : In(1)
        The grant is used in this cycle; its requester becomes the last one.
    """

    def __init__(self, count, *, inverted=False):
        self._count, self._inverted = count, inverted
        super().__init__({
            "requests": In(unsigned(count)),
            "grant": Out(unsigned(count)),
            "index": Out(bits_for(max(count - 1, 1))),
            "taken": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        requests, grant = self.requests, self.grant
        behind = {}         # [i, j], i < j: i comes behind j
        for i in range(self._count):
            for j in range(i + 1, self._count):
                held = Signal(name=f"behind_{i}_{j}", init=self._inverted)
                behind[i, j] = ~held if self._inverted else held
                with m.If(self.taken & (grant[i] | grant[j])):
                    m.d.sync += held.eq(~grant[i] if self._inverted else grant[i])
        for i in range(self._count):
            before = [behind[i, j] if i < j else ~behind[j, i]
                      for j in range(self._count) if j != i]
            others = [requests[j] for j in range(self._count) if j != i]
            first = ~(Cat(before) & Cat(others)).any() if others else 1
            m.d.comb += grant[i].eq(requests[i] & first)
        m.d.comb += self.index.eq(one_hot_index(grant))
        return m
