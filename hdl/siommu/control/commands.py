"""The command queue (§6): fetches commands one by one, and carries them out in order.

::

    fetch ──> decide ──┬─> INVAL     the invalidator goes through the caches
      ▲                ├─> FENCE     old walks answered ──> settle ──> old beats taken ──> store
      │                ├─> PREFETCH  requests of the software port, one for each piece
      │                └─> illegal   the queue stops
      └── retire: CQ_HEAD

A fence waits for all that may rest on what an earlier command has invalidated: for walks that
began before (they are stale), and for response beats that stand in the ports' queues. A port that
takes no beats holds up the fence until it is disabled.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import (
    COMMAND_BYTES,
    PFN_BITS,
    PREFETCH_MAX_N,
    CommandAddress,
    CommandWord0,
    FenceWord0,
    Opcode,
)
from ..bus.axi import Burst, ReadAddress, ReadData, WriteAddress, WriteData
from ..bus.share import FENCES_ID, READ_ID
from ..lib.payload import Payload, payload_of
from ..pipeline.events import Invalidation, Prefetch
from ..pipeline.timetable import SETTLED
from .rings import INDEX_BITS, following, ring_mask

__all__ = ["CommandQueue", "CommandState"]


class CommandState(enum.Enum, shape=4):
    """What the queue is doing."""

    IDLE = 0
    FETCHING = 1
    READING = 2
    DECIDING = 3
    INVALIDATING = 4
    OLD_WALKS = 5       #: a fence waits for them
    SETTLING = 6        #: their beats are on the way
    OLD_BEATS = 7
    STORING = 8
    STORED = 9
    PREFETCHING = 10
    RETIRING = 11
    STOPPED = 12


class CommandQueue(wiring.Component):
    """Executes commands.

    Parameters
    ----------
    config : Config

    Members
    -------
    enable, base, log2, tail, stopped : In
        CQ_CTRL.ENABLE, CQ_BASE, CQ_LOG2, CQ_TAIL; CQ_ILLEGAL or CQ_ERROR is set.
    head : Out, busy : Out(1)
        CQ_HEAD; STATUS.COMMANDS.
    illegal, error, fence : Out(1)
        For one cycle: sets the bit of CQ_STATUS.
    ar, r : the read channels; aw, w, b : the write channels
    invalidate, invalidation, invalidated, outdated, mark, marked : to and from the core
    prefetch : Out(stream.Signature(Prefetch)), prefetched : In(1)
        What the core should cache; it has done so.
    invalidations, fences, prefetches : Out(1)
        For the counters: such a command is complete.
    """

    def __init__(self, config: Config):
        self._config = config
        ids, width = config.axi_id_width, config.axi_data_width
        super().__init__({
            "enable": In(1),
            "base": In(PFN_BITS),
            "log2": In(5),
            "tail": In(INDEX_BITS),
            "stopped": In(1),
            "head": Out(INDEX_BITS),
            "busy": Out(1),
            "illegal": Out(1),
            "error": Out(1),
            "fence": Out(1),
            "ar": Out(stream.Signature(ReadAddress(ids))),
            "r": In(stream.Signature(ReadData(ids, width), always_ready=True)),
            "aw": Out(stream.Signature(WriteAddress(ids))),
            "w": Out(stream.Signature(WriteData(width))),
            "b": In(stream.Signature(1, always_ready=True)),
            "invalidate": Out(1),
            "invalidation": Out(Invalidation),
            "invalidated": In(1),
            "outdated": In(1),
            "mark": Out(1),
            "marked": In(1),
            "prefetch": Out(stream.Signature(Prefetch)),
            "prefetched": In(1),
            "invalidations": Out(1),
            "fences": Out(1),
            "prefetches": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        self._state = Signal(CommandState, name="state")
        self._words = Payload(data.ArrayLayout(64, 2), name="words")
        self._gave_up = Signal(name="gave_up")        # the queue was turned off under the command
        waited, marked = Signal(range(SETTLED + 2), name="waited"), Signal(name="held")
        state, on, begins = self._state, Signal(), Signal()
        stored, refused = Signal(), Signal()        # the answer to a store, in the cycle before
        m.d.sync += [stored.eq(self.b.valid), refused.eq(self.b.payload), marked.eq(self.marked)]
        m.d.sync += [
            on.eq(self.enable), self.mark.eq(0), self.invalidate.eq(0),
            self.illegal.eq(0), self.error.eq(0), self.fence.eq(0),
            self.invalidations.eq(0), self.fences.eq(0), self.prefetches.eq(0),
        ]
        with m.If(~self.enable):
            m.d.sync += self._gave_up.eq(1)
        m.d.comb += self.busy.eq(
            (state != CommandState.IDLE) | (self.enable & (self.head != self.tail)))
        self._bursts(m)
        self._decide(m)
        self._prefetch(m)
        with m.Switch(state):
            with m.Case(CommandState.IDLE):
                m.d.sync += self._gave_up.eq(~self.enable)
                with m.If(self.enable & on & begins):
                    m.d.sync += state.eq(CommandState.FETCHING)
            with m.Case(CommandState.FETCHING):
                with m.If(self.ar.valid & self.ar.ready):
                    m.d.sync += state.eq(CommandState.READING)
            with m.Case(CommandState.READING):
                self._read(m)
            with m.Case(CommandState.INVALIDATING):
                with m.If(self.invalidated):
                    m.d.sync += [state.eq(CommandState.RETIRING), self.invalidations.eq(1)]
            with m.Case(CommandState.OLD_WALKS):
                with m.If(~self.outdated):
                    m.d.sync += state.eq(CommandState.SETTLING)
            with m.Case(CommandState.SETTLING):
                with m.If(waited == SETTLED - 2):
                    m.d.sync += self.mark.eq(1)
                with m.If(waited == SETTLED + 1):
                    m.d.sync += state.eq(CommandState.OLD_BEATS)
            with m.Case(CommandState.OLD_BEATS):
                with m.If(~marked):
                    m.d.sync += [state.eq(CommandState.STORING),
                                 self.aw.valid.eq(self._fence.store),
                                 self.w.valid.eq(self._fence.store)]
            with m.Case(CommandState.STORING):
                self._store(m)
            with m.Case(CommandState.STORED):
                with m.If(stored):
                    with m.If(refused):
                        self._stop(m, self.error)
                    with m.Else():
                        self._fenced(m)
            with m.Case(CommandState.PREFETCHING):
                with m.If(self.prefetched):
                    m.d.sync += [state.eq(CommandState.RETIRING), self.prefetches.eq(1)]
            with m.Case(CommandState.RETIRING):
                m.d.sync += state.eq(CommandState.IDLE)
            with m.Case(CommandState.STOPPED):
                with m.If(waited == 3):     # the status bit is set meanwhile
                    m.d.sync += state.eq(CommandState.IDLE)
        m.d.sync += [
            waited.eq(waited + 1),
            begins.eq((state == CommandState.IDLE) & on & (self.head != self.tail)
                      & ~self.stopped),
        ]
        with m.If((state != CommandState.SETTLING) & (state != CommandState.STOPPED)):
            m.d.sync += waited.eq(0)
        mask = Payload(INDEX_BITS, name="mask")     # it changes while the queue is off
        m.d.sync += mask.eq(ring_mask(self.log2))
        with m.If((state == CommandState.RETIRING) & ~self._gave_up):
            m.d.sync += self.head.eq(following(self.head, mask))
        with m.If(self.enable & ~on):
            m.d.sync += self.head.eq(0)
        return m

    def _stop(self, m, status):
        """The command stays at the head; it is fetched again when software has cleared the bit."""
        with m.If(~self._gave_up):
            m.d.sync += status.eq(1)
        m.d.sync += self._state.eq(CommandState.STOPPED)

    # -- fetching ------------------------------------------------------------------------------

    def _bursts(self, m):
        """The read of a command and the store of a fence, as they stand on the bus."""
        config, state = self._config, self._state
        address, place = self.ar.payload, payload_of(m, self.ar.payload.addr, "place")
        with m.If(state == CommandState.IDLE):
            m.d.sync += place.eq(Cat(Const(0, 4), self.head[:8], self.base + self.head[8:]))
        m.d.comb += [
            self.ar.valid.eq(state == CommandState.FETCHING),
            address.id.eq(READ_ID(config)),
            address.len.eq(COMMAND_BYTES // 8 - 1), address.size.eq(3),
            address.burst.eq(Burst.INCR),
        ]
        store, target = self._fence, self._words[1]
        lane = target[2:exact_log2(config.axi_bytes)]
        m.d.comb += [
            self.aw.payload.id.eq(FENCES_ID), self.aw.payload.addr.eq(target),
            self.aw.payload.size.eq(2),
            self.w.payload.data.eq(store.data.replicate(config.axi_data_width // 32)),
            self.w.payload.strb.eq(Const(0xF, config.axi_bytes) << Cat(Const(0, 2), lane)),
            self.w.payload.last.eq(1),
        ]

    def _read(self, m):
        """Words of the command. Another number than two counts as a bus error."""
        config, beat = self._config, self.r.payload
        count, failed, over = Signal(2), Signal(), Signal()
        lanes = [beat.data[low:low + 64] for low in range(0, config.axi_data_width, 64)]
        number = Cat(count[0], self.ar.payload.addr[4:])[:exact_log2(len(lanes))]
        word = Cat(lanes).word_select(number, 64) if len(lanes) > 1 else lanes[0]
        with m.If(over):                # all that came meanwhile is none of it
            m.d.sync += [count.eq(0), failed.eq(0), over.eq(0)]
            with m.If(failed):
                self._stop(m, self.error)
            with m.Else():
                m.d.sync += self._state.eq(CommandState.DECIDING)
        with m.Elif(self.r.valid):
            with m.If(count[0]):
                m.d.sync += self._words[1].eq(word)
            with m.Else():
                m.d.sync += self._words[0].eq(word)
            m.d.sync += [count.eq(Mux(count[1], count, count + 1)), over.eq(beat.last),
                         failed.eq(failed | beat.resp[1] | (beat.last & (count != 1)))]

    # -- deciding ------------------------------------------------------------------------------

    @property
    def _command(self):
        return data.View(CommandWord0, self._words[0])

    @property
    def _fence(self):
        return data.View(FenceWord0, self._words[0])

    def _decide(self, m):
        command, fence = self._command, self._fence
        address = data.View(CommandAddress, self._words[1])
        opcode, target = command.opcode, self.invalidation
        # Of the words, which are there before it is decided: what they say.
        by_address, invalidates, fences, prefetches, misplaced = (Payload() for _ in range(5))
        m.d.sync += [
            by_address.eq(((opcode == Opcode.INVAL_TLB) & command.by_addr)
                          | (opcode == Opcode.PREFETCH)),
            invalidates.eq((opcode == Opcode.INVAL_TLB) | (opcode == Opcode.INVAL_CONTEXT)),
            fences.eq(opcode == Opcode.FENCE), prefetches.eq(opcode == Opcode.PREFETCH),
            misplaced.eq(fence.store & self._words[1][:2].any()),
        ]
        # What must be 0 of the page number, 2^n - 1, becomes longer by a bit in each cycle.
        self._below, bits = Signal(len(address.page), name="below"), Signal(len(command.n))
        below = self._below
        unfit, compared = Signal(), Signal()        # of the cycles before, in this state
        deciding = self._state == CommandState.DECIDING
        m.d.sync += [
            unfit.eq(deciding & (address.offset.any() | (address.page & below).any() | (
                prefetches & below[PREFETCH_MAX_N]))),
            compared.eq(deciding & (~by_address | unfit | (bits == command.n))),
        ]
        m.d.comb += [target[name].eq(command[name]) for name in ("ft", "device", "pasid", "n")]
        m.d.comb += target.page.eq(address.page)
        m.d.sync += [
            target.by_device.eq(command.by_device), target.by_pasid.eq(command.by_pasid),
            target.by_ft.eq(command.by_ft & (opcode == Opcode.INVAL_TLB)),
            target.by_addr.eq(command.by_addr & (opcode == Opcode.INVAL_TLB)),
            target.context.eq(opcode == Opcode.INVAL_CONTEXT),
        ]
        m.d.sync += [below.eq(Cat(1, below)), bits.eq(bits + 1)]
        # What follows, if the address fits.
        verdict, legal = Payload(CommandState), Payload()
        m.d.sync += [
            verdict.eq(Mux(invalidates, CommandState.INVALIDATING,
                           Mux(fences, CommandState.OLD_WALKS, CommandState.PREFETCHING))),
            legal.eq(invalidates | prefetches | (fences & ~misplaced)),
        ]
        with m.If(deciding & compared):
            with m.If((by_address & unfit) | ~legal):
                self._stop(m, self.illegal)
            with m.Else():
                m.d.sync += [self._state.eq(verdict), self.invalidate.eq(invalidates)]
        with m.If(bits == command.n):
            m.d.sync += [below.eq(below), bits.eq(bits)]
        with m.If(self._state == CommandState.READING):
            m.d.sync += [below.eq(0), bits.eq(0)]

    # -- fences --------------------------------------------------------------------------------

    def _store(self, m):
        with m.If(self.aw.ready):
            m.d.sync += self.aw.valid.eq(0)
        with m.If(self.w.ready):
            m.d.sync += self.w.valid.eq(0)
        with m.If(~self._fence.store):
            self._fenced(m)
        with m.Elif(~self.aw.valid & ~self.w.valid):
            m.d.sync += self._state.eq(CommandState.STORED)

    def _fenced(self, m):
        m.d.sync += [self._state.eq(CommandState.RETIRING), self.fences.eq(1),
                     self.fence.eq(self._fence.signal & ~self._gave_up)]

    def _prefetch(self, m):
        """Hands the pages to the core, and waits until they are cached as far as they can be."""
        command, content = self._command, self.prefetch.payload
        address = data.View(CommandAddress, self._words[1])
        offers = Signal(name="offers")      # it was not taken yet
        m.d.comb += [
            self.prefetch.valid.eq(offers & (self._state == CommandState.PREFETCHING)),
            content.page.eq(address.page),
            *(content[name].eq(command[name]) for name in ("ft", "device", "pasid", "n")),
        ]
        with m.If(self._state == CommandState.DECIDING):
            m.d.sync += offers.eq(1)
        with m.Elif(self.prefetch.ready):
            m.d.sync += offers.eq(0)
