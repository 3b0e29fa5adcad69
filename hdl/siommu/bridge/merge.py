"""Answers of memory and of the bridge become one channel to the device (§9)."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..bus.axi import ReadData, Resp, WriteResponse
from ..lib.event import Event
from ..lib.queues import PairQueue
from .refuse import RefusedBeat

__all__ = ["ReadMerge", "WriteMerge"]


class ReadMerge(wiring.Component):
    """Read data of memory, and beats of refused reads between two bursts of them.

    The bridge tears no burst apart: it comes in behind a beat with RLAST only. Memory that
    alternates between ids by itself stays as it is. A queue of two is behind it, so the latency is
    1, and no handshake depends on the other side's in the same cycle.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    memory : In(stream.Signature(ReadData))
    refused : In(stream.Signature(RefusedBeat))
    r : Out(stream.Signature(ReadData))
    ends : Out(Event(id))
        The last beat of a burst is taken from memory.
    """

    def __init__(self, config: BridgeConfig):
        self._content = ReadData(config.id_width, config.data_width)
        super().__init__({
            "memory": In(stream.Signature(self._content)),
            "refused": In(stream.Signature(RefusedBeat(config.id_width))),
            "r": Out(stream.Signature(self._content)), "ends": Out(Event(config.id_width)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = PairQueue(self._content)
        memory, refused, beat = self.memory, self.refused, queue.w.payload
        ours, within = Signal(), Signal()       # the turn is the bridge's; memory is in a burst
        moves, last = Signal(), Signal()
        m.d.comb += [
            queue.w.valid.eq(Mux(ours, refused.valid, memory.valid)),
            memory.ready.eq(queue.w.ready & ~ours), refused.ready.eq(queue.w.ready & ours),
            moves.eq(queue.w.valid & queue.w.ready), last.eq(moves & beat.last),
            beat.id.eq(Mux(ours, refused.payload.id, memory.payload.id)),
            beat.data.eq(Mux(ours, 0, memory.payload.data)),
            beat.resp.eq(Mux(ours, Resp.SLVERR.value, memory.payload.resp)),
            beat.last.eq(Mux(ours, refused.payload.last, memory.payload.last)),
            self.ends.valid.eq(last & ~ours), self.ends.payload.eq(memory.payload.id),
        ]
        wiring.connect(m, queue.r, wiring.flipped(self.r))
        with m.If(ours):
            m.d.sync += ours.eq(~last)
        with m.Else():
            m.d.sync += ours.eq(refused.valid & Mux(moves, beat.last, ~within))
            with m.If(moves):
                m.d.sync += within.eq(~beat.last)
        return m


class WriteMerge(wiring.Component):
    """Write responses of memory and of refused writes; these first, since they are rare. Behind it
    is a queue of two, as in :class:`ReadMerge`.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    memory : In(stream.Signature(WriteResponse))
    refused : In(stream.Signature(id))
    b : Out(stream.Signature(WriteResponse))
    ends : Out(Event(id))
        A response is taken from memory.
    """

    def __init__(self, config: BridgeConfig):
        self._content = WriteResponse(config.id_width)
        super().__init__({
            "memory": In(stream.Signature(self._content)),
            "refused": In(stream.Signature(config.id_width)),
            "b": Out(stream.Signature(self._content)), "ends": Out(Event(config.id_width)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = PairQueue(self._content)
        memory, refused, answer = self.memory, self.refused, queue.w.payload
        m.d.comb += [
            queue.w.valid.eq(memory.valid | refused.valid),
            memory.ready.eq(queue.w.ready & ~refused.valid), refused.ready.eq(queue.w.ready),
            answer.id.eq(Mux(refused.valid, refused.payload, memory.payload.id)),
            answer.resp.eq(Mux(refused.valid, Resp.SLVERR.value, memory.payload.resp)),
            self.ends.valid.eq(memory.valid & memory.ready),
            self.ends.payload.eq(memory.payload.id),
        ]
        wiring.connect(m, queue.r, wiring.flipped(self.b))
        return m
