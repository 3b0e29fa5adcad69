"""The fault queue (§5.1): every fault that was answered becomes a record in a ring in memory.

::

    core ──> WaitingFaults ──> decide: quiet, limited, full? ──> RecordWriter ──> memory
                                  │        RecordQuota, RecordRing                  │
                                  └──> recorded                 RecordResponses <───┘ ──> FQ_TAIL

A port is told of a fault only when its record was decided about (``recorded``), and for every
request that the ports may have outstanding there is room to wait. So no fault is lost here, however
slow the memory is, and a port with many faults waits for its own records only.

Records are written one behind the other without waiting for responses; FQ_TAIL follows the
responses.
"""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..arch.formats import PFN_BITS
from ..bus.axi import WriteAddress, WriteData
from ..pipeline.events import FaultInfo
from .fault_quota import QUOTA_BITS, RecordQuota
from .fault_ring import RecordResponses, RecordRing
from .fault_wait import WaitingFaults
from .record_writer import RecordWriter
from .rings import RING_INDEX_BITS

__all__ = ["FaultQueue", "FaultRegisters"]


class FaultRegisters(wiring.Signature):
    """The registers of the fault queue (§7), seen from the register block.

    Members
    -------
    enable, base, log2, head, quota, failed : Out
        FQ_CTRL.ENABLE, FQ_BASE, FQ_LOG2, FQ_HEAD, FQ_QUOTA; FQ_ERROR is set.
    head_written : Out(1)
        FQ_HEAD has changed, and every port may add ``quota`` records again, as it may when the
        queue is turned on. A decision of this very cycle still goes by what was before.
    tail : In(RING_INDEX_BITS)
        FQ_TAIL.
    overflow, error, record, limited : In(1)
        For one cycle: sets the bit of FQ_STATUS.
    """

    def __init__(self):
        super().__init__({
            "enable": Out(1),
            "base": Out(PFN_BITS),
            "log2": Out(5),
            "head": Out(RING_INDEX_BITS),
            "quota": Out(QUOTA_BITS),
            "failed": Out(1),
            "head_written": Out(1),
            "tail": In(RING_INDEX_BITS),
            "overflow": In(1),
            "error": In(1),
            "record": In(1),
            "limited": In(1),
        })


class FaultQueue(wiring.Component):
    """Records faults.

    Parameters
    ----------
    config : Config

    Members
    -------
    registers : In(FaultRegisters)
    lost : Out(2), cycles : In(64)
        To and from the counters: records that were dropped; the counter of this name.
    fault : In(stream.Signature(FaultInfo)), recorded : Out(ports)
        To and from the core. A record is decided about at least three cycles after its fault.
    aw, w, b : the write channels; a payload of 1 on ``b``: it failed
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "registers": In(FaultRegisters()),
            "lost": Out(2),
            "cycles": In(64),
            "fault": In(stream.Signature(FaultInfo, always_ready=True)),
            "recorded": Out(config.ports),
            "aw": Out(stream.Signature(WriteAddress(config.axi_id_width))),
            "w": Out(stream.Signature(WriteData(config.axi_data_width))),
            "b": In(stream.Signature(1, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.waiting = waiting = WaitingFaults(self._config)
        m.submodules.quota = quota = RecordQuota(self._config)
        m.submodules.ring = ring = RecordRing()
        m.submodules.responses = responses = RecordResponses()
        m.submodules.writer = writer = RecordWriter(self._config)
        connect(m, flipped(self.fault), waiting.fault)
        connect(m, flipped(self.b), responses.b)
        connect(m, writer.aw, flipped(self.aw))
        connect(m, writer.w, flipped(self.w))
        registers, decides, adds = self.registers, Signal(), Signal()
        m.d.comb += [
            quota.port.eq(waiting.oldest.port), quota.quota.eq(registers.quota),
            quota.adds.eq(adds),

            ring.enable.eq(registers.enable), ring.log2.eq(registers.log2),
            ring.head.eq(registers.head), ring.idle.eq(responses.idle), ring.decides.eq(decides),
            ring.adds.eq(adds), ring.acknowledged.eq(responses.acknowledged),
            ring.restores.eq(responses.mends), registers.tail.eq(ring.tail),

            responses.written.eq(writer.last), responses.writing.eq(writer.writing),
            responses.on.eq(ring.on), responses.stale.eq(ring.stale),
            responses.starts.eq(ring.starts), responses.failed.eq(registers.failed),
            registers.error.eq(responses.error), registers.record.eq(responses.record),

            writer.begins.eq(adds), writer.fault.eq(waiting.oldest), writer.cycles.eq(self.cycles),
            writer.base.eq(registers.base), writer.index.eq(ring.next),
        ]
        self._decide(m, decides, adds, waiting, quota, ring, responses, writer)
        return m

    def _decide(self, m, decides, adds, waiting, quota, ring, responses, writer):
        """One record is decided about: its neighbours' changes have taken effect, and what they
        change was compared anew. What it waits for is looked at one cycle ahead."""
        registers, broken = self.registers, responses.broken
        silent, refused, renewed, lost = (Signal() for _ in range(4))
        rested, unsteady = Signal(), Signal()
        m.d.comb += [
            silent.eq(waiting.oldest.quiet | ~ring.on),
            refused.eq(broken | quota.spent | ring.full),
            adds.eq(decides & ~silent & ~refused),
            lost.eq(decides & ~silent & refused),
            quota.renews.eq(renewed),
            unsteady.eq(writer.writing | waiting.take | registers.head_written | renewed
                         | ~waiting.ready | responses.mends | ring.starts),
        ]
        m.d.sync += [
            renewed.eq(registers.head_written | ring.starts),
            waiting.take.eq((decides & ~adds) | writer.last),
            rested.eq(~unsteady & ~decides),
            decides.eq(~unsteady & ~decides & rested & responses.room & ring.current),
            self.recorded.eq(quota.ports & decides.replicate(self._config.ports)),
            registers.limited.eq(decides & ~silent & ~broken & quota.spent),
            registers.overflow.eq(decides & ~silent & ~broken & ~quota.spent & ring.full),
            self.lost.eq(lost + responses.lost),
        ]
