"""The context caches, for one arbitrary fixed key and every history of look-ups, fills, drops and
flushes, for all time, by induction over tags and values:

* at most one entry is the key's;
* a look-up of the key hits only if a fill for exactly that key took effect before it compared, and
  no flush and no drop that covers the key since; it tells what the newest such fill wrote.

A drop meets a fill that is under way, too, whatever its key is.
"""

from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

from siommu.arch.formats import DEVICE_BITS
from siommu.pipeline.keys import ContextKey
from siommu.walk.context_cache import FILL_CYCLES, ContextCache

from .state import State
from .temporal import delayed

__all__ = ["ContextsProof", "DevicesProof"]

ENTRIES = 2
VALUE = data.StructLayout({"content": 2})


class _CacheProof(Component):
    """A cache of two entries with free inputs. ``fixed`` is any key, always the same."""

    key_shape = None

    def __init__(self):
        shape = self.key_shape
        self._spans = [slice(0, shape)] if isinstance(shape, int) else [
            slice(field.offset, field.offset + field.width)
            for _, field in data.Layout.cast(shape)]
        super().__init__({
            "fixed": In(shape), "key": In(shape),
            "fill": In(1), "fill_key": In(shape), "fill_value": In(VALUE),
            "flush": In(1),
            "drop": In(1), "drop_key": In(shape), "drop_by": In(len(self._spans)),
        })

    def elaborate(self, platform):
        m = Module()
        cache = ContextCache(key=self.key_shape, value=VALUE, entries=ENTRIES)
        state = State(cache)
        m.submodules.cache = state.fragment
        m.d.comb += [
            cache.key.eq(self.key), cache.fill.valid.eq(self.fill),
            cache.fill.payload.key.eq(self.fill_key), cache.fill.payload.value.eq(self.fill_value),
            cache.flush.eq(self.flush), cache.drop.eq(self.drop),
            cache.drop_key.eq(self.drop_key), cache.drop_by.eq(self.drop_by),
        ]
        fixed, key, fill_key, drop_key, value = (Value.cast(each) for each in (
            self.fixed, self.key, self.fill_key, self.drop_key, self.fill_value))
        self._assume(m, fixed, Cat(fill_key, value))

        # The newest fill for the key: it takes effect unless a flush or a drop meets it.
        present, content = Signal(), Signal(VALUE)
        flushes = [delayed(m, self.flush, ago) for ago in range(FILL_CYCLES)]
        drops = [delayed(m, self.drop, ago) for ago in range(1, FILL_CYCLES)]
        last = FILL_CYCLES - 1
        filled = delayed(m, self.fill & (fill_key == fixed), last)
        covers = self.drop & Cat((drop_key[span] == fixed[span]) | ~by for span, by in zip(
            self._spans, self.drop_by)).all()
        written, dropped = delayed(m, self.fill_value, last), delayed(m, covers, 2)
        with m.If(dropped):                         # it takes effect in the third cycle
            m.d.sync += present.eq(0)
        with m.If(filled & ~Cat(flushes, drops).any()):
            m.d.sync += [present.eq(1), content.eq(written)]
        with m.If(self.flush):
            m.d.sync += present.eq(0)

        # A look-up of it, one cycle after its compare.
        asked, then_present, then = (delayed(m, each, 1) for each in (
            key == fixed, present, content.as_value()))
        with m.If(asked & cache.hit):
            m.d.sync += [Assert(then_present), Assert(cache.value.as_value() == then)]
        self._cover(m, asked & cache.hit, cache.value)

        # Of the state: what is held of the key was filled, once, and is what was filled.
        valid = state.signal("valid")
        held = Cat(valid[row] & (Value.cast(state.signal(f"tag_{row}")) == fixed)
                   for row in range(ENTRIES))
        m.d.sync += [Assert(~held.all()), Assert(~held.any() | present)]
        for row in range(ENTRIES):
            written = state.row_now(m, "values", Const(row, 1))
            m.d.sync += Assert(~held[row] | (written == content.as_value()))
        return m

    def _assume(self, m, fixed, filled):
        """The environment's part of the contract: the key is always the same; fills are
        ``FILL_CYCLES`` apart, and what a fill says stays as long."""
        started = delayed(m, Const(1), 1)
        recent = Signal(FILL_CYCLES - 1)
        m.d.sync += recent.eq(Cat(self.fill, recent))
        m.d.sync += [
            Assume(~started | (delayed(m, fixed, 1) == fixed)),
            Assume(~self.fill | ~recent.any()),
            Assume(~recent.any() | (delayed(m, filled, 1) == filled)),
        ]

    def _cover(self, m, hit, value):
        """What must be reached: both values of a key that was renewed, and a hit behind a drop."""
        fills, renewed, dropped = Signal(2), Signal(), Signal()
        m.d.sync += [
            fills.eq(Mux(fills.all(), fills, fills + self.fill)),
            dropped.eq(dropped | self.drop),
            renewed.eq(renewed | (hit & (fills == 1) & (value.content == 1))),
        ]
        m.d.sync += [Cover(hit & renewed & (value.content == 2)), Cover(hit & dropped)]


class ContextsProof(_CacheProof):
    """The cache of the PASID contexts."""

    key_shape = ContextKey


class DevicesProof(_CacheProof):
    """The cache of the device contexts, whose key is a device's number alone."""

    key_shape = DEVICE_BITS
