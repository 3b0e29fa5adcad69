"""From JOIN to OUTCOME: the operation that ACT passed on, or an owner whose walk has ended."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGES_BITS
from ..lib.choose import lowest, one_hot_index
from ..lib.payload import Payload
from ..pipeline.operation import Operation
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
    owner_waits : In(1), owner : In(Operation)
        Then, an owner comes; the operation in its place among the owners, which an operation of
        ACT passes through as well.
    joined : Out(Joined), join : Out(slots)
        In OUTCOME; one-hot: the slot that it joins.
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
            "owner": In(Operation),
            "joined": Out(Joined),
            "join": Out(slots),
        })

    def elaborate(self, platform):
        m = Module()
        acted, carried, joined = self.acted, self.carried, self.joined
        run, operation = Payload(PAGES_BITS), Payload(Operation)
        claims = acted.joins | acted.stays
        m.d.comb += [self.free.eq(acted.fate == Fate.NONE), joined.run.eq(run),
                     joined.operation.eq(operation)]
        m.d.sync += [
            joined.left.fate.eq(acted.fate), run.eq(carried.run),
            joined.walked.eq(acted.walked), joined.waited.eq(acted.waited),
            joined.left.reason.eq(Mux(claims, Reason.JOINED, Reason.WANTS)),
            operation.eq(self.owner), operation.reserved.eq(0), operation.claims.eq(claims),
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
