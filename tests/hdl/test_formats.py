"""Literal hex vectors for every format. The numbers are worked out by hand from the specification,
because a slip in a declaration would be invisible to all that share it."""

import pytest
from amaranth.lib import data

from siommu.formats import (Cause, ContextDeny, ContextRoot, DeviceWord0, DeviceWord1,
                            DirectoryEntry, Disposition, Mode, Request, Response, Size,
                            TableEntry, field_mask, pack, unpack)

VECTORS = [
    # §3.1
    (DeviceWord0, 0x0000_0000_0000_0001, {"v": 1}),
    (DeviceWord0, 0x0000_0000_0000_0002, {"mem_en": 1}),
    (DeviceWord0, 0x0000_0000_0000_0004, {"sto_en": 1}),
    (DeviceWord0, 0x0000_0000_0000_0008, {"mem_bypass": 1}),
    (DeviceWord0, 0x0000_0000_0000_0010, {"sto_bypass": 1}),
    (DeviceWord0, 0x0000_0000_0000_0020, {"quiet": 1}),
    (DeviceWord0, 0x0000_0000_0000_0080, {"pdt_levels": 2}),
    (DeviceWord0, 0x000A_BCDE_F012_3000, {"pdt_pfn": 0xABCDEF0123}),
    (DeviceWord0, 0xFFF0_0000_0000_0F00, {"reserved_11_8": 0xF, "reserved_63_52": 0xFFF}),
    (DeviceWord1, 0x0000_0000_0000_02A5, {"devid": 0x2A5}),
    (DeviceWord1, 0xFFFF_FFFF_FFFF_FC00, {"reserved_63_10": (1 << 54) - 1}),
    # §3.2
    (DirectoryEntry, 0x000F_EDCB_A987_6001, {"v": 1, "pfn": 0xFEDCBA9876}),
    (DirectoryEntry, 0xFFF0_0000_0000_0FFE, {"reserved_11_1": 0x7FF, "reserved_63_52": 0xFFF}),
    (ContextRoot, 0x0000_0000_1234_5001, {"v": 1, "root": 0x12345}),
    (ContextRoot, 0x000F_FFFF_FFFF_F002, {"l5": 1, "root": 0xFFFFFFFFFF}),
    (ContextRoot, 0xFFF0_0000_0000_0FFC, {"reserved_11_2": 0x3FF, "reserved_63_52": 0xFFF}),
    (ContextDeny, 0x0000_0000_0000_0009, {"mem_deny": 1, "sto_deny": 2}),
    (ContextDeny, 0xFFFF_FFFF_FFFF_FFF0, {"reserved_63_4": (1 << 60) - 1}),
    # §3.3
    (TableEntry, 0x0000_0000_0000_0001, {"p": 1}),
    (TableEntry, 0x0000_0000_0000_0002, {"w": 1}),
    (TableEntry, 0x0000_0000_0000_0004, {"u": 1}),
    (TableEntry, 0x0000_0000_0000_0020, {"a": 1}),
    (TableEntry, 0x0000_0000_0000_0040, {"d": 1}),
    (TableEntry, 0x0000_0000_0000_0080, {"ps": 1}),
    (TableEntry, 0x0000_0000_0000_0200, {"nr": 1}),
    (TableEntry, 0x0000_0000_0000_0400, {"ft": 1}),
    (TableEntry, 0x000C_0FFE_E000_1000, {"pfn": 0xC0FFEE0001}),
    (TableEntry, 0x3FF0_0000_0000_0000, {"devid": 0x3FF}),
    (TableEntry, 0xC000_0000_0000_0918, {"ignored_4_3": 3, "ignored_8": 1, "ignored_11": 1,
                                         "ignored_63_62": 3}),
    # An FTE of device 5 at block page 0x8000, readable and writable by the user.
    (TableEntry, 0x0050_0000_0800_0467, {"p": 1, "w": 1, "u": 1, "a": 1, "d": 1, "ft": 1,
                                         "pfn": 0x8000, "devid": 5}),
]


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


@pytest.mark.parametrize("struct, mask", [
    (DeviceWord0, 0xFFF0_0000_0000_0F00), (DeviceWord1, 0xFFFF_FFFF_FFFF_FC00),
    (DirectoryEntry, 0xFFF0_0000_0000_0FFE), (ContextRoot, 0xFFF0_0000_0000_0FFC),
    (ContextDeny, 0xFFFF_FFFF_FFFF_FFF0), (TableEntry, 0)])
def test_reserved_masks(struct, mask):
    assert field_mask(struct, "reserved") == mask


def test_pack_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"TableEntry.devid has 10 bits, and 0x400 does not fit"):
        pack(TableEntry, devid=0x400)
    with pytest.raises(ValueError, match=r"TableEntry has no field 'x'"):
        pack(TableEntry, x=1)
    with pytest.raises(ValueError, match=r"DeviceWord1 has 64 bits"):
        unpack(DeviceWord1, 1 << 64)
