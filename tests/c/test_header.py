"""``siommu.h`` against literal numbers: those that pin down Python's view, and its own calls."""

import pytest

from scripts.generate.formats import CONSTANTS, ENUMS, WORDS, named, others, snake
from siommu.arch import formats
from siommu.arch.packing import field_mask
from tests.support.literals import PINS, RESERVED_MASKS, VECTORS

from ..support import program

#: Expression to value; the numbers are worked out by hand.
CALLS = {
    # §3.1, §3.2
    "siommu_device_word0(0xABCDEF0123000, 2, SIOMMU_DEVICE_WORD0_STO_EN_MASK)":
        0x000A_BCDE_F012_3085,
    "siommu_device_word0(0x1000, 0, SIOMMU_DEVICE_WORD0_MEM_EN_MASK |"
    " SIOMMU_DEVICE_WORD0_MEM_BYPASS_MASK | SIOMMU_DEVICE_WORD0_QUIET_MASK)": 0x102B,
    "siommu_device_word1(0x2A5)": 0x2A5,
    "siommu_directory_entry(0xFEDCBA9876000)": 0x000F_EDCB_A987_6001,
    "siommu_context_root(0x12345000, false)": 0x1234_5001,
    "siommu_context_root(0x12345000, true)": 0x1234_5003,
    "siommu_context_riscv_root(0x12345000, SIOMMU_TABLEFORMAT_SV39)": 0x1234_5005,
    "siommu_context_riscv_root(0x12345000, SIOMMU_TABLEFORMAT_SV57)": 0x1234_500D,
    "siommu_context_deny(SIOMMU_DISPOSITION_OS, SIOMMU_DISPOSITION_REMAP)": 9,
    "siommu_pasid_index(0xFEDCB, 0)": 0x4B,
    "siommu_pasid_index(0xFEDCB, 1)": 0x1DB,
    "siommu_pasid_index(0xFEDCB, 2)": 0xF,
    "siommu_pasid_in_reach(127, 0)": 1,
    "siommu_pasid_in_reach(128, 0)": 0,
    "siommu_pasid_in_reach(0xFFFF, 1)": 1,
    "siommu_pasid_in_reach(0x10000, 1)": 0,
    "siommu_pasid_in_reach(0xFFFFF, 2)": 1,
    "siommu_pasid_in_reach(0x100000, 2)": 0,
    # §3.3
    "siommu_entry_reach(1)": 0x1000,
    "siommu_entry_reach(2)": 0x20_0000,
    "siommu_entry_reach(3)": 0x4000_0000,
    "siommu_entry_reach(5)": 0x1_0000_0000_0000,
    "siommu_table_index(UINT64_C(0x0000008040201FFF), 4)": 1,
    "siommu_table_index(UINT64_C(0x0000008040201FFF), 3)": 1,
    "siommu_table_index(UINT64_C(0x0000008040201FFF), 2)": 1,
    "siommu_table_index(UINT64_C(0x0000008040201FFF), 1)": 1,
    "siommu_table_index(UINT64_C(0xFFFFFFFFFFFFF000), 5)": 0x1FF,
    "siommu_pte_table(0xABC000, true, true)": 0xABC027,
    "siommu_pte_table(0xABC000, true, false)": 0xABC025,
    "siommu_pte_table(0xABC000, false, true)": 0xABC227,
    "siommu_pte_memory(0xABCDEF0123456, 1, true)": 0x000A_BCDE_F012_3067,
    "siommu_pte_memory(0x40345000, 2, false)": 0x4020_00E5,
    "siommu_pte_memory(0x1C0345000, 3, true)": 0x1_C000_00E7,
    "siommu_pte_block(0x8000000, 1, 5, true, true)": 0x0050_0000_0800_0467,
    "siommu_pte_block(0x8000000, 1, 0x3FF, false, true)": 0x3FF0_0000_0800_0667,
    "siommu_pte_block(0x40200000, 2, 1, true, false)": 0x0010_0000_4020_04E5,
    "siommu_pte_absent(SIOMMU_DISPOSITION_DENY)": 0,
    "siommu_pte_absent(SIOMMU_DISPOSITION_OS)": 2,
    "siommu_pte_absent(SIOMMU_DISPOSITION_REMAP)": 4,
    "siommu_pte_is_leaf(0x1, 1)": 1,
    "siommu_pte_is_leaf(0x1, 2)": 0,
    "siommu_pte_is_leaf(0x81, 2)": 1,
    "siommu_pte_is_leaf(0x81, 3)": 1,
    "siommu_pte_is_leaf(0x81, 4)": 0,
    "siommu_pte_address(UINT64_C(0xFFF0000008000467), 1)": 0x800_0000,
    "siommu_pte_address(UINT64_C(0x402010E7), 2)": 0x4020_0000,
    "siommu_pte_address(UINT64_C(0x40201067), 2)": 0x4020_1000,
    "siommu_pte_disposition(0x0)": 0,
    "siommu_pte_disposition(0x2)": 1,
    "siommu_pte_disposition(0xFFFFF4)": 2,
    "siommu_pte_disposition(0x6)": 0,
    # §3.4
    "siommu_riscv_table(0xABC123)": 0x2A_F001,
    "siommu_riscv_memory(UINT64_C(0xABCDEF0123456), 1, true)": 0x02AF_37BC_048C_D7,
    "siommu_riscv_memory(0x40345000, 2, false)": 0x1008_00D3,
    "siommu_riscv_memory(UINT64_C(0x8012345678), 4, true)": 0x20_0000_00D7,
    "siommu_riscv_napot(0x40345000, true)": 0x8000_0000_100D_20D7,
    "siommu_riscv_napot(0x40345000, false)": 0x8000_0000_100D_20D3,
    # §6
    "siommu_cmd_inval_tlb(SIOMMU_BY_DEVICE | SIOMMU_BY_PASID | SIOMMU_BY_FT | SIOMMU_BY_ADDR,"
    " 0x105, 0x77, true, 0x403FF000, 9).word[0]": 0x0090_0077_0105_1F01,
    "siommu_cmd_inval_tlb(SIOMMU_BY_ADDR, 0, 0, false, 0x403FF123, 9).word[1]": 0x4020_0000,
    "siommu_cmd_inval_tlb(SIOMMU_BY_ADDR, 0, 0, false, 0x403FF123, 0).word[1]": 0x403F_F000,
    "siommu_cmd_inval_tlb(SIOMMU_BY_ADDR, 0, 0, false, UINT64_MAX, 51).word[1]":
        0x8000_0000_0000_0000,
    "siommu_cmd_inval_tlb(SIOMMU_BY_ADDR, 0, 0, false, UINT64_MAX, 52).word[1]": 0,
    "siommu_cmd_inval_tlb(SIOMMU_BY_ADDR, 0, 0, false, UINT64_MAX, 63).word[0]":
        0x03F0_0000_0000_0801,
    "siommu_cmd_inval_tlb(0, 0, 0, false, 0, 0).word[0]": 1,
    "siommu_cmd_inval_context(SIOMMU_BY_DEVICE, 0xFEDC, 0).word[0]": 0x0000_0000_FEDC_0102,
    "siommu_cmd_inval_context(SIOMMU_BY_PASID | SIOMMU_BY_ADDR, 0, 0xFEDCB).word[0]":
        0x000F_EDCB_0000_0202,
    "siommu_cmd_inval_context(0, 0, 0).word[1]": 0,
    "siommu_cmd_fence(true, 0x1234567C, 0xDEADBEEF, true).word[0]": 0xDEAD_BEEF_0000_0303,
    "siommu_cmd_fence(true, 0x1234567C, 0xDEADBEEF, true).word[1]": 0x1234_567C,
    "siommu_cmd_fence(false, 0x12345679, 0, true).word[0]": 0x203,
    "siommu_cmd_fence(false, 0x12345679, 0, true).word[1]": 0,
    "siommu_cmd_prefetch(0x105, 0x77, true, 0x1FFFFF, 8).word[0]": 0x0080_0077_0105_1004,
    "siommu_cmd_prefetch(0x105, 0x77, true, 0x1FFFFF, 8).word[1]": 0x10_0000,
    "sizeof(struct siommu_command)": 16,
    # §5.1
    "siommu_fault_decode(record).what.cause": 11,
    "siommu_fault_decode(record).what.disposition": 1,
    "siommu_fault_decode(record).what.pasid": 0x12345,
    "siommu_fault_decode(record).addr": 0x1111_2222_3333_4444,
    "siommu_fault_decode(record).entry": 0x0005_6666_7777_8888,
    "siommu_fault_decode(record).cycles": 0x99,
    # Rings
    "siommu_ring_slots(15)": 0x8000,
    "siommu_ring_advance(7, 1, 3)": 0,
    "siommu_ring_advance(6, 5, 3)": 3,
    "siommu_ring_empty(3, 3)": 1,
    "siommu_ring_empty(3, 4)": 0,
    "siommu_ring_full(0, 7, 3)": 1,
    "siommu_ring_full(4, 3, 3)": 1,
    "siommu_ring_full(3, 3, 3)": 0,
    "siommu_ring_full(1, 0, 1)": 1,
    "siommu_ring_used(6, 2, 3)": 4,
    "siommu_ring_free(6, 2, 3)": 3,
    "siommu_ring_free(2, 2, 3)": 7,
    # §7
    "SIOMMU_REG_GET(VERSION, MAJOR, 0x12345678)": 0x1234,
    "SIOMMU_REG_GET(DBG_RESULT, SIZE, 0x2FFF)": 2,
    "SIOMMU_REG_PREP(CTRL, CHECK_AD, 1) | SIOMMU_REG_PREP(CTRL, MODE, SIOMMU_MODE_TRANSLATE)": 5,
    "SIOMMU_FIELD_GET(FAULT_WORD0_TAG, record[0])": 0xA5,
    "SIOMMU_FIELD_PREP(TABLE_ENTRY_PFN, 0xC0FFEE0001)": 0x000C_0FFE_E000_1000,
}

