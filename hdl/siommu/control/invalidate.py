"""Selective invalidation (§6): one at a time, in steps through the pipeline, beside the traffic.

An invalidation begins by making every walk in flight *stale*: it still answers its owner, but is
joined by nobody and fills no cache. From then on, until the end, look-ups in the upper-level caches
are not trusted for the address spaces that are covered, so that no later walk builds upon what is
about to be dropped. Then the caches are gone through::

    begins ──> drain ──> step, step, … ──> drain ──> done
    stale      fills of   each an operation   look-ups of before
    walks      before     of the pipeline     have left it
               have
               landed

A step drops from the whole first level, and from one set of the second level and of the walk
cache. Each takes one cycle from the ports, and two steps are at least five cycles apart: hits go
on. An invalidation of a single line knows its sets, and needs one step only.
"""

from amaranth import Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.contract import require
from ..lib.payload import Payload
from ..pipeline.events import Invalidation
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import DRAIN
from ..tlb.second_level import line_sets

__all__ = ["Invalidator"]


class _State(enum.Enum, shape=3):
    IDLE = 0
    BEGINNING = 1
    ASKING = 2
    STEPPING = 3
    ENDING = 4


class Invalidator(wiring.Component):
    """Goes through the caches.

    An invalidation takes 2 · ``DRAIN`` cycles and a few, plus at most 13 cycles for each set of
    the largest store (6 or 7 when no walk fills a cache meanwhile); for a single line, plus 13
    cycles.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(1), request : In(Invalidation)
        Begins; only while not ``active``. ``request`` stays until ``done``.
    done : Out(1)
        For one cycle: everything that was asked for is dropped, and no look-up that saw it is on
        its way any more.
    active : Out(1)
        From the cycle after ``start`` until ``done``.
    begins : Out(1)
        For one cycle: walks in flight become stale.
    drop : Out(1)
        For one cycle: the context caches drop what is asked for.
    asks : Out(1), taken : In(1), arrives : In(1)
        Wants a step; it is taken into the pipeline; it stands before the caches, in this cycle.
    step : Out, exact : Out(1)
        The set; ``exact``: it is that of the key instead.
    scanning : In(1)
        A step of before is still under way in a store.
    """

    def __init__(self, config: Config):
        self.steps = max(config.walk_entries // config.walk_cache_ways, line_sets(config))
        super().__init__({
            "start": In(1),
            "request": In(Invalidation),
            "done": Out(1),
            "active": Out(1),
            "begins": Out(1),
            "drop": Out(1),
            "asks": Out(1),
            "taken": In(1),
            "arrives": In(1),
            "step": Out(range(max(self.steps, 2))),
            "exact": Out(1),
            "scanning": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        state, waited = Signal(_State), Signal(range(DRAIN + 1))
        request, passing = self.request, Signal()
        m.d.sync += [
            self.exact.eq(request.by_device & request.by_pasid & request.by_ft & request.by_addr
                          & (request.n <= LINE_BITS)),
            waited.eq(waited + 1), self.done.eq(0), self.begins.eq(0), self.drop.eq(0),
            passing.eq(self.arrives),       # a store begins to scan one cycle later
            self.asks.eq((state == _State.ASKING) & ~self.scanning & ~self.taken),
        ]
        with m.Switch(state):
            with m.Case(_State.IDLE):
                m.d.sync += [waited.eq(0), self.step.eq(0)]
                with m.If(self.start):
                    m.d.sync += [state.eq(_State.BEGINNING), self.active.eq(1), self.begins.eq(1)]
            with m.Case(_State.BEGINNING):
                with m.If(waited == DRAIN - 1):
                    m.d.sync += [state.eq(_State.ASKING), self.drop.eq(request.context)]
            with m.Case(_State.ASKING):
                with m.If(self.taken):
                    m.d.sync += state.eq(_State.STEPPING)
            with m.Case(_State.STEPPING):
                m.d.sync += waited.eq(0)
                with m.If(passing & (self.exact | (self.step == self.steps - 1))):
                    m.d.sync += state.eq(_State.ENDING)
                with m.Elif(passing):
                    m.d.sync += [state.eq(_State.ASKING), self.step.eq(self.step + 1)]
            with m.Case(_State.ENDING):
                with m.If(self.scanning):
                    m.d.sync += waited.eq(0)
                with m.Elif(waited == DRAIN - 1):
                    m.d.sync += [state.eq(_State.IDLE), self.done.eq(1), self.active.eq(0)]

        before = Payload(Invalidation, name="request_before")
        m.d.sync += before.eq(request)
        require(m, ~self.active | (before.as_value() == request.as_value()),
                "the request of an invalidation stays until it is done")
        require(m, ~(self.start & self.active), "one invalidation at a time")
        require(m, ~self.taken | (state == _State.ASKING),
                "a step is taken when the invalidation asks for one")
        return m
