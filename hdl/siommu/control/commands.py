"""The command queue (§6): fetches commands one by one, and carries them out in order.

::

    fetch ──> decide ──┬─> INVAL     the invalidator goes through the caches
      ▲                ├─> FENCE     old walks answered ──> drain ──> old beats taken ──> store
      │                ├─> PREFETCH  requests of the software port, one for each piece
      │                └─> illegal   the queue stops
      └── retire: CQ_HEAD

A fence waits for all that may rest on what an earlier command has invalidated: for walks that
began before (they are stale), and for response beats that stand in the ports' queues. A port that
takes no beats holds up the fence until it is disabled.
"""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..arch.formats import PFN_BITS, CommandAddress, CommandWord0
from ..bus.axi import ReadAddress, ReadData, WriteAddress, WriteData
from ..lib.payload import Payload
from ..pipeline.events import BeatMark, InvalidationControl, Prefetch
from ..pipeline.timetable import DRAIN
from .command_decode import CommandDecode
from .command_fetch import CommandFetch
from .command_state import CommandState
from .fence_store import FenceStore
from .rings import RING_INDEX_BITS, following, ring_mask

__all__ = ["CommandQueue", "CommandRegisters", "CommandState", "CompletedCommands"]

#: Cycles of DRAINING before the mark is set: it counts two cycles later, behind a register here and
#: one at the ports, and by then what was decided before has happened.
MARK = DRAIN - 2
#: Cycles of DRAINING before the mark is looked at: one until it is set, two until it is known.
MARK_KNOWN = MARK + 3
#: Cycles of STOPPED: the status bit is set meanwhile, and the queue sees it.
STATUS_SET = 3


class CommandRegisters(wiring.Signature):
    """The registers of the command queue (§7), seen from the register block.

    Members
    -------
    enable, base, log2, tail, stopped : Out
        CQ_CTRL.ENABLE, CQ_BASE, CQ_LOG2, CQ_TAIL; CQ_ILLEGAL or CQ_ERROR is set.
    head : In(RING_INDEX_BITS), busy : In(1)
        CQ_HEAD; STATUS.COMMANDS.
    illegal, error, fence : In(1)
        For one cycle: sets the bit of CQ_STATUS.
    """

    def __init__(self):
        super().__init__({
            "enable": Out(1),
            "base": Out(PFN_BITS),
            "log2": Out(5),
            "tail": Out(RING_INDEX_BITS),
            "stopped": Out(1),
            "head": In(RING_INDEX_BITS),
            "busy": In(1),
            "illegal": In(1),
            "error": In(1),
            "fence": In(1),
        })


class CompletedCommands(data.Struct):
    """For the counters: such a command is complete, in the cycle before."""

    invalidations: 1
    fences: 1
    prefetches: 1


