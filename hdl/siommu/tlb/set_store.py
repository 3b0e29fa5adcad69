"""A set-associative store in block RAM, parity-protected: tags and what belongs to them.

A look-up is spread over three cycles, because a block RAM is slow to answer::

    index          RAM, pairs of bits        all of them
    (cycle n)      (n + 1)                   (n + 2): ``match``, ``values``, ``place``

A row whose parity is wrong is no match. Neither is one that is written in the very cycle in which
it is read: what a block RAM answers then is not defined, and the memory is marked accordingly.
A store of few sets is made for LUT RAM, where the address is registered instead of the answer.
"""

from amaranth import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..lib.payload import Payload
from ..pipeline.sizes import WAY_BITS

__all__ = ["FEW_SETS", "SetStore", "guarded", "guarded_bits", "ignored", "parity_sums", "sound",
           "space_index", "unguarded"]

PARITY_SPAN = 15        #: bits that one parity bit watches over: with it, two levels of LUT4
FEW_SETS = 32           #: as many sets, or fewer, are cheaper in LUT RAM


def guarded(value):
    """``value`` with a parity bit behind each 15 of its bits, and behind the last ones.

    What is added up together lies together, and so in one block RAM of a wide memory.
    """
    pieces = (value[low:low + PARITY_SPAN] for low in range(0, len(value), PARITY_SPAN))
    return Cat(Cat(piece, piece.xor()) for piece in pieces)


def guarded_bits(width):
    """How many bits :func:`guarded` gives for ``width`` bits."""
    return width - width // -PARITY_SPAN


def unguarded(word):
    """The value in a :func:`guarded` word."""
    return Cat(word[low:low + PARITY_SPAN + 1][:-1]
               for low in range(0, len(word), PARITY_SPAN + 1))


def parity_sums(word):
    """What says whether a :func:`guarded` word is undamaged: sums of four bits each, the first
    half of the work, to be registered in front of :func:`sound`."""
    return Cat(word[low:low + 4].xor() for low in range(0, len(word), 4))


def sound(sums):
    """Whether the :func:`parity_sums` are those of an undamaged word."""
    return ~Cat(sums[low:low + 4].xor() for low in range(0, len(sums), 4)).any()


