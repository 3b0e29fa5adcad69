"""What software asks of the core: debug translations (§7) and prefetches (§6). Both are requests as
any port's, on a port of their own that nobody sees from outside."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .formats import ADDR_BITS, DEVICE_BITS, PASID_BITS, Cause, Disposition, Request, Response, Size

__all__ = ["DebugResult", "SoftwarePort"]

PREFETCH, DEBUG = 0, 1      #: tags


class DebugResult(data.Struct):
    """DBG_RESULT (§7)."""

    cause: Cause
    disposition: Disposition
    read: 1
    write: 1
    size: Size


class SoftwarePort(wiring.Component):
    """Joins both, and keeps the result of the last debug translation. Of each there is at most one
    under way: prefetches come one at a time.

    Members
    -------
    go : In(1), addr, device, pasid, write, ft : In
        Asks for a translation, unless one is under way. The others are looked at in the cycle
        after.
    busy : Out(1), result : Out(DebugResult), phys : Out(64)
        Since ``go``; the answer to the last one. ``phys`` is 0 on a fault.
    prefetch : In(stream.Signature(Request)), prefetched : Out(stream.Signature(Response))
    requests : Out(stream.Signature(Request)), responses : In(stream.Signature(Response))
        To and from the core.
    """

    go: In(1)
    addr: In(ADDR_BITS)
    device: In(DEVICE_BITS)
    pasid: In(PASID_BITS)
    write: In(1)
    ft: In(1)
    busy: Out(1)
    result: Out(DebugResult)
    phys: Out(ADDR_BITS)
    prefetch: In(stream.Signature(Request))
    prefetched: Out(stream.Signature(Response, always_ready=True))
    requests: Out(stream.Signature(Request))
    responses: In(stream.Signature(Response))

    def elaborate(self, platform):
        m = Module()
        asks, request, beat = Signal(), Signal(Request), self.responses.payload
        begins = Signal()
        m.d.comb += begins.eq(self.go & ~self.busy)
        m.d.sync += [asks.eq(begins), self.busy.eq(self.busy | begins)]
        offered = Signal()
        with m.If(asks):
            m.d.sync += [
                request.ft.eq(self.ft), request.write.eq(self.write),
                request.device.eq(self.device), request.pasid.eq(self.pasid),
                request.addr.eq(self.addr), request.tag.eq(DEBUG), offered.eq(1),
            ]
        # An offer stands until it is taken. That it is one comes from a register, for the arbiter.
        offers, turn = Signal(), Signal()       # ``turn``: of a debug translation
        debugs, prefetches = Signal(), Signal()
        m.d.comb += [
            debugs.eq(offered & ~(offers & turn)),
            prefetches.eq(self.prefetch.valid & ~(offers & ~turn)),
            self.requests.valid.eq(offers),
            self.requests.payload.eq(Mux(turn, request.as_value(),
                                         self.prefetch.payload.as_value())),
            self.prefetch.ready.eq(self.requests.ready & offers & ~turn),
        ]
        with m.If(~offers | self.requests.ready):
            m.d.sync += [offers.eq(debugs | prefetches), turn.eq(debugs)]
        with m.If(self.requests.ready & offers & turn):
            m.d.sync += offered.eq(0)
        m.d.comb += [
            self.responses.ready.eq(1),
            self.prefetched.valid.eq(self.responses.valid & ~beat.tag[0]),
            self.prefetched.payload.eq(beat),
        ]
        answered, granted = Signal(), Signal()      # in the cycle before
        m.d.sync += [answered.eq(self.responses.valid & beat.tag[0]),
                     granted.eq(beat.cause == Cause.OK)]
        with m.If(self.responses.valid & beat.tag[0]):
            m.d.sync += [self.result[name].eq(beat[name]) for name in (
                "cause", "disposition", "read", "write", "size")]
            m.d.sync += self.phys.eq(beat.addr)
        with m.If(answered):
            m.d.sync += self.busy.eq(0)
            with m.If(~granted):
                m.d.sync += self.phys.eq(0)
        return m
