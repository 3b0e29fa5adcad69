"""Single decisions of a walk, from literal entries. The proof in ``tests/formal`` covers every
page-table entry; here are the device directory, the PASID directory and the contexts as well."""

import pytest
from amaranth.hdl import Module, Signal

from siommu.formats import Cause, Disposition, Size
from siommu.walk_step import Table, WalkStep

from .simulate import simulate


def decide(*, ddt_log2=16, check_ad=0, start=0, last=1, error=0, word=0, state=None, walk=None):
    """The outputs of the step for these inputs, as a dictionary."""
    m, found = Module(), {}
    m.submodules.dut = dut = WalkStep()
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        ctx.set(dut.ddt_base, 0x100)
        for name, value in (("ddt_log2", ddt_log2), ("check_ad", check_ad), ("start", start),
                            ("last", last), ("error", error), ("word", word),
                            ("state", state or {}), ("walk", walk or {})):
            ctx.set(getattr(dut, name), value)
        await ctx.delay(1e-9)
        for name in ("read", "words_minus_one", "finish", "outcome", "following", "device_fill",
                     "context_fill", "device", "context"):
            found[name] = ctx.get(getattr(dut, name))
    simulate(m, bench)
    return found


def check_end(found, cause, level, entry, disposition=Disposition.DENY):
    outcome = found["outcome"]
    assert found["finish"] and not found["read"]
    assert (outcome.cause, outcome.disposition) == (cause, disposition)
    assert (outcome.level, outcome.entry) == (level, entry)


def check_read(found, entry, words):
    assert found["read"] and not found["finish"]
    assert found["following"].entry == entry
    assert found["words_minus_one"] == words - 1


def test_begins_at_the_device_directory():
    found = decide(start=1, walk={"key": {"device": 0x1234}})
    check_read(found, 0x100000 + 16 * 0x1234, 2)
    assert found["following"].table == Table.DEVICE


@pytest.mark.parametrize("device, log2, valid", [(0, 0, True), (1, 0, False), (31, 5, True),
                                                 (32, 5, False), (0xFFFF, 16, True),
                                                 (0x8000, 15, False)])
def test_device_out_of_reach(device, log2, valid):
    found = decide(start=1, ddt_log2=log2, walk={"key": {"device": device}})
    if valid:
        check_read(found, 0x100000 + 16 * device, 2)
    else:
        check_end(found, Cause.DEVICE_INVALID, 0, 0)


DEVICE = {"table": Table.DEVICE, "entry": 0x100050, "word": 1, "present": 1,
          "device": {"mem_en": 1, "sto_en": 1, "pfn": 0x777}}


@pytest.mark.parametrize("key, state, word, cause", [
    ({}, {"present": 0}, 5, Cause.DEVICE_INVALID),
    ({}, {"present": 0, "reserved": 1}, 5, Cause.DEVICE_INVALID),
    ({}, {"reserved": 1}, 5, Cause.ENTRY_RESERVED),
    ({}, {}, 0x400, Cause.ENTRY_RESERVED),
    ({}, {}, 1 << 63, Cause.ENTRY_RESERVED),
    ({"ft": 1}, {"device": {"mem_en": 1}}, 5, Cause.FT_DISABLED),
    ({"ft": 0}, {"device": {"sto_en": 1}}, 5, Cause.FT_DISABLED),
    ({"ft": 0}, {"device": {"sto_en": 1, "mem_bypass": 1}}, 5, Cause.FT_DISABLED),
    ({}, {"error": 1}, 5, Cause.TABLE_ERROR),
    ({}, {"word": 0}, 5, Cause.TABLE_ERROR),
])
def test_device_entry_faults(key, state, word, cause):
    check_end(decide(word=word, state={**DEVICE, **state}, walk={"key": key}), cause, 7, 0x100050)


def test_first_device_word_is_only_gathered():
    found = decide(last=0, word=0x0000_0ABC_DEF0_1087, state={"table": Table.DEVICE})
    following = found["following"]
    assert not found["finish"] and not found["read"] and following.word == 1
    device = following.device
    assert (following.present, device.mem_en, device.sto_en, device.mem_bypass, device.sto_bypass,
            device.levels, device.pfn, following.reserved) == (1, 1, 1, 0, 0, 2, 0xABCDEF01, 0)
    for word in (0x100, 0x800, 1 << 52, 1 << 63, 0xC0):
        found = decide(last=0, word=word | 1, state={"table": Table.DEVICE})
        assert found["following"].reserved, hex(word)


@pytest.mark.parametrize("ft, bypass", [(0, "mem_bypass"), (1, "sto_bypass")])
def test_device_bypass(ft, bypass):
    state = {**DEVICE, "device": {"mem_en": 1, "sto_en": 1, bypass: 1}}
    found = decide(word=5, state=state, walk={"key": {"ft": ft, "pasid": 0xFFFFF}})
    outcome = found["outcome"]
    assert found["finish"] and not found["device_fill"]
    assert (outcome.cause, outcome.size, outcome.read, outcome.write) == (Cause.OK, Size.BYPASS,
                                                                          1, 1)
    other = decide(word=5, state=state, walk={"key": {"ft": 1 - ft}})
    assert other["read"] and other["device_fill"]


