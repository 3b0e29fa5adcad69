"""The fetch of a command (§6): one burst of two words."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import COMMAND_BYTES, PFN_BITS
from ..bus.axi import Burst, ReadAddress, ReadData
from ..bus.share import READ_ID
from ..lib.contract import require
from ..lib.payload import payload_of
from .rings import RING_INDEX_BITS, slot_address

__all__ = ["COMMAND_WORDS", "CommandFetch"]

COMMAND_WORDS = COMMAND_BYTES // 8
COMMAND_SHIFT = exact_log2(COMMAND_BYTES)


class CommandFetch(wiring.Component):
    """Reads the command at the head.

    Parameters
    ----------
    config : Config

    Members
    -------
    base : In(PFN_BITS), head : In(RING_INDEX_BITS), idle : In(1)
        While ``idle``, the command's address follows these; then it stays.
    asks : In(1)
        The address is on offer.
    reading : In(1)
        The words are looked at. Until ``over`` at least, and no longer.
    over : Out(1), failed : Out(1)
        The burst has ended, in the cycle before; with an error, or with another number of words.
    words : Out(ArrayLayout(64, COMMAND_WORDS))
        Until the next fetch.
    ar, r : the read channels
    """

    def __init__(self, config: Config):
        self._config = config
        ids, width = config.axi_id_width, config.axi_data_width
        super().__init__({
            "base": In(PFN_BITS),
            "head": In(RING_INDEX_BITS),
            "idle": In(1),
            "asks": In(1),
            "reading": In(1),
            "over": Out(1),
            "failed": Out(1),
            "words": Out(data.ArrayLayout(64, COMMAND_WORDS)),
            "ar": Out(stream.Signature(ReadAddress(ids))),
            "r": In(stream.Signature(ReadData(ids, width), always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        address, place = self.ar.payload, payload_of(m, self.ar.payload.addr, "place")
        with m.If(self.idle):
            m.d.sync += place.eq(slot_address(self.base, self.head, COMMAND_BYTES))
        m.d.comb += [
            self.ar.valid.eq(self.asks),
            address.id.eq(READ_ID(self._config)),
            address.len.eq(COMMAND_WORDS - 1), address.size.eq(exact_log2(8)),
            address.burst.eq(Burst.INCR),
        ]
        words = payload_of(m, self.words)
        with m.If(self.reading):
            self._read(m, words)
        require(m, ~(self.over & ~self.reading), "a command that was fetched is looked at")
        return m

    def _read(self, m, words):
        """Takes a beat into ``words``."""
        beat, count = self.r.payload, Signal(2)
        lanes = [beat.data[low:low + 64] for low in range(0, self._config.axi_data_width, 64)]
        number = Cat(count[0], self.ar.payload.addr[COMMAND_SHIFT:])[:exact_log2(len(lanes))]
        word = Cat(lanes).word_select(number, 64) if len(lanes) > 1 else lanes[0]
        with m.If(self.over):           # all that came meanwhile is none of it
            m.d.sync += [count.eq(0), self.failed.eq(0), self.over.eq(0)]
        with m.Elif(self.r.valid):
            with m.If(count[0]):
                m.d.sync += words[1].eq(word)
            with m.Else():
                m.d.sync += words[0].eq(word)
            m.d.sync += [
                count.eq(Mux(count[1], count, count + 1)), self.over.eq(beat.last),
                self.failed.eq(self.failed | beat.resp[1]
                               | (beat.last & (count != COMMAND_WORDS - 1))),
            ]
