"""A fill beside the operations: whether it is written, and when every look-up finds it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..pipeline.events import SlotEvent
from ..pipeline.sizes import SLOT_BITS
from ..pipeline.timetable import FILL_VISIBLE, Stage
from ..request.internal import InternalFill

__all__ = ["FillTracker"]


class FillTracker(wiring.Component):
    """Follows fills through the stages.

    Parameters
    ----------
    config : Config

    Members
    -------
    fill : In(InternalFill)
        In COMPARE.
    forget : In(1), stale : In(slots)
        Promotions of before are void; so are fills of these slots' walks.
    commit : Out(1)
        The fill in RESOLVE is written; else its entry becomes empty.
    filled : Out(SlotEvent)
        The slot's fill is in FILL_VISIBLE.
    """

    def __init__(self, config: Config):
        super().__init__({
            "fill": In(InternalFill),
            "forget": In(1),
            "stale": In(config.walk_slots),
            "commit": Out(1),
            "filled": Out(SlotEvent),
        })

    def elaborate(self, platform):
        m = Module()
        fill = self.fill
        slot, walked, valid = fill.request.slot, fill.request.walked, fill.valid
        live = valid        # of a promotion: no flush since
        for stage in range(Stage.COMPARE + 1, FILL_VISIBLE + 1):
            before = slot, walked, valid, live
            slot = Signal(SLOT_BITS, name=f"slot_{stage}")
            walked, valid, live = (Signal(name=f"{name}_{stage}")
                                   for name in ("walked", "valid", "live"))
            m.d.sync += [slot.eq(before[0]), walked.eq(before[1]), valid.eq(before[2]),
                         live.eq(before[3] & ~self.forget)]
            if stage == Stage.RESOLVE:
                stale = (self.stale >> before[0])[0]
                m.d.sync += self.commit.eq(Mux(before[1], ~stale, before[3]) & ~self.forget)
        m.d.comb += [self.filled.valid.eq(valid & walked), self.filled.slot.eq(slot)]
        return m
