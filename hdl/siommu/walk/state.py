"""What a walk knows, between its reads and between the cycles of one decision.

======================  ==========================================================
:class:`WalkState`      from a read to its words: what is read, and what led to it
:class:`EntryProgress`  from a word of an entry to the next one
:class:`ReservedBits`   of a word alone, before it is known whose it is
:class:`WordDecode`     of a word beside its walk's state; from the first cycle of
                        a decision to the second
:class:`WalkWord`       all that the second cycle has of a word
:class:`WalkRecord`     what is kept of a walk by its slot
======================  ==========================================================
"""

from amaranth import Cat, Mux
from amaranth.lib import data, enum
from amaranth.utils import bits_for

from ..arch.config import Config
from ..arch.formats import (
    DEVID_BITS,
    ENTRY_BYTES,
    INDEX_BITS,
    PAGE_SHIFT,
    PFN_BITS,
    ContextDeny,
    DeviceWord0,
    DeviceWord1,
    DirectoryEntry,
)
from ..pipeline.keys import WalkKey
from ..pipeline.paging import LEVELS, Paging, format_bits, reserved_in_root
from ..pipeline.sizes import ENTRY_ADDR_BITS, LINE_BITS, LINE_PAGES, SLOT_BITS, WAY_BITS
from ..pipeline.tables import Reach
from .entry import formats_of
from .entry import reserved_by_level as page_reserved_by_level

__all__ = ["Beat", "CLEARED_PER_ENTRY", "EntryProgress", "NextRead", "ReservedBits", "Table",
           "WalkRecord", "WalkState", "WalkWord", "WordDecode", "WordProgress",
           "beats_per_line", "next_read", "reserved_bits", "turns", "words_minus_one"]


class Table(enum.Enum, shape=3):
    """What a walk is reading."""

    DEVICE = 0              #: a device directory entry, two words
    DIRECTORY_HIGH = 1      #: the PASID directory's upper level
    DIRECTORY_LOW = 2       #: the PASID directory's lower level
    CONTEXT = 3             #: a PASID context, four words
    PAGE_TABLE = 4          #: a page-table entry of ``level``


def WalkState(config: Config):          # noqa: N802 - a shape
    """Where a walk stands while its read is under way.

    ``level`` and ``entry_format`` have a meaning for a page table only. ``line``: the read is of a
    leaf, with the line around it. ``deny`` and ``absent`` are what the context says of faults,
    ``write`` and ``no_read`` the rights of the levels above. ``cached``: a cached context or table
    was trusted on the way, so that only a restart may end in a fault (§4); of such a walk
    ``absent`` says nothing. ``speculative``: no request waits for the outcome. ``quiet``: the
    device's faults are not recorded, which counts unless ``cached``.
    """
    return data.StructLayout({
        "table": Table, "level": 3, "entry_format": format_bits(config), "line": 1,
        "entry": ENTRY_ADDR_BITS, "devid": DEVID_BITS, "deny": 2, "absent": 2, "write": 1,
        "no_read": 1, "cached": 1, "speculative": 1, "quiet": 1, "region_way": WAY_BITS})


def EntryProgress(config: Config):      # noqa: N802 - a shape
    """What the words of an entry have said that have come so far. Before the first one, the fields
    up to ``unreachable`` (:data:`CLEARED_PER_ENTRY`) are 0, and the others have no meaning.

    ``word``: how many have come. ``error``: one came with a bus error, or their number is wrong.
    ``reserved``: a reserved bit is set. ``present``: V of the device entry, or of the context's
    needed root; ``other``: V of the context's other root. ``disabled``: the device may not send
    requests of this FT; ``bypass``: they pass untranslated. ``unreachable``: all is well but that
    the PASID is out of the directory's reach, or the address not canonical. ``index`` and ``pfn``
    are those of the entry, and of the table, to be read next.
    """
    return data.StructLayout({
        "word": 2, "error": 1, "reserved": 1, "present": 1, "other": 1, "disabled": 1,
        "bypass": 1, "unreachable": 1, "index": INDEX_BITS, "pfn": PFN_BITS, "mem_en": 1,
        "sto_en": 1, "mem_bypass": 1, "sto_bypass": 1, "quiet": 1, "levels": 2,
        "paging": Paging(config), "deny": 2, "absent": 2})


#: Fields of :class:`EntryProgress` that each entry begins with as 0.
CLEARED_PER_ENTRY = ("word", "error", "reserved", "present", "other", "disabled", "bypass",
                     "unreachable")


def ReservedBits(config: Config):       # noqa: N802 - a shape
    """Which reserved bits would be set in a word, for everything that it may be (§3).

    ``upper``: any of bits 63 to 52, which are reserved in all but page tables. The others are of
    the bits below: words 0 and 1 of a device entry, an entry of the PASID directory, a context's
    root, its dispositions, its last word. ``page``: of a page-table entry, what
    :func:`siommu.walk.entry.reserved_by_level` says.
    """
    return data.StructLayout({
        "upper": 1, "device_0": 1, "device_1": 1, "directory": 1, "root": 1, "deny": 1, "any": 1,
        "page": len(formats_of(config)) * LEVELS})


