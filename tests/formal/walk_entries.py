"""The walk's decision for a device entry, an entry of the PASID directory and a context equals §4,
steps 2 to 4, for all words of it, for every number of words that the memory sends, and every state
that the walk may be in. Written from the specification's text with literal bit positions.

As in the page tables, a walk that a cache led there denies nothing: it is made again from the
device entry, or is of a device out of the directory's range."""

from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

from siommu.arch.formats import Cause
from siommu.lib.structs import assign
from siommu.pipeline.keys import WalkKey
from siommu.walk.directory import out_of_range
from siommu.walk.state import CLEARED_PER_ENTRY, EntryProgress, Table, WalkState

from .walk_step import CONFIG, decision

__all__ = ["UpperEntryProof"]

WORDS = 4           #: of the longest entry


def _alike(bits):
    return bits.all() | ~bits.any()


class UpperEntryProof(Component):
    """One entry above the page tables, everything free."""

    key: In(WalkKey)
    state: In(WalkState(CONFIG))
    before: In(EntryProgress(CONFIG))
    words: In(data.ArrayLayout(64, WORDS))
    errors: In(WORDS)
    last: In(range(WORDS))      #: number of the last word that comes
    check_ad: In(1)

    def elaborate(self, platform):
        m = Module()
        decided = self._decisions(m)
        key, state, table = self.key, self.state, self.state.table
        m.d.sync += [Assume(table != Table.PAGE_TABLE), Assume(table.as_value() < 5),
                     Assume(~state.line)]
        failed, cause, levels = Signal(), Signal(8), self.words[0][6:8]
        device, context = table == Table.DEVICE, table == Table.CONTEXT
        number = Mux(device, 1, Mux(context, 3, 0))
        m.d.comb += failed.eq((self.last != number) | Cat(
            error & (self.last >= word) for word, error in enumerate(self.errors)).any())

        at_entry, bypass = Signal(), Signal()
        following = {name: Signal(width, name=f"expected_{name}") for name, width in (
            ("table", 3), ("entry", 52), ("level", 3))}
        m.d.comb += at_entry.eq(1)
        with m.If(failed):
            m.d.comb += cause.eq(Cause.TABLE_ERROR.value)
        with m.Elif(device):
            m.d.comb += [cause.eq(self._device(m, following, at_entry, bypass))]
        with m.Elif(context):
            m.d.comb += [cause.eq(self._context(m, following, at_entry))]
        with m.Else():
            m.d.comb += [cause.eq(self._directory(m, following))]

        led, again = Signal(), Signal()
        m.d.comb += [led.eq(state.cached & (cause != 0)),
                     again.eq(led & ~state.speculative & ~out_of_range(key, 0))]
        outcome, finishes = decided["outcome"], bypass | (cause != 0)
        m.d.sync += [
            Assert(decided["finish"] == (finishes & ~again)),
            Assert(decided["read"] == ~decided["finish"]), Assert(~decided["region"].valid),
            Assert(decided["restart"] == (led & ~state.speculative)),
        ]
        with m.If(decided["finish"] & (cause != 0)):
            quiet = Mux(device, ~failed & self.words[0][0] & self.words[0][5], state.quiet)
            m.d.sync += [
                Assert(outcome.cause.as_value() == Mux(led, Cause.DEVICE_INVALID.value, cause)),
                Assert(outcome.disposition.as_value() == 0),
                Assert(outcome.level == Mux(~led & at_entry, Mux(device, 7, 6), 0)),
                Assert(outcome.entry == Mux(~led & at_entry, state.entry, 0)),
                Assert(outcome.quiet == (~state.cached & quiet)),
            ]
        with m.If(decided["finish"] & (cause == 0)):
            m.d.sync += [
                Assert(outcome.cause == Cause.OK), Assert(outcome.rights.size.as_value() == 3),
                Assert(outcome.rights.read & outcome.rights.write & outcome.rights.dirty),
            ]
        with m.If(~finishes):
            self._follows(m, decided["following"], following)
        self._caches(m, decided, failed, cause)
        for each in (Cause.DEVICE_INVALID, Cause.FT_DISABLED, Cause.PASID_INVALID,
                     Cause.TABLE_ABSENT, Cause.NON_CANONICAL, Cause.ENTRY_RESERVED,
                     Cause.TABLE_ERROR, Cause.OK):
            m.d.sync += Cover(decided["finish"] & (outcome.cause == each) & ~state.cached)
        m.d.sync += [Cover(again), Cover(~finishes & device & (levels == 0)),
                     Cover(~finishes & context & (following["level"] == 5) & key.ft),
                     Cover(~finishes & context & (following["level"] == 3))]
        return m

    def _decisions(self, m):
        """Passes the words through the walker's own step, one after the other. What it says of the
        last one."""
        progress, said = Signal(EntryProgress(CONFIG), name="progress_0"), []
        m.d.comb += assign(progress, {
            name: 0 if name in CLEARED_PER_ENTRY else self.before[name]
            for name, _ in self.before.shape()})
        for number in range(WORDS):
            step = decision(m, f"step_{number}", key=self.key, state=self.state,
                            word=self.words[number], error=self.errors[number],
                            check_ad=self.check_ad, last=self.last == number, progress=progress)
            m.d.sync += Assert(~((step.finish | step.read) & (self.last != number)))
            progress = step.progress
            said.append(step)
        names = ("finish", "read", "restart", "outcome", "following", "device", "context", "region")
        return {name: Array(getattr(step, name) for step in said)[self.last] for name in names}

    def _device(self, m, following, at_entry, bypass):
        """§3.1, and the PASID's reach."""
        (first, second, *_), key = self.words, self.key
        levels, pfn, cause = first[6:8], first[12:52], Signal(8, name="cause_of_device")
        beyond = Mux(levels == 0, key.pasid[7:].any(), (levels == 1) & key.pasid[16:].any())
        index = Mux(levels == 2, key.pasid[16:20], Mux(
            levels == 1, key.pasid[7:16], key.pasid[0:7] << 2))
        m.d.comb += [
            following["table"].eq(Mux(levels == 2, 1, Mux(levels == 1, 2, 3))),
            following["entry"].eq(Cat(Const(0, 3), index[:9], pfn)),
        ]
        with m.If(~first[0]):
            m.d.comb += cause.eq(Cause.DEVICE_INVALID.value)
        with m.Elif(first[8:12].any() | first[52:].any() | (levels == 3) | second[10:].any()):
            m.d.comb += cause.eq(Cause.ENTRY_RESERVED.value)
        with m.Elif(~Mux(key.ft, first[2], first[1])):
            m.d.comb += cause.eq(Cause.FT_DISABLED.value)
        with m.Elif(Mux(key.ft, first[4], first[3])):
            m.d.comb += bypass.eq(1)
        with m.Elif(beyond):
            m.d.comb += [cause.eq(Cause.PASID_INVALID.value), at_entry.eq(0)]
        return cause

    def _directory(self, m, following):
        """§3.2, an entry of the PASID directory."""
        word, key, cause = self.words[0], self.key, Signal(8, name="cause_of_directory")
        high = self.state.table == Table.DIRECTORY_HIGH
        m.d.comb += [
            following["table"].eq(Mux(high, 2, 3)),
            following["entry"].eq(Cat(Const(0, 3), Mux(
                high, key.pasid[7:16], key.pasid[0:7] << 2)[:9], word[12:52])),
        ]
        with m.If(~word[0]):
            m.d.comb += cause.eq(Cause.PASID_INVALID.value)
        with m.Elif(word[1:12].any() | word[52:].any()):
            m.d.comb += cause.eq(Cause.ENTRY_RESERVED.value)
        return cause

    def _context(self, m, following, at_entry):
        """§3.2, a context, and step 4."""
        (memory, storage, other, rest), key = self.words, self.key
        cause, levels = Signal(8, name="cause_of_context"), Signal(3)
        root, page = Mux(key.ft, storage, memory), key.page     # of bits 63:12 of the address
        fmt = Mux(key.ft, 0, memory[2:4])
        m.d.comb += levels.eq(Mux(fmt == 0, Mux(root[1], 5, 4), fmt + 2))
        canonical = Mux(levels == 3, _alike(page[26:]), Mux(
            levels == 4, _alike(page[35:]), _alike(page[44:])))
        index = Mux(levels == 3, page[18:27], Mux(levels == 4, page[27:36], page[36:45]))
        m.d.comb += [following["table"].eq(4), following["level"].eq(levels),
                     following["entry"].eq(Cat(Const(0, 3), index, root[12:52]))]
        with m.If(memory[4:12].any() | memory[52:].any() | storage[2:12].any() | storage[52:].any()
                  | other[6:].any() | rest.any() | (memory[0] & memory[1] & memory[2:4].any())):
            m.d.comb += cause.eq(Cause.ENTRY_RESERVED.value)
        with m.Elif(~memory[0] & ~storage[0]):
            m.d.comb += cause.eq(Cause.PASID_INVALID.value)
        with m.Elif(~root[0]):
            m.d.comb += cause.eq(Cause.TABLE_ABSENT.value)
        with m.Elif(~canonical):
            m.d.comb += [cause.eq(Cause.NON_CANONICAL.value), at_entry.eq(0)]
        return cause

    def _follows(self, m, following, expected):
        """What is read next, and what is known then."""
        first, second, other, _ = self.words
        ft, state, table = self.key.ft, self.state, self.state.table
        m.d.sync += [
            Assert(following.table.as_value() == expected["table"]),
            Assert(following.entry == expected["entry"]), Assert(~following.line),
            Assert(following.cached == state.cached),
            Assert(following.speculative == state.speculative),
            Assert(following.devid == Mux(table == Table.DEVICE, second[:10], state.devid)),
            Assert(following.quiet == Mux(table == Table.DEVICE, first[5], state.quiet)),
        ]
        with m.If(table == Table.CONTEXT):
            m.d.sync += [
                Assert(following.level == expected["level"]),
                Assert(following.write & ~following.no_read),
                Assert(following.deny == Mux(ft, other[2:4], other[0:2])),
                Assert(following.absent == Mux(ft, 0, other[4:6])),
                Assert(following.entry_format == (~ft & first[2:4].any())),
            ]

    def _caches(self, m, decided, failed, cause):
        """What is kept of an entry is what it says, and only of one that is whole and valid. That
        of a context is kept though the address is not canonical, for others of the process."""
        first, second, other, _ = self.words
        device, context, ft, table = (
            decided["device"], decided["context"], self.key.ft, self.state.table)
        with m.If(device.valid):
            kept = device.payload
            m.d.sync += [
                Assert(table == Table.DEVICE), Assert(~failed),
                Assert((cause == 0) | (cause == Cause.PASID_INVALID.value)),
                Assert(kept.devid == second[:10]), Assert(kept.pfn == first[12:52]),
                Assert(kept.levels == first[6:8]),
                Assert(Cat(kept.mem_en, kept.sto_en, kept.mem_bypass, kept.sto_bypass)
                       == first[1:5]),
            ]
        with m.If(context.valid):
            kept = context.payload
            m.d.sync += [
                Assert(table == Table.CONTEXT), Assert(~failed),
                Assert((cause == 0) | (cause == Cause.NON_CANONICAL.value)),
                Assert(kept.root == Mux(ft, second, first)[12:52]),
                Assert(kept.paging.l5 == Mux(ft, second, first)[1]),
                Assert(kept.paging.fmt == Mux(ft, 0, first[2:4])),
                Assert(kept.deny == Mux(ft, other[2:4], other[0:2])),
                Assert(kept.devid == self.state.devid),
            ]
