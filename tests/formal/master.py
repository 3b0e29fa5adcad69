"""The AXI4 master's channels (§2.2), as walker, command queue, fault queue and fences share them:
every offer stands; every burst is a legal one, within 4 KiB, with an id that belongs to who asks;
a write has its beats, the last one marked, and strobes of its own bytes alone; what is asked for
comes out once, in its order. One read of the walker is chosen, any one, and followed."""

from types import SimpleNamespace

from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, connect

from siommu.arch.config import Config
from siommu.bus.axi import Burst
from siommu.bus.share import FENCES_ID, READ_ID, RECORDS_ID, ReadShare, WriteShare
from siommu.control.command_fetch import CommandFetch
from siommu.control.fence_store import FenceStore
from siommu.control.record_writer import RecordWriter
from siommu.control.rings import RING_INDEX_BITS
from siommu.pipeline.sizes import ENTRY_ADDR_BITS
from siommu.pipeline.tables import TableRead
from siommu.walk.read_port import ReadPort
from siommu.walk.state import Table

from .state import State
from .temporal import assert_stream, delayed

__all__ = ["MasterReadsProof", "MasterWritesProof"]

TINY = Config(device_ports=1, cpu_port=False, walks=1)
BYTES = TINY.axi_bytes
PAGE = 12       #: bits of an address within 4 KiB


class MasterReadsProof(Component):
    """The read address channel: the walker's slots, and the command queue."""

    asks: In(1)
    slot: In(1)
    table: In(3)
    line: In(1)
    entry: In(ENTRY_ADDR_BITS)
    mark: In(1)
    fetches: In(1)
    base: In(40)
    head: In(RING_INDEX_BITS)
    ready: In(1)

    def elaborate(self, platform):
        m = Module()
        port, fetch, share = ReadPort(TINY), CommandFetch(TINY), ReadShare(TINY)
        states = [State(each) for each in (port, share, fetch)]
        m.submodules.port, m.submodules.share, m.submodules.fetch = (
            each.fragment for each in states)
        connect(m, port.ar, share.walker_ar)
        connect(m, fetch.ar, share.commands_ar)
        ar, address, state = share.ar, share.ar.payload, port.asked.payload.state
        fetching = Signal()
        m.d.comb += [
            port.asked.valid.eq(self.asks), port.asked.payload.slot.eq(self.slot),
            state.table.eq(self.table), state.line.eq(self.line), state.entry.eq(self.entry),
            ar.ready.eq(self.ready), fetch.base.eq(self.base), fetch.head.eq(self.head),
            fetch.idle.eq(~fetching), fetch.asks.eq(fetching),
        ]
        ours = address.id == READ_ID(TINY)
        taken, walks = ar.valid & ar.ready, ar.valid & ar.ready & ~ours
        m.d.sync += fetching.eq(Mux(fetching, ~(taken & ours), self.fetches))

        # An entry is aligned to its size; a line is read of page tables alone.
        words = Mux(self.table == Table.CONTEXT, 3, self.table == Table.DEVICE)
        waiting, marked = Signal(range(TINY.walk_slots + 1)), Signal()
        m.d.sync += [
            waiting.eq(waiting + self.asks - walks), marked.eq(marked | (self.asks & self.mark)),
            Assume(~self.asks | (waiting < TINY.walk_slots)), Assume(~self.mark | ~marked),
            Assume(self.entry[:3] == 0), Assume((self.entry[3:5] & words) == 0),
            Assume(self.table <= Table.PAGE_TABLE),
            Assume(~self.line | (self.table == Table.PAGE_TABLE)),
        ]

        # A burst: INCR from an aligned address, or WRAP around a line of 64 bytes.
        beats, first = address.len + 1, address.addr[:PAGE]
        last = first + (address.len << address.size)
        wraps = address.burst == Burst.WRAP
        assert_stream(m, ar)
        with m.If(ar.valid):
            m.d.sync += [
                Assert(address.size == 3), Assert(first[:3] == 0),
                Assert(wraps | (last < 1 << PAGE)),
                Assert((address.burst == Burst.INCR) | wraps), Assert(~wraps | (beats == 8)),
                Assert(wraps | (beats == 1) | (beats == 2) | (beats == 4)),
                Assert(ours | (address.id < TINY.walk_slots)), Assert(~ours | (beats == 2)),
                Assert(ours | waiting.any() | self.asks), Assert(~ours | fetching),
            ]

        # The marked read: nothing of it changes on its way, nor does it go before others.
        waits, ahead, sent = Signal(), Signal.like(waiting), Signal(ENTRY_ADDR_BITS + 4)
        what = Cat(self.entry, self.slot, self.line, words[:2])
        comes = self.asks & self.mark
        is_it = (comes & ~waiting.any()) | (waits & ~ahead.any())
        wanted = Mux(comes, what, sent)
        entry, slot, line, more = (wanted[:ENTRY_ADDR_BITS], wanted[ENTRY_ADDR_BITS],
                                   wanted[ENTRY_ADDR_BITS + 1], wanted[ENTRY_ADDR_BITS + 2:])
        with m.If(comes):
            m.d.sync += [sent.eq(what), ahead.eq(waiting - walks), waits.eq(~(is_it & walks))]
        with m.Elif(walks & waits):
            m.d.sync += [ahead.eq(ahead - 1), waits.eq(ahead.any())]
        with m.If(ar.valid & ~ours & is_it):
            m.d.sync += [Assert(address.id == slot), Assert(address.addr == entry),
                         Assert(wraps == line), Assert(address.len == Mux(line, 7, more))]
        served = Signal()
        m.d.sync += [
            served.eq(served | (taken & ours)),
            Cover(walks & is_it & line & delayed(m, waits & ~walks, 1) & served),
            Cover(taken & ours & waiting.any()),
        ]
        self._invariants(m, states, fetching, SimpleNamespace(
            waiting=waiting, marked=marked, waits=waits, ahead=ahead, sent=sent))
        return m

    def _invariants(self, m, states, fetching, known):
        """Of the state: what waits in the queue is legal, and the marked read is in its place."""
        port, share, fetch = states
        head, tail, some = (port.signal(f"reads.{name}") for name in ("head", "tail", "some"))
        waiting = known.waiting
        m.d.sync += [
            Assert(some == waiting.any()), Assert(tail == (head + waiting)[:len(tail)]),
            Assert(waiting <= TINY.walk_slots), Assert(~known.waits | (known.ahead < waiting)),
            Assert(~known.waits | known.marked), Assert(~share.signal("turn") | fetching),
            Assert(fetch.signal("place")[:4] == 0),
        ]
        place = (head + known.ahead)[:len(head)]
        for row in range(TINY.walk_slots):
            read = TableRead(port.row("reads.entries", row))
            words, there = read.words_minus_one, Signal(name=f"there_{row}")
            m.d.comb += there.eq((row - head)[:len(head)] < waiting)
            with m.If(there):
                m.d.sync += [
                    Assert(read.slot < TINY.walk_slots), Assert(read.addr[:3] == 0),
                    Assert((read.addr[3:5] & words) == 0), Assert(words != 2),
                    Assert(~read.line | (words == 0)),
                ]
            with m.If(known.waits & (place == row)):
                m.d.sync += Assert(known.sent == Cat(read.addr, read.slot[0], read.line, words))


