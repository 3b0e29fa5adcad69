"""What is known of the tables in memory, and what is to be read of them."""

from amaranth.lib import data

from ..arch.formats import DEVID_BITS, PFN_BITS
from .keys import WalkKey
from .paging import ADDRESS_WIDTHS, FORMAT_BITS, Paging, canonical
from .sizes import ENTRY_ADDR_BITS, SLOT_BITS, WAY_BITS

__all__ = ["DeviceInfo", "ContextInfo", "RegionInfo", "UpperLevels", "Reach", "reach",
           "WalkStart", "TableRead"]


class DeviceInfo(data.Struct):
    """A valid device directory entry (§3.1), as the device-context cache keeps it."""

    mem_en: 1
    sto_en: 1
    mem_bypass: 1
    sto_bypass: 1
    levels: 2
    pfn: PFN_BITS
    devid: DEVID_BITS


class ContextInfo(data.Struct):
    """A PASID context (§3.2) for one FT, with its device's DEVID: all that a table walk needs."""

    root: PFN_BITS
    paging: Paging
    deny: 2
    devid: DEVID_BITS


class RegionInfo(data.Struct):
    """The level-1 table of 2 MiB, with the format of its entries, W and NR of the levels above and
    its device's DEVID: what the walk cache keeps."""

    table: PFN_BITS
    entry_format: FORMAT_BITS
    write: 1
    no_read: 1
    devid: DEVID_BITS


class UpperLevels(data.Struct):
    """What the caches know of the upper levels of an operation's page, in ACT. ``region_way`` is
    where the walk cache has room for what a walk of it finds."""

    device_hit: 1
    device: DeviceInfo
    context_hit: 1
    context: ContextInfo
    region_hit: 1
    region: RegionInfo
    region_way: WAY_BITS


class Reach(data.Struct):
    """What can be said of the key of a walk: for which widths its address is canonical, and whether
    its PASID has bits beyond the 7th and the 16th."""

    canonical: len(ADDRESS_WIDTHS)
    beyond_7: 1
    beyond_16: 1


def reach(key):
    """The :class:`Reach` of ``key``, as a dictionary."""
    return {"canonical": canonical(key.page), "beyond_7": key.pasid[7:] != 0,
            "beyond_16": key.pasid[16:] != 0}


class WalkStart(data.Struct):
    """A walk to be started: for whom, and what the caches know already.

    ``speculative``: nobody waits for its outcome, so it may end in a fault to which a cache led.
    ``region_way`` is where the walk cache has room for what this walk finds.
    """

    slot: SLOT_BITS
    speculative: 1
    key: WalkKey
    reach: Reach
    device_hit: 1
    device: DeviceInfo
    context_hit: 1
    context: ContextInfo
    region_hit: 1
    region: RegionInfo
    region_way: WAY_BITS


class TableRead(data.Struct):
    """A table read of one walk slot: the words of one entry, or the line around a leaf."""

    slot: SLOT_BITS
    addr: ENTRY_ADDR_BITS
    words_minus_one: 2
    line: 1
