"""The miss unit: decides about everything that the first level did not answer at once.

It continues the pipeline. Its first stage acts on what the look-ups found; those that can be
answered, and owners of walks whose outcome has come, go on to the second exit; those that wait are
parked::

    5 act ──> 6 join ──> 7 ──> 8 resolve ──> 9, 10 park ──> Parking ──> retry (back to stage 1)
       │       (L2 row)  ▲        │              ▲
       │                 │        └─> beat       └── what is left of a request
       │                 └── owners whose walk has ended, in cycles that are free
       └──> walk slots, walker

A new miss takes a slot only while nobody waits for one; otherwise it lines up behind its own
port's misses, and slots that become free are promised to the ports in turn. No port holds more
than ``slots_of_a_port`` of them, so that each other port can always have one.
"""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from ..arch.config import Config
from ..arch.formats import PAGES_BITS, Cause, Response, Size
from ..lib.choose import lowest, one_hot_index
from ..lib.payload import Payload, payload_of
from ..lib.queues import FrontQueue, RingQueue
from ..lib.structs import assign
from ..pipeline.events import FaultInfo, Invalidation, Prefetch
from ..pipeline.grants import Outcome
from ..pipeline.keys import WalkKey, same_line, same_place, walk_key
from ..pipeline.operation import Operation
from ..pipeline.sizes import LINE_BITS, PORT_BITS, SLOT_BITS, WAY_BITS
from ..pipeline.tables import ContextInfo, DeviceInfo, RegionInfo, WalkStart, reach
from ..response.resolve import Mapped, Resolver, lengths, mapped, rest_of
from .look_ahead import JOINS_NOBODY, LookAhead
from .mshr import WalkSlots
from .replay import Parking, Reason

__all__ = ["LookUp", "MissUnit"]

UNCOUNTED = 4       #: slots given away and not yet counted, when the last one is, at most
PATIENCE = 7        #: cycles in which an owner finds the second exit taken before it asks for one


class LookUp(data.Struct):
    """What the stages before found out about an operation: ``answered`` by the first level (or
    because it needs no table), of which ``more`` pages are left behind a run of ``run`` + 1."""

    valid: 1
    answered: 1
    more: 1
    run: PAGES_BITS
    operation: Operation


def waited(operation):
    """Whether the operation has waited for a walk before."""
    return (operation.claims | operation.reserved | operation.tries.any()
            | operation.distrusts)


class Fate(enum.Enum, shape=2):
    """What becomes of an operation behind the act stage."""

    NONE = 0        #: nothing: it is answered, or it owns a walk
    PARK = 1        #: it waits, for ``Reason``
    REST = 2        #: its run is answered, the rest of it waits
    EXIT = 3        #: it is answered by the second exit


