"""The request/response ports: what enters, what leaves, and how much of it (§2.1).

Both ends are registered: no input of a port reaches an output of any port combinationally.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from .formats import Request, Response

__all__ = ["PortIngress", "PortEgress"]


def _width(shape):
    return data.Layout.cast(shape).size


class PortIngress(wiring.Component):
    """Takes requests from one port and keeps account of those that are not answered.

    Latency: a request is offered on ``requests`` in the cycle of its handshake. It waits in a
    register when it is not taken there at once.

    Parameters
    ----------
    depth : int
        Requests that may be outstanding.

    Members
    -------
    port : In(stream.Signature(Request))
        ``P_req_*``. Ready while the port is enabled, nothing waits in the register, and fewer than
        ``depth`` are outstanding; ``ready`` comes from registers.
    requests : Out(stream.Signature(Request))
    enable : In(1)
        ``PORT_ENABLE`` (§7): a disabled port accepts nothing.
    retired : In(1)
        The last beat of a request has left the port in this cycle.
    active : Out(1)
        Requests are outstanding (``PORT_STATUS``).
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({
            "port": In(stream.Signature(Request)),
            "requests": Out(stream.Signature(Request)),
            "enable": In(1),
            "retired": In(1),
            "active": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        waits, waiting = Signal(), Signal(Request)
        outstanding = Signal(range(self._depth + 1))
        full = Signal()
        taken = self.port.valid & self.port.ready
        after = Signal.like(outstanding)

        m.d.comb += [
            self.port.ready.eq(self.enable & ~waits & ~full),
            self.requests.valid.eq(waits | taken),
            self.requests.payload.eq(Mux(waits, waiting.as_value(), self.port.payload.as_value())),
            self.active.eq(outstanding.any()),
            after.eq(outstanding + taken - self.retired),
        ]
        with m.If(~waits):
            m.d.sync += waiting.eq(self.port.payload)
        m.d.sync += [
            waits.eq(self.requests.valid & ~self.requests.ready),
            outstanding.eq(after),
            full.eq(after == self._depth),
        ]
        return m


class PortEgress(wiring.Component):
    """Brings the beats of the hit path and of the miss path to one port, in the order written.

    Each path has a queue of its own, so that both can write in one cycle; a third queue keeps the
    order, because the beats of one request may alternate between the paths. Neither path is ever
    refused: whoever sends an operation into the core takes a credit first, and a credit is a
    place in these queues. A beat written in cycle *n* is offered in cycle *n* + 1.

    Parameters
    ----------
    depth : int
        Beats that may be held or promised.

    Members
    -------
    hit, miss : In(1), payload Response
        ``hit.valid`` writes ``hit.payload``; always taken.
    port : Out(stream.Signature(Response))
        ``P_rsp_*``.
    enable : In(1)
        A disabled port offers nothing, and drops what waits, one beat a cycle (§7).
    take : In(2)
        Credits taken in this cycle (0 to 2).
    credits, plenty : Out(1)
        At least one more beat, or two, may be promised.
    retired : Out(1)
        The last beat of a request left, or was dropped, in this cycle.
    """

    def __init__(self, depth):
        self._depth = depth
        beat = stream.Signature(Response, always_ready=True)
        super().__init__({
            "hit": In(beat),
            "miss": In(beat),
            "port": Out(stream.Signature(Response)),
            "enable": In(1),
            "take": In(2),
            "credits": Out(1, init=1),
            "plenty": Out(1, init=depth > 1),
            "retired": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.hits = hits = fifo.SyncFIFO(width=_width(Response), depth=self._depth)
        m.submodules.misses = misses = fifo.SyncFIFO(width=_width(Response), depth=self._depth)
        m.submodules.order = order = fifo.SyncFIFO(width=2, depth=self._depth)
        unused = Signal(range(self._depth + 1), init=self._depth)
        second = Signal()  # of two beats written together, the hit has left
        both, from_hits, gone = Signal(), Signal(), Signal()

        m.d.comb += [
            hits.w_en.eq(self.hit.valid),
            hits.w_data.eq(self.hit.payload),
            misses.w_en.eq(self.miss.valid),
            misses.w_data.eq(self.miss.payload),
            order.w_en.eq(self.hit.valid | self.miss.valid),
            order.w_data.eq(self.hit.valid | self.miss.valid << 1),

            both.eq(order.r_data.all()),
            from_hits.eq(order.r_data[0] & ~second),
            self.port.valid.eq(order.r_rdy & self.enable),
            self.port.payload.eq(Mux(from_hits, hits.r_data, misses.r_data)),
            gone.eq(order.r_rdy & (self.port.ready | ~self.enable)),
            hits.r_en.eq(gone & from_hits),
            misses.r_en.eq(gone & ~from_hits),
            order.r_en.eq(gone & (~both | second)),
            self.retired.eq(gone & self.port.payload.last),
        ]
        with m.If(gone):
            m.d.sync += second.eq(both & ~second)
        # What will be left is compared before it is known how many are taken.
        m.d.sync += unused.eq(unused + gone - self.take)
        with m.Switch(Cat(self.take, gone)):
            for taken in range(3):
                for comes in range(2):
                    with m.Case(taken | comes << 2):
                        m.d.sync += [self.credits.eq(unused > taken - comes),
                                     self.plenty.eq(unused > taken - comes + 1)]
        return m
