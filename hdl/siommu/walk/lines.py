"""Lines: what a leaf's neighbours grant, and how it gets into both levels of the TLB.

The walker puts the eight leaf entries of a line into a buffer as they come. When a walk with a
grant is over, the line is gone through from its last page to its first, two pages a cycle::

    row address   RAM      row, plus one   compare   extents ──> L2 row
    (cycle k)     (k + 1)  (k + 2)         (k + 3)   (k + 4)     (k + 5)

Every page learns how many more follow it contiguously with equal rights; the run around the page
that was asked for becomes one entry of the first level. Grants of larger mappings, and those whose
line came incomplete, pass through as they are.
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from ..arch.config import Config
from ..arch.formats import PFN_BITS, Size
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.grants import FillRequest, Outcome, Rights
from ..pipeline.keys import LineKey, WalkKey, line_key
from ..pipeline.lines import LeafPage, LinePage, LineRights, LineWords
from ..pipeline.sizes import LINE_BITS, LINE_PAGES, LINE_ROWS, SLOT_BITS, WAY_BITS
from ..tlb.second_level import line_index, line_sets

__all__ = ["TableLines", "pages_between"]


def pages_between(first, last):
    """A bit for each page of a line, set from ``first`` to ``last``."""
    top = LINE_PAGES - 1
    return Cat((first <= index if index < top else C(1)) & (last >= index if index else C(1))
               for index in range(LINE_PAGES))


class TableLines(wiring.Component):
    """The line buffer and the way from there to both levels of the TLB.

    Parameters
    ----------
    config : Config

    Members
    -------
    words : In(LineWords)
        From the walker.
    granted : In(stream.Signature), payload slot and ``line``
        A walk whose grant may be cached; ``line``: its line is complete in the buffer.
        One every five cycles is taken.
    slot : Out(SLOT_BITS), key : In(WalkKey), way : In(WAY_BITS), outcome : In(Outcome)
        Of the walk that is begun with: combinational from ``slot``.
    stale : In(slots)
        Slots that must not be cached.
    fill : Out(stream.Signature(FillRequest))
        To the first level; ready at least once in three cycles. The payload stays for another
        cycle after it was taken.
    measured : Out(1), measured_slot : Out(SLOT_BITS), extent : Out(LINE_BITS)
        How many more pages follow the one that ``measured_slot`` was walked for.
    tag_write, tag_valid, tag_way, tag_line, rights : Out
    row_write, row_way, row_line, row, pages : Out
        To the second level: tag off in cycle *k* + 2, rows in *k* + 5 to *k* + 8, tag on in
        *k* + 10. A tag that became stale in the cycle before it is on meets the sweep there.
        A line whose rows would replace those of a tag that is not yet on is not kept: of two
        that follow each other closely into the same set and way, the first stays.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "words": In(LineWords),
            "granted": In(stream.Signature(data.StructLayout({"slot": SLOT_BITS, "line": 1}))),
            "slot": Out(SLOT_BITS),
            "key": In(WalkKey),
            "way": In(WAY_BITS),
            "outcome": In(Outcome),
            "stale": In(config.walk_slots),
            "fill": Out(stream.Signature(FillRequest)),
            "measured": Out(1),
            "measured_slot": Out(SLOT_BITS),
            "extent": Out(LINE_BITS),
            "tag_write": Out(1),
            "tag_valid": Out(1),
            "tag_way": Out(WAY_BITS),
            "tag_line": Out(LineKey),
            "rights": Out(LineRights),
            "row_write": Out(1),
            "row_way": Out(WAY_BITS),
            "row_line": Out(LineKey),
            "row": Out(LINE_BITS - 1),
            "pages": Out(data.ArrayLayout(LinePage, 2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        slot_bits = bits_for(config.walk_slots - 1)
        halves = []
        for half in range(2):
            buffer = memory.Memory(shape=LeafPage, depth=config.walk_slots * LINE_ROWS, init=[],
                                   attrs={"no_rw_check": 1})
            m.submodules[f"buffer_{half}"] = buffer
            write, read = buffer.write_port(), buffer.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.words.valid & self.words.enable[half]),
                write.addr.eq(Cat(self.words.row, self.words.slot[:slot_bits])),
                write.data.eq(self.words.pages[half]),
            ]
            halves.append(read)

        # The next walk, and how many cycles ago the last ones began.
        layout = self.granted.payload.shape()
        m.submodules.waiting = waiting = fifo.SyncFIFO(width=layout.size, depth=config.walk_slots)
        coming, comes = Payload(layout), Signal()
        upcoming, present = Payload(layout), Signal()
        starts, ago = Signal(), Signal(9)           # ago[i]: i + 1 cycles ago
        blocked = Signal()
        m.d.comb += [
            waiting.w_en.eq(comes & (waiting.r_rdy | present)),
            waiting.w_data.eq(coming),
            self.granted.ready.eq(waiting.w_rdy),   # there is always room: one for each slot
            starts.eq(present & ~blocked),
            waiting.r_en.eq(~present),
            self.slot.eq(upcoming.slot),
        ]
        # four cycles before, and where its tag off would meet another's tag on
        m.d.sync += [comes.eq(self.granted.valid), coming.eq(self.granted.payload),
                     ago.eq(Cat(starts, ago)),
                     blocked.eq(starts | ago[:3].any() | ago[6])]
        with m.If(starts):
            m.d.sync += present.eq(0)
        with m.If(~present):
            m.d.sync += [
                present.eq(waiting.r_rdy | comes),
                upcoming.eq(Mux(waiting.r_rdy, waiting.r_data, coming.as_value())),
            ]

        # What is known of it: for cycles 1 to 5, and for 6 to 10.
        early = {"slot": Payload(SLOT_BITS, name="early_slot"), "line": Payload(name="early_line"),
                 "keep": Payload(name="early_keep"), "key": Payload(WalkKey, name="early_key"),
                 "way": Payload(WAY_BITS, name="early_way"),
                 "outcome": Payload(Outcome, name="early_outcome")}
        late = {"slot": Payload(SLOT_BITS, name="late_slot"), "line": Payload(name="late_line"),
                "keep": Payload(name="late_keep"), "key": Payload(WalkKey, name="late_key"),
                "way": Payload(WAY_BITS, name="late_way")}
        rights, base = Payload(Rights), Payload(PFN_BITS)   # for cycles 6 to 10
        wanted = Payload(LINE_BITS)                         # for cycles 4 to 8
        small = early["outcome"].rights.size == Size.PAGE_4K
        with m.If(starts):
            m.d.sync += [
                early["slot"].eq(upcoming.slot), early["line"].eq(upcoming.line),
                early["keep"].eq(upcoming.line & ~(self.stale >> upcoming.slot)[0]),
                early["key"].eq(self.key), early["way"].eq(self.way),
                early["outcome"].eq(self.outcome),
            ]
        with m.If(ago[2]):
            m.d.sync += wanted.eq(early["key"].page[:LINE_BITS])
        with m.If(ago[4]):
            m.d.sync += [late[name].eq(early[name]) for name in late]
            m.d.sync += [
                rights.eq(early["outcome"].rights),
                base.eq(early["outcome"].pfn
                        - Mux(small, early["key"].page[:LINE_BITS], 0)),
            ]

        row = Signal(LINE_BITS - 1)
        m.d.comb += row.eq(Mux(ago[0], 2, Mux(ago[1], 1, Mux(ago[2], 0, 3))))
        reading = Signal(SLOT_BITS)
        m.d.comb += reading.eq(Mux(starts, upcoming.slot, early["slot"]))
        for number, read in enumerate(halves):
            address = Payload(len(read.addr), name=f"address_{number}")
            m.d.sync += address.eq(Cat(row, reading[:slot_bits]))
            m.d.comb += read.addr.eq(address)
        last = self._runs(m, halves, ago, wanted)
        self._to_second_level(m, ago, early, late)

        # To the first level.
        key, page = late["key"], late["key"].page[:LINE_BITS]
        m.d.comb += [
            self.measured.eq(ago[7]),
            self.measured_slot.eq(late["slot"]),
            self.extent.eq(Mux(late["line"], last - page, 0)),
        ]
        fill, whole = payload_of(m, self.fill.payload), Signal(LINE_PAGES)
        first = self._first
        m.d.comb += whole.eq(pages_between(first, last))
        with m.If(self.fill.ready):
            m.d.sync += self.fill.valid.eq(0)
        with m.If(ago[7]):
            m.d.sync += [
                self.fill.valid.eq(1), fill.walked.eq(1), fill.slot.eq(late["slot"]),
                fill.key.eq(key), fill.translation.rights.eq(rights),
                fill.translation.base.eq(base),
            ]
            with m.If(rights.size != Size.PAGE_4K):
                m.d.sync += [fill.translation.mask.eq(-1), fill.translation.last.eq(-1)]
            with m.Elif(late["line"]):
                m.d.sync += [fill.translation.mask.eq(whole), fill.translation.last.eq(last)]
            with m.Else():
                m.d.sync += [fill.translation.mask.eq(1 << page), fill.translation.last.eq(page)]
        return m

    def _runs(self, m, halves, ago, wanted):
        """Extents of all pages, and the run around ``wanted``: from ``_first`` to what is
        returned."""
        low, high = (Payload(LeafPage, name=name) for name in ("low", "high"))     # cycle k + 2
        m.d.sync += [low.eq(halves[0].data), high.eq(halves[1].data)]
        low_3, high_3, above_3 = Payload(LeafPage), Payload(LeafPage), Payload(LeafPage)
        after_low, after_high = Payload(PFN_BITS), Payload(PFN_BITS)  # pages that would follow
        m.d.sync += [
            low_3.eq(low), high_3.eq(high), above_3.eq(low_3),
            after_low.eq(low.pfn + 1), after_high.eq(high.pfn + 1),
        ]

        def alike(page, other):
            return (Cat(page.read, page.write, page.dirty)
                    == Cat(other.read, other.write, other.dirty)) & (page.read | page.write)

        low_4, high_4 = Payload(LeafPage), Payload(LeafPage)
        low_followed, high_followed = Payload(), Payload()
        m.d.sync += [
            low_4.eq(low_3), high_4.eq(high_3),
            low_followed.eq((high_3.pfn == after_low) & alike(low_3, high_3)),
            # nothing follows a line's last page here
            high_followed.eq((above_3.pfn == after_high) & alike(high_3, above_3) & ~ago[2]),
        ]

        # Where the run of each page ends, from the last page down.
        number = Signal(LINE_BITS)                  # of the low page
        above, low_end, high_end = (Signal(LINE_BITS) for _ in range(3))
        m.d.comb += [
            number.eq(Mux(ago[3], 6, Mux(ago[4], 4, Mux(ago[5], 2, 0)))),
            high_end.eq(Mux(high_followed, above, number | 1)),
            low_end.eq(Mux(low_followed, high_end, number)),
        ]
        m.d.sync += above.eq(low_end)
        pages = payload_of(m, self.pages)
        for target, page, end, begin in ((pages[0], low_4, low_end, number),
                                         (pages[1], high_4, high_end, number | 1)):
            m.d.sync += [
                target.pfn.eq(page.pfn), target.read.eq(page.read), target.write.eq(page.write),
                target.dirty.eq(page.dirty), target.extent.eq(end - begin),
            ]

        # The run around the wanted page.
        low_wanted, high_wanted = wanted == number, wanted == (number | 1)
        linked, low_linked, high_linked = Signal(), Signal(), Signal()
        first, last = Signal(LINE_BITS), Signal(LINE_BITS)
        self._first = first
        m.d.comb += [
            high_linked.eq(high_wanted | (linked & high_followed)),
            low_linked.eq(low_wanted | (high_linked & low_followed)),
        ]
        m.d.sync += linked.eq(low_linked)
        with m.If(ago[3:7].any()):
            with m.If(low_linked):
                m.d.sync += first.eq(number)
            with m.Elif(high_linked):
                m.d.sync += first.eq(number | 1)
            with m.If(low_wanted):
                m.d.sync += last.eq(low_end)
            with m.Elif(high_wanted):
                m.d.sync += last.eq(high_end)
        with m.If(~ago[3:7].any() | ago[6]):
            m.d.sync += linked.eq(0)

        # Which pages a read and which a write may use: complete in cycle 8.
        self._rights = Payload(LineRights)
        for index in range(LINE_ROWS):
            with m.If(ago[3 + LINE_ROWS - 1 - index]):
                for half, page in enumerate((low_4, high_4)):
                    m.d.sync += [
                        self._rights.readable[2 * index + half].eq(page.read),
                        self._rights.writable[2 * index + half].eq(page.write & page.dirty),
                    ]
        return last

    def _to_second_level(self, m, ago, early, late):
        """Tag off, rows, tag on."""
        # The set and the way of this line, from cycle 2 on, and of the one before it.
        index = Payload(max(exact_log2(line_sets(self._config)), 1))
        late_index, collides = Payload(len(index)), Payload()
        line = Signal(LineKey)
        m.d.comb += assign(line, line_key(early["key"], early["key"].page))
        m.d.sync += [
            index.eq(line_index(line, len(index))),
            collides.eq(ago[6:].any() & late["keep"] & (late["way"] == early["way"])
                        & (late_index == index)),
        ]
        with m.If(ago[2] & collides):
            m.d.sync += early["keep"].eq(0)
        with m.If(ago[4]):
            m.d.sync += late_index.eq(index)

        row_key, row_keep = Payload(WalkKey), Payload()     # for cycles 5 to 8
        with m.If(ago[3]):
            m.d.sync += [row_key.eq(early["key"]), self.row_way.eq(early["way"]),
                         row_keep.eq(early["keep"])]
        tag_key, rights = Payload(WalkKey), payload_of(m, self.rights)
        m.d.sync += [
            tag_key.eq(Mux(ago[0], early["key"].as_value(), late["key"].as_value())),
            self.tag_write.eq((ago[0] & early["keep"])
                              | (ago[8] & late["keep"] & ~(self.stale >> late["slot"])[0])),
            self.tag_valid.eq(ago[8]), rights.eq(self._rights),
            self.tag_way.eq(Mux(ago[0], early["way"], late["way"])),
        ]
        m.d.comb += assign(self.row_line, line_key(row_key, row_key.page))
        m.d.comb += assign(self.tag_line, line_key(tag_key, tag_key.page))
        m.d.comb += [
            self.row_write.eq(ago[4:8].any() & row_keep),
            self.row.eq(Mux(ago[4], 3, Mux(ago[5], 2, Mux(ago[6], 1, 0)))),
        ]
