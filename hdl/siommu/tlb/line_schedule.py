"""Which ended walk's line is gone through next, and which cycle of ``timetable.Line`` it is in."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from ..lib.contract import require
from ..lib.cover import cover
from ..lib.payload import Payload
from ..lib.watch import watch_queue
from ..pipeline.lines import GrantedWalk
from ..pipeline.sizes import LINE_ROWS, SLOT_BITS
from ..pipeline.timetable import LINE_CYCLES, LINE_TAGS_MEET, Line

__all__ = ["LineSchedule", "at", "row_at", "row_to_read"]


def at(since, first, count=1):
    """Whether a line is in cycle ``first`` of ``Line``, or in one of ``count`` from there on;
    ``since`` is that of :class:`LineSchedule`."""
    return since[first:first + count].any() if count > 1 else since[first]


def row_at(since, first):
    """The row of a line that has a turn: the last one in cycle ``first`` of ``Line``, one less in
    each of the following ones, and row 0 when none has."""
    number = 0
    for row in range(1, LINE_ROWS):
        number = Mux(since[first + LINE_ROWS - 1 - row], row, number)
    return number


def row_to_read(since):
    """The row of a line whose address is due. Without any, and when a line begins, it is the last
    row: so it need not be known whether one begins."""
    number = LINE_ROWS - 1
    for row in range(LINE_ROWS - 1):
        number = Mux(since[Line.BEGIN + LINE_ROWS - 1 - row], row, number)
    return number


class LineSchedule(wiring.Component):
    """Queues ended walks, and lets one begin as soon as the ones before have left it room.

    Parameters
    ----------
    walk_slots : int

    Members
    -------
    granted : In(stream.Signature(GrantedWalk))
        There is always room: each slot has one walk.
    next : Out(GrantedWalk)
        The walk that begins next. It stays until then.
    reads : Out(1), coming : Out(SLOT_BITS)
        A walk begins in the next cycle; the slot of ``next`` then.
    since : Out(LINE_CYCLES)
        A bit for each cycle of ``Line``: a line is in it. Bit 0: ``next`` begins. They come from
        registers.
    """

    def __init__(self, walk_slots):
        self._walk_slots = walk_slots
        super().__init__({
            "granted": In(stream.Signature(GrantedWalk)),
            "next": Out(GrantedWalk),
            "reads": Out(1),
            "coming": Out(SLOT_BITS),
            "since": Out(LINE_CYCLES),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.waiting = waiting = fifo.SyncFIFO(
            width=len(self.next.as_value()), depth=self._walk_slots)
        watch_queue(m, "watch", waiting)
        arrived, arrives = Payload(GrantedWalk, name="arrived"), Signal()
        next_, present = Payload(GrantedWalk, name="next_held"), Signal()
        following, begins, blocks = Signal(GrantedWalk), self.since[Line.BEGIN], Signal()
        m.d.comb += [
            self.granted.ready.eq(waiting.w_rdy), self.next.eq(next_),
            waiting.w_en.eq(arrives & (waiting.r_rdy | present)), waiting.w_data.eq(arrived),
            waiting.r_en.eq(~present),
            following.eq(Mux(waiting.r_rdy, waiting.r_data, arrived.as_value())),
            # For the next cycle, another one is too near, or its tag on would meet a tag off.
            blocks.eq(at(self.since, Line.BEGIN, Line.PITCH - 1)
                      | self.since[LINE_TAGS_MEET - 1]),
            # One that begins now is still present, and blocks.
            self.reads.eq((present | waiting.r_rdy | arrives) & ~blocks),
            self.coming.eq(Mux(present, next_.slot, following.slot)),
        ]
        m.d.sync += [
            arrives.eq(self.granted.valid), arrived.eq(self.granted.payload),
            self.since.eq(Cat(self.reads, self.since)),
        ]
        with m.If(begins):
            m.d.sync += present.eq(0)
        with m.If(~present):
            m.d.sync += [
                present.eq(waiting.r_rdy | arrives),
                next_.eq(following),
            ]
        require(m, ~(waiting.w_en & ~waiting.w_rdy), "each walk slot ends one walk at a time")
        require(m, ~begins | present, "the walk whose line begins is there")
        cover(m, (present & ~begins) & blocks, "line_scan", "line", "line_that_waits")
        cover(m, present & arrives, "line_scan", "line_that_waits", "line_that_comes")
        return m
