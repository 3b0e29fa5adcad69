"""What the host asks of the board itself: INFO and RESET."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.board.protocol import RESET_MAGIC, VERSION, Reply

from .unit import Job, kind

__all__ = ["BoardUnit"]

RESET_CYCLES = 16


class BoardUnit(wiring.Component):
    """Executes the items of INFO and RESET.

    Parameters
    ----------
    log2, ports, depth, khz : int
        What INFO tells: bytes of the RAM, ports, requests of a port, clock.

    Members
    -------
    job : In(Job)
    reset : Out(1)
        Resets the core and what is between it and the engine.
    """

    def __init__(self, log2, ports, depth, khz):
        self._info = (VERSION, log2, ports, depth, khz)
        super().__init__({"job": In(Job()), "reset": Out(1)})

    def elaborate(self, platform):
        m = Module()
        job, resets, left = self.job, Signal(), Signal(range(RESET_CYCLES + 1))
        *bytes_, khz = self._info
        info = Cat(*(Const(byte, 8) for byte in bytes_), Const(khz, 32))
        m.d.comb += [
            resets.eq((job.kind == kind("RESET")) & (job.item[:8] == RESET_MAGIC)),
            job.answer.eq(Mux(job.kind == kind("INFO"), info,
                              Mux(resets, Reply.OKAY, Reply.SLVERR))),
            job.done.eq(job.valid & (~resets | (left == 1))), self.reset.eq(left != 0),
        ]
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Elif(job.valid & resets):
            m.d.sync += left.eq(RESET_CYCLES)
        return m
