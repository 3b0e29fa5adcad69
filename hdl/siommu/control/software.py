"""What software asks of the core: debug translations (§7). They are requests as any port's, on a
port of their own that nobody sees from outside."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import (
    ADDR_BITS,
    DEVICE_BITS,
    PASID_BITS,
    Cause,
    Disposition,
    Request,
    Response,
    Size,
)

__all__ = ["DebugResult", "SoftwarePort"]


class DebugResult(data.Struct):
    """DBG_RESULT (§7)."""

    cause: Cause
    disposition: Disposition
    read: 1
    write: 1
    size: Size


class SoftwarePort(wiring.Component):
    """Asks, and keeps the result of the last debug translation. At most one is under way.

    Members
    -------
    go : In(1), addr, device, pasid, write, ft : In
        Asks for a translation, unless one is under way. The others are looked at in the cycle
        after.
    busy : Out(1), result : Out(DebugResult), phys : Out(64)
        Since ``go``; the answer to the last one. ``phys`` is 0 on a fault.
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
    requests: Out(stream.Signature(Request))
    responses: In(stream.Signature(Response))

    def elaborate(self, platform):
        m = Module()
        asks, request, beat = Signal(), Signal(Request), self.responses.payload
        begins, offered = Signal(), Signal()
        m.d.comb += begins.eq(self.go & ~self.busy)
        m.d.sync += [asks.eq(begins), self.busy.eq(self.busy | begins)]
        with m.If(self.requests.ready):
            m.d.sync += offered.eq(0)
        with m.If(asks):
            m.d.sync += [
                request.ft.eq(self.ft), request.write.eq(self.write),
                request.device.eq(self.device), request.pasid.eq(self.pasid),
                request.addr.eq(self.addr), offered.eq(1),
            ]
        m.d.comb += [
            self.requests.valid.eq(offered), self.requests.payload.eq(request),
            self.responses.ready.eq(1),
        ]
        answered, granted = Signal(), Signal()      # in the cycle before
        m.d.sync += [answered.eq(self.responses.valid), granted.eq(beat.cause == Cause.OK)]
        with m.If(self.responses.valid):
            m.d.sync += [self.result[name].eq(beat[name]) for name in (
                "cause", "disposition", "read", "write", "size")]
            m.d.sync += self.phys.eq(beat.addr)
        with m.If(answered):
            m.d.sync += self.busy.eq(0)
            with m.If(~granted):
                m.d.sync += self.phys.eq(0)
        return m
