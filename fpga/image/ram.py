"""Block RAM behind AXI4, with a port for the host."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from siommu.bus.axi import (
    Burst,
    ReadAddress,
    ReadData,
    Resp,
    WriteAddress,
    WriteData,
    WriteResponse,
)

__all__ = ["BYTES", "HostPort", "Ram"]

BYTES = 8               #: of a word
LANE = 9                #: bits of the RAM for a byte: the ninth says that it is poisoned
WORD_ADDR = 29          #: bits of the address of a word, as the host gives it


class HostPort(wiring.Signature):
    """The host's accesses, a word each.

    Members
    -------
    valid, ready : handshake
    write, addr, data, poison
        ``addr`` counts words. ``poison`` marks what is written: it answers SLVERR from then on,
        until it is written again without.
    resp, read : In
        The answer, in the cycle after the handshake.
    """

    def __init__(self):
        super().__init__({
            "valid": Out(1), "ready": In(1), "write": Out(1), "addr": Out(WORD_ADDR),
            "data": Out(8 * BYTES), "poison": Out(1), "resp": In(2), "read": In(8 * BYTES),
        })


class Ram(wiring.Component):
    """Memory from address 0 on, a word in each cycle: the host's, a written or a read one.

    It takes what the core sends on a bus of 64 bits: bursts of whole words, INCR or WRAP, that do
    not cross 4 KiB, and writes with strobes. Beyond its end it answers DECERR. A burst is answered
    before the next one is taken, reads and writes apart.

    Reads and writes share one address and never happen in the same cycle, so one port of a block
    RAM is enough, and nobody need say what a read beside a write of the same word gives.

    Parameters
    ----------
    id_width : int
    log2 : int
        Bytes, as a power of two.

    Members
    -------
    ar, aw, w : In, r, b : Out
        The channels of AXI4.
    host : In(HostPort)
        Goes before the bus.
    """

    def __init__(self, id_width, log2):
        self._log2, self._id_width = log2, id_width
        super().__init__({
            "ar": In(stream.Signature(ReadAddress(id_width))),
            "r": Out(stream.Signature(ReadData(id_width, 8 * BYTES))),
            "aw": In(stream.Signature(WriteAddress(id_width))),
            "w": In(stream.Signature(WriteData(8 * BYTES))),
            "b": Out(stream.Signature(WriteResponse(id_width))),
            "host": In(HostPort()),
        })

    def elaborate(self, platform):
        m = Module()
        index = self._log2 - 3                      # bits of a word's address
        m.submodules.words = words = memory.Memory(shape=LANE * BYTES, depth=1 << index, init=[])
        write, read = words.write_port(granularity=LANE), words.read_port()
        data, poisoned = Signal(8 * BYTES), Signal()
        lanes = [read.data.word_select(lane, LANE) for lane in range(BYTES)]
        m.d.comb += [data.eq(Cat(lane[:8] for lane in lanes)),
                     poisoned.eq(Cat(lane[8] for lane in lanes).any())]
        host, waits = self.host, Signal()           # an answer to a read is not taken
        m.d.comb += [waits.eq(self.r.valid & ~self.r.ready), host.ready.eq(~waits)]
        hosts = Signal()
        m.d.comb += hosts.eq(host.valid & host.ready)
        writes, write_at, written_out = self._writes(m, index)
        reads, read_at = self._reads(m, index, data, poisoned, ~host.valid & ~writes & ~waits)
        outside = host.addr[index:].any()
        place = Mux(host.valid, host.addr[:index], Mux(writes, write_at, read_at))
        m.d.comb += [read.addr.eq(place), write.addr.eq(place),
                     read.en.eq(Mux(host.valid, hosts & ~host.write, reads))]
        with m.If(host.valid):
            m.d.comb += [write.data.eq(Cat(Cat(host.data.word_select(lane, 8), host.poison)
                                           for lane in range(BYTES))),
                         write.en.eq((hosts & host.write & ~outside).replicate(BYTES))]
        with m.Else():
            content = self.w.payload
            m.d.comb += [write.data.eq(Cat(Cat(content.data.word_select(lane, 8), 0)
                                           for lane in range(BYTES))),
                         write.en.eq(Mux(writes & ~written_out, content.strb, 0))]
        beyond, was_read = Signal(), Signal()
        m.d.sync += [beyond.eq(outside), was_read.eq(~host.write)]
        m.d.comb += [host.read.eq(data),
                     host.resp.eq(Mux(beyond, Resp.DECERR.value,
                                      Mux(was_read & poisoned, Resp.SLVERR.value, 0)))]
        return m

    def _writes(self, m, index):
        """The write channels: whether a beat is written in this cycle, where, and whether that is
        outside."""
        busy, outside, now = Signal(), Signal(), Signal()
        place, identity = Signal(index), Signal(self._id_width)
        done = Signal()
        address = self.aw.payload.addr
        m.d.comb += [
            self.aw.ready.eq(~busy & ~done), now.eq(busy & self.w.valid & ~self.host.valid),
            self.w.ready.eq(busy & ~self.host.valid), self.b.valid.eq(done),
            self.b.payload.id.eq(identity),
            self.b.payload.resp.eq(Mux(outside, Resp.DECERR.value, 0)),
        ]
        with m.If(self.aw.valid & self.aw.ready):
            m.d.sync += [busy.eq(1), identity.eq(self.aw.payload.id),
                         place.eq(address[3:self._log2]), outside.eq(address[self._log2:].any())]
        with m.If(now):
            m.d.sync += place.eq(place + 1)
            with m.If(self.w.payload.last):
                m.d.sync += [busy.eq(0), done.eq(1)]
        with m.If(done & self.b.ready):
            m.d.sync += done.eq(0)
        return now, place, outside

    def _reads(self, m, index, data, poisoned, may):
        """The read channels: whether a beat is read in this cycle, and where."""
        busy, now = Signal(), Signal()
        place, left, follows = Signal(index), Signal(8), Signal(index)
        wraps, stays = Signal(), Signal(4)          # WRAP, and the low bits that it leaves alone
        outside, beyond = Signal(), Signal()        # of the burst, of the beat on offer
        identity, valid, last = Signal(self._id_width), Signal(), Signal()
        address, r = self.ar.payload, self.r.payload
        m.d.comb += [
            self.ar.ready.eq(~busy), now.eq(busy & may), self.r.valid.eq(valid),
            follows.eq(place + 1),
            r.data.eq(data), r.last.eq(last),
            r.resp.eq(Mux(beyond, Resp.DECERR.value, Mux(poisoned, Resp.SLVERR.value, 0))),
        ]
        with m.If(self.ar.valid & ~busy):
            m.d.sync += [
                busy.eq(1), identity.eq(address.id), left.eq(address.len),
                place.eq(address.addr[3:self._log2]),
                outside.eq(address.addr[self._log2:].any()),
                wraps.eq(address.burst == Burst.WRAP),
                stays.eq(Mux(address.burst == Burst.WRAP, ~address.len[:4], 0)),
            ]
        with m.If(self.r.ready):
            m.d.sync += valid.eq(0)
        held = Signal(self._id_width)
        m.d.comb += r.id.eq(held)
        with m.If(now):
            m.d.sync += [
                valid.eq(1), last.eq(left == 0), beyond.eq(outside), held.eq(identity),
                left.eq(left - 1),
                place.eq(Cat((place[:4] & stays) | (follows[:4] & ~stays),
                             Mux(wraps, place[4:], follows[4:]))),
            ]
            with m.If(left == 0):
                m.d.sync += busy.eq(0)
        return now, place
