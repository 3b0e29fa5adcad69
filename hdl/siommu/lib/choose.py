"""Choosing one of several: a fair arbiter, lowest-first, and one-hot helpers."""

from amaranth import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["first_of", "lowest", "one_hot_index", "one_of", "RoundRobin",
           "RoundRobinAhead"]


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


def first_of(cases):
    """The values of the first of the ``cases``, each (condition, value ...), whose condition holds;
    0 when none does. A tree, where a chain of choices would be too long."""
    def found(cases):
        if len(cases) == 1:
            (condition, *values), = cases
            return condition, [Value.cast(value) for value in values]
        half = len(cases) // 2
        (any_low, low), (any_high, high) = found(cases[:half]), found(cases[half:])
        return any_low | any_high, [Mux(any_low, *pair) for pair in zip(low, high)]
    any_, values = found(cases)
    return [value & any_.replicate(len(value)) for value in values]


class RoundRobin(wiring.Component):
    """A fair arbiter: whoever was served longest ago comes first. Requesters that always ask are
    served in turn.

    It keeps the order of every two requesters, so that a grant takes no search.

    Parameters
    ----------
    count : int
        Number of requesters.

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
        held, order = _served(m, self._count, self.grant, self.taken)
        m.d.comb += [
            self.grant.eq(_first(self.requests, held)),
            self.index.eq(one_hot_index(self.grant)),
        ]
        m.d.sync += [held[pair].eq(order[pair]) for pair in held]
        return m


class RoundRobinAhead(wiring.Component):
    """The same, one cycle ahead: the grant is a register, for those who have much to do with it.
    It is used when it is given.

    Parameters
    ----------
    count : int
        Number of requesters.

    Members
    -------
    requests : In(count)
        Of the next cycle.
    blocked : In(1)
        In the next cycle nobody has a grant. It may come late.
    next : Out(count)
        One-hot, combinational: the grant of the next cycle.
    grant : Out(count)
        One-hot: that of this cycle.
    """

    def __init__(self, count):
        self._count = count
        super().__init__({
            "requests": In(unsigned(count)),
            "blocked": In(1),
            "next": Out(unsigned(count)),
            "grant": Out(unsigned(count)),
        })

    def elaborate(self, platform):
        m = Module()
        held, order = _served(m, self._count, self.grant, 1)
        m.d.comb += self.next.eq(
            _first(self.requests, order) & (~self.blocked).replicate(self._count))
        m.d.sync += [self.grant.eq(self.next), *(held[pair].eq(order[pair]) for pair in held)]
        return m


def _served(m, count, grant, taken):
    """Who was served later, for every pair *i* < *j*, whether *i* was: registers, and what will
    be in them when this cycle's ``grant`` is ``taken``."""
    held, order = {}, {}
    for i in range(count):
        for j in range(i + 1, count):
            held[i, j] = Signal(name=f"behind_{i}_{j}")
            order[i, j] = Signal(name=f"order_{i}_{j}")
            m.d.comb += order[i, j].eq(Mux(taken & (grant[i] | grant[j]), grant[i], held[i, j]))
    return held, order


def _first(requests, behind):
    """One-hot: the one of the ``requests`` that comes ``behind`` no other; 0 when there is
    none."""
    count = len(requests)
    def comes_behind(i, j):
        return behind[i, j] if i < j else ~behind[j, i]
    return Cat(requests[i] & ~Cat(requests[j] & comes_behind(i, j)
                                  for j in range(count) if j != i).any() for i in range(count))
