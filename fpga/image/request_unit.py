"""The host's requests to the ports of the core, and the beats that come back."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from sim.board.protocol import Reply
from siommu.arch.formats import Cause, Request, Response

from .unit import Job, kind

__all__ = ["RequestUnit"]

BEATS = 256             #: that wait for the host; the core waits with more
PORT_BITS = 3


class RequestUnit(wiring.Component):
    """Executes the items of SUBMIT and COLLECT.

    Requests go into a queue, and from its head to their ports. Beats of all ports go into another
    one, in which the host collects them. A port that is not ready lets those behind it wait; a
    full queue of beats lets the core wait.

    Parameters
    ----------
    ports : int
        1 to 8.
    depth : int
        Requests that may wait.

    Members
    -------
    job : In(Job)
    requests : Out(stream.Signature(Request)) of each port
    responses : In(stream.Signature(Response)) of each port
    granted, refused : Out(1)
        A beat came that grants, or has a cause.
    """

    def __init__(self, ports, depth=64):
        self._ports, self._depth = ports, depth
        super().__init__({
            "job": In(Job()),
            "requests": Out(stream.Signature(Request)).array(ports),
            "responses": In(stream.Signature(Response)).array(ports),
            "granted": Out(1), "refused": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        job = self.job
        submits, collects = Signal(), Signal()
        m.d.comb += [submits.eq(job.valid & (job.kind == kind("SUBMIT"))),
                     collects.eq(job.valid & (job.kind == kind("COLLECT"))),
                     job.done.eq(submits | collects)]
        reply = self._requests(m, submits)
        some, beat = self._beats(m, collects)
        m.d.comb += job.answer.eq(Mux(submits, reply, Mux(some, beat, 0)))
        return m

    def _requests(self, m, submits):
        """The queue to the ports; what a SUBMIT is answered."""
        item = data.View(data.StructLayout({
            "port": 8, "ft": 1, "write": 1, "zero": 6, "device": 16, "pasid": 20, "zeros": 4,
            "addr": 64, "pages": 8, "tag": 8}), self.job.item)
        m.submodules.waiting = waiting = SyncFIFOBuffered(
            width=PORT_BITS + Request.as_shape().size, depth=self._depth)
        request, reply = Signal(Request), Signal(8)
        known = item.port < self._ports
        m.d.comb += [
            *(request[name].eq(item[name]) for name, _ in data.Layout.cast(Request)),
            waiting.w_data.eq(Cat(item.port[:PORT_BITS], request)),
            waiting.w_en.eq(submits & known & waiting.w_rdy),
            reply.eq(Mux(~known, Reply.NO_PORT,
                         Mux(waiting.w_rdy, Reply.OKAY, Reply.FULL))),
        ]
        taken = Signal(self._ports)
        for port, requests in enumerate(self.requests):
            m.d.comb += [
                requests.payload.eq(waiting.r_data[PORT_BITS:]),
                requests.valid.eq(waiting.r_rdy & (waiting.r_data[:PORT_BITS] == port)),
                taken[port].eq(requests.valid & requests.ready),
            ]
        m.d.comb += waiting.r_en.eq(taken.any())
        return reply

    def _beats(self, m, collects):
        """The queue from the ports: whether a beat is there, and what a COLLECT is answered."""
        width = Response.as_shape().size
        m.submodules.beats = beats = SyncFIFOBuffered(width=PORT_BITS + width, depth=BEATS)
        port, chosen, offered = Signal(PORT_BITS), Signal(width), Signal()
        for index, responses in reversed(list(enumerate(self.responses))):
            with m.If(responses.valid):
                m.d.comb += [port.eq(index), chosen.eq(Value.cast(responses.payload)),
                             offered.eq(1)]
            m.d.comb += responses.ready.eq(beats.w_rdy & (port == index) & offered)
        granted = data.View(Response.as_shape(), chosen).cause == Cause.OK
        m.d.comb += [
            beats.w_data.eq(Cat(port, chosen)), beats.w_en.eq(offered),
            self.granted.eq(offered & beats.w_rdy & granted),
            self.refused.eq(offered & beats.w_rdy & ~granted),
            beats.r_en.eq(collects),
        ]
        beat = data.View(Response.as_shape(), beats.r_data[PORT_BITS:])
        flags = Cat(beat.last, beat.read, beat.write, beat.disposition, beat.size, Const(0, 1))
        return beats.r_rdy, Cat(Const(1, 8), beats.r_data[:PORT_BITS], Const(0, 8 - PORT_BITS),
                                beat.tag, beat.cause, flags, beat.pages, beat.addr)
