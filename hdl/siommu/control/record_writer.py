"""A fault record (§5.1) on the bus: one burst."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import PFN_BITS, RECORD_BYTES, FaultWord0
from ..bus.axi import WriteAddress, WriteData
from ..bus.share import RECORDS_ID
from ..lib.contract import require
from ..lib.payload import Payload
from ..pipeline.events import FaultInfo
from .rings import RING_INDEX_BITS, slot_address

__all__ = ["RecordWriter"]

RECORD_SHIFT = exact_log2(RECORD_BYTES)


class RecordWriter(wiring.Component):
    """Writes one record after the other.

    Parameters
    ----------
    config : Config

    Members
    -------
    begins : In(1)
        A record is to be written; only while not ``writing``. ``base``, ``index`` and ``cycles``
        are those of this cycle; address and data are on offer from the next one on.
    fault : In(FaultInfo)
        It stays until ``last``.
    base : In(PFN_BITS), index : In(RING_INDEX_BITS)
        Where the record goes: the ring, and which slot of it.
    cycles : In(64)
        The record's time stamp.
    writing : Out(1), last : Out(1)
        From the cycle after ``begins`` on, until all of it was taken; in the last cycle.
    aw, w : the write channels
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "begins": In(1),
            "fault": In(FaultInfo),
            "base": In(PFN_BITS),
            "index": In(RING_INDEX_BITS),
            "cycles": In(64),
            "writing": Out(1),
            "last": Out(1),
            "aw": Out(stream.Signature(WriteAddress(config.axi_id_width))),
            "w": Out(stream.Signature(WriteData(config.axi_data_width))),
        })

    def elaborate(self, platform):
        m = Module()
        size = min(self._config.axi_bytes, RECORD_BYTES)
        beats = RECORD_BYTES // size
        address, stamp = Payload(64, name="address"), Payload(64, name="stamp")
        began, addressing, unfinished = Signal(), Signal(), Signal()
        with m.If(~self.writing):       # those of the cycle of the decision stay
            m.d.sync += [
                stamp.eq(self.cycles),
                address.eq(slot_address(self.base, self.index, RECORD_BYTES)),
            ]
        m.d.sync += [began.eq(self.begins),
                     addressing.eq(began | (addressing & ~self.aw.ready))]
        turns, content = self._beats(m, self._record(m, stamp), began, beats)
        m.d.comb += [
            self.aw.valid.eq(addressing),
            self.aw.payload.id.eq(RECORDS_ID), self.aw.payload.addr.eq(address),
            self.aw.payload.len.eq(beats - 1), self.aw.payload.size.eq(exact_log2(size)),
            self.w.valid.eq(turns.any()), self.w.payload.last.eq(turns[-1]),
            unfinished.eq(turns[:-1].any() | (turns[-1] & ~self.w.ready)),
            self.last.eq(self.writing & ~began & (~addressing | self.aw.ready) & ~unfinished),
        ]
        if self._config.axi_bytes > RECORD_BYTES:     # either half of a beat
            upper = address[RECORD_SHIFT]
            m.d.comb += [
                self.w.payload.data.eq(content.replicate(2)),
                self.w.payload.strb.eq(Cat((~upper).replicate(RECORD_BYTES),
                                           upper.replicate(RECORD_BYTES))),
            ]
        else:
            m.d.comb += [self.w.payload.data.eq(content), self.w.payload.strb.eq(-1)]
        with m.If(self.begins):
            m.d.sync += self.writing.eq(1)
        with m.If(self.last):
            m.d.sync += self.writing.eq(0)
        require(m, ~(self.begins & self.writing), "one record is written at a time")
        return m

    def _record(self, m, stamp):
        """The words of the record."""
        fault, first = self.fault, Signal(FaultWord0)
        m.d.comb += [first[name].eq(fault[name]) for name in (
            "cause", "disposition", "write", "ft", "level", "device", "pasid", "tag", "port")]
        return Cat(first.as_value(), fault.addr, fault.entry, Const(0, 64 - len(fault.entry)),
                   stamp)

    def _beats(self, m, words, begins, beats):
        """A bit for the beat on offer, and its data: of each beat's there is a copy, which is 0
        while another one has its turn."""
        turns, next_turns, size = Signal(beats), Signal(beats), len(words) // beats
        with m.If(begins):
            m.d.comb += next_turns.eq(1)
        with m.Elif(self.w.ready):
            m.d.comb += next_turns.eq(turns << 1)
        with m.Else():
            m.d.comb += next_turns.eq(turns)
        m.d.sync += turns.eq(next_turns)
        if beats == 1:
            return turns, words
        content = 0
        for beat, turn in enumerate(next_turns):
            copy = Payload(size, name=f"copy_{beat}")
            m.d.sync += copy.eq(words[size * beat:size * (beat + 1)])
            with m.If(~turn):
                m.d.sync += copy.eq(0)
            content = content | copy
        return turns, content
