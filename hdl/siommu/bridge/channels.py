"""What the bridge keeps of a burst's header, and where it comes from (§9)."""

from amaranth.lib import data

from ..arch.formats import ADDR_BITS, DEVICE_BITS, PAGE_SHIFT, PASID_BITS

__all__ = ["ATTRIBUTES", "PAGE_BITS", "USER_BITS", "Address", "Decided", "Header", "Refusal",
           "Sourced"]

#: Fields of AxADDR's channel that pass through unchanged, and their widths (IHI 0022, A2).
ATTRIBUTES = {"len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3, "qos": 4,
              "region": 4}

#: Bits of a page number of either side: a translated address may have all 64 bits (§4, BYPASS).
PAGE_BITS = ADDR_BITS - PAGE_SHIFT

#: Bits of ``s_axi_awuser`` and ``s_axi_aruser``: the device, and the PASID above it.
USER_BITS = DEVICE_BITS + PASID_BITS


def Address(id_width):
    """Payload of ``m_axi_ar`` and ``m_axi_aw``: a whole header. AxBURST is two plain bits, since a
    device may send any of the four values."""
    return data.StructLayout({"id": id_width, "addr": ADDR_BITS, **ATTRIBUTES})


def Sourced(id_width):
    """Payload of ``s_axi_ar`` and ``s_axi_aw``: a header, and for whom it is."""
    return data.StructLayout({"address": Address(id_width), "device": DEVICE_BITS,
                              "pasid": PASID_BITS})


def Header(id_width):
    """What waits for a translation: a header without its page."""
    return data.StructLayout({"id": id_width, "offset": PAGE_SHIFT, **ATTRIBUTES})


def Decided(id_width):
    """A burst whose translation is known: whether it is granted, and to which page."""
    return data.StructLayout({"header": Header(id_width), "granted": 1, "page": PAGE_BITS})


def Refusal(id_width):
    """What the answer to a refused burst needs to know of it."""
    return data.StructLayout({"id": id_width, "len": 8})
