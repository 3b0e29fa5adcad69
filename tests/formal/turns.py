"""Nobody starves: whoever keeps asking an arbiter is served before any other is served twice, so
within as many grants as there are requesters. And somebody is served whenever anybody asks. For all
time, by induction over the order in which they were served. One requester is chosen, any one."""

from amaranth.hdl import Array, Assert, Assume, Const, Cover, Module, Mux, Signal
from amaranth.lib.wiring import Component, In

from siommu.lib.choose import RoundRobin, RoundRobinAhead

from .state import State
from .temporal import delayed

__all__ = ["TurnsProof"]

COUNT = 4


class TurnsProof(Component):
    """Both arbiters, each with four requesters: that of the ports and look-aheads, which decides a
    cycle ahead, and that of what the ports continue."""

    chosen: In(range(COUNT))
    ahead: In(COUNT)
    blocked: In(1)
    now: In(COUNT)
    taken: In(1)

    def elaborate(self, platform):
        m = Module()
        started, before = delayed(m, Const(1), 1), delayed(m, self.chosen, 1)
        m.d.sync += Assume(~started | (before == self.chosen))
        first, second = RoundRobinAhead(COUNT), RoundRobin(COUNT)
        states = State(first), State(second)
        m.submodules.first, m.submodules.second = (each.fragment for each in states)
        m.d.comb += [first.requests.eq(self.ahead), first.blocked.eq(self.blocked),
                     second.requests.eq(self.now), second.taken.eq(self.taken)]
        self._served(m, "first", first.requests, first.next, ~self.blocked, self._order(
            states[0], "order"))
        self._served(m, "second", second.requests, second.grant, self.taken, self._order(
            states[1], "behind"))
        m.d.sync += Assert((first.grant & (first.grant - 1)[:COUNT]) == 0)
        return m

    def _order(self, state, name):
        """Whether the one was served later than the other, for every two."""
        def later(i, j):
            return (state.signal(f"{name}_{i}_{j}") if i < j
                    else ~state.signal(f"{name}_{j}_{i}"))
        return {(i, j): later(i, j) for i in range(COUNT) for j in range(COUNT) if i != j}

    def _served(self, m, name, requests, grant, used, later):
        """What is granted, while the chosen one asks; ``later`` is the order of service."""
        served, counts = Signal(COUNT, name=f"{name}_served"), used & grant.any()
        asks, gets = requests.bit_select(self.chosen, 1), grant.bit_select(self.chosen, 1)
        m.d.sync += [
            Assert((grant & (grant - 1)[:COUNT]) == 0), Assert((grant & ~requests) == 0),
            Assert(~(used & requests.any()) | grant.any()),
            Assert(~(counts & asks) | ((grant & served) == 0)),
            served.eq(Mux(asks & ~(gets & used), served | Mux(used, grant, 0), 0)),
            Cover(gets & used & (served == ~(1 << self.chosen)[:COUNT])),
        ]
        # Of the state: an order it is, and who was served meanwhile comes behind the chosen one.
        for (i, j), behind in later.items():
            m.d.sync += [Assert(~(behind & later[j, k]) | later[i, k])
                         for k in range(COUNT) if k not in (i, j)]
        for number in range(COUNT):
            behind_chosen = Array(later.get((number, other), Const(0, 1))
                                  for other in range(COUNT))[self.chosen]
            m.d.sync += Assert(~served[number] | behind_chosen)
