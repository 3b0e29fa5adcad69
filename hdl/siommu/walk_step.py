"""One step of a walk: §4 of the specification, steps 2 to 6, for one word of one entry.

Purely combinational. The walker holds the state of every walk and calls on this logic whenever a
walk begins or a word arrives from memory; the answer is the next table read or the outcome.
``leaf_page`` does the same for a neighbour of the leaf that was asked for.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from .bundles import (ENTRY_ADDR_BITS, WAY_BITS, ContextInfo, DeviceInfo, Outcome, RegionInfo,
                      WalkStart)
from .formats import (DEVICE_BITS, DEVID_BITS, PFN_BITS, Cause, ContextDeny, ContextRoot, DeviceWord0,
                      DeviceWord1, DirectoryEntry, Disposition, Size, TableEntry)

__all__ = ["Table", "WalkState", "WalkStep", "leaf_page"]


class Table(enum.Enum, shape=3):
    """What a walk is reading."""

    DEVICE = 0              #: a device directory entry, two words
    DIRECTORY_HIGH = 1      #: the PASID directory's upper level
    DIRECTORY_LOW = 2       #: the PASID directory's lower level
    CONTEXT = 3             #: a PASID context, four words
    PAGE_TABLE = 4          #: a page-table entry of ``level``


class WalkState(data.Struct):
    """Where a walk stands while its read is under way.

    ``word`` counts the words of the entry that have come; ``error``, ``reserved``, ``present``,
    ``other`` and the fields of the device entry and the context gather what they said.
    """

    table: Table
    level: 3
    entry: ENTRY_ADDR_BITS
    word: 2
    error: 1            # a word came with a bus error, or their number is wrong
    reserved: 1         # a reserved bit is set
    present: 1          # V of the device entry, or of the context's needed root
    other: 1            # V of the context's other root
    device: DeviceInfo
    root: PFN_BITS
    l5: 1
    deny: 2
    devid: DEVID_BITS
    write: 1            # W so far
    no_read: 1          # NR so far
    cached: 1           # a cached context or table was trusted on the way
    region_way: WAY_BITS


class WalkStep(wiring.Component):
    """The decision for one event of a walk. Combinational.

    Members
    -------
    start : In(1)
        The event is the beginning of ``walk``; else it is ``word`` with ``error`` and ``last``
        for the read described by ``state``.
    walk : In(WalkStart)
        Its ``key`` is needed at every event, the rest at the start alone.
    state : In(WalkState), word : In(64), error : In(1), last : In(1)
    shared : In(1)
        The word came in one beat with its neighbours: an error may be one of theirs, which is no
        fault (§5.1). Such an entry is read again, alone.
    ddt_base, ddt_log2, check_ad : In
        Registers (§7).
    following : Out(WalkState)
        The state to keep.
    read : Out(1)
        Read the ``words_minus_one`` + 1 words at ``following.entry`` next; with ``line``, the
        64-byte line around it, that word first.
    anew : Out(1)
        This is where the walk begins in memory, trusting no cache. It faults only after that.
    finish : Out(1), outcome : Out(Outcome)
        The walk has ended. Not raised for a fault to which a cached context led: such a walk
        begins anew at the device directory, for only memory denies (§4).
    device_fill, context_fill : Out(1), device : Out(DeviceInfo), context : Out(ContextInfo)
        A context was read that may be cached.
    region_fill : Out(1), region : Out(RegionInfo)
        An entry that points to a level-1 table was read.
    """

    start: In(1)
    walk: In(WalkStart)
    state: In(WalkState)
    word: In(64)
    error: In(1)
    last: In(1)
    shared: In(1)
    ddt_base: In(PFN_BITS)
    ddt_log2: In(5)
    check_ad: In(1)
    following: Out(WalkState)
    read: Out(1)
    words_minus_one: Out(2)
    line: Out(1)
    anew: Out(1)
    finish: Out(1)
    outcome: Out(Outcome)
    device_fill: Out(1)
    device: Out(DeviceInfo)
    context_fill: Out(1)
    context: Out(ContextInfo)
    region_fill: Out(1)
    region: Out(RegionInfo)

    def elaborate(self, platform):
        m = Module()
        key, state, following = self.walk.key, self.state, self.following
        word, outcome = self.word, self.outcome

        # What the event leads to. A fault or a grant goes before the next read.
        look_up_device, have_device, have_context = Signal(), Signal(), Signal()
        granted, fault, at_entry, alone = Signal(), Signal(), Signal(), Signal()
        cause, disposition = Signal(Cause), Signal(Disposition)

        def deny(why, how=Disposition.DENY, entry=True):
            m.d.comb += [fault.eq(1), cause.eq(why), disposition.eq(how), at_entry.eq(entry)]

        m.d.comb += following.eq(state)
        trust_region = self.start & self.walk.region_hit
        trust_context = self.start & ~self.walk.region_hit & self.walk.context_hit
        # A bypass is looked up in memory, so that no walk has its outcome at its start.
        trust_device = self.start & ~self.walk.region_hit & ~self.walk.context_hit \
            & self.walk.device_hit \
            & ~Mux(key.ft, self.walk.device.sto_bypass, self.walk.device.mem_bypass)

        # The beginning: at the innermost table that a cache knows.
        with m.If(self.start):
            m.d.comb += [
                have_context.eq(trust_context),
                have_device.eq(trust_device),
                look_up_device.eq(~trust_region & ~trust_context & ~trust_device),
                following.region_way.eq(self.walk.region_way),
                self.device.eq(self.walk.device),
                self.context.eq(self.walk.context),
            ]
        with m.Else():
            m.d.comb += [
                self.device.eq(state.device),
                self.context.root.eq(state.root),
                self.context.l5.eq(state.l5),
                self.context.deny.eq(state.deny),
                self.context.devid.eq(state.devid),
            ]
            with m.Switch(state.table):
                with m.Case(Table.DEVICE):
                    self._device_entry(m, have_device, deny)
                with m.Case(Table.DIRECTORY_HIGH, Table.DIRECTORY_LOW):
                    self._directory_entry(m, deny)
                with m.Case(Table.CONTEXT):
                    self._context_entry(m, have_context, deny)
                with m.Case(Table.PAGE_TABLE):
                    self._table_entry(m, granted, alone, deny)

        # Step 2, once the device entry is known.
        context_pfn, to_context, to_low, to_high = Signal(PFN_BITS), Signal(), Signal(), Signal()
        device = self.device
        m.d.comb += context_pfn.eq(Mux(have_device, device.pfn, _pfn(word)))
        bypass = Signal()
        with m.If(have_device):
            m.d.comb += following.devid.eq(device.devid)
            with m.If(~Mux(key.ft, device.sto_en, device.mem_en)):
                deny(Cause.FT_DISABLED)
            with m.Elif(Mux(key.ft, device.sto_bypass, device.mem_bypass)):
                m.d.comb += bypass.eq(1)
            # Step 3: the directory's reach.
            with m.Else():
                m.d.comb += self.device_fill.eq(~self.start)
                with m.Switch(device.levels):
                    with m.Case(0):
                        with m.If(key.pasid[7:] != 0):
                            deny(Cause.PASID_INVALID, entry=False)
                        with m.Else():
                            m.d.comb += to_context.eq(1)
                    with m.Case(1):
                        with m.If(key.pasid[16:] != 0):
                            deny(Cause.PASID_INVALID, entry=False)
                        with m.Else():
                            m.d.comb += to_low.eq(1)
                    with m.Default():
                        m.d.comb += to_high.eq(1)
        with m.Elif(~self.start):
            with m.If(state.table == Table.DIRECTORY_HIGH):
                m.d.comb += to_low.eq(1)
            with m.Elif(state.table == Table.DIRECTORY_LOW):
                m.d.comb += to_context.eq(1)

        # Step 4, once the context is known.
        table_pfn, to_table, to_level = Signal(PFN_BITS), Signal(), Signal(3)
        sign48, sign57 = key.page[35:], key.page[44:]
        with m.If(have_context):
            canonical = Mux(self.context.l5, _all_equal(sign57), _all_equal(sign48))
            m.d.comb += [
                following.devid.eq(self.context.devid),
                following.deny.eq(self.context.deny),
                following.write.eq(1),
                following.no_read.eq(0),
                to_level.eq(Mux(self.context.l5, 5, 4)),
                table_pfn.eq(self.context.root),
                self.context_fill.eq(~self.start),
            ]
            with m.If(~canonical):
                deny(Cause.NON_CANONICAL, entry=False)
            with m.Else():
                m.d.comb += to_table.eq(1)
        with m.Elif(trust_region):
            m.d.comb += [
                following.devid.eq(self.walk.region.devid),
                following.write.eq(self.walk.region.write),
                following.no_read.eq(self.walk.region.no_read),
                to_level.eq(1), table_pfn.eq(self.walk.region.table), to_table.eq(1),
            ]
        with m.Else():
            m.d.comb += table_pfn.eq(_pfn(word))
            m.d.comb += to_level.eq(state.level - 1)
            with m.If(~self.start & (state.table == Table.PAGE_TABLE)):
                m.d.comb += to_table.eq(1)

        # A fault to which a cache led is looked up again, from the beginning (§4).
        again, cached = Signal(), Signal()
        m.d.comb += cached.eq(Mux(self.start, ~look_up_device, state.cached))
        m.d.comb += again.eq(fault & cached)
        m.d.comb += following.cached.eq(cached & ~again)

        # The next read, or the end.
        index = Signal(9)
        with m.Switch(to_level):
            for level in range(1, 6):
                with m.Case(level):
                    m.d.comb += index.eq(key.page[9 * (level - 1):9 * level])
        out_of_range = Signal()
        beyond = Signal(DEVICE_BITS)    # the bits that must be 0
        with m.Switch(self.ddt_log2):
            for log2 in range(DEVICE_BITS):
                with m.Case(log2):
                    m.d.comb += beyond.eq(-1 << log2)
        m.d.comb += out_of_range.eq((key.device & beyond).any())
        waits = ~self.start & ~self.last
        with m.If(waits):
            pass
        with m.Elif(look_up_device | again):
            m.d.comb += [
                following.table.eq(Table.DEVICE),
                following.entry.eq(Cat(Const(0, 4), key.device[:8],
                                       self.ddt_base + key.device[8:])),
                self.read.eq(~out_of_range),
                self.words_minus_one.eq(1),
                self.anew.eq(1),
            ]
        with m.Elif(fault | granted | bypass):
            pass
        with m.Elif(alone):
            m.d.comb += [self.read.eq(1), following.write.eq(state.write),
                         following.no_read.eq(state.no_read)]
        with m.Elif(to_high):
            m.d.comb += [
                following.table.eq(Table.DIRECTORY_HIGH),
                following.entry.eq(Cat(Const(0, 3), key.pasid[16:20], Const(0, 5), context_pfn)),
                self.read.eq(1),
            ]
        with m.Elif(to_low):
            m.d.comb += [
                following.table.eq(Table.DIRECTORY_LOW),
                following.entry.eq(Cat(Const(0, 3), key.pasid[7:16], context_pfn)),
                self.read.eq(1),
            ]
        with m.Elif(to_context):
            m.d.comb += [
                following.table.eq(Table.CONTEXT),
                following.entry.eq(Cat(Const(0, 5), key.pasid[:7], context_pfn)),
                self.read.eq(1),
                self.words_minus_one.eq(3),
            ]
        with m.Elif(to_table):
            m.d.comb += [
                following.table.eq(Table.PAGE_TABLE),
                following.level.eq(to_level),
                following.entry.eq(Cat(Const(0, 3), index, table_pfn)),
                self.read.eq(1),
                self.line.eq(to_level == 1),
                self.region_fill.eq(~self.start & ~have_context & (to_level == 1)),
            ]
        with m.If(self.read):
            m.d.comb += [
                following.word.eq(0), following.error.eq(0), following.reserved.eq(0),
                following.present.eq(0), following.other.eq(0),
            ]
        m.d.comb += [
            self.region.table.eq(_pfn(word)), self.region.write.eq(following.write),
            self.region.no_read.eq(following.no_read), self.region.devid.eq(state.devid),
        ]

        rejected = (look_up_device | again) & out_of_range
        m.d.comb += self.finish.eq(~waits & ((fault & ~again) | granted | bypass | rejected))
        with m.If(rejected):
            m.d.comb += outcome.cause.eq(Cause.DEVICE_INVALID)
        with m.Elif(fault):
            m.d.comb += [outcome.cause.eq(cause), outcome.disposition.eq(disposition)]
            with m.If(at_entry):
                m.d.comb += [outcome.entry.eq(state.entry), outcome.level.eq(self._level())]
        with m.Elif(bypass):
            m.d.comb += [
                outcome.rights.size.eq(Size.BYPASS), outcome.rights.read.eq(1),
                outcome.rights.write.eq(1), outcome.rights.dirty.eq(1),
            ]
        with m.Else():
            m.d.comb += [
                outcome.pfn.eq(_pfn(word)),
                outcome.extent.eq(0),               # the line tells more
                outcome.rights.size.eq((state.level - 1)[:2]),
                outcome.rights.read.eq(~(key.ft & following.no_read)),
                outcome.rights.write.eq(following.write),
                outcome.rights.dirty.eq(~self.check_ad | data.View(TableEntry, word).d),
            ]
        return m

    def _level(self):
        """Level of the entry under way in a fault record (§5.1)."""
        table = self.state.table
        return Mux(table == Table.PAGE_TABLE, self.state.level, Mux(table == Table.DEVICE, 7, 6))

    def _failed(self, words):
        """A word of the entry had a bus error, or the memory sent another number of words."""
        return self.state.error | self.error | (self.state.word != words - 1)

    def _gather(self, m, words):
        """Account for a word that is not the entry's last."""
        m.d.comb += self.following.word.eq(self.state.word + 1)
        with m.If(self.error | (self.state.word == words - 1)):
            m.d.comb += self.following.error.eq(1)

    def _device_entry(self, m, have_device, deny):
        state, following = self.state, self.following
        first, second = data.View(DeviceWord0, self.word), data.View(DeviceWord1, self.word)
        with m.If(~self.last):
            self._gather(m, 2)
            m.d.comb += [
                following.present.eq(first.v),
                following.reserved.eq((first.reserved_11_8 != 0) | (first.reserved_63_52 != 0)
                                      | (first.pdt_levels == 3)),
                following.device.mem_en.eq(first.mem_en),
                following.device.sto_en.eq(first.sto_en),
                following.device.mem_bypass.eq(first.mem_bypass),
                following.device.sto_bypass.eq(first.sto_bypass),
                following.device.levels.eq(first.pdt_levels),
                following.device.pfn.eq(first.pdt_pfn),
            ]
        with m.Else():
            m.d.comb += self.device.devid.eq(second.devid)
            with m.If(self._failed(2)):
                deny(Cause.TABLE_ERROR)
            with m.Elif(~state.present):
                deny(Cause.DEVICE_INVALID)
            with m.Elif(state.reserved | (second.reserved_63_10 != 0)):
                deny(Cause.ENTRY_RESERVED)
            with m.Else():
                m.d.comb += have_device.eq(1)

    def _directory_entry(self, m, deny):
        entry = data.View(DirectoryEntry, self.word)
        with m.If(~self.last):
            self._gather(m, 1)
        with m.Elif(self._failed(1)):
            deny(Cause.TABLE_ERROR)
        with m.Elif(~entry.v):
            deny(Cause.PASID_INVALID)
        with m.Elif((entry.reserved_11_1 != 0) | (entry.reserved_63_52 != 0)):
            deny(Cause.ENTRY_RESERVED)

    def _context_entry(self, m, have_context, deny):
        state, following, ft = self.state, self.following, self.walk.key.ft
        root, denied = data.View(ContextRoot, self.word), data.View(ContextDeny, self.word)
        with m.If(~self.last):
            self._gather(m, 4)
            with m.If(state.word < 2):
                with m.If((root.reserved_11_2 != 0) | (root.reserved_63_52 != 0)):
                    m.d.comb += following.reserved.eq(1)
                with m.If(state.word[0] == ft):
                    m.d.comb += [following.present.eq(root.v), following.l5.eq(root.l5),
                                 following.root.eq(root.root)]
                with m.Else():
                    m.d.comb += following.other.eq(root.v)
            with m.Else():
                with m.If(denied.reserved_63_4 != 0):
                    m.d.comb += following.reserved.eq(1)
                m.d.comb += following.deny.eq(Mux(ft, denied.sto_deny, denied.mem_deny))
        with m.Else():
            with m.If(self._failed(4)):
                deny(Cause.TABLE_ERROR)
            with m.Elif(state.reserved | (self.word != 0)):
                deny(Cause.ENTRY_RESERVED)
            with m.Elif(~state.present & ~state.other):
                deny(Cause.PASID_INVALID)
            with m.Elif(~state.present):
                deny(Cause.TABLE_ABSENT)
            with m.Else():
                m.d.comb += have_context.eq(1)

    def _table_entry(self, m, granted, alone, deny):
        state, following, key = self.state, self.following, self.walk.key
        entry = data.View(TableEntry, self.word)
        level = state.level
        leaf = (level == 1) | (entry.ps & ((level == 2) | (level == 3)))
        reserved = entry.ps & ((level >= 4) | ((level == 2) & (entry.pfn[1:9] != 0))
                               | ((level == 3) & (entry.pfn[1:18] != 0)))
        write, no_read = state.write & entry.w, state.no_read | (key.ft & entry.nr)
        m.d.comb += [following.write.eq(write), following.no_read.eq(no_read)]

        with m.If(~self.last):
            self._gather(m, 1)
        with m.Elif(self.shared & self.error):
            m.d.comb += alone.eq(1)
        with m.Elif(self._failed(1)):
            deny(Cause.TABLE_ERROR)
        # Step 5.
        with m.Elif(~entry.p):
            deny(Cause.NOT_PRESENT, _disposition(Cat(entry.w, entry.u)))
        with m.Elif(reserved):
            deny(Cause.ENTRY_RESERVED)
        with m.Elif(~entry.u):
            deny(Cause.SUPERVISOR)
        with m.Elif(self.check_ad & ~entry.a):
            deny(Cause.ACCESS_FLAG, Disposition.REMAP)
        # Step 6.
        with m.Elif(leaf):
            with m.If(entry.ft != key.ft):
                deny(Cause.FT_MISMATCH)
            with m.Elif(key.ft & (entry.devid != state.devid)):
                deny(Cause.DEVICE_MISMATCH)
            with m.Elif(~key.write & no_read):
                deny(Cause.READ_DENIED, _disposition(state.deny))
            with m.Elif(key.write & ~write):
                deny(Cause.WRITE_DENIED, _disposition(state.deny))
            with m.Elif(self.check_ad & key.write & ~entry.d):
                deny(Cause.ACCESS_FLAG, Disposition.REMAP)
            with m.Else():
                m.d.comb += granted.eq(1)


def leaf_page(m, page, *, ft, state, word, check_ad):
    """Assigns to ``page`` (a ``LinePage``) what the 4 KiB leaf ``word`` grants; where §4 would
    end in a fault whatever is asked, it grants nothing. ``state`` is that of the walk that read
    the line, for the levels above."""
    entry = data.View(TableEntry, word)
    granted = entry.p & entry.u & ~(check_ad & ~entry.a) & (entry.ft == ft) \
        & (~ft | (entry.devid == state.devid))
    m.d.comb += [
        page.pfn.eq(entry.pfn),
        page.read.eq(granted & ~(ft & (state.no_read | entry.nr))),
        page.write.eq(granted & state.write & entry.w),
        page.dirty.eq(~check_ad | entry.d),
    ]


def _pfn(word):
    return word[12:52]


def _all_equal(bits):
    return bits.all() | ~bits.any()


def _disposition(bits):
    """A disposition field as it is reported: 3 counts as DENY (§5)."""
    return Mux(bits.all(), Disposition.DENY.value, bits)
