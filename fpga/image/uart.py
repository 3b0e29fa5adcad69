"""Bytes from and to two pins: 8 data bits, no parity, one stop bit."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["Receiver", "Transmitter"]

BITS = 8


class Transmitter(wiring.Component):
    """Sends bytes.

    Parameters
    ----------
    divider : int
        Clock cycles of a bit.

    Members
    -------
    bytes : In(stream.Signature(8)), tx : Out(1)
    """

    def __init__(self, divider):
        self._divider = divider
        super().__init__({"bytes": In(stream.Signature(BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        wait = Signal(range(self._divider))
        left = Signal(range(BITS + 3))              # bits, with start and stop
        bits = Signal(BITS + 1, init=-1)            # what follows; the line rests at 1
        tx = Signal(init=1)
        m.d.comb += [self.bytes.ready.eq(left == 0), self.tx.eq(tx)]
        with m.If(left == 0):
            with m.If(self.bytes.valid):
                m.d.sync += [tx.eq(0), bits.eq(Cat(self.bytes.payload, 1)), left.eq(BITS + 2),
                             wait.eq(self._divider - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [Cat(tx, bits).eq(Cat(bits, 1)), left.eq(left - 1),
                         wait.eq(self._divider - 1)]
        return m


class Receiver(wiring.Component):
    """Receives bytes. One with a wrong stop bit is dropped.

    Each bit is looked at in its middle, counted from the edge of its start bit, so the sender's
    clock may be 4 % off where ``divider`` is 16 or more.

    Parameters
    ----------
    divider : int
        Clock cycles of a bit, at least 4.

    Members
    -------
    rx : In(1)
        From a pin, of any clock.
    bytes : Out(stream.Signature(8, always_ready=True))
    quiet : Out(1)
        The line rests, and no byte is coming.
    """

    def __init__(self, divider):
        self._divider = divider
        super().__init__({"rx": In(1, init=1), "quiet": Out(1),
                          "bytes": Out(stream.Signature(BITS, always_ready=True))})

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules.pin = FFSynchronizer(self.rx, rx, init=1)
        wait = Signal(range(2 * self._divider))
        left = Signal(range(BITS + 2))              # bits still to come, with the stop bit
        bits, arrived = Signal(BITS), Signal()
        m.d.comb += [self.bytes.payload.eq(bits), self.bytes.valid.eq(arrived),
                     self.quiet.eq((left == 0) & rx)]
        m.d.sync += arrived.eq(0)
        busy, starting = Signal(), Signal()
        m.d.comb += busy.eq(left != 0)
        with m.If(~busy):
            # Half a bit from the edge, less the cycle in which it was seen.
            m.d.sync += [wait.eq((self._divider - 1) // 2), starting.eq(1)]
            with m.If(~rx):
                m.d.sync += left.eq(BITS + 1)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(starting):
            m.d.sync += [starting.eq(0), wait.eq(self._divider - 1)]
            with m.If(rx):                          # a spike, no start bit
                m.d.sync += left.eq(0)
        with m.Else():
            m.d.sync += [wait.eq(self._divider - 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += arrived.eq(rx)
            with m.Else():
                m.d.sync += bits.eq(Cat(bits[1:], rx))
        return m
