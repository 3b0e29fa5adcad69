"""The set-associative store, for one arbitrary fixed key and every history of look-ups, writes,
scans and flushes, for all time, by induction over the rows that may hold the key: a way matches
only if the key was written there before the look-up began, was not overwritten, emptied, dropped or
flushed since, and it tells what was written. No row has a wrong parity."""

from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

from siommu.store.set_store import SetStore

from .state import State
from .store import KeyInStore, assume_scan
from .temporal import delayed

__all__ = ["SetStoreProof"]

KEY = data.StructLayout({"name": 3})
VALUE = data.StructLayout({"content": 2})
WAYS, SETS = 2, 2


def _index(key, bits=1):
    return key.name[:bits]


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
    scan: In(1)
    scan_set: In(1)
    natural: In(1)
    ignored: In(2)

    def elaborate(self, platform):
        m = Module()
        store = SetStore(key=KEY, value=VALUE, ways=WAYS, sets=SETS, index=_index)
        state = State(store)
        m.submodules.store = state.fragment
        look_up, write = store.look_up, store.write
        m.d.comb += [
            look_up.key.eq(self.key), write.enable.eq(self.write), write.way.eq(self.write_way),
            write.key.eq(self.write_key), write.value.eq(self.write_value),
            write.valid.eq(self.write_valid), store.flush.eq(self.flush),
            store.scan.valid.eq(self.scan), store.scan.set.eq(self.scan_set),
            store.scan.natural.eq(self.natural), store.ignored.eq(self.ignored),
        ]
        started, before = delayed(m, Const(1), 1), delayed(m, self.fixed.as_value(), 1)
        m.d.sync += Assume(~started | (before == self.fixed.as_value()))
        assume_scan(m, self.scan, self.ignored, store.scan.busy)

        # A scan covers the key if it looks at its set, and the bits that are not ignored agree.
        key, fixed = self.key.name, self.fixed.name
        covers = (Mux(self.natural, key[0], self.scan_set) == fixed[0]) & (
            self.ignored[0] | (key[:2] == fixed[:2])) & (self.ignored[1] | (key[2] == fixed[2]))
        known = KeyInStore(m, state, "", self.fixed, value=VALUE, ways=WAYS, index=_index)
        known.follow(
            enable=self.write, way=self.write_way, key=self.write_key,
            content=self.write_value.as_value(), valid=self.write_valid, flush=self.flush,
            scan=self.scan, covers=covers)
        known.assert_sound(SETS)

        asked = delayed(m, Value.cast(self.key) == Value.cast(self.fixed), 2)
        scanned = delayed(m, self.scan, 2)
        flushed = delayed(m, self.flush, 1) | delayed(m, self.flush, 2)
        for way, (alive, content) in enumerate(zip(known.alive, known.content)):
            then, value = delayed(m, alive, 2), delayed(m, content, 2)
            with m.If(asked & look_up.match[way]):
                m.d.sync += [Assert(then), Assert(~flushed), Assert(~scanned),
                             Assert(look_up.values[way].as_value() == value)]
            m.d.sync += Cover(asked & look_up.match[way] & value.all())
        m.d.sync += Assert(look_up.errors == 0)
        m.d.sync += Cover(asked & look_up.match.all())
        m.d.sync += Cover(Cat(asked, flushed, store.sweeping).all())
        return m
