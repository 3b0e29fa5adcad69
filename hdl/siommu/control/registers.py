"""The register block (§7): an AXI4-Lite slave over the registers that ``siommu.rdl`` declares.

The block knows how each kind of register behaves; what a register means is wired in
``control_plane.py``.
"""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..bus.axi import Resp
from .register_read import CounterRead, RegisterReads
from .register_write import RegisterStarts, RegisterWrites, word_layout

__all__ = ["RegisterBlock"]


class RegisterBlock(wiring.Component):
    """AXI4-Lite slave of 32 bits with the registers of §7.

    A write takes effect one cycle after its address and data have both come, a read one cycle
    after its address. A write is answered in the next cycle, a read in the one after that, and
    that of a counter when the counters answer; one at a time. Offsets without a register, writes
    to read-only registers and writes to locked ones answer SLVERR and change nothing.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    reads : RegisterReads
        For proofs.

    Members
    -------
    aw, w, b, ar, r : streams
        The AXI4-Lite channels: address; data and strobes; response; address; data and response.
    content : Out(StructLayout)
        By name, 32 bits each: what registers with RW or RW1C fields hold.
    shown : In(StructLayout)
        By name: what read-only registers show.
    busy : In(1)
        DBG_CTRL.GO reads this.
    events : In(StructLayout)
        By name of an RW1C register: bits to be set. Goes before clearing them.
    starts : Out(RegisterStarts)
        What a write starts.
    counters : Out(CounterRead)
        To ``Counters``.
    """

    def __init__(self, config: Config):
        self._config = config
        self.reads = RegisterReads(config)
        super().__init__({
            "aw": In(stream.Signature(12)),
            "w": In(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": Out(stream.Signature(Resp)),
            "ar": In(stream.Signature(12)),
            "r": Out(stream.Signature(data.StructLayout({"data": 32, "resp": Resp}))),
            "content": Out(word_layout("stored", "events")),
            "shown": In(word_layout("shown")),
            "busy": In(1),
            "events": In(word_layout("events")),
            "starts": Out(RegisterStarts),
            "counters": Out(CounterRead()),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.reads = reads = self.reads
        m.submodules.writes = writes = RegisterWrites(self._config)
        for unit, name in ((writes, "aw"), (writes, "w"), (reads, "ar")):
            connect(m, flipped(getattr(self, name)), getattr(unit, name))
        for unit, name in ((writes, "b"), (reads, "r"), (reads, "counters")):
            connect(m, getattr(unit, name), flipped(getattr(self, name)))
        m.d.comb += [
            self.content.eq(writes.content), self.starts.eq(writes.starts),
            writes.events.eq(self.events),
            reads.content.eq(writes.content), reads.shown.eq(self.shown), reads.busy.eq(self.busy),
        ]
        return m
