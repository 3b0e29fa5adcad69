"""The second-level TLB, for one arbitrary fixed page (FT, device, PASID, line, page of the line)
and every history of look-ups, fills, invalidations and flushes, for all time, by induction: a look-
up of the page hits only if a tag for exactly its line was on before it began, not replaced since,
allows what is asked, and no flush and no invalidation that covers the line came behind it; it tells
the page that was written last between the tag before and that tag. No row is read while it is
written.

Two ways of one set. The environment keeps the contract of ``LineFill``: of a line the tag goes off,
its rows are written ``ROW_AFTER_TAG`` cycles later or more, and its tag goes on behind them. What
is filled is canonical, and so is what an invalidation names.
"""

from types import SimpleNamespace

from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

from siommu.lib.parity import parity_sums, sound, unguarded
from siommu.pipeline.events import Invalidation
from siommu.pipeline.keys import LineKey
from siommu.pipeline.lines import LinePage, LineRights
from siommu.pipeline.sizes import LINE_BITS, LINE_PAGES
from siommu.pipeline.timetable import ROW_AFTER_TAG
from siommu.store.set_way import row_layout
from siommu.tlb.second_level import SecondLevelTlb, line_index

from .state import State
from .store import KeyInStore, assume_scan
from .temporal import delayed
from .walk_cache import agrees

__all__ = ["SecondLevelProof"]

#: A page of a row as far as it is free: of its number, bits that tell pages apart.
Free = data.StructLayout({"pfn": 3, "read": 1, "write": 1, "dirty": 1, "extent": LINE_BITS})
WAYS = 2
TINY = SimpleNamespace(l2_ways=WAYS, l2_entries=WAYS * LINE_PAGES)


