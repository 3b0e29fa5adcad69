"""Beats wait before a port: whether they rest on a damaged word must be known (``fail_stop``)."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import Response
from ..lib.payload import Payload
from ..lib.watch import STOP_CYCLES
from ..pipeline.timetable import Stage

__all__ = ["HOLD", "Hold"]

#: Cycles that a beat waits. A row of the first level is read in SELECT; its beat comes here in the
#: cycle behind ANSWER, and the last register is loaded when it is known of the row. Nothing else is
#: as short: a beat of a port's queue passes two registers from the block RAM to here as well.
HOLD = (Stage.SELECT + STOP_CYCLES) - Stage.ANSWER


class Hold(wiring.Component):
    """A beat that comes in cycle *n* is offered in *n* + ``HOLD`` at the earliest. Those that are
    not offered when the core stops never are.

    Members
    -------
    beats : In(stream.Signature(Response)), port : Out(stream.Signature(Response))
        ``port`` comes from registers.
    stop : In(1)
        From the next cycle on no other beat is offered.
    """

    def __init__(self):
        super().__init__({
            "beats": In(stream.Signature(Response)),
            "port": Out(stream.Signature(Response)),
            "stop": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        valid = [Signal(name=f"valid_{index}") for index in range(HOLD)]
        beats = [Payload(Response, name=f"beat_{index}") for index in range(HOLD)]
        moves = [Signal(name=f"moves_{index}") for index in range(HOLD)]
        comes, beat = self.beats.valid, self.beats.payload
        for index in range(HOLD):
            last = index + 1 == HOLD
            m.d.comb += moves[index].eq(
                ~valid[index] | (self.port.ready if last else moves[index + 1]))
            with m.If(moves[index]):
                m.d.sync += [valid[index].eq(comes & ~self.stop if last else comes),
                             beats[index].eq(beat)]
            comes, beat = valid[index], beats[index]
        m.d.comb += [self.beats.ready.eq(moves[0]), self.port.valid.eq(comes),
                     self.port.payload.eq(beat)]
        return m
