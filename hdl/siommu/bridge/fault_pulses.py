"""The output ``fault``: a cycle for each refused burst (§9)."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..lib.contract import require

__all__ = ["FaultPulses"]


class FaultPulses(wiring.Component):
    """High for a cycle per refused burst. Two of one cycle follow each other: whoever counts the
    cycles in which it is high has counted the bursts.

    A direction refuses in every second cycle at most, so never more than two are owed.

    Members
    -------
    reads, writes : In(1)
        A burst is refused in this cycle.
    fault : Out(1)
        A cycle later, or two.
    """

    reads: In(1)
    writes: In(1)
    fault: Out(1)

    def elaborate(self, platform):
        m = Module()
        owed = Signal(2)
        m.d.comb += self.fault.eq(owed.any())
        require(m, owed != 3, "a direction refuses in every second cycle at most")
        m.d.sync += owed.eq(owed + self.reads + self.writes - self.fault)
        return m
