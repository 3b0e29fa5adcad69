"""The beats of a port that wait to leave, in the order in which they came."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.formats import Cause, Response
from ..lib.clocked_ram import ClockedRam
from ..lib.contract import require
from ..lib.payload import Payload

__all__ = ["BeatOrder", "BeatQueue"]


class BeatOrder(data.Struct):
    """By which paths the beats of one cycle came, and whether that of the miss path is a fault. Of
    two beats that come together the hit leaves first."""

    hit: 1
    miss: 1
    fault: 1


class BeatQueue(wiring.Component):
    """A ring of places in memory: one for each cycle in which beats come, with room for one of
    each path.

    What comes stands in registers for another cycle. A place that comes to the front at once is
    offered from there; any other one, and that one from the second cycle on, from the memory, whose
    answer takes that long. The registers take what there is, for this port or not, so that those
    of all ports are the same, and synthesis keeps one. Latency: what comes in cycle *n* is offered
    in *n* + 1.

    Parameters
    ----------
    depth : int
        Beats that may be held, a power of two. Who writes has made sure that there is room.

    Members
    -------
    hit, miss : In(stream.Signature(Response, always_ready=True))
        Beats of the two paths.
    some : Out(1), order : Out(BeatOrder)
        There is a beat; how it and the others of its cycle came. Registers.
    beat : Out(Response)
    leaves : In(1)
        The beat leaves.
    """

    def __init__(self, depth):
        self._depth = depth
        beats = stream.Signature(Response, always_ready=True)
        super().__init__({
            "hit": In(beats),
            "miss": In(beats),
            "some": Out(1),
            "order": Out(BeatOrder),
            "beat": Out(Response),
            "leaves": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        places, order = exact_log2(self._depth), self.order
        tail, front, pops = Signal(places), Signal(places), Signal()
        count, single, fresh = Signal(range(self._depth + 1)), Signal(), Signal()
        comes, any_comes = Signal(BeatOrder), Signal()
        m.d.comb += [
            comes.hit.eq(self.hit.valid), comes.miss.eq(self.miss.valid),
            comes.fault.eq(self.miss.valid & (self.miss.payload.cause != Cause.OK)),
            any_comes.eq(comes.hit | comes.miss),
            pops.eq(self.leaves & ~(order.hit & order.miss)),
        ]
        m.submodules.orders = orders = memory.Memory(shape=BeatOrder, depth=self._depth, init=[])
        write, behind = orders.write_port(), orders.read_port(domain="comb")
        m.d.comb += [write.en.eq(any_comes), write.addr.eq(tail), write.data.eq(comes),
                     behind.addr.eq(front + 1)]
        m.d.sync += [front.eq(front + pops),
                     fresh.eq(any_comes & (~self.some | (single & pops)))]
        with m.If(any_comes):
            m.d.sync += tail.eq(tail + 1)
        with m.If(any_comes & ~pops):
            m.d.sync += [count.eq(count + 1), self.some.eq(1), single.eq(~self.some)]
        with m.Elif(~any_comes & pops):
            m.d.sync += [count.eq(count - 1), self.some.eq(~single), single.eq(count == 2)]
        with m.If(pops | ~self.some):
            m.d.sync += order.eq(Mux(self.some & ~single, behind.data.as_value(),
                                     comes.as_value()))
        with m.Elif(self.leaves):
            m.d.sync += order.hit.eq(0)
        require(m, ~self.leaves | self.some, "only a beat that is there leaves")
        require(m, ~any_comes | (count != self._depth), "a port's beats have places in its queue")

        beats = []
        for path, comes in (("misses", self.miss), ("hits", self.hit)):
            m.submodules[path] = ram = ClockedRam(Response, self._depth)
            came = Payload(Response, name=f"came_of_{path}")
            m.d.sync += came.eq(comes.payload)
            m.d.comb += [
                ram.write.eq(comes.valid), ram.write_address.eq(tail),
                ram.word.eq(comes.payload), ram.address.eq(front + pops),
            ]
            beats.append(Mux(fresh, came.as_value(), ram.answer.as_value()))
        m.d.comb += self.beat.eq(Mux(order.hit, beats[1], beats[0]))
        return m
