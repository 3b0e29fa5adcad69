"""The second-level TLB: lines of eight pages in set-associative block RAM.

One walk fetches the 64-byte line around a leaf, and all of its eight entries that grant anything
are kept: neighbours are found here although they need not be contiguous. Tags are looked up beside
the first level, data only once the way is known::

    index       RAM         compare      way, data RAM    (RAM)        row
    (cycle n)   (n + 1)     (n + 2)      (n + 3): ``hit``              (n + 5): ``outcome``

The tag says which of its pages may be read and which written, so that a hit is known in cycle
*n* + 3 and no walk is begun for it. A data row holds two pages. Tags and rows carry parity: a tag
with a wrong one does not match; a row with a wrong one raises ``damaged``, and the look-up counts
as a miss.

A line is replaced in the order tag off, rows, tag on, and its first row is written no earlier than
the last look-up that saw the old tag has read its row (``TableLines`` keeps that distance).
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import Cause, Size
from ..lib.choose import lowest, one_hot_index
from ..lib.payload import Payload
from ..pipeline.events import Invalidation
from ..pipeline.grants import Outcome
from ..pipeline.keys import LineKey
from ..pipeline.lines import LinePage, LineRights
from ..pipeline.sizes import LINE_BITS, LINE_PAGES, LINE_ROWS, WAY_BITS
from .set_store import (
    SetStore,
    guarded,
    guarded_bits,
    ignored,
    parity_sums,
    sound,
    space_index,
    unguarded,
)

__all__ = ["SecondLevelTlb", "line_index", "line_sets"]



_PAIR = data.ArrayLayout(LinePage, 2)
_ROW_BITS = guarded_bits(_PAIR.size)


def line_index(key, bits):
    """The set of a line, by the ``LineKey`` or what else has its fields."""
    return space_index(key.line, key, bits)


def line_sets(config):
    """How many sets there are; 1 without a second level."""
    return max(config.l2_entries // LINE_PAGES // config.l2_ways, 1)


class SecondLevelTlb(wiring.Component):
    """The second-level TLB.

    Parameters
    ----------
    config : Config

    Members
    -------
    key : In(LineKey)
        Looked up in every cycle *n*.
    compared : In(LineKey), page : In(LINE_BITS), write : In(1), distrusts : In(1)
        In cycle *n* + 2: the same key, and which page of its line is asked for, for a write or a
        read; that it is to miss.
    hit : Out(1), place : Out(WAY_BITS)
        In cycle *n* + 3; ``place`` is the way that a fill for the key should take.
    outcome : Out(Outcome), damaged : Out(1)
        In cycle *n* + 5, of a hit.
    tag_write : In(1), tag_valid : In(1), tag_way, tag_line : In, rights : In(LineRights)
        Writes a tag, valid or empty.
    row_write : In(1), row_way, row_line, row, pages : In
        Writes a row of two pages.
    scan : In(1), scan_set, scan_natural, scanning
        Drops from a set what ``invalidation`` asks for; ``key`` is its device, PASID, FT and first
        page, in cycle *n*. See ``SetStore``.
    invalidation : In(Invalidation)
    flush : In(1)
        Drops every line.
    sweeping : Out(1)
        Lines are being dropped; fills are lost.
    tag_errors : Out(1)
        A tag was read with a wrong parity in cycle *n* + 3.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "key": In(LineKey),
            "compared": In(LineKey),
            "page": In(LINE_BITS),
            "write": In(1),
            "distrusts": In(1),
            "hit": Out(1),
            "place": Out(WAY_BITS),
            "outcome": Out(Outcome),
            "damaged": Out(1),
            "tag_write": In(1),
            "tag_valid": In(1),
            "tag_way": In(WAY_BITS),
            "tag_line": In(LineKey),
            "rights": In(LineRights),
            "row_write": In(1),
            "row_way": In(WAY_BITS),
            "row_line": In(LineKey),
            "row": In(exact_log2(LINE_ROWS)),
            "pages": In(_PAIR),
            "scan": In(1),
            "scan_set": In(max(exact_log2(line_sets(config)), 1)),
            "scan_natural": In(1),
            "scanning": Out(1),
            "invalidation": In(Invalidation),
            "flush": In(1),
            "sweeping": Out(1, init=1),
            "tag_errors": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ways = config.l2_ways
        sets = line_sets(config)
        bits = exact_log2(sets)
        m.submodules.tags = tags = SetStore(
            key=LineKey, value=LineRights, ways=ways, sets=sets, index=line_index)
        m.submodules.rows = rows = memory.Memory(
            shape=_ROW_BITS, depth=sets * ways * LINE_ROWS, init=[], attrs={"no_rw_check": 1})
        read, write = rows.read_port(domain="comb"), rows.write_port()     # see SetStore

        m.d.comb += [
            tags.key.eq(self.key), tags.flush.eq(self.flush),
            tags.write.eq(self.tag_write), tags.write_way.eq(self.tag_way),
            tags.write_key.eq(self.tag_line), tags.write_value.eq(self.rights),
            tags.write_valid.eq(self.tag_valid), self.sweeping.eq(tags.sweeping),
            tags.scan.eq(self.scan), tags.scan_set.eq(self.scan_set),
            tags.scan_natural.eq(self.scan_natural), self.scanning.eq(tags.scanning),
            tags.ignored.eq(ignored(self.invalidation, LineKey, LINE_BITS)),
        ]

        # Compare.
        match = Signal(ways)
        index, page = Payload(max(bits, 1)), Payload(LINE_BITS)
        for way in range(ways):
            rights = tags.values[way]
            allowed = Mux(self.write, rights.writable, rights.readable).bit_select(self.page, 1)
            m.d.sync += match[way].eq(tags.match[way] & allowed & ~self.flush & ~self.distrusts)
        m.d.sync += [
            self.place.eq(tags.place), self.tag_errors.eq(tags.errors.any()),
            index.eq(line_index(self.compared, bits)), page.eq(self.page),
        ]

        # The way is known.
        m.d.comb += [
            self.hit.eq(match.any()),
            read.addr.eq(Cat(page[1:], one_hot_index(lowest(match)), index[:bits])),
        ]

        # The row.
        second, row = Payload(), Payload(_ROW_BITS)
        pair, added = unguarded(row), parity_sums(row)
        found, sums = Payload(LinePage), Payload(len(added))
        m.d.sync += [
            second.eq(page[0]), row.eq(read.data),
            found.eq(Mux(second, pair[1::2], pair[::2])), sums.eq(added),
        ]
        m.d.comb += [
            self.damaged.eq(~sound(sums)),
            self.outcome.cause.eq(Cause.OK),
            self.outcome.rights.size.eq(Size.PAGE_4K),
            self.outcome.rights.read.eq(found.read),
            self.outcome.rights.write.eq(found.write),
            self.outcome.rights.dirty.eq(found.dirty),
            self.outcome.pfn.eq(found.pfn),
            self.outcome.extent.eq(found.extent),
        ]

        # Fill: in the next cycle, as the tags are.
        pages = Payload(_PAIR)
        m.d.sync += [
            write.en.eq(self.row_write),
            write.addr.eq(Cat(self.row, self.row_way, line_index(self.row_line, bits))),
            pages.eq(self.pages),
        ]
        # Bit by bit, so that the choice between the two pages is one inside of a block RAM.
        pair = Cat(*zip(*(page.as_value() for page in pages)))
        m.d.comb += write.data.eq(guarded(pair))
        return m
