"""The writes of the bridge, from the device's address to the device's response (§9)."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import BridgeConfig
from ..arch.formats import Request
from ..bus.axi import WriteData, WriteResponse
from ..lib.event import Event
from ..lib.queues import PairQueue
from .admission import Admission
from .channels import Address, Sourced
from .merge import WriteMerge
from .refuse import RefusedWrites
from .release import Release
from .slots import Answer, Slots
from .write_gate import WriteGate

__all__ = ["WritePath"]


class WritePath(wiring.Component):
    """Writes. Addresses take as long as those of reads (:class:`.read_path.ReadPath`); data go to
    memory beside their address, or one cycle after they came; responses take one cycle.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    s_aw : In(stream.Signature(Sourced)), s_w : In(stream.Signature(WriteData)), \
s_b : Out(stream.Signature(WriteResponse))
        The device.
    request : Out(stream.Signature(Request)), answer : In(Event(Answer))
        The SIOMMU.
    m_aw : Out(stream.Signature(Address)), m_w : Out(stream.Signature(WriteData)), \
m_b : In(stream.Signature(WriteResponse))
        Memory.
    refuses : Out(1)
        A burst is refused in this cycle.
    """

    def __init__(self, config: BridgeConfig):
        self._config = config
        content = stream.Signature(WriteData(config.data_width))
        response = stream.Signature(WriteResponse(config.id_width))
        super().__init__({
            "s_aw": In(stream.Signature(Sourced(config.id_width))), "s_w": In(content),
            "s_b": Out(response),
            "request": Out(stream.Signature(Request)), "answer": In(Event(Answer(config))),
            "m_aw": Out(stream.Signature(Address(config.id_width))), "m_w": Out(content),
            "m_b": In(response), "refuses": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = PairQueue(Sourced(self._config.id_width))
        m.submodules.beats = beats = PairQueue(WriteData(self._config.data_width))
        m.submodules.admission = admission = Admission(self._config, write=True)
        m.submodules.slots = slots = Slots(self._config)
        m.submodules.release = release = Release(self._config)
        m.submodules.gate = gate = WriteGate(self._config.data_width)
        m.submodules.refused = refused = RefusedWrites(self._config)
        m.submodules.merge = merge = WriteMerge(self._config)
        connect(m, flipped(self.s_aw), bursts.w)
        connect(m, bursts.r, admission.bursts)
        connect(m, admission.request, flipped(self.request))
        connect(m, admission.admit, slots.admit)
        connect(m, flipped(self.answer), slots.answer)
        connect(m, slots.oldest, release.oldest)
        connect(m, release.address, flipped(self.m_aw))
        connect(m, release.refusal, refused.refusal)
        connect(m, flipped(self.s_w), beats.w)
        connect(m, beats.r, gate.data)
        connect(m, gate.w, flipped(self.m_w))
        connect(m, refused.response, merge.refused)
        connect(m, flipped(self.m_b), merge.memory)
        connect(m, merge.ends, release.ends)
        connect(m, merge.b, flipped(self.s_b))
        oldest = slots.oldest
        m.d.comb += [
            admission.room.eq(slots.room), admission.slot.eq(slots.slot),
            release.room.eq(gate.room), self.refuses.eq(release.refuses),
            gate.offers.valid.eq(release.address.valid),
            gate.offers.payload.eq(release.address.payload.len),
            gate.passes.valid.eq(oldest.valid & oldest.ready),
            gate.passes.payload.len.eq(oldest.payload.header.len),
            gate.passes.payload.granted.eq(oldest.payload.granted),
            refused.drained.eq(gate.drained),
        ]
        return m
