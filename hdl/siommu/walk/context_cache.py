"""A small fully associative cache for contexts: the device directory's and the PASIDs'."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..lib.choose import one_hot_index
from ..lib.payload import Payload, payload_of

__all__ = ["ContextCache"]


class ContextCache(wiring.Component):
    """Keeps the latest contexts, replaced in turn.

    As in the TLB, a tag is written one cycle before its value, so that a look-up that compared
    before the tag changed reads the value that belonged to the old one. A fill that comes one or
    two cycles behind another one is dropped, so that no key ever has two entries.

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
        Adds an entry, or renews the one of the same key. Takes effect within four cycles.
    flush : In(1)
        Drops every entry, fills under way included.
    drop : In(1), drop_key, drop_by : In(fields)
        Drops the entries that agree with ``drop_key`` in the fields whose bits (in the key's
        order) are set in ``drop_by``, and fills under way. Takes effect in the third cycle.
    """

    def __init__(self, *, key, value, entries):
        self._entries, self._key, self._value = entries, key, value
        self._spans = [slice(0, key)] if isinstance(key, int) else [
            slice(field.offset, field.offset + field.width) for _, field in data.Layout.cast(key)]
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
            "drop_by": In(len(self._spans)),
        })

    def elaborate(self, platform):
        m = Module()
        entries = self._entries
        places = max(entries, 2)  # an address has at least one bit
        valid, match = Signal(entries), Signal(entries)
        tags = [Payload(self._key, name=f"tag_{index}") for index in range(entries)]
        m.submodules.values = values = memory.Memory(shape=self._value, depth=places, init=[])
        write, read = values.write_port(), values.read_port(domain="comb")

        for index, tag in enumerate(tags):
            m.d.sync += match[index].eq(valid[index] & (tag == self.key))
        m.d.comb += [
            self.hit.eq(match.any()),
            read.addr.eq(one_hot_index(match)),
            self.value.eq(read.data),
        ]

        # A fill in four cycles: it comes, its key compared, its place chosen, its tag written; then
        # its value. Instead of a fill's key that of a drop is compared, which the fill does not
        # survive.
        comes, drops = Signal(), Signal()
        wanted = Payload(len(Value.cast(self.fill_key)))
        new_key, new_value = Payload(self._key), Payload(self._value)
        drop_by = Payload(len(self.drop_by))
        m.d.sync += [
            comes.eq(self.fill & ~self.flush), drops.eq(self.drop), drop_by.eq(self.drop_by),
            wanted.eq(Mux(self.drop, Value.cast(self.drop_key), Value.cast(self.fill_key))),
            new_key.eq(self.fill_key), new_value.eq(self.fill_value),
        ]
        came, key, value = Signal(), Payload(self._key), Payload(self._value)
        place, place_key, place_value = Signal(), Payload(self._key), Payload(self._value)
        present, agrees = Signal(entries), Signal(entries)
        turn, index = Signal(range(places)), Signal(range(places))
        m.d.sync += [
            came.eq(comes & ~came & ~place), key.eq(new_key), value.eq(new_value),
            place.eq(came), place_key.eq(key), place_value.eq(value),
            index.eq(Mux(present.any(), one_hot_index(present), turn)),
        ]
        for number, tag in enumerate(tags):
            same = Cat(Value.cast(tag)[span] == wanted[span] for span in self._spans)
            m.d.sync += present[number].eq(valid[number] & same.all())
            m.d.sync += agrees[number].eq(drops & (same | ~drop_by).all())
            with m.If(agrees[number]):
                m.d.sync += valid[number].eq(0)
        with m.If(came & ~present.any()):
            with m.If(turn == entries - 1):
                m.d.sync += turn.eq(0)
            with m.Else():
                m.d.sync += turn.eq(turn + 1)
        # One that a drop meets in its last cycle leaves the entry of its place as it is.
        lands = Signal()
        m.d.comb += lands.eq(place & ~drops)
        with m.If(lands):
            for number, tag in enumerate(tags):
                with m.If(index == number):
                    m.d.sync += [tag.eq(place_key), valid[number].eq(1)]
        written = payload_of(m, write.data)
        m.d.sync += [write.en.eq(lands), write.addr.eq(index), written.eq(place_value)]
        with m.If(drops):
            m.d.sync += [came.eq(0), place.eq(0)]
        with m.If(self.flush):
            m.d.sync += [valid.eq(0), came.eq(0), place.eq(0)]
        return m