class MissUnit(wiring.Component):
    """Holds what waits and answers what was walked for.

    Parameters
    ----------
    config : Config

    Members
    -------
    ahead : In(Operation)
        In stage 3.
    look_up : In(LookUp)
        In stage 4. Its results from the other caches come one cycle later, when it is acted on:
        ``device``, ``context``, ``region`` (each with its ``_hit``), ``region_way``, and of the
        second-level TLB ``second_hit``, ``second_way``; ``second`` and ``second_damaged`` two
        cycles after that.
    flush : In(1)
        Walks in flight become stale, and what the caches answer in this cycle is not trusted.
    distrust : In(1), distrusted : In(Invalidation)
        An invalidation is under way: what the caches know of the upper levels of its address
        spaces is not trusted.
    beat : Out, always ready; beat_port : Out(PORT_BITS)
        Responses by the second exit.
    pause : Out(1)
        An owner found no free cycle at the second exit for a while: let one operation less in.
    retry : Out(stream.Signature(Operation)), retry_port, retry_port_next : Out(ports)
        Operations to be looked up again. Each has its credit. One-hot: the port; that of the next
        cycle.
    silent : Out(stream.Signature(Operation))
        Look-aheads and prefetches.
    prefetch : In(stream.Signature(Prefetch)), prefetched : Out(1)
        What software wants to have cached; it is done.
    credits : In(ports), rests : Out(ports), credit_taken : Out(ports)
        Ports that have a credit for a continued operation; that may have such an operation in the
        next cycle, or the ones after; one-hot: it takes it.
    promotes : Out(1), promoted : Out(1), promoted_operation, promoted_outcome
        An operation was looked up in the second level of the TLB; it was answered by it.
    slot, key, way, kept : for ``TableLines``: of ``slot``, its key, its second-level way, its
        outcome. Combinational.
    measured, measured_slot, extent : In
        From ``TableLines``.
    filled : In(1), filled_slot
        No look-up that missed before the first level's fill is still on its way here.
    stale : Out(slots), granted : Out(slots), walking : Out(1)
        Slots whose walk began before a flush; whose walk has ended with a grant; any is in use.
    outdated : Out(1)
        Walks that began before the last ``flush`` are in flight, or those that answer them wait.
    fault : Out(stream.Signature(FaultInfo))
        A fault was answered by the second exit, in the cycle before.
    missed, second_hits, waiting : Out
        A request's run missed, was found in the second level; how many requests wait for a walk.
        Those of software do not count.
    start, stepping, stepping_slot, anew, anew_slot, finished, finished_slot, outcome, reading
        To and from the walker.
    """

    def __init__(self, config: Config):
        self._config = config
        ports, slots = config.requesters, config.walk_slots
        super().__init__({
            "ahead": In(Operation),
            "look_up": In(LookUp),
            "device_hit": In(1),
            "device": In(DeviceInfo),
            "context_hit": In(1),
            "context": In(ContextInfo),
            "region_hit": In(1),
            "region": In(RegionInfo),
            "region_way": In(WAY_BITS),
            "second_hit": In(1),
            "second_way": In(WAY_BITS),
            "second": In(Outcome),
            "second_damaged": In(1),
            "flush": In(1),
            "distrust": In(1),
            "distrusted": In(Invalidation),
            "port_enable": In(ports),
            "beat": Out(stream.Signature(Response, always_ready=True)),
            "beat_port": Out(PORT_BITS),
            "pause": Out(1),
            "retry": Out(stream.Signature(Operation)),
            "retry_port": Out(ports),
            "retry_port_next": Out(ports),
            "silent": Out(stream.Signature(Operation)),
            "prefetch": In(stream.Signature(Prefetch)),
            "prefetched": Out(1),
            "credits": In(ports),
            "rests": Out(ports),
            "credit_taken": Out(ports),
            "promotes": Out(1),
            "promoted": Out(1),
            "promoted_operation": Out(Operation),
            "promoted_outcome": Out(Outcome),
            "slot": In(SLOT_BITS),
            "key": Out(WalkKey),
            "way": Out(WAY_BITS),
            "kept": Out(Outcome),
            "measured": In(1),
            "measured_slot": In(SLOT_BITS),
            "extent": In(LINE_BITS),
            "filled": In(1),
            "filled_slot": In(SLOT_BITS),
            "outdated": Out(1),
            "fault": Out(stream.Signature(FaultInfo, always_ready=True)),
            "missed": Out(1),
            "second_hits": Out(1),
            "waiting": Out(range(config.ports * config.port_depth + 1)),
            "stale": Out(slots),
            "granted": Out(slots),
            "walking": Out(1),
            "start": Out(stream.Signature(WalkStart)),
            "stepping": In(1),
            "stepping_slot": In(SLOT_BITS),
            "anew": In(1),
            "anew_slot": In(SLOT_BITS),
            "finished": In(1),
            "finished_slot": In(SLOT_BITS),
            "outcome": In(Outcome),
            "reading": In(slots),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        slots = config.walk_slots
        m.submodules.slots = self._slots = WalkSlots(config)
        m.submodules.parking = self._parking = Parking(config)
        m.submodules.look_ahead = self._ahead = LookAhead(config)

        # By slot: its owner, its outcome, how many pages follow. The last place among the owners
        # is for operations that pass while no slot is free.
        m.submodules.owners = owners = memory.Memory(shape=Operation, depth=slots + 1, init=[])
        m.submodules.outcomes = outcomes = memory.Memory(shape=Outcome, depth=slots, init=[])
        m.submodules.extents = extents = memory.Memory(
            shape=LINE_BITS, depth=slots, init=[])
        keep, measure = outcomes.write_port(), extents.write_port()
        m.d.comb += [
            keep.en.eq(self.finished), keep.addr.eq(self.finished_slot),
            keep.data.eq(self.outcome),
            measure.en.eq(self.measured), measure.addr.eq(self.measured_slot),
            measure.data.eq(self.extent),
        ]

        slots, settles = self._slots, outcomes.read_port(domain="comb")
        settling = owners.read_port(domain="comb")
        self._granted, self._by_line = Signal(), Signal()
        m.d.comb += [
            self._granted.eq(self.outcome.cause == Cause.OK),
            self._by_line.eq(self._granted & (self.outcome.rights.size == Size.PAGE_4K)),
        ]
        m.d.comb += [
            slots.flush.eq(self.flush),
            slots.anew.eq(self.anew), slots.anew_slot.eq(self.anew_slot),
            slots.finished.eq(self.finished), slots.finished_slot.eq(self.finished_slot),
            slots.granted.eq(self._granted), slots.granted_by_line.eq(self._by_line),
            slots.filled.eq(self.filled), slots.filled_slot.eq(self.filled_slot),
            slots.reading.eq(self.reading),
            self.stale.eq(slots.stale), self.outdated.eq(slots.outdated),
            self.granted.eq(~slots.settled),
            self.walking.eq(slots.busy | self._ahead.active),
            self.way.eq(slots.ways[self.slot]),
            settles.addr.eq(self.slot), self.kept.eq(settles.data),
            settling.addr.eq(self.slot), assign(self.key, walk_key(settling.data)),
        ]
        self._act(m, owners)
        self._join(m)
        self._owners(m, owners)
        self._exit(m, outcomes, extents)
        self._park(m)
        self._retry(m)
        return m

    def _act(self, m, owners):
        """Stage 5: join a slot, take one, wait, or go to the second exit."""
        slots = self._slots
        before, found, valid = self.look_up.operation, Payload(LookUp), Signal()
        operation = found.operation
        m.d.sync += [found.eq(self.look_up), valid.eq(self.look_up.valid)]
        m.d.comb += [assign(slots.lookup, walk_key(self.ahead)),
                     assign(slots.key, walk_key(operation))]

        # Who was disappointed once joins only where the answer is certain, and in the end nobody.
        m.d.sync += [slots.strict.eq(self.ahead.tries != 0),
                     slots.hopeless.eq(self.ahead.tries == JOINS_NOBODY)]
        # Slots that were taken by the two operations before were not in the comparison.
        takes, took, taken = Signal(), Signal(), slots.taken
        key, key_before, key_ahead = slots.key, Signal(WalkKey), slots.lookup
        m.d.comb += assign(key_before, walk_key(before))
        again, again_page, last_again, last_page = (Signal() for _ in range(4))
        m.d.sync += [
            took.eq(takes),
            again.eq(same_line(key_before, key) & ~slots.hopeless
                     & ((same_place(key_before, key) & ~operation.silent) | ~slots.strict)),
            again_page.eq(same_line(key_before, key) & same_place(key_before, key)
                          & ~operation.silent),
            last_again.eq(same_line(key_ahead, key)),
            last_page.eq(same_place(key_ahead, key) & ~operation.silent),
        ]
        m.d.comb += [
            slots.newest.eq(took & last_again & ~slots.hopeless & (last_page | ~slots.strict)),
            slots.newest_page.eq(last_page),
        ]
        joinable = slots.joinable | (taken & (took & again).replicate(len(taken)))
        certain = slots.certain | (taken & (took & again_page).replicate(len(taken)))
        joins_any = slots.any_joinable | (took & again)

        # Known before its look-ups are: whether a fault waits for it in its slot, whether that
        # slot is not yet settled (it stays with it), whether its port may take a free slot.
        unanswered, claims_fault, early, undecided = (Signal() for _ in range(4))
        may_take, may_soon, ports = Signal(), Signal(), self._config.requesters
        # Ports whose new misses may take a slot: when nothing changes meanwhile, or anyway.
        self._may_take, self._may_soon = Signal(ports), Signal(ports)
        self._account(m, before, operation, takes)
        came = self.look_up.valid & ~self.look_up.answered
        faulty = before.claims & before.in_time & (slots.faulty >> before.slot)[0]
        unsettled = before.claims & ~(slots.settled >> before.slot)[0]
        m.d.sync += [
            unanswered.eq(came), claims_fault.eq(faulty), early.eq(came & unsettled),
            undecided.eq(came & ~faulty & ~unsettled),
            # who has waited for one since comes before both
            may_take.eq((self._may_take >> before.port)[0] & ~self._waits_for_slot),
            may_soon.eq(before.reserved | ((self._may_soon >> before.port)[0]
                                           & ~self._waits_for_slot)),
        ]

        # A look-ahead walks if it reads one line; the one that leads a prefetch always.
        second, miss, joins, stays, permitted, worthy = (Signal() for _ in range(6))
        m.d.comb += [
            second.eq(self.second_hit),
            stays.eq(early & ~second),
            miss.eq(undecided & ~second),
            # when slots are few, none is given away in the cycle after another one
            permitted.eq(slots.any_free & (may_soon | (may_take & self._settled))),
            joins.eq(miss & joins_any),
            worthy.eq(self.region_hit | ~operation.silent | self._ahead.leads),
            takes.eq(miss & permitted & ~joins_any & worthy),
        ]
        m.d.comb += [
            slots.allocate.eq(takes),
            slots.port.eq(operation.port),
            slots.way.eq(self.second_way),
            slots.owned.eq(~operation.silent),
            slots.asks_several.eq(operation.pages != 0),
            slots.prefetches.eq(self._ahead.prefetches & operation.silent),
        ]
        claimed = Signal(len(taken))        # one-hot: the slot that it came with a claim on
        m.d.sync += [
            claimed.eq((self.look_up.valid & before.claims) << before.slot),
            slots.leave.eq(claimed & (~stays).replicate(len(claimed))),
        ]
        # Every operation passes through a place among the owners; it stays there if it owns.
        own = owners.write_port()
        m.d.comb += [own.en.eq(1), own.addr.eq(slots.next_index), own.data.eq(operation)]
        self._start(m, takes, operation.silent)

        # Look-aheads: what became of one; whether this operation deserves some.
        ahead, looks = self._ahead, Signal()
        sent = valid & operation.silent
        stops = sent & miss & ~joins & ~worthy
        refused = sent & miss & ~joins & worthy & ~takes
        waits = refused & ahead.prefetches      # in line with all others that want a slot
        m.d.sync += looks.eq(miss & ~operation.silent & self.region_hit & (operation.pages != 0))
        m.d.comb += [
            ahead.stop.eq(stops), ahead.refused.eq(refused & ~waits),
            ahead.passed.eq(sent & ~stops & ~refused), ahead.took.eq(takes),
            ahead.abandon.eq(self.flush),
            ahead.begin.eq(looks), ahead.may_walk.eq(self._may_take),
            ahead.walking.eq(slots.prefetching),
            ahead.walked.eq(self.finished & (slots.of_prefetch >> self.finished_slot)[0]),
            ahead.by_line.eq(self._by_line),
        ]

        # What becomes of it: stage 6.
        fate = Signal(Fate)
        with m.If((operation.silent & ~waits) | ~valid):
            m.d.comb += fate.eq(Fate.NONE)
        with m.Elif(found.answered):
            with m.If(found.more):
                m.d.comb += fate.eq(Fate.REST)
        with m.Elif(second | claims_fault):
            m.d.comb += fate.eq(Fate.EXIT)
        with m.Elif(~takes):
            m.d.comb += fate.eq(Fate.PARK)
        self._acted = {
            "fate": Signal(Fate, name="acted_fate"), "joins": Signal(name="acted_joins"),
            "stays": Signal(name="acted_stays"), "waited": Signal(name="acted_waited"),
            "walked": Signal(name="acted_walked", init=1),
            "run": Payload(PAGES_BITS, name="acted_run"),
            "joinable": Signal(len(taken), name="acted_joinable"),
            "certain": Signal(len(taken), name="acted_certain"),
            "operation": Payload(Operation, name="acted_operation"),
            "place": Payload(SLOT_BITS, name="acted_place"),     # among the owners
        }
        has_waited = waited(operation)
        self._count(m, found, valid, has_waited, unanswered, second)
        acted = {"fate": fate, "joins": joins & ~operation.silent, "stays": stays,
                 "waited": has_waited | ~second, "walked": ~second, "run": found.run,
                 "joinable": joinable, "certain": certain, "operation": operation,
                 "place": slots.next_index}
        m.d.sync += assign(self._acted, acted)
        m.d.comb += ahead.operation.eq(self._acted["operation"])

    def _account(self, m, before, operation, allocates):
        """Which slots are free and promised to nobody, and how many each port has."""
        slots, parking, ports = self._slots, self._parking, self._config.requesters
        # All of it one cycle late; so no slot is given away in the cycle after another one.
        promised, takes, returns = (Signal(ports, name=name)
                                    for name in ("promised", "takes", "returns"))
        reserved = operation.reserved
        having, others = Signal(ports), Signal(ports)     # one-hot: with a promised slot, without
        came = self.look_up.valid << before.port
        m.d.sync += [
            having.eq(came & before.reserved.replicate(ports)),
            others.eq(came & (~before.reserved).replicate(ports)),
            promised.eq(parking.slot_taken),
            takes.eq(others & allocates.replicate(ports)),
            returns.eq(having & (~allocates).replicate(ports)),
        ]
        most = self._config.walk_slots
        available, some = Signal(range(most + 1), init=most), Signal(init=1)
        ample = Signal(init=most >= UNCOUNTED)
        after, back = Signal.like(available), Signal(2)
        taken, given = Signal(), Signal()       # any of them
        m.d.sync += [taken.eq(allocates & ~reserved), given.eq(parking.slot_taken.any())]
        self._settled = settled = ~taken & ~given
        # Who began to wait for one in this cycle has no promise yet.
        self._waits_for_slot, wanted = parking.wants.any(), Signal()
        m.d.sync += wanted.eq(self._waits_for_slot)
        # what comes back is counted one cycle later still
        m.d.sync += back.eq(slots.released + returns.any())
        m.d.comb += after.eq(available + back - (taken + given))
        m.d.sync += [available.eq(after), some.eq(after != 0), ample.eq(after >= UNCOUNTED)]
        for index in range(ports):
            load = Signal(range(most + 1), name=f"load_{index}")
            then = Signal.like(load, name=f"load_then_{index}")
            below = Signal(init=1, name=f"below_{index}")
            less = Signal(2, name=f"less_{index}")
            m.d.sync += less.eq(returns[index] + (slots.released & (slots.released_port == index)))
            m.d.comb += then.eq(load + (promised[index] + takes[index]) - less)
            limit = self._config.slots_of_a_port
            far_below = Signal(init=limit >= UNCOUNTED, name=f"far_below_{index}")
            m.d.sync += [load.eq(then), below.eq(then < limit),
                         far_below.eq(then + UNCOUNTED <= limit)]
            m.d.comb += [
                parking.slot_for[index].eq(some & below & settled),
                self._may_take[index].eq(some & below & settled & ~wanted),
                self._may_soon[index].eq(ample & far_below & ~wanted),
            ]

    def _start(self, m, takes, silent):
        """The walks that are to begin, with what the caches know."""
        m.submodules.starts = starts = RingQueue(WalkStart, self._config.walk_slots)
        start, flushed, trusted = starts.w.payload, Signal(), Signal()
        m.d.sync += flushed.eq(self.flush)
        # Of an invalidation's address spaces nothing is trusted while it goes on.
        ahead, by, covered = self.look_up.operation, self.distrusted, Signal()
        m.d.sync += covered.eq(
            self.distrust & (~by.by_ft | (ahead.ft == by.ft))
            & (~by.by_device | (ahead.device == by.device))
            & (~by.by_pasid | (ahead.pasid == by.pasid)))
        m.d.comb += [
            trusted.eq(~self.flush & ~flushed & ~covered),
            start.slot.eq(self._slots.next_index),
            start.speculative.eq(silent),
            start.key.eq(self._slots.key), *assign(start.reach, reach(start.key)),
            start.device_hit.eq(self.device_hit & trusted), start.device.eq(self.device),
            start.context_hit.eq(self.context_hit & trusted), start.context.eq(self.context),
            start.region_hit.eq(self.region_hit & trusted), start.region.eq(self.region),
            start.region_way.eq(self.region_way),
            starts.w.valid.eq(takes),
        ]
        connect(m, starts.r, wiring.flipped(self.start))

    def _join(self, m):
        """Stages 6 and 7: which of the slots it joins."""
        acted = self._acted
        # Stage 7.
        self._fate, self._reason, self._run = Signal(Fate), Signal(Reason), Payload(PAGES_BITS)
        self._operation, self._waited = Payload(Operation), Signal()
        self._walked = Signal(init=1)
        m.d.sync += [
            self._fate.eq(acted["fate"]), self._run.eq(acted["run"]),
            self._walked.eq(acted["walked"]), self._waited.eq(acted["waited"]),
            self._reason.eq(Mux(acted["joins"] | acted["stays"], Reason.JOINED, Reason.WANTS)),
        ]
        slots, first = self._slots, Signal(self._config.walk_slots)
        self._joins, self._slot_joined, self._in_time = Signal(), Signal(SLOT_BITS), Signal()
        certain = Signal(len(first))
        m.d.sync += [self._joins.eq(acted["joins"]), first.eq(lowest(acted["joinable"])),
                     certain.eq(acted["certain"])]
        m.d.comb += [
            slots.join.eq(first & self._joins.replicate(len(first))),
            slots.join_port.eq(self._operation.port),
            self._slot_joined.eq(one_hot_index(first)),
            self._in_time.eq((first & certain).any()),
        ]

    def _owners(self, m, owners):
        """Owners whose walk has ended come to stage 7 in cycles in which nothing else does."""
        slots, config, acted = self._slots, self._config, self._acted

        # Usually in the cycle before it is known that the walk has ended.
        tries, owes, several = Signal(), Signal(), Signal()
        self._tried = tried = Signal()          # in stage 7: if the walk has ended now
        m.d.sync += [
            tried.eq(tries),
            owes.eq((slots.owed >> self.stepping_slot)[0]),
            several.eq((slots.several >> self.stepping_slot)[0]),
        ]
        m.d.comb += slots.served.eq(tried & self.finished & owes & ~(self._by_line & several))
        self._ends = slots.served
        # The others stand in line. Those of several pages wait until their line is measured.
        prompt, delayed = (FrontQueue(SLOT_BITS, config.walk_slots) for _ in range(2))
        m.submodules.prompt, m.submodules.delayed = prompt, delayed
        ends, ended, by_line = Signal(), Signal(SLOT_BITS), Signal()
        m.d.sync += [ends.eq(self.finished & ~tried), ended.eq(self.finished_slot),
                     by_line.eq(self._by_line)]
        measured, measures = Signal(SLOT_BITS), Signal()
        m.d.sync += [measures.eq(self.measured), measured.eq(self.measured_slot)]
        # Whether such a slot has an owner is found out before it joins the line.
        for line, comes, its_slot, owners_ in (
                (prompt, ends, ended, slots.owed & ~(slots.several & by_line.replicate(
                    config.walk_slots))),
                (delayed, measures, measured, slots.owed & slots.several & slots.by_line)):
            m.d.sync += line.w.valid.eq(comes & (owners_ >> its_slot)[0])
            m.d.sync += line.w.payload.eq(its_slot)
        slot, waits, free = Signal(SLOT_BITS), Signal(), Signal()
        owner = owners.read_port(domain="comb")
        m.d.comb += [
            waits.eq(prompt.r.valid | delayed.r.valid),
            free.eq(acted["fate"] == Fate.NONE),
            tries.eq(free & ~waits & self.stepping),
            slot.eq(Mux(prompt.r.valid, prompt.r.payload,
                        Mux(delayed.r.valid, delayed.r.payload, self.stepping_slot))),
            prompt.r.ready.eq(free),
            delayed.r.ready.eq(free & ~prompt.r.valid),
            owner.addr.eq(Mux(free, slot, acted["place"])),
        ]
        m.d.sync += [slots.answered.eq(free & waits), slots.answered_slot.eq(slot)]
        self._slot = Signal(SLOT_BITS)          # whose outcome is read, for stage 7
        m.d.comb += self._slot.eq(Mux(free, slot, acted["operation"].slot))
        with m.If(free):
            m.d.sync += [self._fate.eq(Mux(waits, Fate.EXIT, Fate.NONE)),
                         self._walked.eq(1), self._waited.eq(1)]
        operation = self._operation         # the owner, or whoever comes from stage 6
        m.d.sync += [
            operation.eq(owner.data), operation.reserved.eq(0),
            operation.claims.eq(acted["joins"] | acted["stays"]),
        ]
        refused = Signal(range(PATIENCE + 1))   # cycles in a row
        m.d.sync += self.pause.eq(waits & ~free & (refused == PATIENCE - 2))
        with m.If(~waits | free):
            m.d.sync += refused.eq(0)
        with m.Elif(refused != PATIENCE):       # it asks once
            m.d.sync += refused.eq(refused + 1)

    def _exit(self, m, outcomes, extents):
        """Stages 7 and 8: the outcome, the beat."""
        answer, follows = outcomes.read_port(), extents.read_port()
        m.d.comb += [answer.addr.eq(self._slot), follows.addr.eq(self._slot)]
        # Stage 8.
        self._left = left = {
            "fate": Signal(Fate, name="left_fate"), "reason": Signal(Reason, name="left_reason"),
            "run": Payload(PAGES_BITS, name="left_run"),
            "operation": Payload(Operation, name="left_operation"),
        }
        outcome, translates = Payload(Outcome), Payload(Mapped)
        damaged, has_waited = Signal(), Signal()
        walked = Signal(init=1)         # always, where there is no second level
        m.d.sync += [
            left["fate"].eq(Mux(self._ends, Fate.EXIT, self._fate)),
            left["reason"].eq(self._reason), left["run"].eq(self._run),
            left["operation"].eq(self._operation),
            left["operation"].tries.eq(self._operation.tries + self._joins),
            walked.eq(self._walked), has_waited.eq(self._waited),
            damaged.eq(self.second_damaged & ~self._walked),
        ]
        with m.If(self._joins):
            m.d.sync += [left["operation"].slot.eq(self._slot_joined),
                         left["operation"].in_time.eq(self._in_time)]
        with m.If(self._tried):
            m.d.sync += [outcome.eq(self.outcome), *assign(translates, mapped(self.outcome))]
        with m.Elif(self._walked):
            m.d.sync += [outcome.eq(answer.data), outcome.extent.eq(follows.data),
                         *assign(translates, mapped(answer.data))]
        with m.Else():
            m.d.sync += [outcome.eq(self.second), *assign(translates, mapped(self.second))]

        exits = left["fate"] == Fate.EXIT
        m.submodules.resolver = resolver = Resolver()
        m.d.sync += assign(resolver.lengths, lengths(self._operation))
        m.d.comb += [
            resolver.operation.eq(left["operation"]),
            resolver.outcome.eq(outcome), resolver.mapped.eq(translates),
            resolver.short.eq(left["operation"].pages[:LINE_BITS] <= outcome.extent),
            self.beat.valid.eq(exits & ~damaged),
            self.beat.payload.eq(resolver.beat),
            self.beat_port.eq(left["operation"].port),
            self.promotes.eq(exits & ~walked), self.promoted.eq(self.promotes & ~damaged),
            self.promoted_operation.eq(left["operation"]),
            self.promoted_outcome.eq(outcome),
        ]
        counts = exits & self._of_port(left["operation"])
        m.d.comb += [
            self._leaves.eq(counts & ~damaged & has_waited),
            self._comes_back.eq(counts & damaged & ~has_waited),
        ]
        self._record(m, exits & ~damaged, left["operation"], outcome)
        self._more, self._damaged = resolver.more, damaged
        self._pages = resolver.beat.pages

    def _of_port(self, operation):
        """Whether it came from a port: what software asks for leaves no record, and counts not."""
        return operation.port != self._config.ports

    def _record(self, m, exits, operation, outcome):
        """The fault of stage 8, one cycle later."""
        fault = payload_of(m, self.fault.payload)
        m.d.sync += [
            self.fault.valid.eq(exits & (outcome.cause != Cause.OK) & self._of_port(operation)),
            fault.cause.eq(outcome.cause.as_value()),
            fault.disposition.eq(outcome.disposition.as_value()),
            fault.level.eq(outcome.level), fault.entry.eq(outcome.entry),
            # of a disabled port nobody hears the answer
            fault.quiet.eq(outcome.quiet | ~(self.port_enable >> operation.port)[0]),
        ]
        m.d.sync += [fault[name].eq(operation[name]) for name in (
            "write", "ft", "device", "pasid", "tag", "port", "addr")]

    def _count(self, m, found, valid, has_waited, unanswered, second):
        """What the counters (§7) hear of the act stage, and how many requests wait."""
        counts = self._of_port(found.operation) & ~found.operation.silent
        self._leaves, self._comes_back = Signal(), Signal()      # by the second exit
        answered, change = Signal(), Signal(signed(3))
        m.d.sync += [
            self.missed.eq(counts & unanswered & ~second & ~has_waited),
            self.second_hits.eq(counts & unanswered & second & ~has_waited),
            answered.eq(counts & valid & found.answered & has_waited),
            change.eq(self.missed + self._comes_back - answered - self._leaves),
            self.waiting.eq(self.waiting + change),
        ]

    def _park(self, m):
        """Stages 9 and 10: what has to wait."""
        parking, left = self._parking, self._left
        operation, reason = Payload(Operation), Signal(Reason)
        rests, parks, again = Signal(), Signal(), Signal()
        answers, more = Signal(), Signal()      # by the second exit, and pages are left behind it
        run, pages = Payload(PAGES_BITS), Payload(PAGES_BITS)
        resting, exits = left["fate"] == Fate.REST, left["fate"] == Fate.EXIT
        m.d.sync += [
            operation.eq(left["operation"]), reason.eq(left["reason"]),
            rests.eq(resting), parks.eq(left["fate"] == Fate.PARK),
            again.eq(exits & self._damaged), answers.eq(exits & ~self._damaged),
            run.eq(left["run"] & resting.replicate(PAGES_BITS)),
            more.eq(self._more), pages.eq(self._pages),
        ]
        rest, continues = Signal(Operation), Signal()
        parked = payload_of(m, parking.operation)
        m.d.comb += continues.eq(rests | (answers & more))
        self._continues, self._rest_port = continues, operation.port
        rest_of(m, rest, operation, run | (pages & (answers & more).replicate(PAGES_BITS)),
                continues)
        m.d.sync += [
            parking.push.eq(continues | again | parks),
            parking.reason.eq(Mux(continues, Reason.CONTINUES, Mux(again, Reason.WANTS, reason))),
            parked.eq(rest),
        ]
        with m.If(again):
            m.d.sync += parked.distrusts.eq(1)

    def _retry(self, m):
        slots, parking, ahead = self._slots, self._parking, self._ahead
        m.d.comb += [
            parking.settled.eq(slots.settled), parking.overdue.eq(slots.overdue),
            parking.credit_for.eq(self.credits),
            self.credit_taken.eq(parking.credit_taken),
            self.retry_port.eq(parking.retry_port),
            self.retry_port_next.eq(parking.retry_port_next),
        ]
        # Also of who comes to wait in the next cycle: so it is known early.
        m.d.sync += self.rests.eq(parking.rests | Mux(self._continues, 1 << self._rest_port, 0))
        connect(m, parking.retry, wiring.flipped(self.retry))
        connect(m, ahead.silent, wiring.flipped(self.silent))
        connect(m, wiring.flipped(self.prefetch), ahead.prefetch)
        m.d.comb += self.prefetched.eq(ahead.prefetched)
