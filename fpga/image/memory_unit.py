"""The host's accesses to the block RAM: READ, WRITE and FILL."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .ram import BYTES, WORD_ADDR, HostPort
from .unit import Job, kind

__all__ = ["MemoryUnit"]

COUNT = 24              #: bits of FILL's number of words


class MemoryUnit(wiring.Component):
    """Executes the items of READ, WRITE and FILL.

    FILL ends at the first word that is not there.

    Members
    -------
    job : In(Job)
    host : Out(HostPort)
    """

    def __init__(self):
        super().__init__({"job": In(Job()), "host": Out(HostPort())})

    def elaborate(self, platform):
        m = Module()
        job, host = self.job, self.host
        addr, left = Signal(WORD_ADDR), Signal(COUNT)
        fill, write = Signal(), Signal()
        count, poison = job.item[32:32 + COUNT], job.item[56]
        m.d.comb += [
            fill.eq(job.kind == kind("FILL")), write.eq(job.kind != kind("READ")),
            host.addr.eq(addr), host.write.eq(write), host.poison.eq(fill & poison),
            job.answer.eq(Cat(host.resp, host.read << 6)),
        ]
        with m.If(fill):
            m.d.comb += host.data.eq(job.item[64:])
        with m.Else():
            m.d.comb += host.data.eq(job.item[32:32 + 8 * BYTES])
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [addr.eq(job.item[3:32]), left.eq(0)]
                with m.If(fill):
                    m.d.sync += left.eq(count)
                with m.If(job.valid):
                    m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.comb += host.valid.eq(1)
                with m.If(host.ready):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.sync += [addr.eq(addr + 1), left.eq(left - 1)]
                with m.If((left == 0) | (host.resp != 0)):
                    m.d.comb += job.done.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.next = "ACCESS"
        return m
