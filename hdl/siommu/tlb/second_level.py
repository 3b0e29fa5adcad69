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

A line is replaced in the order tag off, rows, tag on (``LineFill``), and its first row is written
no earlier than the last look-up that saw the old tag has read its row.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import Cause, Size
from ..lib.choose import lowest, one_hot_index
from ..lib.contract import require_follows
from ..lib.payload import Payload
from ..pipeline.events import Invalidation
from ..pipeline.grants import Outcome
from ..pipeline.keys import LineKey
from ..pipeline.lines import LineFill, LineRights
from ..pipeline.sizes import LINE_BITS, LINE_PAGES, WAY_BITS
from ..pipeline.timetable import STORE_MATCH
from ..store.set_index import ignored_pairs, space_index
from ..store.set_scan import Scan
from ..store.set_store import SetStore
from .line_store import LineStore

__all__ = ["SecondLevelTlb", "SecondLookUp", "line_index", "line_sets"]


def line_index(key, bits):
    """The set of a line, by the ``LineKey`` or what else has its fields."""
    return space_index(key.line, key, bits)


def line_sets(config):
    """How many sets there are; 1 without a second level."""
    return max(config.l2_entries // LINE_PAGES // config.l2_ways, 1)


class SecondLookUp(wiring.Signature):
    """A look-up in the second level, one in every cycle.

    Members
    -------
    key : Out(LineKey)
        In cycle *n*.
    compared : Out(LineKey), page : Out(LINE_BITS), write : Out(1), skip : Out(1)
        In cycle *n* + 2: the same key, which page of its line is asked for, that it is for a
        write, that it is to miss.
    hit : In(1), place : In(WAY_BITS)
        In cycle *n* + 3; ``place`` is the way that a fill for the key should take.
    outcome : In(Outcome), damaged : In(1)
        In cycle *n* + 5, of a hit.
    """

    def __init__(self):
        super().__init__({
            "key": Out(LineKey),
            "compared": Out(LineKey),
            "page": Out(LINE_BITS),
            "write": Out(1),
            "skip": Out(1),
            "hit": In(1),
            "place": In(WAY_BITS),
            "outcome": In(Outcome),
            "damaged": In(1),
        })


class SecondLevelTlb(wiring.Component):
    """The second-level TLB.

    Parameters
    ----------
    config : Config

    Members
    -------
    look_up : In(SecondLookUp)
    fill : In(LineFill)
        Tags and rows are written in the next cycle.
    scan : In(Scan), invalidation : In(Invalidation)
        Drops from a set what ``invalidation`` asks for; the looked-up key is its device, PASID, FT
        and first page, in cycle *n*. See ``SetStore``.
    flush : In(1)
        Drops every line.
    sweeping : Out(1)
        Lines are being dropped; fills are lost.
    tag_errors : Out(1)
        A tag was read with a wrong parity in cycle *n* + 3.
    """

    def __init__(self, config: Config):
        self._config, self._sets = config, line_sets(config)
        super().__init__({
            "look_up": In(SecondLookUp()),
            "fill": In(LineFill()),
            "scan": In(Scan(self._sets)),
            "invalidation": In(Invalidation),
            "flush": In(1),
            "sweeping": Out(1, init=1),
            "tag_errors": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        ways, sets = self._config.l2_ways, self._sets
        m.submodules.tags = tags = SetStore(
            key=LineKey, value=LineRights, ways=ways, sets=sets, index=line_index)
        m.submodules.rows = rows = LineStore(sets * ways, WAY_BITS + exact_log2(sets))
        tag = self.fill.tag
        m.d.comb += [
            tags.flush.eq(self.flush), self.sweeping.eq(tags.sweeping),
            tags.write.enable.eq(tag.valid), tags.write.way.eq(tag.payload.way),
            tags.write.key.eq(tag.payload.key), tags.write.value.eq(tag.payload.rights),
            tags.write.valid.eq(tag.payload.on),
            tags.ignored.eq(ignored_pairs(self.invalidation, LineKey, LINE_BITS)),
        ]
        connect(m, flipped(self.scan), tags.scan)
        self._look_up(m, tags, rows)
        self._fill(m, rows)
        return m

    def _look_up(self, m, tags, rows):
        look_up, bits = self.look_up, exact_log2(self._sets)
        match = Signal(self._config.l2_ways)
        index, page = Payload(max(bits, 1), name="index"), Payload(LINE_BITS, name="page")

        # Compare.
        require_follows(m, look_up.compared, look_up.key, STORE_MATCH,
                        "the second level's look-up is that of the operation in MATCH")
        m.d.comb += tags.look_up.key.eq(look_up.key)
        for way, rights in enumerate(tags.look_up.values):
            allowed = Mux(look_up.write, rights.writable,
                          rights.readable).bit_select(look_up.page, 1)
            m.d.sync += match[way].eq(tags.look_up.match[way] & allowed & ~self.flush
                                      & ~look_up.skip)
        m.d.sync += [
            look_up.place.eq(tags.look_up.place), self.tag_errors.eq(tags.look_up.errors.any()),
            index.eq(line_index(look_up.compared, bits)), page.eq(look_up.page),
        ]

        # The way is known; two cycles later the row.
        outcome, found = look_up.outcome, rows.found
        m.d.comb += [
            look_up.hit.eq(match.any()), rows.read.eq(look_up.hit), rows.page.eq(page),
            rows.line.eq(self._line(one_hot_index(lowest(match)), index[:bits])),
            look_up.damaged.eq(rows.damaged),
            outcome.cause.eq(Cause.OK), outcome.rights.size.eq(Size.PAGE_4K),
            outcome.rights.read.eq(found.read), outcome.rights.write.eq(found.write),
            outcome.rights.dirty.eq(found.dirty),
            outcome.pfn.eq(found.pfn), outcome.extent.eq(found.extent),
        ]

    def _fill(self, m, rows):
        row, tag, bits = self.fill.row, self.fill.tag, exact_log2(self._sets)
        m.d.comb += [
            rows.write.eq(row.valid), rows.row.eq(row.payload),
            rows.write_line.eq(self._line(row.payload.way, row.payload.set[:bits])),
            rows.replaces.eq(tag.valid),
            rows.replaced.eq(self._line(tag.payload.way, line_index(tag.payload.key, bits))),
        ]

    @staticmethod
    def _line(way, set_):
        """A line's number in ``LineStore``."""
        return Cat(way, set_)
