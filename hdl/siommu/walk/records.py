"""What is kept of each walk, by its slot: LUT RAMs, read at once when a word comes."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.clocked_ram import words_for
from ..lib.contract import require
from ..lib.event import Event
from ..lib.watch import watch
from ..pipeline.sizes import SLOT_BITS
from ..pipeline.tables import WalkStart
from .state import (
    CLEARED_PER_ENTRY,
    NextRead,
    WalkRecord,
    WordProgress,
)

__all__ = ["WalkRecords"]


class WalkRecords(wiring.Component):
    """State, key and progress of all walks.

    The words of an entry may come one a cycle, so what they say is read without a delay: that of
    the cycle's word goes before what is written. All else of a walk changes with its start and its
    reads, and no word of a read comes before the cycle after its address.

    Parameters
    ----------
    config : Config

    Members
    -------
    slot : In(SLOT_BITS), record : Out(WalkRecord)
        Of this walk. Combinational.
    started : In(Event(WalkStart))
        A walk begins: its key, and no progress. Not in the cycle of a ``word``.
    asked : In(Event(NextRead))
        A walk asks for a read: its state.
    word : In(Event(WordProgress))
        A word is decided: what is known of its entry.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "slot": In(SLOT_BITS),
            "record": Out(WalkRecord(config)),
            "started": In(Event(WalkStart(config))),
            "asked": In(Event(NextRead(config))),
            "word": In(Event(WordProgress(config))),
        })

    def elaborate(self, platform):
        m = Module()
        slots, record = self._config.walk_slots, self.record
        started, asked, word = self.started, self.asked, self.word
        writes, reads = {}, {}
        for name, field in WalkRecord(self._config):
            ram = memory.Memory(shape=field.shape, depth=words_for(slots), init=[])
            m.submodules[f"of_{name}"] = ram
            reads[name], writes[name] = ram.read_port(domain="comb"), ram.write_port()
            m.d.comb += reads[name].addr.eq(self.slot)
        m.d.comb += [
            writes["key"].en.eq(started.valid), writes["key"].addr.eq(started.payload.slot),
            writes["key"].data.eq(started.payload.key),
            writes["reach"].en.eq(started.valid), writes["reach"].addr.eq(started.payload.slot),
            writes["reach"].data.eq(started.payload.reach),
            writes["state"].en.eq(asked.valid), writes["state"].addr.eq(asked.payload.slot),
            writes["state"].data.eq(asked.payload.state),
        ]

        write, follows = writes["progress"], Signal()
        m.d.comb += [
            write.en.eq(word.valid | started.valid),
            write.addr.eq(Mux(started.valid, started.payload.slot, word.payload.slot)),
            write.data.eq(word.payload.progress),
            follows.eq(word.valid & (word.payload.slot == self.slot)),
        ]
        with m.If(started.valid):
            m.d.comb += [write.data[name].eq(0) for name in CLEARED_PER_ENTRY]
        require(m, ~(started.valid & word.valid),
                "A start is taken only in a cycle without a word to be decided.")

        m.d.comb += [
            record.state.eq(reads["state"].data), record.key.eq(reads["key"].data),
            record.reach.eq(reads["reach"].data),
            record.progress.eq(Mux(follows, word.payload.progress.as_value(),
                                   reads["progress"].data.as_value())),
        ]
        for name, read in reads.items():
            watch(m, f"watch_{name}", writes[name], read, written=True)
        return m
