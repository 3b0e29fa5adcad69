"""A set-associative store in block RAM, parity-protected: tags and what belongs to them.

A look-up is spread over three cycles, because a block RAM is slow to answer::

    index          RAM              compare
    (cycle n)      (n + 1)          (n + 2): ``match``, ``values``, ``place``

A row whose parity is wrong is no match. Neither is one that is written in the very cycle in which
it is read: what a block RAM answers then is not defined, and the memory is marked accordingly.
"""

from functools import reduce
from operator import xor

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .bundles import WAY_BITS
from .choose import lowest, one_hot_index

__all__ = ["SetStore", "parity", "parity_bits", "space_index"]

PARITY_SPAN = 16        #: bits that one parity bit watches over


def parity(value):
    """The parity bits of ``value``: one for every 16 bits."""
    return Cat(value[low:low + PARITY_SPAN].xor() for low in range(0, len(value), PARITY_SPAN))


def parity_bits(width):
    """How many bits :func:`parity` gives for ``width`` bits."""
    return -(-width // PARITY_SPAN)


def space_index(number, key, bits):
    """A set for ``number`` (of a line or a region) in the address space of ``key``.

    Neighbouring numbers get different sets. The low bits of PASID and device, which differ most,
    go to the upper end of the index, so that spaces that use the same addresses spread too.
    """
    def fold(value):
        pieces = (value[low:low + bits] for low in range(0, len(value), bits))
        return reduce(xor, pieces)[:bits]

    if not bits:
        return C(0, 1)
    pasid, device = fold(key.pasid)[::-1], fold(key.device)[::-1]
    return (fold(number) ^ pasid ^ Cat(device[1:], device[0])
            ^ (key.ft << bits // 2))[:bits]


class SetStore(wiring.Component):
    """``ways`` × ``sets`` rows of ``key`` and ``value``.

    Parameters
    ----------
    key, value : Struct
    ways : int
        1, 2 or 4.
    sets : int
        A power of two.
    index : callable
        ``index(key, bits)`` is the set of ``key``; keys that follow each other should differ in it.

    Members
    -------
    key : In(key)
        Looked up in every cycle *n*. ``compared`` is the same key in cycle *n* + 2.
    match : Out(ways)
        In cycle *n* + 2, combinational: the ways that hold the key. More than one when two fills
        followed each other closely; they are equally good.
    values : Out
        In cycle *n* + 2: what the ways hold.
    place : Out(WAY_BITS)
        In cycle *n* + 2: the way that a fill for the key should take: its own, else a free one,
        else one in turn.
    write : In(1), write_way, write_key, write_value, write_valid
        Writes a row; with ``write_valid`` = 0 it is empty afterwards. Dropped while sweeping.
    flush : In(1)
        Empties the store. No look-up that began before or in this cycle matches; the rows are
        swept in the following ``sets`` cycles, in which nothing matches.
    sweeping : Out(1)
    errors : Out(ways)
        In cycle *n* + 2: rows that were read with wrong parity.
    """

    def __init__(self, *, key, value, ways, sets, index):
        self._key, self._value, self._ways, self._sets = key, value, ways, sets
        self._index = index
        super().__init__({
            "key": In(key),
            "compared": In(key),
            "match": Out(ways),
            "values": Out(data.ArrayLayout(value, ways)),
            "place": Out(WAY_BITS),
            "write": In(1),
            "write_way": In(WAY_BITS),
            "write_key": In(key),
            "write_value": In(value),
            "write_valid": In(1),
            "flush": In(1),
            "sweeping": Out(1, init=1),
            "errors": Out(ways),
        })

    def elaborate(self, platform):
        m = Module()
        ways, sets = self._ways, self._sets
        bits = exact_log2(sets)
        width = data.Layout.cast(self._key).size + data.Layout.cast(self._value).size + 1
        row = data.StructLayout({"key": self._key, "value": self._value, "valid": 1,
                                 "parity": parity_bits(width)})

        look_at, write_at, swept = (Signal(max(bits, 1)) for _ in range(3))
        m.d.comb += look_at.eq(self._index(self.key, bits) if bits else 0)
        m.d.comb += write_at.eq(self._index(self.write_key, bits) if bits else 0)
        with m.If(self.sweeping):
            m.d.comb += write_at.eq(swept)
            m.d.sync += swept.eq(swept + 1)
            with m.If(swept == sets - 1):
                m.d.sync += self.sweeping.eq(0)
        with m.If(self.flush):
            m.d.sync += [self.sweeping.eq(1), swept.eq(0)]

        written = Signal(row)
        with m.If(~self.sweeping):
            m.d.comb += [written.key.eq(self.write_key), written.value.eq(self.write_value),
                         written.valid.eq(self.write_valid)]
        m.d.comb += written.parity.eq(parity(written.as_value()[:width]))

        trusted, answered = Signal(), Signal()      # the look-up in the RAM, in the comparison
        m.d.sync += [
            trusted.eq(~self.sweeping & ~self.flush),
            answered.eq(trusted & ~self.sweeping & ~self.flush),
        ]
        turn = Signal(max(exact_log2(ways), 1))
        m.d.sync += turn.eq(turn + 1)
        equal, free = Signal(ways), Signal(ways)
        for way in range(ways):
            ram = memory.Memory(shape=row, depth=max(sets, 2), init=[], attrs={"no_rw_check": 1})
            m.submodules[f"way_{way}"] = ram
            write, read = ram.write_port(), ram.read_port()
            held, writes, collides = Signal(row), Signal(), Signal()
            undefined, clean = Signal(), Signal()
            m.d.comb += [
                writes.eq(self.sweeping | (self.write & (self.write_way == way))),
                write.en.eq(writes), write.addr.eq(write_at), write.data.eq(written),
                read.addr.eq(look_at),
            ]
            m.d.sync += [
                collides.eq(writes & (write_at == look_at)),
                held.eq(read.data), undefined.eq(collides),
            ]
            m.d.comb += [
                clean.eq(held.parity == parity(held.as_value()[:width])),
                equal[way].eq(held.valid & (held.key == self.compared)),
                free[way].eq(~held.valid),
                self.match[way].eq(equal[way] & clean & ~undefined & answered),
                self.values[way].eq(held.value),
                self.errors[way].eq(answered & ~undefined & ~clean),
            ]
        m.d.comb += self.place.eq(Mux(
            equal.any(), one_hot_index(lowest(equal)),
            Mux(free.any(), one_hot_index(lowest(free)), turn)) if ways > 1 else 0)
        return m