class CommandQueue(wiring.Component):
    """Executes commands.

    Parameters
    ----------
    config : Config

    Members
    -------
    registers : In(CommandRegisters)
    ar, r : the read channels; aw, w, b : the write channels
    invalidation : Out(InvalidationControl), mark : Out(BeatMark)
        To the core.
    prefetch : Out(stream.Signature(Prefetch)), prefetched : In(1)
        What the core should cache; it has done so.
    completed : Out(CompletedCommands)
    """

    def __init__(self, config: Config):
        self._config = config
        ids, width = config.axi_id_width, config.axi_data_width
        super().__init__({
            "registers": In(CommandRegisters()),
            "ar": Out(stream.Signature(ReadAddress(ids))),
            "r": In(stream.Signature(ReadData(ids, width), always_ready=True)),
            "aw": Out(stream.Signature(WriteAddress(ids))),
            "w": Out(stream.Signature(WriteData(width))),
            "b": In(stream.Signature(1, always_ready=True)),
            "invalidation": Out(InvalidationControl()),
            "mark": Out(BeatMark()),
            "prefetch": Out(stream.Signature(Prefetch)),
            "prefetched": In(1),
            "completed": Out(CompletedCommands),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = CommandFetch(self._config)
        m.submodules.decode = decode = CommandDecode()
        m.submodules.store = store = FenceStore(self._config)
        connect(m, fetch.ar, flipped(self.ar))
        connect(m, flipped(self.r), fetch.r)
        connect(m, store.aw, flipped(self.aw))
        connect(m, store.w, flipped(self.w))
        connect(m, flipped(self.b), store.b)
        registers, state = self.registers, Signal(CommandState, name="state")
        m.d.comb += [
            fetch.base.eq(registers.base), fetch.head.eq(registers.head),
            fetch.idle.eq(state == CommandState.IDLE),
            fetch.asks.eq(state == CommandState.FETCHING),
            fetch.reading.eq(state == CommandState.READING),
            decode.words.eq(fetch.words), decode.reading.eq(fetch.reading),
            decode.deciding.eq(state == CommandState.DECIDING),
            store.fence.eq(fetch.words[0]), store.target.eq(fetch.words[1]),
            store.storing.eq(state == CommandState.STORING),
            self.invalidation.request.eq(decode.invalidation),
            registers.busy.eq((state != CommandState.IDLE) | (
                registers.enable & (registers.head != registers.tail))),
        ]
        m.d.sync += [
            self.mark.set.eq(0), self.invalidation.start.eq(0), self.completed.eq(0),
            registers.illegal.eq(0), registers.error.eq(0), registers.fence.eq(0),
        ]
        on, gave_up = self._head(m, state)
        with m.Switch(state):
            self._fetch_and_decide(m, state, on, gave_up, fetch, decode)
            self._fence(m, state, gave_up, store)
            with m.Case(CommandState.INVALIDATING):
                with m.If(self.invalidation.done):
                    m.d.sync += [state.eq(CommandState.RETIRING),
                                 self.completed.invalidations.eq(1)]
            with m.Case(CommandState.PREFETCHING):
                with m.If(self.prefetched):
                    m.d.sync += [state.eq(CommandState.RETIRING), self.completed.prefetches.eq(1)]
            with m.Case(CommandState.RETIRING):
                m.d.sync += state.eq(CommandState.IDLE)
        self._wait(m, state)
        self._prefetch(m, state, fetch)
        return m

    def _head(self, m, state):
        """CQ_HEAD; whether the queue is on, and whether it was turned off under the command."""
        registers, on, gave_up = self.registers, Signal(name="on"), Signal(name="gave_up")
        mask = Payload(RING_INDEX_BITS, name="mask")     # it changes while the queue is off
        m.d.sync += [on.eq(registers.enable), mask.eq(ring_mask(registers.log2))]
        with m.If(~registers.enable):
            m.d.sync += gave_up.eq(1)
        with m.If(state == CommandState.IDLE):
            m.d.sync += gave_up.eq(~registers.enable)
        with m.If((state == CommandState.RETIRING) & ~gave_up):
            m.d.sync += registers.head.eq(following(registers.head, mask))
        with m.If(registers.enable & ~on):
            m.d.sync += registers.head.eq(0)
        return on, gave_up

    @staticmethod
    def _stop(m, state, gave_up, status):
        """The command stays at the head; it is fetched again when software has cleared the bit."""
        with m.If(~gave_up):
            m.d.sync += status.eq(1)
        m.d.sync += state.eq(CommandState.STOPPED)

    def _fetch_and_decide(self, m, state, on, gave_up, fetch, decode):
        registers, begins = self.registers, Signal()
        m.d.sync += begins.eq((state == CommandState.IDLE) & on
                              & (registers.head != registers.tail) & ~registers.stopped)
        with m.Case(CommandState.IDLE):
            with m.If(registers.enable & on & begins):
                m.d.sync += state.eq(CommandState.FETCHING)
        with m.Case(CommandState.FETCHING):
            with m.If(self.ar.valid & self.ar.ready):
                m.d.sync += state.eq(CommandState.READING)
        with m.Case(CommandState.READING):
            with m.If(fetch.over):
                with m.If(fetch.failed):
                    self._stop(m, state, gave_up, registers.error)
                with m.Else():
                    m.d.sync += state.eq(CommandState.DECIDING)
        with m.Case(CommandState.DECIDING):
            with m.If(decode.decided):
                with m.If(~decode.legal):
                    self._stop(m, state, gave_up, registers.illegal)
                with m.Else():
                    m.d.sync += [state.eq(decode.next),
                                 self.invalidation.start.eq(decode.invalidates)]

    def _fence(self, m, state, gave_up, store):
        """Waits for old walks, and for old beats; then stores."""
        remains = Signal(name="remains")
        m.d.sync += remains.eq(self.mark.remains)
        m.d.comb += store.begins.eq((state == CommandState.OLD_BEATS) & ~remains)

        def done():
            m.d.sync += [state.eq(CommandState.RETIRING), self.completed.fences.eq(1),
                         self.registers.fence.eq(store.fence.signal & ~gave_up)]
        with m.Case(CommandState.OLD_WALKS):
            with m.If(~self.invalidation.outdated):
                m.d.sync += state.eq(CommandState.DRAINING)
        with m.Case(CommandState.OLD_BEATS):
            with m.If(~remains):
                m.d.sync += state.eq(CommandState.STORING)
        with m.Case(CommandState.STORING):
            with m.If(~store.fence.store):
                done()
            with m.Elif(store.sent):
                m.d.sync += state.eq(CommandState.STORED)
        with m.Case(CommandState.STORED):
            with m.If(store.answered):
                with m.If(store.refused):
                    self._stop(m, state, gave_up, self.registers.error)
                with m.Else():
                    done()

    def _wait(self, m, state):
        """States that last for a number of cycles."""
        waited = Signal(range(DRAIN + 2), name="waited")
        draining, stopped = state == CommandState.DRAINING, state == CommandState.STOPPED
        m.d.sync += waited.eq(waited + 1)
        with m.If(~draining & ~stopped):
            m.d.sync += waited.eq(0)
        with m.If(draining & (waited == MARK)):
            m.d.sync += self.mark.set.eq(1)
        with m.If(draining & (waited == MARK_KNOWN)):
            m.d.sync += state.eq(CommandState.OLD_BEATS)
        with m.If(stopped & (waited == STATUS_SET)):
            m.d.sync += state.eq(CommandState.IDLE)

    def _prefetch(self, m, state, fetch):
        """Hands the pages to the core, and waits until they are cached as far as they can be."""
        command, content = data.View(CommandWord0, fetch.words[0]), self.prefetch.payload
        address = data.View(CommandAddress, fetch.words[1])
        offers = Signal(name="offers")      # it was not taken yet
        m.d.comb += [
            self.prefetch.valid.eq(offers & (state == CommandState.PREFETCHING)),
            content.page.eq(address.page),
            *(content[name].eq(command[name]) for name in ("ft", "device", "pasid", "n")),
        ]
        with m.If(state == CommandState.DECIDING):
            m.d.sync += offers.eq(1)
        with m.Elif(self.prefetch.ready):
            m.d.sync += offers.eq(0)
