"""The beats of a port that wait to leave, in the order in which they came."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..arch.formats import Cause, Response
from ..lib.clocked_ram import ClockedRam
from ..lib.contract import require
from ..lib.cover import cover
from ..lib.payload import Payload, payload_of
from ..lib.watch import watch, watch_clocked

__all__ = ["BeatQueue", "BeatRing"]

BEATS = stream.Signature(Response, always_ready=True)


class Beats(data.Struct):
    """The beats of a place: by which paths they came, and whether that of the miss path is a fault.
    Of two beats that came together the hit leaves first."""

    hit: 1
    miss: 1
    fault: 1


class BeatRing(wiring.Component):
    """A ring of places in block RAM: one for each cycle in which beats come, with room for one of
    each path.

    Parameters
    ----------
    depth : int
        Places, a power of two. Who writes has made sure that there is room.

    Members
    -------
    listens : In(1), hit, miss : In(stream.Signature(Response, always_ready=True))
        As of :class:`BeatQueue`.
    comes : In(Beats)
        The beats of this cycle that take a place.
    waits : Out(1)
        There are places that were not read. A register.
    reads : In(1)
        The next place that waits, if any, is shown in the next cycle; else what is shown stays.
    shown : Out(1), order : Out(Beats), hits, misses : Out(Response)
        A place is shown, and what is left of it: ``order`` tells which of the two. Registers, but
        for the beats, which come from the memory.
    hit_leaves : In(1)
        Of the place that stays shown, the beat of the miss path is left.
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({
            "listens": In(1),
            "hit": In(BEATS),
            "miss": In(BEATS),
            "comes": In(Beats),
            "waits": Out(1),
            "reads": In(1),
            "shown": Out(1),
            "order": Out(Beats),
            "hits": Out(Response),
            "misses": Out(Response),
            "hit_leaves": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        places = exact_log2(self._depth)
        tail, front = Signal(places), Signal(places)    # the place to write, to read
        count, single = Signal(range(self._depth + 1)), Signal()
        waits, any_comes, taken = self.waits, Signal(), Signal()
        m.d.comb += [any_comes.eq(self.comes.hit | self.comes.miss), taken.eq(self.reads & waits)]
        with m.If(any_comes):
            m.d.sync += tail.eq(tail + 1)
        with m.If(taken):
            m.d.sync += front.eq(front + 1)
        with m.If(any_comes & ~taken):
            m.d.sync += [count.eq(count + 1), waits.eq(1), single.eq(~waits)]
        with m.Elif(~any_comes & taken):
            m.d.sync += [count.eq(count - 1), waits.eq(~single), single.eq(count == 2)]
        require(m, ~any_comes | (count != self._depth), "a port's beats have places in its queue")
        cover(m, self.comes.hit & self.comes.miss, "beats_of_a_port", "hit", "miss")

        # What may come has a place, so that this may be written whether it does or not.
        for path, comes, beat, answer, there in (
                ("misses", self.miss.valid, self.miss, self.misses, self.order.miss),
                ("hits", self.listens, self.hit, self.hits, self.order.hit)):
            m.submodules[path] = ram = ClockedRam(Response, self._depth, registered=True)
            m.d.comb += [
                ram.write.eq(comes), ram.write_address.eq(tail), ram.word.eq(beat.payload),
                ram.address.eq(front), ram.stays.eq(~self.reads), answer.eq(ram.answer),
            ]
            watch_clocked(m, f"watch_{path}", ram, counts=self.shown & there)
        m.submodules.orders = orders = memory.Memory(shape=Beats, depth=self._depth, init=[])
        write, read = orders.write_port(), orders.read_port(domain="comb")
        m.d.comb += [write.en.eq(self.listens | self.miss.valid), write.addr.eq(tail),
                     write.data.eq(self.comes), read.addr.eq(front)]
        with m.If(self.reads):
            m.d.sync += [self.shown.eq(waits), self.order.eq(read.data)]
        with m.Elif(self.hit_leaves):
            m.d.sync += self.order.hit.eq(0)
        watch(m, "watch_orders", write, read, counts=taken)
        return m


class BeatQueue(wiring.Component):
    """A register, which is what the port offers, and behind it the ring::

        hit, miss ──> ring ──> choice ──> next ──> beat
             └────────────────────────────────────^

    A beat goes into the register at once if that is free, or is left in this cycle, and nothing
    waits: then it came in cycle *n* and is offered in *n* + 1. What it says comes late in its
    cycle, and that it is there still later; so the register chooses by ``listens``, and a beat of
    the miss path goes through the ring if a hit might have come with it. From the ring a beat is
    offered in *n* + 4 at the earliest; those behind it follow one a cycle. A block RAM answers late
    in a cycle, too: so there is nothing but the choice between it and a register of its own.

    Parameters
    ----------
    depth : int
        Beats that may be held, a power of two. Who writes has made sure that there is room.

    Members
    -------
    hit, miss : In(stream.Signature(Response, always_ready=True))
        Beats of the two paths.
    listens : In(1)
        ``hit`` may have a beat in this cycle. From a register.
    some : Out(1), beat : Out(Response), fault : Out(1)
        There is a beat; which one; it is a fault of the miss path. Registers.
    leaves : In(1)
        The beat leaves.
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({
            "hit": In(BEATS),
            "miss": In(BEATS),
            "listens": In(1),
            "some": Out(1),
            "beat": Out(Response),
            "fault": Out(1),
            "leaves": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = BeatRing(self._depth)
        connect(m, flipped(self.hit), ring.hit)
        connect(m, flipped(self.miss), ring.miss)
        hit, miss, listens, order = self.hit, self.miss, self.listens, ring.order
        chosen, next_, next_fault = Signal(), Payload(Response, name="next"), Signal()
        moves, chooses, direct, fault = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            moves.eq(~self.some | self.leaves), chooses.eq(~chosen | moves),
            direct.eq(moves & ~ring.waits & ~ring.shown & ~chosen),
            fault.eq(miss.payload.cause != Cause.OK),

            ring.listens.eq(listens), ring.comes.hit.eq(hit.valid & ~direct),
            ring.comes.miss.eq(miss.valid & ~(direct & ~listens)), ring.comes.fault.eq(fault),
            ring.reads.eq(~ring.shown | (chooses & ~(order.hit & order.miss))),
            ring.hit_leaves.eq(chooses),
        ]
        with m.If(chooses):
            m.d.sync += [
                chosen.eq(ring.shown), next_fault.eq(order.fault & ~order.hit),
                next_.eq(Mux(order.hit, ring.hits.as_value(), ring.misses.as_value())),
            ]
        offered = payload_of(m, self.beat)
        with m.If(moves):
            m.d.sync += [
                self.some.eq(chosen | (direct & (hit.valid | (miss.valid & ~listens)))),
                offered.eq(Mux(chosen, next_.as_value(), Mux(
                    listens, hit.payload.as_value(), miss.payload.as_value()))),
                self.fault.eq(Mux(chosen, next_fault, fault & ~listens)),
            ]
        require(m, ~self.leaves | self.some, "only a beat that is there leaves")
        require(m, ~hit.valid | listens, "a hit comes when it is listened for")
        return m