class MasterWritesProof(Component):
    """The write channels: records of the fault queue, and stores of fences."""

    record: In(1)
    index: In(RING_INDEX_BITS)
    fence: In(1)
    target: In(64)
    aw_ready: In(1)
    w_ready: In(1)

    def elaborate(self, platform):
        m = Module()
        writer, store, share = RecordWriter(TINY), FenceStore(TINY), WriteShare(TINY)
        states = [State(each) for each in (writer, store, share)]
        m.submodules.writer, m.submodules.store, m.submodules.share = (
            each.fragment for each in states)
        connect(m, writer.aw, share.records_aw)
        connect(m, writer.w, share.records_w)
        connect(m, store.aw, share.fences_aw)
        connect(m, store.w, share.fences_w)
        aw, w, storing, target = share.aw, share.w, Signal(), Signal(64)
        begins = self.fence & ~storing
        m.d.comb += [
            writer.begins.eq(self.record & ~writer.writing), writer.index.eq(self.index),
            writer.base.eq(1), store.begins.eq(begins), store.fence.store.eq(1),
            store.storing.eq(storing), store.target.eq(target),
            aw.ready.eq(self.aw_ready), w.ready.eq(self.w_ready),
        ]
        m.d.sync += [storing.eq(Mux(storing, ~store.sent, self.fence)),
                     Assume(self.target[:2] == 0)]
        with m.If(begins):
            m.d.sync += target.eq(self.target)

        assert_stream(m, aw)
        assert_stream(m, w)
        sent, ended, beats = Signal(), Signal(), Signal(3)
        length, size, place = Signal(8), Signal(3), Signal(3)       # of the address that was sent
        address, content = aw.payload, w.payload
        of_record = address.id == RECORDS_ID
        goes, moves = aw.valid & aw.ready, w.valid & w.ready
        over = (sent | goes) & (ended | (moves & content.last))
        m.d.sync += [sent.eq((sent | goes) & ~over),
                     ended.eq((ended | (moves & content.last)) & ~over),
                     beats.eq(Mux(over, 0, beats + moves))]
        with m.If(goes):
            m.d.sync += [length.eq(address.len), size.eq(address.size), place.eq(address.addr)]
        expected, narrow, lane = Mux(sent, length, address.len), Signal(), Signal(3)
        m.d.comb += [narrow.eq(Mux(sent, size, address.size) == 2),
                     lane.eq(Mux(sent, place, address.addr[:3]))]
        bytes_ = Mux(narrow, Const(0xF, BYTES) << lane, (1 << BYTES) - 1)
        with m.If(aw.valid):
            last = address.addr[:PAGE] + (address.len << address.size)
            m.d.sync += [
                Assert(~sent), Assert(last < 1 << PAGE),
                Assert(of_record | (address.id == FENCES_ID)),
                Assert(~of_record | ((address.len == 3) & (address.size == 3)
                                     & (address.addr[:5] == 0))),
                Assert(of_record | ((address.len == 0) & (address.size == 2)
                                    & (address.addr == target))),
                Assert(Mux(of_record, writer.writing, storing)),
            ]
        with m.If(w.valid):
            m.d.sync += [
                Assert(~ended), Assert(sent | aw.valid), Assert(content.strb == bytes_),
                Assert(content.last == (beats == expected)),
            ]

        # Each burst once: as many as were begun.
        owed = Signal(4)
        m.d.sync += [owed.eq(owed + writer.begins + begins - over), Assert(owed <= 2),
                     Assert(~(aw.valid | w.valid) | owed.any())]
        m.d.sync += [Cover(over & ~narrow & delayed(m, storing, 3) & storing & (owed == 2)),
                     Cover(over & narrow & writer.writing), Cover(ended & aw.valid)]
        self._invariants(m, states, storing, target, SimpleNamespace(
            sent=sent, ended=ended, beats=beats, length=length, size=size, place=place, owed=owed))
        return m

    def _invariants(self, m, states, storing, target, known):
        """Of the state: what is still on offer, and what of a burst has gone."""
        writer, store, share = states
        writing, began, addressing, turns, address = (writer.signal(name) for name in (
            "writing", "began", "addressing", "turns", "address"))
        wants_address, wants_data = store.signal("offers_address"), store.signal("offers_data")
        busy, fence = share.signal("busy"), share.signal("fence")
        one_hot = Cat(turns == 1 << beat for beat in range(len(turns)))
        m.d.sync += [
            Assert(~(began | addressing | turns.any()) | writing), Assert(address[:5] == 0),
            Assert(~began | ~(addressing | turns.any())), Assert(~turns.any() | one_hot.any()),
            Assert(storing | ~(wants_address | wants_data)), Assert(target[:2] == 0),
            Assert(known.owed == writing + (wants_address | wants_data)),
        ]
        with m.If(~busy):
            m.d.sync += [
                Assert(~known.sent & ~known.ended & (known.beats == 0)),
                Assert(wants_address == wants_data),
            ]
        with m.If(~(busy & ~fence)):
            m.d.sync += Assert(~writing | began | (addressing & turns[0]))
        with m.If(~(busy & fence)):
            m.d.sync += Assert(wants_address == wants_data)
        with m.If(busy & fence):
            m.d.sync += [
                Assert(wants_address | wants_data), Assert(known.sent == ~wants_address),
                Assert(known.ended == ~wants_data), Assert(known.beats == known.ended),
                Assert(~known.sent | ((known.length == 0) & (known.size == 2)
                                      & (known.place == target[:3]))),
            ]
        with m.If(busy & ~fence):
            m.d.sync += [
                Assert(writing & ~began), Assert(known.sent == ~addressing),
                Assert(addressing | turns.any()), Assert(known.ended == ~turns.any()),
                Assert(Mux(known.ended, known.beats == 4,
                           (turns >> known.beats)[0] & ~known.beats[2])),
                Assert(~known.sent | ((known.length == 3) & (known.size == 3))),
            ]
