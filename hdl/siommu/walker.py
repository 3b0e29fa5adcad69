"""The table walker: every walk in flight advances by one word a cycle at most, all of them overlap.

Each walk has a slot and an AXI id of the same number, and at most one read under way, so answers
may come in any order. A word taken in cycle *d* is decided in *d* + 1 and the next read is
offered in *d* + 2; the same holds for a start accepted in cycle *d* (offered in *d* + 1)::

    R channel ──┐
                ├── decide (WalkStep) ──┬── read queue ── AR channel
    starts ─────┘     state RAM         └── finished, context fills
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .axi import Burst, ReadAddress, ReadData
from .bundles import (SLOT_BITS, ContextInfo, DeviceInfo, Outcome, TableRead, WalkKey, WalkStart)
from .config import Config
from .formats import DEVICE_BITS, ENTRY_BYTES, PASID_BITS, PFN_BITS
from .walk_step import WalkState, WalkStep

__all__ = ["ContextKey", "TableWalker"]


class ContextKey(data.Struct):
    """What a PASID context is cached by: one address space of one process on one device."""

    ft: 1
    device: DEVICE_BITS
    pasid: PASID_BITS


class TableWalker(wiring.Component):
    """Walks the tables of main memory (§3, §4).

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(stream.Signature(WalkStart))
        Starts the walk of a slot that has none. Not ready in a cycle in which a word is decided.
    finished : Out(1), finished_slot, outcome : Out
        A walk has ended. Every start is followed by exactly one such cycle, once the memory
        answers; it is not to be refused.
    stale : In(walks)
        Slots whose walk began before a flush: they fill no cache.
    ddt_base, ddt_log2, check_ad : In
        Registers (§7).
    device_fill, device_key, device : Out
    context_fill, context_key, context : Out
        Fills of the context caches.
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
        The AXI read channels. ``r`` is always ready. An entry is read by one INCR burst of 8-byte
        beats, which is narrow on a wider bus. ``last`` ends a read, whatever its length; a wrong
        length counts as a bus error, and answers with an id that has no read are dropped.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "start": In(stream.Signature(WalkStart)),
            "finished": Out(1),
            "finished_slot": Out(SLOT_BITS),
            "outcome": Out(Outcome),
            "stale": In(config.walks),
            "ddt_base": In(PFN_BITS),
            "ddt_log2": In(5),
            "check_ad": In(1),
            "device_fill": Out(1),
            "device_key": Out(DEVICE_BITS),
            "device": Out(DeviceInfo),
            "context_fill": Out(1),
            "context_key": Out(ContextKey),
            "context": Out(ContextInfo),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        walks = config.walks
        places = max(walks, 2)  # an address has at least one bit
        m.submodules.step = step = WalkStep()
        m.submodules.states = states = memory.Memory(shape=WalkState, depth=places, init=[])
        m.submodules.keys = keys = memory.Memory(shape=WalkKey, depth=places, init=[])
        m.submodules.reads = reads = fifo.SyncFIFO(
            width=data.Layout.cast(TableRead).size, depth=places)
        state_write, state_read = states.write_port(), states.read_port(domain="comb")
        key_write, key_read = keys.write_port(), keys.read_port(domain="comb")

        # A word from memory, registered. Words that nobody asked for go no further.
        reading = Signal(walks)
        beat = Signal(self.r.payload.shape())
        arrived, slot = Signal(), Signal(SLOT_BITS)
        m.d.comb += self.r.ready.eq(1)
        m.d.sync += [beat.eq(self.r.payload), arrived.eq(self.r.valid)]
        word_is_for_us, lane = Signal(), Signal(range(max(config.axi_bytes // ENTRY_BYTES, 2)))
        with m.Switch(beat.id):
            for index in range(walks):
                with m.Case(index):
                    m.d.comb += word_is_for_us.eq(arrived & reading[index])

        # Decide: the word, or else a start.
        begins = self.start.valid & ~word_is_for_us
        m.d.comb += [
            self.start.ready.eq(~word_is_for_us),
            slot.eq(Mux(word_is_for_us, beat.id, self.start.payload.slot)),
            state_read.addr.eq(slot),
            key_read.addr.eq(slot),
            step.start.eq(begins),
            step.walk.eq(self.start.payload),
            step.state.eq(state_read.data),
            step.error.eq(beat.resp[1]),
            step.last.eq(beat.last),
            step.ddt_base.eq(self.ddt_base),
            step.ddt_log2.eq(self.ddt_log2),
            step.check_ad.eq(self.check_ad),
        ]
        if config.axi_data_width == 64:
            m.d.comb += step.word.eq(beat.data)
        else:
            m.d.comb += lane.eq(state_read.data.entry[3:] + state_read.data.word)
            m.d.comb += step.word.eq(beat.data.word_select(lane, 64))
        with m.If(word_is_for_us):
            m.d.comb += step.walk.key.eq(key_read.data)

        event = Signal()
        m.d.comb += [
            event.eq(word_is_for_us | begins),
            state_write.en.eq(event),
            state_write.addr.eq(slot),
            state_write.data.eq(step.following),
            key_write.en.eq(begins),
            key_write.addr.eq(slot),
            key_write.data.eq(self.start.payload.key),
        ]

        # Read on, or end.
        table_read = Signal(TableRead)
        m.d.comb += [
            table_read.slot.eq(slot),
            table_read.addr.eq(step.following.entry),
            table_read.words_minus_one.eq(step.words_minus_one),
            reads.w_en.eq(event & step.read),
            reads.w_data.eq(table_read),
            self.finished.eq(event & step.finish),
            self.finished_slot.eq(slot),
            self.outcome.eq(step.outcome),
        ]
        with m.If(event & (begins | beat.last)):
            with m.Switch(slot):
                for index in range(walks):
                    with m.Case(index):
                        m.d.sync += reading[index].eq(step.read)

        fresh = Signal()
        m.d.comb += [
            fresh.eq(event & ~self.stale.bit_select(slot[:bits_for(walks - 1)], 1)),
            self.device_fill.eq(fresh & step.device_fill),
            self.device_key.eq(step.walk.key.device),
            self.device.eq(step.device),
            self.context_fill.eq(fresh & step.context_fill),
            self.context_key.ft.eq(step.walk.key.ft),
            self.context_key.device.eq(step.walk.key.device),
            self.context_key.pasid.eq(step.walk.key.pasid),
            self.context.eq(step.context),
        ]
        m.d.comb += self.context.devid.eq(step.following.devid)

        # The read address channel.
        offered = data.View(TableRead, reads.r_data)
        m.d.comb += [
            self.ar.valid.eq(reads.r_rdy),
            reads.r_en.eq(self.ar.ready),
            self.ar.payload.id.eq(offered.slot),
            self.ar.payload.addr.eq(offered.addr),
            self.ar.payload.len.eq(offered.words_minus_one),
            self.ar.payload.size.eq(3),
            self.ar.payload.burst.eq(Burst.INCR),
        ]
        return m
