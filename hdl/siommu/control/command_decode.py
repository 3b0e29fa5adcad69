"""What a command asks for, and whether it may (§6)."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import PREFETCH_MAX_N, CommandAddress, CommandWord0, FenceWord0, Opcode
from ..lib.payload import Payload
from ..pipeline.events import Invalidation
from .command_fetch import COMMAND_WORDS
from .command_state import CommandState

__all__ = ["CommandDecode"]


class CommandDecode(wiring.Component):
    """Decodes a command, and checks its address, in as many cycles as the range has bits.

    Members
    -------
    words : In(ArrayLayout(64, COMMAND_WORDS))
        They are there in the cycle before ``deciding``, and stay.
    reading : In(1)
        The command is still being read.
    deciding : In(1)
        Until it is ``decided``.
    decided : Out(1), legal : Out(1), next : Out(CommandState), invalidates : Out(1)
        While deciding: the command may be carried out, or is illegal; the state in which it is
        carried out; it is an invalidation.
    invalidation : Out(Invalidation)
        What an invalidation drops. It stays as the words do.
    """

    def __init__(self):
        super().__init__({
            "words": In(data.ArrayLayout(64, COMMAND_WORDS)),
            "reading": In(1),
            "deciding": In(1),
            "decided": Out(1),
            "legal": Out(1),
            "next": Out(CommandState),
            "invalidates": Out(1),
            "invalidation": Out(Invalidation),
        })

    def elaborate(self, platform):
        m = Module()
        command = data.View(CommandWord0, self.words[0])
        fence = data.View(FenceWord0, self.words[0])
        opcode = command.opcode
        # What the words say, which are there before it is decided.
        by_address, invalidates, fences, prefetches, misplaced = (
            Payload(name=name) for name in (
                "by_address", "is_invalidation", "is_fence", "is_prefetch", "misplaced"))
        m.d.sync += [
            by_address.eq(((opcode == Opcode.INVAL_TLB) & command.by_addr)
                          | (opcode == Opcode.PREFETCH)),
            invalidates.eq((opcode == Opcode.INVAL_TLB) | (opcode == Opcode.INVAL_CONTEXT)),
            fences.eq(opcode == Opcode.FENCE), prefetches.eq(opcode == Opcode.PREFETCH),
            misplaced.eq(fence.store & self.words[1][:2].any()),
        ]
        self._invalidation(m, command)
        unfit, compared = self._fit(m, command, by_address, prefetches)

        # What follows, if the address fits.
        next_, known = Payload(CommandState, name="next_held"), Payload(name="known")
        m.d.sync += [
            next_.eq(Mux(invalidates, CommandState.INVALIDATING,
                         Mux(fences, CommandState.OLD_WALKS, CommandState.PREFETCHING))),
            known.eq(invalidates | prefetches | (fences & ~misplaced)),
        ]
        m.d.comb += [
            self.decided.eq(compared), self.legal.eq(~((by_address & unfit) | ~known)),
            self.next.eq(next_), self.invalidates.eq(invalidates),
        ]
        return m

    def _invalidation(self, m, command):
        target, opcode = self.invalidation, command.opcode
        by = {name: Signal(name=name) for name in (
            "by_device", "by_pasid", "by_ft", "by_addr", "context")}
        inval_tlb = opcode == Opcode.INVAL_TLB
        m.d.sync += [
            by["by_device"].eq(command.by_device), by["by_pasid"].eq(command.by_pasid),
            by["by_ft"].eq(command.by_ft & inval_tlb),
            by["by_addr"].eq(command.by_addr & inval_tlb),
            by["context"].eq(opcode == Opcode.INVAL_CONTEXT),
        ]
        m.d.comb += [
            *(target[name].eq(value) for name, value in by.items()),
            *(target[name].eq(command[name]) for name in ("ft", "device", "pasid", "n")),
            target.page.eq(data.View(CommandAddress, self.words[1]).page),
        ]

    def _fit(self, m, command, by_address, prefetches):
        """Whether the address is not one of the command's range, and whether that is known. What
        must be 0 of the page number, 2^n - 1, becomes longer by a bit in each cycle."""
        address = data.View(CommandAddress, self.words[1])
        below, bits = Signal(len(address.page), name="below"), Signal(len(command.n), name="bits")
        unfit, compared = Signal(), Signal()        # of the cycles before, while deciding
        m.d.sync += [
            unfit.eq(self.deciding & (address.offset.any() | (address.page & below).any() | (
                prefetches & below[PREFETCH_MAX_N]))),
            compared.eq(self.deciding & (~by_address | unfit | (bits == command.n))),
            below.eq(Cat(1, below)), bits.eq(bits + 1),
        ]
        with m.If(bits == command.n):
            m.d.sync += [below.eq(below), bits.eq(bits)]
        with m.If(self.reading):
            m.d.sync += [below.eq(0), bits.eq(0)]
        return unfit, compared