@pytest.mark.parametrize("levels, pasid, entry, words", [
    (0, 0x7F, 0x777000 + 32 * 0x7F, 4), (0, 0x80, None, 0),
    (1, 0xFFFF, 0x777000 + 8 * 0x1FF, 1), (1, 0x10000, None, 0),
    (2, 0xFFFFF, 0x777000 + 8 * 0xF, 1), (2, 0x10000, 0x777000 + 8, 1)])
def test_reach_of_the_pasid_directory(levels, pasid, entry, words):
    state = {**DEVICE, "device": {"mem_en": 1, "levels": levels, "pfn": 0x777}}
    found = decide(word=5, state=state, walk={"key": {"pasid": pasid}})
    assert found["device_fill"] and found["device"].devid == 5
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


CONTEXT = {"table": Table.CONTEXT, "entry": 0x5020, "word": 3, "present": 1, "root": 0x888}


@pytest.mark.parametrize("state, word, cause", [
    ({"present": 0, "other": 0}, 0, Cause.PASID_INVALID),
    ({"present": 0, "other": 1}, 0, Cause.TABLE_ABSENT),
    ({"present": 0, "reserved": 1}, 0, Cause.ENTRY_RESERVED),
    ({}, 1, Cause.ENTRY_RESERVED), ({}, 1 << 63, Cause.ENTRY_RESERVED),
    ({"error": 1}, 0, Cause.TABLE_ERROR), ({"word": 2}, 0, Cause.TABLE_ERROR)])
def test_context_faults(state, word, cause):
    check_end(decide(word=word, state={**CONTEXT, **state}), cause, 6, 0x5020)


@pytest.mark.parametrize("l5, page, canonical", [
    (0, 0x0000_7FFF_FFFF_F, True), (0, 0x0000_8000_0000_0, False), (0, 0xFFFF_8000_0000_0, True),
    (0, 0xFFFF_7FFF_FFFF_F, False), (0, 0x8000_0000_0000_0, False),
    (1, 0x00FF_FFFF_FFFF_F, True), (1, 0x0100_0000_0000_0, False), (1, 0xFF00_0000_0000_0, True),
    (1, 0xFEFF_FFFF_FFFF_F, False)])
def test_canonical_addresses(l5, page, canonical):
    found = decide(state={**CONTEXT, "l5": l5, "deny": 1, "devid": 9},
                   walk={"key": {"page": page}})
    assert found["context_fill"]
    assert (found["context"].root, found["context"].l5, found["context"].deny) == (0x888, l5, 1)
    if canonical:
        index = page >> (36 if l5 else 27) & 0x1FF
        check_read(found, 0x888000 + 8 * index, 1)
        assert found["following"].level == 4 + l5
    else:
        check_end(found, Cause.NON_CANONICAL, 0, 0)


@pytest.mark.parametrize("ft", [0, 1])
def test_context_words(ft):
    key = {"key": {"ft": ft}}
    for word in range(2):
        found = decide(last=0, word=0x0000_0000_1234_5003, walk=key,
                       state={"table": Table.CONTEXT, "word": word})
        following = found["following"]
        needed = word == ft
        assert (following.present, following.l5, following.root, following.other) == (
            (1, 1, 0x12345, 0) if needed else (0, 0, 0, 1))
    found = decide(last=0, word=0b1001, walk=key, state={"table": Table.CONTEXT, "word": 2})
    assert found["following"].deny == (2 if ft else 1) and not found["following"].reserved
    for word, value in ((0, 4), (1, 1 << 52), (2, 0x10), (2, 1 << 63)):
        found = decide(last=0, word=value, state={"table": Table.CONTEXT, "word": word})
        assert found["following"].reserved


def test_starts_at_the_innermost_known_context():
    walk = {"key": {"page": 0x123, "pasid": 2}, "context_hit": 1, "context": {"root": 0x66},
            "device_hit": 1, "device": {"mem_en": 1, "pfn": 0x55}}
    check_read(decide(start=1, walk=walk), 0x66000, 1)
    check_read(decide(start=1, walk={**walk, "context_hit": 0}), 0x55000 + 64, 4)
    check_read(decide(start=1, walk={**walk, "fresh": 1}), 0x100000, 2)


def test_a_cached_context_never_ends_in_a_fault():
    """A fault that a cache led to begins the walk anew (§4)."""
    walk = {"key": {"page": 1 << 51}, "context_hit": 1, "context": {"root": 0x66}}
    check_read(decide(start=1, walk=walk), 0x100000, 2)
    walk = {"key": {"ft": 1}, "device_hit": 1, "device": {"mem_en": 1}}
    check_read(decide(start=1, walk=walk), 0x100000, 2)
    state = {"table": Table.PAGE_TABLE, "level": 1, "cached": 1, "write": 1, "entry": 0x3000}
    found = decide(word=0, state=state)
    check_read(found, 0x100000, 2)
    assert not found["following"].cached
    check_end(decide(word=0, state={**state, "cached": 0}), Cause.NOT_PRESENT, 1, 0x3000)


