"""Single decisions of a walk, from literal entries: the device directory, the PASID directory, the
contexts, and what may be cached of a page table. ``test_decode.py`` has the page tables, which the
proof in ``tests/formal`` covers wholly."""

import pytest

from siommu.arch.config import Config
from siommu.arch.formats import (
    Cause,
    ContextDeny,
    ContextRoot,
    DeviceWord0,
    Disposition,
    Size,
)
from siommu.arch.packing import pack
from siommu.walk.state import CLEARED_PER_ENTRY, Table

from .decisions import check_end, check_read, decide

DEVICE = {"table": Table.DEVICE, "entry": 0x100050}


def device(**fields_):
    return pack(DeviceWord0, **{"v": 1, "mem_en": 1, "sto_en": 1, "pdt_pfn": 0x777, **fields_})


@pytest.mark.parametrize("key, before, word, cause", [
    ({}, [device(v=0)], 5, Cause.DEVICE_INVALID),
    ({}, [device(v=0, reserved_11_8=1)], 5, Cause.DEVICE_INVALID),
    ({}, [device(reserved_11_8=1)], 5, Cause.ENTRY_RESERVED),
    ({}, [device(pdt_levels=3)], 5, Cause.ENTRY_RESERVED),
    ({}, [device()], 0x400, Cause.ENTRY_RESERVED),
    ({}, [device()], 1 << 63, Cause.ENTRY_RESERVED),
    ({"ft": 1}, [device(sto_en=0)], 5, Cause.FT_DISABLED),
    ({"ft": 0}, [device(mem_en=0)], 5, Cause.FT_DISABLED),
    ({"ft": 0}, [device(mem_en=0, mem_bypass=1)], 5, Cause.FT_DISABLED),
    ({"pasid": 0x80}, [device(mem_en=0)], 5, Cause.FT_DISABLED),
    ({"pasid": 0x80}, [device(reserved_11_8=8)], 5, Cause.ENTRY_RESERVED),
    ({}, [(device(), 1)], 5, Cause.TABLE_ERROR),
    ({}, [(device(v=0), 1)], 5, Cause.TABLE_ERROR),
    ({}, [], 5, Cause.TABLE_ERROR),
    ({}, [device()] * 2, 5, Cause.TABLE_ERROR),
    ({}, [device()] * 5, 5, Cause.TABLE_ERROR),
])
def test_device_entry_faults(key, before, word, cause):
    found = decide(before=before, word=word, state=DEVICE, walk={"key": key})
    check_end(found, cause, 7, 0x100050)
    assert not found["device_fill"]


def test_first_device_word_is_only_gathered():
    found = decide(last=0, word=0x0000_0ABC_DEF0_1087, state={"table": Table.DEVICE})
    said = found["gathers"]
    assert not found["finish"] and not found["read"] and said.word == 1
    assert (said.present, said.mem_en, said.sto_en, said.mem_bypass, said.sto_bypass,
            said.levels, said.pfn, said.reserved) == (1, 1, 1, 0, 0, 2, 0xABCDEF01, 0)
    for word in (0x100, 0x800, 1 << 52, 1 << 63, 0xC0):
        found = decide(last=0, word=word | 1, state={"table": Table.DEVICE})
        assert found["gathers"].reserved, hex(word)
    said = decide(word=5, before=[device()], state=DEVICE)["gathers"]
    assert not any(said[name] for name in CLEARED_PER_ENTRY), "the next entry begins with nothing"


@pytest.mark.parametrize("ft, bypass", [(0, "mem_bypass"), (1, "sto_bypass")])
def test_device_bypass(ft, bypass):
    before = [device(**{bypass: 1})]
    found = decide(before=before, word=5, state=DEVICE,
                   walk={"key": {"ft": ft, "pasid": 0xFFFFF}})
    outcome = found["outcome"]
    assert found["finish"] and not found["device_fill"]
    rights = outcome.rights
    assert (outcome.cause, rights.size, rights.read, rights.write, rights.dirty) == (
        Cause.OK, Size.BYPASS, 1, 1, 1)
    other = decide(before=before, word=5, state=DEVICE, walk={"key": {"ft": 1 - ft}})
    assert other["read"] and other["device_fill"]


@pytest.mark.parametrize("levels, pasid, entry, words", [
    (0, 0x7F, 0x777000 + 32 * 0x7F, 4), (0, 0x80, None, 0),
    (1, 0xFFFF, 0x777000 + 8 * 0x1FF, 1), (1, 0x10000, None, 0),
    (2, 0xFFFFF, 0x777000 + 8 * 0xF, 1), (2, 0x10000, 0x777000 + 8, 1)])
