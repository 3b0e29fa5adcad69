"""The first exit: operations beside the first level, from COMPARE to MATCH, and their answers."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import Cause, Mode, Response, Size
from ..lib.cover import cover
from ..lib.payload import Payload, later
from ..lib.structs import assign
from ..pipeline.grants import Outcome
from ..pipeline.operation import LookedUp, Operation
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import Stage
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
        The first level's answer, in ANSWER.
    beat : Out(Response), answers : Out(ports)
        In ANSWER; one-hot: the port that it is for.
    listens : Out(ports)
        In ANSWER, one-hot: the port that ``answers`` may name. Registers.
    in_select : Out(Operation), look_up : Out(LookedUp)
        In SELECT; in MATCH, for the miss unit.
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
            "listens": Out(ports),
            "in_select": Out(Operation),
            "look_up": Out(LookedUp),
            "first_hit": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        ports, found = self._config.requesters, self.look_up
        valid, operations = {Stage.COMPARE: self.valid}, {Stage.COMPARE: self.operation}
        for stage in range(Stage.COMPARE + 1, Stage.MATCH + 1):
            name = Stage(stage).name.lower()
            operations[stage] = Payload(Operation, name=f"{name}_operation")
            valid[stage] = Signal(name=f"{name}_valid")
            m.d.sync += [valid[stage].eq(valid[stage - 1]),
                         operations[stage].eq(operations[stage - 1])]
        m.d.comb += self.in_select.eq(operations[Stage.SELECT])
        operation = operations[Stage.ANSWER]

        # Step 1 of §4, known before the TLB's answer.
        soon = operations[Stage.ANSWER - 1]
        off, bypasses, listens = Signal(), Signal(), self.listens
        enabled = (self.port_enable >> soon.port)[0]
        translates = (self.mode == Mode.TRANSLATE) & enabled
        m.d.sync += [
            off.eq(~translates & ((self.mode != Mode.BYPASS) | ~enabled)),
            bypasses.eq(~translates),
            listens.eq((valid[Stage.ANSWER - 1] & ~soon.speculative) << soon.port),
        ]
        outcome, answered = Signal(Outcome), Signal()
        m.d.comb += [outcome.eq(self.outcome), answered.eq(self.hit | bypasses)]
        with m.If(off):
            m.d.comb += outcome.cause.eq(Cause.CORE_OFF)
        with m.If(bypasses):
            m.d.comb += [outcome.rights.size.eq(Size.BYPASS), outcome.rights.read.eq(1),
                         outcome.rights.write.eq(1)]

        m.submodules.resolver = resolver = Resolver(self._config)
        m.d.sync += assign(resolver.lengths, lengths(soon))
        m.d.comb += [
            resolver.operation.eq(operation), resolver.outcome.eq(outcome),
            *assign(resolver.mapped, mapped(outcome)),
            resolver.short.eq(ends_by(resolver.lengths, self.last)),
            self.beat.eq(resolver.beat), self.answers.eq(listens & answered.replicate(ports)),
            found.valid.eq(valid[Stage.MATCH]), found.operation.eq(operations[Stage.MATCH]),
            *(found[name].eq(later(m, value, Stage.MATCH - Stage.ANSWER, name=name))
              for name, value in (("answered", answered), ("more", resolver.more),
                                  ("run", resolver.beat.pages))),
        ]
        for size in (Size.PAGE_4K, Size.PAGE_2M, Size.PAGE_1G):
            cover(m, listens.any() & self.hit & ~bypasses & (self.outcome.rights.size == size),
                  "translation", "first_level_hit", size.name.lower())
        m.d.sync += self.first_hit.eq(listens[:self._config.ports].any() & self.hit & ~bypasses
                                      & ~operation.has_waited())
        return m
