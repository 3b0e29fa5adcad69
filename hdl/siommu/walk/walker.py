"""The table walker: one event a cycle, a word from memory or a walk's start; all walks overlap.

Each walk has a slot and an AXI id of the same number, and at most one read under way, so answers
may come in any order. A word or a start taken in cycle *x* is decided in *x* + 1; in *x* + 2 what
follows is in registers, and so on the outputs: the next read, or the outcome, or a cache fill::

         x                      x + 1                   x + 2
    R ───┬─> facts of the word ─┐
         └─> state RAM ─────────┼─> step of the walk ─┬─> AR, or the read queue
    starts ─> facts ────────────┘                     ├─> state RAM
                                                      └─> finished, cache fills    x + 3
    R ─────> gearbox ─> fits? ────> granted? ────────────────────────────────────> words, over

Of a line only the first word is decided; its neighbours pass by (``words``) while starts are
decided. What the words of an entry of several say is gathered without a delay, so that they may
come one a cycle; all else of a walk's state changes with its reads, and no word of a read comes
before the cycle after its address.

Entries of the upper levels, contexts and device entries are read by one INCR burst of 8-byte
beats, which is narrow on a wider bus. A leaf of level 1 is read with the whole 64-byte line around
it: a WRAP burst that begins with the beat that holds the leaf, or one beat on a bus of 512 bits.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import DEVICE_BITS, ENTRY_BYTES, PFN_BITS, Cause, Disposition
from ..bus.axi import Burst, ReadAddress, ReadData
from ..lib.payload import Payload, payload_of
from ..lib.queues import RingQueue
from ..lib.structs import assign
from ..pipeline.grants import Outcome
from ..pipeline.keys import ContextKey, RegionKey, WalkKey, region_key
from ..pipeline.lines import LineWords
from ..pipeline.sizes import ENTRY_ADDR_BITS, LINE_BITS, SLOT_BITS, WAY_BITS
from ..pipeline.tables import ContextInfo, DeviceInfo, Reach, RegionInfo, TableRead, WalkStart
from .step import (
    SAID,
    Facts,
    Gathered,
    Marks,
    StartFacts,
    StartStep,
    WalkState,
    WordFacts,
    WordStep,
    device_entry,
    leaf_fits,
    leaf_page,
    marks,
    next_read,
    out_of_range,
    start_facts,
    words_minus_one,
)

__all__ = ["TableWalker"]

WORD = 8 * ENTRY_BYTES
LINE_BYTES = ENTRY_BYTES << LINE_BITS


class TableWalker(wiring.Component):
    """Walks the tables of main memory (§3, §4).

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(stream.Signature(WalkStart))
        Starts the walk of a slot that has none. Not ready in a cycle in which a word comes that
        is to be decided, nor while ``walks`` walks are in flight.
    stepping : Out(1), stepping_slot : Out(SLOT_BITS)
        A word of this slot's walk is being decided, in the cycle after it came.
    anew : Out(1), anew_slot : Out(SLOT_BITS)
        The walk begins in memory, trusting no cache; it does so at most once. Two cycles after
        the start or the word that led to it, with the address of the first read.
    finished : Out(1), finished_slot, outcome : Out
        A walk has its outcome, two cycles after the word (or the start) that decided it. Every
        start is followed by exactly one such cycle, once the memory answers; it is not to be
        refused.
    over : Out(1), over_slot : Out(SLOT_BITS), over_line : Out(1)
        Three cycles after the walk's last word, and so after ``finished``: nothing more comes for
        it (a walk that was refused at its start had no word). ``over_line``: that word was the end
        of a line, all of which came; it is on ``words``.
    words : Out(LineWords)
        Leaf entries as they come, three cycles before, for the line buffer.
    reading : Out(slots)
        Slots that have a read under way, until ``over``.
    stale : In(slots), flush : In(1)
        Slots whose walk began before a flush (set behind its cycle): they fill no cache.
    ddt_base, ddt_log2, check_ad : In
        Registers (§7).
    device_fill, device_key, device : Out
    context_fill, context_key, context : Out
    region_fill, region_way, region_key, region : Out
        Fills of the context caches and of the walk cache, two cycles after the word.
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
        The AXI read channels. ``last`` ends a read, whatever its length; a wrong length counts as
        a bus error, and answers with an id that has no read are dropped.
    """

    def __init__(self, config: Config):
        self._config = config
        slots = config.walk_slots
        super().__init__({
            "start": In(stream.Signature(WalkStart)),
            "stepping": Out(1),
            "stepping_slot": Out(SLOT_BITS),
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
            "flush": In(1),
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
        self._beats = LINE_BYTES // config.axi_bytes                    # of a line
        self._turns = max(config.axi_data_width // (2 * WORD), 1)       # of a beat of a line

        # The device bits that must be 0.
        self._beyond = Signal(DEVICE_BITS, name="beyond")
        for bit, beyond in enumerate(self._beyond):
            m.d.sync += beyond.eq(self.ddt_log2 <= bit)
        self._ddt_base = Signal(PFN_BITS, name="base")      # of the same moment
        m.d.sync += self._ddt_base.eq(self.ddt_base)

        # What was decided, one cycle later.
        self._asked = Payload(TableRead, name="asked")
        self._asks = Signal(name="asks")        # a read
        self._again = Signal(name="again")      # by a word for the rest of whose line is no need
        self._first = Signal(name="first")      # of its walk

        m.submodules.word = self._word = WordStep()
        m.submodules.begin = self._begin = StartStep()
        self._begins, self._began = Signal(name="begins"), Payload(WalkStart, name="began")
        self._take_beat(m)
        self._take_start(m)
        self._decide(m)
        self._follow_reads(m)
        self._neighbours(m)
        self._lead_on(m)
        self._read(m)
        return m

    def _take_beat(self, m):
        """A beat that comes, into registers: with the state and the key of its walk, with what it
        says, and with its place in its burst."""
        config, slots = self._config, self._config.walk_slots
        payload, identity = self.r.payload, self.r.payload.id
        self._held, self._beat = Signal(name="held"), Payload(payload.shape(), name="beat")
        self._turn = Signal(range(max(self._turns, 2)), name="turn")
        self._ours, self._of_line = Signal(name="ours"), Signal(name="of_line")
        self._count = Signal(LINE_BITS + 1, name="count")

        # On a wide bus, a beat of a line stays for some turns, a pair of words each.
        self._goes_on = Signal(name="goes_on")
        m.d.comb += [
            self._goes_on.eq(self._ours & self._of_line & (self._turn != self._turns - 1)
                             if self._turns > 1 else 0),
            self.r.ready.eq(~self._held | ~self._goes_on),
        ]
        with m.If(self.r.ready):
            m.d.sync += [self._held.eq(self.r.valid), self._turn.eq(0)]
        with m.Else():
            m.d.sync += self._turn.eq(self._turn + 1)

        # Is it of a read? By slot, how many were asked for and how many have ended. (A walk that
        # begins has none; so what a reset left there is forgotten.)
        m.submodules.asks = asks = memory.Memory(shape=2, depth=slots, init=[])
        m.submodules.ends = ends = memory.Memory(shape=2, depth=slots, init=[])
        asked, has_asked = asks.read_port(domain="comb"), asks.read_port(domain="comb")
        ended, has_ended = ends.read_port(domain="comb"), ends.read_port(domain="comb")
        ask, end = asks.write_port(), ends.write_port()
        takes, ours = self.r.valid & self.r.ready, Signal()
        m.d.comb += [
            asked.addr.eq(identity), ended.addr.eq(identity),
            ours.eq(takes & (asked.data != ended.data)),
            end.en.eq(takes & payload.last), end.addr.eq(identity), end.data.eq(ended.data + ours),
            has_asked.addr.eq(self._asked.slot), has_ended.addr.eq(self._asked.slot),
            ask.en.eq(self._asks), ask.addr.eq(self._asked.slot),
            ask.data.eq(Mux(self._first, has_ended.data, has_asked.data) + 1),
        ]

        # Is it one behind the first of a line? All others are for the step. A start is taken when
        # neither such a word comes nor this changes; it sets this right for its slot.
        m.submodules.inside = inside = memory.Memory(shape=1, depth=slots, init=[])
        was_inside, enter = inside.read_port(domain="comb"), inside.write_port()
        in_line, of_line, comes = was_inside.data[0], Signal(), Signal()
        self._occupied = takes & (~in_line | payload.last)
        m.submodules.states = states = memory.Memory(shape=WalkState, depth=slots, init=[])
        state = states.read_port(domain="comb")
        m.d.comb += [
            was_inside.addr.eq(identity), state.addr.eq(identity),
            of_line.eq(in_line | state.data.line),
            comes.eq(ours & ~in_line),
            enter.en.eq(self._occupied | self.start.valid),
            enter.addr.eq(Mux(self._occupied, identity, self.start.payload.slot)),
            enter.data.eq(self._occupied & Mux(ours, of_line & ~payload.last, in_line)),
        ]

        # The number of a line's beat.
        m.submodules.counts = counts = memory.Memory(shape=LINE_BITS + 1, depth=slots, init=[])
        counted, counting = counts.read_port(domain="comb"), counts.write_port()
        count = Signal(LINE_BITS + 1)
        m.d.comb += [
            counted.addr.eq(identity), counting.addr.eq(identity), counting.en.eq(takes),
            count.eq(Mux(in_line, counted.data, 0)),
            counting.data.eq(Mux(count.all(), count, count + 1)),
        ]

        # The walk's key, and what the entry's words before this one said. If the beat before is
        # one of them, that has not been written yet.
        m.submodules.keys = keys = memory.Memory(shape=WalkKey, depth=slots, init=[])
        m.submodules.reaches = reaches = memory.Memory(shape=Reach, depth=slots, init=[])
        known = reaches.read_port(domain="comb")
        m.submodules.gathered = said = memory.Memory(shape=Gathered, depth=slots, init=[])
        key, before = keys.read_port(domain="comb"), said.read_port(domain="comb")
        self._state_write, self._key_write = states.write_port(), keys.write_port()
        self._reach_write = reaches.write_port()
        gathered, follows, gather = Signal(Gathered), Signal(), said.write_port()
        m.d.comb += [
            key.addr.eq(identity), known.addr.eq(identity), before.addr.eq(identity),
            follows.eq(self.stepping & (self._beat.id == identity)),
            gathered.eq(Mux(follows, self._word.gathers.as_value(), before.data.as_value())),
            gather.en.eq(self.stepping | self._begins),
            gather.addr.eq(Mux(self._begins, self._began.slot, self._beat.id)),
            gather.data.eq(self._word.gathers),
        ]
        with m.If(self._begins):
            m.d.comb += [gather.data[name].eq(0) for name in SAID]

        m.submodules.facts = facts = WordFacts()
        malformed = state.data.line & (payload.last != (self._beats == 1))
        number = state.data.entry[3:] + Mux(state.data.line, 0, gathered.word)
        lanes = [payload.data[low:low + WORD] for low in range(0, config.axi_data_width, WORD)]
        noted = [Signal(Marks, name=f"marks_{lane}") for lane in range(len(lanes))]
        for of_lane, lane in zip(noted, lanes):
            m.d.comb += assign(of_lane, marks(lane))
        m.d.comb += [
            facts.state.eq(state.data), facts.key.eq(key.data),
            facts.word.eq(_lane(lanes, number)),
            facts.marks.eq(_lane([each.as_value() for each in noted], number)),
            # of a line the first word decides; its burst goes on
            facts.error.eq(payload.resp[1] | malformed),
            facts.last.eq(payload.last),
            facts.shared.eq(state.data.line & ~malformed if len(lanes) > 1 else 0),
            facts.check_ad.eq(self.check_ad),
        ]

        step = self._word
        self._state, self._key = Payload(WalkState, name="state"), Payload(WalkKey, name="key")
        self._gathered, self._facts = Payload(Gathered, name="said"), Payload(Facts, name="saying")
        self._content, self._reach = Payload(WORD, name="content"), Payload(Reach, name="reach")
        self._device_entry = Payload(ENTRY_ADDR_BITS, name="device_entry")
        self._stale, rejected = Signal(name="of_before_flush"), Signal()
        m.d.sync += [self.stepping.eq(comes),
                     self._stale.eq((self.stale >> identity)[0] | self.flush)]
        with m.If(self.r.ready):
            m.d.sync += [
                self._beat.eq(payload), self._ours.eq(ours), self._of_line.eq(of_line),
                self._count.eq(count), self._state.eq(state.data), self._key.eq(key.data),
                self._gathered.eq(gathered), self._facts.eq(facts.facts),
                self._content.eq(facts.word), self._reach.eq(known.data),
                rejected.eq(out_of_range(key.data, self._beyond)),
                self._device_entry.eq(device_entry(key.data, self._ddt_base)),
            ]
        m.d.comb += [
            self.stepping_slot.eq(self._beat.id),
            step.facts.eq(self._facts), step.state.eq(self._state), step.key.eq(self._key),
            step.gathered.eq(self._gathered), step.word.eq(self._content),
            step.reach.eq(self._reach), step.out_of_range.eq(rejected),
            step.check_ad.eq(self.check_ad),
        ]

    def _take_start(self, m):
        """A start, into registers: with what can be said of its key."""
        config, begin = self._config, self._begin
        facts = Payload(StartFacts, name="beginning")
        # Walks in flight, the one that was taken just before not included, but those that ended in
        # the cycle before; room for one, for two.
        active, left = Signal(range(config.walks + 1), name="active"), Signal(2, name="left")
        after = Signal.like(active)
        room, more = Signal(name="room", init=1), Signal(name="more", init=config.walks > 1)
        self._ended, self._refused = Signal(name="ended"), Signal(name="refused")
        m.d.comb += [
            self.start.ready.eq(~self._occupied & Mux(self._begins, more, room)),
            after.eq(active + self._begins - left),
        ]
        m.d.sync += [
            self._begins.eq(self.start.valid & self.start.ready),
            self._began.eq(self.start.payload), *assign(facts, start_facts(self.start.payload)),
            active.eq(after), room.eq(after < config.walks), more.eq(after + 1 < config.walks),
            left.eq(self._ended + self._refused),
        ]
        m.d.comb += [
            begin.walk.eq(self._began), begin.facts.eq(facts),
            begin.out_of_range.eq(out_of_range(self._began.key, self._beyond)),
            self._key_write.en.eq(self._begins), self._key_write.addr.eq(self._began.slot),
            self._key_write.data.eq(self._began.key),
            self._reach_write.en.eq(self._begins), self._reach_write.addr.eq(self._began.slot),
            self._reach_write.data.eq(self._began.reach),
        ]

    def _decide(self, m):
        """What follows from the word or else from the start, into registers."""
        word, begin, begins, asked = self._word, self._begin, self._begins, self._asked
        anew, first = Signal(), Signal(ENTRY_ADDR_BITS)
        m.d.comb += [
            anew.eq(Mux(begins, begin.anew, word.anew)),
            first.eq(Mux(begins, device_entry(self._began.key, self._ddt_base),
                         self._device_entry)),
        ]
        following, top, state = Payload(WalkState), Payload(), Signal(WalkState)
        top_entry = Payload(ENTRY_ADDR_BITS)
        outcome = payload_of(m, self.outcome)
        m.d.sync += [
            self._first.eq(begins), top.eq(anew), top_entry.eq(first),
            self._asks.eq((self.stepping & word.read) | (begins & begin.read)),
            self._again.eq(self.stepping & self._of_line & word.read),
            asked.slot.eq(Mux(begins, self._began.slot, self._beat.id)),
            following.eq(Mux(begins, begin.following.as_value(), word.following.as_value())),
            self.anew.eq((self.stepping | begins) & anew),
            self.finished.eq((self.stepping & word.finish) | (begins & begin.finish)),
            self._refused.eq(begins & begin.finish),
            outcome.eq(word.outcome),
        ]
        with m.If(begins):
            m.d.sync += [
                outcome.cause.eq(Cause.DEVICE_INVALID), outcome.disposition.eq(Disposition.DENY),
                outcome.level.eq(0), outcome.entry.eq(0), outcome.quiet.eq(0),
            ]
        m.d.comb += [
            *assign(state, next_read(following, top, top_entry)),
            asked.addr.eq(state.entry), asked.line.eq(state.line),
            asked.words_minus_one.eq(words_minus_one(state.table)),
            self.anew_slot.eq(asked.slot), self.finished_slot.eq(asked.slot),
            # the neighbours in a line go by the state before it, which stays until the next read
            self._state_write.en.eq(self._asks), self._state_write.addr.eq(asked.slot),
            self._state_write.data.eq(state),
        ]

    def _follow_reads(self, m):
        """Which slots have a read under way, and when a walk is over. When a line leads to another
        read, what else it holds is skipped: it comes before the words of that."""
        line_ends, ends, slot, complete = Signal(), Signal(), Signal(SLOT_BITS), Signal()
        decided, needed = Signal(), Signal()    # by the last word of a burst; the line that ends
        skips = Signal(self._config.walk_slots)     # by slot: what comes of a line is not needed
        skipped, after = Signal(), Signal()
        m.d.comb += [
            line_ends.eq(self._ours & self._of_line & self._beat.last & ~self._goes_on),
            after.eq(self._again & (self._asked.slot == self._beat.id)),
            # its own first beat is decided as late as this
            needed.eq(ends & ~self._again & ~skipped),
            self._ended.eq(decided | needed),
        ]
        m.d.sync += [
            ends.eq(line_ends), slot.eq(self._beat.id),
            skipped.eq((skips >> self._beat.id)[0] | after),
            complete.eq(self._count == self._beats - 1),
            decided.eq(self.stepping & self._word.finish & ~self._of_line),
            self.over.eq(self._ended), self.over_slot.eq(slot),
            self.over_line.eq(needed & complete),
        ]
        for index, (reading, skip) in enumerate(zip(self.reading, skips)):
            with m.If(self._asks & (self._asked.slot == index)):
                m.d.sync += reading.eq(1)
            with m.Elif(self._ended & (slot == index)):
                m.d.sync += reading.eq(0)
            with m.If(ends & (slot == index)):
                m.d.sync += skip.eq(0)
            with m.Elif(self._again & (self._asked.slot == index)):
                m.d.sync += skip.eq(1)

    def _neighbours(self, m):
        """Hands the words of lines to the line buffer, two cycles later. Those of a line that is
        skipped do no harm there: the walk's next line replaces them, or is not complete."""
        config, state, beat = self._config, self._state, self._beat
        entry = state.entry[3:3 + LINE_BITS]    # the word that was asked for
        number = Signal(LINE_BITS)
        if config.axi_data_width == WORD:
            m.d.comb += number.eq(entry + self._count)
            words, enable = [beat.data, beat.data], Cat(~number[0], number[0])
        else:
            per_beat = exact_log2(config.axi_bytes // ENTRY_BYTES)
            pair = (entry[1:] + self._turn)[:per_beat - 1]
            m.d.comb += number.eq(Cat(
                Const(0, 1), pair, (entry[per_beat:] + self._count)[:LINE_BITS - per_beat]))
            lanes = [beat.data[low:low + WORD] for low in range(0, config.axi_data_width, WORD)]
            words, enable = [_lane(lanes, Cat(Const(half, 1), pair))
                             for half in (0, 1)], Const(3, 2)

        passing = Payload(self.words.shape(), name="passing")   # its pages are yet to be known
        above, above_ft, broken = Payload(WalkState, name="above"), Payload(), Payload()
        passes, held = Signal(name="passes"), Payload(self.words.shape(), name="held_words")
        valid = Signal(name="words_valid")
        m.d.comb += [self.words.eq(held), self.words.valid.eq(valid)]
        m.d.sync += [
            passes.eq(self._ours & self._of_line), valid.eq(passes), passing.slot.eq(beat.id),
            passing.row.eq(number[1:]), passing.enable.eq(enable),
            above.eq(state), above_ft.eq(self._key.ft), broken.eq(beat.resp[1]),
            held.eq(passing),
        ]
        for half, word in enumerate(words):
            passing_word, fits = Payload(WORD, name=f"passes_{half}"), Payload(name=f"fits_{half}")
            m.d.sync += [passing_word.eq(word),
                         fits.eq(leaf_fits(ft=self._key.ft, state=state, word=word))]
            page = Signal(self.words.pages[half].shape(), name=f"page_{half}")
            leaf_page(m, page, fits=fits, ft=above_ft, state=above, word=passing_word,
                      check_ad=self.check_ad)
            m.d.sync += held.pages[half].eq(page)
        with m.If(broken):              # an error on a neighbour is no fault (§5.1)
            m.d.sync += [field.eq(0) for page in held.pages
                         for field in (page.read, page.write)]

    def _lead_on(self, m):
        """What may be cached, into registers. No walk of before a flush fills after it."""
        step, key, fresh = self._word, self._key, Signal()
        device_key, device, context_key, context, region_of, region, region_way = (
            payload_of(m, output) for output in (
                self.device_key, self.device, self.context_key, self.context, self.region_key,
                self.region, self.region_way))
        m.d.comb += fresh.eq(self.stepping & ~self._stale & ~self.flush)
        m.d.sync += [
            self.device_fill.eq(fresh & step.device_fill),
            device_key.eq(key.device),
            device.eq(step.device),
            self.context_fill.eq(fresh & step.context_fill),
            context_key.ft.eq(key.ft),
            context_key.device.eq(key.device),
            context_key.pasid.eq(key.pasid),
            context.eq(step.context),
            self.region_fill.eq(fresh & step.region_fill),
            region_way.eq(self._state.region_way),
            region.eq(step.region),
        ]
        m.d.sync += assign(region_of, region_key(key, key.page))

    def _read(self, m):
        """The read address channel: what waits in the queue, or else what was just asked for."""
        config, asked = self._config, self._asked
        m.submodules.reads = reads = RingQueue(TableRead, config.walk_slots)
        offered = Signal(TableRead)
        m.d.comb += [
            offered.eq(Mux(reads.r.valid, reads.r.payload.as_value(), asked.as_value())),
            reads.w.payload.eq(asked),
            reads.w.valid.eq(self._asks & (reads.r.valid | ~self.ar.ready)),
        ]
        address, beat_bits = self.ar.payload, exact_log2(config.axi_bytes)
        m.d.comb += [
            self.ar.valid.eq(reads.r.valid | self._asks),
            reads.r.ready.eq(self.ar.ready),
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


def _lane(lanes, number):
    """The one of ``lanes``, the words of a beat, that is the line's (or page's) ``number``th."""
    if len(lanes) == 1:
        return lanes[0]
    return Cat(lanes).word_select(number[:exact_log2(len(lanes))], len(lanes[0]))