def test_reach_of_the_pasid_directory(levels, pasid, entry, words):
    found = decide(before=[device(sto_en=0, pdt_levels=levels)], word=5, state=DEVICE,
                   walk={"key": {"pasid": pasid}})
    known = found["device"]
    assert found["device_fill"]
    assert (known.mem_en, known.sto_en, known.mem_bypass, known.sto_bypass, known.levels,
            known.pfn, known.devid) == (1, 0, 0, 0, levels, 0x777, 5)
    if entry is None:
        check_end(found, Cause.PASID_INVALID, 0, 0)
    else:
        check_read(found, entry, words)


@pytest.mark.parametrize("word, cause", [
    (0, Cause.PASID_INVALID), (0xFFFF_FFFF_FFFF_FFFE, Cause.PASID_INVALID),
    (3, Cause.ENTRY_RESERVED), (0x801, Cause.ENTRY_RESERVED), (1 << 52 | 1, Cause.ENTRY_RESERVED),
    (1 << 63 | 1, Cause.ENTRY_RESERVED)])
@pytest.mark.parametrize("table", [Table.DIRECTORY_HIGH, Table.DIRECTORY_LOW])
def test_directory_faults(table, word, cause):
    check_end(decide(word=word, state={"table": table, "entry": 0x9998}), cause, 6, 0x9998)


def test_directory_descends():
    key = {"key": {"pasid": 0x5_4321}}
    found = decide(word=0x123001, state={"table": Table.DIRECTORY_HIGH}, walk=key)
    check_read(found, 0x123000 + 8 * (0x4321 >> 7), 1)
    found = decide(word=0x456001, state={"table": Table.DIRECTORY_LOW}, walk=key)
    check_read(found, 0x456000 + 32 * 0x21, 4)


CONTEXT = {"table": Table.CONTEXT, "entry": 0x5020}


def root(v=1, **fields_):
    return pack(ContextRoot, v=v, root=0x888, **fields_)


@pytest.mark.parametrize("before, word, cause", [
    ([root(0), root(0), 0], 0, Cause.PASID_INVALID),
    ([root(0), root(), 0], 0, Cause.TABLE_ABSENT),
    ([root(0), root(0, reserved_11_4=1), 0], 0, Cause.ENTRY_RESERVED),
    ([root(reserved_63_52=1), root(), 0], 0, Cause.ENTRY_RESERVED),
    ([root(), root(), 0x40], 0, Cause.ENTRY_RESERVED),
    ([root(), root(), 0], 1, Cause.ENTRY_RESERVED),
    ([root(), root(), 0], 1 << 63, Cause.ENTRY_RESERVED),
    ([root(), (root(), 1), 0], 0, Cause.TABLE_ERROR),
    ([root(), root()], 0, Cause.TABLE_ERROR),
    ([root()], 0, Cause.TABLE_ERROR),
    ([root(), root(), 0, 0], 0, Cause.TABLE_ERROR)])
def test_context_faults(before, word, cause):
    found = decide(before=before, word=word, state=CONTEXT)
    check_end(found, cause, 6, 0x5020)
    assert not found["context_fill"]


@pytest.mark.parametrize("l5, page, canonical", [
    (0, 0x0000_7FFF_FFFF_F, True), (0, 0x0000_8000_0000_0, False), (0, 0xFFFF_8000_0000_0, True),
    (0, 0xFFFF_7FFF_FFFF_F, False), (0, 0x8000_0000_0000_0, False),
    (1, 0x00FF_FFFF_FFFF_F, True), (1, 0x0100_0000_0000_0, False), (1, 0xFF00_0000_0000_0, True),
    (1, 0xFEFF_FFFF_FFFF_F, False)])
def test_canonical_addresses(l5, page, canonical):
    found = decide(before=[root(l5=l5), root(l5=1 - l5), pack(ContextDeny, mem_deny=1, sto_deny=2)],
                   state={**CONTEXT, "devid": 9}, walk={"key": {"page": page}})
    assert found["context_fill"]
    context = found["context"]
    assert (context.root, context.paging.l5, context.deny) == (0x888, l5, 1)
    if canonical:
        index = page >> (36 if l5 else 27) & 0x1FF
        check_read(found, 0x888000 + 8 * index, 1)
        following = found["following"]
        assert (following.level, following.deny, following.devid) == (4 + l5, 1, 9)
        assert following.absent == 0
        assert (following.write, following.no_read) == (1, 0)
    else:
        check_end(found, Cause.NON_CANONICAL, 0, 0)


