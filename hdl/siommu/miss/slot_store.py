"""What is kept by walk slot: its owner, its outcome, how many pages follow."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PFN_BITS
from ..lib.clocked_ram import ClockedRam, words_for
from ..lib.contract import require
from ..lib.event import Event
from ..lib.structs import assign
from ..lib.watch import watch, watch_clocked
from ..pipeline.grants import Outcome, Rights
from ..pipeline.keys import WalkKey, walk_key
from ..pipeline.lines import MeasuredRun, WalkOfLine
from ..pipeline.operation import Operation
from ..pipeline.sizes import LINE_BITS, SLOT_BITS
from ..pipeline.walks import WalkFinished
from ..response.resolve import Lengths, Mapped, lengths, mapped

__all__ = ["KeptOperation", "KeptOutcome", "SlotStore"]


#: An operation that passes from ACT to OUTCOME, or stays between them as an owner, but for what is
#: decided meanwhile; with its :class:`~siommu.response.resolve.Lengths`, for which OUTCOME has no
#: time.
KeptOperation = data.StructLayout({
    **{name: field.shape for name, field in data.Layout.cast(Operation)
       if name not in ("reserved", "claims")},
    "lengths": Lengths})


class KeptOutcome(data.Struct):
    """The outcome of a walk, and what it translates."""

    outcome: Outcome
    mapped: Mapped


class LeafOfLine(data.Struct):
    """What the line scan needs of an outcome."""

    rights: Rights
    pfn: PFN_BITS


class SlotStore(wiring.Component):
    """Memories.

    Every operation of ACT passes through a place among the owners, and stays there if it owns a
    walk. The last place is for operations that pass while no slot is free. Each place is there
    twice, and operations that follow each other take either one: so none is written while the
    operation before, which may have had the same place, is read.

    Parameters
    ----------
    config : Config

    Members
    -------
    place : In(SLOT_BITS), operation : In(Operation)
        Written in every cycle: what is in ACT.
    owner_comes : In(1), owner_slot : In(SLOT_BITS)
        In JOIN: an owner's slot, or else the operation that was in ACT in the cycle before.
    kept : Out(KeptOperation)
        In the next cycle.
    finished : In(Event(WalkFinished))
        Keeps the slot's outcome.
    slot : In(SLOT_BITS), outcome : Out(KeptOutcome), extent : Out(LINE_BITS)
        In the next cycle.
    joined_slot : In(SLOT_BITS), joined_key : Out(WalkKey), joined_known : Out(1)
        The key of a slot in use, in the next cycle; it is not known if a line is read meanwhile.
    measured : In(stream.Signature(MeasuredRun)), lines : In(WalkOfLine)
        Keeps an extent; what the line scan reads, but for ``way``.
    """

    def __init__(self, config: Config):
        self._slots = config.walk_slots
        lines = {name: member for name, member in WalkOfLine().members.items()
                 if name not in ("slot", "way")}
        super().__init__({
            "place": In(SLOT_BITS),
            "operation": In(Operation),
            "owner_comes": In(1),
            "owner_slot": In(SLOT_BITS),
            "kept": Out(KeptOperation),
            "finished": In(Event(WalkFinished)),
            "slot": In(SLOT_BITS),
            "outcome": Out(KeptOutcome),
            "extent": Out(LINE_BITS),
            "joined_slot": In(SLOT_BITS),
            "joined_key": Out(WalkKey),
            "joined_known": Out(1),
            "measured": In(stream.Signature(MeasuredRun, always_ready=True)),
            "lines": In(wiring.Signature(lines)),
        })

    def elaborate(self, platform):
        m = Module()
        self._owners(m)
        self._outcomes(m)
        self._keys(m)
        return m

    def _owners(self, m):
        places = self._slots + 1
        m.submodules.owners = owners = ClockedRam(KeptOperation, 2 * places, registered=True)
        m.submodules.halves = halves = memory.Memory(shape=1, depth=words_for(places), init=[])
        write, read = halves.write_port(), halves.read_port(domain="comb")
        half, passes = Signal(), Signal.like(owners.address)      # the place of before
        m.d.comb += [
            owners.write.eq(1), owners.write_address.eq(Cat(half, self.place)),
            *assign(owners.word, {name: self.operation[name] for name, _ in KeptOperation
                                  if name != "lengths"}),
            *assign(owners.word.lengths, lengths(self.operation)),
            write.en.eq(1), write.addr.eq(self.place), write.data.eq(half),
            read.addr.eq(self.owner_slot),
            owners.address.eq(Mux(self.owner_comes, Cat(read.data, self.owner_slot), passes)),
            self.kept.eq(owners.answer),
        ]
        m.d.sync += [half.eq(~half), passes.eq(owners.write_address)]
        require(m, self.owner_comes | (owners.write_address != owners.address),
                "the place of an operation is not written while it is read")
        watch_clocked(m, "watch_owners", owners, written=True)
        watch(m, "watch_halves", write, read, counts=self.owner_comes, written=True)

    def _outcomes(self, m):
        m.submodules.outcomes = outcomes = ClockedRam(KeptOutcome, self._slots)
        m.submodules.extents = extents = memory.Memory(
            shape=LINE_BITS, depth=words_for(self._slots), init=[])
        measure, follows = extents.write_port(), extents.read_port()
        finished = self.finished.payload
        m.d.comb += [
            outcomes.write.eq(self.finished.valid), outcomes.write_address.eq(finished.slot),
            outcomes.word.outcome.eq(finished.outcome),
            *assign(outcomes.word.mapped, mapped(finished.outcome)),
            outcomes.address.eq(self.slot), self.outcome.eq(outcomes.answer),
            measure.en.eq(self.measured.valid), measure.addr.eq(self.measured.payload.slot),
            measure.data.eq(self.measured.payload.extent),
            follows.addr.eq(self.slot), self.extent.eq(follows.data),
        ]
        watch_clocked(m, "watch_outcomes", outcomes, written=True)
        watch(m, "watch_extents", measure, follows, written=True)

    def _keys(self, m):
        lines, finished = self.lines, self.finished.payload
        m.submodules.keys = keys = ClockedRam(WalkKey, self._slots + 1)
        m.submodules.leaves = leaves = ClockedRam(LeafOfLine, self._slots)
        m.d.comb += [
            keys.write.eq(1), keys.write_address.eq(self.place),
            *assign(keys.word, walk_key(self.operation)),
            keys.address.eq(Mux(lines.reads, lines.coming, self.joined_slot)),
            self.joined_key.eq(keys.answer), lines.key.eq(keys.answer),
            leaves.write.eq(self.finished.valid), leaves.write_address.eq(finished.slot),
            leaves.word.rights.eq(finished.outcome.rights),
            leaves.word.pfn.eq(finished.outcome.pfn),
            leaves.address.eq(lines.coming), lines.rights.eq(leaves.answer.rights),
            lines.pfn.eq(leaves.answer.pfn),
        ]
        watch_clocked(m, "watch_keys", keys, written=True)
        watch_clocked(m, "watch_leaves", leaves, written=True)
        # A line cannot wait. Who joined meanwhile may look up again.
        m.d.sync += self.joined_known.eq(~lines.reads)
