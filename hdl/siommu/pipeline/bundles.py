"""The payloads that travel between the stages of the core.

Each is a struct of its own, so that a stage names what it reads. None of them is visible outside
the core; what is visible is declared in :mod:`siommu.arch.formats`.
"""

from amaranth import Cat
from amaranth.lib import data

from ..arch.formats import (
    ADDR_BITS,
    DEVICE_BITS,
    DEVID_BITS,
    INDEX_BITS,
    PAGE_SHIFT,
    PAGES_BITS,
    PASID_BITS,
    PFN_BITS,
    TAG_BITS,
    VPN_BITS,
    Cause,
    Disposition,
    Size,
)

__all__ = ["PORT_BITS", "SLOT_BITS", "WAY_BITS", "LINE_BITS", "LINE_PAGES", "PAGE_NUMBER_BITS",
           "ENTRY_ADDR_BITS", "Operation", "TlbKey", "LineKey", "RegionKey", "WalkKey", "Rights",
           "Translation", "Outcome", "DeviceInfo", "ContextInfo", "RegionInfo", "Reach",
           "WalkStart", "TableRead", "Prefetch", "Invalidation", "FaultInfo", "assign", "reach",
           "tlb_key", "line_key", "region_key", "walk_key", "walk_line", "same_place", "same_line"]

PORT_BITS = 4           #: at most 8 device ports and the processor
SLOT_BITS = 5           #: at most 28 walk slots
WAY_BITS = 2            #: at most 4 ways
LINE_BITS = 3           #: a line is what 64 bytes of leaf entries map: 8 pages
LINE_PAGES = 1 << LINE_BITS
PAGE_NUMBER_BITS = ADDR_BITS - 12
ENTRY_ADDR_BITS = 53    #: a table base below 2^52 plus an offset


class Operation(data.Struct):
    """A request, or what is left of it, on its way through the core.

    ``addr`` and ``pages`` begin at the first page not yet answered. The fields before ``port``
    are what its earlier passes through the pipeline left to the next one:

    * ``silent``: a look-ahead or a prefetch, which nobody hears the answer of. It leads to a
      speculative walk, whose fault is nobody's answer;
    * ``reserved``: a walk slot is kept free for it;
    * ``claims``: it waited for the walk of ``slot``, which is kept until it has passed;
    * ``in_time``: a fault of that walk is its answer;
    * ``tries``: how often it has waited for a walk that was not its own;
    * ``distrusts``: it found a wrong parity in the second-level TLB.
    """

    silent: 1
    reserved: 1
    claims: 1
    in_time: 1
    slot: SLOT_BITS
    tries: 2
    distrusts: 1
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


class LineKey(data.Struct):
    """What a line of the second-level TLB is found by: eight pages of one address space. (Every
    field begins at an even bit but ``canonical``: ``SetStore.ignored`` takes them in pairs.)"""

    ft: 1
    canonical: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    line: VPN_BITS - LINE_BITS


class RegionKey(data.Struct):
    """What a walk-cache entry is found by: 2 MiB of one address space. (Fields as in
    :class:`LineKey`.)"""

    ft: 1
    canonical: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    region: VPN_BITS - INDEX_BITS


class WalkKey(data.Struct):
    """What a walk is asked for. Requests of equal key share one walk and its outcome."""

    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS


class Rights(data.Struct):
    """What a mapping allows, and its size. ``dirty`` says that a write may use it: always, unless
    CHECK_AD is set and the leaf's D is clear."""

    size: Size
    read: 1
    write: 1
    dirty: 1


class Translation(data.Struct):
    """Up to eight pages of one line that are contiguous and have equal rights.

    ``mask`` has a bit for each page of the line; page *i* is at page number ``base`` + *i*
    (modulo 2^40). Of a larger mapping, ``base`` is its leaf's page number and ``mask`` is full.
    """

    rights: Rights
    mask: LINE_PAGES
    last: LINE_BITS
    base: PFN_BITS


