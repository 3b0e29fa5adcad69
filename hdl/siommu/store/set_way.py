"""One way of a set-associative store: its memory, and the comparison of a row with a key.

::

    address     RAM: pairs of the key's bits, sums for the parity     all of them
    (cycle n)   (n + 1)                                               (n + 2)
"""

from amaranth import Cat, Module, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..lib.parity import guarded_bits, parity_sums, sound, unguarded
from ..lib.payload import Payload
from .set_index import pair_count

__all__ = ["StoreWay", "row_layout", "word_bits"]


def row_layout(key, value):
    """A row of a store of ``key`` and ``value``."""
    return data.StructLayout({"key": key, "value": value, "valid": 1})


def word_bits(row, guarded):
    """Width of the memory for a ``row``, a layout, with or without parity."""
    return guarded_bits(row.size) if guarded else row.size


class StoreWay(wiring.Component):
    """One row of each set.

    Parameters
    ----------
    key, value : Struct
    sets : int
    set_bits : int
        Width of a set's number.
    block_ram, guarded : bool
        See ``SetStore``.

    Members
    -------
    read_set : In(set_bits)
        The set to look at: in cycle *n* with ``block_ram``, else in *n* + 1.
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

    def __init__(self, *, key, value, sets, set_bits, block_ram, guarded):
        self._row, self._sets = row_layout(key, value), sets
        self._block_ram, self._guarded = block_ram, guarded
        super().__init__({
            "read_set": In(set_bits),
            "key": In(key),
            "ignored": In(pair_count(key)),
            "collides": In(1),
            "write": In(1),
            "write_set": In(set_bits),
            "word": In(word_bits(self._row, guarded)),
            "undefined": Out(1),
            "clean": Out(1),
            "valid": Out(1),
            "equal": Out(1),
            "value": Out(value),
            "to_drop": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        word = self._read(m)
        if self._guarded:
            added = parity_sums(word)
            sums = Payload(len(added), name="sums")
            m.d.sync += sums.eq(added)
            m.d.comb += self.clean.eq(sound(sums))
            word = unguarded(word)
        else:
            m.d.comb += self.clean.eq(1)
        found = data.View(self._row, word)

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

    def _read(self, m):
        """The memory; returns the word of cycle *n* + 1.

        A block RAM's read port is merged with the register behind it, and so knows that collisions
        do not matter; Amaranth's own kind of synchronous port does not.
        """
        ram = memory.Memory(shape=unsigned(len(self.word)), depth=max(self._sets, 2), init=[],
                            attrs={"no_rw_check": 1})
        m.submodules.ram = ram
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write), write.addr.eq(self.write_set), write.data.eq(self.word),
            read.addr.eq(self.read_set),
        ]
        if not self._block_ram:
            return read.data
        answer = Payload(len(self.word), name="answer")
        m.d.sync += answer.eq(read.data)
        return answer
