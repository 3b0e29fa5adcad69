"""Single decisions of a walk, from literal entries. The proof in ``tests/formal`` covers every
page-table entry; here are the device directory, the PASID directory and the contexts as well, and
what the neighbours of a leaf grant."""

import pytest
from amaranth.hdl import Module, Signal

from siommu.arch.formats import Cause, ContextDeny, ContextRoot, DeviceWord0, Disposition, Size
from siommu.arch.packing import pack
from siommu.lib.structs import assign
from siommu.pipeline.keys import WalkKey
from siommu.pipeline.lines import LeafPage
from siommu.pipeline.sizes import ENTRY_ADDR_BITS
from siommu.pipeline.tables import reach
from siommu.walk.decode import WordDecoder
from siommu.walk.directory import device_entry, out_of_range
from siommu.walk.leaf import decode_leaf, leaf_page
from siommu.walk.start import StartStep, start_facts
from siommu.walk.state import (
    CLEARED_PER_ENTRY,
    EntryProgress,
    Table,
    WalkState,
    next_read,
    reserved_bits,
    words_minus_one,
)
from siommu.walk.step import WordStep

from ...support.simulate import seeded, simulate
from ...support.soup import reach_of

OUTPUTS = "read", "restart", "finish"


def decide(*, ddt_log2=16, check_ad=0, start=0, last=1, error=0, word=0, before=(), gathered=None,
           state=None, walk=None):
    """The outputs of the step for these inputs, as a dictionary: of a start, or of a word, behind
    the words ``before`` of the same entry (each alone or with its error)."""
    m, found = Module(), {}
    key, base, first = Signal(WalkKey), Signal(40), Signal(ENTRY_ADDR_BITS)
    m.submodules.facts, m.submodules.word = facts, dut = WordDecoder(), WordStep()
    m.submodules.begin = begin = StartStep()
    of, following, size = begin if start else dut, Signal(WalkState), Signal(2)
    rejected = out_of_range(key, 0xFFFF << ddt_log2 & 0xFFFF)
    gathered_before = Signal(EntryProgress)
    m.d.comb += [
        facts.key.eq(key), dut.check_ad.eq(facts.check_ad),
        *assign(dut.word, {"key": key, "says": facts.says, "state": facts.state,
                           "content": facts.word, "progress": gathered_before,
                           "out_of_range": rejected}),
        *assign(facts.reserved, reserved_bits(facts.word)), *assign(dut.word.reach, reach(key)),
        begin.out_of_range.eq(rejected), first.eq(device_entry(key, base)),
        *assign(begin.facts, start_facts(begin.walk)),
        *assign(following, next_read(of.following, of.restart, first)),
        size.eq(words_minus_one(following.table)),
    ]
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        ctx.set(base, 0x100)
        ctx.set(key, (walk or {}).get("key", {}))
        ctx.set(begin.walk, {**(walk or {}), "reach": reach_of((walk or {}).get("key", {}))})
        ctx.set(facts.state, state or {})
        ctx.set(facts.check_ad, check_ad)
        ctx.set(gathered_before, gathered or {})
        for content in before:
            content, broken = content if isinstance(content, tuple) else (content, 0)
            ctx.set(facts.word, content)
            ctx.set(facts.error, broken)
            await ctx.delay(1e-9)
            assert not ctx.get(dut.read) and not ctx.get(dut.finish)
            ctx.set(gathered_before, ctx.get(dut.progress))
        for name, value in (("word", word), ("error", error), ("last", last)):
            ctx.set(getattr(facts, name), value)
        await ctx.delay(1e-9)
        for name in OUTPUTS:
            found[name] = ctx.get(getattr(of, name))
        found["following"], found["words_minus_one"] = ctx.get(following), ctx.get(size)
        found["entry"] = found["following"].entry
        found["outcome"], found["gathers"] = ctx.get(dut.outcome), ctx.get(dut.progress)
        for name in ("device", "context", "region"):
            found[f"{name}_fill"] = ctx.get(getattr(dut, name).valid)
            found[name] = ctx.get(getattr(dut, name).payload)
    simulate(m, bench)
    return found


def check_end(found, cause, level, entry, disposition=Disposition.DENY):
    outcome = found["outcome"]
    assert found["finish"] and not found["read"]
    assert (outcome.cause, outcome.disposition) == (cause, disposition)
    assert (outcome.level, outcome.entry) == (level, entry)


