"""Entries of RISC-V page tables (§3.4), decoded: literal words for every bit and level."""

import pytest
from amaranth.lib import data

from siommu.arch.formats import Size
from siommu.pipeline.grants import GibNumber
from siommu.pipeline.paging import LEVELS

from ...support.simulate import seeded
from .entries import NOTHING, decode_all

#: What an entry says that has no bit set: a pointer grants all.
POINTER = {**NOTHING, "user": 1, "accessed": 1, "write": 1}


def decoded(cases):
    """Decodes each of ``cases`` (word, level, page); for each, the fields as a dictionary."""
    return decode_all([dict(zip(("word", "level", "page"), case)) for case in cases], 1)


def test_every_bit_of_a_pointer():
    """Each bit alone, at level 2."""
    bits = {0: {"present": 1}, 4: {"reserved": 1}, 6: {"reserved": 1},
            7: {"reserved": 1, "dirty": 1},
            # a leaf without U and A
            1: {"leaf": 1, "user": 0, "accessed": 0, "write": 0, "disposition": 1, "size": 1},
            2: {"leaf": 1, "user": 0, "accessed": 0, "no_read": 1, "disposition": 2,
                "reserved": 1, "size": 1},
            3: {"leaf": 1, "user": 0, "accessed": 0, "write": 0, "no_read": 1, "size": 1},
            **{10 + bit: {"pfn": 1 << bit} for bit in range(40)},
            **{bit: {"reserved": 1} for bit in (*range(50, 63), 63)}}
    found = decoded([(1 << bit, 2, 0) for bit in range(64)])
    for bit, entry in enumerate(found):
        expected = {**POINTER, "size": 1, **bits.get(bit, {})}
        assert entry == expected, bit
    assert [bit for bit in range(64) if bit not in bits] == [5, 8, 9]


def test_every_bit_of_a_leaf():
    """Each bit besides R, at level 1."""
    base = {**NOTHING, "leaf": 1, "disposition": 1}
    bits = {0: {"present": 1}, 2: {"write": 1, "disposition": 0}, 4: {"user": 1},
            6: {"accessed": 1}, 7: {"dirty": 1},
            **{10 + bit: {"pfn": 1 << bit} for bit in range(40)},
            **{bit: {"reserved": 1} for bit in (*range(50, 61), 63)}}
    found = decoded([(2 | 1 << bit, 1, 0) for bit in range(64)])
    for bit, entry in enumerate(found):
        assert entry == {**base, **bits.get(bit, {})}, bit
    assert [bit for bit in range(64) if bit not in bits] == [1, 3, 5, 8, 9, 61, 62]


@pytest.mark.parametrize("word, reserved", [
    (0x0000_0000_0000_0001, (1, 0, 0, 0, 0)),       # a pointer
    (0x0003_FFFF_FFFF_FF21, (1, 0, 0, 0, 0)),       # with all that it may have
    (0x0000_0000_0000_00D7, (0, 0, 0, 0, 0)),       # a leaf at page 0
    (0x0000_0000_0000_00DD, (1, 1, 1, 1, 1)),       # W and X without R
    (0x0000_0000_0000_04D7, (0, 1, 1, 1, 1)),       # page 1
    (0x0000_0000_0004_00D7, (0, 1, 1, 1, 1)),       # bit 8, the last one of 2 MiB
    (0x0000_0000_0008_00D7, (0, 0, 1, 1, 1)),
    (0x0000_0000_0800_00D7, (0, 0, 1, 1, 1)),       # the last one of 1 GiB
    (0x0000_0000_1000_00D7, (0, 0, 0, 1, 1)),
    (0x0000_0010_0000_00D7, (0, 0, 0, 1, 1)),       # the last one of 512 GiB
    (0x0000_0020_0000_00D7, (0, 0, 0, 0, 1)),
    (0x0000_2000_0000_00D7, (0, 0, 0, 0, 1)),       # the last one of 256 TiB
    (0x0003_C000_0000_00D7, (0, 0, 0, 0, 0)),
    (0x8000_0000_0000_20D7, (0, 1, 1, 1, 1)),       # NAPOT
    (0x8000_0000_0000_00D7, (1, 1, 1, 1, 1)),
    (0x8000_0000_0000_28D7, (1, 1, 1, 1, 1)),
    (0x6000_0000_0000_00D7, (1, 1, 1, 1, 1)),       # PBMT
    (0x4000_0000_0000_00D7, (0, 0, 0, 0, 0)),
    (0x2000_0000_0000_0001, (1, 1, 1, 1, 1)),
])
def test_reserved(word, reserved):
    found = decoded([(word, level, 0) for level in range(1, LEVELS + 1)])
    assert tuple(entry["reserved"] for entry in found) == reserved


def test_sizes():
    found = decoded([(0xD7, level, 0) for level in range(1, LEVELS + 1)])
    assert [Size(entry["size"]) for entry in found] == [
        Size.PAGE_4K, Size.PAGE_2M, Size.PAGE_1G, Size.PAGE_1G, Size.PAGE_1G]


def test_pages_of_a_napot_mapping():
    rng = seeded("entry_riscv/napot")
    cases = [(1 << 63 | number << 14 | 8 << 10 | 0xD7, 1, rng.getrandbits(48) << 4 | low)
             for number in (0, 1, 0xF_FFFF_FFFF, rng.getrandbits(36)) for low in range(16)]
    for (word, _, page), entry in zip(cases, decoded(cases)):
        assert entry["pfn"] == (word >> 14 & 0xF_FFFF_FFFF) << 4 | page & 15 and \
            not entry["reserved"]


def test_each_gib_of_a_larger_leaf():
    """Its number, that it is a part, and whether the next GiB follows. A pointer has no such
    marks."""
    rng = seeded("entry_riscv/gib")
    last = {4: (1 << 9) - 1, 5: (1 << 18) - 1}
    for level, most in last.items():
        for which in (0, 1, most // 2, most - 1, most, (1 << 9) - 1, 1 << 8, rng.randint(0, most)):
            number = rng.getrandbits(40) >> 9 * (level - 1) << 9 * (level - 1)
            page = (rng.getrandbits(52) >> 9 * (level - 1) << 9 * (level - 1)
                    | which << 18 | rng.getrandbits(18))
            entry, pointer, gib = decoded([(number << 10 | 0xD7, level, page),
                                           (number << 10 | 1, level, page),
                                           (number << 10 | 0xD7, 3, page)])
            found = data.Const(data.Layout.cast(GibNumber), entry["pfn"])
            assert (found.below, found.part, found.goes_on) == (0, 1, which != most)
            assert found.gib == (number >> 18) + which
            assert pointer["pfn"] == gib["pfn"] == number
