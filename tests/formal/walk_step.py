"""The walk's decision for a page-table entry equals §4, steps 5 to 7, for every 64-bit entry, at
every level, in either format, for every state that the walk may be in. Written from the
specification's text with literal bit positions; only the order of the steps is the same.

A speculative walk, which no request waits for, differs in three things: it is content with either
right, it does not look at D, and if it read a line, what ends it without a bus error is told as a
grant of no rights. A walk that a cache led to its entry denies nothing (§4): it is made again from
the device entry, or is of a device out of the directory's range."""

from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.arch.formats import Cause
from siommu.lib.structs import assign
from siommu.pipeline.keys import WalkKey
from siommu.pipeline.lines import LeafPage
from siommu.pipeline.tables import reach
from siommu.walk.decode import WordDecoder
from siommu.walk.directory import out_of_range
from siommu.walk.leaf import decode_leaf, leaf_page
from siommu.walk.state import Table, WalkState, reserved_bits, words_minus_one
from siommu.walk.step import WordStep

__all__ = ["CONFIG", "TableEntryProof", "decision"]


CONFIG = Config()


def decision(m, name, *, key, state, word, error, check_ad, last=1, **known):
    """The walker's own decision for a word (:class:`WordStep`), with all that it is told of it;
    ``known``: further fields of its :class:`siommu.walk.state.WalkWord`."""
    m.submodules[f"{name}_facts"], m.submodules[name] = facts, step = \
        WordDecoder(CONFIG), WordStep(CONFIG)
    m.d.comb += [
        facts.key.eq(key), facts.state.eq(state), facts.word.eq(word), facts.error.eq(error),
        facts.last.eq(last), facts.check_ad.eq(check_ad), step.check_ad.eq(check_ad),
        *assign(facts.reserved, reserved_bits(word, CONFIG)),
        *assign(step.word, {"says": facts.says, "key": key, "state": state, "content": word,
                            "out_of_range": out_of_range(key, 0), **known}),
        *assign(step.word.reach, reach(key, CONFIG)),
    ]
    return step


