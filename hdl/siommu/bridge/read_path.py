"""The reads of the bridge, from the device's address to the device's data (§9)."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import BridgeConfig
from ..arch.formats import Request
from ..bus.axi import ReadData
from ..lib.event import Event
from ..lib.queues import PairQueue
from .admission import Admission
from .channels import Address, Sourced
from .merge import ReadMerge
from .refuse import RefusedReads
from .release import Release
from .slots import Answer, Slots

__all__ = ["ReadPath"]


class ReadPath(wiring.Component):
    """Reads. An address that comes in cycle *n* is asked for in *n* + 1, and goes to memory in the
    cycle after its answer; data take one cycle.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    s_ar : In(stream.Signature(Sourced)), s_r : Out(stream.Signature(ReadData))
        The device.
    request : Out(stream.Signature(Request)), answer : In(Event(Answer))
        The SIOMMU.
    m_ar : Out(stream.Signature(Address)), m_r : In(stream.Signature(ReadData))
        Memory.
    refuses : Out(1)
        A burst is refused in this cycle.
    """

    def __init__(self, config: BridgeConfig):
        self._config = config
        content = stream.Signature(ReadData(config.id_width, config.data_width))
        super().__init__({
            "s_ar": In(stream.Signature(Sourced(config.id_width))), "s_r": Out(content),
            "request": Out(stream.Signature(Request)), "answer": In(Event(Answer(config))),
            "m_ar": Out(stream.Signature(Address(config.id_width))), "m_r": In(content),
            "refuses": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = PairQueue(Sourced(self._config.id_width))
        m.submodules.admission = admission = Admission(self._config, write=False)
        m.submodules.slots = slots = Slots(self._config)
        m.submodules.release = release = Release(self._config)
        m.submodules.refused = refused = RefusedReads(self._config)
        m.submodules.merge = merge = ReadMerge(self._config)
        connect(m, flipped(self.s_ar), bursts.w)
        connect(m, bursts.r, admission.bursts)
        connect(m, admission.request, flipped(self.request))
        connect(m, admission.admit, slots.admit)
        connect(m, flipped(self.answer), slots.answer)
        connect(m, slots.oldest, release.oldest)
        connect(m, release.address, flipped(self.m_ar))
        connect(m, release.refusal, refused.refusal)
        connect(m, refused.beats, merge.refused)
        connect(m, flipped(self.m_r), merge.memory)
        connect(m, merge.ends, release.ends)
        connect(m, merge.r, flipped(self.s_r))
        m.d.comb += [
            admission.room.eq(slots.room), admission.slot.eq(slots.slot),
            release.room.eq(1), self.refuses.eq(release.refuses),
        ]
        return m
