"""The translating bridge: both directions, and the port through which they ask (§9)."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import BridgeConfig
from ..arch.formats import Request, Response
from ..bus.axi import ReadData, WriteData, WriteResponse
from .channels import Address, Sourced
from .fault_pulses import FaultPulses
from .read_path import ReadPath
from .request_share import AnswerSplit, RequestShare
from .write_path import WritePath

__all__ = ["AxiBridge"]


class AxiBridge(wiring.Component):
    """Asks the SIOMMU for every burst; lets it pass with the translated address, or refuses it.

    No path leads combinationally from an input to an output.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    s_ar, s_aw : In(stream.Signature(Sourced)), s_w : In(stream.Signature(WriteData)), \
s_r : Out(stream.Signature(ReadData)), s_b : Out(stream.Signature(WriteResponse))
        The device.
    m_ar, m_aw : Out(stream.Signature(Address)), m_w : Out(stream.Signature(WriteData)), \
m_r : In(stream.Signature(ReadData)), m_b : In(stream.Signature(WriteResponse))
        Memory.
    request : Out(stream.Signature(Request)), response : In(stream.Signature(Response))
        A device port of the SIOMMU, from the other side (§2.1).
    fault : Out(1)
        High for a cycle per refused burst.
    """

    def __init__(self, config: BridgeConfig = BridgeConfig()):
        self._config = config
        ids, width = config.id_width, config.data_width
        sourced, address = stream.Signature(Sourced(ids)), stream.Signature(Address(ids))
        read = stream.Signature(ReadData(ids, width))
        write, done = stream.Signature(WriteData(width)), stream.Signature(WriteResponse(ids))
        super().__init__({
            "s_ar": In(sourced), "s_r": Out(read),
            "s_aw": In(sourced), "s_w": In(write), "s_b": Out(done),
            "m_ar": Out(address), "m_r": In(read),
            "m_aw": Out(address), "m_w": Out(write), "m_b": In(done),
            "request": Out(stream.Signature(Request)), "response": In(stream.Signature(Response)),
            "fault": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.reads = reads = ReadPath(self._config)
        m.submodules.writes = writes = WritePath(self._config)
        m.submodules.share = share = RequestShare()
        m.submodules.split = split = AnswerSplit(self._config)
        m.submodules.faults = faults = FaultPulses()
        for path, names in ((reads, ("s_ar", "s_r", "m_ar", "m_r")),
                            (writes, ("s_aw", "s_w", "s_b", "m_aw", "m_w", "m_b"))):
            for name in names:
                connect(m, getattr(path, name), flipped(getattr(self, name)))
        connect(m, reads.request, share.reads)
        connect(m, writes.request, share.writes)
        connect(m, share.request, flipped(self.request))
        connect(m, flipped(self.response), split.response)
        connect(m, split.reads, reads.answer)
        connect(m, split.writes, writes.answer)
        m.d.comb += [faults.reads.eq(reads.refuses), faults.writes.eq(writes.refuses),
                     self.fault.eq(faults.fault)]
        return m