NAMES = {
    "siommu_cause_name(0)": "OK", "siommu_cause_name(7)": "NOT_PRESENT",
    "siommu_cause_name(15)": "ACCESS_FLAG", "siommu_cause_name(16)": "?",
    "siommu_disposition_name(1)": "OS", "siommu_disposition_name(3)": "?",
}

CONSTANT_VALUES = {
    "PAGE_SHIFT": 12, "PAGE_BYTES": 4096, "INDEX_BITS": 9, "TABLE_ENTRIES": 512, "ENTRY_BYTES": 8,
    "DDT_ENTRY_BYTES": 16, "CONTEXT_BYTES": 32, "MAX_LEVEL": 5, "DEVICE_BITS": 16,
    "PASID_BITS": 20, "DEVID_BITS": 10, "COMMAND_BYTES": 16, "RECORD_BYTES": 32,
    "PREFETCH_MAX_N": 8, "CONTEXT_INDEX_BITS": 7, "DDT_LOG2_MAX": 16, "CQ_LOG2_MIN": 1,
    "CQ_LOG2_MAX": 15, "FQ_LOG2_MIN": 1, "FQ_LOG2_MAX": 15,
}


def statements():
    """Everything that the tests below ask about."""
    yield ("const uint64_t record[4] = {UINT64_C(0x2A51234501081D0B), UINT64_C(0x1111222233334444),"
           " UINT64_C(0x0005666677778888), 0x99};")
    for index, row in enumerate(VECTORS):
        yield program.vector(index, *row)
    for index, expression in enumerate(CALLS):
        yield f'number("call {index}", (uint64_t)({expression}));'
    for expression in NAMES:
        yield f'text("{expression}", {expression});'
    for name in CONSTANT_VALUES:
        yield f'number("{name}", SIOMMU_{name});'
    for enum in ENUMS:
        for member in enum:
            name = f"SIOMMU_{enum.__name__.upper()}_{member.name}"
            yield f'number("{name}", {name});'
    for struct, mask in RESERVED_MASKS:
        if mask:
            name = f"SIOMMU_{snake(struct.__name__).upper()}_RESERVED_MASK"
            yield f'number("{struct.__name__} reserved", {name});'
    for _, name, _, _, _, fields in PINS:
        yield f'number("{name} offset", SIOMMU_REG_{name});'
        yield f'number("{name} member", offsetof(siommu_t, {name}));'
        for field in fields:
            prefix = f"SIOMMU__{name}__{field}"
            yield f'number("{name} {field}", {prefix}_bm);'
            yield f'number("{name} {field} low", {prefix}_bp);'


