"""The steps of a walk: §4 of the specification, steps 2 to 6, for one word of one entry.

All of it is combinational; the walker puts registers between the two halves of a decision. What a
word says of itself, and beside the state of its walk, is found out first (``WordFacts``); what
that leads to, the next table read or the outcome, is decided next (``WordStep``). ``StartFacts``
and ``StartStep`` are the same for the beginning of a walk, and ``leaf_fits`` and ``leaf_page`` for
a neighbour of the leaf that was asked for.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import (
    DEVID_BITS,
    INDEX_BITS,
    PAGE_SHIFT,
    PFN_BITS,
    Cause,
    ContextDeny,
    ContextRoot,
    DeviceWord0,
    DeviceWord1,
    DirectoryEntry,
    Disposition,
    Size,
    TableEntry,
)
from ..lib.choose import first_of
from ..lib.structs import assign
from ..pipeline.grants import Outcome
from ..pipeline.keys import WalkKey
from ..pipeline.sizes import ENTRY_ADDR_BITS, WAY_BITS
from ..pipeline.tables import ContextInfo, DeviceInfo, Reach, RegionInfo, WalkStart

__all__ = ["SAID", "Table", "WalkState", "Gathered", "Marks", "Facts", "WordFacts", "WordStep",
           "StartFacts", "StartStep", "marks", "start_facts", "out_of_range", "device_entry",
           "next_read", "words_minus_one", "leaf_fits", "leaf_page"]

UPPER = PAGE_SHIFT + PFN_BITS       #: the lowest bit above a page number of an entry


class Table(enum.Enum, shape=3):
    """What a walk is reading."""

    DEVICE = 0              #: a device directory entry, two words
    DIRECTORY_HIGH = 1      #: the PASID directory's upper level
    DIRECTORY_LOW = 2       #: the PASID directory's lower level
    CONTEXT = 3             #: a PASID context, four words
    PAGE_TABLE = 4          #: a page-table entry of ``level``


class WalkState(data.Struct):
    """Where a walk stands while its read is under way."""

    table: Table
    level: 3
    line: 1             # the read is of a leaf with the line around it
    entry: ENTRY_ADDR_BITS
    devid: DEVID_BITS
    deny: 2
    write: 1            # W so far
    no_read: 1          # NR so far
    cached: 1           # a cached context or table was trusted on the way
    speculative: 1      # nobody waits for the outcome
    quiet: 1            # the device's faults are not recorded (unless ``cached``)
    region_way: WAY_BITS


class Gathered(data.Struct):
    """What the words of an entry have said that have come so far. Before the first one, the fields
    up to ``beyond`` (:data:`SAID`) are 0, and the others have no meaning."""

    word: 2             # how many have come
    error: 1            # one came with a bus error, or their number is wrong
    reserved: 1         # a reserved bit is set
    present: 1          # V of the device entry, or of the context's needed root
    other: 1            # V of the context's other root
    disabled: 1         # the device may not send requests of this FT
    bypass: 1           # its requests of this FT pass untranslated
    beyond: 1           # all is well but: PASID out of reach, or address not canonical
    index: INDEX_BITS   # of the entry to be read next
    pfn: PFN_BITS       # of the table to be read next
    mem_en: 1
    sto_en: 1
    mem_bypass: 1
    sto_bypass: 1
    quiet: 1
    levels: 2
    l5: 1
    deny: 2


SAID = "word", "error", "reserved", "present", "other", "disabled", "bypass", "beyond"


class Marks(data.Struct):
    """What can be said of a word whatever it is: which reserved bits would be set in it.
    ``upper``: one of bits 63 to 52, which are reserved in all but page tables; the others but
    ``page_2m`` and ``page_1g`` are of the bits below."""

    upper: 1
    device_0: 1
    device_1: 1
    directory: 1
    root: 1
    deny: 1
    any: 1
    page_2m: 1
    page_1g: 1


class Facts(data.Struct):
    """What a word is and says.

    The first four tell what was read; ``several``, ``single`` and ``short`` say again, for those in
    a hurry, that its entries have more words than one, have one, have less than four. ``whole``:
    the entry is complete and is decided. Those from ``failed`` to ``undirty`` end in a fault.
    ``reserved_device`` and ``reserved_page`` are of entries of the device directory and of page
    tables, ``reserved_root`` and ``reserved_deny`` of a context's first words, ``reserved_upper``
    of the upper bits of all but page tables. ``line``, ``level``
    and ``index`` are those of the next read, unless the entry's words before have them; ``write``
    and ``no_read`` are W and NR including this entry's.
    """

    device: 1
    directory: 1
    context: 1
    page_table: 1
    several: 1
    single: 1
    short: 1
    whole: 1
    alone: 1
    failed: 1
    invalid: 1
    reserved: 1
    reserved_upper: 1
    reserved_device: 1
    reserved_page: 1
    reserved_root: 1
    reserved_deny: 1
    supervisor: 1
    unaccessed: 1
    ft_differs: 1
    device_differs: 2       # either half of DEVID, if it is a ``file`` leaf
    denied: 1
    undirty: 1
    leaf: 1
    file: 1
    level: 3
    line: 1
    index: INDEX_BITS
    write: 1
    no_read: 1


def marks(word):
    """The :class:`Marks` of ``word``, as a dictionary."""
    first, second = data.View(DeviceWord0, word), data.View(DeviceWord1, word)
    directory, root = data.View(DirectoryEntry, word), data.View(ContextRoot, word)
    entry = data.View(TableEntry, word)
    below = UPPER - len(word)
    return {
        "upper": word[UPPER:] != 0,
        "device_0": (first.reserved_11_8 != 0) | (first.pdt_levels == 3),
        "device_1": second.reserved_63_10[:below] != 0,
        "directory": directory.reserved_11_1 != 0,
        "root": root.reserved_11_2 != 0,
        "deny": data.View(ContextDeny, word).reserved_63_4[:below] != 0,
        "any": word[:UPPER] != 0,
        "page_2m": entry.pfn[1:9] != 0,
        "page_1g": entry.pfn[1:18] != 0,
    }


def out_of_range(key, beyond):
    """Whether the device of ``key`` is beyond the device directory: has any of these bits."""
    return (key.device & beyond).any()


def device_entry(key, ddt_base):
    """Address of the device directory's entry of ``key``."""
    return Cat(Const(0, 4), key.device[:8], (ddt_base + key.device[8:])[:PFN_BITS + 1])


