"""A fill beside the operations: whether it is written, and when every look-up finds it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..pipeline.boundaries import InternalFill
from ..pipeline.events import SlotEvent
from ..pipeline.sizes import SLOT_BITS
from ..pipeline.timetable import FILL_VISIBLE, Stage

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
        The fill in TAGS is written; else its entry becomes empty.
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
        slot, walked, valid = fill.grant.slot, fill.grant.walked, fill.valid
        live = valid        # of a promotion, up to TAGS: no flush since
        for stage in range(Stage.COMPARE + 1, FILL_VISIBLE + 1):
            before = slot, walked, valid
            slot = Signal(SLOT_BITS, name=f"slot_{stage}")
            walked, valid = (Signal(name=f"{name}_{stage}") for name in ("walked", "valid"))
            m.d.sync += [slot.eq(before[0]), walked.eq(before[1]), valid.eq(before[2])]
            if stage < Stage.TAGS:
                live_before, live = live, Signal(name=f"live_{stage}")
                m.d.sync += live.eq(live_before & ~self.forget)
            if stage == Stage.TAGS:
                stale = (self.stale >> before[0])[0]
                m.d.sync += self.commit.eq(Mux(before[1], ~stale, live) & ~self.forget)
        m.d.comb += [self.filled.valid.eq(valid & walked), self.filled.slot.eq(slot)]
        return m
