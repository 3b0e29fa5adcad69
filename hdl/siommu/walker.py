"""The table walker: one event a cycle, a word from memory or the start of a walk; all walks overlap.

Each walk has a slot and an AXI id of the same number, and at most one read under way, so answers
may come in any order. A word or a start taken in cycle *d* is decided in *d* + 1 and the next read
is offered in *d* + 2::

    R channel ──> gearbox ──┐
        └── state RAM ──────┼── decide (WalkStep) ──┬── read queue ── AR channel
    starts ─────────────────┘                       └── finished, cache fills
                gearbox ──> line buffer: the leaf's neighbours (``lines``)

Of a line only the first word is decided; its neighbours pass by while starts are decided.

Entries of the upper levels, contexts and device entries are read by one INCR burst of 8-byte
beats, which is narrow on a wider bus. A leaf of level 1 is read with the whole 64-byte line around
it: a WRAP burst that begins with the beat that holds the leaf, or one beat on a bus of 512 bits.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .axi import Burst, ReadAddress, ReadData
from .bundles import (LINE_BITS, SLOT_BITS, WAY_BITS, ContextInfo, DeviceInfo, Outcome, RegionInfo,
                      RegionKey, TableRead, WalkKey, WalkStart, assign, region_key)
from .config import Config
from .formats import DEVICE_BITS, ENTRY_BYTES, PASID_BITS, PFN_BITS
from .lines import LineWords
from .walk_step import WalkState, WalkStep, leaf_page

__all__ = ["ContextKey", "TableWalker"]

WORD = 8 * ENTRY_BYTES
LINE_BYTES = ENTRY_BYTES << LINE_BITS


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
        Starts the walk of a slot that has none. Not ready in a cycle in which a word is decided,
        nor while ``walks`` walks are in flight.
    anew : Out(1), anew_slot : Out(SLOT_BITS)
        The walk begins in memory, trusting no cache; it does so at most once.
    finished : Out(1), finished_slot, outcome : Out
        A walk has its outcome. Every start is followed by exactly one such cycle, once the memory
        answers; it is not to be refused.
    over : Out(1), over_slot : Out(SLOT_BITS), over_line : Out(1)
        The cycle after the walk's last word: nothing more comes for it (a walk that was refused at
        its start had none). ``over_line``: that word was the end of a line, all of which came; it
        is on ``words``.
    words : Out(LineWords)
        Leaf entries as they come, for the line buffer.
    reading : Out(slots)
        Slots that have a read under way.
    stale : In(slots)
        Slots whose walk began before a flush: they fill no cache.
    ddt_base, ddt_log2, check_ad : In
        Registers (§7).
    device_fill, device_key, device : Out
    context_fill, context_key, context : Out
    region_fill, region_way, region_key, region : Out
        Fills of the context caches and of the walk cache.
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
        The AXI read channels. ``last`` ends a read, whatever its length; a wrong length counts as
        a bus error, and answers with an id that has no read are dropped.
    """

    def __init__(self, config: Config):
        self._config = config
        slots = config.walk_slots
        super().__init__({
            "start": In(stream.Signature(WalkStart)),
            "anew": Out(1),
            "anew_slot": Out(SLOT_BITS),
            "finished": Out(1),
            "finished_slot": Out(SLOT_BITS),
            "outcome": Out(Outcome),
            "over": Out(1),
            "over_slot": Out(SLOT_BITS),
            "over_line": Out(1),
            "words": Out(LineWords),
            "reading": Out(slots),
            "stale": In(slots),
            "ddt_base": In(PFN_BITS),
            "ddt_log2": In(5),
            "check_ad": In(1),
            "device_fill": Out(1),
            "device_key": Out(DEVICE_BITS),
            "device": Out(DeviceInfo),
            "context_fill": Out(1),
            "context_key": Out(ContextKey),
            "context": Out(ContextInfo),
            "region_fill": Out(1),
            "region_way": Out(WAY_BITS),
            "region_key": Out(RegionKey),
            "region": Out(RegionInfo),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        slots = config.walk_slots
        m.submodules.step = step = self._step = WalkStep()
        m.submodules.states = states = memory.Memory(shape=WalkState, depth=slots, init=[])
        m.submodules.keys = keys = memory.Memory(shape=WalkKey, depth=slots, init=[])
        self._beats = LINE_BYTES // config.axi_bytes                    # of a line
        self._turns = max(config.axi_data_width // (2 * WORD), 1)       # of a beat of a line

        self._slot = Signal(SLOT_BITS, name="slot")     # of what is decided in this cycle
        self._deciding = Signal(name="deciding")
        self._changes = Signal(name="changes")          # the state of the walk is another one then
        self._take(m, states.read_port(domain="comb"), keys.read_port(domain="comb"))
        self._decide(m)
        self._pass_by(m)

        state_write, key_write = states.write_port(), keys.write_port()
        m.d.comb += [
            state_write.en.eq(self._changes),
            state_write.addr.eq(self._slot),
            state_write.data.eq(step.following),
            key_write.en.eq(self._begins),
            key_write.addr.eq(self._slot),
            key_write.data.eq(self._key),
        ]
        self._neighbours(m)
        self._lead_on(m)
        self._read(m)
        return m

    def _take(self, m, state_read, key_read):
        """What comes, into registers: beats for the neighbours; for the step a word of its own, with
        the state and key of its walk, or else a start."""
        config, step = self._config, self._step
        slots = config.walk_slots
        self._held, self._beat = Signal(name="held"), Signal(self.r.payload.shape(), name="beat")
        self._turn = Signal(range(max(self._turns, 2)), name="turn")
        held, beat, turn, identity = self._held, self._beat, self._turn, self.r.payload.id
        # By slot: the read is of a line; how many of its beats have come; they are not needed.
        self._lines, self._skips = Signal(slots, name="lines"), Signal(slots, name="skips")
        self._counts = Signal(data.ArrayLayout(LINE_BITS + 1, slots), name="counts")

        # The beat in the registers, for us or not.
        self._word_for_us, self._in_line = Signal(name="word_for_us"), Signal(name="in_line")
        self._count, self._skip = Signal(LINE_BITS + 1, name="count"), Signal(name="skip")
        self._goes_on, self._burst_ends = Signal(name="goes_on"), Signal(name="burst_ends")
        with m.Switch(beat.id):
            for index in range(slots):
                with m.Case(index):
                    m.d.comb += [
                        self._word_for_us.eq(held & self.reading[index]),
                        self._in_line.eq(self._lines[index] & ~self._skips[index]),
                        self._skip.eq(self._skips[index]),
                        self._count.eq(self._counts[index]),
                    ]
        m.d.comb += [
            self._goes_on.eq(self._word_for_us & self._in_line & (turn != self._turns - 1)),
            self._burst_ends.eq(self._word_for_us & beat.last & ~self._goes_on),
            self.r.ready.eq(~held | ~self._goes_on),
        ]
        with m.If(self.r.ready):
            m.d.sync += [held.eq(self.r.valid), beat.eq(self.r.payload), turn.eq(0)]
        with m.Else():
            m.d.sync += turn.eq(turn + 1)

        # Is the beat that comes a word for the step? Of a line, the first one is. If the beat
        # before it is of the same walk, it has not been accounted for yet: behind a line's word
        # comes none for the step, behind a burst's last one none at all, but behind the last one
        # of a line that was skipped the first word of the new beginning.
        steps, comes = Signal(slots), Signal()
        after = Signal()
        for index in range(slots):
            m.d.comb += steps[index].eq(
                self.reading[index] & ~self._skips[index]
                & (~self._lines[index] | (self._counts[index] == 0)))
        m.d.comb += [
            after.eq(held & (beat.id == identity)),
            comes.eq(self.r.valid & self.r.ready & Mux(
                after, self._word_for_us & Mux(self._skip, beat.last, ~self._in_line & ~beat.last),
                (steps >> identity)[0])),
            state_read.addr.eq(identity), key_read.addr.eq(identity),
        ]

        # The registers of the step.
        self._stepping, self._begins = Signal(name="stepping"), Signal(name="begins")
        self._state, self._key = Signal(WalkState, name="state"), Signal(WalkKey, name="key")
        self._began = Signal(WalkStart, name="began")
        self._content = Signal(self.r.payload.shape(), name="word")
        self._of_line = Signal(name="of_line")
        self._active = Signal(range(config.walks + 1), name="active")
        m.d.comb += self.start.ready.eq(~comes & (self._active != config.walks))
        begins = self.start.valid & self.start.ready
        m.d.sync += [
            self._stepping.eq(comes), self._begins.eq(begins),
            self._content.eq(self.r.payload), self._of_line.eq((self._lines >> identity)[0]),
            self._state.eq(state_read.data), self._began.eq(self.start.payload),
            self._slot.eq(Mux(comes, identity, self.start.payload.slot)),
            self._key.eq(Mux(comes, key_read.data.as_value(),
                             self.start.payload.key.as_value())),
        ]
        with m.If(self._changes & (self._slot == identity)):
            m.d.sync += self._state.eq(step.following)
        # The registers of the neighbours: what the levels above allow them.
        self._above, self._above_ft = Signal(WalkState, name="above"), Signal(name="above_ft")
        with m.If(self.r.ready):
            m.d.sync += [self._above.eq(state_read.data), self._above_ft.eq(key_read.data.ft)]

    def _decide(self, m):
        """The step of the walk: for a word, or else for a start."""
        step, state, content, malformed = self._step, self._state, self._content, Signal()
        m.d.comb += [
            self._deciding.eq(self._stepping | self._begins),
            # the neighbours go by the state before the leaf
            self._changes.eq(self._deciding & (step.read | ~self._of_line | self._begins)),
            step.start.eq(self._begins),
            step.walk.eq(self._began),
            step.walk.key.eq(self._key),
            step.state.eq(state),
            step.word.eq(self._word(content.data,
                                    state.entry[3:] + Mux(self._of_line, 0, state.word))),
            # of a line the first word decides; its burst goes on
            malformed.eq(self._of_line & (content.last != (self._beats == 1))),
            step.error.eq(content.resp[1] | malformed),
            step.last.eq(content.last | self._of_line),
            step.shared.eq(self._of_line & ~malformed if self._config.axi_data_width > WORD else 0),
            step.ddt_base.eq(self.ddt_base),
            step.ddt_log2.eq(self.ddt_log2),
            step.check_ad.eq(self.check_ad),
        ]

    def _pass_by(self, m):
        """Counts the beats of lines. When a line leads to a new beginning in memory, what else it
        holds is skipped."""
        again = self._stepping & self._of_line & self._step.read
        self._line_ends = Signal(name="line_ends")
        m.d.comb += self._line_ends.eq(self._burst_ends & self._in_line & ~again)
        with m.If(self._word_for_us):
            with m.Switch(self._beat.id):
                for index in range(self._config.walk_slots):
                    with m.Case(index):
                        count, skip = self._counts[index], self._skips[index]
                        with m.If(self._burst_ends):
                            m.d.sync += [count.eq(0), skip.eq(0)]
                        with m.Elif(again):
                            m.d.sync += skip.eq(1)
                        with m.Elif(self._in_line & ~self._goes_on & ~self._count.all()):
                            m.d.sync += count.eq(self._count + 1)

    def _word(self, content, number):
        """The 64-bit word of the beat ``content`` that is the line's (or page's) ``number``th."""
        lanes = self._config.axi_data_width // WORD
        if lanes == 1:
            return content
        return content.word_select(number[:exact_log2(lanes)], WORD)

    def _neighbours(self, m):
        """Hands the words of lines to the line buffer, one cycle later."""
        config, state, beat = self._config, self._above, self._beat
        entry = state.entry[3:3 + LINE_BITS]    # the word that was asked for
        pages, number = Signal(self.words.pages.shape()), Signal(LINE_BITS)
        if config.axi_data_width == WORD:
            m.d.comb += number.eq(entry + self._count)
            words, enable = [beat.data, beat.data], Cat(~number[0], number[0])
        else:
            per_beat = exact_log2(config.axi_bytes // ENTRY_BYTES)
            pair = (entry[1:] + self._turn)[:per_beat - 1]
            m.d.comb += number.eq(Cat(
                Const(0, 1), pair, (entry[per_beat:] + self._count)[:LINE_BITS - per_beat]))
            words, enable = [self._word(beat.data, Cat(Const(half, 1), pair))
                             for half in (0, 1)], Const(3, 2)
        for page, word in zip(pages, words):
            leaf_page(m, page, ft=self._above_ft, state=state, word=word, check_ad=self.check_ad)
        m.d.sync += [
            self.words.valid.eq(self._word_for_us & self._in_line),
            self.words.slot.eq(beat.id),
            self.words.row.eq(number[1:]),
            self.words.enable.eq(enable),
            self.words.pages.eq(pages),
        ]
        with m.If(beat.resp[1]):        # an error on a neighbour is no fault (§5.1)
            m.d.sync += [field.eq(0) for page in self.words.pages
                         for field in (page.read, page.write)]

    def _lead_on(self, m):
        """What the decision leads to outside: the outcome, and what may be cached."""
        step, key, deciding = self._step, self._step.walk.key, self._deciding
        over = Signal()
        m.d.comb += [
            self.anew.eq(deciding & step.anew),
            self.anew_slot.eq(self._slot),
            self.finished.eq(deciding & step.finish),
            self.finished_slot.eq(self._slot),
            self.outcome.eq(step.outcome),
            over.eq((self._stepping & step.finish & ~self._of_line) | self._line_ends),
        ]
        m.d.sync += [
            self.over.eq(over), self.over_slot.eq(self._beat.id),
            self.over_line.eq(self._line_ends & (self._count == self._beats - 1)),
            self._active.eq(self._active + (self.start.valid & self.start.ready) - over
                            - (self._begins & ~step.read)),
        ]

        fresh = Signal()
        m.d.comb += [
            fresh.eq(deciding & ~(self.stale >> self._slot)[0]),
            self.device_fill.eq(fresh & step.device_fill),
            self.device_key.eq(key.device),
            self.device.eq(step.device),
            self.context_fill.eq(fresh & step.context_fill),
            self.context_key.ft.eq(key.ft),
            self.context_key.device.eq(key.device),
            self.context_key.pasid.eq(key.pasid),
            self.context.eq(step.context),
        ]
        m.d.comb += self.context.devid.eq(step.following.devid)
        # The walk cache is written a cycle later: that stale walks are left out stays true.
        m.d.sync += [
            self.region_fill.eq(fresh & step.region_fill),
            self.region_way.eq(self._state.region_way),
            self.region.eq(step.region),
        ]
        m.d.sync += assign(self.region_key, region_key(key, key.page))

    def _read(self, m):
        """The read address channel."""
        config, step = self._config, self._step
        m.submodules.reads = reads = fifo.SyncFIFO(
            width=data.Layout.cast(TableRead).size, depth=config.walk_slots)
        asked, offered = Signal(TableRead), data.View(TableRead, reads.r_data)
        m.d.comb += [
            asked.slot.eq(self._slot),
            asked.addr.eq(step.following.entry),
            asked.words_minus_one.eq(step.words_minus_one),
            asked.line.eq(step.line),
            reads.w_en.eq(self._deciding & step.read),
            reads.w_data.eq(asked),
        ]
        # A burst that ends leaves nothing under way, unless the next read was asked for.
        for index in range(config.walk_slots):
            with m.If(self._burst_ends & (self._beat.id == index)):
                m.d.sync += self.reading[index].eq((self._stepping & step.read) | self._skip)
            with m.If(self._begins & (self._slot == index)):
                m.d.sync += self.reading[index].eq(step.read)
            with m.If(reads.w_en & (self._slot == index)):
                m.d.sync += self._lines[index].eq(step.line)

        address, beat_bits = self.ar.payload, exact_log2(config.axi_bytes)
        m.d.comb += [
            self.ar.valid.eq(reads.r_rdy),
            reads.r_en.eq(self.ar.ready),
            address.id.eq(offered.slot),
        ]
        with m.If(offered.line):
            m.d.comb += [
                address.addr.eq(Cat(Const(0, beat_bits), offered.addr[beat_bits:])),
                address.len.eq(self._beats - 1),
                address.size.eq(beat_bits),
                address.burst.eq(Burst.WRAP if self._beats > 1 else Burst.INCR),
            ]
        with m.Else():
            m.d.comb += [
                address.addr.eq(offered.addr),
                address.len.eq(offered.words_minus_one),
                address.size.eq(exact_log2(ENTRY_BYTES)),
                address.burst.eq(Burst.INCR),
            ]
