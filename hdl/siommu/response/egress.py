"""Where responses leave (§2.1). No input of a port reaches an output of any port combinationally.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.formats import Response
from ..lib.contract import require
from ..lib.payload import Payload
from ..pipeline.events import BeatMark
from .beat_queue import BeatQueue
from .credits import CreditAccount, Credits
from .hold import Hold

__all__ = ["Egress", "MarkedBeats", "PortEgress", "ReleasedFaults", "SoftwareEgress"]


class Egress(wiring.Signature):
    """The exit of one port.

    Members
    -------
    hit, miss : In(stream.Signature(Response, always_ready=True))
        Beats of the two paths.
    listens : In(1)
        ``hit`` may have a beat in this cycle. From a register.
    port : Out(stream.Signature(Response))
        ``P_rsp_*``.
    enable : In(1)
        A disabled port offers nothing, and drops what waits, one beat a cycle (§7).
    credits : In(CreditAccount)
        A credit comes back in the second cycle after its beat has left.
    retired : Out(1)
        The last beat of a request left, or was dropped, in the cycle before.
    recorded : In(1)
        The next fault of the miss path has its record, or needs none.
    mark : In(BeatMark)
    """

    def __init__(self):
        beat = stream.Signature(Response, always_ready=True)
        super().__init__({
            "hit": In(beat),
            "miss": In(beat),
            "listens": In(1),
            "port": Out(stream.Signature(Response)),
            "enable": In(1),
            "credits": In(CreditAccount()),
            "retired": Out(1),
            "recorded": In(1),
            "mark": In(BeatMark()),
        })


class PortEgress(wiring.Component):
    """Brings the beats of the hit path and of the miss path to one port, in the order written.

    The beats of one request may alternate between the paths; those that come in one cycle share a
    place of the queue. Neither path is ever refused: an operation takes a credit before it enters
    the core, and a credit is a place in the queue. A beat written in cycle *n* is offered in cycle
    *n* + 1 if it is alone, else behind the others; the port's outputs come from registers.

    A fault of the miss path is offered once its record was decided about (``recorded``), so that no
    more faults wait for their records than the port may have requests outstanding.

    Parameters
    ----------
    depth : int
        Beats that may be held or promised.
    fail_stop : bool
        Beats wait in :class:`.hold.Hold` before they are offered, and there is a member ``stop``.

    Attributes
    ----------
    queue : BeatQueue
        For tests.

    Members
    -------
    Those of :class:`Egress`.
    stop : In(1)
        With ``fail_stop``: the core offers nothing any more.
    """

    def __init__(self, depth, fail_stop=False):
        self._depth, self._fail_stop, self.queue = depth, fail_stop, BeatQueue(depth)
        super().__init__({**Egress().members, **({"stop": In(1)} if fail_stop else {})})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self.queue
        m.submodules.credits = credits = Credits(self._depth)
        m.submodules.marked_beats = marked = MarkedBeats(self._depth)
        m.submodules.released = released = ReleasedFaults(self._depth)
        leaves, returned, ready = Signal(), Signal(), Signal()
        connect(m, flipped(self.hit), queue.hit)
        connect(m, flipped(self.miss), queue.miss)
        some, beat, enters = ready, queue.beat, leaves
        if self._fail_stop:
            some, beat, enters = self._hold(m, ready, queue.beat)
        m.d.comb += [
            queue.listens.eq(self.listens),
            ready.eq(queue.some & (~queue.fault | released.some)),
            self.port.valid.eq(some & self.enable), self.port.payload.eq(beat),
            leaves.eq(some & (self.port.ready | ~self.enable)),
            queue.leaves.eq(enters),

            released.recorded.eq(self.recorded), released.leaves.eq(enters & queue.fault),
            marked.hit.eq(self.hit.valid), marked.miss.eq(self.miss.valid),
            marked.returned.eq(returned), credits.returned.eq(returned),
        ]
        m.d.sync += [returned.eq(leaves), self.retired.eq(leaves & self.port.payload.last)]
        connect(m, flipped(self.credits), credits.account)
        connect(m, flipped(self.mark), marked.mark)
        return m

    def _hold(self, m, ready, beat):
        """Returns what is behind the hold: whether there is a beat, and which one; and whether the
        one before it enters."""
        m.submodules.hold = hold = Hold()
        m.d.comb += [
            hold.beats.valid.eq(ready), hold.beats.payload.eq(beat), hold.stop.eq(self.stop),
            hold.port.ready.eq(self.port.ready | ~self.enable),
        ]
        return hold.port.valid, hold.port.payload, ready & hold.beats.ready


class MarkedBeats(wiring.Component):
    """Counts beats that are held, and those of them that a mark found: all of it one cycle late.

    Parameters
    ----------
    depth : int
        Beats that may be held.

    Members
    -------
    hit, miss : In(1)
        A beat is written.
    returned : In(1)
        A beat left in the cycle before.
    mark : In(BeatMark)
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({"hit": In(1), "miss": In(1), "returned": In(1), "mark": In(BeatMark())})

    def elaborate(self, platform):
        m = Module()
        held, marked = Signal(range(self._depth + 1)), Signal(range(self._depth + 1))
        written, mark_set = Signal(2), Signal()
        still_held = Signal.like(held)
        m.d.comb += [still_held.eq(held + written - self.returned),
                     self.mark.remains.eq(marked.any())]
        m.d.sync += [
            written.eq(self.hit + self.miss), mark_set.eq(self.mark.set), held.eq(still_held),
        ]
        with m.If(mark_set):
            m.d.sync += marked.eq(still_held)
        with m.Elif(marked.any()):
            m.d.sync += marked.eq(marked - self.returned)
        require(m, held + written <= self._depth + self.returned,
                "a port's beats have places in its queues")
        return m


