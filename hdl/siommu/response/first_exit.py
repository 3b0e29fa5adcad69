"""The first exit: operations beside the first level, from COMPARE to RESOLVE, and their answers."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import Cause, Mode, Response, Size
from ..lib.payload import Payload
from ..lib.structs import assign
from ..pipeline.grants import Outcome
from ..pipeline.operation import LookUp, Operation
from ..pipeline.sizes import LINE_BITS
from .resolve import Resolver, ends_by, lengths, mapped

__all__ = ["FirstExit"]


class FirstExit(wiring.Component):
    """Answers what the first level holds, and what needs no table (§4, step 1).

    Parameters
    ----------
    config : Config

    Members
    -------
    valid : In(1), operation : In(Operation)
        In COMPARE.
    mode : In(2), port_enable : In(ports)
        What is left of a disabled port's requests ends here, without an answer: its egress drops
        the beat.
    hit : In(1), outcome : In(Outcome), last : In(LINE_BITS)
        The first level's answer, in RESOLVE.
    beat : Out(Response), answers : Out(ports)
        In RESOLVE; one-hot: the port that it is for.
    ahead : Out(Operation), look_up : Out(LookUp)
        In SELECT; in RESOLVE, for the miss unit.
    first_hit : Out(1)
        A port's run was found in the first level, in the cycle before.
    """

    def __init__(self, config: Config):
        self._config = config
        ports = config.requesters
        super().__init__({
            "valid": In(1),
            "operation": In(Operation),
            "mode": In(2),
            "port_enable": In(ports),
            "hit": In(1),
            "outcome": In(Outcome),
            "last": In(LINE_BITS),
            "beat": Out(Response),
            "answers": Out(ports),
            "ahead": Out(Operation),
            "look_up": Out(LookUp),
            "first_hit": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        ports, found = self._config.requesters, self.look_up
        selected, resolved = Payload(Operation), Payload(Operation)
        selected_valid, resolved_valid = Signal(), Signal()
        m.d.comb += self.ahead.eq(selected)
        m.d.sync += [selected_valid.eq(self.valid), selected.eq(self.operation),
                     resolved_valid.eq(selected_valid), resolved.eq(selected)]

        # Step 1 of §4, known before the TLB's answer.
        off, bypasses, listens = Signal(), Signal(), Signal(ports)  # one-hot: the port told
        enabled = (self.port_enable >> selected.port)[0]
        translates = (self.mode == Mode.TRANSLATE) & enabled
        m.d.sync += [
            off.eq(~translates & ((self.mode != Mode.BYPASS) | ~enabled)),
            bypasses.eq(~translates),
            listens.eq((selected_valid & ~selected.speculative) << selected.port),
        ]
        outcome, answered = Signal(Outcome), Signal()
        m.d.comb += [outcome.eq(self.outcome), answered.eq(self.hit | bypasses)]
        with m.If(off):
            m.d.comb += outcome.cause.eq(Cause.CORE_OFF)
        with m.If(bypasses):
            m.d.comb += [outcome.rights.size.eq(Size.BYPASS), outcome.rights.read.eq(1),
                         outcome.rights.write.eq(1)]

        m.submodules.resolver = resolver = Resolver()
        m.d.sync += assign(resolver.lengths, lengths(selected))
        m.d.comb += [
            resolver.operation.eq(resolved), resolver.outcome.eq(outcome),
            *assign(resolver.mapped, mapped(outcome)),
            resolver.short.eq(ends_by(resolver.lengths, self.last)),
            self.beat.eq(resolver.beat), self.answers.eq(listens & answered.replicate(ports)),
            found.valid.eq(resolved_valid), found.answered.eq(answered),
            found.more.eq(resolver.more), found.run.eq(resolver.beat.pages),
            found.operation.eq(resolved),
        ]
        m.d.sync += self.first_hit.eq(listens[:self._config.ports].any() & self.hit & ~bypasses
                                      & ~resolved.has_waited())
        return m
