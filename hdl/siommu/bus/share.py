"""The AXI master's channels, shared between those that use them (§2.2)."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.cover import cover
from .axi import ReadAddress, ReadData, WriteAddress, WriteData, WriteResponse

__all__ = ["ReadShare", "WriteShare", "READ_ID", "RECORDS_ID", "FENCES_ID"]

RECORDS_ID = 0      #: AWID of fault records
FENCES_ID = 1       #: AWID of the stores of fences


def READ_ID(config):
    """ARID of the command queue: the one above those of the walk slots."""
    return config.walk_slots


class ReadShare(wiring.Component):
    """The read channels: the walker, and now and then the command queue between two of its reads.

    Offers are passed on in the same cycle, unchanged until they are taken.

    Members
    -------
    walker_ar, commands_ar : In, ar : Out
    r : In, walker_r, commands_r : Out
        ``commands_r`` is always ready. Answers go to the command queue by their id.
    """

    def __init__(self, config: Config):
        self._config = config
        address = stream.Signature(ReadAddress(config.axi_id_width))
        content = ReadData(config.axi_id_width, config.axi_data_width)
        super().__init__({
            "walker_ar": In(address), "commands_ar": In(address), "ar": Out(address),
            "r": In(stream.Signature(content)), "walker_r": Out(stream.Signature(content)),
            "commands_r": Out(stream.Signature(content, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        turn, ours = Signal(), Signal()     # the cycle is the command queue's
        walker, commands, ar = self.walker_ar, self.commands_ar, self.ar
        m.d.comb += [
            ar.valid.eq(Mux(turn, commands.valid, walker.valid)),
            ar.payload.eq(Mux(turn, commands.payload.as_value(), walker.payload.as_value())),
            walker.ready.eq(ar.ready & ~turn), commands.ready.eq(ar.ready & turn),
            ours.eq(self.r.payload.id == READ_ID(self._config)),
            self.walker_r.payload.eq(self.r.payload), self.commands_r.payload.eq(self.r.payload),
            self.walker_r.valid.eq(self.r.valid & ~ours),
            self.commands_r.valid.eq(self.r.valid & ours),
            self.r.ready.eq(self.walker_r.ready | ours),
        ]
        cover(m, walker.valid & commands.valid, "read_address", "walk", "command")
        with m.If(turn):
            m.d.sync += turn.eq(~ar.ready)
        with m.Else():
            m.d.sync += turn.eq(commands.valid & (~walker.valid | ar.ready))
        return m


class WriteShare(wiring.Component):
    """The write channels: one burst after the other, from the fault queue or from a fence.

    A burst's address and data are offered side by side, and neither waits for the other. It is over
    when nothing of it is on offer any more.

    Members
    -------
    records_aw, records_w, fences_aw, fences_w : In, aw, w : Out
        A burst is begun when its address is offered. Its data must be on offer in the same
        cycle, and with no gap.
    b : In, records_b, fences_b : Out(stream.Signature(1, always_ready=True))
        Payload: it failed.
    """

    def __init__(self, config: Config):
        address = stream.Signature(WriteAddress(config.axi_id_width))
        content = stream.Signature(WriteData(config.axi_data_width))
        done = stream.Signature(1, always_ready=True)
        super().__init__({
            "records_aw": In(address), "records_w": In(content),
            "fences_aw": In(address), "fences_w": In(content),
            "aw": Out(address), "w": Out(content),
            "b": In(stream.Signature(WriteResponse(config.axi_id_width), always_ready=True)),
            "records_b": Out(done), "fences_b": Out(done),
        })

    def elaborate(self, platform):
        m = Module()
        busy, fence, over = Signal(), Signal(), Signal()
        for shared, ours, theirs in ((self.aw, self.fences_aw, self.records_aw),
                                     (self.w, self.fences_w, self.records_w)):
            m.d.comb += [
                shared.valid.eq(busy & Mux(fence, ours.valid, theirs.valid)),
                shared.payload.eq(Mux(fence, ours.payload.as_value(), theirs.payload.as_value())),
                ours.ready.eq(busy & fence & shared.ready),
                theirs.ready.eq(busy & ~fence & shared.ready),
            ]
        m.d.comb += over.eq((~self.aw.valid | self.aw.ready)
                            & (~self.w.valid | (self.w.ready & self.w.payload.last)))
        cover(m, self.fences_aw.valid & self.records_aw.valid, "write_burst", "fence", "record")
        with m.If(~busy):
            m.d.sync += [busy.eq(self.fences_aw.valid | self.records_aw.valid),
                         fence.eq(self.fences_aw.valid)]
        with m.Elif(over):
            m.d.sync += busy.eq(0)
        m.d.comb += [
            self.records_b.valid.eq(self.b.valid & (self.b.payload.id == RECORDS_ID)),
            self.fences_b.valid.eq(self.b.valid & (self.b.payload.id == FENCES_ID)),
            self.records_b.payload.eq(self.b.payload.resp[1]),
            self.fences_b.payload.eq(self.b.payload.resp[1]),
        ]
        return m
