"""What is written into the rows of a set-associative store: the sweep of a flush, then writes, then
what a scan drops."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..lib.cover import cover_pairs
from ..lib.parity import guarded
from ..lib.payload import Payload
from ..pipeline.sizes import WAY_BITS
from .set_way import row_layout, word_bits

__all__ = ["RowDrop", "RowWrite", "RowWriter", "StoreWrite"]


class StoreWrite(wiring.Signature):
    """A write of a store.

    Parameters
    ----------
    key, value : Struct

    Members
    -------
    enable : Out(1), way : Out(WAY_BITS), key : Out(key), value : Out(value), valid : Out(1)
        Writes a row of the set of ``key``; with ``valid`` = 0 it is empty afterwards.
    """

    def __init__(self, key, value):
        super().__init__({"enable": Out(1), "way": Out(WAY_BITS), "key": Out(key),
                          "value": Out(value), "valid": Out(1)})


class RowDrop(wiring.Signature):
    """Rows of one set that are to become empty.

    Members
    -------
    rows : Out(ways), set : Out(set_bits)
        They stay until they are ``taken``.
    taken : In(1)
        They are emptied in this cycle.
    """

    def __init__(self, ways, set_bits):
        super().__init__({"rows": Out(ways), "set": Out(set_bits), "taken": In(1)})


class RowWrite(wiring.Signature):
    """A word for one set of every memory of a store.

    Members
    -------
    ways : Out(ways), set : Out(set_bits), word : Out(width)
    """

    def __init__(self, ways, set_bits, width):
        super().__init__({"ways": Out(ways), "set": Out(set_bits), "word": Out(width)})


class RowWriter(wiring.Component):
    """Chooses what is written.

    A write waits for a cycle, in which its set is found. One of the cycle of a flush meets the
    sweep and is dropped.

    Parameters
    ----------
    key, value : Struct
    ways, sets, set_bits : int
    index : callable

    Members
    -------
    write : In(StoreWrite(key, value))
        Written in the next cycle. Dropped while sweeping.
    drop : In(RowDrop(ways, set_bits))
        Taken when nothing else is written.
    flush : In(1), sweeping : Out(1)
        Every row is emptied in the following ``sets`` cycles, in which ``sweeping`` is set.
    rows : Out(RowWrite)
    """

    def __init__(self, *, key, value, ways, sets, set_bits, index):
        self._row, self._ways, self._sets = row_layout(key, value), ways, sets
        self._index = index
        super().__init__({
            "write": In(StoreWrite(key, value)),
            "drop": In(RowDrop(ways, set_bits)),
            "flush": In(1),
            "sweeping": Out(1, init=1),
            "rows": Out(RowWrite(ways, set_bits, word_bits(self._row))),
        })

    def elaborate(self, platform):
        m = Module()
        rows, drop, sweeping = self.rows, self.drop, self.sweeping
        swept = Signal.like(rows.set, name="swept")
        with m.If(sweeping):
            m.d.sync += swept.eq(swept + 1)
            with m.If(swept == self._sets - 1):
                m.d.sync += sweeping.eq(0)
        with m.If(self.flush):
            m.d.sync += [sweeping.eq(1), swept.eq(0)]

        write, index_bits = self.write, (self._sets - 1).bit_length()
        pending, way, at = Signal(), Signal(WAY_BITS), Signal.like(rows.set)
        content, written = Payload(self._row), Signal(self._row)
        m.d.sync += [
            pending.eq(write.enable & ~sweeping), way.eq(write.way),
            at.eq(self._index(write.key, index_bits) if index_bits else 0),
            content.key.eq(write.key), content.value.eq(write.value),
            content.valid.eq(write.valid),
        ]
        cover_pairs(m, "row_of_a_store", {
            "fill": pending, "drop": drop.rows.any(), "sweep": sweeping})
        m.d.comb += [
            drop.taken.eq(drop.rows.any() & ~pending & ~sweeping),
            rows.set.eq(Mux(drop.taken, drop.set, at)),
            # an empty row may hold anything
            written.eq(content), written.valid.eq(content.valid & ~sweeping & ~drop.taken),
            rows.word.eq(guarded(written.as_value())),
        ]
        with m.If(sweeping):
            m.d.comb += rows.set.eq(swept)
        for number in range(self._ways):
            m.d.comb += rows.ways[number].eq(sweeping | (drop.taken & drop.rows[number])
                                             | (pending & (way == number)))
        return m
