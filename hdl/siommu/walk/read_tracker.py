"""Which slots have a read under way, and which of the beats that come is whose.

::

    r ──> is a read of its id under way? is it behind the first beat of a line?
          │ at once: ``decides`` (it has a word to be decided), ``occupied`` (no start now)
          └─ registers ──> ``beat``

By slot, LUT RAMs count the reads that were asked for and those that have ended. They are compared
modulo 4: a slot has at most two reads under way, a line whose rest is skipped and the read that
its first word led to. Answers with an id that has no read are dropped.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..bus.axi import ReadData
from ..lib.clocked_ram import words_for
from ..lib.contract import require
from ..lib.event import Event
from ..lib.payload import Payload
from ..lib.watch import watch
from ..pipeline.sizes import LINE_BITS, SLOT_BITS
from .state import Beat, NextRead, turns

__all__ = ["ReadTracker"]


class ReadTracker(wiring.Component):
    """Follows the bursts on the AXI read data channel.

    Parameters
    ----------
    config : Config

    Members
    -------
    r : In(stream.Signature(ReadData))
        ``last`` ends a read, whatever its length. On a wide bus a beat of a line stays for some
        cycles, a pair of its words each.
    line : In(1)
        The read under way of the id on ``r`` is that of a line. Combinational from ``r``.
    asked : In(Event(NextRead))
        A read is asked for. A slot has at most one other read under way, whose rest is skipped; no
        word of it comes before the next cycle.
    starting : In(1), starting_slot : In(SLOT_BITS)
        A walk of this slot, which has no read under way, is offered. (Not ``occupied``, and so
        set right for the slot.)
    occupied : Out(1)
        The RAM that follows lines is busy with a beat: no start may be taken. Combinational.
    decides : Out(1)
        The beat that is taken has a word to be decided: any but those behind the first of a line.
        Combinational.
    beat : Out(Event(Beat))
        A beat of a read, in the cycle after it was taken, for as many cycles as it has turns.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
            "line": In(1),
            "asked": In(Event(NextRead(config))),
            "starting": In(1),
            "starting_slot": In(SLOT_BITS),
            "occupied": Out(1),
            "decides": Out(1),
            "beat": Out(Event(Beat(config.axi_data_width))),
        })

    def elaborate(self, platform):
        m = Module()
        takes = self.r.valid & self.r.ready
        ours = self._match_reads(m, takes)
        in_line, of_line = self._follow_lines(m, takes, ours)
        count = self._count_beats(m, takes, in_line)
        self._hold(m, ours=ours, of_line=of_line, count=count)
        return m

    def _match_reads(self, m, takes):
        """Returns whether the beat that is taken is one of a read under way. (A walk that begins
        has none; so what a reset left in the RAMs is forgotten with its first read.)"""
        slots, identity, asked = self._config.walk_slots, self.r.payload.id, self.asked
        m.submodules.asks = asks = memory.Memory(shape=2, depth=words_for(slots), init=[])
        m.submodules.ends = ends = memory.Memory(shape=2, depth=words_for(slots), init=[])
        asks_now, asks_before = asks.read_port(domain="comb"), asks.read_port(domain="comb")
        ends_now, ends_before = ends.read_port(domain="comb"), ends.read_port(domain="comb")
        ask, end, ours = asks.write_port(), ends.write_port(), Signal()
        m.d.comb += [
            asks_now.addr.eq(identity), ends_now.addr.eq(identity),
            ours.eq(takes & (asks_now.data != ends_now.data)),
            end.en.eq(takes & self.r.payload.last), end.addr.eq(identity),
            end.data.eq(ends_now.data + ours),
            asks_before.addr.eq(asked.payload.slot), ends_before.addr.eq(asked.payload.slot),
            ask.en.eq(asked.valid), ask.addr.eq(asked.payload.slot),
            ask.data.eq(Mux(asked.payload.first, ends_before.data, asks_before.data) + 1),
        ]
        under_way = (asks_before.data - ends_before.data)[:2]
        require(m, ~asked.valid | asked.payload.first | (under_way <= 1),
                "A slot asks for a read while it has at most one under way, which is skipped.")
        for name, port, reads in (("asks", ask, (asks_now, asks_before)),
                                  ("ends", end, (ends_now, ends_before))):
            for when, read in zip(("now", "before"), reads):
                watch(m, f"watch_{name}_{when}", port, read, written=True)
        return ours

    def _follow_lines(self, m, takes, ours):
        """Returns whether the beat that comes is one behind the first of a line, and whether it is
        one of a line. A start is taken when the RAM is not written by a beat that matters; the
        start sets it right for its slot."""
        identity, last = self.r.payload.id, self.r.payload.last
        m.submodules.inside = inside = memory.Memory(
            shape=1, depth=words_for(self._config.walk_slots), init=[])
        was_inside, enter = inside.read_port(domain="comb"), inside.write_port()
        in_line, of_line = was_inside.data[0], Signal()
        m.d.comb += [
            was_inside.addr.eq(identity),
            of_line.eq(in_line | self.line),
            self.decides.eq(ours & ~in_line),
            self.occupied.eq(takes & (~in_line | last)),
            enter.en.eq(self.occupied | self.starting),
            enter.addr.eq(Mux(self.occupied, identity, self.starting_slot)),
            enter.data.eq(self.occupied & Mux(ours, of_line & ~last, in_line)),
        ]
        watch(m, "watch_inside", enter, was_inside, written=True)
        return in_line, of_line

    def _count_beats(self, m, takes, in_line):
        """Returns the number of the beat in its line; it stays at its highest value, so that a
        burst that is too long is never taken for a whole line."""
        identity = self.r.payload.id
        m.submodules.counts = counts = memory.Memory(
            shape=LINE_BITS + 1, depth=words_for(self._config.walk_slots), init=[])
        before, after = counts.read_port(domain="comb"), counts.write_port()
        count = Signal(LINE_BITS + 1)
        m.d.comb += [
            before.addr.eq(identity), after.addr.eq(identity), after.en.eq(takes),
            count.eq(Mux(in_line, before.data, 0)),
            after.data.eq(Mux(count.all(), count, count + 1)),
        ]
        watch(m, "watch_counts", after, before, counts=takes & in_line, written=True)
        return count

    def _hold(self, m, *, ours, of_line, count):
        """The beat, into registers; on a wide bus, one of a line stays for its turns."""
        payload, width = self.r.payload, self._config.axi_data_width
        held, valid, turn = Signal(), Signal(), Signal.like(self.beat.payload.turn)
        beat, last, stays = Payload(Beat(width)), Payload(), Signal()
        more_turns = turn != turns(width) - 1 if turns(width) > 1 else 0
        m.d.comb += [
            stays.eq(valid & beat.of_line & more_turns),
            self.r.ready.eq(~held | ~stays),
            self.beat.valid.eq(valid), self.beat.payload.eq(beat),
            self.beat.payload.turn.eq(turn), self.beat.payload.ends.eq(last & ~stays),
        ]
        with m.If(self.r.ready):
            m.d.sync += [held.eq(self.r.valid), turn.eq(0), valid.eq(ours)]
        with m.Else():
            m.d.sync += turn.eq(turn + 1)
        with m.If(self.r.ready & self.r.valid):     # what the bus says beside a beat stays outside
            m.d.sync += [
                last.eq(payload.last), beat.slot.eq(payload.id), beat.data.eq(payload.data),
                beat.error.eq(payload.resp[1]), beat.of_line.eq(of_line), beat.count.eq(count),
            ]
