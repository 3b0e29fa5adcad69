"""Takes starts, as many as walks may be in flight: a start's first cycle, and its registers."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.cover import cover
from ..lib.event import Event
from ..lib.payload import payload_of
from ..lib.structs import assign
from ..pipeline.tables import WalkStart
from .start import StartFacts, start_facts

__all__ = ["BegunWalk", "StartGate"]


def BegunWalk(config: Config):      # noqa: N802 - a shape
    """A walk that begins, and what can be said of it."""
    return data.StructLayout({"walk": WalkStart(config), "facts": StartFacts(config)})


class StartGate(wiring.Component):
    """Counts the walks in flight.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(stream.Signature(WalkStart))
        Not ready in a cycle in which ``occupied`` is set, nor while ``walks`` walks are in flight.
    occupied : In(1)
        Combinational.
    ended, refused : In(1)
        A walk has ended; a start was refused, two cycles after it was taken.
    begun : Out(Event(BegunWalk))
        A start, in the cycle after it was taken.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "start": In(stream.Signature(WalkStart(config))),
            "occupied": In(1),
            "ended": In(1),
            "refused": In(1),
            "begun": Out(Event(BegunWalk(config))),
        })

    def elaborate(self, platform):
        m = Module()
        walks = self._config.walks
        begun, valid = payload_of(m, self.begun.payload, name="held"), Signal()
        # Walks in flight, the one that was taken in the cycle before not included, but those that
        # ended in it; room for one, for two.
        active, left = Signal(range(walks + 1)), Signal(2)
        active_next = Signal.like(active)
        room, room_for_two = Signal(init=1), Signal(init=walks > 1)
        m.d.comb += [
            self.begun.valid.eq(valid),
            self.start.ready.eq(~self.occupied & Mux(valid, room_for_two, room)),
            active_next.eq(active + valid - left),
        ]
        m.d.sync += [
            valid.eq(self.start.valid & self.start.ready),
            begun.walk.eq(self.start.payload),
            *assign(begun.facts, start_facts(self.start.payload)),
            active.eq(active_next),
            room.eq(active_next < walks), room_for_two.eq(active_next + 1 < walks),
            left.eq(self.ended + self.refused),
        ]
        cover(m, self.start.valid & self.occupied, "decide", "start", "word")
        cover(m, self.start.valid & ~self.occupied & ~self.start.ready, "decide", "start",
              "as_many_walks_as_there_may_be")
        return m
