"""Where operations wait: three queues for every port, in one block RAM.

* ``JOINED``: it waits for the walk of another operation, until that walk's slot is settled;
* ``WANTS``: it missed and no walk slot was to be had;
* ``CONTINUES``: a run is answered, and pages are left; it waits for a credit.

What leaves goes through the pipeline again. No queue holds what another port needs: an operation
in the first two has its credit for a beat already, and one in the third holds no slot. So a port
that does not take its beats stops nobody else (§2.1 rule e).

Leaving takes three cycles: choose, RAM, and a small queue before the arbiter, which keeps one
operation a cycle flowing.
"""

from amaranth import C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect
from amaranth.utils import ceil_log2, exact_log2

from ..arch.config import Config
from ..lib.choose import RoundRobin, one_hot_index, one_of
from ..lib.payload import Payload, payload_of
from ..lib.queues import RingQueue
from ..pipeline.operation import Operation
from ..pipeline.sizes import SLOT_BITS

__all__ = ["Reason", "Parking"]

LEAVING = 4         #: operations chosen and not yet taken by the arbiter


class Reason(enum.Enum, shape=2):
    """Why an operation waits."""

    JOINED = 0
    WANTS = 1
    CONTINUES = 2


class Parking(wiring.Component):
    """The waiting operations.

    Parameters
    ----------
    config : Config

    Members
    -------
    push : In(1), reason : In(Reason), operation : In(Operation)
        Puts an operation at the end of its port's queue. A port has at most ``port_depth``
        requests, and a request is in one place at a time: there is always room.
    settled : In(slots)
        Slots whose joiners may leave.
    overdue : In(ports)
        Ports with joiners of settled slots: if one of another slot is first, it leaves as well,
        and will join again, behind them.
    slot_for : In(ports), credit_for : In(ports)
        Ports whose first WANTS (or CONTINUES) operation may leave in the next cycle, if it waits
        already (of the latter kind, since the cycle before).
    wants, continues : Out(ports)
        Ports with operations that wait for this reason.
    rests : Out(ports)
        Those that may be in ``continues`` in the next cycle.
    slot_taken, credit_taken : Out(ports)
        One-hot: the first WANTS (or CONTINUES) operation of the port leaves.
    retry : Out(stream.Signature(Operation)), retry_port, retry_port_next : Out(ports)
        Operations that leave. Those that wanted a slot have ``reserved`` set. One-hot: the port;
        that of the next cycle.
    """

    def __init__(self, config: Config):
        self._config = config
        ports = config.requesters
        super().__init__({
            "push": In(1),
            "reason": In(Reason),
            "operation": In(Operation),
            "settled": In(config.walk_slots),
            "overdue": In(ports),
            "slot_for": In(ports),
            "credit_for": In(ports),
            "wants": Out(ports),
            "continues": Out(ports),
            "rests": Out(ports),
            "slot_taken": Out(ports),
            "credit_taken": Out(ports),
            "retry": Out(stream.Signature(Operation)),
            "retry_port": Out(ports),
            "retry_port_next": Out(ports),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ports, depth = config.requesters, config.port_depth
        queues = 3 * ports
        pointer = unsigned(exact_log2(depth))
        port_bits = ceil_log2(ports)
        m.submodules.elements = elements = memory.Memory(
            shape=Operation, depth=3 * depth << port_bits, init=[], attrs={"no_rw_check": 1})
        # no read port with a clock: what is read is never written in the same cycle
        write, read = elements.write_port(), elements.read_port(domain="comb")
        read_data = Payload(Operation)
        m.d.sync += read_data.eq(read.data)

        # Queue reason * ports + port.
        waiting, chosen, pushed = Signal(queues), Signal(queues), Signal(queues)
        heads = Signal(data.ArrayLayout(pointer, queues))
        tails = Signal(data.ArrayLayout(pointer, queues))
        for reason in Reason:
            for port in range(ports):
                m.d.comb += pushed[reason.value * ports + port].eq(
                    self.push & (self.reason == reason) & (self.operation.port == port))
        kept, place = payload_of(m, write.data), payload_of(m, write.addr)
        m.d.sync += [       # in time for who leaves at once
            write.en.eq(self.push),
            place.eq(Cat(one_of(pushed, tails), self.operation.port[:port_bits],
                              self.reason)),
            kept.eq(self.operation),
        ]
        m.d.comb += [
            self.wants.eq(waiting[ports:]),
            self.continues.eq(waiting[2 * ports:]),
            self.rests.eq((waiting | pushed)[2 * ports:]),
            self.slot_taken.eq(chosen[ports:]),
            self.credit_taken.eq(chosen[2 * ports:]),
        ]
        # Slots and credits are for who has waited: so long nobody took them from under him.
        read_from = Signal(queues)      # chosen in the cycle before
        joined = self._joined(m, heads, tails, waiting, pushed, chosen, read_from)
        promised, credited = Signal(ports), Signal(ports)
        wanted, waited = Signal(ports), Signal(ports)       # in the cycle before, too
        m.d.sync += [
            wanted.eq(self.wants),
            promised.eq(self.slot_for & self.wants & wanted
                        & (~self.slot_taken.any()).replicate(ports)),
            waited.eq(self.continues),
            credited.eq(self.credit_for & self.continues & waited & ~self.credit_taken),
        ]
        # The head that each port would read: of the one that is chosen it does not change, since
        # none is chosen in two cycles in a row.
        ahead = Payload(data.ArrayLayout(pointer, ports))
        self._choose(m, Cat(joined, promised, credited), chosen, heads, ahead)

        # RAM: one cycle later.
        comes, reserved = Signal(), Signal()
        port_read, port_comes = Signal(ports), Signal(ports)
        m.d.comb += port_read.eq(_by_port(read_from, ports))
        m.d.sync += [
            read_from.eq(chosen), comes.eq(read_from.any()), port_comes.eq(port_read),
            reserved.eq(read_from[ports:2 * ports].any()),
        ]
        reason = Cat(read_from[ports:2 * ports].any(), read_from[2 * ports:].any())
        m.d.comb += read.addr.eq(
            Cat(one_of(port_read, ahead), one_hot_index(port_read)[:port_bits], reason))
        for queue in range(queues):
            one, none = Signal(name=f"one_{queue}"), Signal(name=f"none_{queue}")
            count = Signal(range(depth + 1), name=f"count_{queue}")
            left = read_from[queue]     # is still counted
            m.d.comb += [one.eq(count == Cat(~left, left)), none.eq(count == left)]
            with m.If(pushed[queue] & ~left):
                m.d.sync += count.eq(count + 1)
            with m.Elif(~pushed[queue] & left):
                m.d.sync += count.eq(count - 1)
            m.d.sync += [
                tails[queue].eq(tails[queue] + pushed[queue]),
                heads[queue].eq(heads[queue] + left),
                waiting[queue].eq(pushed[queue] | ~(none | (one & chosen[queue]))),
            ]
        self._leave(m, comes, port_comes, read_data, reserved)
        return m

    def _choose(self, m, may_leave, chosen, heads, ahead):
        """One operation a cycle: the ports in turn, and the reasons of each in turn; as long as
        there is room for it to stand before the arbiter."""
        ports = self._config.requesters
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
            m.d.sync += ahead[port].eq(one_of(
                reasons.grant, [heads[reason.value * ports + port] for reason in Reason]))
            for reason in Reason:
                m.d.comb += chosen[reason.value * ports + port].eq(
                    turns.grant[port] & reasons.grant[reason.value])
        m.d.comb += [
            turns.taken.eq(1), leaves.eq(turns.requests.any()),
            left.eq(self.retry.valid & self.retry.ready),
        ]
        m.d.sync += room.eq(room - leaves + left)
        m.d.sync += some.eq(Mux(leaves, left | (room > 1), left | (room != 0)))

    def _leave(self, m, comes, port, operation, reserved):
        """From the RAM to the arbiter: the operations in LUT RAM, their ports in registers, for
        the arbiter decides by them."""
        m.submodules.ready = ready = RingQueue(Operation, LEAVING)
        arrived = Signal(Operation)
        m.d.comb += [
            arrived.eq(operation), arrived.reserved.eq(reserved),
            ready.w.valid.eq(comes), ready.w.payload.eq(arrived),
        ]
        connect(m, ready.r, wiring.flipped(self.retry))
        line = [Signal(self._config.requesters, name=f"line_{index}") for index in range(LEAVING)]
        taken = Signal(LEAVING)         # which of these places are: the first ones
        goes = self.retry.ready         # the first one, if any
        for index, place in enumerate(line):
            here, before = taken[index], taken[index - 1] if index else C(1)
            behind, next_taken = (line[index + 1], taken[index + 1]) \
                if index + 1 < LEAVING else (C(0), C(0))
            # What comes stands in the first place that is free: if one goes, here where this was
            # the last one; it may as well be that there was none.
            moves, stays = Signal(name=f"moves_{index}"), Signal(name=f"stays_{index}")
            after = Signal.like(place, name=f"after_{index}")
            m.d.comb += [
                moves.eq(comes & ~next_taken & (here if index else 1)),
                stays.eq(comes & ~here & before),
                after.eq(Mux(goes, behind | (port & moves.replicate(len(port))),
                             place | (port & stays.replicate(len(port))))),
            ]
            m.d.sync += [place.eq(after), here.eq(Mux(goes, next_taken | moves, here | stays))]
            if not index:
                m.d.comb += self.retry_port_next.eq(after)
        m.d.comb += self.retry_port.eq(line[0])

    def _joined(self, m, heads, tails, waiting, pushed, chosen, left):
        """Ports whose first JOINED operation may leave: known a few cycles after it became the
        first."""
        ports = self._config.requesters
        may = Signal(ports)
        for port in range(ports):
            slots = memory.Memory(shape=SLOT_BITS, depth=self._config.port_depth, init=[])
            m.submodules[f"slots_{port}"] = slots
            write, read = slots.write_port(), slots.read_port(domain="comb")
            slot, ready, known = Signal(SLOT_BITS), Signal(), Signal(3)
            m.d.comb += [
                write.en.eq(pushed[port]),
                write.addr.eq(tails[port]), write.data.eq(self.operation.slot),
                read.addr.eq(heads[port]),
            ]
            m.d.sync += [slot.eq(read.data), ready.eq((self.settled >> slot)[0])]
            m.d.sync += may[port].eq((ready | self.overdue[port]) & known.all()
                                     & waiting[port] & ~chosen[port] & ~left[port])
            with m.If(left[port] | ~waiting[port]):
                m.d.sync += known.eq(0)
            with m.Else():
                m.d.sync += known.eq(Cat(1, known))
        return may


def _by_port(queues, ports):
    """Ports of which any of the ``queues`` (a bit for each) is set."""
    return Cat(queues[port::ports].any() for port in range(ports))
