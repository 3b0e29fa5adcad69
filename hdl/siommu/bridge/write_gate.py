"""Write data follow their burst to memory, or end here with a refused one (§9)."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..bus.axi import WriteData
from ..lib.event import Event
from ..lib.queues import RingQueue

__all__ = ["DEPTH", "WriteGate"]

DEPTH = 16              #: bursts that left their slot before their data came


class WriteGate(wiring.Component):
    """Lets data pass to memory from the cycle on in which their burst's address is offered there;
    takes those of a refused burst, and forgets them.

    Data do not wait for the address to be taken, since memory may wait for data before it takes
    one (IHI 0022, A3.3.1). They never come before their address is offered, nor while an earlier
    one is. Beats are counted by AWLEN, and WLAST to memory is made of that count: a device with a
    wrong WLAST shifts its own data, and what memory sees stays whole.

    Combinational from ``data`` to ``w``.

    Parameters
    ----------
    data_width : int
        Bits.

    Members
    -------
    data : In(stream.Signature(WriteData))
        From the device. Its ``last`` is not looked at.
    offers : In(Event(8))
        The address of a granted burst is on offer to memory; payload: its AWLEN.
    passes : In(Event({len, granted}))
        A burst leaves its slot in this cycle.
    room : Out(1)
        One may. Set until one does.
    w : Out(stream.Signature(WriteData))
        To memory.
    drained : Out(1)
        The last beat of a refused burst is taken in this cycle.
    """

    def __init__(self, data_width):
        content = stream.Signature(WriteData(data_width))
        self._burst = data.StructLayout({"len": 8, "granted": 1})
        super().__init__({
            "data": In(content), "offers": In(Event(8)), "passes": In(Event(self._burst)),
            "room": Out(1), "w": Out(content), "drained": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = RingQueue(self._burst, DEPTH)
        held = Signal(range(DEPTH + 1))
        waits, front = bursts.r.valid, bursts.r.payload
        early = Signal()        # all data of the burst on offer have passed before its address
        granted, refused, last, moves, ends = (Signal() for _ in range(5))
        length, beat = Signal(8), Signal(8)
        m.d.comb += [
            granted.eq(Mux(waits, front.granted, self.offers.valid & ~early)),
            refused.eq(waits & ~front.granted),
            length.eq(Mux(waits, front.len, self.offers.payload)),
            last.eq(beat == length),
            self.w.valid.eq(self.data.valid & granted),
            self.w.payload.data.eq(self.data.payload.data),
            self.w.payload.strb.eq(self.data.payload.strb), self.w.payload.last.eq(last),
            self.data.ready.eq(refused | (granted & self.w.ready)),
            moves.eq(self.data.valid & self.data.ready), ends.eq(moves & last),
            self.drained.eq(ends & refused),
            # A burst that leaves with its data needs no place here.
            bursts.w.valid.eq(self.passes.valid & (waits | ~(early | ends))),
            bursts.w.payload.eq(self.passes.payload),
            bursts.r.ready.eq(ends), self.room.eq(held != DEPTH),
        ]
        m.d.sync += held.eq(held + bursts.w.valid - (waits & ends))
        with m.If(moves):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
        with m.If(~waits):
            m.d.sync += early.eq(~self.passes.valid & (early | ends))
        return m
