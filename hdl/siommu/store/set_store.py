"""A set-associative store, parity-protected: tags and what belongs to them. It is made for block
RAM; one of few sets lies in LUT RAM (``ClockedRam``).

A look-up is spread over three cycles, because a block RAM is slow to answer::

    index          RAM, pairs of bits        all of them
    (cycle n)      (n + 1)                   (n + 2): ``match``, ``values``, ``place``

A row whose parity is wrong is no match. Neither is one that is written in the very cycle in which
it is read: what a block RAM answers then is not defined, and the memory is marked accordingly.

``RowWriter`` writes the rows, ``StoreScan`` drops what an invalidation asks for, and each
``StoreWay`` compares the rows of its memory.
"""

from amaranth import C, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..lib.contract import require
from ..lib.payload import Payload
from ..pipeline.sizes import WAY_BITS
from ..pipeline.timetable import STORE_MATCH
from .set_index import pair_count
from .set_scan import Scan, StoreScan, set_number_bits
from .set_way import StoreWay
from .set_write import RowWriter, StoreWrite

__all__ = ["SetStore", "StoreLookUp"]

REGISTERS = 2           #: between a key and its match: the block RAM's, those of the pairs of bits

if STORE_MATCH != REGISTERS:
    raise ValueError(f"a look-up in a store takes {REGISTERS} cycles; the timetable has "
                     f"{STORE_MATCH} from COMPARE to MATCH")


class StoreLookUp(wiring.Signature):
    """A look-up in a store, one in every cycle.

    Parameters
    ----------
    key, value : Struct
    ways : int

    Members
    -------
    key : Out(key)
        In cycle *n*.
    match : In(ways)
        In cycle *n* + 2, as what follows, combinational: the ways that hold the key. More than one
        when two fills followed each other closely; they are equally good.
    values : In(ArrayLayout(value, ways))
        What the ways hold.
    place : In(WAY_BITS)
        The way that a fill for the key should take: its own, else a free one, else one in turn.
    errors : In(ways)
        Rows that were read with wrong parity.
    """

    def __init__(self, key, value, ways):
        super().__init__({
            "key": Out(key),
            "match": In(ways),
            "values": In(data.ArrayLayout(value, ways)),
            "place": In(WAY_BITS),
            "errors": In(ways),
        })


class SetStore(wiring.Component):
    """``ways`` × ``sets`` rows of ``key`` and ``value``.

    Parameters
    ----------
    key, value : Struct
    ways : int
        1, 2 or 4.
    sets : int
        A power of two.
    index : callable
        ``index(key, bits)`` is the set of ``key``; keys that follow each other should differ in it.

    Members
    -------
    look_up : In(StoreLookUp(key, value, ways))
    write : In(StoreWrite(key, value))
        Writes a row, in the next cycle. Look-ups of the next cycle do not match it, later ones see
        it. Dropped while sweeping.
    scan : In(Scan(sets)), ignored : In
        Drops from a set what agrees with the looked-up key, but for the pairs of bits that are
        ``ignored`` (a bit each, from the key's lowest; it stays from this cycle on while the scan
        is ``busy``), and rows of a wrong parity. A row that is written in the very cycle in which
        it is read stays.
    flush : In(1)
        Empties the store. No look-up that began before or in this cycle matches; the rows are
        swept in the following ``sets`` cycles, in which nothing matches.
    sweeping : Out(1)
    """

    def __init__(self, *, key, value, ways, sets, index):
        self._key, self._value, self._ways, self._sets = key, value, ways, sets
        self._index = index
        super().__init__({
            "look_up": In(StoreLookUp(key, value, ways)),
            "write": In(StoreWrite(key, value)),
            "scan": In(Scan(sets)),
            "ignored": In(pair_count(key)),
            "flush": In(1),
            "sweeping": Out(1, init=1),
        })

    def elaborate(self, platform):
        m = Module()
        set_bits = set_number_bits(self._sets)
        shape = {"key": self._key, "value": self._value, "set_bits": set_bits, "sets": self._sets}
        m.submodules.writer = writer = RowWriter(ways=self._ways, index=self._index, **shape)
        m.submodules.scanner = scanner = StoreScan(self._ways, set_bits)
        ways = [StoreWay(**shape) for _ in range(self._ways)]
        for number, way in enumerate(ways):
            m.submodules[f"way_{number}"] = way
        connect(m, flipped(self.write), writer.write)
        connect(m, scanner.drop, writer.drop)
        sweeping, scan = writer.sweeping, self.scan
        m.d.comb += [
            writer.flush.eq(self.flush), self.sweeping.eq(sweeping),
            scanner.begins.eq(scan.valid), scanner.sweeping.eq(sweeping),
            scan.busy.eq(scanner.busy),
        ]

        # Which set is looked at, and whether it is known what stands there.
        read_set, read_set_1 = Signal(set_bits), Signal(set_bits)
        written_set_1 = Signal(set_bits)
        calm, calm_1, answered = Signal(), Signal(), Signal()
        key, ignored = Payload(self._key, name="key_1"), Payload(len(self.ignored), name="ignores")
        bits = exact_log2(self._sets)
        m.d.comb += [
            read_set.eq(Mux(scan.valid & ~scan.natural, scan.set,
                            self._index(self.look_up.key, bits)) if bits else 0),
            calm.eq(~sweeping & ~self.flush),
            scanner.trusted.eq(calm_1 & calm), scanner.set.eq(read_set_1),
        ]
        m.d.sync += [
            read_set_1.eq(read_set), written_set_1.eq(writer.rows.set), key.eq(self.look_up.key),
            ignored.eq(self.ignored), calm_1.eq(calm),
            answered.eq(calm_1 & calm & ~scanner.second),
        ]
        for number, way in enumerate(ways):
            m.d.comb += [
                way.read_set.eq(read_set),
                way.key.eq(key), way.ignored.eq(ignored),
                way.collides.eq(written_set_1 == read_set_1),
                way.write.eq(writer.rows.ways[number]), way.write_set.eq(writer.rows.set),
                way.word.eq(writer.rows.word),
                scanner.to_drop[number].eq(way.to_drop),
            ]
        self._answer(m, ways, answered)
        require(m, ~scan.busy | (ignored == self.ignored),
                "what a scan of a store ignores stays while the scan is under way")
        return m

    def _answer(self, m, ways, answered):
        """The match, and the place for a fill."""
        look_up = self.look_up
        for number, way in enumerate(ways):
            m.d.comb += [
                look_up.match[number].eq(way.equal & way.clean & ~way.undefined & answered),
                look_up.values[number].eq(way.value),
                look_up.errors[number].eq(answered & ~way.undefined & ~way.clean),
            ]
        turn = Signal(max(exact_log2(self._ways), 1))
        m.d.sync += turn.eq(turn + 1)
        place = turn if self._ways > 1 else C(0)
        for wanted in ([~way.valid for way in ways], [way.equal for way in ways]):
            for number in reversed(range(self._ways)):      # the last choice counts
                place = Mux(wanted[number], number, place)
        m.d.comb += look_up.place.eq(place)
