"""The miss unit: everything that cannot be answered at once waits here, and leaves here.

An operation that the TLB could not answer joins a walk slot, or, when none is free, waits for one
in its port's queue. An operation whose first run is answered and that has pages left waits in its
port's other queue for a credit. All of them share one memory (:class:`~siommu.queues.MultiQueue`)::

    hit path ──> act ──> queues: slot 0..W-1 │ port wants slot │ port continues
                            │ (one pop a cycle)
                            ├── slot's walk has ended ──> resolver ──> miss beat
                            └── retry ──> arbiter (looks up again)

No queue holds what another port needs: an operation that waits for a slot or in a slot has its
credit for a beat already, and one that waits for a credit holds no slot. So a port that does not
take its beats stops nobody else (§2.1 rule e).

A new miss takes a slot only while nobody waits for one; otherwise it lines up behind its own
port's misses, and slots that become free are promised to the ports in turn.
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .bundles import (PORT_BITS, SLOT_BITS, ContextInfo, DeviceInfo, Operation, Outcome, WalkKey,
                      WalkStart)
from .choose import RoundRobin, lowest, one_hot_index
from .config import Config
from .formats import PFN_BITS, Cause, Response
from .queues import MultiQueue
from .resolve import Resolver
from .tlb import TlbFill
from .walk_slots import WalkSlots

__all__ = ["MissRequest", "FillRequest", "MissUnit", "walk_key"]


class MissRequest(data.Struct):
    """What the hit path leaves over: an operation to be walked for (``miss``) or to be continued
    (``rest``), or neither, which only gives back the slot promised to it."""

    miss: 1
    rest: 1
    operation: Operation


class FillRequest(data.Struct):
    """A granted walk to be written to the TLB."""

    slot: SLOT_BITS
    key: WalkKey
    rights: TlbFill


def walk_key(operation):
    """Assignments-by-field of the :class:`WalkKey` of an operation's first page."""
    return {"ft": operation.ft, "write": operation.write, "device": operation.device,
            "pasid": operation.pasid, "page": operation.addr[12:]}


