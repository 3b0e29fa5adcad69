"""What is known of the tables in memory, and what is to be read of them."""

from amaranth import Mux
from amaranth.lib import data

from ..arch.config import Config
from ..arch.formats import DEVID_BITS, PFN_BITS
from .keys import WalkKey
from .paging import Paging, address_widths, canonical, format_bits
from .sizes import ENTRY_ADDR_BITS, SLOT_BITS, WAY_BITS

__all__ = ["DeviceInfo", "ContextInfo", "RegionInfo", "UpperLevels", "Innermost", "innermost",
           "Reach", "reach", "WalkStart", "TableRead"]


class DeviceInfo(data.Struct):
    """A valid device directory entry (§3.1), as the device-context cache keeps it."""

    pfn: PFN_BITS
    devid: DEVID_BITS
    mem_en: 1
    sto_en: 1
    mem_bypass: 1
    sto_bypass: 1
    levels: 2


def ContextInfo(config: Config):        # noqa: N802 - a shape
    """A PASID context (§3.2) for one FT, with its device's DEVID: all that a table walk needs."""
    return data.StructLayout({"root": PFN_BITS, "devid": DEVID_BITS, "paging": Paging(config),
                              "deny": 2})


def RegionInfo(config: Config):         # noqa: N802 - a shape
    """The level-1 table of 2 MiB, with the format of its entries, W and NR of the levels above and
    its device's DEVID: what the walk cache keeps."""
    return data.StructLayout({"table": PFN_BITS, "devid": DEVID_BITS,
                              "entry_format": format_bits(config), "write": 1, "no_read": 1})


def UpperLevels(config: Config):        # noqa: N802 - a shape
    """What the caches know of the upper levels of an operation's page, in ACT. ``region_way`` is
    where the walk cache has room for what a walk of it finds."""
    return data.StructLayout({
        "device_hit": 1, "device": DeviceInfo,
        "context_hit": 1, "context": ContextInfo(config),
        "region_hit": 1, "region": RegionInfo(config), "region_way": WAY_BITS})


def Reach(config: Config):              # noqa: N802 - a shape
    """What can be said of the key of a walk: for which widths its address is canonical, and whether
    its PASID has bits beyond the 7th and the 16th."""
    return data.StructLayout({"canonical": len(address_widths(config)), "beyond_7": 1,
                              "beyond_16": 1})


def reach(key, config):
    """The :class:`Reach` of ``key``, as a dictionary."""
    return {"canonical": canonical(key.page, config), "beyond_7": key.pasid[7:] != 0,
            "beyond_16": key.pasid[16:] != 0}


def Innermost(config: Config):          # noqa: N802 - a shape
    """The innermost table that the caches know, of which at most one ``_hit`` says what it is: one
    of the three of :class:`UpperLevels`. All begin with a page number and a DEVID."""
    return data.StructLayout({
        "device_hit": 1, "context_hit": 1, "region_hit": 1, "region_way": WAY_BITS,
        "known": data.UnionLayout({"device": DeviceInfo, "context": ContextInfo(config),
                                   "region": RegionInfo(config)})})


def innermost(upper, trusted):
    """The :class:`Innermost` of ``upper``, as a dictionary; nothing, unless it is ``trusted``."""
    region, context = upper.region_hit, upper.context_hit
    return {
        "region_hit": region & trusted, "context_hit": context & ~region & trusted,
        "device_hit": upper.device_hit & ~context & ~region & trusted,
        "region_way": upper.region_way,
        "known": Mux(region, upper.region.as_value(), Mux(
            context, upper.context.as_value(), upper.device.as_value()))}


def WalkStart(config: Config):          # noqa: N802 - a shape
    """A walk to be started: for whom, and what the caches know already, the fields of
    :class:`Innermost`.

    ``speculative``: nobody waits for its outcome, so it may end in a fault to which a cache led.
    """
    known = {name: field.shape for name, field in Innermost(config)}
    return data.StructLayout({"slot": SLOT_BITS, "speculative": 1, "key": WalkKey,
                              "reach": Reach(config), **known})


class TableRead(data.Struct):
    """A table read of one walk slot: the words of one entry, or the line around a leaf."""

    slot: SLOT_BITS
    addr: ENTRY_ADDR_BITS
    words_minus_one: 2
    line: 1