class SecondLevelProof(Component):
    """Two lines with free inputs. ``fixed`` and ``fixed_page`` are any, always the same."""

    fixed: In(LineKey)
    fixed_page: In(LINE_BITS)
    key: In(LineKey)
    page: In(LINE_BITS)
    write: In(1)
    skip: In(1)
    tag: In(1)
    tag_on: In(1)
    tag_way: In(1)
    tag_key: In(LineKey)
    tag_rights: In(LineRights)
    row: In(1)
    row_way: In(1)
    row_number: In(LINE_BITS - 1)
    row_pages: In(data.ArrayLayout(Free, 2))
    flush: In(1)
    scan: In(1)
    invalidation: In(Invalidation)

    def elaborate(self, platform):
        m = Module()
        level = SecondLevelTlb(TINY)
        state = State(level)
        m.submodules.level = state.fragment
        tag, row, look_up = level.fill.tag.payload, level.fill.row.payload, level.look_up
        m.d.comb += [
            look_up.key.eq(self.key), look_up.compared.eq(delayed(m, self.key, 2)),
            look_up.page.eq(self.page), look_up.write.eq(self.write), look_up.skip.eq(self.skip),
            level.fill.tag.valid.eq(self.tag), tag.on.eq(self.tag_on), tag.way.eq(self.tag_way),
            tag.key.eq(self.tag_key), tag.rights.eq(self.tag_rights),
            level.fill.row.valid.eq(self.row), row.way.eq(self.row_way),
            row.number.eq(self.row_number), *(row.pages[page][name].eq(self.row_pages[page][name])
              for page in range(2) for name in ("pfn", "read", "write", "dirty", "extent")),
            level.flush.eq(self.flush), level.scan.valid.eq(self.scan),
            level.invalidation.eq(self.invalidation),
        ]
        fixed, now = self.fixed, Cat(self.fixed, self.fixed_page)
        started, before = delayed(m, Const(1), 1), delayed(m, now, 1)
        m.d.sync += [Assume(~started | (before == now)),
                     Assume(~self.tag | self.tag_key.canonical),
                     Assume(~self.scan | self.key.canonical)]
        assume_scan(m, self.scan, self.invalidation, level.scan.busy)

        known = KeyInStore(m, state, "tags.", fixed, value=LineRights, ways=WAYS,
                           index=lambda key: line_index(key, 0))
        known.follow(
            enable=self.tag, way=self.tag_way, key=self.tag_key,
            content=Value.cast(self.tag_rights), valid=self.tag_on, flush=self.flush,
            scan=self.scan, covers=agrees(self.invalidation, self.key, fixed, "line", LINE_BITS))
        m.d.sync += [Assert(~alive | fixed.canonical) for alive in known.alive]
        pages = self._follow_rows(m, state)
        self._check(m, look_up, known, pages)
        return m

    def _follow_rows(self, m, state):
        """The lines of both ways: the environment keeps the order of tags and rows. Returns, for
        each, the page of the fixed number that was written last."""
        pages, rows_come = [], Signal()
        m.d.comb += rows_come.eq(self.row & (self.row_number == self.fixed_page[1:]))
        swept = (state.signal("tags.writer.sweeping")
                 & (state.signal("tags.writer.swept") == 0))
        pending, at = (state.signal(f"tags.writer.{name}") for name in ("pending", "way"))
        for way in range(WAYS):
            on, age, written = Signal(name=f"on_{way}"), Signal(
                range(ROW_AFTER_TAG + 1), name=f"age_{way}"), Signal(name=f"written_{way}")
            page = Signal(LinePage, name=f"page_{way}", reset_less=True)
            tagged, comes = self.tag & (self.tag_way == way), self.row & (self.row_way == way)
            m.d.sync += [
                age.eq(Mux(tagged, 1, Mux(age == ROW_AFTER_TAG, age, age + 1))),
                Assume(~comes | ~(on | tagged | (age < ROW_AFTER_TAG))),
                Assume(~(tagged & self.tag_on) | (~on & written)),
            ]
            with m.If(tagged):
                m.d.sync += on.eq(self.tag_on)
            with m.If(rows_come & comes):
                m.d.sync += [written.eq(1), *(page[name].eq(Mux(
                    self.fixed_page[0], self.row_pages[1][name], self.row_pages[0][name]))
                    for name in ("pfn", "read", "write", "dirty", "extent"))]
            pages.append(page)

            # Of the state: a tag is there only while it is on; the row is what was written.
            word = state.row(f"tags.way_{way}.ram.words", 0)
            held = data.View(row_layout(LineKey, LineRights), unguarded(word)).valid
            m.d.sync += Assert(~held | on | swept | (pending & (at == way)))
            word = state.row_now(m, "rows.ram.words", Cat(
                self.fixed_page[1:], Const(way, 1)))
            pair, found = unguarded(word), Signal(LinePage, name=f"found_{way}")
            m.d.comb += found.eq(Mux(self.fixed_page[0], pair[1::2], pair[::2]))
            with m.If(written):
                m.d.sync += [Assert(found.as_value() == page.as_value()),
                             Assert(sound(parity_sums(word)))]
            m.d.sync += Assert(~on | written)
        return pages

    def _check(self, m, look_up, known, pages):
        """A look-up of the page: what was there when it began."""
        same = Value.cast(self.key) == Value.cast(self.fixed)
        asked = delayed(m, same, 3) & delayed(m, self.page == self.fixed_page, 1)
        allowed = []
        for alive, content in zip(known.alive, known.content):
            rights, then = LineRights(delayed(m, content, 3)), delayed(m, alive, 3)
            readable, writable = Array(rights.readable), Array(rights.writable)
            allowed.append(then & Mux(delayed(m, self.write, 1), writable[self.fixed_page],
                                      readable[self.fixed_page]))
        flushed = Cat(delayed(m, self.flush, ago) for ago in (1, 2, 3)).any()
        scanned, skipped = delayed(m, self.scan, 3), delayed(m, self.skip, 1)
        with m.If(asked & look_up.hit):
            m.d.sync += [Assert(Cat(allowed).any()), Assert(~flushed), Assert(~scanned),
                         Assert(~skipped)]

        # Two cycles later: the page.
        answered, outcome = delayed(m, asked & look_up.hit, 2), look_up.outcome
        told = Cat(outcome.pfn, outcome.rights.read, outcome.rights.write, outcome.rights.dirty,
                   outcome.extent)
        right = []
        for allows, page in zip(allowed, pages):
            then = LinePage(delayed(m, page.as_value(), 5))
            right.append(delayed(m, allows, 2) & (told == Cat(
                then.pfn, then.read, then.write, then.dirty, then.extent)))
        with m.If(answered):
            m.d.sync += [Assert(Cat(right).any()), Assert(~look_up.damaged)]
        m.d.sync += [Cover(answered & one & (outcome.pfn != 0)) for one in right]