def next_read(following, anew, top):
    """The state to keep with the next read, as a dictionary: ``following``, unless the walk begins
    anew. Then the next read is that of the device entry, at the address ``top``."""
    return {**{name: following[name] for name, _ in data.Layout.cast(WalkState)},
            "table": Mux(anew, Table.DEVICE.value, following.table.as_value()),
            "line": following.line & ~anew, "cached": following.cached & ~anew,
            "entry": Mux(anew, top, following.entry)}


def words_minus_one(table):
    """Words of an entry of ``table``, minus one."""
    return Cat((table == Table.DEVICE) | (table == Table.CONTEXT), table == Table.CONTEXT)


def _below_device(levels):
    """What is read after the device entry."""
    return Mux(levels[1], Table.DIRECTORY_HIGH.value,
               Mux(levels[0], Table.DIRECTORY_LOW.value, Table.CONTEXT.value))


def _index_below_device(levels, pasid):
    """Index, in units of 8 bytes, of the entry that is read after the device entry."""
    return Mux(levels[1], pasid[16:20],
               Mux(levels[0], pasid[7:16], Cat(Const(0, 2), pasid[:7])))


def _root_index(l5, page):
    return Mux(l5, page[36:45], page[27:36])


def _out_of_reach(levels, known):
    """The PASID has bits beyond those that ``levels`` of directory look at."""
    return ~levels[1] & Mux(levels[0], known["beyond_16"], known["beyond_7"])


