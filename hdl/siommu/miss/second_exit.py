"""SECOND_EXIT: what the second level and the walks answer."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGES_BITS, Cause, Size
from ..lib.cover import cover
from ..lib.event import Event
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.boundaries import BeatSource, Promotion
from ..pipeline.events import FaultInfo
from ..pipeline.grants import Outcome
from ..pipeline.operation import Operation
from ..pipeline.sizes import LINE_BITS
from ..response.resolve import Mapped, Resolver, mapped
from .fate import Fate, Joined, Remainder
from .slot_store import KeptOperation, KeptOutcome

__all__ = ["Answers", "ExitFault", "SecondExit"]

#: Where an outcome comes from, in OUTCOME and behind it: of the second level; of a walk that
#: ``ends`` in this very cycle, for an owner that was ``tried``; of a slot.
Answers = wiring.Signature({
    "second": Out(Outcome),
    "damaged": Out(1),
    "tried": Out(1),
    "ends": Out(1),
    "fresh": Out(Outcome),
    "kept": Out(KeptOutcome),
    "extent": Out(LINE_BITS),
})


#: The fields of a :class:`~siommu.pipeline.events.FaultInfo` that its operation does not have.
ExitFault = data.StructLayout({
    name: field.shape for name, field in data.Layout.cast(FaultInfo)
    if name not in dict(data.Layout.cast(Operation))})


class SecondExit(wiring.Component):
    """Takes operations in OUTCOME; answers in SECOND_EXIT those that are to be.

    Parameters
    ----------
    config : Config

    Members
    -------
    joined : In(Joined), kept : In(KeptOperation), answers : In(Answers)
    port_enable : In(ports)
    source : Out(BeatSource), promotion : Out(Promotion)
    fault : Out(Event(ExitFault))
        In REST: a fault was answered.
    remainder : Out(Remainder)
    leaves, comes_back : Out(1)
        For the counters: an operation that waited is answered; one that had hit the second level
        begins to wait.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "joined": In(Joined),
            "kept": In(KeptOperation),
            "answers": In(Answers),
            "port_enable": In(config.requesters),
            "source": Out(BeatSource),
            "promotion": Out(Promotion),
            "fault": Out(Event(ExitFault)),
            "remainder": Out(Remainder),
            "leaves": Out(1),
            "comes_back": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        joined, rest = self.joined, self.remainder
        run, operation = Payload(PAGES_BITS), Payload(Operation)
        walked, waited = Signal(init=1), Signal()   # walked always, where there is no second level
        m.d.comb += [rest.run.eq(run), rest.operation.eq(operation)]
        m.d.sync += [
            rest.left.fate.eq(joined.left.fate), rest.left.reason.eq(joined.left.reason),
            run.eq(joined.run), operation.claims.eq(joined.claims),
            *(operation[name].eq(self.kept[name]) for name, _ in KeptOperation
              if name not in ("lengths", "tries")),
            operation.tries.eq(self.kept.tries + joined.joins),
            walked.eq(joined.walked), waited.eq(joined.waited), rest.joined.eq(joined.joins),
            rest.damaged.eq(self.answers.damaged & ~joined.walked),
        ]
        with m.If(self.answers.ends):
            m.d.sync += rest.left.fate.eq(Fate.EXIT)
        with m.If(joined.joins):
            m.d.sync += [operation.slot.eq(joined.slot), operation.in_time.eq(joined.in_time)]
        outcome, translates = self._outcome(m)

        exits = rest.left.fate == Fate.EXIT
        m.submodules.resolver = resolver = Resolver(self._config)
        m.d.sync += resolver.lengths.eq(self.kept.lengths)
        m.d.comb += [
            resolver.operation.eq(operation),
            resolver.outcome.eq(outcome), resolver.mapped.eq(translates),
            resolver.short.eq(operation.pages[:LINE_BITS] <= outcome.extent),
            rest.more.eq(resolver.more), rest.pages.eq(resolver.beat.pages),
            self.source.beat.valid.eq(exits & ~rest.damaged),
            self.source.beat.payload.eq(resolver.beat), self.source.port.eq(operation.port),
            self.promotion.tried.eq(exits & ~walked),
            self.promotion.valid.eq(self.promotion.tried & ~rest.damaged),
            self.promotion.operation.eq(operation), self.promotion.outcome.eq(outcome),
        ]
        self._cover(m, exits & ~rest.damaged & (outcome.cause == Cause.OK), walked,
                    outcome.rights.size)
        # What software asks for leaves no record and is not counted.
        counts = exits & (operation.port != self._config.ports)
        m.d.comb += [self.leaves.eq(counts & ~rest.damaged & waited),
                     self.comes_back.eq(counts & rest.damaged & ~waited)]
        self._record(m, counts & ~rest.damaged, operation, outcome)
        return m

    def _cover(self, m, grants, walked, size):
        """Who granted, and by which page. The second level keeps 4 KiB pages only."""
        for each in (Size.PAGE_4K, Size.PAGE_2M, Size.PAGE_1G):
            cover(m, grants & walked & (size == each), "translation", "miss", each.name.lower())
        if self._config.l2_entries:
            cover(m, grants & ~walked, "translation", "second_level_hit", "page_4k")

    def _outcome(self, m):
        """The outcome, and what it translates."""
        answers, outcome, translates = self.answers, Payload(Outcome), Payload(Mapped)
        with m.If(answers.tried):
            m.d.sync += [outcome.eq(answers.fresh), *assign(translates, mapped(answers.fresh))]
        with m.Elif(self.joined.walked):
            m.d.sync += [outcome.eq(answers.kept.outcome), outcome.extent.eq(answers.extent),
                         translates.eq(answers.kept.mapped)]
        with m.Else():
            m.d.sync += [outcome.eq(answers.second), *assign(translates, mapped(answers.second))]
        return outcome, translates

    def _record(self, m, exits, operation, outcome):
        """The fault, one cycle later."""
        fault = payload_of(m, self.fault.payload)
        m.d.sync += [
            self.fault.valid.eq(exits & (outcome.cause != Cause.OK)),
            fault.cause.eq(outcome.cause.as_value()),
            fault.disposition.eq(outcome.disposition.as_value()),
            fault.level.eq(outcome.level), fault.entry.eq(outcome.entry),
            # the answer of a disabled port is dropped, and so is its record
            fault.quiet.eq(outcome.quiet | ~(self.port_enable >> operation.port)[0]),
        ]