class Outcome(data.Struct):
    """How a page was decided: a grant (``cause`` = OK) or a fault.

    ``pfn`` is the page's own (4 KiB) or the leaf's (its bits below the mapping's size have no
    meaning). ``extent`` more pages behind it are contiguous to it, in the same line and with equal
    rights (4 KiB). ``level`` and ``entry`` are those of a fault record (§5.1); ``quiet``: the
    device's faults are not recorded.
    """

    cause: Cause
    disposition: Disposition
    rights: Rights
    pfn: PFN_BITS
    extent: LINE_BITS
    level: 3
    entry: ENTRY_ADDR_BITS
    quiet: 1


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


class RegionInfo(data.Struct):
    """The level-1 table of 2 MiB, with W and NR of the levels above and its device's DEVID: what
    the walk cache keeps."""

    table: PFN_BITS
    write: 1
    no_read: 1
    devid: DEVID_BITS


class Reach(data.Struct):
    """What can be said of the key of a walk: whether its address is canonical for 48 and 57 bits,
    and whether its PASID has bits beyond the 7th and the 16th."""

    canonical_48: 1
    canonical_57: 1
    beyond_7: 1
    beyond_16: 1


def reach(key):
    """The :class:`Reach` of ``key``, as a dictionary."""
    sign48, sign57 = key.page[35:], key.page[44:]
    return {"canonical_48": _all_equal(sign48), "canonical_57": _all_equal(sign57),
            "beyond_7": key.pasid[7:] != 0, "beyond_16": key.pasid[16:] != 0}


def _all_equal(bits):
    return bits.all() | ~bits.any()


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


class Prefetch(data.Struct):
    """What is to be prefetched (§6): 2^``n`` pages from the aligned ``page`` on, n ≤ 8."""

    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS
    n: 4


class Invalidation(data.Struct):
    """What is to be dropped (§6): all that agrees in the selected fields. ``context``: contexts
    as well. ``page``: the first of 2^``n`` pages."""

    context: 1
    by_device: 1
    by_pasid: 1
    by_ft: 1
    by_addr: 1
    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS
    n: 6


class FaultInfo(data.Struct):
    """A fault on its way to its record (§5.1). ``quiet``: it leaves none."""

    cause: 4
    disposition: 2
    write: 1
    ft: 1
    level: 3
    device: DEVICE_BITS
    pasid: PASID_BITS
    tag: TAG_BITS
    port: PORT_BITS
    addr: ADDR_BITS
    entry: ENTRY_ADDR_BITS
    quiet: 1


def assign(target, fields):
    """Statements that assign ``fields``, a dictionary, to the fields of the struct ``target``."""
    return [target[name].eq(value) for name, value in fields.items()]


def _space(key, page):
    """The fields that every key has: the address space, and whether bits 63:56 are equal."""
    sign = page[VPN_BITS - 1:]
    return {"ft": key.ft, "device": key.device, "pasid": key.pasid,
            "canonical": sign.all() | ~sign.any()}


def tlb_key(key, page):
    """Fields of the :class:`TlbKey` of ``page``, in the address space of ``key`` (any struct that
    has FT, device and PASID)."""
    return {**_space(key, page), "vpn": page[:VPN_BITS]}


def line_key(key, page):
    """Fields of the :class:`LineKey` of ``page``, in the address space of ``key``."""
    return {**_space(key, page), "line": page[LINE_BITS:VPN_BITS]}


def region_key(key, page):
    """Fields of the :class:`RegionKey` of ``page``, in the address space of ``key``."""
    return {**_space(key, page), "region": page[INDEX_BITS:VPN_BITS]}


def walk_key(operation):
    """Fields of the :class:`WalkKey` of an operation's first page."""
    return {"ft": operation.ft, "write": operation.write, "device": operation.device,
            "pasid": operation.pasid, "page": operation.addr[PAGE_SHIFT:]}


def same_place(key, other):
    """Whether two :class:`WalkKey` ask for the same page of their lines."""
    return key.page[:LINE_BITS] == other.page[:LINE_BITS]


def walk_line(key):
    """What tells the line of a :class:`WalkKey`, and how it is asked for."""
    return Cat(key.ft, key.write, key.device, key.pasid, key.page[LINE_BITS:])


def same_line(key, other):
    """Whether two :class:`WalkKey` ask for the same line in the same way."""
    return walk_line(key) == walk_line(other)
