"""What is kept of the words of a line is what each of them grants, as the walk's own decision says
(proof ``walk-step``), at its own place in the line; of a word with a bus error, nothing. Complete:
a word passes in two cycles, and nothing of before counts."""

from amaranth.hdl import Assert, Cat, Cover, Module, Signal
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.lib.structs import assign
from siommu.pipeline.lines import LeafPage
from siommu.walk.leaf import decode_leaf, leaf_page
from siommu.walk.neighbours import Neighbours
from siommu.walk.state import Beat, WalkState

from .temporal import delayed

__all__ = ["NeighboursProof"]

CONFIG = Config()


class NeighboursProof(Component):
    """Beats of a bus of 64 bits, everything free."""

    comes: In(1)
    beat: In(Beat(CONFIG.axi_data_width))
    state: In(WalkState(CONFIG))
    ft: In(1)
    check_ad: In(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.neighbours = neighbours = Neighbours(CONFIG)
        m.d.comb += [
            neighbours.beat.valid.eq(self.comes), neighbours.beat.payload.eq(self.beat),
            neighbours.state.eq(self.state), neighbours.ft.eq(self.ft),
            neighbours.check_ad.eq(self.check_ad),
        ]
        beat, state, expected = self.beat, self.state, Signal(LeafPage)
        page = Signal(4)        # of a NAPOT mapping: the number in the line, and the line's
        m.d.comb += page.eq(Cat((state.entry[3:6] + beat.count)[:3], state.entry[6]))
        leaf = decode_leaf(m, beat.data, ft=self.ft, page=page, entry_format=state.entry_format)
        steady = delayed(m, self.check_ad, 1) == self.check_ad     # it is looked at a cycle later
        m.d.comb += assign(expected, leaf_page(
            leaf, fits=leaf.is_of(ft=self.ft, devid=state.devid), above=state,
            check_ad=self.check_ad))

        words = neighbours.words
        then, slot, number, error = (delayed(m, each, 2) for each in (
            expected.as_value(), beat.slot, page[:3], beat.error))
        then = LeafPage(then)
        m.d.sync += Assert(words.valid == delayed(m, self.comes & beat.of_line, 2))
        half, counts = number[0], words.valid & delayed(m, steady, 1)
        with m.If(words.valid):
            m.d.sync += [Assert(words.slot == slot), Assert(words.row == number[1:]),
                         Assert(words.enable == 1 << half)]
        for each in range(2):
            told = words.pages[each]
            with m.If(counts & (half == each)):
                m.d.sync += [Assert(told.read == (then.read & ~error)),
                             Assert(told.write == (then.write & ~error))]
                with m.If(told.read | told.write):
                    m.d.sync += [Assert(told.pfn == then.pfn), Assert(told.dirty == then.dirty)]
            m.d.sync += Cover(counts & (half == each) & told.write & told.dirty)
        m.d.sync += Cover(counts & error & then.read)
        return m
