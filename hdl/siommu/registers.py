"""The register block (§7): an AXI4-Lite slave over the registers that ``siommu.rdl`` declares.

The block knows how each kind of register behaves; what a register means is wired in ``control.py``.
"""

import functools

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .axi import Resp
from .config import Config
from .formats import Mode
from .register_map import COUNTERS, REGISTERS, existing, reset_value
from .rings import ring_mask

__all__ = ["RegisterBlock", "counter_words"]

#: Registers whose number counts modulo the ring's size; who turns the queue on sets them to 0.
INDEXES = {"CQ_TAIL": "CQ", "FQ_HEAD": "FQ"}


@functools.cache
def counter_words():
    """By register name: number of the counter, and whether it is its high word."""
    return {f"{name.upper()}_{half}": (number, half == "HIGH")
            for number, name in enumerate(COUNTERS) for half in ("LOW", "HIGH")}


def _kind(entry):
    """How the block provides a register: it is stored, it is constant, it is shown by somebody
    else, its bits are set by events, or it is a word of a counter."""
    if entry.name in counter_words():
        return "counter"
    if entry.access == "RW1C":
        return "events"
    if entry.access == "RW":
        return "stored"
    fixed = entry.name in ("ID", "VERSION", "CAPS0", "CAPS1")
    return "fixed" if fixed else "shown"


def _of_kind(*kinds):
    return [entry for entry in REGISTERS if _kind(entry) in kinds]


