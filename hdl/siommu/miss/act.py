"""ACT: what is done about an operation that the first level did not answer.

It goes to the second exit if the second level hit, or if a fault waits for it in its slot; joins a
slot of the same line; takes one; or waits.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.payload import Payload
from ..pipeline.operation import LookedUp, Operation
from .fate import Acted, Carried, Fate

__all__ = ["Act", "Sent"]

#: ACT's side of look-aheads, of which one is under way at most. It ``leads`` a prefetch, or is one
#: of a prefetch (``prefetches``). Its verdict, for one cycle: ``passed``, the line needs no more
#: (``took``: a walk was begun for it); ``refused``, it found no slot and is to be sent again;
#: ``stop``, give up. And an operation deserves look-aheads (``looks``), a cycle after ACT.
Sent = wiring.Signature({
    "leads": In(1),
    "prefetches": In(1),
    "passed": Out(1),
    "refused": Out(1),
    "stop": Out(1),
    "took": Out(1),
    "looks": Out(1),
})


class Act(wiring.Component):
    """Decides.

    Parameters
    ----------
    config : Config

    Members
    -------
    look_up : In(LookedUp)
        In MATCH. The members that follow are looked at in ACT.
    second_hit, region_hit : In(1)
        The second level has the page; the walk cache has its region.
    any_joinable, any_free, permitted : In(1)
        There is a slot to join; to take; and it may be taken.
    settled, faulty : In(slots)
        In MATCH: slots whose outcome is known to all, or is a fault.
    operation : Out(Operation), valid, answered, unanswered, takes : Out(1)
        In ACT: the operation, if any; it was answered, it was not; it takes a slot.
    leave : Out(slots)
        One-hot, a cycle later: it had a claim on this slot, and does not stay with it.
    sent : Out(Sent)
    acted : Out(Acted), carried : Out(Carried)
        In JOIN.
    """

    def __init__(self, config: Config):
        slots = config.walk_slots
        super().__init__({
            "look_up": In(LookedUp),
            "second_hit": In(1),
            "region_hit": In(1),
            "any_joinable": In(1),
            "any_free": In(1),
            "permitted": In(1),
            "settled": In(slots),
            "faulty": In(slots),
            "operation": Out(Operation),
            "valid": Out(1),
            "answered": Out(1),
            "unanswered": Out(1),
            "takes": Out(1),
            "leave": Out(slots),
            "sent": Out(Sent),
            "acted": Out(Acted, init={"walked": 1}),
            "carried": Out(Carried),
        })

    def elaborate(self, platform):
        m = Module()
        found, before, operation = Payload(LookedUp), self.look_up.operation, self.operation
        m.d.sync += [found.eq(self.look_up), self.valid.eq(self.look_up.valid)]
        m.d.comb += [operation.eq(found.operation), self.answered.eq(self.valid & found.answered)]

        # Known before the look-ups are: whether a fault waits for it in its slot, and whether that
        # slot is not yet settled (then it stays with it).
        claims_fault, early, undecided = Signal(), Signal(), Signal()
        came = self.look_up.valid & ~self.look_up.answered
        faulty = before.claims & before.in_time & (self.faulty >> before.slot)[0]
        unsettled = before.claims & ~(self.settled >> before.slot)[0]
        m.d.sync += [
            self.unanswered.eq(came), claims_fault.eq(faulty), early.eq(came & unsettled),
            undecided.eq(came & ~faulty & ~unsettled),
        ]
        # A look-ahead walks if it reads one line; the one that leads a prefetch always.
        second, miss, joins, stays, worthy = self.second_hit, *(Signal() for _ in range(4))
        m.d.comb += [
            stays.eq(early & ~second),
            miss.eq(undecided & ~second),
            joins.eq(miss & self.any_joinable),
            worthy.eq(self.region_hit | ~operation.speculative | self.sent.leads),
            self.takes.eq(miss & self.any_free & self.permitted & ~self.any_joinable & worthy),
        ]
        claimed = Signal(len(self.leave))
        m.d.sync += [
            claimed.eq((self.look_up.valid & before.claims) << before.slot),
            self.leave.eq(claimed & (~stays).replicate(len(claimed))),
        ]
        waits = self._look_ahead(m, miss, joins, worthy)

        fate = Signal(Fate)
        with m.If((operation.speculative & ~waits) | ~self.valid):
            m.d.comb += fate.eq(Fate.NONE)
        with m.Elif(found.answered):
            with m.If(found.more):
                m.d.comb += fate.eq(Fate.REST)
        with m.Elif(second | claims_fault):
            m.d.comb += fate.eq(Fate.EXIT)
        with m.Elif(~self.takes):
            m.d.comb += fate.eq(Fate.PARK)
        self._pass_on(m, fate, joins, stays, found)
        return m

    def _look_ahead(self, m, miss, joins, worthy):
        """What became of a look-ahead. One of a prefetch that gets no slot ``waits`` for it, as
        those of the ports do."""
        operation, sent = self.operation, self.valid & self.operation.speculative
        stops, refused, waits = Signal(), Signal(), Signal()
        m.d.comb += [
            stops.eq(sent & miss & ~joins & ~worthy),
            refused.eq(sent & miss & ~joins & worthy & ~self.takes),
            waits.eq(refused & self.sent.prefetches),
            self.sent.stop.eq(stops), self.sent.refused.eq(refused & ~waits),
            self.sent.passed.eq(sent & ~stops & ~refused), self.sent.took.eq(self.takes),
        ]
        m.d.sync += self.sent.looks.eq(miss & ~operation.speculative & self.region_hit
                                  & (operation.pages != 0))
        return waits

    def _pass_on(self, m, fate, joins, stays, found):
        """Into JOIN."""
        operation, carried = self.operation, Payload(Carried)
        m.d.comb += self.carried.eq(carried)
        m.d.sync += [
            self.acted.fate.eq(fate), self.acted.joins.eq(joins & ~operation.speculative),
            self.acted.stays.eq(stays),
            self.acted.waited.eq(operation.has_waited() | ~self.second_hit),
            self.acted.walked.eq(~self.second_hit),
            carried.run.eq(found.run), carried.port.eq(operation.port),
            carried.slot.eq(operation.slot),
        ]
