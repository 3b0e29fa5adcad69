"""What the second level answered, on its way into the first."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGE_SHIFT
from ..lib.cover import cover
from ..lib.payload import Payload
from ..lib.structs import assign
from ..pipeline.boundaries import Promotion
from ..pipeline.grants import FillRequest
from ..pipeline.keys import walk_key
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import Stage
from .line_fill import pages_between

__all__ = ["Promotions"]


class Promotions(wiring.Component):
    """Holds the latest promotion until there is a cycle for it.

    Parameters
    ----------
    config : Config

    Members
    -------
    promotion : In(Promotion)
    forget : In(1)
        What the caches said before is not to be used any more.
    distrust : In(1)
        An invalidation is under way: nothing is promoted.
    request : Out(stream.Signature(FillRequest))
    cancelled : Out(1)
        Another one came in the cycle before, and is none: if the one before it was taken then, its
        payload is overwritten.
    """

    def __init__(self, config: Config):
        super().__init__({
            "promotion": In(Promotion),
            "forget": In(1),
            "distrust": In(1),
            "request": Out(stream.Signature(FillRequest)),
            "cancelled": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        came, request = self.promotion, self.request
        # What was looked up before a flush must not come back after it: a look-up in MATCH saw
        # the state of before, and answers in SECOND_EXIT.
        forgets, flushes = Signal(), Signal(Stage.SECOND_EXIT - Stage.MATCH + 1)
        taken = Signal()
        m.d.comb += [forgets.eq(self.forget | self.distrust),
                     taken.eq(came.valid & ~forgets & ~flushes.any())]
        m.d.sync += [flushes.eq(Cat(forgets, flushes)), self.cancelled.eq(came.tried & ~taken)]
        # Whether it is one comes late: the place of the one before is taken anyway.
        with m.If(came.tried):
            m.d.sync += request.valid.eq(taken)
        with m.Elif(request.ready):
            m.d.sync += request.valid.eq(0)
        with m.If(self.forget):
            m.d.sync += request.valid.eq(0)

        cover(m, came.tried & request.valid & ~request.ready, "promotion", "promotion",
              "later_promotion")
        cover(m, came.valid & forgets, "promotion", "promotion", "invalidation")

        page = came.operation.addr[PAGE_SHIFT:PAGE_SHIFT + LINE_BITS]
        kept, last = Payload(FillRequest), Signal(LINE_BITS)
        m.d.comb += [last.eq(page + came.outcome.extent), request.payload.eq(kept)]
        with m.If(came.tried):
            m.d.sync += [
                *assign(kept.key, walk_key(came.operation)),
                kept.grant.translation.rights.eq(came.outcome.rights),
                kept.grant.translation.base.eq(came.outcome.pfn - page),
                kept.grant.translation.last.eq(last),
                kept.grant.translation.mask.eq(pages_between(page, last)),
            ]
        return m