class RegisterBlock(wiring.Component):
    """AXI4-Lite slave of 32 bits with the registers of §7.

    A write takes effect in the cycle in which its address and data have both come, a read one
    cycle after its address; both are answered in the next cycle, one at a time; the read of a
    counter, when the counters answer. Offsets without a register, writes to read-only registers and
    writes to locked ones answer SLVERR and change nothing.

    Parameters
    ----------
    config : Config

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
    goes : Out(1), clears : Out(1), head_written : Out(1)
        For one cycle, after the write: DBG_CTRL.GO, COUNTER_CTRL.CLEAR, any FQ_HEAD was written.
    flush : Out(1)
        For one cycle: empty every cache. Raised by a write that sets MODE to ABORT, or that
        changes CHECK_AD, since entries checked under the other rule are not to be trusted.
    ask, index, high : Out, done, value : In
        To and from ``Counters``.
    """

    def __init__(self, config: Config):
        self._config = config
        words = {kind: data.StructLayout({entry.name: 32 for entry in _of_kind(kind)})
                 for kind in ("shown", "events")}
        super().__init__({
            "aw": In(stream.Signature(12)),
            "w": In(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": Out(stream.Signature(Resp)),
            "ar": In(stream.Signature(12)),
            "r": Out(stream.Signature(data.StructLayout({"data": 32, "resp": Resp}))),
            "content": Out(data.StructLayout(
                {entry.name: 32 for entry in _of_kind("stored", "events")})),
            "shown": In(words["shown"]),
            "busy": In(1),
            "events": In(words["events"]),
            "goes": Out(1),
            "clears": Out(1),
            "head_written": Out(1),
            "flush": Out(1),
            "ask": Out(1),
            "index": Out(4),
            "high": Out(1),
            "done": In(1),
            "value": In(32),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        self._stored = {
            entry.name: Signal(32, init=reset_value(entry, config), name=entry.name.lower())
            for entry in _of_kind("stored", "events")}
        for name, stored in self._stored.items():
            m.d.comb += self.content[name].eq(stored)
        self._writes(m)
        self._reads(m)
        return m

    def _writes(self, m):
        address, address_held = Signal(12), Signal()
        content, content_held = Signal(self.w.payload.shape()), Signal()
        m.d.comb += [self.aw.ready.eq(~address_held), self.w.ready.eq(~content_held)]
        with m.If(self.aw.valid & self.aw.ready):
            m.d.sync += [address.eq(self.aw.payload), address_held.eq(1)]
        with m.If(self.w.valid & self.w.ready):
            m.d.sync += [content.eq(self.w.payload), content_held.eq(1)]

        ctrl = self._stored["CTRL"]
        mode = ctrl[:2]
        off = {None: Const(1), "MODE": (mode != Mode.TRANSLATE.value) & (mode != Mode.BYPASS.value),
               "CQ": ~self._stored["CQ_CTRL"][0], "FQ": ~self._stored["FQ_CTRL"][0]}
        written = Signal(32)        # what is written to existing bits counts
        m.d.comb += written.eq(content.data)
        mask = Cat(strobe.replicate(8) for strobe in content.strb)
        m.d.sync += [self.goes.eq(0), self.clears.eq(0), self.head_written.eq(0), self.flush.eq(0)]
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += self.b.valid.eq(0)
        happens = Signal()
        m.d.comb += happens.eq(address_held & content_held & (~self.b.valid | self.b.ready))
        with m.If(happens):
            m.d.sync += [address_held.eq(0), content_held.eq(0)]
            m.d.sync += [self.b.valid.eq(1), self.b.payload.eq(Resp.SLVERR)]
            with m.Switch(address[2:]):
                for entry in _of_kind("stored"):
                    with m.Case(entry.offset >> 2):
                        with m.If(off[entry.locked]):
                            m.d.sync += self.b.payload.eq(Resp.OKAY)
                            self._store(m, entry, written, mask, ctrl)
                for entry in _of_kind("events"):
                    with m.Case(entry.offset >> 2):
                        m.d.sync += self.b.payload.eq(Resp.OKAY)
        for entry in _of_kind("events"):
            stored, cleared = self._stored[entry.name], Signal(32, name=f"clears_{entry.name}")
            with m.If(happens & (address[2:] == entry.offset >> 2)):
                m.d.comb += cleared.eq(written & mask)
            m.d.sync += stored.eq((stored & ~cleared | self.events[entry.name])
                                  & existing(entry, self._config))

    def _store(self, m, entry, written, mask, ctrl):
        """A write of a stored register, behind its lock."""
        now, then = self._stored[entry.name], Signal(32, name=f"{entry.name.lower()}_then")
        exists = existing(entry, self._config)
        for field in entry.fields:
            if field.access == "GO":
                exists &= ~field.mask
        m.d.comb += then.eq(((now & ~mask) | (written & mask)) & exists)
        m.d.sync += now.eq(then)
        if entry.maximum is not None:
            with m.If(then > entry.maximum):
                m.d.sync += now.eq(entry.maximum)
        if entry.minimum is not None:
            with m.If(then < entry.minimum):
                m.d.sync += now.eq(entry.minimum)
        if entry.name in INDEXES:
            log2 = self._stored[f"{INDEXES[entry.name]}_LOG2"]
            m.d.sync += now.eq(then & ring_mask(log2))
        for index, queue in INDEXES.items():
            if entry.name == f"{queue}_CTRL":
                with m.If(then[0] & ~now[0]):
                    m.d.sync += self._stored[index].eq(0)
        started = written & mask
        if entry.name == "DBG_CTRL":
            m.d.sync += self.goes.eq(started[0])
        if entry.name == "COUNTER_CTRL":
            m.d.sync += self.clears.eq(started[1])
        if entry.name == "FQ_HEAD":
            m.d.sync += self.head_written.eq(1)
        if entry.name == "CTRL":
            aborts = (then[:2] == 0) | (then[:2] == 3)
            m.d.sync += self.flush.eq(aborts | (then[2] != ctrl[2]))

    def _reads(self, m):
        waits = self._waits = Signal(name="waits")      # for the counters
        answer = self.r.payload
        m.d.comb += self.ar.ready.eq(~self.r.valid & ~waits)
        m.d.sync += self.ask.eq(0)
        with m.If(self.r.valid & self.r.ready):
            m.d.sync += self.r.valid.eq(0)
        with m.If(waits & self.done):
            m.d.sync += [waits.eq(0), self.r.valid.eq(1), answer.data.eq(self.value),
                         answer.resp.eq(Resp.OKAY)]
        words = counter_words()
        with m.If(self.ar.valid & self.ar.ready):
            m.d.sync += [self.r.valid.eq(1), answer.data.eq(0), answer.resp.eq(Resp.SLVERR)]
            with m.Switch(self.ar.payload[2:]):
                for entry in REGISTERS:
                    with m.Case(entry.offset >> 2):
                        m.d.sync += answer.resp.eq(Resp.OKAY)
                        if entry.name in words:
                            number, high = words[entry.name]
                            m.d.sync += [self.r.valid.eq(0), waits.eq(1), self.ask.eq(1),
                                         self.index.eq(number), self.high.eq(high)]
                        else:
                            m.d.sync += answer.data.eq(self._value(entry))

    def _value(self, entry):
        kind = _kind(entry)
        if kind == "fixed":
            return Const(reset_value(entry, self._config), 32)
        if kind == "shown":
            return self.shown[entry.name] & existing(entry, self._config)
        value = self._stored[entry.name]
        if entry.name == "DBG_CTRL":
            value = Cat(self.busy, value[1:])
        return value
