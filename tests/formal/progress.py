"""Requests are answered, and soon (§2.1, §8): the smallest whole core."""

from amaranth import Array, Signal
from amaranth.hdl import Assume, Cat

from siommu.arch.formats import Cause, Size

from .smallest import SmallestCore

__all__ = ["ProgressProof"]


class ProgressProof(SmallestCore):
    """A request, and a memory that waits at most a cycle before each beat. It answers with
    anything, bus errors included, in as many beats as were asked for, or less. The request is
    answered within :attr:`LIMIT` cycles.
    """

    #: Cycles from a request to its answer; that memory waits before a beat.
    LIMIT, WAITS = 60, 1
    REACHES = ("page granted",)

    def __init__(self, reach=None):
        super().__init__(1, reach)

    def watch(self, m, core):
        m.d.sync += Assume(self.recorded | ~self.unrecorded.any())
        self._memory(m, core)
        response, answer = core.responses[0], core.responses[0].payload
        answered, waits = Signal(), Signal(range(self.LIMIT + 1))
        with m.If(response.valid & answer.last):
            m.d.sync += answered.eq(1)
        with m.Elif((self.sent == 1) & ~answered & (waits != self.LIMIT)):
            m.d.sync += waits.eq(waits + 1)
        return {
            None: waits != self.LIMIT,
            "page granted": ~(response.valid & (answer.cause == Cause.OK)
                              & (answer.size == Size.PAGE_4K)),
        }

    def _memory(self, m, core):
        """Each read has its beats, and in time."""
        slots = self.reads(m, core, core.ar.payload.len)
        beats = Array(Signal(8, name=f"beats_{slot}") for slot in range(len(slots)))
        for count, reads in zip(beats, slots):
            with m.If(reads.beat):
                m.d.sync += count.eq(count + 1)
                with m.If(reads.last):
                    m.d.sync += count.eq(0)
        slot = self.r.id[0]
        m.d.sync += Assume(~self.r_valid | self.r.last | (
            beats[slot] != Array(reads.now for reads in slots)[slot]))
        late = Signal(range(self.WAITS + 2))
        with m.If(Cat(reads.some for reads in slots).any() & ~(self.r_valid & core.r.ready)):
            m.d.sync += late.eq(late + 1)
        with m.Else():
            m.d.sync += late.eq(0)
        m.d.sync += Assume(late <= self.WAITS)
