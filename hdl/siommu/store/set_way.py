"""One way of a set-associative store: its memory, and the comparison of a row with a key.

::

    address     RAM: pairs of the key's bits, sums for the parity     all of them
    (cycle n)   (n + 1)                                               (n + 2)
"""

from amaranth import Cat, Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..lib.clocked_ram import ClockedRam
from ..lib.parity import guarded_bits, parity_sums, sound, unguarded
from ..lib.payload import Payload
from .set_index import pair_count

__all__ = ["StoreWay", "row_layout", "word_bits"]


def row_layout(key, value):
    """A row of a store of ``key`` and ``value``."""
    return data.StructLayout({"key": key, "value": value, "valid": 1})


def word_bits(row):
    """Width of the memory for a ``row``, a layout, with its parity."""
    return guarded_bits(row.size)


class StoreWay(wiring.Component):
    """One row of each set.

    Parameters
    ----------
    key, value : Struct
    sets : int
    set_bits : int
        Width of a set's number.

    Members
    -------
    read_set : In(set_bits)
        The set to look at, in cycle *n*.
    key, ignored : In
        In cycle *n* + 1: what the row is compared with; in *n* + 2: pairs of its bits that a drop
        does not look at.
    collides : In(1)
        In cycle *n* + 1: the set that is read was the one to be written in cycle *n*.
    write : In(1), write_set : In(set_bits), word : In
        Writes a row.
    undefined : Out(1)
        In cycle *n* + 2, as all outputs: the row was written while it was read.
    clean : Out(1)
        Its parity is right.
    valid : Out(1), equal : Out(1), value : Out(value)
        The row as it was read: it holds something; it does and is that of the key; what it holds.
    to_drop : Out(1)
        It is that of the key but for what is ignored, or damaged.
    """

    def __init__(self, *, key, value, sets, set_bits):
        self._row, self._sets = row_layout(key, value), sets
        super().__init__({
            "read_set": In(set_bits),
            "key": In(key),
            "ignored": In(pair_count(key)),
            "collides": In(1),
            "write": In(1),
            "write_set": In(set_bits),
            "word": In(word_bits(self._row)),
            "undefined": Out(1),
            "clean": Out(1),
            "valid": Out(1),
            "equal": Out(1),
            "value": Out(value),
            "to_drop": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = ClockedRam(unsigned(len(self.word)), self._sets, registered=True)
        added = parity_sums(ram.answer)
        sums, found = Payload(len(added), name="sums"), data.View(self._row, unguarded(ram.answer))
        m.d.sync += sums.eq(added)
        m.d.comb += [
            ram.write.eq(self.write), ram.write_address.eq(self.write_set),
            ram.word.eq(self.word), ram.address.eq(self.read_set), self.clean.eq(sound(sums)),
        ]

        key, found_key = Value.cast(self.key), Value.cast(found.key)
        equal_pairs = Payload(len(self.ignored), name="equal_pairs")
        value, valid, wrote = Payload(self.value.shape()), Payload(), Signal()
        m.d.sync += [
            wrote.eq(self.write), self.undefined.eq(wrote & self.collides),
            equal_pairs.eq(Cat(found_key[low:low + 2] == key[low:low + 2]
                               for low in range(0, len(key), 2))),
            value.eq(found.value), valid.eq(found.valid),
        ]
        m.d.comb += [
            self.value.eq(value), self.valid.eq(valid),
            self.equal.eq(Cat(valid, equal_pairs).all()),
            self.to_drop.eq(~self.undefined & (
                ~self.clean | Cat(valid, equal_pairs | self.ignored).all())),
        ]
        return m
