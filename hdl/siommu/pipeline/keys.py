"""What translations, lines, regions and walks are found by."""

from functools import reduce
from operator import xor

from amaranth import C, Cat
from amaranth.lib import data

from ..arch.formats import DEVICE_BITS, INDEX_BITS, PAGE_SHIFT, PASID_BITS, VPN_BITS
from .sizes import LINE_BITS, PAGE_NUMBER_BITS

__all__ = ["TlbKey", "LineKey", "RegionKey", "ContextKey", "WalkKey", "tlb_key", "line_key",
           "PartialTag", "region_key", "walk_key", "partial_tag"]


PARTIAL_BITS = 18       #: of a :class:`PartialTag`, for the line, the device and the PASID


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


class ContextKey(data.Struct):
    """What a PASID context is cached by: one address space of one process on one device."""

    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS


class WalkKey(data.Struct):
    """What a walk is asked for. Requests of equal key share one walk and its outcome."""

    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    page: PAGE_NUMBER_BITS


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


class PartialTag(data.Struct):
    """What tells most lines apart, and the place in a line: for a comparison of many keys that may
    err on the side of equality. ``line`` is folded from the line, the device and the PASID;
    ``ft`` and ``write`` are those of the key."""

    ft: 1
    write: 1
    line: PARTIAL_BITS
    place: LINE_BITS


def partial_tag(key):
    """Fields of the :class:`PartialTag` of a :class:`WalkKey`. Where small numbers differ, in one
    of its fields or in several, so do the tags: each field's lowest bits have a place of their
    own, the line's from below, the PASID's from above, the device's from the middle."""
    line, middle = key.page[LINE_BITS:], PARTIAL_BITS // 2
    folded = [line[low:low + PARTIAL_BITS] for low in range(0, len(line), PARTIAL_BITS)]
    folded[1] = folded[1][::-1]
    folded += [key.pasid[:PARTIAL_BITS][::-1], key.pasid[PARTIAL_BITS:],
               key.device[middle:], Cat(C(0, middle), key.device[:middle])]
    return {"ft": key.ft, "write": key.write, "line": reduce(xor, folded),
            "place": key.page[:LINE_BITS]}
