"""The miss unit: everything that the first level did not answer at once.

It continues the pipeline. ACT decides by what the look-ups found; what can be answered, and owners
of walks whose outcome has come, go on to the second exit; what waits is parked::

    ACT ──> JOIN ──> OUTCOME ──> SECOND_EXIT ──> REST, PARK ──> replay queue ──> back to ARBITRATE
     │                ▲              │               ▲
     │                │              └─> beat        └── what is left of a request
     │                └── owners whose walk has ended, in cycles that are free
     └──> walk slots, walker

This file wires; each part has a file of its own.
"""

from amaranth import Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..arch.formats import Cause, Size
from ..lib.structs import assign
from ..pipeline.boundaries import (
    BeatSource,
    CreditUser,
    Distrust,
    MissStates,
    PrefetchSource,
    Promotion,
    Reentry,
    SecondLevelAnswer,
    WalkUser,
)
from ..pipeline.events import FaultInfo, SlotEvent
from ..pipeline.lines import MeasuredRun, WalkOfLine
from ..pipeline.operation import LookedUp, Operation
from ..pipeline.tables import UpperLevels
from .act import Act
from .counts import MissCounts, MissEvents
from .ended import EndedWalks
from .join import Join
from .look_ahead import LookAhead
from .replay import ReplayQueue
from .rest import Rest
from .second_exit import ExitFault, SecondExit
from .slot_budget import SlotBudget
from .slot_store import SlotStore
from .starts import StartQueue
from .walk_slots import WalkSlots

__all__ = ["MissUnit"]


