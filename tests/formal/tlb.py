"""The TLB, for one arbitrary fixed key and every history of look-ups, fills, drops and flushes.

For all time, by induction over the tags (:class:`TlbPresenceProof`):

* at most one entry ever matches;
* it hits only if a fill that covers the key was committed after the last flush, and the last
  invalidation that matches the key (§6), and before the look-up compared; and only if the newest
  such fill allows what is asked.

Up to a bound that lets every entry be replaced several times (:class:`TlbContentProof`):

* what it answers is what that fill wrote.
"""

from amaranth.hdl import Assert, Assume, Cat, Cover, Fragment, Module, Mux, Signal
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.arch.formats import PFN_BITS, Size
from siommu.pipeline.events import Invalidation
from siommu.pipeline.grants import Translation
from siommu.pipeline.keys import TlbKey
from siommu.pipeline.sizes import LINE_BITS
from siommu.pipeline.timetable import FILL_SPACING
from siommu.tlb.entry import spanned
from siommu.tlb.first_level import FirstLevelTlb

from .temporal import delayed
from .walk_cache import agrees

__all__ = ["TlbPresenceProof", "TlbContentProof"]


def _contains(key, mask, rights, fixed):
    """Whether the mapping of a fill contains the page of ``fixed`` (§2.1, §3.3): written out here
    once more, independently of the TLB's own comparison."""
    device = (key.ft == fixed.ft) & (key.device == fixed.device)
    space = device & (key.pasid == fixed.pasid) & (key.canonical == fixed.canonical)
    same_line = key.vpn >> LINE_BITS == fixed.vpn >> LINE_BITS
    in_mask = (mask >> (fixed.vpn & 7))[0]
    same_2m = key.vpn >> 9 == fixed.vpn >> 9
    same_1g = key.vpn >> 18 == fixed.vpn >> 18
    return Mux(rights.size == Size.BYPASS, device, space & Mux(
        rights.size == Size.PAGE_4K, same_line & in_mask,
        Mux(rights.size == Size.PAGE_2M, same_2m, same_1g)))


class TlbPresenceProof(Component):
    """A TLB of two entries with free inputs. ``fixed`` is any key, always the same."""

    contents = False

    fixed: In(TlbKey)
    key: In(TlbKey)
    write: In(1)
    fill: In(1)
    translation: In(Translation)
    commit: In(1)
    drop: In(1)
    invalidation: In(Invalidation)
    flush: In(1)

    def elaborate(self, platform):
        m = Module()
        tlb = FirstLevelTlb(Config(tlb_entries=2))
        m.submodules.tlb = Fragment.get(tlb, platform)  # now: its state is named below
        look_up, fill = tlb.look_up, tlb.fill
        m.d.comb += [
            look_up.key.eq(self.key), look_up.far_key.eq(self.key), look_up.write.eq(self.write),
            fill.valid.eq(self.fill), fill.translation.eq(self.translation),
            fill.commit.eq(self.commit), tlb.flush.eq(self.flush),
            tlb.drop.valid.eq(self.drop), tlb.drop.invalidation.eq(self.invalidation),
        ]
        fixed = self.fixed

        # The environment's part of the contract.
        started, before = Signal(), Signal(TlbKey)
        changes, recent = self.fill | self.drop, Signal(FILL_SPACING - 1)
        m.d.sync += [started.eq(1), before.eq(fixed), recent.eq(Cat(changes, recent))]
        m.d.sync += Assume(~started | (before.as_value() == fixed.as_value()))
        m.d.sync += [Assume(~(changes & recent.any())), Assume(~(self.fill & self.drop))]

        # Of a larger mapping, every page of the line is there.
        filled = self.translation
        m.d.sync += Assume((filled.rights.size == Size.PAGE_4K) | filled.mask.all())

        # What the newest fill that covers the key wrote: two cycles after its compare.
        covers = delayed(m, self.fill & _contains(self.key, filled.mask, filled.rights, fixed), 2)
        translation = delayed(m, filled, 2)
        written = Signal()
        m.d.comb += written.eq(covers & self.commit & ~self.flush)
        present, content = Signal(), Signal(Translation)
        with m.If(written):
            m.d.sync += [present.eq(1), content.eq(translation)]
        # An invalidation is of one half of the address space.
        covered = agrees(self.invalidation, self.key, fixed, "vpn", 0) & (
            ~self.invalidation.by_addr | (self.key.canonical == fixed.canonical))
        dropped = delayed(m, self.drop & covered, 2)
        with m.If(self.flush | dropped):
            m.d.sync += present.eq(0)

        # A look-up of the key, two cycles after its compare.
        asked = delayed(m, ~changes & (self.key.as_value() == fixed.as_value()), 2)
        then_present, then = delayed(m, present, 2), delayed(m, content, 2)
        then_write = delayed(m, self.write, 2)
        page = fixed.vpn[:LINE_BITS]
        where, behind = Signal(PFN_BITS), Signal(LINE_BITS)
        m.d.comb += [where.eq(then.base + page), behind.eq(then.last - page)]
        allowed = then.rights
        with m.If(asked & look_up.hit):
            m.d.sync += [
                Assert(then_present),
                Assert(Mux(then_write, allowed.write & allowed.dirty, allowed.read)),
            ]
            if self.contents:
                m.d.sync += [
                    Assert(look_up.outcome.rights.as_value() == allowed.as_value()),
                    Assert(look_up.outcome.pfn == where),
                    Assert(look_up.outcome.extent == behind),
                ]
        # Of the state: never two entries for one page, and none that was not filled.
        held = Cat(valid & _contains(tag.key, tag.mask, tag.rights, fixed)
                   for valid, tag in zip(tlb.tags.valid, tlb.tags.tags))
        m.d.sync += [Assert(~held.all()), Assert(~held.any() | present)]
        m.d.sync += [Cover(asked & look_up.hit & then_write & recent.any()),
                     Cover(dropped & held.any() & ~self.flush)]
        for valid, tag in zip(tlb.tags.valid, tlb.tags.tags):
            with m.If(valid):
                m.d.sync += [Assert(tag.spans[name] == value)
                             for name, value in spanned(tag.rights.size).items()]
                m.d.sync += Assert((tag.rights.size == Size.PAGE_4K) | tag.mask.all())
        for bit, tag in zip(held, tlb.tags.tags):
            with m.If(bit):
                m.d.sync += Assert(tag.rights.as_value() == content.rights.as_value())
        return m


class TlbContentProof(TlbPresenceProof):
    """The same, with what is answered."""

    contents = True
