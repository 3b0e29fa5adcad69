"""The way of a fill, and of a drop, through the first-level TLB: which entries go, and where the
new one is written.

::

    compare                      select                             TAGS            (one later)
    what it covers (registers)   overlapping entries, replacement   tags change     row is written
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.choose import one_hot_index
from ..lib.payload import Payload, payload_of
from ..lib.replica import inverted_copy
from ..lib.structs import assign
from ..pipeline.events import Invalidation
from ..pipeline.grants import Translation
from ..pipeline.keys import TlbKey
from ..pipeline.sizes import LINE_BITS
from .entry import (
    EntryRow,
    KeyFields,
    Tag,
    bank_ranges,
    covered_by_drop,
    covered_by_fill,
    is_part,
    overlapping,
    spanned,
)
from .tags import Compared, TagChange, near_entries

__all__ = ["Drop", "Fill", "FillPath", "RowWrite"]


class Fill(wiring.Signature):
    """A fill of the first-level TLB.

    Members
    -------
    valid : Out(1), translation : Out(Translation)
        In the compare stage, whose key is that of the line, or of the larger mapping. Its mask is
        of all pages then.
    commit : Out(1)
        In TAGS: the new entry is valid. Else the fill became stale, and leaves the
        entry that it should have gone to empty.
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "translation": Out(Translation), "commit": Out(1)})


class Drop(wiring.Signature):
    """A step of an invalidation in the first-level TLB.

    Members
    -------
    valid : Out(1), invalidation : Out(Invalidation)
        In the compare stage, whose key is device, PASID, FT and first page of the invalidation.
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "invalidation": Out(Invalidation)})


class RowWrite(wiring.Signature):
    """A write of an entry's row.

    Parameters
    ----------
    entries : int

    Members
    -------
    banks : Out
        A bit for each LUT RAM (:func:`bank_ranges`): it is written, in this cycle.
    entry : Out(range(entries)), row : Out(EntryRow)
    """

    def __init__(self, entries):
        super().__init__({"banks": Out(len(bank_ranges(entries))), "entry": Out(range(entries)),
                          "row": Out(EntryRow)})


class FillPath(wiring.Component):
    """Decides what a fill, or a drop, does to the entries.

    Parameters
    ----------
    config : Config

    Members
    -------
    key : In(TlbKey), fill : In(Fill), drop : In(Drop)
        In the compare stage (``fill.commit``: in TAGS).
    compared : In(Compared(entries)), victims : In(entries)
        In the select stage; ``victims``: one-hot, the entry to be replaced if none is free.
    selecting : Out(1)
        A fill or a drop, and no look-up, is in the select stage.
    change : Out(TagChange)
        In TAGS.
    filled : Out(1), place : Out(range(entries))
        In TAGS: a fill, and where it goes.
    row_write : Out(RowWrite(entries))
        In the cycle behind TAGS.
    """

    def __init__(self, config: Config):
        entries = config.tlb_entries
        self._config, self._entries = config, entries
        super().__init__({
            "key": In(TlbKey),
            "fill": In(Fill()),
            "drop": In(Drop()),
            "compared": In(Compared(entries)),
            "victims": In(entries),
            "selecting": Out(1),
            "change": Out(TagChange(config)),
            "filled": Out(1),
            "place": Out(range(entries)),
            "row_write": Out(RowWrite(entries)),
        })

    def elaborate(self, platform):
        m = Module()
        entries, compared = self._entries, self.compared
        fills, drops, tag, row = self._select(m)
        overlaps = self._overlaps(m)
        # Any entry may be replaced: that the free one was found in the cycle before, and that the
        # last touches are not yet counted, does not matter.
        replaces = Signal(entries)
        m.d.comb += [
            replaces.eq(Mux(compared.full, self.victims, compared.free)),
            self.selecting.eq(fills | drops),
        ]

        # TAGS.
        change = self.change
        m.d.sync += [
            self.filled.eq(fills),
            change.drops.eq(overlaps & (fills | drops).replicate(entries)),
            change.takes.eq(replaces & fills.replicate(entries)),
        ]
        m.d.comb += [self.place.eq(one_hot_index(change.takes)),
                     change.tag.eq(tag), change.commit.eq(self.fill.commit)]

        # The row follows its tag by a cycle.
        write = self.row_write
        place, carried = payload_of(m, write.entry), Payload(len(row["high"]), name="carried")
        m.d.comb += assign(write.row, {**row, "carried": carried})
        m.d.sync += [
            *(enable.eq(change.takes[bank.start:bank.stop].any())
              for enable, bank in zip(write.banks, bank_ranges(entries))),
            place.eq(self.place), carried.eq(row["high"] + 1),
        ]
        return m

    def _select(self, m):
        """The operation in the select stage: whether it is a fill, a drop. Tag and row of the last
        fill: they stay until its row is written, for the next one does not come earlier."""
        fills, drops = Signal(name="select_fill"), Signal(name="select_drop")
        tag = Payload(Tag(self._config), name="select_tag")
        row = {name: Payload(field.shape, name=f"select_{name}")
               for name, field in data.Layout.cast(EntryRow) if name != "carried"}
        filled = self.fill.translation
        m.d.sync += [fills.eq(self.fill.valid), drops.eq(self.drop.valid)]
        with m.If(self.fill.valid):
            m.d.sync += [
                tag.key.eq(self.key), tag.mask.eq(filled.mask), tag.rights.eq(filled.rights),
                *assign(tag.spans, spanned(filled.rights.size)),
                tag.low.eq(filled.base[:LINE_BITS]),
                row["high"].eq(filled.base[LINE_BITS:]), row["last"].eq(filled.last),
                row["rights"].eq(filled.rights),
            ]
            if self._config.riscv_tables:
                m.d.sync += tag.part.eq(is_part(filled))
        return fills, drops, tag, row

    def _overlaps(self, m):
        """The entries that overlap the fill or the drop, in the select stage."""
        entries, near = self._entries, near_entries(self._entries)
        covered = Mux(self.fill.valid, covered_by_fill(self.fill.translation.rights.size),
                      covered_by_drop(self.drop.invalidation))
        near_covered = Payload(KeyFields, name="covered")
        m.d.sync += near_covered.eq(covered)
        if entries > near:
            far_covered = data.View(KeyFields, inverted_copy(m, covered, name="far_covered"))
        overlaps = Signal(entries)
        for index in range(entries):
            m.d.comb += overlaps[index].eq(overlapping(
                self.compared.equal[index], near_covered if index < near else far_covered,
                self.compared.shares[index]))
        return overlaps
