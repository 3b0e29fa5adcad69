"""Where walks begin: at the innermost table that a cache knows, or at the device directory; and
that what a cache knows never ends in a fault."""

import pytest

from siommu.arch.formats import Cause
from siommu.walk.state import Table

from .decisions import LEAF, check_end, check_read, decide


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


def test_a_cached_table_brings_its_format():
    for of_region in (0, 1):
        walk = {"region_hit": 1, "region": {**REGION, "entry_format": of_region}}
        following = decide(start=1, walk=walk)["following"]
        assert (following.table, following.level) == (Table.PAGE_TABLE, 1)
        assert following.entry_format == of_region


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