def check_read(found, entry, words, line=False, restart=False):
    assert found["read"] and not found["finish"]
    assert found["entry"] == entry
    assert found["words_minus_one"] == words - 1
    assert (found["following"].line, found["restart"]) == (line, restart)


def test_begins_at_the_device_directory():
    found = decide(start=1, walk={"key": {"device": 0x1234}})
    check_read(found, 0x100000 + 16 * 0x1234, 2, restart=True)
    assert found["following"].table == Table.DEVICE


@pytest.mark.parametrize("device, log2, valid", [(0, 0, True), (1, 0, False), (31, 5, True),
                                                 (32, 5, False), (0xFFFF, 16, True),
                                                 (0x8000, 15, False)])
def test_device_out_of_reach(device, log2, valid):
    found = decide(start=1, ddt_log2=log2, walk={"key": {"device": device}})
    if valid:
        check_read(found, 0x100000 + 16 * device, 2, restart=True)
    else:       # what is reported is DEVICE_INVALID
        assert found["finish"] and not found["read"]


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
    ([root(0), root(0, reserved_11_2=1), 0], 0, Cause.ENTRY_RESERVED),
    ([root(reserved_63_52=1), root(), 0], 0, Cause.ENTRY_RESERVED),
    ([root(), root(), 0x10], 0, Cause.ENTRY_RESERVED),
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
    assert (found["context"].root, found["context"].l5, found["context"].deny) == (0x888, l5, 1)
    if canonical:
        index = page >> (36 if l5 else 27) & 0x1FF
        check_read(found, 0x888000 + 8 * index, 1)
        following = found["following"]
        assert (following.level, following.deny, following.devid) == (4 + l5, 1, 9)
        assert (following.write, following.no_read) == (1, 0)
    else:
        check_end(found, Cause.NON_CANONICAL, 0, 0)


@pytest.mark.parametrize("ft", [0, 1])
def test_context_words(ft):
    key = {"key": {"ft": ft}}
    for word in range(2):
        found = decide(last=0, word=0x0000_0000_1234_5003, walk=key,
                       state={"table": Table.CONTEXT}, gathered={"word": word})
        said = found["gathers"]
        needed = word == ft
        assert (said.present, said.l5, said.pfn, said.other) == (
            (1, 1, 0x12345, 0) if needed else (0, 0, 0, 1))
    found = decide(last=0, word=0b1001, walk=key, state={"table": Table.CONTEXT},
                   gathered={"word": 2})
    assert found["gathers"].deny == (2 if ft else 1) and not found["gathers"].reserved
    for word, value in ((0, 4), (1, 1 << 52), (2, 0x10), (2, 1 << 63)):
        found = decide(last=0, word=value, state={"table": Table.CONTEXT},
                       gathered={"word": word})
        assert found["gathers"].reserved


REGION = {"table": 0x44, "write": 1, "no_read": 0, "devid": 9}


def test_starts_at_the_innermost_known_table():
    walk = {"key": {"page": 0x123, "pasid": 2}, "context_hit": 1, "context": {"root": 0x66},
            "device_hit": 1, "device": {"mem_en": 1, "pfn": 0x55},
            "region_hit": 1, "region": REGION, "region_way": 1}
    found = decide(start=1, walk=walk)
    check_read(found, 0x44000 + 8 * 0x123, 1, line=True)
    following = found["following"]
    assert (following.table, following.level, following.cached) == (Table.PAGE_TABLE, 1, 1)
    assert (following.write, following.no_read, following.devid) == (1, 0, 9)
    walk["region_hit"] = 0
    found = decide(start=1, walk=walk)
    check_read(found, 0x66000, 1)
    assert (found["following"].cached, found["following"].region_way) == (1, 1)
    check_read(decide(start=1, walk={**walk, "context_hit": 0}), 0x55000 + 64, 4)
    check_read(decide(start=1, walk={**walk, "context_hit": 0, "device_hit": 0}), 0x100000, 2,
               restart=True)


