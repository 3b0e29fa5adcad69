"""Entries of x86-64 page tables (§3.3), decoded: literal words for every bit, level and FT."""

import pytest

from siommu.arch.formats import Size
from siommu.pipeline.paging import LEVELS

from .entries import NOTHING, decode_all


def decoded(cases):
    """Decodes each of ``cases`` (word, level, ft); for each, the fields as a dictionary."""
    return decode_all([dict(zip(("word", "level", "ft"), case)) for case in cases], 0)


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
