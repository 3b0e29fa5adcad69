"""The decoded page-table entry (§3.3): literal words for every bit, level and FT."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data

from siommu.arch.formats import Disposition, Size
from siommu.walk.entry import LEVELS, PageEntry, decode, reported, reserved_by_level, table_index

from ...support.simulate import simulate

FIELDS = [name for name, _ in data.Layout.cast(PageEntry)]
NOTHING = dict.fromkeys(FIELDS, 0)


def decoded(cases):
    """Decodes each of ``cases`` (word, level, ft); for each, the fields as a dictionary."""
    m = Module()
    word, level, ft, entry = Signal(64), Signal(3), Signal(), Signal(PageEntry)
    m.d.comb += entry.eq(decode(word, level=level, ft=ft))
    m.d.sync += Signal().eq(0)
    found = []

    async def bench(ctx):
        for case in cases:
            for signal, value in zip((word, level, ft), case):
                ctx.set(signal, value)
            await ctx.delay(1e-9)
            value = ctx.get(entry)
            found.append({name: int(getattr(getattr(value, name), "value", getattr(value, name)))
                          for name in FIELDS})
    simulate(m, bench)
    return found


# What one set bit says at level 1 of an entry for FT = 1, where it says anything.
BITS = {
    0: {"present": 1}, 1: {"write": 1, "disposition": 1}, 2: {"user": 1, "disposition": 2},
    5: {"accessed": 1}, 6: {"dirty": 1}, 9: {"no_read": 1}, 10: {"ft": 1},
    **{12 + bit: {"pfn": 1 << bit} for bit in range(40)},
    **{52 + bit: {"devid": 1 << bit} for bit in range(10)},
}


def test_every_bit():
    """Each bit alone; those that are listed nowhere are ignored. Bit 7 is, at level 1."""
    found = decoded([(1 << bit, 1, 1) for bit in range(64)])
    assert found == [{**NOTHING, "leaf": 1, **BITS.get(bit, {})} for bit in range(64)]
    assert [bit for bit in range(64) if bit not in BITS] == [3, 4, 7, 8, 11, 62, 63]


def test_every_missing_bit():
    """All bits but one: no other one stands for it."""
    ones = (1 << 64) - 1
    full = {"present": 1, "user": 1, "accessed": 1, "write": 1, "no_read": 1, "leaf": 1,
            "reserved": 0, "ft": 1, "devid": 0x3FF, "dirty": 1, "disposition": 0,
            "pfn": 0xFF_FFFF_FFFF, "size": 0}
    found = decoded([(ones, 1, 1), *((ones ^ 1 << bit, 1, 1) for bit in range(64))])
    assert found[0] == full
    for bit, entry in enumerate(found[1:]):
        missing = {name: full[name] ^ value for name, value in BITS.get(bit, {}).items()
                   if name != "disposition"}
        assert entry == {**full, **missing, "disposition": {1: 2, 2: 1}.get(bit, 0)}, bit


def test_no_read_counts_for_storage_alone():
    assert [entry["no_read"] for entry in decoded([(0x200, 1, 0), (0x200, 1, 1),
                                                   (0x200, 4, 0), (0x200, 4, 1)])] == [0, 1, 0, 1]


@pytest.mark.parametrize("word, leaf, size", [
    (0x07, (1, 0, 0, 0, 0), (0,)),
    (0x87, (1, 1, 1, 0, 0), (0, 1, 2)),         # PS
])
def test_leaves(word, leaf, size):
    found = decoded([(word, level, 0) for level in range(1, LEVELS + 1)])
    assert tuple(entry["leaf"] for entry in found) == leaf
    assert tuple(entry["size"] for entry in found if entry["leaf"]) == size
    assert (Size.PAGE_4K.value, Size.PAGE_2M.value, Size.PAGE_1G.value) == (0, 1, 2)


@pytest.mark.parametrize("word, reserved", [
    (0x0000_0000_0000_0007, (0, 0, 0, 0, 0)),
    (0xFFFF_FFFF_FFFF_FF7F, (0, 0, 0, 0, 0)),       # a pointer has no reserved bits
    (0x0000_0000_0000_0087, (0, 0, 0, 1, 1)),
    (0x0000_0000_0000_1087, (0, 0, 0, 1, 1)),       # bit 12 is ignored
    (0x0000_0000_0000_2087, (0, 1, 1, 1, 1)),
    (0x0000_0000_0010_0087, (0, 1, 1, 1, 1)),       # bit 20, the last one of 2 MiB
    (0x0000_0000_0020_0087, (0, 0, 1, 1, 1)),
    (0x0000_0000_2000_0087, (0, 0, 1, 1, 1)),       # bit 29, the last one of 1 GiB
    (0xFFFF_FFFF_C000_1FFF, (0, 0, 0, 1, 1)),
])
def test_reserved(word, reserved):
    found = decoded([(word, level, 0) for level in range(1, LEVELS + 1)])
    assert tuple(entry["reserved"] for entry in found) == reserved


def test_every_reserved_bit_of_large_leaves():
    """Bits 20:13 of 2 MiB, 29:13 of 1 GiB, and no others."""
    for level, bits in ((2, range(13, 21)), (3, range(13, 30))):
        found = decoded([(0x80 | 1 << bit, level, 0) for bit in range(64)])
        assert [bit for bit in range(64) if found[bit]["reserved"]] == list(bits)


def test_reserved_may_be_asked_before():
    """``decode`` takes what was said of the word before its level was known."""
    m = Module()
    word, level, early, late = Signal(64), Signal(3), Signal(), Signal()
    before = Signal(LEVELS)
    m.d.comb += [
        before.eq(reserved_by_level(word)),
        early.eq(decode(word, level=level, ft=0, reserved=before).reserved),
        late.eq(decode(word, level=level, ft=0).reserved),
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
    m.d.comb += fits.eq(decode(word, level=1, ft=ft).is_of(ft=ft, devid=devid))
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
