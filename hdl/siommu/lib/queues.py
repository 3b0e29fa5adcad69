"""Short queues whose control comes straight from registers.

``amaranth.lib.fifo`` has a counter or a comparison behind each handshake. Where a handshake is the
end of an arbitration there is no time for that.
"""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .payload import payload_of
from .watch import watch

__all__ = ["FrontQueue", "PairQueue", "RingQueue"]


class PairQueue(wiring.Component):
    """A queue of two in LUT RAM: one entry a cycle, with ``w.ready`` and ``r.valid`` from
    registers.

    Latency: what is written in cycle *n* is offered in *n* + 1.

    Parameters
    ----------
    shape : Struct

    Members
    -------
    w : In(stream.Signature(shape)), r : Out(stream.Signature(shape))
    stays : Out(1)
        ``r.valid`` will be set in the next cycle even if the entry on offer is taken in this one.
    """

    def __init__(self, shape):
        self._shape = shape
        super().__init__({"w": In(stream.Signature(shape)), "r": Out(stream.Signature(shape)),
                          "stays": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.entries = entries = memory.Memory(shape=self._shape, depth=2, init=[])
        write, read = entries.write_port(), entries.read_port(domain="comb")
        some, both = Signal(), Signal()
        oldest = Signal()           # which entry that is
        pushes, pops = Signal(), Signal()
        m.d.comb += [
            self.w.ready.eq(~both), self.r.valid.eq(some),
            read.addr.eq(oldest), self.r.payload.eq(read.data),
            # Not what is there beside a write: in a simulator, that may be unknown.
            write.en.eq(pushes), write.addr.eq(oldest ^ some), write.data.eq(self.w.payload),
            pushes.eq(self.w.valid & ~both), pops.eq(self.r.ready & some),
            self.stays.eq(both | pushes),
        ]
        m.d.sync += [
            oldest.eq(oldest ^ pops),
            some.eq(self.stays | (some & ~pops)),
            both.eq(Mux(both, ~pops, some & pushes & ~pops)),
        ]
        watch(m, "watch", write, read, counts=some)
        return m


class RingQueue(wiring.Component):
    """A queue in LUT RAM, never asked to hold more than ``depth`` entries: whoever writes has
    made sure of that.

    Latency: what is written in cycle *n* is offered in *n* + 1.

    Parameters
    ----------
    shape : shape-like
    depth : int

    Members
    -------
    w : In(stream.Signature(shape, always_ready=True)), r : Out(stream.Signature(shape))
    """

    def __init__(self, shape, depth):
        self._shape, self._depth = shape, depth
        super().__init__({
            "w": In(stream.Signature(shape, always_ready=True)),
            "r": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        bits = max(ceil_log2(self._depth), 1)
        m.submodules.entries = entries = memory.Memory(
            shape=self._shape, depth=1 << bits, init=[])
        write, read = entries.write_port(), entries.read_port(domain="comb")
        head, tail = Signal(bits), Signal(bits)
        some, one, pops = Signal(), Signal(), Signal()
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(self.w.payload),
            # with an entry to spare, what stands behind the last one does not matter
            write.en.eq(self.w.valid if self._depth == 1 << bits else 1),
            read.addr.eq(head), self.r.payload.eq(read.data), self.r.valid.eq(some),
            one.eq(tail == (head + 1)[:bits]), pops.eq(self.r.ready & some),
        ]
        m.d.sync += some.eq(self.w.valid | (some & ~(one & pops)))
        with m.If(self.w.valid):
            m.d.sync += tail.eq(tail + 1)
        with m.If(pops):
            m.d.sync += head.eq(head + 1)
        watch(m, "watch", write, read, counts=some)
        return m


class FrontQueue(RingQueue):
    """The same, of at least two entries, with what it offers in registers, for who decides by
    that."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.behind = behind = RingQueue(self._shape, self._depth - 1)
        some, moves = Signal(), Signal()
        front = payload_of(m, self.r.payload)
        m.d.comb += [
            self.r.valid.eq(some), moves.eq(~some | self.r.ready),
            behind.r.ready.eq(moves), behind.w.payload.eq(self.w.payload),
            behind.w.valid.eq(self.w.valid & (behind.r.valid | ~moves)),
        ]
        with m.If(moves):
            m.d.sync += [
                some.eq(behind.r.valid | self.w.valid),
                front.eq(Mux(behind.r.valid, Value.cast(behind.r.payload),
                             Value.cast(self.w.payload))),
            ]
        return m
