"""Faults that wait for the decision about their records."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.clocked_ram import ClockedRam
from ..lib.contract import require
from ..lib.payload import Payload
from ..pipeline.events import FaultInfo

__all__ = ["WaitingFaults"]


class WaitingFaults(wiring.Component):
    """A FIFO in block RAM. It has a place for every request that the ports may have outstanding,
    and one more: the fault that is being recorded stays at the head.

    Parameters
    ----------
    config : Config

    Members
    -------
    fault : In(stream.Signature(FaultInfo, always_ready=True))
    oldest : Out(FaultInfo), ready : Out(1)
        ``ready``: there is one, and it is the oldest one. At least three cycles after it came.
    take : In(1)
        The oldest one is done with.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "fault": In(stream.Signature(FaultInfo, always_ready=True)),
            "oldest": Out(FaultInfo),
            "ready": Out(1),
            "take": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        depth = 1 << (self._config.ports * self._config.port_depth).bit_length()
        m.submodules.ram = ram = ClockedRam(FaultInfo, depth)
        came, left, there = Signal(range(depth)), Signal(range(depth)), Signal()
        # What the decision looks at stands in registers behind the memory.
        quiet, port = Payload(name="quiet"), Payload(len(ram.answer.port), name="port")
        m.d.comb += [
            ram.write.eq(self.fault.valid), ram.write_address.eq(came),
            ram.word.eq(self.fault.payload), ram.address.eq(left),
            self.oldest.eq(ram.answer), self.oldest.quiet.eq(quiet), self.oldest.port.eq(port),
        ]
        m.d.sync += [
            came.eq(came + self.fault.valid), left.eq(left + self.take),
            there.eq((came != left) & ~self.take), self.ready.eq(there & ~self.take),
            quiet.eq(ram.answer.quiet), port.eq(ram.answer.port),
        ]
        require(m, ~self.fault.valid | ((came + 1)[:len(left)] != left),
                "a fault has room to wait for its record")
        return m
