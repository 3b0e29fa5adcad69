"""The request/response ports: what enters, what leaves, and how much of it (§2.1).

Both ends are registered: no input of a port reaches an output of any port combinationally.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from ..arch.formats import Cause, Request, Response
from ..lib.arithmetic import above, one_less, one_more
from ..lib.payload import Payload
from ..lib.queues import PairQueue, RingQueue

__all__ = ["PortIngress", "PortEgress", "SoftwareIngress", "SoftwareEgress"]

SOFTWARE_DEPTH = 2      #: requests that software has outstanding, at most: see ``SoftwarePort``


#: By which paths the beats of one cycle came.
_Order = data.StructLayout({"hit": 1, "miss": 1, "fault": 1})


class PortIngress(wiring.Component):
    """Takes requests from one port and keeps account of those that are not answered.

    Latency: a request is offered on ``requests`` in the cycle after its handshake.

    Parameters
    ----------
    depth : int
        Requests that may be outstanding.

    Members
    -------
    port : In(stream.Signature(Request))
        ``P_req_*``. Ready while the port is enabled, fewer than two requests wait here, and fewer
        than ``depth`` are outstanding; ``ready`` comes from registers.
    requests : Out(stream.Signature(Request))
    stays : Out(1)
        A request will be offered in the next cycle even if one is taken in this one.
    enable : In(1)
        ``PORT_ENABLE`` (§7): a disabled port accepts nothing.
    retired : In(1)
        The last beat of a request has left the port.
    active : Out(1)
        Requests are outstanding (``PORT_STATUS``).
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__({
            "port": In(stream.Signature(Request)),
            "requests": Out(stream.Signature(Request)),
            "stays": Out(1),
            "enable": In(1),
            "retired": In(1),
            "active": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.waiting = waiting = PairQueue(Request)
        outstanding = Signal(range(self._depth + 1))
        open_, taken, full = Signal(), Signal(), Signal()
        m.d.comb += [
            open_.eq(self.enable & ~full),
            self.port.ready.eq(open_ & waiting.w.ready),
            waiting.w.valid.eq(open_ & self.port.valid),
            waiting.w.payload.eq(self.port.payload),
            taken.eq(self.port.valid & self.port.ready),
            self.stays.eq(waiting.stays),
            self.active.eq(outstanding.any()),
        ]
        connect(m, waiting.r, wiring.flipped(self.requests))
        m.d.sync += outstanding.eq(outstanding + taken - self.retired)
        # What will be left is compared before it is known whether one comes.
        with m.If(taken):
            m.d.sync += full.eq((outstanding == self._depth - 1) & ~self.retired)
        with m.Elif(self.retired):
            m.d.sync += full.eq(0)
        return m


class PortEgress(wiring.Component):
    """Brings the beats of the hit path and of the miss path to one port, in the order written.

    Each path has a queue of its own, so that both can write in one cycle; a third queue keeps the
    order, because the beats of one request may alternate between the paths. Neither path is ever
    refused: whoever sends an operation into the core takes a credit first, and a credit is a
    place in these queues. A beat written in cycle *n* is offered in cycle *n* + 1.

    A fault of the miss path is offered once its record has been settled (``recorded``), so that no
    more faults wait for their records than the port may have requests outstanding.

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
    begins, continues : In(1)
        Takes a credit in this cycle: for a new request, for what is left of one.
    some : Out(1)
        At least one credit is left.
    rests : In(1)
        In the next cycle something may be left of a request and wait for a credit: then the last
        ones are kept for it.
    admits, admits_another : Out(1)
        In the next cycle a new request may begin, if none does in this one; even if one does.
        A credit comes back in the second cycle after its beat has left.
    retired : Out(1)
        The last beat of a request left, or was dropped, in the cycle before.
    recorded : In(1)
        The next fault of the miss path has its record, or needs none.
    mark : In(1), marked : Out(1)
        Beats that are held at a ``mark``, or come with it, are still here: from the second cycle
        behind it on, until the second one after the last of them has left.
    """

    def __init__(self, depth):
        self._depth = depth
        beat = stream.Signature(Response, always_ready=True)
        super().__init__({
            "hit": In(beat),
            "miss": In(beat),
            "port": Out(stream.Signature(Response)),
            "enable": In(1),
            "begins": In(1),
            "continues": In(1),
            "some": Out(1, init=1),
            "rests": In(1),
            "admits": Out(1),
            "admits_another": Out(1),
            "retired": Out(1),
            "recorded": In(1),
            "mark": In(1),
            "marked": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.hits = hits = RingQueue(Response, self._depth)
        m.submodules.misses = misses = RingQueue(Response, self._depth)
        # Of the order, what comes next stands in registers. Of two beats written together the hit
        # leaves first.
        m.submodules.order = order = RingQueue(_Order, self._depth - 1)
        comes, head, some = Signal(_Order), Signal(_Order), Signal()
        from_hits, ready, gone, all_gone, moves = (Signal() for _ in range(5))
        m.d.comb += [
            hits.w.valid.eq(self.hit.valid), hits.w.payload.eq(self.hit.payload),
            misses.w.valid.eq(self.miss.valid), misses.w.payload.eq(self.miss.payload),
            comes.hit.eq(self.hit.valid), comes.miss.eq(self.miss.valid),
            comes.fault.eq(self.miss.valid & (self.miss.payload.cause != Cause.OK)),

            from_hits.eq(head.hit),
            ready.eq(some & (from_hits | ~head.fault
                             | self._settled(m, gone & head.fault & ~from_hits))),
            self.port.valid.eq(ready & self.enable),
            self.port.payload.eq(Mux(from_hits, hits.r.payload.as_value(),
                                     misses.r.payload.as_value())),
            gone.eq(ready & (self.port.ready | ~self.enable)),
            all_gone.eq(gone & ~(head.hit & head.miss)),
            hits.r.ready.eq(gone & from_hits),
            misses.r.ready.eq(gone & ~from_hits),
            moves.eq(~some | all_gone),
            order.r.ready.eq(moves), order.w.payload.eq(comes),
            order.w.valid.eq((comes.hit | comes.miss) & (order.r.valid | ~moves)),
        ]
        with m.If(moves):
            m.d.sync += [
                some.eq(order.r.valid | comes.hit | comes.miss),
                head.eq(Mux(order.r.valid, order.r.payload.as_value(), comes.as_value())),
            ]
        with m.Elif(gone):
            m.d.sync += head.hit.eq(0)
        m.d.sync += self.retired.eq(gone & self.port.payload.last)

        # Beats held, and those of them that a mark found: all of it one cycle late.
        held, before = Signal(range(self._depth + 1)), Signal(range(self._depth + 1))
        came, returned, marks = Signal(2), Signal(), Signal()
        after = Signal.like(held)
        m.d.comb += [after.eq(held + came - returned), self.marked.eq(before.any())]
        m.d.sync += [
            came.eq(self.hit.valid + self.miss.valid), returned.eq(gone),
            marks.eq(self.mark), held.eq(after),
        ]
        with m.If(marks):
            m.d.sync += before.eq(after)
        with m.Elif(before.any()):
            m.d.sync += before.eq(before - returned)

        # What will be left is compared before it is known how many are taken. While something
        # waits for a credit, it is taken to leave in this very cycle, and one more is kept.
        unused = Signal(range(self._depth + 1), init=self._depth)
        # To add one is the same, for these comparisons, as to set the last bit, or as to look at it
        # only then.
        odd, even = (Cat(last, unused[1:]) for last in (unused[0] | returned, unused[0] & returned))
        at_least = {number: above(odd, number - 1) if number % 2 else above(even, number - 2)
                    for number in range(1, 8)}

        # Whether one is taken to continue comes last.
        def after(number, kept=0):      # that so many are left in the next cycle, or ``kept`` more
            def left(taken):
                return Mux(self.rests, *(Mux(self.begins, at_least[low + 1], at_least[low])
                                         for low in (number + kept + taken, number + taken)))
            return Mux(self.continues, left(1), left(0))
        another, enough, less = (Signal(init=1) for _ in range(3))  # for two requests, one, none
        m.d.comb += [
            self.admits.eq(enough | (returned & less)),
            self.admits_another.eq(another | (returned & enough)),
        ]
        more, less_1 = one_more(unused), one_less(unused)
        less_2 = Cat(unused[0], one_less(unused[1:]))
        left = [Mux(returned, *each) for each in (
            (more, unused), (unused, less_1), (less_1, less_2))]    # by those that are taken
        m.d.sync += [
            unused.eq(Mux(self.continues, Mux(self.begins, left[2], left[1]),
                          Mux(self.begins, left[1], left[0]))),
            self.some.eq(after(1)),
            another.eq(after(2, kept=3)), enough.eq(after(1, kept=3)),
            less.eq(~self.rests | after(3)),
        ]
        return m

    def _settled(self, m, leaves):
        """Whether the first fault of the miss path, which ``leaves``, has its record."""
        settled, some = Signal(range(self._depth + 1)), Signal()
        one, two = Signal(), Signal()       # at least: if none leaves, if one does
        m.d.comb += [one.eq(settled.any() | self.recorded),
                     two.eq(settled[1:].any() | (settled[0] & self.recorded))]
        with m.If(leaves & ~self.recorded):
            m.d.sync += settled.eq(settled - 1)
        with m.Elif(~leaves & self.recorded):
            m.d.sync += settled.eq(settled + 1)
        m.d.sync += some.eq(Mux(leaves, two, one))
        return some


class SoftwareIngress(PortIngress):
    """The same for software's requests, which come from registers and are few: they need not
    wait here. ``port.ready`` is combinational from ``requests.ready``."""

    def __init__(self):
        super().__init__(SOFTWARE_DEPTH)

    def elaborate(self, platform):
        m = Module()
        connect(m, wiring.flipped(self.port), wiring.flipped(self.requests))
        outstanding = Signal(range(self._depth + 1))
        m.d.comb += self.active.eq(outstanding.any())
        m.d.sync += outstanding.eq(
            outstanding + (self.port.valid & self.port.ready) - self.retired)
        return m


class SoftwareEgress(PortEgress):
    """The same for software's answers, which are taken at once. So a place for each path is
    enough: of two beats that come together, that of the miss path is offered in *n* + 2, and no
    other comes before its request is looked up again. Credits are there always; no fault waits
    for a record, for there is none; and no mark needs to look for beats here."""

    def __init__(self):
        super().__init__(SOFTWARE_DEPTH)

    def elaborate(self, platform):
        m = Module()
        hit, miss = (Payload(Response, name=name) for name in ("hit_held", "miss_held"))
        from_hits, from_misses = Signal(), Signal()
        self.waits = Signal()       # a beat of the miss path, behind one of the hit path
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
            self.some.eq(1), self.admits.eq(1), self.admits_another.eq(1),
        ]
        return m
