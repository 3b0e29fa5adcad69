"""The payloads that travel between the stages of the core.

Each is a struct of its own, so that a stage names what it reads. None of them is visible outside
the core; what is visible is declared in :mod:`siommu.formats`.
"""

from amaranth.lib import data

from .formats import (ADDR_BITS, DEVICE_BITS, DEVID_BITS, PAGES_BITS, PASID_BITS, PFN_BITS,
                      TAG_BITS, VPN_BITS, Cause, Disposition, Size)

__all__ = ["PORT_BITS", "SLOT_BITS", "PAGE_NUMBER_BITS", "ENTRY_ADDR_BITS", "Operation", "TlbKey",
           "WalkKey", "Outcome", "DeviceInfo", "ContextInfo", "WalkStart", "TableRead"]

PORT_BITS = 4           #: at most 8 device ports and the processor
SLOT_BITS = 4           #: at most 16 walks in flight
PAGE_NUMBER_BITS = ADDR_BITS - 12
ENTRY_ADDR_BITS = 53    #: a table base below 2^52 plus an offset


class Operation(data.Struct):
    """A request, or what is left of it, on its way through the core.

    ``addr`` and ``pages`` begin at the first page not yet answered. ``reserved`` says that a walk
    slot is kept free for it (§ *fairness* of the theory of operation).
    """

    reserved: 1
    port: PORT_BITS
    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    addr: ADDR_BITS
    pages: PAGES_BITS
    tag: TAG_BITS


class TlbKey(data.Struct):
    """What a TLB entry is found by. ``canonical`` is set when address bits 63:56 are all equal."""

    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    vpn: VPN_BITS
    canonical: 1


class WalkKey(data.Struct):
    """What a walk is asked for. Requests of equal key share one walk and its outcome."""

    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS


class Outcome(data.Struct):
    """How a page was decided: a grant (``cause`` = OK) or a fault.

    ``pfn`` is the leaf's own; its bits below the mapping's size have no meaning. ``dirty`` says that a write may use the entry (always, unless CHECK_AD is set and the leaf's D is clear).
    ``level`` and ``entry`` are those of a fault record (§5.1).
    """

    cause: Cause
    disposition: Disposition
    pfn: PFN_BITS
    size: Size
    read: 1
    write: 1
    dirty: 1
    level: 3
    entry: ENTRY_ADDR_BITS


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
    l5: 1
    deny: 2
    devid: DEVID_BITS


class WalkStart(data.Struct):
    """A walk to be started: for whom, and what the context caches know already.

    ``fresh`` walks trust no cache: they begin at the device directory.
    """

    slot: SLOT_BITS
    fresh: 1
    key: WalkKey
    device_hit: 1
    device: DeviceInfo
    context_hit: 1
    context: ContextInfo


class TableRead(data.Struct):
    """A read of ``words_minus_one`` + 1 table words for one walk slot."""

    slot: SLOT_BITS
    addr: ENTRY_ADDR_BITS
    words_minus_one: 2
