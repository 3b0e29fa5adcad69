"""Which rows of a store an invalidation drops: rows of lines and of regions, one way of each."""

import pytest
from amaranth import C, Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import strategies as st

from siommu.arch.formats import DEVICE_BITS, INDEX_BITS, PASID_BITS, VPN_BITS
from siommu.lib.parity import guarded
from siommu.pipeline.events import Invalidation
from siommu.pipeline.keys import LineKey, RegionKey
from siommu.pipeline.sizes import LINE_BITS
from siommu.store.set_index import ignored_pairs
from siommu.store.set_way import StoreWay

from ...support.properties import holds_for
from ...support.simulate import Running

SELECTED = ("ft", "device", "pasid", "addr")
#: By key: the name of its address, and the page bit where that begins.
KINDS = {LineKey: ("line", LINE_BITS), RegionKey: ("region", INDEX_BITS)}


class Way(wiring.Component):
    """A way with one row, compared with a key as an invalidation wants it."""

    def __init__(self, key):
        self._key = key
        super().__init__({"key": In(key), "row": In(key), "write": In(1),
                          "invalidation": In(Invalidation), "to_drop": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.way = way = StoreWay(key=self._key, value=1, sets=1, set_bits=1)
        m.d.comb += [
            way.key.eq(self.key), way.write.eq(self.write),
            way.word.eq(guarded(Cat(self.row, C(0, 1), C(1, 1)))),
            way.ignored.eq(ignored_pairs(self.invalidation, self._key, KINDS[self._key][1])),
            self.to_drop.eq(way.to_drop),
        ]
        return m


@pytest.fixture(scope="module", params=KINDS, ids=lambda key: key.__name__)
def way(request):
    """The kind of key, a way, and the simulation that it runs in."""
    dut = Way(request.param)
    return request.param, dut, Running(dut)


def changed(width):
    """What to change in a field of ``width`` bits: mostly nothing, one bit, or any of them."""
    return st.one_of(st.just(0), st.just(0), st.integers(0, width - 1).map(lambda bit: 1 << bit),
                     st.integers(0, (1 << width) - 1))


@holds_for(examples=100, ft=st.integers(0, 1), device=st.integers(0, (1 << DEVICE_BITS) - 1),
           pasid=st.integers(0, (1 << PASID_BITS) - 1), page=st.integers(0, (1 << VPN_BITS) - 1),
           change=st.fixed_dictionaries({"ft": changed(1), "device": changed(DEVICE_BITS),
                                         "pasid": changed(PASID_BITS)}),
           beside=st.sampled_from((None, 0, 1, 2, -1, -2)),
           inside=st.integers(0, (1 << VPN_BITS) - 1), selectors=st.integers(0, 15))
def test_what_an_invalidation_drops(way, ft, device, pasid, page, change, beside, inside,
                                    selectors):
    """For ranges of every size, all rows that share a page with it, in an address space that is
    asked for; beside them those of the range twice as large, where its end lies within a pair of
    bits, and no others. The row's page is one inside of the range, or with a bit changed ``beside``
    its end."""
    kind, dut, run = way
    address, low = KINDS[kind]

    def key(fields, page):
        return {"canonical": 1, **fields, address: page >> low}
    asked = {"ft": ft, "device": device, "pasid": pasid}
    held = {name: value ^ change[name] for name, value in asked.items()}
    by = {name for bit, name in enumerate(SELECTED) if selectors >> bit & 1}
    in_space = all(held[name] == asked[name] for name in by - {"addr"})

    async def drops(ctx, n, first, held_page):
        ctx.set(dut.row, key(held, held_page))
        ctx.set(dut.write, 1)
        await ctx.tick()
        ctx.set(dut.write, 0)
        ctx.set(dut.key, key(asked, first))     # it is that of the invalidation's first page
        ctx.set(dut.invalidation, {**asked, "page": first, "n": n,
                                   **{f"by_{name}": int(name in by) for name in SELECTED}})
        await ctx.tick().repeat(3)
        return ctx.get(dut.to_drop)

    async def bench(ctx):
        for n in (*range(VPN_BITS + 3), 52, 63):
            size = 1 << min(n, VPN_BITS)
            held_page = page ^ inside % size
            if beside is not None:
                held_page ^= 1 << min(max(n + beside, 0), VPN_BITS - 1)

            def covers(bits):
                return in_space and ("addr" not in by or held_page >> bits == page >> bits)
            dropped = await drops(ctx, n, page & -size, held_page)
            assert dropped or not covers(max(n, low)), f"n = {n}: it is covered"
            assert not dropped or covers(max(n + (n - low) % 2, low)), f"n = {n}: it is not"
    run(bench)
