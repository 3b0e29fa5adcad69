"""The second cycle of a decision: what follows from a word, the next table read or the outcome
(§4, steps 2 to 6)."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import (
    Cause,
    ContextDeny,
    ContextRoot,
    DeviceWord0,
    DeviceWord1,
    DirectoryEntry,
    Disposition,
    Size,
)
from ..lib.choose import first_of
from ..lib.event import Event
from ..lib.structs import assign
from ..pipeline.grants import Outcome
from ..pipeline.paging import Paging, is_canonical, page_format, paging_of, root_index, root_level
from ..pipeline.tables import ContextInfo, DeviceInfo, RegionInfo
from . import entry as page_entry
from .directory import index_below_device, table_below_device, unreachable
from .entry import reported
from .state import CLEARED_PER_ENTRY, EntryProgress, Table, WalkState, WalkWord

__all__ = ["WordStep"]


class WordStep(wiring.Component):
    """The decision for one word. Combinational.

    Parameters
    ----------
    config : Config

    Members
    -------
    word : In(WalkWord)
        The word, and what is known of its walk.
    check_ad : In(1)
        Register (§7).
    progress : Out(EntryProgress)
        What is known with this word. After the entry's last: nothing, for the next entry.
    following : Out(WalkState)
        With ``restart``, the state to keep with the next read
        (:func:`siommu.walk.state.next_read`).
    read : Out(1)
        Its ``entry`` is read next; with its ``line``, the 64-byte line around it, that word first.
    restart : Out(1)
        The walk goes back to memory, trusting no cache: the next read is that of the device entry.
        It faults only after that. Has a meaning only at the end of an entry.
    finish : Out(1), outcome : Out(Outcome)
        The walk has ended. Not raised for a fault to which a cached context led: such a walk
        restarts at the device directory, for only memory denies (§4). A speculative walk ends
        with it; if it read a line, with a grant of no rights.
    device, context, region : Out(Event(…Info))
        What may be cached: the device entry, the context, the level-1 table that was found.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "word": In(WalkWord(config)),
            "check_ad": In(1),
            "progress": Out(EntryProgress(config)),
            "following": Out(WalkState(config)),
            "read": Out(1),
            "restart": Out(1),
            "finish": Out(1),
            "outcome": Out(Outcome),
            "device": Out(Event(DeviceInfo)),
            "context": Out(Event(ContextInfo(config))),
            "region": Out(Event(RegionInfo(config))),
        })

    def elaborate(self, platform):
        m = Module()
        says, progress, state = self.word.says, self.word.progress, self.word.state
        entry = page_entry.decode(m, self.word.content, level=state.level, ft=self.word.key.ft,
                                  page=self.word.key.page, entry_format=state.entry_format)
        # A fault goes before a grant, and that before the next read. One to which a cache led is
        # looked up again, from the beginning (§4). Only a speculative walk, for which no request
        # waits, ends with it all the same; the line that it read is worth keeping, as that of a
        # grant.
        fault, cached, stops, empty = Signal(), Signal(), Signal(), Signal()
        failed = Signal()       # with an error, or the number of its words is wrong
        absent = ~says.single & ~progress.present
        reserved = (says.reserved | says.reserved_upper | says.reserved_device
                    | says.reserved_page | progress.reserved)
        expected = Cat(~says.single, ~says.short)       # number of the last word
        m.d.comb += [
            failed.eq(says.failed | progress.error | (says.whole != (progress.word == expected))),
            fault.eq(~says.alone & Cat(
                failed, says.invalid, absent, says.reserved, says.reserved_upper,
                says.reserved_device, says.reserved_page, progress.reserved, progress.disabled,
                progress.unreachable, says.supervisor, says.unaccessed, says.ft_differs,
                says.file & says.device_differs.any(), says.denied, says.undirty).any()),
            cached.eq(state.cached & ~state.speculative),
            empty.eq(fault & ~failed & state.speculative & state.line),
            stops.eq(says.leaf | progress.bypass),
            self.restart.eq(fault & cached),
            self.read.eq(says.whole & (says.alone | Mux(
                fault, cached & ~self.word.out_of_range, ~stops))),
            self.finish.eq(says.whole & ~says.alone & Mux(
                fault, ~cached | self.word.out_of_range, stops)),
        ]
        self._gather(m, failed)
        self._follow(m, entry)
        self._conclude(m, entry, fault, failed, reserved)
        self._grant(m, entry)
        with m.If(empty):
            m.d.comb += [self.outcome.cause.eq(Cause.OK), self.outcome.rights.read.eq(0),
                         self.outcome.rights.write.eq(0)]
        self._cache(m, entry, fault, failed, reserved)
        return m

    def _gather(self, m, failed):
        """Accounts for a word that is not the entry's last."""
        says, progress, after = self.word.says, self.word.progress, self.progress
        m.d.comb += [
            after.eq(progress),
            after.word.eq(progress.word + 1),
            after.error.eq(failed),
            after.reserved.eq(progress.reserved | says.reserved_upper | says.reserved_device
                              | Mux(progress.word[1], says.reserved_deny, says.reserved_root)),
        ]
        with m.If(says.device):
            self._gather_device(m)
        with m.Elif(says.context):
            self._gather_context(m)
        with m.If(says.whole):
            m.d.comb += [after[name].eq(0) for name in CLEARED_PER_ENTRY]

    def _gather_device(self, m):
        """Word 0 of a device entry (§3.1)."""
        after, key = self.progress, self.word.key
        first = data.View(DeviceWord0, self.word.content)
        bypass = Mux(key.ft, first.sto_bypass, first.mem_bypass)
        enabled = Mux(key.ft, first.sto_en, first.mem_en)
        m.d.comb += [
            after.present.eq(first.v),
            after.mem_en.eq(first.mem_en), after.sto_en.eq(first.sto_en),
            after.mem_bypass.eq(first.mem_bypass), after.sto_bypass.eq(first.sto_bypass),
            after.quiet.eq(first.quiet),
            after.levels.eq(first.pdt_levels), after.pfn.eq(first.pdt_pfn),
            after.disabled.eq(~enabled),
            after.bypass.eq(bypass),
            # step 3: the directory's reach
            after.unreachable.eq(first.v & enabled & ~bypass
                                 & unreachable(first.pdt_levels, self.word.reach)),
            after.index.eq(index_below_device(first.pdt_levels, key.pasid)),
        ]

    def _gather_context(self, m):
        """Words 0 to 2 of a context (§3.2): the roots, the dispositions."""
        after, progress, key = self.progress, self.word.progress, self.word.key
        root = data.View(ContextRoot, self.word.content)
        denied = data.View(ContextDeny, self.word.content)
        asked = Signal(Paging(self._config), name="asked_paging")
        m.d.comb += assign(asked, paging_of(root, self._config))
        with m.If(progress.word[1]):
            m.d.comb += [after.deny.eq(Mux(key.ft, denied.sto_deny, denied.mem_deny)),
                         after.absent.eq(Mux(key.ft, 0, denied.mem_absent))]
        with m.Elif(progress.word[0] == key.ft):
            m.d.comb += [
                after.present.eq(root.v), after.paging.eq(asked),
                after.pfn.eq(root.root),
                # step 4
                after.unreachable.eq(root.v & ~is_canonical(asked, self.word.reach.canonical)),
                after.index.eq(root_index(asked, key.page)),
            ]
        with m.Else():
            m.d.comb += after.other.eq(root.v)
        if self._config.riscv_tables:       # a storage table has no other format
            with m.If((progress.word == 1) & root.fmt.any()):
                m.d.comb += after.reserved.eq(1)

    def _follow(self, m, entry):
        """The next read."""
        says, state, progress = self.word.says, self.word.state, self.word.progress
        following, table = self.following, Signal(Table)
        with m.Switch(state.table):
            with m.Case(Table.DEVICE):
                m.d.comb += table.eq(table_below_device(progress.levels))
            with m.Case(Table.DIRECTORY_HIGH):
                m.d.comb += table.eq(Table.DIRECTORY_LOW)
            with m.Case(Table.DIRECTORY_LOW):
                m.d.comb += table.eq(Table.CONTEXT)
            with m.Default():
                m.d.comb += table.eq(Table.PAGE_TABLE)
        m.d.comb += [
            following.eq(state),
            following.table.eq(table),
            following.level.eq(Mux(says.context, root_level(progress.paging), says.level)),
            following.line.eq(says.line),
            # of several words, those before this one tell
            following.entry.eq(Cat(Const(0, 3),
                                   Mux(says.several, progress.index, says.index),
                                   Mux(says.several, progress.pfn, Mux(
                                       says.page_table, entry.pfn,
                                       DirectoryEntry(self.word.content).pfn)))),
            following.write.eq(says.write), following.no_read.eq(says.no_read),
        ]
        with m.If(says.device):
            m.d.comb += [following.devid.eq(data.View(DeviceWord1, self.word.content).devid),
                         following.quiet.eq(progress.quiet)]
        with m.If(says.context):
            m.d.comb += [following.deny.eq(progress.deny), following.absent.eq(progress.absent),
                         following.entry_format.eq(page_format(progress.paging))]
        with m.If(says.alone):
            m.d.comb += [following.level.eq(state.level), following.entry.eq(state.entry),
                         following.write.eq(state.write), following.no_read.eq(state.no_read)]

    def _conclude(self, m, entry, fault, failed, reserved):
        """Cause, disposition and place of a fault, if the walk ends."""
        says, state, progress, key = (
            self.word.says, self.word.state, self.word.progress, self.word.key)
        outcome, at_entry = self.outcome, Signal()
        deny = reported(state.deny)
        absent = Mux(state.absent.any(), reported(state.absent), entry.disposition)
        cause, disposition = first_of([
            (failed, Cause.TABLE_ERROR, Disposition.DENY),
            (says.device & ~progress.present, Cause.DEVICE_INVALID, Disposition.DENY),
            (says.invalid & says.page_table, Cause.NOT_PRESENT, absent),
            (says.invalid, Cause.PASID_INVALID, Disposition.DENY),
            (reserved, Cause.ENTRY_RESERVED, Disposition.DENY),
            (says.context & ~progress.present & progress.other, Cause.TABLE_ABSENT,
             Disposition.DENY),
            (says.context & ~progress.present, Cause.PASID_INVALID, Disposition.DENY),
            (progress.disabled, Cause.FT_DISABLED, Disposition.DENY),
            (progress.unreachable & says.context, Cause.NON_CANONICAL, Disposition.DENY),
            (progress.unreachable, Cause.PASID_INVALID, Disposition.DENY),
            (says.supervisor, Cause.SUPERVISOR, Disposition.DENY),
            (says.unaccessed, Cause.ACCESS_FLAG, Disposition.REMAP),
            (says.ft_differs, Cause.FT_MISMATCH, Disposition.DENY),
            (says.file & says.device_differs.any(), Cause.DEVICE_MISMATCH, Disposition.DENY),
            (says.denied & key.write, Cause.WRITE_DENIED, deny),
            (says.denied, Cause.READ_DENIED, deny),
            (says.undirty, Cause.ACCESS_FLAG, Disposition.REMAP),
        ])
        m.d.comb += [outcome.cause.eq(cause), outcome.disposition.eq(disposition)]
        with m.If(state.cached):            # restarted, out of the directory's range
            m.d.comb += [outcome.cause.eq(Mux(fault, Cause.DEVICE_INVALID.value, Cause.OK.value)),
                         outcome.disposition.eq(Disposition.DENY)]
        # Level of the entry under way in a fault record (§5.1).
        level = Mux(says.page_table, state.level, Mux(says.device, 7, 6))
        m.d.comb += [
            at_entry.eq(~state.cached & (~progress.unreachable | failed | reserved)),
            outcome.level.eq(Mux(at_entry, level, 0)),
            outcome.entry.eq(Mux(at_entry, state.entry, 0)),
            outcome.quiet.eq(~state.cached & Mux(
                says.device, progress.quiet & progress.present & ~failed, state.quiet)),
        ]

    def _grant(self, m, entry):
        """What a grant gives (step 7): of a leaf, or of a device that bypasses."""
        says, outcome, rights = self.word.says, self.outcome, self.outcome.rights
        m.d.comb += [
            outcome.pfn.eq(entry.pfn),
            outcome.extent.eq(0),           # the line tells more
            rights.size.eq(Mux(says.device, Size.BYPASS.value, entry.size.as_value())),
            rights.read.eq(says.device | ~says.no_read),
            rights.write.eq(says.device | says.write),
            rights.dirty.eq(says.device | ~self.check_ad | entry.dirty),
        ]

    def _cache(self, m, entry, fault, failed, reserved):
        """What may be cached."""
        says, state, progress = self.word.says, self.word.state, self.word.progress
        device, context, region = self.device, self.context, self.region
        valid = Signal()        # the device entry or context is
        m.d.comb += [
            valid.eq(says.whole & ~failed & progress.present & ~reserved & ~progress.disabled),
            device.valid.eq(valid & says.device & ~progress.bypass),
            context.valid.eq(valid & says.context),
            region.valid.eq(says.whole & says.line & ~fault),
            device.payload.devid.eq(data.View(DeviceWord1, self.word.content).devid),
            *assign(device.payload, {name: progress[name] for name in (
                "mem_en", "sto_en", "mem_bypass", "sto_bypass", "levels", "pfn")}),
            *assign(context.payload, {"root": progress.pfn, "paging": progress.paging,
                                      "deny": progress.deny, "devid": state.devid}),
            *assign(region.payload, {"table": entry.pfn, "entry_format": state.entry_format,
                                     "write": says.write, "no_read": says.no_read,
                                     "devid": state.devid}),
        ]
