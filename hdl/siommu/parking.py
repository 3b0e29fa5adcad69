"""Where operations wait: three queues for every port, in one block RAM.

* ``JOINED``: it waits for the walk of another operation, until that walk's slot is settled;
* ``WANTS``: it missed and no walk slot was to be had;
* ``CONTINUES``: a run is answered, and pages are left; it waits for a credit.

What leaves goes through the pipeline again. No queue holds what another port needs: an operation
in the first two has its credit for a beat already, and one in the third holds no slot. So a port
that does not take its beats stops nobody else (§2.1 rule e).

Leaving takes four cycles: choose, RAM, a small queue, which keeps one operation a cycle flowing,
and a register in front of the arbiter.
"""

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import data, enum, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .bundles import SLOT_BITS, Operation
from .choose import RoundRobin, one_hot_index, one_of
from .config import Config

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
        Ports whose first WANTS (or CONTINUES) operation may leave.
    wants, continues : Out(ports)
        Ports with operations that wait for this reason.
    slot_taken, credit_taken : Out(ports)
        One-hot: the first WANTS (or CONTINUES) operation of the port leaves.
    retry : Out(stream.Signature(Operation)), retry_port : Out(ports)
        Operations that leave. Those that wanted a slot have ``reserved`` set. One-hot: the port.
    """

    def __init__(self, config: Config):
        self._config = config
        ports = config.ports
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
            "slot_taken": Out(ports),
            "credit_taken": Out(ports),
            "retry": Out(stream.Signature(Operation)),
            "retry_port": Out(ports),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        ports, depth = config.ports, config.port_depth
        queues = 3 * ports
        pointer = unsigned(exact_log2(depth))
        m.submodules.elements = elements = memory.Memory(
            shape=Operation, depth=queues * depth, init=[], attrs={"no_rw_check": 1})
        write, read = elements.write_port(), elements.read_port()

        waiting, may_leave, chosen = Signal(queues), Signal(queues), Signal(queues)
        heads = Signal(data.ArrayLayout(pointer, queues))
        tails = Signal(data.ArrayLayout(pointer, queues))
        target = Signal(range(queues))
        m.d.comb += target.eq(self.reason.as_value() * ports + self.operation.port)
        m.d.comb += [
            write.en.eq(self.push),
            write.addr.eq(Cat(tails[target], target)),
            write.data.eq(self.operation),
            self.wants.eq(waiting[ports:]),
            self.continues.eq(waiting[2 * ports:]),
            self.slot_taken.eq(chosen[ports:]),
            self.credit_taken.eq(chosen[2 * ports:]),
            may_leave.eq(waiting & Cat(self._joined(m, heads, tails, waiting, chosen),
                                       self.slot_for, self.credit_for)),
        ]

        # Choose: as long as the small queue has room for what is on its way.
        m.submodules.ready = ready = fifo.SyncFIFO(
            width=data.Layout.cast(Operation).size, depth=LEAVING)
        m.submodules.turns = turns = RoundRobin(queues)
        room, leaves, left = Signal(range(LEAVING + 1), init=LEAVING), Signal(), Signal()
        m.d.comb += [
            turns.requests.eq(may_leave),
            leaves.eq(may_leave.any() & (room != 0)),
            turns.taken.eq(leaves),
            chosen.eq(turns.grant & leaves.replicate(queues)),
            left.eq(self.retry.valid & self.retry.ready),
        ]
        m.d.sync += room.eq(room - leaves + left)

        # RAM: one cycle later.
        read_from, reserves, comes, reserved = Signal(queues), Signal(), Signal(), Signal()
        m.d.sync += [
            read_from.eq(chosen), comes.eq(read_from.any()),
            reserves.eq(chosen[ports:2 * ports].any()), reserved.eq(reserves),
        ]
        m.d.comb += read.addr.eq(Cat(one_of(read_from, heads), one_hot_index(read_from)))
        for queue in range(queues):
            pushed, one, none = (Signal(name=f"{name}_{queue}") for name in
                                 ("pushed", "one", "none"))
            count = Signal(range(depth + 1), name=f"count_{queue}")
            m.d.comb += [
                pushed.eq(self.push & (target == queue)),
                one.eq(count == 1), none.eq(count == 0),
            ]
            m.d.sync += [
                tails[queue].eq(tails[queue] + pushed),
                heads[queue].eq(heads[queue] + read_from[queue]),
                count.eq(count + pushed - chosen[queue]),
                waiting[queue].eq(pushed | ~(none | (one & chosen[queue]))),
            ]

        arrived = Signal(Operation)
        m.d.comb += [
            arrived.eq(read.data), arrived.reserved.eq(reserved),
            ready.w_en.eq(comes), ready.w_data.eq(arrived),
            # the last one stands in registers: the arbiter must not wait for a memory
            ready.r_en.eq(ready.r_rdy & (~self.retry.valid | self.retry.ready)),
        ]
        with m.If(~self.retry.valid | self.retry.ready):
            port = data.View(Operation, ready.r_data).port
            m.d.sync += [
                self.retry.valid.eq(ready.r_rdy), self.retry.payload.eq(ready.r_data),
                self.retry_port.eq(ready.r_rdy << port),
            ]
        return m

    def _joined(self, m, heads, tails, waiting, chosen):
        """Ports whose first JOINED operation may leave: known a few cycles after it became the
        first."""
        ports = self._config.ports
        may = Signal(ports)
        for port in range(ports):
            slots = memory.Memory(shape=SLOT_BITS, depth=self._config.port_depth, init=[])
            m.submodules[f"slots_{port}"] = slots
            write, read = slots.write_port(), slots.read_port(domain="comb")
            slot, ready, known = Signal(SLOT_BITS), Signal(), Signal(4)
            m.d.comb += [
                write.en.eq(self.push & (self.reason == Reason.JOINED)
                            & (self.operation.port == port)),
                write.addr.eq(tails[port]), write.data.eq(self.operation.slot),
                read.addr.eq(heads[port]),
            ]
            m.d.sync += [slot.eq(read.data), ready.eq((self.settled >> slot)[0])]
            with m.If(chosen[port] | ~waiting[port]):
                m.d.sync += known.eq(0)
            with m.Else():
                m.d.sync += known.eq(Cat(1, known))
            m.d.comb += may[port].eq((ready | self.overdue[port]) & known.all())
        return may
