"""The walk cache: which level-1 table maps 2 MiB of an address space (§3.3).

A walk that it knows the table for reads one line. As every cache it only ever grants: what it
holds was allowed by all levels above, and a walk that comes to a fault through it begins again in
memory (§4).
"""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import INDEX_BITS
from ..lib.choose import lowest, one_of
from ..lib.event import Event
from ..lib.payload import Payload
from ..pipeline.events import Invalidation
from ..pipeline.keys import RegionKey
from ..pipeline.sizes import WAY_BITS
from ..pipeline.tables import RegionInfo
from ..pipeline.walks import RegionFill
from ..tlb.set_store import FEW_SETS, SetStore, ignored, space_index

__all__ = ["WalkCache"]


def _index(key, bits):
    return space_index(key.region, key, bits)


class WalkCache(wiring.Component):
    """Set-associative, in block RAM with parity; a small one in LUT RAM, which is trusted without
    as flip-flops are.

    Parameters
    ----------
    config : Config

    Members
    -------
    key : In(RegionKey)
        Looked up in every cycle *n*.
    hit : Out(1), info : Out(RegionInfo), place : Out(WAY_BITS)
        In cycle *n* + 3. ``place`` is where a fill for the key should go.
    fill : In(Event(RegionFill))
        Written to its way. A look-up of before finds the old entry or none.
    scan : In(1), scan_set, scan_natural, scanning
        Drops from a set what ``invalidation`` asks for; ``key`` is its device, PASID, FT and first
        page, in cycle *n*. See ``SetStore``.
    invalidation : In(Invalidation)
    flush : In(1)
        Drops every entry and the look-ups under way.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "key": In(RegionKey),
            "hit": Out(1),
            "info": Out(RegionInfo),
            "place": Out(WAY_BITS),
            "fill": In(Event(RegionFill)),
            "scan": In(1),
            "scan_set": In(max(exact_log2(config.walk_entries // config.walk_cache_ways), 1)),
            "scan_natural": In(1),
            "scanning": Out(1),
            "invalidation": In(Invalidation),
            "flush": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ways = config.walk_cache_ways
        sets = config.walk_entries // ways
        m.submodules.store = store = SetStore(
            key=RegionKey, value=RegionInfo, ways=ways, sets=sets, index=_index,
            guarded=sets > FEW_SETS)
        m.d.comb += [
            store.key.eq(self.key),
            store.write.eq(self.fill.valid), store.write_way.eq(self.fill.payload.way),
            store.write_key.eq(self.fill.payload.key),
            store.write_value.eq(self.fill.payload.value),
            store.write_valid.eq(1), store.flush.eq(self.flush),
            store.scan.eq(self.scan), store.scan_set.eq(self.scan_set),
            store.scan_natural.eq(self.scan_natural), self.scanning.eq(store.scanning),
            store.ignored.eq(ignored(self.invalidation, RegionKey, INDEX_BITS)),
        ]
        match, values = Signal(ways), Payload(data.ArrayLayout(RegionInfo, ways))
        m.d.sync += [match.eq(store.match & (~self.flush).replicate(ways)),
                     values.eq(store.values), self.place.eq(store.place)]
        m.d.comb += self.hit.eq(match.any())
        m.d.comb += self.info.eq(one_of(lowest(match), values))
        return m
