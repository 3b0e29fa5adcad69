"""The unified first-level TLB: a fully associative CAM for FT = 0 and FT = 1.

The tag holds FT, device, PASID and line, so that no translation is ever found by another process,
device or address space, and a bit for each of the line's eight pages: contiguous leaves of equal
rights share one entry. One pipeline serves look-ups, fills and drops::

    compare           select                      ANSWER, TAGS
    TagArray          HitPath: row of the entry   hit, outcome
    (cycle n)         FillPath: what overlaps     tags change
                      (n + 1)                     (n + 2)

A fill travels the same pipeline: its compare finds every entry that overlaps it, and its third
stage drops those and writes the new tag. So at most one entry matches a page, whatever the tables
hold. The tag is written in cycle n + 2 and the RAM in n + 3: a look-up that compared before the
tag changed still reads the entry that belonged to the old tag, one that compared after reads the
new one. The rights stand in both: in the tag to decide the match, in the RAM to be answered.

Entries hold grants only, and a look-up hits only where the entry allows what is asked: a fault is
never answered from here (§4, "Caches only grant").
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..lib.contract import require
from ..lib.payload import later
from ..lib.plru import TreePlru
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import FILL_SPACING, Stage
from .fill_path import Drop, Fill, FillPath
from .hit_path import FirstLookUp, HitPath
from .tags import TagArray

__all__ = ["FirstLevelTlb"]


class FirstLevelTlb(wiring.Component):
    """The first-level TLB.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    tags : TagArray
        Its state, for proofs.

    Members
    -------
    look_up : In(FirstLookUp)
        One in every cycle in which there is no fill and no drop.
    fill : In(Fill), drop : In(Drop)
        At least ``FILL_SPACING`` cycles lie between two of them. A drop takes whatever lies in
        the same line, 2 MiB or 1 GiB, whichever is the first that holds all of its pages.
    flush : In(1)
        Drops every entry, and the fill in TAGS.
    matches : Out(tlb_entries)
        Of a look-up, in the select stage: the entries that hold the page, at most one.
    """

    def __init__(self, config: Config):
        self._config, self._entries = config, config.tlb_entries
        self.tags = TagArray(config)
        super().__init__({
            "look_up": In(FirstLookUp()),
            "fill": In(Fill()),
            "drop": In(Drop()),
            "flush": In(1),
            "matches": Out(config.tlb_entries),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.tags = tags = self.tags
        m.submodules.fills = fills = FillPath(self._config)
        m.submodules.hits = hits = HitPath(self._entries)
        m.submodules.plru = plru = TreePlru(self._entries)
        look_up = self.look_up
        m.d.comb += [
            tags.key.eq(look_up.key), tags.far_key.eq(look_up.far_key),
            tags.write.eq(look_up.write), tags.flush.eq(self.flush),
            tags.mask.eq(self.fill.translation.mask), tags.drop.eq(self.drop.valid),
            fills.key.eq(look_up.key), fills.victims.eq(plru.victims),
            hits.page.eq(look_up.key.vpn[:LINE_BITS]), hits.changes.eq(fills.selecting),
            look_up.hit.eq(hits.hit), look_up.outcome.eq(hits.outcome), look_up.last.eq(hits.last),
            self.matches.eq(tags.compared.matches),
        ]
        connect(m, flipped(self.fill), fills.fill)
        connect(m, flipped(self.drop), fills.drop)
        connect(m, fills.change, tags.change)
        connect(m, fills.row_write, hits.row_write)
        connect(m, tags.compared, fills.compared, hits.compared)
        # No look-up's stage is a fill's: so both are told of in one cycle, in TAGS.
        late = Stage.TAGS - Stage.ANSWER
        m.d.sync += [
            plru.touch.eq(later(m, hits.hit, late, name="hit") | fills.filled),
            plru.touched.eq(Mux(fills.filled, fills.place,
                                later(m, hits.entry, late, name="hit_entry"))),
        ]

        changes, recent = Signal(), Signal(FILL_SPACING - 1)
        m.d.comb += changes.eq(self.fill.valid | self.drop.valid)
        m.d.sync += recent.eq(Cat(changes, recent))
        require(m, ~(changes & recent.any()),
                f"two fills or drops of the first-level TLB are {FILL_SPACING} cycles apart")
        require(m, ~(self.fill.valid & self.drop.valid),
                "a fill of the first-level TLB is no drop")
        return m
