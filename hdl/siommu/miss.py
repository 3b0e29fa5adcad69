"""The miss unit: decides about everything that the first level did not answer at once.

It continues the pipeline. Its first stage acts on what the look-ups found; those that can be
answered, and owners of walks whose outcome has come, go on to the second exit; those that wait are
parked::

    4 act ──> 5 ──────────> 6 resolve ──> 7 park ──> Parking ──> retry (back to stage 0)
       │      ▲ (L2 row,       │              ▲
       │      │  outcome)      └─> beat       └── what is left of a request
       │      └── owners whose walk has ended, in cycles that are free
       └──> walk slots, walker

A new miss takes a slot only while nobody waits for one; otherwise it lines up behind its own
port's misses, and slots that become free are promised to the ports in turn. No port holds more
than ``slots_of_a_port`` of them, so that each other port can always have one.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, enum, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .bundles import (LINE_BITS, PORT_BITS, SLOT_BITS, WAY_BITS, ContextInfo, DeviceInfo,
                      Operation, Outcome, RegionInfo, WalkKey, WalkStart, assign, same_line,
                      walk_key)
from .choose import lowest, one_hot_index
from .config import Config
from .formats import PAGES_BITS, Cause, Response, Size
from .look_ahead import LookAhead
from .parking import Parking, Reason
from .resolve import Resolver, rest_of
from .walk_slots import WalkSlots

__all__ = ["LookUp", "MissUnit"]

PATIENCE = 7        #: cycles in which an owner finds the second exit taken before it asks for one


class LookUp(data.Struct):
    """What the stages before found out about an operation: ``answered`` by the first level (or
    because it needs no table), of which ``more`` pages are left behind a run of ``run`` + 1."""

    valid: 1
    answered: 1
    more: 1
    run: PAGES_BITS
    operation: Operation


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
    look_up : In(LookUp)
        In stage 3. Its results from the other caches come one cycle later, when it is acted on:
        ``device``, ``context``, ``region`` (each with its ``_hit``), ``region_way``, and of the
        second-level TLB ``second_hit``, ``second_way``; ``second`` and ``second_damaged`` two
        cycles after that.
    flush : In(1)
        The caches are emptied in this cycle.
    beat : Out, always ready; beat_port : Out(PORT_BITS)
        Responses by the second exit.
    pause : Out(1)
        An owner found no free cycle at the second exit for a while: let one operation less in.
    retry : Out(stream.Signature(Operation)), retry_port : Out(ports)
        Operations to be looked up again. Each has its credit. One-hot: the port.
    silent : Out(stream.Signature(Operation))
        Look-aheads.
    credits : In(ports), continues : Out(ports), credit_taken : Out(ports)
        Ports that have a credit for a continued operation; that have such an operation, which may
        take it any time; one-hot: it takes it.
    promoted : Out(1), promoted_operation, promoted_outcome
        An operation was answered by the second level of the TLB.
    slot, key, way, kept : for ``TableLines``: of ``slot``, its key, its second-level way, its
        outcome. Combinational.
    measured, measured_slot, extent : In
        From ``TableLines``.
    filled : In(1), filled_slot
        No look-up that missed before the first level's fill is still on its way here.
    stale : Out(slots), granted : Out(slots), walking : Out(1)
        Slots whose walk began before a flush; whose walk has ended with a grant; any is in use.
    start, anew, anew_slot, finished, finished_slot, outcome, reading
        To and from the walker.
    """

    def __init__(self, config: Config):
        self._config = config
        ports, slots = config.ports, config.walk_slots
        super().__init__({
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
            "beat": Out(stream.Signature(Response, always_ready=True)),
            "beat_port": Out(PORT_BITS),
            "pause": Out(1),
            "retry": Out(stream.Signature(Operation)),
            "retry_port": Out(ports),
            "silent": Out(stream.Signature(Operation)),
            "credits": In(ports),
            "continues": Out(ports),
            "credit_taken": Out(ports),
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
            "stale": Out(slots),
            "granted": Out(slots),
            "walking": Out(1),
            "start": Out(stream.Signature(WalkStart)),
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

        # By slot: its owner, its outcome, how many pages follow.
        m.submodules.owners = owners = memory.Memory(shape=Operation, depth=slots, init=[])
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
            self.stale.eq(slots.stale), self.granted.eq(~slots.settled),
            self.walking.eq(slots.busy | self._ahead.active),
            self.key.eq(slots.keys[self.slot]), self.way.eq(slots.ways[self.slot]),
            settles.addr.eq(self.slot), self.kept.eq(settles.data),
        ]
        self._act(m, owners)
        self._exit(m, owners, outcomes, extents)
        self._retry(m)
        return m

    def _act(self, m, owners):
        """Stage 4: join a slot, take one, wait, or go to the second exit."""
        slots = self._slots
        found = Signal(LookUp)
        # Of stage 5:
        self._fate, self._reason = Signal(Fate), Signal(Reason)
        self._staged, self._run = Signal(Operation), Signal(PAGES_BITS)
        self._walked, self._walked_slot = Signal(), Signal(SLOT_BITS)
        self._may_take = Signal(self._config.ports)     # ports whose new misses may take a slot
        m.d.sync += found.eq(self.look_up)
        operation, before = found.operation, self.look_up.operation
        m.d.comb += assign(slots.lookup, walk_key(before))
        m.d.comb += assign(slots.key, walk_key(operation))

        # A slot that the operation just before took was not in the comparison.
        line_again, page_again, taken = Signal(), Signal(), Signal(len(slots.next_free))
        again = same_line(slots.lookup, slots.key)
        m.d.sync += [
            line_again.eq(again),
            page_again.eq(again & (slots.lookup.page[:LINE_BITS]
                                       == slots.key.page[:LINE_BITS])),
            taken.eq(slots.next_free & slots.allocate.replicate(len(taken))),
        ]
        line = slots.same_line | (taken & line_again.replicate(len(taken)))
        page = slots.same_page | (taken & page_again.replicate(len(taken)))

        # Who was disappointed once joins only where the answer is certain, and in the end nobody.
        joinable, joins = Signal(len(taken)), Signal()
        with m.Switch(operation.tries):
            with m.Case(0):
                m.d.comb += joinable.eq(line & slots.open)
            with m.Case(1, 2):
                m.d.comb += joinable.eq(page & slots.untouched & slots.open)

        self._claim_fault = Signal()        # of stage 4: a fault waits for it in its slot
        m.d.sync += self._claim_fault.eq(
            before.claims & before.in_time & (slots.faulty >> before.slot)[0])
        early = Signal()                    # its slot is not yet settled: it stays with it
        m.d.sync += early.eq(before.claims & ~(slots.settled >> before.slot)[0])
        miss, second, allocates, unclaimed = Signal(), Signal(), Signal(), Signal()
        stays = Signal()
        m.d.comb += [
            unclaimed.eq((self._may_take >> operation.port)[0]),
            second.eq(found.valid & ~found.answered & self.second_hit & ~operation.distrusts),
            stays.eq(found.valid & ~found.answered & ~second & early),
            miss.eq(found.valid & ~found.answered & ~second & ~self._claim_fault & ~early),
            joins.eq(miss & joinable.any()),
            allocates.eq(miss & ~joinable.any() & slots.next_free.any()
                         & (operation.reserved | unclaimed)),
        ]
        with m.If(operation.silent & ~self.region_hit):
            m.d.comb += allocates.eq(0)
        m.d.comb += [
            slots.allocate.eq(allocates),
            slots.port.eq(operation.port),
            slots.way.eq(self.second_way),
            slots.owned.eq(~operation.silent),
            slots.asks_several.eq(operation.pages != 0),
            slots.join.eq(lowest(joinable) & (joins & ~operation.silent).replicate(len(taken))),
            slots.join_port.eq(operation.port),
            slots.leave.eq((found.valid & operation.claims & ~stays) << operation.slot),
        ]
        slot = Signal(SLOT_BITS)
        m.d.comb += slot.eq(one_hot_index(slots.next_free))
        own = owners.write_port()
        m.d.comb += [own.en.eq(allocates), own.addr.eq(slot), own.data.eq(operation)]
        self._account(m, found, allocates)
        self._start(m, allocates, slot)

        # Look-aheads: what became of one; whether this operation deserves some.
        ahead, looks = self._ahead, Signal()
        sent = found.valid & operation.silent
        m.d.comb += [
            ahead.stop.eq((sent & miss & ~joins & ~self.region_hit) | self.flush),
            ahead.refused.eq(sent & miss & ~joins & self.region_hit & ~allocates),
            ahead.passed.eq(sent & ~ahead.stop & ~ahead.refused),
            ahead.begin.eq(looks),
            ahead.operation.eq(self._staged),
            ahead.may_walk.eq(self._may_take),
        ]
        m.d.sync += looks.eq(miss & ~operation.silent & self.region_hit & (operation.pages != 0))

        # What becomes of it: stage 5.
        fate = Signal(Fate)
        with m.If(operation.silent | ~found.valid):
            m.d.comb += fate.eq(Fate.NONE)
        with m.Elif(found.answered):
            with m.If(found.more):
                m.d.comb += fate.eq(Fate.REST)
        with m.Elif(second | self._claim_fault):
            m.d.comb += fate.eq(Fate.EXIT)
        with m.Elif(~allocates):
            m.d.comb += fate.eq(Fate.PARK)
        m.d.sync += [
            self._fate.eq(fate),
            self._staged.eq(operation),
            self._staged.reserved.eq(0), self._staged.claims.eq(joins | stays),
            self._run.eq(found.run),
            self._walked.eq(~second), self._walked_slot.eq(operation.slot),
            self._reason.eq(Reason.WANTS),
        ]
        with m.If(stays):
            m.d.sync += self._reason.eq(Reason.JOINED)
        with m.Elif(joins):
            m.d.sync += [
                self._reason.eq(Reason.JOINED),
                self._staged.slot.eq(one_hot_index(lowest(joinable))),
                self._staged.in_time.eq((lowest(joinable) & page & slots.untouched).any()),
                self._staged.tries.eq(operation.tries + 1),
            ]
        self._free_cycle = Signal()
        m.d.comb += self._free_cycle.eq(fate == Fate.NONE)

    def _account(self, m, found, allocates):
        """Which slots are free and promised to nobody, and how many each port has."""
        slots, parking, ports = self._slots, self._parking, self._config.ports
        # All of it one cycle late; so no slot is given away in the cycle after another one.
        settled = Signal()
        takes, returns, port = Signal(), Signal(), Signal(PORT_BITS)
        promised = Signal(ports)
        m.d.sync += [
            takes.eq(allocates & ~found.operation.reserved),
            returns.eq(found.valid & found.operation.reserved & ~allocates),
            port.eq(found.operation.port), promised.eq(parking.slot_taken),
        ]
        most = self._config.walk_slots
        available, some = Signal(range(most + 1), init=most), Signal(init=1)
        after = Signal.like(available)
        m.d.comb += settled.eq(~takes & ~promised.any())
        m.d.comb += after.eq(available + slots.released + returns - takes - promised.any())
        m.d.sync += [available.eq(after), some.eq(after != 0)]
        for index in range(ports):
            load = Signal(range(most + 1), name=f"load_{index}")
            then = Signal.like(load, name=f"load_then_{index}")
            below = Signal(init=1, name=f"below_{index}")
            mine = port == index
            m.d.comb += then.eq(load + promised[index] + (takes & mine) - (returns & mine)
                                - (slots.released & (slots.released_port == index)))
            m.d.sync += [load.eq(then), below.eq(then < self._config.slots_of_a_port)]
            m.d.comb += [
                parking.slot_for[index].eq(some & below & settled),
                self._may_take[index].eq(some & below & settled & ~parking.wants.any()),
            ]

    def _start(self, m, allocates, slot):
        """The walks that are to begin, with what the caches know."""
        m.submodules.starts = starts = fifo.SyncFIFO(
            width=data.Layout.cast(WalkStart).size, depth=self._config.walk_slots)
        start, flushed, trusted = Signal(WalkStart), Signal(), Signal()
        m.d.sync += flushed.eq(self.flush)
        m.d.comb += [
            trusted.eq(~self.flush & ~flushed),
            start.slot.eq(slot),
            start.key.eq(self._slots.key),
            start.device_hit.eq(self.device_hit & trusted), start.device.eq(self.device),
            start.context_hit.eq(self.context_hit & trusted), start.context.eq(self.context),
            start.region_hit.eq(self.region_hit & trusted), start.region.eq(self.region),
            start.region_way.eq(self.region_way),
            starts.w_data.eq(start), starts.w_en.eq(allocates),
            self.start.valid.eq(starts.r_rdy), self.start.payload.eq(starts.r_data),
            starts.r_en.eq(self.start.ready),
        ]

    def _exit(self, m, owners, outcomes, extents):
        """Stages 5 to 7: outcome, beat, and whatever has to wait."""
        slots, parking, config = self._slots, self._parking, self._config

        # Owners whose walk has ended. Those of several pages wait until their line is measured.
        prompt, delayed = (fifo.SyncFIFO(width=SLOT_BITS, depth=config.walk_slots)
                           for _ in range(2))
        m.submodules.prompt, m.submodules.delayed = prompt, delayed
        ended, measured = self.finished_slot, self.measured_slot
        slot, waits = Signal(SLOT_BITS), Signal()
        owner = owners.read_port(domain="comb")
        m.d.comb += [
            prompt.w_data.eq(ended), delayed.w_data.eq(measured),
            prompt.w_en.eq(self.finished & (slots.owed >> ended)[0]
                           & ~(self._by_line & (slots.several >> ended)[0])),
            delayed.w_en.eq(self.measured & ((slots.owed & slots.several & slots.by_line)
                                             >> measured)[0]),
            waits.eq(prompt.r_rdy | delayed.r_rdy),
            slot.eq(Mux(prompt.r_rdy, prompt.r_data, delayed.r_data)),
            prompt.r_en.eq(self._free_cycle),
            delayed.r_en.eq(self._free_cycle & ~prompt.r_rdy),
            owner.addr.eq(slot),
            slots.answered.eq(self._free_cycle & waits), slots.answered_slot.eq(slot),
        ]
        with m.If(slots.answered):
            m.d.sync += [
                self._fate.eq(Fate.EXIT), self._staged.eq(owner.data),
                self._walked.eq(1), self._walked_slot.eq(slot),
            ]
        refused = Signal(range(PATIENCE + 1))   # cycles in a row
        m.d.comb += self.pause.eq(refused == PATIENCE - 1)
        with m.If(~waits | self._free_cycle):
            m.d.sync += refused.eq(0)
        with m.Elif(refused != PATIENCE):       # it asks once
            m.d.sync += refused.eq(refused + 1)

        # Stage 5 reads the outcome; stage 6 has it.
        answer, follows = outcomes.read_port(), extents.read_port()
        m.d.comb += [answer.addr.eq(self._walked_slot), follows.addr.eq(self._walked_slot)]
        fate, reason, operation = Signal(Fate), Signal(Reason), Signal(Operation)
        run, walked, damaged = Signal(PAGES_BITS), Signal(), Signal()
        m.d.sync += [fate.eq(self._fate), reason.eq(self._reason), operation.eq(self._staged),
                     run.eq(self._run), walked.eq(self._walked)]
        m.submodules.resolver = resolver = Resolver()
        m.d.comb += [
            resolver.operation.eq(operation),
            resolver.outcome.eq(self.second),
            damaged.eq(self.second_damaged & ~walked),
            self.beat.valid.eq((fate == Fate.EXIT) & ~damaged),
            self.beat.payload.eq(resolver.beat),
            self.beat_port.eq(operation.port),
            self.promoted.eq(self.beat.valid & ~walked),
            self.promoted_operation.eq(operation),
            self.promoted_outcome.eq(self.second),
        ]
        with m.If(walked):
            m.d.comb += resolver.outcome.eq(answer.data)
            m.d.comb += resolver.outcome.extent.eq(follows.data)

        # Stage 7 parks.
        waiting, rest, behind = Signal(Operation), Signal(Operation), Signal()
        last_run = Signal(PAGES_BITS)
        m.d.sync += [
            parking.push.eq(0), waiting.eq(operation), behind.eq(0), parking.reason.eq(reason),
            last_run.eq(Mux(fate == Fate.REST, run, resolver.beat.pages)),
        ]
        with m.Switch(fate):
            with m.Case(Fate.PARK):
                m.d.sync += parking.push.eq(1)
            with m.Case(Fate.REST):
                m.d.sync += [parking.push.eq(1), behind.eq(1),
                             parking.reason.eq(Reason.CONTINUES)]
            with m.Case(Fate.EXIT):
                with m.If(damaged):
                    m.d.sync += [parking.push.eq(1), waiting.distrusts.eq(1),
                                 parking.reason.eq(Reason.WANTS)]
                with m.Elif(resolver.more):
                    m.d.sync += [parking.push.eq(1), behind.eq(1),
                                 parking.reason.eq(Reason.CONTINUES)]
        rest_of(m, rest, waiting, last_run)
        m.d.comb += parking.operation.eq(Mux(behind, rest.as_value(), waiting.as_value()))

    def _retry(self, m):
        slots, parking, ahead = self._slots, self._parking, self._ahead
        m.d.comb += [
            parking.settled.eq(slots.settled), parking.overdue.eq(slots.overdue),
            parking.credit_for.eq(self.credits),
            self.continues.eq(parking.continues),
            self.credit_taken.eq(parking.credit_taken),
            self.retry.valid.eq(parking.retry.valid),
            self.retry.payload.eq(parking.retry.payload),
            parking.retry.ready.eq(self.retry.ready), self.retry_port.eq(parking.retry_port),
            self.silent.valid.eq(ahead.silent.valid),
            self.silent.payload.eq(ahead.silent.payload),
            ahead.silent.ready.eq(self.silent.ready),
        ]
