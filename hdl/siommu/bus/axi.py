"""Signatures of the AXI channels that the core drives (AMBA AXI4, IHI 0022)."""

from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Axi4", "AxiLite", "Burst", "Resp", "ReadAddress", "ReadData", "WriteAddress",
           "WriteData", "WriteResponse"]


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


class Axi4(wiring.Signature):
    """The channels of AXI4 from the master's side, a stream each, as far as the core varies them.

    The rest of AXI4 is constant: AWBURST is INCR, AxCACHE is normal, non-cacheable, bufferable
    memory (0011), and AxLOCK, AxPROT, AxQOS and AxREGION are 0.

    Parameters
    ----------
    id_width, data_width : int

    Members
    -------
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
    aw : Out(stream.Signature(WriteAddress)), w : Out(stream.Signature(WriteData))
    b : In(stream.Signature(WriteResponse))
    """

    def __init__(self, id_width, data_width):
        super().__init__({
            "ar": Out(stream.Signature(ReadAddress(id_width))),
            "r": In(stream.Signature(ReadData(id_width, data_width))),
            "aw": Out(stream.Signature(WriteAddress(id_width))),
            "w": Out(stream.Signature(WriteData(data_width))),
            "b": In(stream.Signature(WriteResponse(id_width))),
        })


class AxiLite(wiring.Signature):
    """The channels of AXI4-Lite from the master's side, a stream each.

    Members
    -------
    aw, ar : Out(stream.Signature(12))
        Addresses, in bytes.
    w : Out(stream of data and strb)
    b : In(stream.Signature(2)), r : In(stream of data and resp)
    """

    def __init__(self):
        super().__init__({
            "aw": Out(stream.Signature(12)),
            "w": Out(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": In(stream.Signature(2)),
            "ar": Out(stream.Signature(12)),
            "r": In(stream.Signature(data.StructLayout({"data": 32, "resp": 2}))),
        })
