"""Every format against the literal hex vectors."""

import pytest
from amaranth.lib import data

from siommu.arch.formats import (
    Cause,
    DeviceWord1,
    Disposition,
    Mode,
    Opcode,
    Request,
    Response,
    Size,
    TableEntry,
    TableFormat,
)
from siommu.arch.packing import field_mask, pack, unpack

from ...support.literals import RESERVED_MASKS, VECTORS


@pytest.mark.parametrize("struct, value, fields", VECTORS)
def test_vector(struct, value, fields):
    assert pack(struct, **fields) == value
    assert {k: v for k, v in unpack(struct, value).items() if v} == fields


@pytest.mark.parametrize("struct, names", [
    (Request, {"ft": 1, "write": 1, "device": 16, "pasid": 20, "addr": 64, "pages": 8, "tag": 8}),
    (Response, {"tag": 8, "last": 1, "cause": 8, "disposition": 2, "addr": 64, "pages": 8,
                "read": 1, "write": 1, "size": 2}),
])
def test_port_signals(struct, names):
    assert {name: field.width for name, field in data.Layout.cast(struct)} == names


def test_causes():
    assert {cause.name: cause.value for cause in Cause} == {
        "OK": 0, "CORE_OFF": 1, "DEVICE_INVALID": 2, "FT_DISABLED": 3, "PASID_INVALID": 4,
        "TABLE_ABSENT": 5, "NON_CANONICAL": 6, "NOT_PRESENT": 7, "FT_MISMATCH": 8,
        "DEVICE_MISMATCH": 9, "READ_DENIED": 10, "WRITE_DENIED": 11, "SUPERVISOR": 12,
        "ENTRY_RESERVED": 13, "TABLE_ERROR": 14, "ACCESS_FLAG": 15}


def test_small_enums():
    assert {d.name: d.value for d in Disposition} == {"DENY": 0, "OS": 1, "REMAP": 2}
    assert {s.name: s.value for s in Size} == {"PAGE_4K": 0, "PAGE_2M": 1, "PAGE_1G": 2,
                                               "BYPASS": 3}
    assert {mode.name: mode.value for mode in Mode} == {"ABORT": 0, "TRANSLATE": 1, "BYPASS": 2}
    assert {fmt.name: fmt.value for fmt in TableFormat} == {"X86": 0, "SV39": 1, "SV48": 2,
                                                            "SV57": 3}
    assert {code.name: code.value for code in Opcode} == {"INVAL_TLB": 1, "INVAL_CONTEXT": 2,
                                                          "FENCE": 3, "PREFETCH": 4}


@pytest.mark.parametrize("struct, mask", RESERVED_MASKS)
def test_reserved_masks(struct, mask):
    assert field_mask(struct, "reserved") == mask


def test_pack_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"TableEntry.devid has 10 bits, and 0x400 does not fit"):
        pack(TableEntry, devid=0x400)
    with pytest.raises(ValueError, match=r"TableEntry has no field 'x'"):
        pack(TableEntry, x=1)
    with pytest.raises(ValueError, match=r"DeviceWord1 has 64 bits"):
        unpack(DeviceWord1, 1 << 64)
