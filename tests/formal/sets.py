"""The set-associative store, for one arbitrary fixed key and every history of look-ups, writes and
flushes, up to a bound: a way matches only if the key was written there before the look-up began,
was not overwritten, emptied or flushed since, and it tells what was written."""

from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

from siommu.store.set_store import SetStore

from .temporal import delayed

__all__ = ["SetStoreProof"]

KEY = data.StructLayout({"name": 3})
VALUE = data.StructLayout({"content": 2})
WAYS, SETS = 2, 2


class SetStoreProof(Component):
    """Two ways of two rows, everything free."""

    fixed: In(KEY)
    key: In(KEY)
    write: In(1)
    write_way: In(1)
    write_key: In(KEY)
    write_value: In(VALUE)
    write_valid: In(1)
    flush: In(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = SetStore(
            key=KEY, value=VALUE, ways=WAYS, sets=SETS, index=lambda key, bits: key.name[:bits])
        look_up, write = store.look_up, store.write
        m.d.comb += [
            look_up.key.eq(self.key), write.enable.eq(self.write), write.way.eq(self.write_way),
            write.key.eq(self.write_key), write.value.eq(self.write_value),
            write.valid.eq(self.write_valid), store.flush.eq(self.flush),
        ]
        started, before = Signal(), Signal(KEY)
        m.d.sync += [started.eq(1), before.eq(self.fixed)]
        m.d.sync += Assume(~started | (before.as_value() == self.fixed.as_value()))

        asked = delayed(m, self.key.as_value() == self.fixed.as_value(), 2)
        flushed = delayed(m, self.flush, 1) | delayed(m, self.flush, 2)
        same_row = self.write_key.name[0] == self.fixed.name[0]
        same_key = self.write_key.as_value() == self.fixed.as_value()
        for way in range(WAYS):
            present, content = Signal(name=f"present_{way}"), Signal(VALUE, name=f"content_{way}")
            with m.If(self.write & ~store.sweeping & (self.write_way == way) & same_row):
                m.d.sync += [present.eq(same_key & self.write_valid), content.eq(self.write_value)]
            with m.If(self.flush):
                m.d.sync += present.eq(0)
            then, value = delayed(m, present, 2), delayed(m, content.as_value(), 2)
            with m.If(asked & look_up.match[way]):
                m.d.sync += [Assert(then), Assert(~flushed),
                             Assert(look_up.values[way].as_value() == value)]
            m.d.sync += Cover(asked & look_up.match[way] & value.all())
        m.d.sync += Assert(look_up.errors == 0)
        m.d.sync += Cover(asked & look_up.match.all())
        m.d.sync += Cover(Cat(asked, flushed, store.sweeping).all())
        return m
