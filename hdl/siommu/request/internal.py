"""What the core itself sends into the pipeline: fills, steps of an invalidation, promotions.

They travel with the operations, and meet the caches in the same stages. They keep
``FILL_SPACING`` cycles of distance. Fills go first; a promotion takes only a cycle after one that
no port wanted. All of it is decided one cycle ahead.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGE_SHIFT, VPN_BITS
from ..lib.contract import require
from ..lib.cover import cover, cover_pairs
from ..lib.payload import Payload
from ..pipeline.boundaries import InternalFill
from ..pipeline.events import Invalidation
from ..pipeline.grants import FillGrant, FillRequest
from ..pipeline.keys import WalkKey
from ..pipeline.timetable import FILL_SPACING
from .arbiter import InternalTurn

__all__ = ["Internal"]

class Internal(wiring.Component):
    """Sends them.

    Parameters
    ----------
    config : Config

    Members
    -------
    fill : In(stream.Signature(FillRequest))
        Of ended walks. The payload stays for another cycle after it was taken.
    step : In(1), stepped : Out(1), invalidation : In(Invalidation)
        An invalidation wants a step; it is taken. ``invalidation`` stays meanwhile.
    promotion : In(stream.Signature(FillRequest)), cancelled : In(1)
        What the second level answered. The payload stays until a later one takes its place;
        ``cancelled``, in the cycle after it was taken: it is not to be written.
    forget : In(1)
        Promotions of before are not to be written.
    turn : Out(InternalTurn)
    sent : Out(InternalFill)
    """

    def __init__(self, config: Config):
        super().__init__({
            "fill": In(stream.Signature(FillRequest)),
            "step": In(1),
            "stepped": Out(1),
            "invalidation": In(Invalidation),
            "promotion": In(stream.Signature(FillRequest)),
            "cancelled": In(1),
            "forget": In(1),
            "turn": Out(InternalTurn),
            "sent": Out(InternalFill),
        })

    def elaborate(self, platform):
        m = Module()
        turn, fill, promotion = self.turn, self.fill, self.promotion
        idle, spaced = Signal(init=1), Signal(init=1)   # no port wants the cycle; not too recent
        recent = Signal(FILL_SPACING - 2)
        promoted, stepped, forgot = Signal(), Signal(), Signal()    # in the cycle before
        m.d.comb += [
            fill.ready.eq(spaced),
            self.stepped.eq(self.step & ~fill.valid & spaced),
            promotion.ready.eq(idle & ~fill.valid & spaced & ~self.step),
            turn.begins.eq(spaced & (fill.valid | self.step | (promotion.valid & idle))),
        ]
        m.d.sync += [
            idle.eq(~turn.begins & turn.unwanted),
            recent.eq(Cat(turn.begins, recent)), spaced.eq(~Cat(turn.begins, recent).any()),
            turn.comes.eq(turn.begins), promoted.eq(promotion.valid & promotion.ready),
            stepped.eq(self.stepped), forgot.eq(self.forget),
        ]
        require(m, ~(turn.begins & Cat(turn.comes, recent).any()),
                "two fills are FILL_SPACING cycles apart")
        # No promotion is there when a step is: none is kept while an invalidation is under way.
        cover_pairs(m, "arbitrate", {"fill": fill.valid, "step": self.step,
                                     "operation": ~turn.unwanted})
        cover(m, fill.valid & promotion.valid, "arbitrate", "fill", "promotion")
        cover(m, ~turn.unwanted & promotion.valid, "arbitrate", "operation", "promotion")

        # Fills and promotions stay for another cycle, so that they are chosen from here.
        request, operation = Signal(FillRequest), turn.operation
        m.d.comb += [
            request.eq(Mux(promoted, promotion.payload.as_value(), fill.payload.as_value())),
            request.grant.walked.eq(~promoted & ~stepped), request.grant.drops.eq(stepped),
        ]
        with m.If(stepped):
            m.d.comb += request.key.eq(self._dropped(m))
        m.d.comb += [
            operation.ft.eq(request.key.ft), operation.device.eq(request.key.device),
            operation.pasid.eq(request.key.pasid),
            operation.addr.eq(request.key.page << PAGE_SHIFT),
        ]
        sent, valid, kept = self.sent, Signal(), Payload(FillGrant)
        rights = request.grant.translation.rights
        m.d.comb += [
            valid.eq(turn.comes & ~(promoted & (forgot | self.cancelled | self.forget))),
            sent.grant.eq(kept),
        ]
        m.d.sync += [
            sent.valid.eq(valid), sent.writes.eq(valid & ~stepped & (rights.read | rights.write)),
            kept.eq(request.grant),
        ]
        return m

    def _dropped(self, m):
        """The key of an invalidation's step: its address space and first page. Nothing is cached
        for an address that is not canonical, so the page is taken to be."""
        asked, key = self.invalidation, Signal(WalkKey, name="dropped")
        page, sign = asked.page, VPN_BITS - 1
        m.d.comb += [
            key.ft.eq(asked.ft), key.write.eq(0), key.device.eq(asked.device),
            key.pasid.eq(asked.pasid),
            key.page.eq(Cat(page[:sign], page[sign].replicate(len(page) - sign))),
        ]
        return key