class WordFacts(wiring.Component):
    """What a word says.

    Members
    -------
    state : In(WalkState), key : In(WalkKey)
        Of the walk whose read the word answers.
    word : In(64), marks : In(Marks), error : In(1), last : In(1)
    shared : In(1)
        The word came in one beat with its neighbours: an error may be one of theirs, which is no
        fault (§5.1). Such an entry is read again, alone.
    check_ad : In(1)
        Register (§7).
    facts : Out(Facts)
    """

    state: In(WalkState)
    key: In(WalkKey)
    word: In(64)
    marks: In(Marks)
    error: In(1)
    last: In(1)
    shared: In(1)
    check_ad: In(1)
    facts: Out(Facts)

    def elaborate(self, platform):
        m = Module()
        state, key, facts = self.state, self.key, self.facts
        entry, level, noted = data.View(TableEntry, self.word), self.state.level, self.marks
        paging, last = state.table == Table.PAGE_TABLE, self.last
        directory = (state.table == Table.DIRECTORY_HIGH) | (state.table == Table.DIRECTORY_LOW)
        m.d.comb += [
            facts.device.eq(state.table == Table.DEVICE), facts.directory.eq(directory),
            facts.context.eq(state.table == Table.CONTEXT), facts.page_table.eq(paging),
            facts.several.eq(facts.device | facts.context),
            facts.single.eq(~facts.several), facts.short.eq(state.table != Table.CONTEXT),
            facts.whole.eq(last | state.line),
            facts.alone.eq(self.shared & self.error & ~state.speculative),
            facts.failed.eq(self.error),
            facts.invalid.eq((directory | paging) & ~entry.p),
            facts.reserved.eq((directory & noted.directory)
                              | (facts.context & last & noted.any)),
            facts.reserved_upper.eq(~paging & noted.upper),
            facts.reserved_device.eq(facts.device & Mux(last, noted.device_1, noted.device_0)),
            facts.reserved_page.eq(paging & entry.ps & (
                (level >= 4) | ((level == 2) & noted.page_2m)
                | ((level == 3) & noted.page_1g))),
            facts.reserved_root.eq(facts.context & ~last & noted.root),
            facts.reserved_deny.eq(facts.context & ~last & noted.deny),
        ]

        # An entry of a page table.
        leaf = Signal()
        write, no_read = state.write & entry.w, state.no_read | (key.ft & entry.nr)
        m.d.comb += [
            leaf.eq(paging & ((level == 1) | (entry.ps & ((level == 2) | (level == 3))))),
            facts.leaf.eq(leaf),
            facts.supervisor.eq(paging & ~entry.u),
            facts.unaccessed.eq(paging & self.check_ad & ~entry.a),
            facts.ft_differs.eq(leaf & (entry.ft != key.ft)),
            facts.file.eq(leaf & key.ft),
            facts.device_differs.eq(Cat(entry.devid[:5] != state.devid[:5],
                                        entry.devid[5:] != state.devid[5:])),
            # who does not ask for anybody is content with either right
            facts.denied.eq(leaf & Mux(state.speculative, ~write & no_read,
                                       Mux(key.write, ~write, no_read))),
            facts.undirty.eq(leaf & self.check_ad & key.write & ~entry.d & ~state.speculative),
        ]

        # The next read.
        within = state.table == Table.CONTEXT
        m.d.comb += [
            facts.line.eq(paging & ~entry.ps & (level == 2)),
            facts.level.eq(level - 1),
            facts.write.eq(within | write),
            facts.no_read.eq(~within & no_read),
        ]
        with m.Switch(state.table):
            with m.Case(Table.DIRECTORY_HIGH):
                m.d.comb += facts.index.eq(key.pasid[7:16])
            with m.Case(Table.DIRECTORY_LOW):
                m.d.comb += facts.index.eq(Cat(Const(0, 2), key.pasid[:7]))
            with m.Default():
                with m.Switch(level):
                    for above in range(2, 6):
                        with m.Case(above):
                            m.d.comb += facts.index.eq(key.page[9 * above - 18:9 * above - 9])
        return m