LEAF = 0x0050_0000_0800_0067        # P W U A D, block or page 0x8000, DEVID 5
BOTH = {"write": 1, "devid": 5, "deny": 1}


@pytest.mark.parametrize("level, word, state, key, check_ad, cause, disposition", [
    (1, 0, {}, {}, 0, Cause.NOT_PRESENT, Disposition.DENY),
    (4, 2, {}, {}, 0, Cause.NOT_PRESENT, Disposition.OS),
    (3, 4, {}, {}, 0, Cause.NOT_PRESENT, Disposition.REMAP),
    (2, 6, {}, {}, 0, Cause.NOT_PRESENT, Disposition.DENY),
    (4, LEAF | 0x80, {}, {}, 0, Cause.ENTRY_RESERVED, Disposition.DENY),
    (5, LEAF | 0x80, {}, {}, 0, Cause.ENTRY_RESERVED, Disposition.DENY),
    (2, LEAF | 0x2080, {}, {}, 0, Cause.ENTRY_RESERVED, Disposition.DENY),
    (2, LEAF | 0x10_0080, {}, {}, 0, Cause.ENTRY_RESERVED, Disposition.DENY),
    (3, 0x2087, {}, {}, 0, Cause.ENTRY_RESERVED, Disposition.DENY),
    (3, 0x2000_0087, {}, {}, 0, Cause.ENTRY_RESERVED, Disposition.DENY),
    (3, LEAF & ~4, {}, {}, 0, Cause.SUPERVISOR, Disposition.DENY),
    (1, LEAF & ~4, {}, {}, 0, Cause.SUPERVISOR, Disposition.DENY),
    (4, LEAF & ~0x20, {}, {}, 1, Cause.ACCESS_FLAG, Disposition.REMAP),
    (1, LEAF & ~0x40, {}, {"write": 1}, 1, Cause.ACCESS_FLAG, Disposition.REMAP),
    (1, LEAF, {}, {"ft": 1}, 0, Cause.FT_MISMATCH, Disposition.DENY),
    (1, LEAF | 0x400, {}, {}, 0, Cause.FT_MISMATCH, Disposition.DENY),
    (1, LEAF | 0x400, {"devid": 4}, {"ft": 1}, 0, Cause.DEVICE_MISMATCH, Disposition.DENY),
    (1, LEAF | 0x600, {}, {"ft": 1}, 0, Cause.READ_DENIED, Disposition.OS),
    (1, LEAF | 0x400, {"no_read": 1}, {"ft": 1}, 0, Cause.READ_DENIED, Disposition.OS),
    (1, LEAF & ~2, {}, {"write": 1}, 0, Cause.WRITE_DENIED, Disposition.OS),
    (1, LEAF, {"write": 0}, {"write": 1}, 0, Cause.WRITE_DENIED, Disposition.OS),
    (1, LEAF, {"write": 0, "deny": 3}, {"write": 1}, 0, Cause.WRITE_DENIED, Disposition.DENY),
])
def test_page_table_faults(level, word, state, key, check_ad, cause, disposition):
    state = {"table": Table.PAGE_TABLE, "level": level, "entry": 0x7008, **BOTH, **state}
    found = decide(word=word, state=state, walk={"key": key}, check_ad=check_ad)
    check_end(found, cause, level, 0x7008, disposition)


@pytest.mark.parametrize("level, word, key, check_ad, size, rights", [
    (1, LEAF, {}, 0, Size.PAGE_4K, (1, 1, 1)),
    (1, LEAF | 0x80, {}, 0, Size.PAGE_4K, (1, 1, 1)),           # PS is ignored at level 1
    (1, LEAF | 0x200, {}, 0, Size.PAGE_4K, (1, 1, 1)),          # so is NR of a memory entry
    (1, LEAF | 0x600, {"ft": 1, "write": 1}, 0, Size.PAGE_4K, (0, 1, 1)),
    (1, LEAF & ~2, {}, 0, Size.PAGE_4K, (1, 0, 1)),
    (1, LEAF & ~0x40, {}, 1, Size.PAGE_4K, (1, 1, 0)),          # a write must look at D again
    (2, LEAF | 0x1080, {}, 0, Size.PAGE_2M, (1, 1, 1)),         # bit 12 is ignored
    (3, 0xC000_0087, {}, 0, Size.PAGE_1G, (1, 1, 1)),
])
def test_page_table_grants(level, word, key, check_ad, size, rights):
    state = {"table": Table.PAGE_TABLE, "level": level, **BOTH}
    found = decide(word=word, state=state, walk={"key": key}, check_ad=check_ad)
    outcome = found["outcome"]
    assert found["finish"] and outcome.cause == Cause.OK and outcome.size == size
    assert (outcome.read, outcome.write, outcome.dirty) == rights
    assert outcome.pfn == word >> 12 & (1 << 40) - 1