class TableEntryProof(Component):
    """One word of a page table, everything free."""

    key: In(WalkKey)
    state: In(WalkState(CONFIG))
    word: In(64)
    error: In(1)
    check_ad: In(1)

    def _x86(self):
        """What §3.3 says of the word, by name."""
        word, state, ft, level = self.word, self.state, self.key.ft, self.state.level
        w, u, a, d, ps, nr, is_fte = (word[bit] for bit in (1, 2, 5, 6, 7, 9, 10))
        large = ps & ((level == 2) | (level == 3))
        return {
            "leaf": (level == 1) | large,
            "reserved": ps & (((level == 2) & ((word & 0x1F_E000) != 0))
                              | ((level == 3) & ((word & 0x3FFF_E000) != 0))
                              | (level == 4) | (level == 5)),
            "supervisor": ~u, "unaccessed": ~a, "dirty": d,
            "other_ft": is_fte != ft, "other_device": ft & (word[52:62] != state.devid),
            "write": state.write & w, "no_read": state.no_read | Mux(ft, nr, 0),
            "number": word[12:52], "given": Const(0, 40), "size": (level - 1)[:2],
        }

    def _riscv(self):
        """The same of §3.4. Rights, U, A and D are those of leaves, whatever is above."""
        word, level, page = self.word, self.state.level, self.key.page
        r, w, x, u, a, d, n = (word[bit] for bit in (1, 2, 3, 4, 6, 7, 63))
        pbmt, leaf = word[61:63], r | w | x
        misaligned = Cat((level == above) & ((word & low << 10) != 0) for above, low in (
            (2, 0x1FF), (3, 0x3_FFFF), (4, 0x7FF_FFFF), (5, 0xF_FFFF_FFFF))).any()
        group = n & (level == 1) & (word[10:14] == 8)
        # Of a larger leaf than 1 GiB: the GiB, that it is a part, and whether the next one follows.
        goes_on = Mux(level == 4, page[18:27] != 0x1FF, page[18:36] != 0x3FFFF)
        given = Mux(leaf & (level >= 4), Cat(
            Const(0, 16), Const(1, 1), goes_on, page[18:27], Mux(level == 5, page[27:36], 0)), 0)
        return {
            "leaf": leaf,
            "reserved": (word[50:61] != 0) | (w & ~r)
            | (~leaf & ((level == 1) | a | d | u | n | (pbmt != 0)))
            | (leaf & ((pbmt == 3) | (n & ~group) | misaligned)),
            "supervisor": leaf & ~u, "unaccessed": leaf & ~a, "dirty": d,
            "other_ft": self.key.ft, "other_device": Const(0, 1),
            "write": ~leaf | w, "no_read": leaf & ~r,
            "number": Mux(group, Cat(page[0:4], word[14:50]), word[10:50]), "given": given,
            "size": Mux(level > 3, 2, level - 1)[:2],
        }

    def elaborate(self, platform):
        m = Module()
        word, key, state = self.word, self.key, self.state
        ft, level, riscv = key.ft, state.level, state.entry_format
        step = decision(m, "step", key=key, state=state, word=word, error=self.error,
                        check_ad=self.check_ad)
        m.d.sync += [
            Assume(state.table == Table.PAGE_TABLE),
            Assume((level >= 1) & (level <= 5)),
            # what was gathered on the way for FT = 0 holds no NR
            Assume(ft | ~state.no_read),
            # no right is gathered in a RISC-V table
            Assume(~riscv | (state.write & ~state.no_read)),
        ]

        says = {}
        for (name, one), other in zip(self._x86().items(), self._riscv().values()):
            says[name] = Signal(len(one), name=f"says_{name}")
            m.d.comb += says[name].eq(Mux(riscv, other, one))
        leaf, write_all, no_read_any = says["leaf"], says["write"], says["no_read"]

        cause, disposition = Signal(8), Signal(2)

        def ends(why, how=0):
            m.d.comb += [cause.eq(why.value), disposition.eq(how)]

        def reported(bits):
            return Mux(bits == 3, 0, bits)

        with m.If(self.error):
            ends(Cause.TABLE_ERROR)
        with m.Elif(~word[0]):
            ends(Cause.NOT_PRESENT, reported(Mux(state.absent == 0, word[1:3], state.absent)))
        with m.Elif(says["reserved"]):
            ends(Cause.ENTRY_RESERVED)
        with m.Elif(says["supervisor"]):
            ends(Cause.SUPERVISOR)
        with m.Elif(self.check_ad & says["unaccessed"]):
            ends(Cause.ACCESS_FLAG, 2)
        with m.Elif(leaf & says["other_ft"]):
            ends(Cause.FT_MISMATCH)
        with m.Elif(leaf & says["other_device"]):
            ends(Cause.DEVICE_MISMATCH)
        with m.Elif(leaf & ~key.write & no_read_any & ~(state.speculative & write_all)):
            ends(Cause.READ_DENIED, reported(state.deny))
        with m.Elif(leaf & key.write & ~write_all & ~(state.speculative & ~no_read_any)):
            ends(Cause.WRITE_DENIED, reported(state.deny))
        with m.Elif(leaf & self.check_ad & key.write & ~says["dirty"] & ~state.speculative):
            ends(Cause.ACCESS_FLAG, 2)

        outcome, empty, led, again = step.outcome, Signal(), Signal(), Signal()
        m.d.comb += [
            empty.eq(state.speculative & state.line & (cause != 0) & ~self.error),
            led.eq(state.cached & (cause != 0)),
            again.eq(led & ~state.speculative & ~out_of_range(key, 0)),
        ]
        m.d.sync += [
            Assert(step.finish == ((leaf | (cause != 0)) & ~again)),
            Assert(step.read == ~step.finish), Assert(step.restart == (led & ~state.speculative)),
            Assert(~again | ~step.region.valid), Cover(again), Cover(led & step.finish & ~empty),
        ]
        m.d.sync += Assert(~step.context.valid & ~step.device.valid)
        with m.If(step.finish):
            with m.If(empty):
                m.d.sync += [Assert(outcome.cause == Cause.OK), Assert(~outcome.rights.read),
                             Assert(~outcome.rights.write)]
            with m.Else():
                m.d.sync += [
                    Assert(outcome.cause.as_value() == Mux(led, Cause.DEVICE_INVALID.value, cause)),
                    Assert(outcome.disposition.as_value() == Mux(led, 0, disposition)),
                ]
            with m.If(cause != 0):
                m.d.sync += [Assert(outcome.level == Mux(led, 0, level)),
                             Assert(outcome.entry == Mux(led, 0, state.entry))]
            with m.Else():
                m.d.sync += [
                    Assert(outcome.pfn == says["number"] | says["given"]),
                    Assert(outcome.rights.size.as_value() == says["size"]),
                    Assert(outcome.rights.read == ~no_read_any),
                    Assert(outcome.rights.write == write_all),
                    Assert(outcome.rights.dirty == (says["dirty"] | ~self.check_ad)),
                ]
        with m.Elif(~again):
            index = Signal(9)
            with m.Switch(level - 1):
                for below in range(1, 5):
                    with m.Case(below):
                        m.d.comb += index.eq(key.page[9 * below - 9:9 * below])
            following = step.following
            m.d.sync += [
                Assert(following.level == level - 1),
                Assert(following.entry == Cat(Const(0, 3), index, says["number"])),
                Assert(following.write == write_all),
                Assert(following.no_read == no_read_any),
                Assert(following.devid == state.devid),
                Assert(following.entry_format == riscv),
                Assert(following.deny == state.deny),
                Assert(following.absent == state.absent),
                Assert(words_minus_one(following.table) == 0),
                Assert(following.cached == state.cached),
                Assert(following.line == (level == 2)),
                Assert(step.region.valid == (level == 2)),
            ]
            with m.If(step.region.valid):
                m.d.sync += [
                    Assert(step.region.payload.table == says["number"]),
                    Assert(step.region.payload.entry_format == riscv),
                    Assert(step.region.payload.write == write_all),
                    Assert(step.region.payload.no_read == no_read_any),
                    Assert(step.region.payload.devid == state.devid),
                ]

        # The same word as somebody's neighbour: it grants a read, or a write, exactly if a walk
        # that asked for it would have ended in a grant.
        neighbour = Signal(LeafPage)
        entry = decode_leaf(m, word, ft=ft, page=key.page[:4], entry_format=riscv)
        m.d.comb += assign(neighbour, leaf_page(
            entry, fits=entry.is_of(ft=ft, devid=state.devid), above=state,
            check_ad=self.check_ad))
        with m.If((level == 1) & ~self.error & ~state.speculative):
            asked = Mux(key.write, neighbour.write & neighbour.dirty, neighbour.read)
            m.d.sync += Assert(asked == (cause == 0))
            with m.If(asked):
                m.d.sync += [
                    Assert(neighbour.pfn == outcome.pfn),
                    Assert(neighbour.read == outcome.rights.read),
                    Assert(neighbour.write == outcome.rights.write),
                    Assert(neighbour.dirty == outcome.rights.dirty),
                ]
        for each in Cause:
            if each in (Cause.NOT_PRESENT, Cause.FT_MISMATCH, Cause.DEVICE_MISMATCH,
                        Cause.READ_DENIED, Cause.WRITE_DENIED, Cause.SUPERVISOR,
                        Cause.ENTRY_RESERVED, Cause.TABLE_ERROR, Cause.ACCESS_FLAG):
                m.d.sync += Cover(step.finish & (outcome.cause == each) & ~riscv)
                if each not in (Cause.FT_MISMATCH, Cause.DEVICE_MISMATCH):
                    m.d.sync += Cover(step.finish & (outcome.cause == each) & riscv)
        for each in range(1, 6):
            granted = step.finish & (outcome.cause == Cause.OK) & ~empty & (level == each)
            m.d.sync += Cover(granted & riscv)
            if each < 4:
                m.d.sync += Cover(granted & ~riscv)
        m.d.sync += Cover(step.finish & (outcome.cause == Cause.OK) & riscv & word[63])
        m.d.sync += Cover(step.finish & empty)
        return m