@pytest.mark.parametrize("write, no_read", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_cached_table_brings_the_rights_of_the_levels_above(write, no_read):
    found = decide(start=1, walk={"key": {"ft": 1}, "region_hit": 1, "region": {
        "table": 0x44, "write": write, "no_read": no_read, "devid": 5}})
    assert (found["following"].write, found["following"].no_read) == (write, no_read)
    state = {name: getattr(found["following"], name)
             for name in ("table", "level", "line", "entry", "write", "no_read", "devid")}
    found = decide(word=LEAF | 0x400, state=state, walk={"key": {"ft": 1, "write": no_read}})
    outcome = found["outcome"]
    if write or not no_read:
        assert outcome.cause == Cause.OK
        assert (outcome.rights.read, outcome.rights.write) == (1 - no_read, write)
    else:
        assert outcome.cause == Cause.WRITE_DENIED


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


def test_what_a_cache_knows_never_ends_in_a_fault():
    """A fault that a cache led to begins the walk anew (§4)."""
    walk = {"key": {"page": 1 << 51}, "context_hit": 1, "context": {"root": 0x66}}
    check_read(decide(start=1, walk=walk), 0x100000, 2, restart=True)
    walk = {"key": {"ft": 1}, "device_hit": 1, "device": {"mem_en": 1}}
    check_read(decide(start=1, walk=walk), 0x100000, 2, restart=True)
    state = {"table": Table.PAGE_TABLE, "level": 1, "cached": 1, "write": 1, "entry": 0x3000}
    found = decide(word=0, state=state)
    check_read(found, 0x100000, 2, restart=True)
    assert not found["following"].cached
    check_end(decide(word=0, state={**state, "cached": 0}), Cause.NOT_PRESENT, 1, 0x3000)
    # and out of the directory's range there is nothing to be read
    found = decide(word=0, state=state, ddt_log2=3, walk={"key": {"device": 8}})
    check_end(found, Cause.DEVICE_INVALID, 0, 0)


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
    allowed = outcome.rights
    assert found["finish"] and outcome.cause == Cause.OK and allowed.size == size
    assert (allowed.read, allowed.write, allowed.dirty) == rights
    assert outcome.pfn == word >> 12 & (1 << 40) - 1


def neighbour(word, ft, write, no_read, devid, check_ad):
    """Whether §4 lets a read, and a write, have the 4 KiB leaf ``word``, below levels that leave
    ``write`` and ``no_read``. Step by step, with literal bits."""
    if not word & 1 or not word & 4:                    # NOT_PRESENT, SUPERVISOR
        return False, False
    if check_ad and not word >> 5 & 1:                  # ACCESS_FLAG
        return False, False
    if word >> 10 & 1 != ft:                            # FT_MISMATCH
        return False, False
    if ft and word >> 52 & 0x3FF != devid:              # DEVICE_MISMATCH
        return False, False
    return (not (ft and (no_read or word >> 9 & 1)),
            bool(write and word >> 1 & 1 and (word >> 6 & 1 or not check_ad)))


def test_neighbours_of_a_leaf():
    m = Module()
    page, state, word = Signal(LeafPage), Signal(WalkState), Signal(64)
    ft, check_ad = Signal(), Signal()
    leaf = decode_leaf(word, ft=ft)
    m.d.comb += assign(page, leaf_page(
        leaf, fits=leaf.is_of(ft=ft, devid=state.devid), above=state, check_ad=check_ad))
    m.d.sync += Signal().eq(0)
    rng = seeded("walk_step/neighbours")
    seen = set()

    async def bench(ctx):
        base = LEAF | 0x400
        words = [base, *(base ^ 1 << bit for bit in range(64)),
                 *(base ^ rng.getrandbits(64) & 0x0030_0000_0000_0667 for _ in range(300))]
        for entry in words:
            for _ in range(12):
                about = {"ft": rng.getrandbits(1), "write": rng.getrandbits(1),
                         "no_read": rng.getrandbits(1), "devid": rng.choice([5, 5, 5, 0x205, 4]),
                         "check_ad": rng.getrandbits(1)}
                about["no_read"] &= about["ft"]
                if not about["ft"] and rng.random() < .5:
                    entry &= ~0x400
                ctx.set(word, entry)
                ctx.set(ft, about["ft"])
                ctx.set(check_ad, about["check_ad"])
                ctx.set(state, {name: about[name] for name in ("write", "no_read", "devid")})
                await ctx.delay(1e-9)
                found = ctx.get(page)
                allowed = bool(found.read), bool(found.write and found.dirty)
                assert allowed == neighbour(entry, **about), (hex(entry), about)
                assert found.pfn == entry >> 12 & (1 << 40) - 1
                # a beat says write = W over the path; D matters to a write alone (§4, 7)
                if any(allowed):
                    assert found.write == (about["write"] & entry >> 1 & 1)
                seen.add(allowed)
    simulate(m, bench)
    assert len(seen) == 4
