"""The AXI read address channel of the walker."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import ENTRY_BYTES
from ..bus.axi import Burst, ReadAddress
from ..lib.event import Event
from ..lib.queues import RingQueue
from ..pipeline.tables import TableRead
from .state import NextRead, beats_per_line, words_minus_one

__all__ = ["ReadPort"]


class ReadPort(wiring.Component):
    """Offers reads: what waits in the queue, or else what is asked for in this cycle.

    Entries of the upper levels, contexts and device entries are read by one INCR burst of 8-byte
    beats, which is narrow on a wider bus. A leaf of level 1 is read with the whole 64-byte line
    around it: a WRAP burst that begins with the beat that holds the leaf, or one beat on a bus of
    512 bits.

    Parameters
    ----------
    config : Config

    Members
    -------
    asked : In(Event(NextRead))
        At most as many wait as there are slots, since a slot asks for its next read when words of
        the one before have come.
    ar : Out(stream.Signature(ReadAddress))
        The id is the slot.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "asked": In(Event(NextRead(config))),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config, asks, address = self._config, self.asked.valid, self.ar.payload
        asked, offered, state = Signal(TableRead), Signal(TableRead), self.asked.payload.state
        beats, beat_bits = beats_per_line(config.axi_data_width), exact_log2(config.axi_bytes)
        m.submodules.reads = reads = RingQueue(TableRead, config.walk_slots)
        m.d.comb += [
            asked.slot.eq(self.asked.payload.slot),
            asked.addr.eq(state.entry), asked.line.eq(state.line),
            asked.words_minus_one.eq(words_minus_one(state.table)),
            offered.eq(Mux(reads.r.valid, reads.r.payload.as_value(), asked.as_value())),
            reads.w.payload.eq(asked),
            reads.w.valid.eq(asks & (reads.r.valid | ~self.ar.ready)),
            reads.r.ready.eq(self.ar.ready),
            self.ar.valid.eq(reads.r.valid | asks),
            address.id.eq(offered.slot),
        ]
        with m.If(offered.line):
            m.d.comb += [
                address.addr.eq(Cat(Const(0, beat_bits), offered.addr[beat_bits:])),
                address.len.eq(beats - 1),
                address.size.eq(beat_bits),
                address.burst.eq(Burst.WRAP if beats > 1 else Burst.INCR),
            ]
        with m.Else():
            m.d.comb += [
                address.addr.eq(offered.addr),
                address.len.eq(offered.words_minus_one),
                address.size.eq(exact_log2(ENTRY_BYTES)),
                address.burst.eq(Burst.INCR),
            ]
        return m