class MissUnit(wiring.Component):
    """Holds what waits and answers what was walked for.

    Parameters
    ----------
    config : Config

    Members
    -------
    in_compare, in_select : In(Operation), look_up : In(LookedUp)
        In COMPARE; in SELECT; in MATCH.
    upper : In(UpperLevels), second : In(SecondLevelAnswer)
        What the other caches answer to the operation in ACT.
    flush : In(1), distrust : In(Distrust)
        Walks in flight become stale, and what the caches answer in this cycle is not trusted; an
        invalidation is under way.
    walks : Out(WalkUser), lines : In(WalkOfLine), measured : In(stream.Signature(MeasuredRun))
        To and from the walker and the line scan.
    filled : In(SlotEvent)
        No look-up that missed before the first level's fill is still on its way here.
    port_enable : In(ports)
    answers : Out(BeatSource), promotion : Out(Promotion), fault : Out(stream.Signature(FaultInfo))
        Of the second exit.
    reentry : Out(Reentry)
        To ARBITRATE.
    credits : Out(CreditUser), prefetch : In(PrefetchSource)
    states : Out(MissStates), events : Out(MissEvents)
    """

    def __init__(self, config: Config):
        self._config = config
        ports, slots = config.requesters, config.walk_slots
        super().__init__({
            "in_compare": In(Operation),
            "in_select": In(Operation),
            "look_up": In(LookedUp),
            "upper": In(UpperLevels(config)),
            "second": In(SecondLevelAnswer),
            "flush": In(1),
            "distrust": In(Distrust),
            "walks": Out(WalkUser(config)),
            "lines": In(WalkOfLine()),
            "measured": In(stream.Signature(MeasuredRun, always_ready=True)),
            "filled": In(SlotEvent),
            "port_enable": In(ports),
            "answers": Out(BeatSource),
            "promotion": Out(Promotion),
            "fault": Out(stream.Signature(FaultInfo, always_ready=True)),
            "reentry": Out(Reentry(ports)),
            "credits": Out(CreditUser(ports)),
            "prefetch": In(PrefetchSource),
            "states": Out(MissStates(slots)),
            "events": Out(MissEvents(config)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.slots = slots = WalkSlots(config)
        m.submodules.budget = budget = SlotBudget(config)
        m.submodules.act = act = Act(config)
        m.submodules.look_ahead = look_ahead = LookAhead(config)
        m.submodules.starts = starts = StartQueue(config)
        m.submodules.store = store = SlotStore(config)
        m.submodules.ended = ended = EndedWalks(config)
        m.submodules.join = join = Join(config)
        m.submodules.exit = second_exit = SecondExit(config)
        m.submodules.rest_stage = rest = Rest(config)
        m.submodules.replay = replay = ReplayQueue(config)
        m.submodules.counts = counts = MissCounts(config)
        self._decide(m, act, slots, budget, replay)
        self._start(m, act, slots, starts)
        self._ends(m, slots, ended)
        self._pass_on(m, act, slots, store, ended, join, second_exit, rest)
        self._wait(m, slots, budget, rest, replay)
        self._look_ahead(m, act, slots, budget, look_ahead)
        m.d.comb += [
            counts.operation.eq(act.operation), counts.answered.eq(act.answered),
            counts.unanswered.eq(act.unanswered), counts.second_hit.eq(self.second.hit),
            counts.leaves.eq(second_exit.leaves), counts.comes_back.eq(second_exit.comes_back),
        ]
        connect(m, counts.events, flipped(self.events))
        return m

    def _decide(self, m, act, slots, budget, replay):
        """ACT, beside the slots and their budget."""
        in_match, operation, states = self.look_up.operation, act.operation, slots.states
        m.d.comb += [
            act.look_up.eq(self.look_up), act.second_hit.eq(self.second.hit),
            act.region_hit.eq(self.upper.region_hit), act.any_joinable.eq(slots.any_joinable),
            act.any_free.eq(slots.any_free), act.permitted.eq(budget.permitted),
            act.settled.eq(states.settled), act.faulty.eq(states.faulty),

            slots.flush.eq(self.flush), slots.in_compare.eq(self.in_compare),
            slots.in_select.eq(self.in_select),
            slots.in_match.eq(in_match), slots.in_act.eq(operation), slots.takes.eq(act.takes),
            slots.taking.port.eq(operation.port), slots.taking.way.eq(self.second.way),
            slots.taking.owned.eq(~operation.speculative),
            slots.taking.multi_page.eq(operation.pages != 0),
            slots.taking.prefetches.eq(act.sent.prefetches & operation.speculative),
            slots.claims.leave.eq(act.leave),

            budget.coming.eq(self.look_up.valid), budget.coming_port.eq(in_match.port),
            budget.coming_reserved.eq(in_match.reserved), budget.takes.eq(act.takes),
            budget.reserved.eq(operation.reserved), budget.wants.eq(replay.wants),
            budget.promised.eq(replay.slot_taken),
        ]
        connect(m, slots.returned, budget.returned)

    def _start(self, m, act, slots, starts):
        """Walks that begin."""
        m.d.comb += [
            starts.takes.eq(act.takes), starts.slot.eq(slots.next_index),
            starts.in_act.eq(act.operation), starts.in_match.eq(self.look_up.operation),
            starts.upper.eq(self.upper), starts.flush.eq(self.flush),
        ]
        connect(m, flipped(self.distrust), starts.distrust)
        connect(m, starts.start, flipped(self.walks.start))

    def _ends(self, m, slots, ended):
        """Walks that have an outcome, and owners that get it."""
        walks, states, end = self.walks, slots.states, slots.ended
        outcome = walks.finished.payload.outcome
        m.d.comb += [
            end.valid.eq(walks.finished.valid), end.slot.eq(walks.finished.payload.slot),
            end.granted.eq(outcome.cause == Cause.OK),
            end.from_line.eq(end.granted & (outcome.rights.size == Size.PAGE_4K)),
            end.served.eq(ended.served),
            slots.restarted.valid.eq(walks.restart.valid),
            slots.restarted.slot.eq(walks.restart.payload),
            slots.filled.eq(self.filled), slots.answered.eq(ended.answered),
            slots.reading.eq(walks.reading), walks.stale.eq(states.stale),
            ended.stepping.eq(walks.stepping.valid),
            ended.stepping_slot.eq(walks.stepping.payload),
            ended.end.eq(end), ended.measured.valid.eq(self.measured.valid),
            ended.measured.slot.eq(self.measured.payload.slot),
            ended.owner_waiting.eq(states.owner_waiting),
            ended.multi_page.eq(states.multi_page), ended.from_line.eq(states.from_line),
            self.reentry.pause.eq(ended.pause), self.states.granted.eq(~states.settled),
            self.states.outdated.eq(states.outdated),
        ]

    def _pass_on(self, m, act, slots, store, ended, join, second_exit, rest):
        """From ACT to the second exit."""
        walks, lines, carried = self.walks, self.lines, act.carried
        m.d.comb += [
            join.acted.eq(act.acted), join.carried.eq(carried),
            join.joinable.eq(slots.joinable), join.certain.eq(slots.certain),
            join.owner_waits.eq(ended.waits), slots.claims.join.eq(join.join),
            slots.claims.join_port.eq(join.join_port),
            ended.free.eq(join.free),

            store.place.eq(slots.next_index), store.operation.eq(act.operation),
            store.owner_comes.eq(join.free), store.owner_slot.eq(ended.slot),
            store.slot.eq(Mux(join.free, ended.slot, carried.slot)),
            second_exit.kept.eq(store.kept),
            store.joined_slot.eq(join.joined.slot), rest.joined_key.eq(store.joined_key),
            rest.joined_known.eq(store.joined_known), store.lines.reads.eq(lines.reads),
            store.lines.coming.eq(lines.coming), lines.key.eq(store.lines.key),
            lines.rights.eq(store.lines.rights), lines.pfn.eq(store.lines.pfn),
            lines.way.eq(slots.states.ways[lines.slot]),

            second_exit.answers.second.eq(self.second.outcome),
            second_exit.answers.damaged.eq(self.second.damaged),
            second_exit.answers.tried.eq(ended.tried),
            second_exit.answers.ends.eq(ended.served),
            second_exit.answers.fresh.eq(walks.finished.payload.outcome),
            second_exit.answers.kept.eq(store.outcome),
            second_exit.answers.extent.eq(store.extent),
            second_exit.port_enable.eq(self.port_enable),
        ]
        connect(m, flipped(walks.finished), store.finished)
        connect(m, flipped(self.measured), store.measured)
        connect(m, join.joined, second_exit.joined)
        connect(m, second_exit.remainder, rest.remainder)
        connect(m, second_exit.source, flipped(self.answers))
        connect(m, second_exit.promotion, flipped(self.promotion))
        told, answered = self.fault.payload, rest.in_rest
        m.d.comb += [
            self.fault.valid.eq(second_exit.fault.valid),
            *assign(told, {name: (second_exit.fault.payload if name in dict(ExitFault)
                                          else answered)[name]
                           for name, _ in data.Layout.cast(FaultInfo)}),
        ]

    def _wait(self, m, slots, budget, rest, replay):
        """What waits, and what it waits for."""
        m.d.comb += [
            replay.operation.eq(rest.operation), replay.settled.eq(slots.states.settled),
            replay.overdue.eq(slots.claims.overdue), replay.slot_for.eq(budget.may_promise),
            replay.credits.some.eq(self.credits.some),
            self.credits.taken.eq(replay.credits.taken),
        ]
        # A rest that comes to wait in the next cycle counts too, so that it is known early.
        m.d.sync += self.credits.rests.eq(replay.credits.rests | rest.continues)
        connect(m, rest.waits, replay.waits)
        connect(m, replay.retry, flipped(self.reentry.retry))

    def _look_ahead(self, m, act, slots, budget, look_ahead):
        """Look-aheads and prefetches."""
        m.d.comb += [
            look_ahead.operation.eq(act.operation),
            look_ahead.may_walk.eq(budget.may_take), look_ahead.abandon.eq(self.flush),
            look_ahead.walking.eq(slots.states.prefetching),
            look_ahead.walked.eq(
                slots.ended.valid & (slots.states.prefetches >> slots.ended.slot)[0]),
            look_ahead.from_line.eq(slots.ended.from_line),
            self.states.busy.eq(slots.states.busy | look_ahead.active),
        ]
        connect(m, act.sent, look_ahead.act)
        connect(m, look_ahead.operations, flipped(self.reentry.look_aheads))
        connect(m, flipped(self.prefetch), look_ahead.prefetch)
