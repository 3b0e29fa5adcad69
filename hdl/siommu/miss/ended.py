"""Owners whose walk has ended, on their way to the second exit in cycles that are free."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.cover import cover_pairs
from ..lib.queues import FrontQueue
from ..pipeline.events import SlotEnd, SlotEvent
from ..pipeline.sizes import SLOT_BITS

__all__ = ["EndedWalks"]

#: Cycles in a row in which an owner finds the second exit taken, before one operation less is let
#: in for it.
PATIENCE = 7
#: Of them, those that pass between the decision and the free cycle that it makes.
PAUSE_DELAY = 2


class EndedWalks(wiring.Component):
    """Chooses the slot whose owner comes to OUTCOME, in cycles in which JOIN has nothing.

    Usually an owner is sent in the cycle before it is known that its walk has ended; then it is
    ``served`` with the outcome as it comes. The others stand in line: those of one page at once,
    those of several pages when their line is measured.

    Parameters
    ----------
    config : Config

    Members
    -------
    stepping : In(1), stepping_slot : In(SLOT_BITS), end : In(SlotEnd)
        A word of this slot's walk is being decided; in the next cycle, that it was the last one.
    measured : In(SlotEvent)
        It is known how many pages follow the slot's page.
    owner_waiting, multi_page, from_line : In(slots)
    free : In(1)
        JOIN has nothing for OUTCOME.
    slot : Out(SLOT_BITS), waits : Out(1)
        The slot, and that its walk has ended for certain.
    tried : Out(1), served : Out(1)
        In OUTCOME: an owner was sent early; its walk has ended in this cycle.
    answered : Out(SlotEvent)
        An owner of the lines is on its way.
    pause : Out(1)
    """

    def __init__(self, config: Config):
        self._slots = slots = config.walk_slots
        super().__init__({
            "stepping": In(1),
            "stepping_slot": In(SLOT_BITS),
            "end": In(SlotEnd),
            "measured": In(SlotEvent),
            "owner_waiting": In(slots),
            "multi_page": In(slots),
            "from_line": In(slots),
            "free": In(1),
            "slot": Out(SLOT_BITS),
            "waits": Out(1),
            "tried": Out(1),
            "served": Out(1),
            "answered": Out(SlotEvent),
            "pause": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        end, tries, waiting, several = self.end, Signal(), Signal(), Signal()
        m.d.sync += [
            self.tried.eq(tries),
            waiting.eq((self.owner_waiting >> self.stepping_slot)[0]),
            several.eq((self.multi_page >> self.stepping_slot)[0]),
        ]
        prompt, delayed = self._lines(m)
        m.d.comb += [
            self.served.eq(self.tried & end.valid & waiting & ~(end.from_line & several)),
            self.waits.eq(prompt.r.valid | delayed.r.valid),
            tries.eq(self.free & ~self.waits & self.stepping),
            self.slot.eq(Mux(prompt.r.valid, prompt.r.payload,
                             Mux(delayed.r.valid, delayed.r.payload, self.stepping_slot))),
            prompt.r.ready.eq(self.free),
            delayed.r.ready.eq(self.free & ~prompt.r.valid),
        ]
        m.d.sync += [self.answered.valid.eq(self.free & self.waits),
                     self.answered.slot.eq(self.slot)]

        cover_pairs(m, "second_exit", {
            "prompt_owner": prompt.r.valid, "delayed_owner": delayed.r.valid,
            "word_of_an_owner": self.stepping, "operation": ~self.free})

        refused = Signal(range(PATIENCE + 1))   # cycles in a row
        m.d.sync += self.pause.eq(self.waits & ~self.free & (refused == PATIENCE - PAUSE_DELAY))
        with m.If(~self.waits | self.free):
            m.d.sync += refused.eq(0)
        with m.Elif(refused != PATIENCE):       # it asks once
            m.d.sync += refused.eq(refused + 1)
        return m

    def _lines(self, m):
        """The two lines. Whether a slot has an owner is found out before it joins one."""
        slots = self._slots
        prompt, delayed = (FrontQueue(SLOT_BITS, slots) for _ in range(2))
        m.submodules.prompt, m.submodules.delayed = prompt, delayed
        ended, from_line, measured = Signal(SlotEvent), Signal(), Signal(SlotEvent)
        m.d.sync += [
            ended.valid.eq(self.end.valid & ~self.tried), ended.slot.eq(self.end.slot),
            from_line.eq(self.end.from_line), measured.eq(self.measured),
        ]
        owners = self.owner_waiting
        for line, comes, in_line in (
                (prompt, ended, owners & ~(self.multi_page & from_line.replicate(slots))),
                (delayed, measured, owners & self.multi_page & self.from_line)):
            m.d.sync += [line.w.valid.eq(comes.valid & (in_line >> comes.slot)[0]),
                         line.w.payload.eq(comes.slot)]
        return prompt, delayed
