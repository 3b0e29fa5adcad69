"""The ring of the fault queue: which one it is, its indexes, and how its writes fare."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..lib.contract import require
from ..lib.payload import Payload
from .rings import RING_INDEX_BITS, following, ring_mask

__all__ = ["IN_FLIGHT", "RecordResponses", "RecordRing"]

IN_FLIGHT = 7       #: records that are written and not acknowledged, at most


class RecordRing(wiring.Component):
    """The indexes of the ring. The ring changes when nothing is on the way to the old one, even if
    the queue was off for a moment only.

    Members
    -------
    enable : In(1), log2 : In(5), head : In(RING_INDEX_BITS)
        FQ_CTRL.ENABLE, FQ_LOG2, FQ_HEAD.
    idle : In(1), decides : In(1)
        No record is on its way; one is being decided about.
    adds, acknowledged, restores : In(1)
        A record is added; the oldest one is in memory; those that are not in memory are given up.
    on : Out(1), stale : Out(1), current : Out(1)
        The queue works; it does with an old ring; it is neither to be turned on nor off.
    starts : Out(1)
        It is turned on in this cycle, with an empty ring.
    next : Out(RING_INDEX_BITS), full : Out(1)
        Where the next record goes; the ring was full in the cycle before.
    tail : Out(RING_INDEX_BITS)
        FQ_TAIL.
    """

    def __init__(self):
        super().__init__({
            "enable": In(1),
            "log2": In(5),
            "head": In(RING_INDEX_BITS),
            "idle": In(1),
            "decides": In(1),
            "adds": In(1),
            "acknowledged": In(1),
            "restores": In(1),
            "on": Out(1),
            "stale": Out(1),
            "current": Out(1),
            "starts": Out(1),
            "next": Out(RING_INDEX_BITS),
            "full": Out(1),
            "tail": Out(RING_INDEX_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        was_off, wanted = Signal(), Signal()
        tail, behind_next = Signal(RING_INDEX_BITS), Signal(RING_INDEX_BITS)
        mask = Payload(RING_INDEX_BITS, name="mask")     # it changes while the queue is off
        m.d.sync += [
            mask.eq(ring_mask(self.log2)), behind_next.eq(following(self.next, mask)),
            self.full.eq(behind_next == self.head),
        ]
        m.d.comb += [
            wanted.eq(self.enable & ~was_off), self.stale.eq(self.enable & was_off),
            self.current.eq(self.on == wanted), self.starts.eq(~self.on & self.enable & self.idle),
            self.tail.eq(Mux((self.enable & ~self.on) | self.stale, 0, tail)),
        ]
        with m.If(self.idle & ~self.decides):
            m.d.sync += [self.on.eq(wanted), was_off.eq(0)]
        with m.Elif(self.on & ~self.enable):
            m.d.sync += was_off.eq(1)

        with m.If(self.restores):
            m.d.sync += self.next.eq(tail)
        with m.If(self.adds):
            m.d.sync += self.next.eq(behind_next)
        with m.If(self.acknowledged):
            m.d.sync += tail.eq(following(tail, mask))
        with m.If(self.starts):
            m.d.sync += [tail.eq(0), self.next.eq(0)]
        return m


class RecordResponses(wiring.Component):
    """Follows the responses, which come in the order of the records. After a failed write all
    records that come are lost, until software has seen it.

    Members
    -------
    b : In(stream.Signature(1, always_ready=True))
        A payload of 1: the write failed.
    written : In(1), writing : In(1)
        A record is on the bus completely; one is being written.
    on, stale, starts : In(1)
        From ``RecordRing``.
    failed : In(1)
        FQ_ERROR is set.
    idle : Out(1), room : Out(1)
        No record is on its way; fewer are than may be.
    broken : Out(1), mends : Out(1)
        A write has failed; that is over from the next cycle on.
    acknowledged : Out(1), lost : Out(1)
        A record is in memory; one is not.
    error, record : Out(1)
        For one cycle: sets the bit of FQ_STATUS.
    """

    def __init__(self):
        super().__init__({
            "b": In(stream.Signature(1, always_ready=True)),
            "written": In(1),
            "writing": In(1),
            "on": In(1),
            "stale": In(1),
            "starts": In(1),
            "failed": In(1),
            "idle": Out(1),
            "room": Out(1),
            "broken": Out(1),
            "mends": Out(1),
            "acknowledged": Out(1),
            "lost": Out(1),
            "error": Out(1),
            "record": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        in_flight, responded = Signal(range(IN_FLIGHT + 1)), Signal()
        broken, seen, breaks = self.broken, Signal(), Signal()
        m.d.comb += [
            self.idle.eq(~self.writing & ~in_flight.any()), self.room.eq(in_flight != IN_FLIGHT),
            self.mends.eq(broken & seen & ~self.failed & self.idle),
            self.acknowledged.eq(self.b.valid & self.on & ~broken & ~self.b.payload),
            self.lost.eq(self.b.valid & self.on & (self.b.payload | broken)),
            breaks.eq(self.b.valid & self.on & self.b.payload & ~broken),
        ]
        m.d.sync += [
            responded.eq(self.b.valid), in_flight.eq(in_flight + self.written - responded),
            self.record.eq(self.acknowledged & ~self.stale),
            self.error.eq(breaks & ~self.stale),
        ]
        with m.If(broken & self.failed):
            m.d.sync += seen.eq(1)
        with m.If(self.mends):
            m.d.sync += [broken.eq(0), seen.eq(0)]
        with m.If(breaks):
            m.d.sync += broken.eq(1)
        with m.If(self.starts):
            m.d.sync += [broken.eq(0), seen.eq(0)]
        require(m, ~responded | self.written | in_flight.any(),
                "a response belongs to a record that was written")
        return m
