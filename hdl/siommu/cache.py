"""A small fully associative cache for contexts: the device directory's and the PASIDs'."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from .choose import one_hot_index

__all__ = ["ContextCache"]


class ContextCache(wiring.Component):
    """Keeps the latest contexts, replaced in turn.

    As in the TLB, a tag is written one cycle before its value, so that a look-up that compared
    before the tag changed reads the value that belonged to the old one. A fill of a key that is
    being filled already (one or two cycles before) is dropped.

    Parameters
    ----------
    key, value : shape
    entries : int

    Members
    -------
    key : In(key)
        Compared in every cycle.
    hit : Out(1), value : Out(value)
        Result for the key of the cycle before.
    fill : In(1), fill_key, fill_value
        Adds an entry, or renews the one of the same key. Takes effect within three cycles.
    flush : In(1)
        Drops every entry, fills under way included.
    drop : In(1), drop_key, drop_by : In(fields)
        Drops the entries that agree with ``drop_key`` in the fields whose bits (in the key's
        order) are set in ``drop_by``, and fills under way.
    """

    def __init__(self, *, key, value, entries):
        self._entries, self._key, self._value = entries, key, value
        self._fields = list(data.Layout.cast(key)) if not isinstance(key, int) \
            else [(None, data.Field(key, 0))]
        super().__init__({
            "key": In(key),
            "hit": Out(1),
            "value": Out(value),
            "fill": In(1),
            "fill_key": In(key),
            "fill_value": In(value),
            "flush": In(1),
            "drop": In(1),
            "drop_key": In(key),
            "drop_by": In(len(self._fields)),
        })

    def elaborate(self, platform):
        m = Module()
        entries = self._entries
        places = max(entries, 2)  # an address has at least one bit
        valid, match = Signal(entries), Signal(entries)
        tags = [Signal(self._key, name=f"tag_{index}") for index in range(entries)]
        m.submodules.values = values = memory.Memory(shape=self._value, depth=places, init=[])
        write, read = values.write_port(), values.read_port(domain="comb")

        def matches(key):
            return [valid[index] & (tag == key) for index, tag in enumerate(tags)]

        for index, matched in enumerate(matches(self.key)):
            m.d.sync += match[index].eq(matched)
        m.d.comb += [
            self.hit.eq(match.any()),
            read.addr.eq(one_hot_index(match)),
            self.value.eq(read.data),
        ]

        # A fill in three cycles: its key compared, its place chosen, its tag written; then its
        # value. While one of the same key is under way, it is not needed, so that no key has two
        # entries.
        came, chooses, key, value = Signal(), Signal(), Signal(self._key), Signal(self._value)
        place, place_key, place_value = Signal(), Signal(self._key), Signal(self._value)
        present, twins = Signal(entries), Signal(2)
        turn, index = Signal(range(places)), Signal(range(places))
        m.d.comb += chooses.eq(came & ~twins.any())
        m.d.sync += [
            twins.eq(Cat(chooses & (key == self.fill_key), place & (place_key == self.fill_key))),
            came.eq(self.fill), key.eq(self.fill_key), value.eq(self.fill_value),
            place.eq(chooses), place_key.eq(key), place_value.eq(value),
            index.eq(Mux(present.any(), one_hot_index(present), turn)),
        ]
        for bit, matched in zip(present, matches(self.fill_key)):
            m.d.sync += bit.eq(matched)
        with m.If(chooses & ~present.any()):
            with m.If(turn == entries - 1):
                m.d.sync += turn.eq(0)
            with m.Else():
                m.d.sync += turn.eq(turn + 1)
        # One that a drop meets in its last cycle leaves the entry of its place as it is.
        lands = Signal()
        m.d.comb += lands.eq(place & ~self.drop)
        with m.If(lands):
            for number, tag in enumerate(tags):
                with m.If(index == number):
                    m.d.sync += [tag.eq(place_key), valid[number].eq(1)]
        m.d.sync += [write.en.eq(lands), write.addr.eq(index), write.data.eq(place_value)]
        wanted = Value.cast(self.drop_key)
        for number, tag in enumerate(tags):
            agrees = []
            for bit, (_, field) in zip(self.drop_by, self._fields):
                span = slice(field.offset, field.offset + field.width)
                agrees.append(~bit | (Value.cast(tag)[span] == wanted[span]))
            with m.If(self.drop & Cat(agrees).all()):
                m.d.sync += valid[number].eq(0)
        with m.If(self.drop):
            m.d.sync += [came.eq(0), place.eq(0)]
        with m.If(self.flush):
            m.d.sync += [valid.eq(0), came.eq(0), place.eq(0)]
        return m
