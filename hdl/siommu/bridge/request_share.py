"""Both directions ask through one request port of the SIOMMU, and hear what it answers (§2.1)."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..arch.formats import PAGE_SHIFT, Cause, Request, Response
from ..lib.event import Event
from .slots import Answer

__all__ = ["AnswerSplit", "RequestShare"]


class RequestShare(wiring.Component):
    """One request a cycle: while both directions ask, they take turns.

    An offer stands until it is taken, whatever the other direction does meanwhile. Combinational.

    Members
    -------
    reads, writes : In(stream.Signature(Request))
    request : Out(stream.Signature(Request))
    """

    reads: In(stream.Signature(Request))
    writes: In(stream.Signature(Request))
    request: Out(stream.Signature(Request))

    def elaborate(self, platform):
        m = Module()
        reads, writes, request = self.reads, self.writes, self.request
        write, before, waits = Signal(), Signal(), Signal()
        m.d.comb += [
            write.eq(Mux(waits, before, Mux(reads.valid & writes.valid, ~before, writes.valid))),
            request.valid.eq(reads.valid | writes.valid),
            request.payload.eq(Mux(write, writes.payload.as_value(), reads.payload.as_value())),
            reads.ready.eq(request.ready & ~write), writes.ready.eq(request.ready & write),
        ]
        m.d.sync += waits.eq(request.valid & ~request.ready)
        with m.If(request.valid):
            m.d.sync += before.eq(write)
        return m


class AnswerSplit(wiring.Component):
    """Every response goes to the slot that its tag names. It is taken in the cycle in which it
    comes: a slot has room for its answer.

    A request of one page has one beat (§2.1), so ``last`` and ``pages`` say nothing. Any cause but
    OK refuses.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    response : In(stream.Signature(Response))
    reads, writes : Out(Event(Answer))
    """

    def __init__(self, config: BridgeConfig):
        self._config = config
        super().__init__({
            "response": In(stream.Signature(Response)),
            "reads": Out(Event(Answer(config))), "writes": Out(Event(Answer(config))),
        })

    def elaborate(self, platform):
        m = Module()
        response = self.response.payload
        write = response.tag[-1]
        m.d.comb += [
            self.response.ready.eq(1),
            self.reads.valid.eq(self.response.valid & ~write),
            self.writes.valid.eq(self.response.valid & write),
        ]
        for answer in (self.reads.payload, self.writes.payload):
            m.d.comb += [
                answer.slot.eq(response.tag[:self._config.slot_bits]),
                answer.granted.eq(response.cause == Cause.OK),
                answer.page.eq(response.addr[PAGE_SHIFT:]),
            ]
        return m
