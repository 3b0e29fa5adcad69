"""What the counters (§7) hear of misses."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..pipeline.operation import Operation

__all__ = ["MissCounts", "MissEvents"]


class MissEvents(wiring.Signature):
    """Runs that were ``missed`` by all levels, or found in the second one, in the cycle before; how
    many requests wait for a walk. Those of software do not count."""

    def __init__(self, config):
        super().__init__({
            "missed": Out(1),
            "second_hits": Out(1),
            "waiting": Out(range(config.ports * config.port_depth + 1)),
        })


class MissCounts(wiring.Component):
    """Counts.

    Parameters
    ----------
    config : Config

    Members
    -------
    operation : In(Operation), answered, unanswered, second_hit : In(1)
        In ACT.
    leaves, comes_back : In(1)
        From :class:`.second_exit.SecondExit`.
    events : Out(MissEvents)
    """

    def __init__(self, config: Config):
        self._software = config.ports
        super().__init__({
            "operation": In(Operation),
            "answered": In(1),
            "unanswered": In(1),
            "second_hit": In(1),
            "leaves": In(1),
            "comes_back": In(1),
            "events": Out(MissEvents(config)),
        })

    def elaborate(self, platform):
        m = Module()
        operation, events = self.operation, self.events
        counts = (operation.port != self._software) & ~operation.speculative
        has_waited = operation.has_waited()
        answered, change = Signal(), Signal(signed(3))
        m.d.sync += [
            events.missed.eq(counts & self.unanswered & ~self.second_hit & ~has_waited),
            events.second_hits.eq(counts & self.unanswered & self.second_hit & ~has_waited),
            answered.eq(counts & self.answered & has_waited),
            change.eq(events.missed + self.comes_back - answered - self.leaves),
            events.waiting.eq(events.waiting + change),
        ]
        return m
