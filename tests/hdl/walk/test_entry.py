"""What every format of page-table entries shares: when it is asked, dispositions, indexes."""

from amaranth.hdl import Cat, Const, Module, Signal

from siommu.arch.formats import Disposition
from siommu.lib.structs import assign
from siommu.pipeline.paging import LEVELS, table_index
from siommu.walk.entry import FORMATS, PageEntry, decode, reported, reserved_by_level

from ...support.simulate import seeded, simulate

ONE_FORMAT = Const(0, 0)
PAGE = Const(0, 52)


def test_reserved_may_be_asked_before():
    """``decode`` takes what was said of the word before its level was known."""
    m = Module()
    word, level, early, late = Signal(64), Signal(3), Signal(), Signal()
    before = Signal(LEVELS)
    about = {"level": level, "ft": 0, "page": PAGE, "entry_format": ONE_FORMAT}
    m.d.comb += [
        before.eq(reserved_by_level(word, FORMATS[:1])),
        early.eq(decode(m, word, **about, reserved=before).reserved),
        late.eq(decode(m, word, **about).reserved),
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
    m.d.comb += fits.eq(decode(m, word, level=1, ft=ft, page=PAGE, entry_format=ONE_FORMAT).is_of(
        ft=ft, devid=devid))
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


def test_each_format_for_itself():
    """With two formats, the one that is asked for is decoded, as it is where there is no other."""
    m, rng = Module(), seeded("entry/formats")
    word, level, page, which = Signal(64), Signal(3), Signal(52), Signal()
    m.d.sync += Signal().eq(0)
    ft = Signal()
    about = {"level": level, "ft": ft, "page": page}
    chosen = decode(m, word, **about, entry_format=which)
    alone = [Signal(PageEntry, name=f"alone_{number}") for number in range(2)]
    for number, (entry, each) in enumerate(zip(alone, FORMATS)):
        with_this = {**each.decode(word, **about)}
        reserved = each.reserved_by_level(word)
        m.d.comb += [
            *assign(entry, {**with_this, "disposition": reported(with_this["disposition"])}),
            entry.reserved.eq((Cat(0, reserved) >> level)[0]),
        ]

    async def bench(ctx):
        differ = 0
        for _ in range(500):
            ctx.set(word, rng.getrandbits(64) & rng.choice((-1, 0xF7FF, ~0x3FFF_FC00)) % 2 ** 64)
            ctx.set(page, rng.getrandbits(52))
            ctx.set(level, rng.randint(1, LEVELS))
            ctx.set(ft, rng.getrandbits(1))
            for number in range(2):
                ctx.set(which, number)
                await ctx.delay(1e-9)
                assert ctx.get(chosen.as_value()) == ctx.get(alone[number].as_value())
            differ += ctx.get(alone[0].as_value()) != ctx.get(alone[1].as_value())
        assert differ > 400
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
