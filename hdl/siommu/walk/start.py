"""The beginning of a walk: at the innermost table that a cache knows.

Its two cycles are those of a word: what can be said of the start first (:func:`start_facts`), what
follows from that next (:class:`StartStep`).
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..pipeline.paging import (
    address_widths,
    page_format,
    root_index,
    root_level,
    table_index,
    widths,
)
from ..pipeline.tables import WalkStart
from .directory import index_below_device, table_below_device, unreachable
from .leaf import LEAF_LEVEL
from .state import Table, WalkState

__all__ = ["StartFacts", "StartStep", "start_facts"]


def StartFacts(config: Config):     # noqa: N802 - a shape
    """What can be said of a walk that is to begin: for which widths its address is canonical; what
    it might begin at: not at a level-1 table, at a context whose addresses have one of these
    widths, at a device entry that lets it pass; and whether that one's directory reaches its PASID
    (``within``)."""
    count = len(address_widths(config))
    return data.StructLayout({"canonical": count, "no_region": 1, "context": count, "device": 1,
                              "within": 1})


def start_facts(walk):
    """The :class:`StartFacts` of ``walk``, a ``WalkStart``, as a dictionary."""
    reach, device = walk.reach, walk.known.device
    # A bypass is looked up in memory, so that no walk has its outcome at its start.
    passes = Mux(walk.key.ft, device.sto_en & ~device.sto_bypass,
                 device.mem_en & ~device.mem_bypass)
    return {"canonical": reach.canonical, "no_region": ~walk.region_hit,
            "context": widths(walk.known.context.paging)
            & walk.context_hit.replicate(len(reach.canonical)),
            "device": walk.device_hit & passes,
            "within": ~unreachable(device.levels, reach)}


class StartStep(wiring.Component):
    """The decision for the beginning of a walk: at the innermost table that a cache knows, unless
    that would end in a fault. Such a walk begins in memory at once, for only memory denies (§4).
    Combinational.

    Parameters
    ----------
    config : Config

    Members
    -------
    walk : In(WalkStart), facts : In(StartFacts)
    out_of_range : In(1)
        The key's device is out of the directory's range.
    following, read, restart : Out
        As of :class:`siommu.walk.step.WordStep`.
    finish : Out(1)
        The walk has ended: the device is out of the directory's range.
    """

    def __init__(self, config: Config):
        super().__init__({
            "walk": In(WalkStart(config)),
            "facts": In(StartFacts(config)),
            "out_of_range": In(1),
            "following": Out(WalkState(config)),
            "read": Out(1),
            "restart": Out(1),
            "finish": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        walk, facts, key, following = self.walk, self.facts, self.walk.key, self.following
        known = walk.known
        region, context, device = known.region, known.context, known.device
        by_context, by_device = Signal(), Signal()
        m.d.comb += [
            by_context.eq((facts.context & facts.canonical).any()),
            by_device.eq(facts.device & facts.within),
            self.restart.eq(facts.no_region & ~by_context & ~by_device),
            self.read.eq(~self.restart | ~self.out_of_range),
            self.finish.eq(self.restart & self.out_of_range),
            following.cached.eq(1), following.speculative.eq(walk.speculative),
            following.region_way.eq(walk.region_way),
            following.deny.eq(context.deny),
        ]
        below = table_below_device(device.levels)
        m.d.comb += [
            following.table.eq(
                Mux(by_device, below, 0)
                | Mux(walk.region_hit | by_context, Table.PAGE_TABLE.value, 0)),
            following.line.eq(walk.region_hit),
            following.level.eq(Mux(walk.region_hit, LEAF_LEVEL, root_level(context.paging))),
            following.entry_format.eq(
                Mux(walk.region_hit, region.entry_format, page_format(context.paging))),
            following.devid.eq(Mux(walk.region_hit, region.devid,
                                   Mux(walk.context_hit, context.devid, device.devid))),
            following.write.eq(~walk.region_hit | region.write),
            following.no_read.eq(walk.region_hit & region.no_read),
            following.entry.eq(Cat(Const(0, 3), Mux(
                walk.region_hit, Cat(table_index(key.page, LEAF_LEVEL), region.table), Mux(
                    walk.context_hit, Cat(root_index(context.paging, key.page), context.root),
                    Cat(index_below_device(device.levels, key.pasid), device.pfn))))),
        ]
        return m