class WordDecode(data.Struct):
    """What a word is and says.

    The first three tell what was read. ``several``, ``single`` and ``short`` say again, from
    flip-flops of their own, that its entries have more words than one, have one, have less than
    four. ``whole``: the entry is complete and is decided. ``alone``: it is to be read again, alone.
    Those from ``failed`` to ``undirty`` end in a fault; ``reserved_device`` to ``reserved_deny`` do
    so of their table only. ``file``: a leaf for FT = 1, of which ``device_differs`` says that
    either half of DEVID differs. ``line``, ``level`` and ``index`` are those of the next read,
    unless the entry's words before have them; ``write`` and ``no_read`` are the rights with this
    entry's.
    """

    device: 1
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
    device_differs: 2
    denied: 1
    undirty: 1
    leaf: 1
    file: 1
    level: 3
    line: 1
    index: INDEX_BITS
    write: 1
    no_read: 1


def WalkWord(config: Config):           # noqa: N802 - a shape
    """A word in the second cycle of its decision: ``content`` and what it ``says``, beside what is
    known of its walk.

    ``progress`` is that of the entry's words before this one. ``out_of_range`` and
    ``device_entry``: of the key's device, whether it is beyond the directory, and where its entry
    is. ``stale``: the walk began before a flush.
    """
    return data.StructLayout({
        "slot": SLOT_BITS, "content": 64, "says": WordDecode, "state": WalkState(config),
        "progress": EntryProgress(config), "key": WalkKey, "reach": Reach(config),
        "out_of_range": 1, "device_entry": ENTRY_ADDR_BITS, "stale": 1})


def WalkRecord(config: Config):         # noqa: N802 - a shape
    """What is kept of a walk while it is under way."""
    return data.StructLayout({
        "state": WalkState(config), "key": WalkKey, "reach": Reach(config),
        "progress": EntryProgress(config)})


def WordProgress(config: Config):       # noqa: N802 - a shape
    """What is known of an entry of ``slot``'s walk behind one of its words."""
    return data.StructLayout({
        "slot": SLOT_BITS, "progress": EntryProgress(config)})


def NextRead(config: Config):           # noqa: N802 - a shape
    """A read that a walk asks for: ``state`` says of what. ``first``: it is the walk's first."""
    return data.StructLayout({
        "slot": SLOT_BITS, "first": 1, "state": WalkState(config)})


def Beat(data_width):       # noqa: N802 - a shape, as those of ``bus.axi``
    """A beat of a read that was asked for, in the cycle after it came.

    ``error``: its response is SLVERR or DECERR. ``of_line``: its burst is that of a line, of which
    it is the beat number ``count`` (which stays at its highest value). ``turn``: how many pairs of
    its words have passed; ``ends``: nothing of its burst comes after them.
    """
    return data.StructLayout({
        "slot": SLOT_BITS, "data": data_width, "error": 1, "of_line": 1, "ends": 1,
        "count": LINE_BITS + 1, "turn": bits_for(max(turns(data_width) - 1, 1))})


def turns(data_width):
    """Cycles that a beat of a line takes: two of its words pass in each."""
    return max(data_width // (2 * 8 * ENTRY_BYTES), 1)


def beats_per_line(data_width):
    """Beats of a burst that reads a line."""
    return LINE_PAGES * 8 * ENTRY_BYTES // data_width


def reserved_bits(word, config):
    """The :class:`ReservedBits` of ``word``, as a dictionary."""
    first, second = data.View(DeviceWord0, word), data.View(DeviceWord1, word)
    directory = data.View(DirectoryEntry, word)
    upper = PAGE_SHIFT + PFN_BITS       # the lowest bit above a page number
    below = upper - len(word)
    return {
        "upper": word[upper:] != 0,
        "device_0": (first.reserved_11_8 != 0) | (first.pdt_levels == 3),
        "device_1": second.reserved_63_10[:below] != 0,
        "directory": directory.reserved_11_1 != 0,
        "root": reserved_in_root(word, config),
        "deny": data.View(ContextDeny, word).reserved_63_6[:below] != 0,
        "any": word[:upper] != 0,
        "page": page_reserved_by_level(word, formats_of(config)),
    }


def next_read(following, restart, device_entry):
    """The state to keep with the next read, as a dictionary: ``following``, unless the walk
    restarts. Then the next read is that of the device entry, at the address ``device_entry``."""
    return {**{name: following[name] for name, _ in following.shape()},
            "table": Mux(restart, Table.DEVICE.value, following.table.as_value()),
            "line": following.line & ~restart, "cached": following.cached & ~restart,
            "entry": Mux(restart, device_entry, following.entry)}


def words_minus_one(table):
    """Words of an entry of ``table``, minus one."""
    return Cat((table == Table.DEVICE) | (table == Table.CONTEXT), table == Table.CONTEXT)
