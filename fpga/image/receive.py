"""Bytes to frames: what arrives is handed on only when its CRC is right."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from sim.board.protocol import CRC_BYTES, MAX_PAYLOAD, REQUEST_SYNC, Status

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Collects a frame, checks it, and offers its payload byte by byte.

    Damage never makes it wait for ever. A frame that stops in its middle is given up after
    ``patience`` cycles of silence; bytes that belong to no frame are skipped up to the next SYNC.
    While a frame is being answered, what arrives is dropped: a host waits for the answer.

    Parameters
    ----------
    patience : int
        Cycles of silence.

    Members
    -------
    bytes : In(stream.Signature(8, always_ready=True)), quiet : In(1)
        Of the UART.
    frame : Out(1)
        A frame is there. ``status``, ``sequence`` and ``operation`` are its own until ``done``.
    status : Out(8)
        ``OK``, ``BAD_CRC`` or ``CUT``. But for the first, there is nothing else to look at.
    payload : Out(stream.Signature(8))
        What is left of its payload.
    done : In(1)
        The frame has been answered.
    """

    def __init__(self, patience):
        self._patience = patience
        super().__init__({
            "bytes": In(stream.Signature(8, always_ready=True)), "quiet": In(1),
            "frame": Out(1), "status": Out(8), "sequence": Out(8), "operation": Out(8),
            "payload": Out(stream.Signature(8)), "done": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = catalog.CRC16_IBM_3740(8).create()
        m.submodules.buffer = buffer = memory.Memory(shape=8, depth=MAX_PAYLOAD + 1, init=[])
        write, read = buffer.write_port(), buffer.read_port()
        length, count = Signal(8), Signal(range(MAX_PAYLOAD + 3))
        index, ahead = Signal(8), Signal(8)
        silence = Signal(range(self._patience + 1))
        came, status = self.bytes.valid, Signal(8)
        m.d.comb += [
            crc.data.eq(self.bytes.payload), self.status.eq(status),
            write.addr.eq(count), write.data.eq(self.bytes.payload),
            ahead.eq(index + (self.payload.valid & self.payload.ready)), read.addr.eq(ahead),
            self.payload.payload.eq(read.data),
        ]
        with m.FSM():
            with m.State("HUNT"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [silence.eq(0), count.eq(0), index.eq(0)]
                with m.If(came & (self.bytes.payload == REQUEST_SYNC)):
                    m.next = "LENGTH"
            for name, register, after in (("LENGTH", length, "SEQUENCE"),
                                          ("SEQUENCE", self.sequence, "OPERATION"),
                                          ("OPERATION", self.operation, "PAYLOAD")):
                with m.State(name):
                    m.d.comb += crc.valid.eq(came)
                    with m.If(came):
                        m.d.sync += register.eq(self.bytes.payload)
                        m.next = after
                    self._give_up(m, silence, status)
            with m.State("PAYLOAD"):
                m.d.comb += [crc.valid.eq(came), write.en.eq(came & (count < length))]
                with m.If(came):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == length + CRC_BYTES - 1):
                        m.next = "CHECK"
                self._give_up(m, silence, status)
            with m.State("CHECK"):
                m.d.sync += status.eq(Mux(crc.match_detected, Status.OK, Status.BAD_CRC))
                m.next = "FRAME"
            with m.State("FRAME"):
                m.d.comb += [self.frame.eq(1),
                             self.payload.valid.eq((status == Status.OK) & (index != length))]
                m.d.sync += index.eq(ahead)
                with m.If(self.done):
                    m.next = "HUNT"
        return m

    def _give_up(self, m, silence, status):
        """Counts the silence within a frame, and ends it when there was too much."""
        m.d.sync += silence.eq(Mux(self.bytes.valid | ~self.quiet, 0, silence + 1))
        with m.If(silence == self._patience):
            m.d.sync += [silence.eq(0), status.eq(Status.CUT)]
            m.next = "FRAME"