@pytest.mark.parametrize("riscv", [True, False])
@pytest.mark.parametrize("ft", [0, 1])
@pytest.mark.parametrize("fmt", range(4))
def test_formats_of_a_context(riscv, ft, fmt):
    """MEM_FMT of the memory root; the storage root has none; and with L5, and without V (§3.2)."""
    def cause_of(memory, storage):
        found = decide(before=[memory, storage, 0], state=CONTEXT, walk={"key": {"ft": ft}},
                       config=Config(riscv_tables=riscv))
        if found["finish"]:
            assert not found["context_fill"]
            check_end(found, found["outcome"].cause, 6, 0x5020)
            return found["outcome"].cause
        assert found["context_fill"]
        if riscv:
            shown = fmt if not ft else 0
            assert found["context"].paging.fmt == shown
            assert found["following"].entry_format == (shown != 0)
            assert found["following"].level == (4 if ft else (4, 3, 4, 5)[fmt])
        return Cause.OK

    refused = Cause.ENTRY_RESERVED if fmt else Cause.OK
    assert cause_of(root(fmt=fmt), root()) == (Cause.OK if riscv else refused)
    assert cause_of(root(), root(fmt=fmt)) == refused
    if fmt:
        assert cause_of(root(fmt=fmt, l5=1), root()) == Cause.ENTRY_RESERVED
    ignored = Cause.OK if ft else Cause.TABLE_ABSENT
    for l5 in (0, 1):
        expected = ignored if riscv or not fmt else Cause.ENTRY_RESERVED
        assert cause_of(root(0, fmt=fmt, l5=l5), root()) == expected


@pytest.mark.parametrize("fmt, level, page, canonical", [
    (fmt, level, page << lowest - 12 & (1 << 52) - 1, canonical)
    for fmt, level, lowest in ((1, 3, 38), (2, 4, 47), (3, 5, 56))
    for page, canonical in ((0, True), (1, False), (-1, True), (-2, False),
                            (1 << 63 - lowest, False), (~(1 << 63 - lowest), False))])
def test_riscv_roots(fmt, level, page, canonical):
    page |= 0x1A5 << 9 * (level - 1) & (1 << 9 * level - 1) - 1     # up to the sign
    found = decide(before=[root(fmt=fmt), root(), 0], state=CONTEXT, walk={"key": {"page": page}})
    assert found["context_fill"]
    start = decide(start=1, walk={"key": {"page": page}, "context_hit": 1, "context": {
        "root": 0x888, "paging": {"fmt": fmt}}})
    if canonical:
        entry = 0x888000 + 8 * (page >> 9 * (level - 1) & 0x1FF)
        for way in (found, start):
            check_read(way, entry, 1)
            assert (way["following"].level, way["following"].entry_format) == (level, 1)
    else:
        check_end(found, Cause.NON_CANONICAL, 0, 0)
        check_read(start, 0x100000, 2, restart=True)


@pytest.mark.parametrize("ft", [0, 1])
@pytest.mark.parametrize("absent", range(4))
def test_disposition_of_what_is_absent(ft, absent):
    """MEM_ABSENT goes before the entry's own bits, for FT = 0 alone."""
    key = {"key": {"ft": ft}}
    words = [root(), root(), pack(ContextDeny, mem_absent=absent, mem_deny=3, sto_deny=3)]
    following = decide(before=words, state=CONTEXT, walk=key)["following"]
    assert following.absent == (0 if ft else absent)
    for own in range(4):
        found = decide(word=own << 1, walk=key, state={
            "table": Table.PAGE_TABLE, "level": 2, "absent": following.absent, "entry": 0x7010})
        expected = Disposition((absent if absent and not ft else own) % 3)
        check_end(found, Cause.NOT_PRESENT, 2, 0x7010, expected)


@pytest.mark.parametrize("ft", [0, 1])
def test_context_words(ft):
    key = {"key": {"ft": ft}}
    for word in range(2):
        found = decide(last=0, word=0x0000_0000_1234_5003, walk=key,
                       state={"table": Table.CONTEXT}, gathered={"word": word})
        said = found["gathers"]
        needed = word == ft
        assert (said.present, said.paging.l5, said.pfn, said.other) == (
            (1, 1, 0x12345, 0) if needed else (0, 0, 0, 1))
    found = decide(last=0, word=0b1001, walk=key, state={"table": Table.CONTEXT},
                   gathered={"word": 2})
    assert found["gathers"].deny == (2 if ft else 1) and not found["gathers"].reserved
    for word, value in ((0, 0x10), (0, 0x800), (0, 7), (1, 4), (1, 8), (1, 1 << 52), (2, 0x40),
                        (2, 1 << 63)):
        found = decide(last=0, word=value, state={"table": Table.CONTEXT},
                       gathered={"word": word})
        assert found["gathers"].reserved