class MissUnit(wiring.Component):
    """Holds what waits and answers what was walked for.

    Parameters
    ----------
    config : Config

    Members
    -------
    request : In, always ready
        From the hit path's last stage. The context caches' results for it (``device_hit``,
        ``device``, ``context_hit``, ``context``) come one cycle later, when it is acted on.
    flush : In(1)
        The caches are emptied in this cycle.
    beat : Out, always ready; beat_port : Out(PORT_BITS)
        Responses to walked operations.
    retry : Out(stream.Signature(Operation))
        Operations to be looked up again. Each has its credit.
    credits : In(ports)
        Ports that have a credit for a continued operation.
    continues : Out(ports)
        Ports whose next credit is wanted by a continued operation, which may take it any time.
    credit_taken : Out(ports)
    fill : Out(stream.Signature(FillRequest))
    filled : In(walks)
        One-hot: no look-up that missed before the fill is still on its way here.
    fill_slot : In(SLOT_BITS), fill_page : Out(PFN_BITS)
        Physical page of a slot's outcome. Combinational.
    stale : Out(walks), walking : Out(1)
    start, finished, finished_slot, outcome
        To and from the walker.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "request": In(stream.Signature(MissRequest, always_ready=True)),
            "device_hit": In(1),
            "device": In(DeviceInfo),
            "context_hit": In(1),
            "context": In(ContextInfo),
            "flush": In(1),
            "beat": Out(stream.Signature(Response, always_ready=True)),
            "beat_port": Out(PORT_BITS),
            "retry": Out(stream.Signature(Operation)),
            "credits": In(config.ports),
            "continues": Out(config.ports),
            "credit_taken": Out(config.ports),
            "fill": Out(stream.Signature(FillRequest)),
            "filled": In(config.walks),
            "fill_slot": In(SLOT_BITS),
            "fill_page": Out(PFN_BITS),
            "stale": Out(config.walks),
            "walking": Out(1),
            "start": Out(stream.Signature(WalkStart)),
            "finished": In(1),
            "finished_slot": In(SLOT_BITS),
            "outcome": In(Outcome),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        walks, ports = config.walks, config.ports
        depth = ports * config.port_depth
        m.submodules.queues = self._queues = queues = MultiQueue(
            Operation, queues=walks + 2 * ports, depth=depth)
        m.submodules.slots = self._slots = slots = WalkSlots(config, bits_for(depth - 1))
        places = max(walks, 2)  # an address has at least one bit
        m.submodules.outcomes = outcomes = memory.Memory(shape=Outcome, depth=places, init=[])

        m.d.comb += [
            slots.flush.eq(self.flush),
            slots.waiting.eq(queues.waiting[:walks]),
            slots.finished.eq(self.finished),
            slots.finished_slot.eq(self.finished_slot),
            slots.granted.eq(self.outcome.cause == Cause.OK),
            slots.filled.eq(self.filled),
            self.stale.eq(slots.stale),
            self.walking.eq(~slots.free.all()),
        ]
        for index in range(walks):
            m.d.comb += slots.first[index].eq(queues.first[index])
            m.d.comb += slots.last[index].eq(queues.last[index])
        keep = outcomes.write_port()
        m.d.comb += [keep.en.eq(self.finished), keep.addr.eq(self.finished_slot),
                     keep.data.eq(self.outcome)]

        self._wants_slot = Signal(ports)    # ports with an operation that waits for a slot
        self._promised = Signal()           # a slot is promised in this cycle
        self._available = Signal(range(walks + 1), init=walks)  # free and not promised
        m.d.comb += self._wants_slot.eq(queues.waiting[walks:])
        m.d.comb += self.continues.eq(queues.waiting[walks + ports:])

        act_pushes = self._act(m)
        self._leave(m, act_pushes, outcomes)
        self._fill(m, outcomes)
        return m

    def _act(self, m):
        """Second half of a miss: join a slot, take one, or wait. Returns "pushes in this cycle"."""
        config, queues, slots = self._config, self._queues, self._slots
        walks, ports = config.walks, config.ports
        request = self.request.payload
        acting, act = Signal(), Signal(MissRequest)
        m.d.sync += [acting.eq(self.request.valid), act.eq(request)]
        for name, value in walk_key(request.operation).items():
            m.d.comb += slots.lookup[name].eq(value)
        for name, value in walk_key(act.operation).items():
            m.d.comb += slots.key[name].eq(value)

        # A slot that the operation just before took or joined was not in the comparison.
        same, before = Signal(), Signal(walks)
        joinable, joined = Signal(walks), Signal(walks)
        m.d.sync += same.eq(slots.lookup.as_value() == slots.key.as_value())
        m.d.sync += before.eq(slots.join)
        m.d.comb += joinable.eq((slots.match | (before & same.replicate(walks))) & slots.open)
        m.d.comb += joined.eq(lowest(joinable))

        miss, rest, allocates = Signal(), Signal(), Signal()
        promised = act.operation.reserved
        unclaimed = Signal()  # nobody waits for a slot, and one is free
        m.d.comb += [
            miss.eq(acting & act.miss),
            rest.eq(acting & act.rest),
            unclaimed.eq((self._available != 0) & ~self._wants_slot.any()),
            allocates.eq(miss & ~joined.any() & (promised | unclaimed)),
        ]
        with m.If(allocates):
            m.d.comb += slots.allocate.eq(lowest(slots.free))
        with m.If(miss):
            m.d.comb += slots.join.eq(joined | slots.allocate)

        port = act.operation.port
        waiting = Signal(Operation)
        m.d.comb += [waiting.eq(act.operation), waiting.reserved.eq(0)]
        m.d.comb += queues.push_data.eq(waiting)
        with m.If(rest):
            m.d.comb += queues.push_queue.eq(walks + ports + port)
        with m.Elif(slots.join.any()):
            m.d.comb += queues.push_queue.eq(one_hot_index(slots.join))
        with m.Else():
            m.d.comb += queues.push_queue.eq(walks + port)

        # Free slots that are promised to nobody.
        returned = Signal(range(walks + 1))
        previously_free = Signal(walks, init=-1)
        m.d.sync += previously_free.eq(slots.free)
        m.d.comb += returned.eq(sum((slots.free & ~previously_free)[i] for i in range(walks)))
        m.d.sync += self._available.eq(
            self._available + returned - (allocates & ~promised) - self._promised
            + (acting & promised & ~allocates))

        # The walk of a slot that was taken, or of one that must begin again.
        m.submodules.starts = starts = fifo.SyncFIFO(
            width=data.Layout.cast(WalkStart).size, depth=max(walks, 2))
        start, again, flushed = Signal(WalkStart), Signal(walks), Signal()
        m.d.sync += flushed.eq(self.flush)
        m.d.comb += [
            again.eq(lowest(slots.again)),
            starts.w_data.eq(start),
            starts.w_en.eq(allocates | again.any()),
        ]
        with m.If(allocates):
            trusted = ~self.flush & ~flushed
            m.d.comb += [
                start.slot.eq(one_hot_index(slots.allocate)),
                start.key.eq(slots.key),
                start.device_hit.eq(self.device_hit & trusted),
                start.device.eq(self.device),
                start.context_hit.eq(self.context_hit & trusted),
                start.context.eq(self.context),
            ]
        with m.Else():
            m.d.comb += [
                slots.renew.eq(again),
                start.slot.eq(one_hot_index(again)),
                start.key.eq(slots.keys[start.slot]),
                start.fresh.eq(1),
            ]
        m.d.comb += [
            self.start.valid.eq(starts.r_rdy),
            self.start.payload.eq(starts.r_data),
            starts.r_en.eq(self.start.ready),
            slots.started.eq(self.start.valid & self.start.ready),
            slots.started_slot.eq(self.start.payload.slot),
        ]

        pushes = Signal()
        m.d.comb += pushes.eq(miss | rest)
        return pushes

    def _leave(self, m, act_pushes, outcomes):
        """Out of the queues: to the resolver when walked for, to the arbiter otherwise."""
        config, queues, slots = self._config, self._queues, self._slots
        walks, ports = config.walks, config.ports

        held, held_drains, left = Signal(), Signal(), Signal()
        drain, retry = Signal(walks), Signal(2 * ports)
        m.submodules.turns = turns = RoundRobin(2 * ports)
        m.d.comb += [
            turns.requests.eq(Cat(
                self._wants_slot & (self._available != 0).replicate(ports),
                self.continues & self.credits)),
            drain.eq(lowest(slots.drain)),
        ]
        answer = outcomes.read_port()
        with m.If(~held | left):
            m.d.comb += queues.pop.eq(drain.any() | turns.requests.any())
            with m.If(drain.any()):
                m.d.comb += [
                    queues.pop_queue.eq(one_hot_index(drain)),
                    slots.popped.eq(drain),
                ]
            with m.Else():
                m.d.comb += [
                    queues.pop_queue.eq(walks + turns.index),
                    retry.eq(turns.grant),
                    turns.taken.eq(1),
                ]
            m.d.sync += [held.eq(queues.pop), held_drains.eq(drain.any())]
        m.d.comb += [
            answer.en.eq(queues.pop),
            answer.addr.eq(one_hot_index(drain)),
            self._promised.eq(retry[:ports].any()),
            self.credit_taken.eq(retry[ports:]),
        ]
        reserved = Signal()
        with m.If(queues.pop):
            m.d.sync += reserved.eq(self._promised)

        m.submodules.resolver = resolver = Resolver()
        m.d.comb += [
            resolver.operation.eq(queues.popped),
            resolver.outcome.eq(answer.data),
            self.beat.payload.eq(resolver.beat),
            self.beat_port.eq(queues.popped.port),
            self.retry.payload.eq(queues.popped),
            self.retry.payload.reserved.eq(reserved),
            self.retry.valid.eq(held & ~held_drains),
        ]
        # The push port belongs to the hit path first; pages that are left wait for a cycle in
        # which it is not used.
        with m.If(held & held_drains):
            m.d.comb += left.eq(~resolver.more | ~act_pushes)
            m.d.comb += self.beat.valid.eq(left)
        with m.Else():
            m.d.comb += left.eq(self.retry.ready)
        with m.If(act_pushes):
            m.d.comb += queues.push.eq(1)
        with m.Elif(self.beat.valid & resolver.more):
            m.d.comb += [
                queues.push.eq(1),
                queues.push_queue.eq(walks + ports + queues.popped.port),
                queues.push_data.eq(resolver.rest),
            ]

    def _fill(self, m, outcomes):
        """Offers the grants to the TLB, one after the other."""
        slots, walks = self._slots, self._config.walks
        offered, slot, taken = Signal(), Signal(SLOT_BITS), Signal(walks)
        under_way = Signal(walks)
        next_fill = Signal(walks)
        rights, page = outcomes.read_port(domain="comb"), outcomes.read_port(domain="comb")
        m.d.comb += next_fill.eq(lowest(slots.fill & ~under_way))
        m.d.sync += under_way.eq((under_way | taken) & slots.fill)
        with m.If(~offered | self.fill.ready):
            m.d.comb += taken.eq(next_fill)
            m.d.sync += [offered.eq(next_fill.any()), slot.eq(one_hot_index(next_fill))]
        m.d.comb += [
            rights.addr.eq(slot),
            self.fill.valid.eq(offered),
            self.fill.payload.slot.eq(slot),
            self.fill.payload.key.eq(slots.keys[slot]),
            self.fill.payload.rights.size.eq(rights.data.size),
            self.fill.payload.rights.read.eq(rights.data.read),
            self.fill.payload.rights.write.eq(rights.data.write),
            self.fill.payload.rights.dirty.eq(rights.data.dirty),
            page.addr.eq(self.fill_slot),
            self.fill_page.eq(page.data.pfn),
        ]
