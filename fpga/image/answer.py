"""Answers to frames: they are collected whole, because a length and a status stand before them."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from sim.board.protocol import ANSWER_SYNC, MAX_PAYLOAD

__all__ = ["FrameSender"]


class FrameSender(wiring.Component):
    """Sends answers, and keeps the last one, so that it can be sent again.

    Members
    -------
    payload : In(stream.Signature(8, always_ready=True))
        Bytes of the answer that is being made.
    fresh : In(1)
        A new answer begins: the bytes so far are forgotten.
    send : In(1), sequence : In(8), status : In(8)
        Sends the answer; the numbers stay until ``sent``.
    sent : Out(1)
        The last byte goes out in this cycle.
    empty : In(1)
        What is sent has no payload, and the last answer stays as it is; held like the numbers.
    room : Out(range(256))
        Bytes that may still be added.
    bytes : Out(stream.Signature(8))
        To the UART.
    """

    def __init__(self):
        super().__init__({
            "payload": In(stream.Signature(8, always_ready=True)), "fresh": In(1),
            "send": In(1), "sequence": In(8), "status": In(8), "sent": Out(1),
            "empty": In(1),
            "room": Out(range(MAX_PAYLOAD + 1)), "bytes": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = catalog.CRC16_IBM_3740(8).create()
        m.submodules.buffer = buffer = memory.Memory(shape=8, depth=MAX_PAYLOAD + 1, init=[])
        write, read = buffer.write_port(), buffer.read_port()
        length, index, ahead = Signal(8), Signal(8), Signal(8)
        sends = Signal(8)                           # bytes of the payload
        out, goes = self.bytes, Signal()
        m.d.comb += [
            write.addr.eq(length), write.data.eq(self.payload.payload),
            write.en.eq(self.payload.valid), self.room.eq(MAX_PAYLOAD - length),
            goes.eq(out.valid & out.ready), crc.data.eq(out.payload), read.addr.eq(ahead),
            ahead.eq(index), sends.eq(Mux(self.empty, 0, length)),
        ]
        with m.If(self.fresh):
            m.d.sync += length.eq(0)
        with m.Elif(self.payload.valid):
            m.d.sync += length.eq(length + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += index.eq(0)
                with m.If(self.send):
                    m.next = "SYNC"
            for name, byte, after in (("SYNC", ANSWER_SYNC, "LENGTH"),
                                      ("LENGTH", sends, "SEQUENCE"),
                                      ("SEQUENCE", self.sequence, "STATUS"),
                                      ("STATUS", self.status, "PAYLOAD")):
                with m.State(name):
                    m.d.comb += [out.valid.eq(1), out.payload.eq(byte),
                                 crc.valid.eq(goes & (name != "SYNC"))]
                    with m.If(goes):
                        m.next = after
                        if after == "PAYLOAD":
                            with m.If(sends == 0):
                                m.next = "HIGH"
            with m.State("PAYLOAD"):
                m.d.comb += [out.valid.eq(1), out.payload.eq(read.data), crc.valid.eq(goes),
                             ahead.eq(index + goes)]
                m.d.sync += index.eq(ahead)
                with m.If(goes & (index == sends - 1)):
                    m.next = "HIGH"
            for name, byte, after in (("HIGH", crc.crc[8:], "LOW"), ("LOW", crc.crc[:8], "IDLE")):
                with m.State(name):
                    m.d.comb += [out.valid.eq(1), out.payload.eq(byte)]
                    with m.If(goes):
                        m.next = after
                        if after == "IDLE":
                            m.d.comb += self.sent.eq(1)
        return m
