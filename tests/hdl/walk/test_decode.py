"""Faults and grants of page-table entries, from literal words. The proof in ``tests/formal``
covers every one."""

import pytest

from siommu.arch.formats import Cause, Disposition, Size
from siommu.walk.state import Table

from .decisions import LEAF, check_end, decide

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
