"""What is kept by walk slot: its owner, its outcome, how many pages follow."""

from amaranth import Module
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.event import Event
from ..lib.structs import assign
from ..pipeline.grants import Outcome
from ..pipeline.keys import walk_key
from ..pipeline.lines import MeasuredRun, WalkOfLine
from ..pipeline.operation import Operation
from ..pipeline.sizes import LINE_BITS, SLOT_BITS
from ..pipeline.walks import WalkFinished

__all__ = ["SlotStore"]


class SlotStore(wiring.Component):
    """Three memories in LUT RAM.

    Every operation of ACT passes through a place among the owners, and stays there if it owns a
    walk. The last place is for operations that pass while no slot is free.

    Parameters
    ----------
    config : Config

    Members
    -------
    place : In(SLOT_BITS), operation : In(Operation)
        Written in every cycle.
    owner_place : In(SLOT_BITS), owner : Out(Operation)
        Combinational.
    finished : In(Event(WalkFinished))
        Keeps the slot's outcome.
    slot : In(SLOT_BITS), outcome : Out(Outcome), extent : Out(LINE_BITS)
        In the next cycle.
    measured : In(stream.Signature(MeasuredRun)), lines : In(WalkOfLine)
        Keeps an extent; what the line scan reads, combinational, but for ``way``.
    """

    def __init__(self, config: Config):
        self._slots = config.walk_slots
        lines = {name: member for name, member in WalkOfLine().members.items() if name != "way"}
        super().__init__({
            "place": In(SLOT_BITS),
            "operation": In(Operation),
            "owner_place": In(SLOT_BITS),
            "owner": Out(Operation),
            "finished": In(Event(WalkFinished)),
            "slot": In(SLOT_BITS),
            "outcome": Out(Outcome),
            "extent": Out(LINE_BITS),
            "measured": In(stream.Signature(MeasuredRun, always_ready=True)),
            "lines": In(wiring.Signature(lines)),
        })

    def elaborate(self, platform):
        m = Module()
        slots, lines = self._slots, self.lines
        m.submodules.owners = owners = memory.Memory(shape=Operation, depth=slots + 1, init=[])
        m.submodules.outcomes = outcomes = memory.Memory(shape=Outcome, depth=slots, init=[])
        m.submodules.extents = extents = memory.Memory(shape=LINE_BITS, depth=slots, init=[])
        own, keep, measure = (each.write_port() for each in (owners, outcomes, extents))
        owner, scanned = owners.read_port(domain="comb"), owners.read_port(domain="comb")
        answer, follows = outcomes.read_port(), extents.read_port()
        settled = outcomes.read_port(domain="comb")
        m.d.comb += [
            own.en.eq(1), own.addr.eq(self.place), own.data.eq(self.operation),
            owner.addr.eq(self.owner_place), self.owner.eq(owner.data),
            keep.en.eq(self.finished.valid), keep.addr.eq(self.finished.payload.slot),
            keep.data.eq(self.finished.payload.outcome),
            measure.en.eq(self.measured.valid), measure.addr.eq(self.measured.payload.slot),
            measure.data.eq(self.measured.payload.extent),
            answer.addr.eq(self.slot), self.outcome.eq(answer.data),
            follows.addr.eq(self.slot), self.extent.eq(follows.data),
            settled.addr.eq(lines.slot), lines.outcome.eq(settled.data),
            scanned.addr.eq(lines.slot), *assign(lines.key, walk_key(scanned.data)),
        ]
        return m