def space_index(number, key, bits):
    """A set for ``number`` (of a line or a region) in the address space of ``key``.

    Neighbouring numbers get different sets. The low bits of PASID and device, which differ most,
    go to the upper end of the index, so that spaces that use the same addresses spread too.
    """
    if not bits:
        return C(0, 1)
    sums = [[] for _ in range(bits)]        # as sums of many bits, which are made trees of
    for place, bit in enumerate(number):
        sums[place % bits].append(bit)
    for place, bit in enumerate(key.pasid):
        sums[-1 - place % bits].append(bit)
    for place, bit in enumerate(key.device):
        sums[(-2 - place) % bits].append(bit)
    sums[bits // 2].append(key.ft)
    return Cat(Cat(terms).xor() for terms in sums)


def ignored(invalidation, key, low):
    """The pairs of bits of a ``key`` (a Struct: LineKey, RegionKey) that an invalidation does not
    look at. The key's last field holds an address from page bit ``low`` on."""
    chosen = {"ft": invalidation.by_ft, "device": invalidation.by_device,
              "pasid": invalidation.by_pasid}
    pairs, n = {}, invalidation.n
    for name, field in data.Layout.cast(key):
        for bit in range(field.offset, field.offset + field.width):
            # ``canonical`` is 1 in everything that is stored
            if name in chosen:
                pairs[bit // 2] = ~chosen[name]
            elif name != "canonical":
                top = low + (bit - field.offset | 1)        # page bit of the pair's upper half
                pairs[bit // 2] = ~invalidation.by_addr | (n > top - 1)
    return Cat(pairs[number] for number in sorted(pairs))


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
    block_ram : bool
        Made for block RAM, else for LUT RAM; by default, as ``sets`` suggests. The behaviour is
        the same.
    guarded : bool
        Rows carry parity.

    Members
    -------
    key : In(key)
        Looked up in every cycle *n*.
    match : Out(ways)
        In cycle *n* + 2, combinational: the ways that hold the key. More than one when two fills
        followed each other closely; they are equally good.
    values : Out
        In cycle *n* + 2: what the ways hold.
    place : Out(WAY_BITS)
        In cycle *n* + 2: the way that a fill for the key should take: its own, else a free one,
        else one in turn.
    write : In(1), write_way, write_key, write_value, write_valid
        Writes a row, in the next cycle; with ``write_valid`` = 0 it is empty afterwards. Look-ups
        of the next cycle do not match it, later ones see it. Dropped while sweeping.
    scan : In(1), scan_set : In, scan_natural : In(1), ignored : In
        Drops from set ``scan_set`` (or, with ``scan_natural``, from the set of ``key``) what
        agrees with ``key``, but for the pairs of bits that are ``ignored`` (a bit each, from the
        key's lowest; it must not change from the cycle before
        on, and while ``scanning``), and rows of a wrong parity. Takes
        the place of the look-up in cycle *n*, which finds nothing.
    scanning : Out(1)
        A scan of before is under way.
    flush : In(1)
        Empties the store. No look-up that began before or in this cycle matches; the rows are
        swept in the following ``sets`` cycles, in which nothing matches.
    sweeping : Out(1)
    errors : Out(ways)
        In cycle *n* + 2: rows that were read with wrong parity.
    """

    def __init__(self, *, key, value, ways, sets, index, block_ram=None, guarded=True):
        self._key, self._value, self._ways, self._sets = key, value, ways, sets
        self._index, self._guarded = index, guarded
        self._block_ram = sets > FEW_SETS if block_ram is None else block_ram
        super().__init__({
            "key": In(key),
            "match": Out(ways),
            "values": Out(data.ArrayLayout(value, ways)),
            "place": Out(WAY_BITS),
            "write": In(1),
            "write_way": In(WAY_BITS),
            "write_key": In(key),
            "write_value": In(value),
            "write_valid": In(1),
            "scan": In(1),
            "scan_set": In(max(exact_log2(sets), 1)),
            "scan_natural": In(1),
            "ignored": In(-(-data.Layout.cast(key).size // 2)),
            "scanning": Out(1),
            "flush": In(1),
            "sweeping": Out(1, init=1),
            "errors": Out(ways),
        })

    def elaborate(self, platform):
        m = Module()
        ways, sets = self._ways, self._sets
        bits = exact_log2(sets)
        row = data.StructLayout({"key": self._key, "value": self._value, "valid": 1})
        word = unsigned(guarded_bits(row.size) if self._guarded else row.size)

        look_at, write_at, swept = (Signal(max(bits, 1)) for _ in range(3))
        m.d.comb += look_at.eq(Mux(self.scan & ~self.scan_natural, self.scan_set,
                                   self._index(self.key, bits)) if bits else 0)
        with m.If(self.sweeping):
            m.d.sync += swept.eq(swept + 1)
            with m.If(swept == sets - 1):
                m.d.sync += self.sweeping.eq(0)
        with m.If(self.flush):
            m.d.sync += [self.sweeping.eq(1), swept.eq(0)]

        # A write waits for a cycle, in which its set is found. One of the cycle of a flush meets
        # the sweep and is dropped as well.
        pending, pending_way, pending_at = Signal(), Signal(WAY_BITS), Signal.like(write_at)
        content, written = Payload(row), Signal(row)
        m.d.sync += [
            pending.eq(self.write & ~self.sweeping), pending_way.eq(self.write_way),
            pending_at.eq(self._index(self.write_key, bits) if bits else 0),
            content.key.eq(self.write_key), content.value.eq(self.write_value),
            content.valid.eq(self.write_valid),
        ]
        # What a scan drops is written when nothing else is.
        scans, drops, drop_at = Signal(2), Signal(ways), Signal.like(write_at)
        dropping = Signal()
        m.d.comb += [
            dropping.eq(drops.any() & ~pending & ~self.sweeping),
            self.scanning.eq(scans.any() | drops.any()),
            write_at.eq(Mux(dropping, drop_at, pending_at)),
        ]
        m.d.sync += scans.eq(Cat(self.scan, scans))
        with m.If(dropping | self.sweeping):
            m.d.sync += drops.eq(0)
        with m.If(self.sweeping):
            m.d.comb += write_at.eq(swept)
        m.d.comb += [       # an empty row may hold anything
            written.eq(content), written.valid.eq(content.valid & ~self.sweeping & ~dropping),
        ]
        stored = guarded(written.as_value()) if self._guarded else written.as_value()

        trusted, answered = Signal(), Signal()      # the look-up in the RAM, in the comparison
        scanned, scanned_at = Signal(), Signal.like(look_at)
        looked_at, wrote_at = Signal.like(look_at), Signal.like(write_at)
        m.d.sync += [
            trusted.eq(~self.sweeping & ~self.flush),
            answered.eq(trusted & ~self.sweeping & ~self.flush & ~scans[0]),
            scanned.eq(trusted & ~self.sweeping & ~self.flush & scans[0]),
            looked_at.eq(look_at), wrote_at.eq(write_at), scanned_at.eq(looked_at),
        ]
        with m.If(scanned):
            m.d.sync += drop_at.eq(scanned_at)
        turn = Signal(max(exact_log2(ways), 1))
        m.d.sync += turn.eq(turn + 1)
        ignored_ = Payload(len(self.ignored), name="ignores")
        m.d.sync += ignored_.eq(self.ignored)
        equal, free = Signal(ways), Signal(ways)
        key = Payload(len(Value.cast(self.key)))    # in the RAM
        m.d.sync += key.eq(self.key)
        for way in range(ways):
            ram = memory.Memory(shape=word, depth=max(sets, 2), init=[], attrs={"no_rw_check": 1})
            m.submodules[f"way_{way}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            # A block RAM's read port is merged with the register behind it, and so knows that
            # collisions do not matter; Amaranth's own kind of synchronous port does not.
            answer, found = Payload(word), read.data
            if self._block_ram:
                m.d.sync += answer.eq(read.data)
                found = answer
            if self._guarded:
                added = parity_sums(found)
                sums = Payload(len(added))
                m.d.sync += sums.eq(added)
                found = unguarded(found)
            found = data.View(row, found)
            writes, wrote, undefined = Signal(), Signal(), Signal()
            alike = Payload(-(-len(key) // 2))
            clean = Signal()
            found_key = Value.cast(found.key)
            value, valid = Payload(self._value), Payload()
            m.d.comb += [
                writes.eq(self.sweeping | (dropping & drops[way])
                          | (pending & (pending_way == way))),
                write.en.eq(writes), write.addr.eq(write_at), write.data.eq(stored),
                read.addr.eq(look_at if self._block_ram else looked_at),
            ]
            m.d.sync += [
                wrote.eq(writes), undefined.eq(wrote & (wrote_at == looked_at)),
                alike.eq(Cat(found_key[low:low + 2] == key[low:low + 2]
                             for low in range(0, len(key), 2))),
                value.eq(found.value), valid.eq(found.valid),
            ]
            m.d.comb += [
                clean.eq(sound(sums) if self._guarded else 1),
                equal[way].eq(Cat(valid, alike).all()),
                free[way].eq(~valid),
                self.match[way].eq(equal[way] & clean & ~undefined & answered),
                self.values[way].eq(value),
                self.errors[way].eq(answered & ~undefined & ~clean),
            ]
            with m.If(scanned):
                m.d.sync += drops[way].eq(~undefined & (
                    ~clean | Cat(valid, alike | ignored_).all()))
        place = turn if ways > 1 else C(0)
        for wanted in (free, equal):        # the last choice counts
            for way in reversed(range(ways)):
                place = Mux(wanted[way], way, place)
        m.d.comb += self.place.eq(place)
        return m
