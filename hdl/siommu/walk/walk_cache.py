"""The walk cache: which level-1 table maps 2 MiB of an address space (§3.3).

A walk that it knows the table for reads one line. As every cache it only ever grants: what it
holds was allowed by all levels above, and a walk that comes to a fault through it begins again in
memory (§4).
"""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

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
from ..store.set_index import ignored_pairs, space_index
from ..store.set_scan import Scan
from ..store.set_store import SetStore

__all__ = ["WalkCache"]


def _index(key, bits):
    return space_index(key.region, key, bits)


class WalkCache(wiring.Component):
    """Set-associative, in block RAM, or LUT RAM if it is small, with parity.

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
    scan : In(Scan), invalidation : In(Invalidation)
        Drops from a set what ``invalidation`` asks for; ``key`` is its device, PASID, FT and first
        page, in cycle *n*. See ``SetStore``.
    flush : In(1)
        Drops every entry and the look-ups under way.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "key": In(RegionKey),
            "hit": Out(1),
            "info": Out(RegionInfo(config)),
            "place": Out(WAY_BITS),
            "fill": In(Event(RegionFill(config))),
            "scan": In(Scan(config.walk_entries // config.walk_cache_ways)),
            "invalidation": In(Invalidation),
            "flush": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ways = config.walk_cache_ways
        sets = config.walk_entries // ways
        m.submodules.store = store = SetStore(
            key=RegionKey, value=RegionInfo(config), ways=ways, sets=sets, index=_index)
        m.d.comb += [
            store.look_up.key.eq(self.key),
            store.write.enable.eq(self.fill.valid), store.write.way.eq(self.fill.payload.way),
            store.write.key.eq(self.fill.payload.key),
            store.write.value.eq(self.fill.payload.value),
            store.write.valid.eq(1), store.flush.eq(self.flush),
            store.ignored.eq(ignored_pairs(self.invalidation, RegionKey, INDEX_BITS)),
        ]
        connect(m, flipped(self.scan), store.scan)
        match, values = Signal(ways), Payload(data.ArrayLayout(RegionInfo(config), ways))
        m.d.sync += [match.eq(store.look_up.match & (~self.flush).replicate(ways)),
                     values.eq(store.look_up.values), self.place.eq(store.look_up.place)]
        m.d.comb += self.hit.eq(match.any())
        m.d.comb += self.info.eq(one_of(lowest(match), values))
        return m
