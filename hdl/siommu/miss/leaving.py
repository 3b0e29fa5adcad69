"""From the replay queue's RAM to the arbiter."""

from amaranth import C, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..arch.config import Config
from ..lib.queues import RingQueue
from ..pipeline.boundaries import ReplaySource
from ..pipeline.operation import Operation

__all__ = ["LEAVING", "Leaving"]

LEAVING = 4         #: operations that were chosen and not yet taken by the arbiter, at most


class Leaving(wiring.Component):
    """Operations in the order in which they were chosen: they themselves in LUT RAM, their ports in
    registers, because the arbiter decides by them.

    Parameters
    ----------
    config : Config

    Members
    -------
    comes : In(1), operation : In(Operation), port : In(ports), reserved : In(1)
        An operation of this port (one-hot), and whether a slot is reserved for it. There is always
        room.
    retry : Out(ReplaySource)
    """

    def __init__(self, config: Config):
        self._ports = ports = config.requesters
        super().__init__({
            "comes": In(1),
            "operation": In(Operation),
            "port": In(ports),
            "reserved": In(1),
            "retry": Out(ReplaySource(ports)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.ready = ready = RingQueue(Operation, LEAVING)
        arrived = Signal(Operation)
        m.d.comb += [
            arrived.eq(self.operation), arrived.reserved.eq(self.reserved),
            ready.w.valid.eq(self.comes), ready.w.payload.eq(arrived),
        ]
        connect(m, ready.r, wiring.flipped(self.retry.operation))
        line = [Signal(self._ports, name=f"line_{index}") for index in range(LEAVING)]
        taken = Signal(LEAVING)                 # which places of the line are: the first ones
        goes = self.retry.operation.ready       # the first one, if any
        for index, place in enumerate(line):
            here, before = taken[index], taken[index - 1] if index else C(1)
            behind, next_taken = (line[index + 1], taken[index + 1]) \
                if index + 1 < LEAVING else (C(0), C(0))
            # A port comes to the first place that is free: if the first one goes, here where this
            # was the last one; it may as well be that there was none.
            moves, stays = Signal(name=f"moves_{index}"), Signal(name=f"stays_{index}")
            place_next = Signal.like(place, name=f"place_next_{index}")
            m.d.comb += [
                moves.eq(self.comes & ~next_taken & (here if index else 1)),
                stays.eq(self.comes & ~here & before),
                place_next.eq(Mux(goes, behind | (self.port & moves.replicate(self._ports)),
                                  place | (self.port & stays.replicate(self._ports)))),
            ]
            m.d.sync += [place.eq(place_next),
                         here.eq(Mux(goes, next_taken | moves, here | stays))]
            if not index:
                m.d.comb += self.retry.next_port.eq(place_next)
        m.d.comb += self.retry.port.eq(line[0])
        return m
