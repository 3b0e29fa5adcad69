"""What every format of page-table entries shares: when it is asked, dispositions, indexes."""

from amaranth.hdl import Const, Module, Signal

from siommu.arch.formats import Disposition
from siommu.pipeline.paging import FORMAT_BITS, LEVELS, table_index
from siommu.walk.entry import decode, reported, reserved_by_level

from ...support.simulate import simulate

FORMAT = Const(0, FORMAT_BITS)


def test_reserved_may_be_asked_before():
    """``decode`` takes what was said of the word before its level was known."""
    m = Module()
    word, level, early, late = Signal(64), Signal(3), Signal(), Signal()
    before = Signal(LEVELS)
    m.d.comb += [
        before.eq(reserved_by_level(word)),
        early.eq(decode(word, level=level, ft=0, entry_format=FORMAT, reserved=before).reserved),
        late.eq(decode(word, level=level, ft=0, entry_format=FORMAT).reserved),
    ]
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for value, expected in ((0x87, 0b11000), (0x2087, 0b11110), (0x20_0087, 0b11100), (7, 0)):
            ctx.set(word, value)
            for at in range(1, LEVELS + 1):
                ctx.set(level, at)
                await ctx.delay(1e-9)
                assert ctx.get(before) == expected
                assert ctx.get(early) == ctx.get(late) == expected >> at - 1 & 1
    simulate(m, bench)


def test_whose_leaf_it_is():
    m = Module()
    word, ft, devid, fits = Signal(64), Signal(), Signal(10), Signal()
    m.d.comb += fits.eq(decode(word, level=1, ft=ft, entry_format=FORMAT).is_of(ft=ft, devid=devid))
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for value, of_ft, of_devid, expected in (
                (0x0050_0000_0000_0000, 0, 9, 1), (0x0050_0000_0000_0400, 0, 5, 0),
                (0x0050_0000_0000_0400, 1, 5, 1), (0x0050_0000_0000_0400, 1, 4, 0),
                (0x2050_0000_0000_0400, 1, 5, 0), (0x0050_0000_0000_0000, 1, 5, 0),
                (0xC050_0000_0000_0400, 1, 5, 1)):
            ctx.set(word, value)
            ctx.set(ft, of_ft)
            ctx.set(devid, of_devid)
            await ctx.delay(1e-9)
            assert ctx.get(fits) == expected, hex(value)
    simulate(m, bench)


def test_dispositions_and_indexes():
    m = Module()
    bits, page, out = Signal(2), Signal(52), Signal(2)
    indexes = [Signal(9, name=f"index_{level}") for level in range(1, LEVELS + 1)]
    m.d.comb += [out.eq(reported(bits)), *(index.eq(table_index(page, level))
                                           for level, index in enumerate(indexes, 1))]
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for value, expected in enumerate((Disposition.DENY, Disposition.OS, Disposition.REMAP,
                                          Disposition.DENY)):
            ctx.set(bits, value)
            await ctx.delay(1e-9)
            assert ctx.get(out) == expected.value
        ctx.set(page, 0xFEDC_BA98_7654_3210 >> 12)      # address bits 20:12, 29:21, … 56:48
        await ctx.delay(1e-9)
        assert [ctx.get(index) for index in indexes] == [0x143, 0x1B2, 0x061, 0x175, 0x0DC]
    simulate(m, bench)