def test_remembers_the_table_of_a_region():
    """An entry that points to a level-1 table may be cached, with W and NR of all levels so far."""
    for ft in (0, 1):
        for write, no_read in ((1, 0), (0, 0), (1, 1)):
            for word, allowed, denied in ((0x123407, 1, 0), (0x123405, 0, 0), (0x123607, 1, 1)):
                found = decide(word=word, walk={"key": {"ft": ft, "page": 0x1FF}}, state={
                    "table": Table.PAGE_TABLE, "level": 2, "write": write,
                    "no_read": ft & no_read, "devid": 77, "region_way": 2})
                check_read(found, 0x123000 + 8 * 0x1FF, 1, line=True)
                region = found["region"]
                assert found["region_fill"]
                assert (region.table, region.write, region.no_read, region.devid) == (
                    0x123, write & allowed, ft & (no_read | denied), 77)
                assert found["following"].region_way == 2
    for level in (3, 4, 5):
        found = decide(word=0x123007, state={"table": Table.PAGE_TABLE, "level": level})
        assert found["read"] and not found["region_fill"] and not found["following"].line
    for word in (0, 0x200087, 0x123003):        # absent, a leaf, supervisor
        found = decide(word=word, state={"table": Table.PAGE_TABLE, "level": 2})
        assert not found["region_fill"]
    assert not decide(word=0x123007, error=1,
                      state={"table": Table.PAGE_TABLE, "level": 2})["region_fill"]


CACHED = {"table": Table.PAGE_TABLE, "level": 1, "cached": 1, "write": 1, "entry": 0x3000}


def test_a_fault_to_which_a_cache_led_restarts_the_walk():
    """Absent, reserved, denied: the device entry is read next, and no cache trusted any more. A
    walk that trusted none ends."""
    for word, state, walk, cause in (
            (0, {}, {}, Cause.NOT_PRESENT),
            (0x2087, {"level": 2}, {}, Cause.ENTRY_RESERVED),
            (5, {}, {"key": {"write": 1}}, Cause.WRITE_DENIED)):
        found = decide(word=word, state={**CACHED, **state}, walk=walk)
        check_read(found, 0x100000, 2, restart=True)
        assert not found["following"].cached and found["following"].table == Table.DEVICE
        assert not found["region_fill"]
        found = decide(word=word, state={**CACHED, **state, "cached": 0}, walk=walk)
        check_end(found, cause, CACHED["level"] if not state else state["level"], 0x3000)


def test_a_speculative_walk_ends_with_what_it_found():
    """Its fault reaches no request: it is not looked up again. The line that it read is kept, so
    that is a grant, of no rights."""
    state = {**CACHED, "speculative": 1, "line": 1}
    for word in (0, 3, 7 | 1 << 10):            # absent, supervisor, of the other FT
        found = decide(word=word, last=0, state=state)
        outcome = found["outcome"]
        assert found["finish"] and not found["read"]
        assert outcome.cause == Cause.OK
        assert (outcome.rights.read, outcome.rights.write) == (0, 0)
    found = decide(word=0, last=0, error=1, state={**state, "cached": 0})
    check_end(found, Cause.TABLE_ERROR, 1, 0x3000)
    found = decide(word=0, state={**state, "cached": 0, "line": 0})
    check_end(found, Cause.NOT_PRESENT, 1, 0x3000)


def test_a_speculative_walk_is_content_with_either_right():
    """It asked for no request: what it found is of use for reads, or for writes."""
    for ft, state, word, rights in ((0, {"write": 0}, 7, (1, 0)),
                                    (1, {"no_read": 1}, 7 | 1 << 10, (0, 1)),
                                    (1, {"no_read": 1, "write": 0}, 7 | 1 << 10, (0, 0))):
        for write in (0, 1):
            found = decide(word=word, last=0, walk={"key": {"ft": ft, "write": write}},
                           state={**CACHED, "speculative": 1, "line": 1, **state})
            assert found["finish"] and found["outcome"].cause == Cause.OK
            assert (found["outcome"].rights.read, found["outcome"].rights.write) == rights
