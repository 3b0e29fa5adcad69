"""The host's accesses to the core's registers."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.board.protocol import Reply
from siommu.arch.register_map import register
from siommu.bus.axi import AxiLite

from .unit import Job, kind

__all__ = ["RegisterUnit"]


class RegisterUnit(wiring.Component):
    """Executes the items of REGISTER_READ and REGISTER_WRITE.

    A core that does not answer for ``patience`` cycles is answered for with HUNG; only RESET helps
    then.

    Parameters
    ----------
    patience : int

    Members
    -------
    job : In(Job)
    axil : Out(AxiLite)
    mode : Out(2)
        CTRL.MODE as it was written last; 0 after reset.
    """

    def __init__(self, patience=4096):
        self._patience = patience
        super().__init__({"job": In(Job()), "axil": Out(AxiLite()), "mode": Out(2)})

    def elaborate(self, platform):
        m = Module()
        job, axil = self.job, self.axil
        waited = Signal(range(self._patience + 1))
        address, content = Signal(), Signal()       # still to be taken
        offset = job.item[:12]
        m.d.comb += [
            axil.aw.payload.eq(offset), axil.ar.payload.eq(offset),
            axil.w.payload.strb.eq(job.item[16:20]), axil.w.payload.data.eq(job.item[24:56]),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [waited.eq(0), address.eq(1), content.eq(1)]
                with m.If(job.valid):
                    m.next = "READ"
                    with m.If(job.kind == kind("REGISTER_WRITE")):
                        m.next = "WRITE"
            with m.State("READ"):
                m.d.comb += axil.ar.valid.eq(address)
                with m.If(axil.ar.ready):
                    m.d.sync += address.eq(0)
                m.d.comb += axil.r.ready.eq(1)
                self._patient(m, waited)
                with m.If(axil.r.valid):
                    m.d.comb += [job.done.eq(1),
                                 job.answer.eq(Cat(axil.r.payload.resp, axil.r.payload.data << 6))]
                    m.next = "IDLE"
            with m.State("WRITE"):
                m.d.comb += [axil.aw.valid.eq(address), axil.w.valid.eq(content)]
                with m.If(axil.aw.ready):
                    m.d.sync += address.eq(0)
                with m.If(axil.w.ready):
                    m.d.sync += content.eq(0)
                m.d.comb += axil.b.ready.eq(1)
                self._patient(m, waited)
                with m.If(axil.b.valid):
                    m.d.comb += [job.done.eq(1), job.answer.eq(axil.b.payload)]
                    m.next = "IDLE"
                    with m.If((offset[2:] == register("CTRL").offset >> 2) & job.item[16]
                              & (axil.b.payload == Reply.OKAY)):
                        m.d.sync += self.mode.eq(job.item[24:26])
        return m

    def _patient(self, m, waited):
        """Ends an access that takes too long. What comes after it in the same state goes first."""
        m.d.sync += waited.eq(waited + 1)
        with m.If(waited == self._patience):
            m.d.comb += [self.job.done.eq(1), self.job.answer.eq(Reply.HUNG)]
            m.next = "IDLE"
