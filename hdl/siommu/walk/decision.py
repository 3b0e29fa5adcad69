"""The second cycle of a decision, for a word or else for a start, and its registers."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..arch.formats import Cause, Disposition
from ..lib.contract import require
from ..lib.event import Event
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.sizes import ENTRY_ADDR_BITS, SLOT_BITS
from ..pipeline.tables import ContextInfo, DeviceInfo, RegionInfo
from ..pipeline.walks import WalkFinished
from .directory import DirectoryBounds, device_entry, out_of_range
from .start import StartStep
from .start_gate import BegunWalk
from .state import NextRead, WalkState, WalkWord, WordProgress, next_read
from .step import WordStep

__all__ = ["Decision"]


class Decision(wiring.Component):
    """What follows from a word or from a start.

    Parameters
    ----------
    config : Config

    Members
    -------
    word : In(Event(WalkWord))
    begun : In(Event(BegunWalk))
        A word, a start: at most one of them in a cycle.
    bounds : In(DirectoryBounds), check_ad : In(1)
        Registers (§7).
    progress : Out(Event(WordProgress))
        What is known behind the word. This and the next five: combinational.
    reads, finishes : Out(1)
        The word leads to a read; it ends its walk.
    device, context, region : Out(Event(…Info))
        What the word's entry brings that may be cached.
    asked : Out(Event(NextRead))
        The next read. This and the following: one cycle later.
    restart : Out(Event(SLOT_BITS))
        The walk begins in memory, with the read that is asked for.
    finished : Out(Event(WalkFinished))
        The walk has its outcome.
    refused : Out(1)
        With ``finished``: it is the outcome of a start, which had no read.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "word": In(Event(WalkWord(config))),
            "begun": In(Event(BegunWalk(config))),
            "bounds": In(DirectoryBounds),
            "check_ad": In(1),
            "progress": Out(Event(WordProgress(config))),
            "reads": Out(1),
            "finishes": Out(1),
            "device": Out(Event(DeviceInfo)),
            "context": Out(Event(ContextInfo(config))),
            "region": Out(Event(RegionInfo(config))),
            "asked": Out(Event(NextRead(config))),
            "restart": Out(Event(SLOT_BITS)),
            "finished": Out(Event(WalkFinished)),
            "refused": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.word = step = WordStep(self._config)
        m.submodules.begin = begin = StartStep(self._config)
        word, walk, begins = self.word.payload, self.begun.payload.walk, self.begun.valid
        require(m, ~(self.word.valid & begins),
                "A start is taken only in a cycle without a word to be decided.")
        rejected = out_of_range(walk.key, self.bounds.outside)
        m.d.comb += [
            step.word.eq(word), step.check_ad.eq(self.check_ad),
            begin.walk.eq(walk), begin.facts.eq(self.begun.payload.facts),
            begin.out_of_range.eq(rejected),
            self.progress.valid.eq(self.word.valid), self.progress.payload.slot.eq(word.slot),
            self.progress.payload.progress.eq(step.progress),
            self.reads.eq(step.read), self.finishes.eq(step.finish),
        ]
        for name in ("device", "context", "region"):
            connect(m, getattr(step, name), flipped(getattr(self, name)))
        self._hold(m, step, begin)
        return m

    def _hold(self, m, step, begin):
        """What was decided, into registers."""
        deciding, begins = self.word.valid, self.begun.valid
        word, walk = self.word.payload, self.begun.payload.walk
        slot, first, asks = Payload(SLOT_BITS), Signal(), Signal()
        following = Payload(WalkState(self._config))
        restarts, top = Payload(), Payload(ENTRY_ADDR_BITS)
        restart, restarted, finished, refused = (Signal() for _ in range(4))
        outcome = payload_of(m, self.finished.payload.outcome, name="outcome")
        m.d.comb += restart.eq(Mux(begins, begin.restart, step.restart))
        m.d.sync += [
            slot.eq(Mux(begins, walk.slot, word.slot)), first.eq(begins),
            asks.eq((deciding & step.read) | (begins & begin.read)),
            following.eq(Mux(begins, begin.following.as_value(), step.following.as_value())),
            restarts.eq(restart),
            top.eq(Mux(begins, device_entry(walk.key, self.bounds.base), word.device_entry)),
            restarted.eq((deciding | begins) & restart),
            finished.eq((deciding & step.finish) | (begins & begin.finish)),
            refused.eq(begins & begin.finish),
            outcome.eq(step.outcome),
        ]
        with m.If(begins):
            m.d.sync += [
                outcome.cause.eq(Cause.DEVICE_INVALID), outcome.disposition.eq(Disposition.DENY),
                outcome.level.eq(0), outcome.entry.eq(0), outcome.quiet.eq(0),
            ]
        asked = self.asked
        m.d.comb += [
            asked.valid.eq(asks), asked.payload.slot.eq(slot), asked.payload.first.eq(first),
            *assign(asked.payload.state, next_read(following, restarts, top)),
            self.restart.valid.eq(restarted), self.restart.payload.eq(slot),
            self.finished.valid.eq(finished), self.finished.payload.slot.eq(slot),
            self.refused.eq(refused),
        ]
