"""The walk cache, for one arbitrary fixed key (FT, device, PASID, 2 MiB) and every history of
look-ups, fills, invalidations and flushes, for all time, by induction: a look-up of the key hits
only if a fill for exactly that key was written before it began and not replaced since, and no flush
and no invalidation that covers the key came behind it; it tells what such a fill wrote.

Two ways of two rows. What is filled is canonical, and so is what an invalidation names: nothing
else is ever held.
"""

from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Value
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.arch.formats import INDEX_BITS
from siommu.pipeline.events import Invalidation
from siommu.pipeline.keys import RegionKey
from siommu.pipeline.tables import RegionInfo
from siommu.store.set_index import space_index
from siommu.walk.walk_cache import WalkCache

from .state import State
from .store import KeyInStore, assume_scan
from .temporal import delayed

__all__ = ["WalkCacheProof", "agrees"]

TINY = Config(walk_entries=4)
SETS = TINY.walk_entries // TINY.walk_cache_ways


def agrees(asked, key, fixed, number, low):
    """Whether an invalidation, of ``key``, covers ``fixed`` (§6): written out here once more, on
    whole fields. ``number`` is the last field of both, an address from page bit ``low`` on."""
    free = Mux(asked.n > low, (asked.n - low)[:6], 0)       # bits of it that are not looked at
    return Cat(~asked.by_ft | (key.ft == fixed.ft), ~asked.by_device | (key.device == fixed.device),
               ~asked.by_pasid | (key.pasid == fixed.pasid),
               ~asked.by_addr | (((key[number] ^ fixed[number]) >> free) == 0)).all()


class WalkCacheProof(Component):
    """A cache of four entries with free inputs. ``fixed`` is any key, always the same."""

    fixed: In(RegionKey)
    key: In(RegionKey)
    fill: In(1)
    fill_way: In(1)
    fill_key: In(RegionKey)
    fill_value: In(RegionInfo(TINY))
    flush: In(1)
    scan: In(1)
    scan_set: In(1)
    natural: In(1)
    invalidation: In(Invalidation)

    def elaborate(self, platform):
        m = Module()
        cache = WalkCache(TINY)
        state = State(cache)
        m.submodules.cache = state.fragment
        filled = cache.fill.payload
        m.d.comb += [
            cache.key.eq(self.key), cache.fill.valid.eq(self.fill), filled.way.eq(self.fill_way),
            filled.key.eq(self.fill_key), filled.value.eq(self.fill_value),
            cache.flush.eq(self.flush), cache.scan.valid.eq(self.scan),
            cache.scan.set.eq(self.scan_set), cache.scan.natural.eq(self.natural),
            cache.invalidation.eq(self.invalidation),
        ]
        fixed, key, asked_for = self.fixed, self.key, self.invalidation
        started, before = delayed(m, Const(1), 1), delayed(m, Value.cast(fixed), 1)
        m.d.sync += [Assume(~started | (before == Value.cast(fixed))),
                     Assume(~self.fill | self.fill_key.canonical),
                     Assume(~self.scan | key.canonical)]
        assume_scan(m, self.scan, asked_for, cache.scan.busy)

        def index(key):
            return space_index(key.region, key, SETS.bit_length() - 1)

        known = KeyInStore(m, state, "store.", fixed, value=RegionInfo(TINY),
                           ways=TINY.walk_cache_ways, index=index)
        covers = agrees(asked_for, key, fixed, "region", INDEX_BITS) & (
            Mux(self.natural, index(key), self.scan_set) == known.set)
        known.follow(
            enable=self.fill, way=self.fill_way, key=self.fill_key,
            content=Value.cast(self.fill_value), valid=1, flush=self.flush, scan=self.scan,
            covers=covers)
        m.d.sync += [Assert(~alive | fixed.canonical) for alive in known.alive]

        # A look-up of the key: what was there when it began.
        asked = delayed(m, Value.cast(key) == Value.cast(fixed), 3)
        flushed = Cat(delayed(m, self.flush, ago) for ago in (1, 2, 3)).any()
        scanned, info = delayed(m, self.scan, 3), cache.info.as_value()
        told = Cat(delayed(m, alive, 3) & (delayed(m, content, 3) == info)
                   for alive, content in zip(known.alive, known.content))
        with m.If(asked & cache.hit):
            m.d.sync += [Assert(told.any()), Assert(~flushed), Assert(~scanned)]
        m.d.sync += [
            Cover(asked & cache.hit & told[way] & info.any()) for way in range(2)]
        return m
