"""The first cycle of a decision: what a word says of itself, and beside the state of its walk."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import DEVID_BITS, DirectoryEntry
from ..pipeline.keys import WalkKey
from ..pipeline.paging import LEVELS, table_index
from . import entry as page_entry
from .directory import context_index, low_index
from .state import ReservedBits, Table, WalkState, WordDecode

__all__ = ["WordDecoder"]


class WordDecoder(wiring.Component):
    """What a word says, before it is decided what follows from it (§4, steps 2 to 6).

    Combinational: :class:`siommu.walk.word_stage.WordStage` puts registers behind it.

    Parameters
    ----------
    config : Config

    Members
    -------
    state : In(WalkState), key : In(WalkKey)
        Of the walk whose read the word answers.
    word : In(64), reserved : In(ReservedBits)
        The word, and what is reserved in it.
    error : In(1), last : In(1)
        A bus error, or a wrong number of words; the word is the last of its burst.
    shared : In(1)
        The word came in one beat with its neighbours: an error may be one of theirs, which is no
        fault (§5.1). Such an entry is read again, alone.
    check_ad : In(1)
        Register (§7).
    says : Out(WordDecode)
    """

    def __init__(self, config: Config):
        super().__init__({
            "state": In(WalkState(config)),
            "key": In(WalkKey),
            "word": In(64),
            "reserved": In(ReservedBits(config)),
            "error": In(1),
            "last": In(1),
            "shared": In(1),
            "check_ad": In(1),
            "says": Out(WordDecode),
        })

    def elaborate(self, platform):
        m = Module()
        says, state, table = self.says, self.state, self.state.table
        directory, paging = Signal(), Signal()
        m.d.comb += [
            directory.eq((table == Table.DIRECTORY_HIGH) | (table == Table.DIRECTORY_LOW)),
            paging.eq(table == Table.PAGE_TABLE),
            says.device.eq(table == Table.DEVICE), says.context.eq(table == Table.CONTEXT),
            says.page_table.eq(paging),
            says.several.eq(says.device | says.context), says.single.eq(~says.several),
            says.short.eq(table != Table.CONTEXT),
            says.whole.eq(self.last | state.line),
            says.alone.eq(self.shared & self.error & ~state.speculative),
            says.failed.eq(self.error),
        ]
        entry = page_entry.decode(m, self.word, level=state.level, ft=self.key.ft,
                                  page=self.key.page, entry_format=state.entry_format,
                                  reserved=self.reserved.page)
        self._upper_tables(m, directory, entry, paging)
        self._page_table(m, entry, paging)
        self._next_read(m, entry, paging)
        return m

    def _upper_tables(self, m, directory, entry, paging):
        """Absent entries and reserved bits."""
        says, reserved, last = self.says, self.reserved, self.last
        valid = DirectoryEntry(self.word).v
        m.d.comb += [
            says.invalid.eq((directory & ~valid) | (paging & ~entry.present)),
            says.reserved.eq((directory & reserved.directory)
                             | (says.context & last & reserved.any)),
            says.reserved_upper.eq(~paging & reserved.upper),
            says.reserved_device.eq(
                says.device & Mux(last, reserved.device_1, reserved.device_0)),
            says.reserved_root.eq(says.context & ~last & reserved.root),
            says.reserved_deny.eq(says.context & ~last & reserved.deny),
            says.reserved_page.eq(paging & entry.reserved),
        ]

    def _page_table(self, m, entry, paging):
        """Faults of a page-table entry, and the rights with it."""
        says, state, key = self.says, self.state, self.key
        leaf, half = Signal(), DEVID_BITS // 2
        write, no_read = state.write & entry.write, state.no_read | entry.no_read
        m.d.comb += [
            leaf.eq(paging & entry.leaf),
            says.leaf.eq(leaf),
            says.supervisor.eq(paging & ~entry.user),
            says.unaccessed.eq(paging & self.check_ad & ~entry.accessed),
            says.ft_differs.eq(leaf & (entry.ft != key.ft)),
            says.file.eq(leaf & key.ft),
            says.device_differs.eq(Cat(entry.devid[:half] != state.devid[:half],
                                       entry.devid[half:] != state.devid[half:])),
            # a speculative walk is for reads and writes: either right is worth keeping
            says.denied.eq(leaf & Mux(state.speculative, ~write & no_read,
                                      Mux(key.write, ~write, no_read))),
            says.undirty.eq(leaf & self.check_ad & key.write & ~entry.dirty & ~state.speculative),
            # below a context all rights are left
            says.write.eq(says.context | write),
            says.no_read.eq(~says.context & no_read),
        ]

    def _next_read(self, m, entry, paging):
        """The level of the table below, whether it is read by lines, and the index there."""
        says, state, key = self.says, self.state, self.key
        m.d.comb += [
            says.line.eq(paging & ~entry.leaf & (state.level == 2)),
            says.level.eq(state.level - 1),
        ]
        with m.Switch(state.table):
            with m.Case(Table.DIRECTORY_HIGH):
                m.d.comb += says.index.eq(low_index(key.pasid))
            with m.Case(Table.DIRECTORY_LOW):
                m.d.comb += says.index.eq(context_index(key.pasid))
            with m.Default():
                with m.Switch(state.level):
                    for level in range(2, LEVELS + 1):
                        with m.Case(level):
                            m.d.comb += says.index.eq(table_index(key.page, level - 1))