class WordStep(wiring.Component):
    """The decision for one word.

    Members
    -------
    facts : In(Facts), state, key, word, check_ad : In
        What :class:`WordFacts` said, of these.
    gathered : In(Gathered)
        What is known from the entry's words before this one.
    reach : In(Reach), out_of_range : In(1)
        Of the key.
    gathers : Out(Gathered)
        What is known with this word. After the entry's last: nothing, for the next entry.
    following : Out(WalkState)
        With ``anew``, the state to keep with the next read (:func:`next_read`).
    read : Out(1)
        Read its ``entry`` next; with its ``line``, the 64-byte line around it, that word first.
    anew : Out(1)
        This is where the walk begins in memory, trusting no cache: the next read is that of the
        device entry. It faults only after that. Has a meaning only at the end of an entry.
    finish : Out(1), outcome : Out(Outcome)
        The walk has ended. Not raised for a fault to which a cached context led: such a walk
        begins anew at the device directory, for only memory denies (§4). A speculative walk ends
        with it; if it read a line, with a grant of no rights.
    device_fill, context_fill : Out(1), device : Out(DeviceInfo), context : Out(ContextInfo)
        A context was read that may be cached.
    region_fill : Out(1), region : Out(RegionInfo)
        An entry that points to a level-1 table was read.
    """

    facts: In(Facts)
    state: In(WalkState)
    gathered: In(Gathered)
    key: In(WalkKey)
    word: In(64)
    check_ad: In(1)
    reach: In(Reach)
    out_of_range: In(1)
    gathers: Out(Gathered)
    following: Out(WalkState)
    read: Out(1)
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
        facts, gathered, word = self.facts, self.gathered, self.word
        # A fault goes before a grant, and that before the next read. One to which a cache led is
        # looked up again, from the beginning (§4). Only a speculative walk, which nobody waits for,
        # ends with it all the same; the line that it read is worth keeping, as that of a grant.
        fault, cached, stops, empty = Signal(), Signal(), Signal(), Signal()
        failed = Signal()       # with an error, or the number of its words is wrong
        absent = ~facts.single & ~gathered.present
        reserved = (facts.reserved | facts.reserved_upper | facts.reserved_device
                    | facts.reserved_page | gathered.reserved)
        expected = Cat(~facts.single, ~facts.short)     # number of the last word
        m.d.comb += [
            failed.eq(facts.failed | gathered.error
                      | (facts.whole != (gathered.word == expected))),
            fault.eq(~facts.alone & Cat(
                failed, facts.invalid, absent, facts.reserved, facts.reserved_upper,
                facts.reserved_device, facts.reserved_page, gathered.reserved, gathered.disabled,
                gathered.beyond, facts.supervisor, facts.unaccessed, facts.ft_differs,
                facts.file & facts.device_differs.any(), facts.denied, facts.undirty).any()),
            cached.eq(self.state.cached & ~self.state.speculative),
            empty.eq(fault & ~failed & self.state.speculative & self.state.line),
            stops.eq(facts.leaf | gathered.bypass),
            self.anew.eq(fault & cached),
            self.read.eq(facts.whole & (facts.alone | Mux(
                fault, cached & ~self.out_of_range, ~stops))),
            self.finish.eq(facts.whole & ~facts.alone & Mux(
                fault, ~cached | self.out_of_range, stops)),
        ]
        self._gather(m, failed)
        self._follow(m)
        self._conclude(m, fault, failed, reserved)
        with m.If(empty):
            m.d.comb += [self.outcome.cause.eq(Cause.OK), self.outcome.rights.read.eq(0),
                         self.outcome.rights.write.eq(0)]

        # What may be cached.
        known = Signal()        # the device entry or context is valid
        m.d.comb += [
            known.eq(facts.whole & ~failed & gathered.present & ~reserved & ~gathered.disabled),
            self.device_fill.eq(known & facts.device & ~gathered.bypass),
            self.context_fill.eq(known & facts.context),
            self.region_fill.eq(facts.whole & facts.line & ~fault),
            self.device.devid.eq(data.View(DeviceWord1, word).devid),
            self.context.root.eq(gathered.pfn),
            self.context.l5.eq(gathered.l5), self.context.deny.eq(gathered.deny),
            self.context.devid.eq(self.state.devid),
            self.region.table.eq(_pfn(word)), self.region.write.eq(facts.write),
            self.region.no_read.eq(facts.no_read), self.region.devid.eq(self.state.devid),
        ]
        m.d.comb += assign(self.device, {name: gathered[name] for name in (
            "mem_en", "sto_en", "mem_bypass", "sto_bypass", "levels", "pfn")})
        return m

    def _gather(self, m, failed):
        """Account for a word that is not the entry's last."""
        facts, gathered, key, gathers = self.facts, self.gathered, self.key, self.gathers
        m.d.comb += [
            gathers.eq(gathered),
            gathers.word.eq(gathered.word + 1),
            gathers.error.eq(failed),
            gathers.reserved.eq(gathered.reserved | facts.reserved_upper | facts.reserved_device
                                | Mux(gathered.word[1], facts.reserved_deny, facts.reserved_root)),
        ]
        ft, known = key.ft, self.reach
        first, root = data.View(DeviceWord0, self.word), data.View(ContextRoot, self.word)
        denied = data.View(ContextDeny, self.word)
        with m.If(facts.device):
            bypass = Mux(ft, first.sto_bypass, first.mem_bypass)
            enabled = Mux(ft, first.sto_en, first.mem_en)
            m.d.comb += [
                gathers.present.eq(first.v),
                gathers.mem_en.eq(first.mem_en), gathers.sto_en.eq(first.sto_en),
                gathers.mem_bypass.eq(first.mem_bypass), gathers.sto_bypass.eq(first.sto_bypass),
                gathers.quiet.eq(first.quiet),
                gathers.levels.eq(first.pdt_levels), gathers.pfn.eq(first.pdt_pfn),
                gathers.disabled.eq(~enabled),
                gathers.bypass.eq(bypass),
                # step 3: the directory's reach
                gathers.beyond.eq(first.v & enabled & ~bypass
                                  & _out_of_reach(first.pdt_levels, known)),
                gathers.index.eq(_index_below_device(first.pdt_levels, key.pasid)),
            ]
        with m.Elif(facts.context):
            with m.If(gathered.word[1]):
                m.d.comb += gathers.deny.eq(Mux(ft, denied.sto_deny, denied.mem_deny))
            with m.Elif(gathered.word[0] == ft):
                m.d.comb += [
                    gathers.present.eq(root.v), gathers.l5.eq(root.l5),
                    gathers.pfn.eq(root.root),
                    # step 4
                    gathers.beyond.eq(root.v & ~Mux(root.l5, known["canonical_57"],
                                                    known["canonical_48"])),
                    gathers.index.eq(_root_index(root.l5, key.page)),
                ]
            with m.Else():
                m.d.comb += gathers.other.eq(root.v)
        with m.If(facts.whole):
            m.d.comb += [gathers[name].eq(0) for name in SAID]

    def _follow(self, m):
        """The next read."""
        facts, state, following, table = self.facts, self.state, self.following, Signal(Table)
        with m.Switch(state.table):
            with m.Case(Table.DEVICE):
                m.d.comb += table.eq(_below_device(self.gathered.levels))
            with m.Case(Table.DIRECTORY_HIGH):
                m.d.comb += table.eq(Table.DIRECTORY_LOW)
            with m.Case(Table.DIRECTORY_LOW):
                m.d.comb += table.eq(Table.CONTEXT)
            with m.Default():
                m.d.comb += table.eq(Table.PAGE_TABLE)
        several = facts.several         # words before this one tell
        m.d.comb += [
            following.eq(state),
            following.table.eq(table),
            following.level.eq(Mux(facts.context, Mux(self.gathered.l5, 5, 4), facts.level)),
            following.line.eq(facts.line),
            following.entry.eq(Cat(Const(0, 3),
                                   Mux(several, self.gathered.index, facts.index),
                                   Mux(several, self.gathered.pfn, _pfn(self.word)))),
            following.write.eq(facts.write), following.no_read.eq(facts.no_read),
        ]
        with m.If(facts.device):
            m.d.comb += [following.devid.eq(data.View(DeviceWord1, self.word).devid),
                         following.quiet.eq(self.gathered.quiet)]
        with m.If(facts.context):
            m.d.comb += following.deny.eq(self.gathered.deny)
        with m.If(facts.alone):
            m.d.comb += [following.level.eq(state.level), following.entry.eq(state.entry),
                         following.write.eq(state.write), following.no_read.eq(state.no_read)]

    def _conclude(self, m, fault, failed, reserved):
        """The outcome, if the walk ends."""
        facts, state, gathered, key = self.facts, self.state, self.gathered, self.key
        outcome, rights = self.outcome, self.outcome.rights
        entry, at_entry = data.View(TableEntry, self.word), Signal()
        m.d.comb += at_entry.eq(~state.cached & (~gathered.beyond | failed | reserved))

        page_table, context = facts.page_table, facts.context
        cause, disposition = first_of([
            (failed, Cause.TABLE_ERROR, Disposition.DENY),
            (facts.device & ~gathered.present, Cause.DEVICE_INVALID, Disposition.DENY),
            (facts.invalid & page_table, Cause.NOT_PRESENT, _disposition(Cat(entry.w, entry.u))),
            (facts.invalid, Cause.PASID_INVALID, Disposition.DENY),
            (reserved, Cause.ENTRY_RESERVED, Disposition.DENY),
            (context & ~gathered.present & gathered.other, Cause.TABLE_ABSENT, Disposition.DENY),
            (context & ~gathered.present, Cause.PASID_INVALID, Disposition.DENY),
            (gathered.disabled, Cause.FT_DISABLED, Disposition.DENY),
            (gathered.beyond & context, Cause.NON_CANONICAL, Disposition.DENY),
            (gathered.beyond, Cause.PASID_INVALID, Disposition.DENY),
            (facts.supervisor, Cause.SUPERVISOR, Disposition.DENY),
            (facts.unaccessed, Cause.ACCESS_FLAG, Disposition.REMAP),
            (facts.ft_differs, Cause.FT_MISMATCH, Disposition.DENY),
            (facts.file & facts.device_differs.any(), Cause.DEVICE_MISMATCH, Disposition.DENY),
            (facts.denied & key.write, Cause.WRITE_DENIED, _disposition(state.deny)),
            (facts.denied, Cause.READ_DENIED, _disposition(state.deny)),
            (facts.undirty, Cause.ACCESS_FLAG, Disposition.REMAP),
        ])
        m.d.comb += [outcome.cause.eq(cause), outcome.disposition.eq(disposition)]
        with m.If(state.cached):            # begun anew, out of the directory's range
            m.d.comb += [outcome.cause.eq(Mux(fault, Cause.DEVICE_INVALID.value, Cause.OK.value)),
                         outcome.disposition.eq(Disposition.DENY)]
        # Level of the entry under way in a fault record (§5.1).
        level = Mux(facts.page_table, state.level, Mux(facts.device, 7, 6))
        m.d.comb += [
            outcome.level.eq(Mux(at_entry, level, 0)),
            outcome.entry.eq(Mux(at_entry, state.entry, 0)),
            outcome.quiet.eq(~state.cached & Mux(
                facts.device, gathered.quiet & gathered.present & ~failed, state.quiet)),
            outcome.pfn.eq(_pfn(self.word)),
            outcome.extent.eq(0),           # the line tells more
            rights.size.eq(Mux(facts.device, Size.BYPASS.value, (state.level - 1)[:2])),
            rights.read.eq(facts.device | ~(key.ft & facts.no_read)),
            rights.write.eq(facts.device | facts.write),
            rights.dirty.eq(facts.device | ~self.check_ad | entry.d),
        ]