class ReleasedFaults(wiring.Component):
    """Counts the faults of the miss path that have their record and have not left.

    Parameters
    ----------
    depth : int
        Beats that may be held.

    Members
    -------
    recorded : In(1)
        The next fault has its record, or needs none.
    leaves : In(1)
        A fault leaves.
    some : Out(1)
        The first fault may leave.
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({"recorded": In(1), "leaves": In(1), "some": Out(1)})

    def elaborate(self, platform):
        m = Module()
        released, leaves, recorded = Signal(range(self._depth + 1)), self.leaves, self.recorded
        one, two = Signal(), Signal()       # at least: in the next cycle, if none leaves in this
        m.d.comb += [one.eq(released.any() | recorded),
                     two.eq(released[1:].any() | (released[0] & recorded))]
        with m.If(leaves & ~recorded):
            m.d.sync += released.eq(released - 1)
        with m.Elif(~leaves & recorded):
            m.d.sync += released.eq(released + 1)
        m.d.sync += self.some.eq(Mux(leaves, two, one))
        return m


class SoftwareEgress(wiring.Component):
    """The exit of software's answers, which are taken at once. So a place for each path is enough:
    of two beats that come together, that of the miss path is offered in *n* + 2, and no other comes
    before its request is looked up again. Credits are there always; no fault waits for a record,
    for there is none; and no mark needs to look for beats here.

    Attributes
    ----------
    waits : Signal
        A beat of the miss path stands behind one of the hit path. For proofs.

    Members
    -------
    Those of :class:`Egress`.
    """

    def __init__(self):
        self.waits = Signal()
        super().__init__(Egress())

    def elaborate(self, platform):
        m = Module()
        hit, miss = (Payload(Response, name=name) for name in ("hit_held", "miss_held"))
        from_hits, from_misses = Signal(), Signal()
        m.d.comb += self.waits.eq(from_misses & from_hits)
        m.d.sync += [
            hit.eq(self.hit.payload), from_hits.eq(self.hit.valid),
            from_misses.eq(self.miss.valid | self.waits),
            self.retired.eq(self.port.valid & self.port.payload.last),
        ]
        with m.If(self.miss.valid):
            m.d.sync += miss.eq(self.miss.payload)
        m.d.comb += [
            self.port.valid.eq(from_hits | from_misses),
            self.port.payload.eq(Mux(from_hits, hit.as_value(), miss.as_value())),
            self.credits.some.eq(1), self.credits.admits.eq(1),
            self.credits.admits_another.eq(1),
        ]
        require(m, ~(self.waits & self.miss.valid),
                "software's next beat comes after the one before was offered")
        require(m, ~self.port.valid | self.port.ready, "software takes its beats at once")
        return m
