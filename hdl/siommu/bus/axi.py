"""Signatures of the AXI channels that the core drives (AMBA AXI4, IHI 0022)."""

from amaranth.lib import data, enum

__all__ = ["Burst", "Resp", "ReadAddress", "ReadData", "WriteAddress", "WriteData",
           "WriteResponse"]


class Burst(enum.Enum, shape=2):
    """AxBURST (IHI 0022, table A3-3)."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class Resp(enum.Enum, shape=2):
    """xRESP (IHI 0022, table A3-4)."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def ReadAddress(id_width):
    """Payload of the AR channel, as far as the core varies it."""
    return data.StructLayout({"id": id_width, "addr": 64, "len": 8, "size": 3, "burst": Burst})


def ReadData(id_width, data_width):
    """Payload of the R channel."""
    return data.StructLayout({"id": id_width, "data": data_width, "resp": 2, "last": 1})


def WriteAddress(id_width):
    """Payload of the AW channel, as far as the core varies it. Bursts are INCR."""
    return data.StructLayout({"id": id_width, "addr": 64, "len": 8, "size": 3})


def WriteData(data_width):
    """Payload of the W channel."""
    return data.StructLayout({"data": data_width, "strb": data_width // 8, "last": 1})


def WriteResponse(id_width):
    """Payload of the B channel."""
    return data.StructLayout({"id": id_width, "resp": 2})