class StartFacts(data.Struct):
    """What can be said of a walk that is to begin: whether its address is canonical; what it might
    begin at: not at a level-1 table, at a context of 48 or 57 bits, at a device entry that lets it
    pass; and whether that one's directory reaches its PASID (``within``)."""

    canonical_48: 1
    canonical_57: 1
    no_region: 1
    context_48: 1
    context_57: 1
    device: 1
    within: 1


def start_facts(walk):
    """The :class:`StartFacts` of ``walk``, a ``WalkStart``, as a dictionary."""
    known, device, l5 = walk.reach, walk.device, walk.context.l5
    # A bypass is looked up in memory, so that no walk has its outcome at its start.
    passes = Mux(walk.key.ft, device.sto_en & ~device.sto_bypass,
                 device.mem_en & ~device.mem_bypass)
    return {"canonical_48": known["canonical_48"], "canonical_57": known["canonical_57"],
            "no_region": ~walk.region_hit,
            "context_48": ~walk.region_hit & walk.context_hit & ~l5,
            "context_57": ~walk.region_hit & walk.context_hit & l5,
            "device": ~walk.region_hit & ~walk.context_hit & walk.device_hit & passes,
            "within": ~_out_of_reach(device.levels, known)}


class StartStep(wiring.Component):
    """The decision for the beginning of a walk: at the innermost table that a cache knows, unless
    that would end in a fault. Such a walk begins in memory at once, for only memory denies (§4).

    Members
    -------
    walk : In(WalkStart), facts : In(StartFacts)
    out_of_range : In(1)
        Of the key.
    following, read, anew : Out
        As of :class:`WordStep`.
    finish : Out(1)
        The walk has ended: the device is out of the directory's range.
    """

    walk: In(WalkStart)
    facts: In(StartFacts)
    out_of_range: In(1)
    following: Out(WalkState)
    read: Out(1)
    anew: Out(1)
    finish: Out(1)

    def elaborate(self, platform):
        m = Module()
        walk, facts, key, following = self.walk, self.facts, self.walk.key, self.following
        region, context, device = walk.region, walk.context, walk.device
        by_context, by_device = Signal(), Signal()
        m.d.comb += [
            by_context.eq((facts.context_48 & facts.canonical_48)
                          | (facts.context_57 & facts.canonical_57)),
            by_device.eq(facts.device & facts.within),
            self.anew.eq(facts.no_region & ~by_context & ~by_device),
            self.read.eq(~self.anew | ~self.out_of_range),
            self.finish.eq(self.anew & self.out_of_range),
            following.cached.eq(1), following.speculative.eq(walk.speculative),
            following.region_way.eq(walk.region_way),
            following.deny.eq(context.deny),
        ]
        below = _below_device(device.levels)
        m.d.comb += [
            following.table.eq(
                Mux(by_device, below, 0)
                | Mux(walk.region_hit | by_context, Table.PAGE_TABLE.value, 0)),
            following.line.eq(walk.region_hit),
            following.level.eq(Mux(walk.region_hit, 1, Mux(context.l5, 5, 4))),
            following.devid.eq(Mux(walk.region_hit, region.devid,
                                   Mux(walk.context_hit, context.devid, device.devid))),
            following.write.eq(~walk.region_hit | region.write),
            following.no_read.eq(walk.region_hit & region.no_read),
            following.entry.eq(Cat(Const(0, 3), Mux(
                walk.region_hit, Cat(key.page[:9], region.table), Mux(
                    walk.context_hit, Cat(_root_index(context.l5, key.page), context.root),
                    Cat(_index_below_device(device.levels, key.pasid), device.pfn))))),
        ]
        return m


def leaf_fits(*, ft, state, word):
    """Whether the 4 KiB leaf ``word`` is of the requested kind and device."""
    entry = data.View(TableEntry, word)
    return (entry.ft == ft) \
        & (~ft | (entry.devid == state.devid))


def leaf_page(m, page, *, fits, ft, state, word, check_ad):
    """Assigns to ``page`` (a ``LinePage``) what the 4 KiB leaf ``word`` grants; where §4 would
    end in a fault whatever is asked, it grants nothing. ``state`` is that of the walk that read
    the line, for the levels above; ``fits`` is what :func:`leaf_fits` said."""
    entry = data.View(TableEntry, word)
    granted = entry.p & entry.u & ~(check_ad & ~entry.a) & fits
    m.d.comb += [
        page.pfn.eq(entry.pfn),
        page.read.eq(granted & ~(ft & (state.no_read | entry.nr))),
        page.write.eq(granted & state.write & entry.w),
        page.dirty.eq(~check_ad | entry.d),
    ]


def _pfn(word):
    return word[12:52]


def _disposition(bits):
    """A disposition field as it is reported: 3 counts as DENY (§5)."""
    return Mux(bits.all(), Disposition.DENY.value, bits)
