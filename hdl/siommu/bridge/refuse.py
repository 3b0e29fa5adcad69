"""The answers to refused bursts: SLVERR, and nothing of memory (§9)."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..lib.contract import require
from .channels import Refusal

__all__ = ["RefusedBeat", "RefusedReads", "RefusedWrites"]


def RefusedBeat(id_width):      # noqa: N802 - a layout, like those of the channels
    """A beat of a refused read. Its data are 0, and its response SLVERR."""
    return data.StructLayout({"id": id_width, "last": 1})


class RefusedReads(wiring.Component):
    """As many beats as a refused read asked for, one a cycle. Combinational.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    refusal : In(stream.Signature(Refusal))
        Taken with the last beat.
    beats : Out(stream.Signature(RefusedBeat))
    """

    def __init__(self, config: BridgeConfig):
        super().__init__({
            "refusal": In(stream.Signature(Refusal(config.id_width))),
            "beats": Out(stream.Signature(RefusedBeat(config.id_width))),
        })

    def elaborate(self, platform):
        m = Module()
        refusal, beats, beat = self.refusal, self.beats, Signal(8)
        m.d.comb += [
            beats.valid.eq(refusal.valid), beats.payload.id.eq(refusal.payload.id),
            beats.payload.last.eq(beat == refusal.payload.len),
            refusal.ready.eq(beats.ready & beats.payload.last),
        ]
        with m.If(beats.valid & beats.ready):
            m.d.sync += beat.eq(Mux(beats.payload.last, 0, beat + 1))
        return m


class RefusedWrites(wiring.Component):
    """One response to a refused write, once all of its data have been taken.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    refusal : In(stream.Signature(Refusal))
        Taken with the response. One is set aside at a time.
    drained : In(1)
        The last beat of its data is taken in this cycle; maybe before ``refusal`` is due.
    response : Out(stream.Signature(id))
    """

    def __init__(self, config: BridgeConfig):
        super().__init__({
            "refusal": In(stream.Signature(Refusal(config.id_width))), "drained": In(1),
            "response": Out(stream.Signature(config.id_width)),
        })

    def elaborate(self, platform):
        m = Module()
        refusal, response, complete = self.refusal, self.response, Signal()
        m.d.comb += [
            response.valid.eq(refusal.valid & complete), response.payload.eq(refusal.payload.id),
            refusal.ready.eq(response.ready & complete),
        ]
        require(m, ~(self.drained & complete), "one refused write is under way at a time")
        with m.If(self.drained):
            m.d.sync += complete.eq(1)
        with m.Elif(response.valid & response.ready):
            m.d.sync += complete.eq(0)
        return m
