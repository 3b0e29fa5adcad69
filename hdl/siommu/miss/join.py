"""From JOIN to OUTCOME: the operation that ACT passed on, or an owner whose walk has ended."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGES_BITS
from ..lib.choose import lowest, one_hot_index
from ..lib.payload import Payload
from ..pipeline.sizes import PORT_BITS
from .fate import Acted, Carried, Fate, Joined
from .replay import Reason

__all__ = ["Join"]


class Join(wiring.Component):
    """Registers of OUTCOME.

    Parameters
    ----------
    config : Config

    Members
    -------
    acted : In(Acted), carried : In(Carried), joinable, certain : In(slots)
        In JOIN; of the slots, what was known in ACT.
    free : Out(1)
        In JOIN: there is nothing for OUTCOME.
    owner_waits : In(1)
        Then, an owner comes.
    joined : Out(Joined), join : Out(slots), join_port : Out(PORT_BITS)
        In OUTCOME; one-hot: the slot that it joins; its port.
    """

    def __init__(self, config: Config):
        slots = config.walk_slots
        super().__init__({
            "acted": In(Acted),
            "carried": In(Carried),
            "joinable": In(slots),
            "certain": In(slots),
            "free": Out(1),
            "owner_waits": In(1),
            "joined": Out(Joined),
            "join": Out(slots),
            "join_port": Out(PORT_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        acted, carried, joined = self.acted, self.carried, self.joined
        run, port = Payload(PAGES_BITS), Payload(PORT_BITS)
        claims = acted.joins | acted.stays
        m.d.comb += [self.free.eq(acted.fate == Fate.NONE), joined.run.eq(run),
                     self.join_port.eq(port)]
        m.d.sync += [
            joined.left.fate.eq(acted.fate), run.eq(carried.run),
            joined.walked.eq(acted.walked), joined.waited.eq(acted.waited),
            joined.left.reason.eq(Mux(claims, Reason.JOINED, Reason.WANTS)),
            joined.claims.eq(claims), port.eq(carried.port),
        ]
        with m.If(self.free):
            m.d.sync += [joined.left.fate.eq(Mux(self.owner_waits, Fate.EXIT, Fate.NONE)),
                         joined.walked.eq(1), joined.waited.eq(1)]

        joinable, certain = Signal(len(self.join)), Signal(len(self.join))      # in JOIN
        first, first_certain = Signal(len(self.join)), Signal(len(self.join))
        m.d.sync += [
            joinable.eq(self.joinable), certain.eq(self.certain),
            joined.joins.eq(acted.joins), first.eq(lowest(joinable)), first_certain.eq(certain),
        ]
        m.d.comb += [
            self.join.eq(first & joined.joins.replicate(len(first))),
            joined.slot.eq(one_hot_index(first)),
            joined.in_time.eq((first & first_certain).any()),
        ]
        return m
