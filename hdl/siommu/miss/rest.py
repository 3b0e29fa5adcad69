"""REST and PARK: what has to wait, into the replay queue."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGES_BITS
from ..lib.cover import cover
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.keys import WalkKey, walk_key
from ..pipeline.operation import Operation
from ..response.resolve import rest_of
from .fate import Fate, Remainder
from .replay import Reason, WaitingInfo

__all__ = ["Rest"]

PIECE = 8       #: bits of two keys that are compared behind a memory, in two levels of LUT4


class Rest(wiring.Component):
    """Composes what waits: an operation as it is, or the rest of a request whose run is answered.

    Parameters
    ----------
    config : Config

    Members
    -------
    remainder : In(Remainder), joined_key : In(WalkKey), joined_known : In(1)
        In SECOND_EXIT; the key of the slot that the operation joined, if it is known.
    in_rest : Out(Operation)
        In REST: what was in SECOND_EXIT, whatever its fate.
    waits : Out(WaitingInfo)
        In REST, to the replay queue.
    operation : Out(Operation)
        In PARK: what waits.
    continues : Out(ports)
        One-hot, in REST: the port of the rest of a request.
    """

    def __init__(self, config: Config):
        super().__init__({
            "remainder": In(Remainder),
            "joined_key": In(WalkKey),
            "joined_known": In(1),
            "in_rest": Out(Operation),
            "waits": Out(WaitingInfo),
            "operation": Out(Operation),
            "continues": Out(config.requesters),
        })

    def elaborate(self, platform):
        m = Module()
        remainder, left = self.remainder, self.remainder.left
        operation, reason = payload_of(m, self.in_rest), Signal(Reason)
        rests, parks, again = Signal(), Signal(), Signal()
        answers, more = Signal(), Signal()      # by the second exit, and pages are left behind it
        run, pages = Payload(PAGES_BITS), Payload(PAGES_BITS)
        resting, exits = left.fate == Fate.REST, left.fate == Fate.EXIT
        m.d.sync += [
            operation.eq(remainder.operation), reason.eq(left.reason),
            rests.eq(resting), parks.eq(left.fate == Fate.PARK),
            again.eq(exits & remainder.damaged), answers.eq(exits & ~remainder.damaged),
            run.eq(remainder.run & resting.replicate(PAGES_BITS)),
            more.eq(remainder.more), pages.eq(remainder.pages),
        ]
        differs = self._differs(m)
        rest, continues = Signal(Operation), Signal()
        parked = payload_of(m, self.operation)
        m.d.comb += [continues.eq(rests | (answers & more)),
                     self.continues.eq(Mux(continues, 1 << operation.port, 0))]
        rest_of(m, rest, operation, run | (pages & (answers & more).replicate(PAGES_BITS)),
                continues)
        waits = self.waits
        m.d.comb += [
            waits.push.eq(continues | again | parks),
            waits.reason.eq(Mux(continues, Reason.CONTINUES, Mux(again, Reason.WANTS, reason))),
            waits.port.eq(operation.port), waits.slot.eq(operation.slot),
        ]
        m.d.sync += parked.eq(rest)
        with m.If(again):
            m.d.sync += parked.skip_second_level.eq(1)
        with m.If(differs):
            m.d.sync += parked.in_time.eq(0)
        return m

    def _differs(self, m):
        """In REST: the operation joined a slot of another page, or perhaps. Partial tags let it;
        of that slot's fault it is not to be the answer."""
        remainder, own = self.remainder, Signal(WalkKey)
        m.d.comb += assign(own, walk_key(remainder.operation))
        key, other = own.as_value(), self.joined_key.as_value()
        joined, unknown = Signal(), Signal()
        unequal = Payload(len(range(0, len(key), PIECE)), name="unequal")
        m.d.sync += [
            joined.eq(remainder.joined), unknown.eq(~self.joined_known),
            unequal.eq(Cat(key[low:low + PIECE] != other[low:low + PIECE]
                           for low in range(0, len(key), PIECE))),
        ]
        cover(m, joined & unknown, "key_of_a_slot", "joining_operation", "line")
        return joined & (unknown | unequal.any())