@pytest.fixture(scope="module", params=list(program.COMPILERS))
def output(request, tmp_path_factory):
    """What the program printed, in either language."""
    return program.run(tmp_path_factory.mktemp("header"), request.param, statements())


@pytest.mark.parametrize("index", range(len(VECTORS)),
                         ids=[f"{row[0].__name__}-{row[1]:#x}" for row in VECTORS])
def test_vector(output, index):
    struct, value, fields = VECTORS[index]
    # The encoder leaves the bits without a meaning 0.
    assert int(output[f"{index} encoded"], 16) == value & ~sum(others(struct).values())
    for member in named(struct):
        assert int(output[f"{index} {member.name}"], 16) == fields.get(member.name, 0), member.name


@pytest.mark.parametrize("index, value", list(enumerate(CALLS.values())), ids=list(CALLS))
def test_call(output, index, value):
    assert int(output[f"call {index}"], 16) == value


def test_names(output):
    assert {expression: output[expression] for expression in NAMES} == NAMES


def test_constants(output):
    assert set(CONSTANTS) <= set(CONSTANT_VALUES)
    assert {name: int(output[name], 16) for name in CONSTANT_VALUES} == CONSTANT_VALUES


def test_enums(output):
    """``tests/hdl/arch/test_formats.py`` holds the values in Python against literals."""
    for enum in ENUMS:
        for member in enum:
            name = f"SIOMMU_{enum.__name__.upper()}_{member.name}"
            assert int(output[name], 16) == member.value, name


def test_reserved_masks(output):
    for struct, mask in RESERVED_MASKS:
        assert int(output.get(f"{struct.__name__} reserved", "0"), 16) == mask


@pytest.mark.parametrize("offset, name, access, locked, reset, fields", PINS,
                         ids=[pin[1] for pin in PINS])
def test_register(output, offset, name, access, locked, reset, fields):
    assert int(output[f"{name} offset"], 16) == int(output[f"{name} member"], 16) == offset
    for field, mask in fields.items():
        assert int(output[f"{name} {field}"], 16) == mask
        assert 1 << int(output[f"{name} {field} low"], 16) == mask & -mask


def test_every_word_is_in_the_header():
    words = {value for name, value in vars(formats).items()
             if name in formats.__all__ and isinstance(value, type)
             and issubclass(value, formats.data.Struct)} - {formats.Request, formats.Response}
    assert words == {struct for structs in WORDS.values() for struct in structs}
    assert words == {struct for struct, *_ in VECTORS}
    assert all(field_mask(struct, "") == (1 << 64) - 1 for struct in words)
