"""The replay queue: where operations wait. Three queues for every port, in one block RAM.

* ``JOINED``: it waits for the walk of another operation, until that walk's slot is settled;
* ``WANTS``: it missed and no walk slot was to be had;
* ``CONTINUES``: a run is answered, and pages are left; it waits for a credit.

An operation that leaves goes through the pipeline again. No queue holds what another port needs: an
operation in the first two has its credit for a beat already, and one in the third holds no slot. So
a port that does not take its beats stops no other (§2.1 rule e).

Leaving takes three cycles: choose, RAM, and a small queue before the arbiter, which keeps one
operation a cycle flowing (``leaving.py``).
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, memory, wiring
from amaranth.lib.wiring import In, Out, connect
from amaranth.utils import ceil_log2, exact_log2

from ..arch.config import Config
from ..lib.choose import RoundRobin, one_hot_index, one_of
from ..lib.clocked_ram import ClockedRam, words_for
from ..lib.cover import cover_pairs
from ..lib.payload import Payload, payload_of
from ..lib.watch import watch, watch_clocked
from ..pipeline.boundaries import CreditUser, ReplaySource
from ..pipeline.operation import Operation
from ..pipeline.sizes import PORT_BITS, SLOT_BITS
from ..request.ingress import SOFTWARE_DEPTH
from .leaving import LEAVING, Leaving

__all__ = ["Reason", "ReplayQueue", "WaitingInfo"]

#: Cycles until it is known of an operation that became the first one whether its slot is settled.
KNOWN = 3


class Reason(enum.Enum, shape=2):
    """Why an operation waits."""

    JOINED = 0
    WANTS = 1
    CONTINUES = 2


#: What comes to wait: ``push``, for which ``reason``, of which ``port``; a joiner's ``slot``.
WaitingInfo = wiring.Signature({
    "push": Out(1),
    "reason": Out(Reason),
    "port": Out(PORT_BITS),
    "slot": Out(SLOT_BITS),
})


class ReplayQueue(wiring.Component):
    """The waiting operations.

    Parameters
    ----------
    config : Config

    Members
    -------
    waits : In(WaitingInfo), operation : In(Operation)
        Puts an operation, which comes a cycle later, at the end of its port's queue. A port has at
        most ``port_depth`` requests, and a request is in one place at a time: there is always room.
    settled : In(slots)
        Slots whose joiners may leave.
    overdue : In(ports)
        Ports with joiners of settled slots: if one of another slot is first, it leaves as well,
        and will join again, behind them.
    wants : Out(ports), slot_for : In(ports), slot_taken : Out(ports)
        Ports with operations that wait for a slot; whose first one may leave in the next cycle, if
        it waits already; one-hot: it leaves, with ``reserved`` set.
    credits : Out(CreditUser)
        The same for the rests of requests.
    retry : Out(ReplaySource)
        Operations that leave.
    """

    def __init__(self, config: Config):
        self._config = config
        ports = config.requesters
        super().__init__({
            "waits": In(WaitingInfo),
            "operation": In(Operation),
            "settled": In(config.walk_slots),
            "overdue": In(ports),
            "wants": Out(ports),
            "slot_for": In(ports),
            "slot_taken": Out(ports),
            "credits": Out(CreditUser(ports)),
            "retry": Out(ReplaySource(ports)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ports, waits = config.requesters, self.waits
        queues = len(Reason) * ports            # queue reason * ports + port
        waiting, none, chosen, pushed = (Signal(queues) for _ in range(4))
        read_from = Signal(queues)              # chosen in the cycle before
        # A bit more than a place needs, so that a full queue is no empty one.
        heads, tails = ([Signal(exact_log2(self._depth(queue % ports)) + 1, name=f"{end}_{queue}")
                         for queue in range(queues)] for end in ("head", "tail"))
        for reason in Reason:
            for port in range(ports):
                m.d.comb += pushed[reason.value * ports + port].eq(
                    waits.push & (waits.reason == reason) & (waits.port == port))
        m.d.comb += [
            self.wants.eq(waiting[ports:]),
            self.credits.rests.eq((waiting | ~none)[2 * ports:]),
            self.slot_taken.eq(chosen[ports:]),
            self.credits.taken.eq(chosen[2 * ports:]),
        ]
        joined = self._joined(m, heads, tails, waiting, pushed, chosen, read_from)
        promised, credited = self._granted(m, waiting[2 * ports:])
        # The head that each port would read: of the one that is chosen it does not change, since
        # none is chosen in two cycles in a row.
        port_heads = [Payload(len(heads[port]) - 1, name=f"port_head_{port}")
                      for port in range(ports)]
        self._choose(m, Cat(joined, promised, credited), chosen, heads, port_heads)
        for queue in range(queues):
            self._move(m, queue, pushed, chosen, read_from, waiting, none, heads, tails)
        self._store(m, pushed, chosen, read_from, tails, port_heads)
        return m

    def _depth(self, port):
        """Requests that a port has outstanding, at most."""
        return SOFTWARE_DEPTH if port == self._config.ports else self._config.port_depth

    def _granted(self, m, continues):
        """Ports whose first operation gets the slot, or the credit, that it waited for. It must
        have waited in the cycle before, and no other one have left for it then."""
        ports = self._config.requesters
        promised, credited = Signal(ports), Signal(ports)
        wanted, waited = Signal(ports), Signal(ports)       # in the cycle before
        m.d.sync += [
            wanted.eq(self.wants),
            promised.eq(self.slot_for & self.wants & wanted
                        & (~self.slot_taken.any()).replicate(ports)),
            waited.eq(continues),
            credited.eq(self.credits.some & continues & waited & ~self.credits.taken),
        ]
        return promised, credited

    def _choose(self, m, may_leave, chosen, heads, port_heads):
        """One operation a cycle: the ports in turn, and the reasons of each in turn; as long as
        there is room for it before the arbiter."""
        ports, operation = self._config.requesters, self.retry.operation
        cover_pairs(m, "leave", {reason.name.lower(): may_leave[reason.value * ports:][:ports].any()
                                 for reason in Reason})
        m.submodules.turns = turns = RoundRobin(ports)
        room, some = Signal(range(LEAVING + 1), init=LEAVING), Signal(init=1)
        leaves, left = Signal(), Signal()
        for port in range(ports):
            m.submodules[f"reasons_{port}"] = reasons = RoundRobin(len(Reason))
            m.d.comb += [
                reasons.requests.eq(may_leave[port::ports]),
                turns.requests[port].eq(reasons.requests.any() & some),
                reasons.taken.eq(turns.grant[port]),
            ]
            m.d.sync += port_heads[port].eq(one_of(
                reasons.grant, [heads[reason.value * ports + port][:-1] for reason in Reason]))
            for reason in Reason:
                m.d.comb += chosen[reason.value * ports + port].eq(
                    turns.grant[port] & reasons.grant[reason.value])
        m.d.comb += [
            turns.taken.eq(1), leaves.eq(turns.requests.any()),
            left.eq(operation.valid & operation.ready),
        ]
        m.d.sync += room.eq(room - leaves + left)
        m.d.sync += some.eq(Mux(leaves, left | (room > 1), left | (room != 0)))

    def _move(self, m, queue, pushed, chosen, read_from, waiting, none, heads, tails):
        """Head and tail of one queue. What comes counts as waiting in the second cycle: a credit
        that it may take was kept for it from the first one on."""
        one = Signal(name=f"one_{queue}")
        left, head, tail = read_from[queue], heads[queue], tails[queue]     # is still counted
        count = (tail - head)[:len(head)]
        m.d.comb += [one.eq(count == Cat(~left, left)), none[queue].eq(count == left)]
        m.d.sync += [
            tail.eq(tail + pushed[queue]), head.eq(head + left),
            waiting[queue].eq(~(none[queue] | (one & chosen[queue]))),
        ]

    def _store(self, m, pushed, chosen, read_from, tails, port_heads):
        """The RAM, and the way from there to the arbiter."""
        ports, depth = self._config.requesters, self._config.port_depth
        port_bits = ceil_log2(ports)
        # What is read is never written in the same cycle.
        m.submodules.elements = elements = ClockedRam(Operation, len(Reason) * depth << port_bits)
        waits, writes, port_read = self.waits, Signal(), Signal(ports)
        place_in_queue, first = Signal(range(depth)), Signal(range(depth))
        m.d.comb += [place_in_queue.eq(one_of(pushed, [tail[:-1] for tail in tails])),
                     first.eq(one_of(port_read, port_heads))]
        place = payload_of(m, elements.write_address)
        m.d.comb += [elements.write.eq(writes), elements.word.eq(self.operation)]
        m.d.sync += [       # in time for an operation that leaves at once
            writes.eq(waits.push),
            place.eq(Cat(place_in_queue, waits.port[:port_bits], waits.reason)),
        ]
        m.submodules.leaving = leaving = Leaving(self._config)
        connect(m, leaving.retry, wiring.flipped(self.retry))
        reason = Cat(read_from[ports:2 * ports].any(), read_from[2 * ports:].any())
        m.d.comb += [
            port_read.eq(Cat(read_from[port::ports].any() for port in range(ports))),
            elements.address.eq(Cat(first, one_hot_index(port_read)[:port_bits], reason)),
            leaving.operation.eq(elements.answer),
        ]
        m.d.sync += [
            read_from.eq(chosen), leaving.comes.eq(read_from.any()),
            leaving.port.eq(port_read), leaving.reserved.eq(read_from[ports:2 * ports].any()),
        ]
        watch_clocked(m, "watch_elements", elements, counts=leaving.comes)

    def _joined(self, m, heads, tails, waiting, pushed, chosen, left):
        """Ports whose first JOINED operation may leave: known a few cycles after it became the
        first."""
        ports = self._config.requesters
        may = Signal(ports)
        for port in range(ports):
            slots = memory.Memory(shape=SLOT_BITS, depth=words_for(self._depth(port)), init=[])
            m.submodules[f"slots_{port}"] = slots
            write, read = slots.write_port(), slots.read_port(domain="comb")
            slot, ready, known = Signal(SLOT_BITS), Signal(), Signal(KNOWN)
            m.d.comb += [
                write.en.eq(pushed[port]),
                write.addr.eq(tails[port][:-1]), write.data.eq(self.waits.slot),
                read.addr.eq(heads[port][:-1]),
            ]
            watch(m, f"watch_slots_{port}", write, read, counts=waiting[port])
            m.d.sync += [slot.eq(read.data), ready.eq((self.settled >> slot)[0])]
            m.d.sync += may[port].eq((ready | self.overdue[port]) & known.all()
                                     & waiting[port] & ~chosen[port] & ~left[port])
            with m.If(left[port] | ~waiting[port]):
                m.d.sync += known.eq(0)
            with m.Else():
                m.d.sync += known.eq(Cat(1, known))
        return may
