"""A small fully associative cache for contexts: the device directory's and the PASIDs'."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..lib.choose import one_hot_index
from ..lib.clocked_ram import words_for
from ..lib.contract import require
from ..lib.cover import cover_pairs
from ..lib.event import Event
from ..lib.payload import Payload, payload_of
from ..lib.watch import watch

__all__ = ["ContextCache", "FILL_CYCLES"]

#: Cycles from a fill on in which its payload stays and no other one comes.
FILL_CYCLES = 4


class ContextCache(wiring.Component):
    """Keeps the latest contexts, replaced in turn.

    As in the TLB, a tag is written one cycle before its value, so that a look-up that compared
    before the tag changed reads the value that belonged to the old one. Fills are ``FILL_CYCLES``
    apart, so that no key ever has two entries.

    ::

        fill ──> its key is compared ──> its place is chosen ──> tag ──> value
        drop ──> its key is compared ──> tags

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
    fill : In(Event), payload ``key`` and ``value``
        Adds an entry, or renews the one of the same key. Takes effect within four cycles; the
        payload stays for ``FILL_CYCLES``.
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
            "fill": In(Event(data.StructLayout({"key": key, "value": value}))),
            "flush": In(1),
            "drop": In(1),
            "drop_key": In(key),
            "drop_by": In(len(self._spans)),
        })

    def elaborate(self, platform):
        m = Module()
        entries = self._entries
        rows = max(entries, 2)      # an address has at least one bit
        valid, match = Signal(entries), Signal(entries)
        tags = [Payload(self._key, name=f"tag_{index}") for index in range(entries)]
        m.submodules.values = values = memory.Memory(
            shape=self._value, depth=words_for(rows), init=[])
        write, read = values.write_port(), values.read_port(domain="comb")

        # The look-up.
        for index, tag in enumerate(tags):
            m.d.sync += match[index].eq(valid[index] & (tag == self.key))
        m.d.comb += [
            self.hit.eq(match.any()),
            read.addr.eq(one_hot_index(match)),
            self.value.eq(read.data),
        ]

        drops, present, dropped = self._compare(m, tags, valid)
        placing, key, value, row = self._place(m, drops, present, rows)
        # A fill that a drop meets in its last cycle leaves the entry of its place as it is.
        writes, written = Signal(), payload_of(m, write.data)
        m.d.comb += writes.eq(placing & ~drops)
        for index, tag in enumerate(tags):
            with m.If(dropped[index]):
                m.d.sync += valid[index].eq(0)
            with m.If(writes & (row == index)):
                m.d.sync += [tag.eq(key), valid[index].eq(1)]
        m.d.sync += [write.en.eq(writes), write.addr.eq(row), written.eq(value)]
        watch(m, "watch", write, read, counts=self.hit)
        with m.If(self.flush):
            m.d.sync += valid.eq(0)
        return m

    def _compare(self, m, tags, valid):
        """Compares the key of a drop, or else that of a fill, which does not survive a drop.
        Returns, for the cycle after it came, whether a drop came; for the second cycle, the entries
        of the fill's key, and those that are dropped."""
        entries = self._entries
        drops, wanted = Signal(), Payload(len(Value.cast(self.drop_key)))
        drop_by = Payload(len(self.drop_by))
        present, dropped = Signal(entries), Signal(entries)
        m.d.sync += [
            drops.eq(self.drop), drop_by.eq(self.drop_by),
            wanted.eq(Mux(self.drop, Value.cast(self.drop_key),
                          Value.cast(self.fill.payload.key))),
        ]
        for index, tag in enumerate(tags):
            same = Cat(Value.cast(tag)[span] == wanted[span] for span in self._spans)
            m.d.sync += [
                present[index].eq(valid[index] & same.all()),
                dropped[index].eq(drops & (same | ~drop_by).all()),
            ]
        return drops, present, dropped

    def _place(self, m, drops, present, rows):
        """A fill on its way. Returns, for its last cycle, whether there is one, its key, its value
        and its row: that of its key, or else the next one in turn."""
        fill = self.fill.payload
        comes, came, placing = Signal(), Signal(), Signal()     # in the second cycle and behind
        turn, row = Signal(range(rows)), Signal(range(rows))
        m.d.sync += [
            comes.eq(self.fill.valid & ~self.flush), came.eq(comes), placing.eq(came),
            row.eq(Mux(present.any(), one_hot_index(present), turn)),
        ]
        with m.If(came & ~present.any()):
            with m.If(turn == self._entries - 1):
                m.d.sync += turn.eq(0)
            with m.Else():
                m.d.sync += turn.eq(turn + 1)
        with m.If(drops | self.flush):
            m.d.sync += [came.eq(0), placing.eq(0)]
        require(m, ~(self.fill.valid & (comes | came | placing)),
                "fills of a context cache are FILL_CYCLES apart")
        fills = self.fill.valid | comes | came | placing
        cover_pairs(m, "context_cache", {"fill": fills, "drop": self.drop})
        cover_pairs(m, "context_cache", {"fill": fills, "flush": self.flush})
        return placing, fill.key, fill.value, row
