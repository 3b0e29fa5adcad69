"""Walks that are to begin, with what the caches know of their upper levels."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from ..arch.config import Config
from ..lib.queues import RingQueue
from ..lib.structs import assign
from ..pipeline.boundaries import Distrust
from ..pipeline.keys import walk_key
from ..pipeline.operation import Operation
from ..pipeline.sizes import SLOT_BITS
from ..pipeline.tables import UpperLevels, WalkStart, innermost, reach

__all__ = ["StartQueue"]


class StartQueue(wiring.Component):
    """Queues starts of walks, one for each slot at most, with the innermost table that the caches
    know.

    Parameters
    ----------
    config : Config

    Members
    -------
    takes : In(1), slot : In(SLOT_BITS), in_act : In(Operation), upper : In(UpperLevels)
        ``in_act`` takes the slot, and what the caches answered to it.
    in_match : In(Operation)
        In MATCH.
    flush : In(1), distrust : In(Distrust)
        What the caches answered in this cycle and in the one before is not trusted; nor, while an
        invalidation is under way, what they know of its address spaces.
    start : Out(stream.Signature(WalkStart))
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "takes": In(1),
            "slot": In(SLOT_BITS),
            "in_act": In(Operation),
            "in_match": In(Operation),
            "upper": In(UpperLevels(config)),
            "flush": In(1),
            "distrust": In(Distrust),
            "start": Out(stream.Signature(WalkStart(config))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.starts = starts = RingQueue(WalkStart(self._config), self._config.walk_slots)
        start = starts.w.payload
        flushed, covered, trusted = Signal(), Signal(), Signal()
        by, asked = self.distrust.covered, self.in_match
        m.d.sync += [
            flushed.eq(self.flush),
            covered.eq(self.distrust.active & (~by.by_ft | (asked.ft == by.ft))
                       & (~by.by_device | (asked.device == by.device))
                       & (~by.by_pasid | (asked.pasid == by.pasid))),
        ]
        m.d.comb += [
            trusted.eq(~self.flush & ~flushed & ~covered),
            starts.w.valid.eq(self.takes), start.slot.eq(self.slot),
            start.speculative.eq(self.in_act.speculative),
            *assign(start.key, walk_key(self.in_act)),
            *assign(start.reach, reach(start.key, self._config)),
            *assign(start, innermost(self.upper, trusted)),
        ]
        connect(m, starts.r, wiring.flipped(self.start))
        return m
