"""The register block (§7): an AXI4-Lite slave over the registers that ``siommu.rdl`` declares.

The block knows how each kind of register behaves; what a register means is wired in ``control.py``.
"""

import functools

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import Mode
from ..arch.register_map import COUNTERS, REGISTERS, existing, register, reset_value
from ..bus.axi import Resp
from ..lib.arithmetic import above
from ..lib.payload import Payload, payload_of
from .rings import INDEX_BITS, ring_mask

__all__ = ["RegisterBlock", "counter_words"]

#: Registers whose number counts modulo the ring's size; who turns the queue on sets them to 0.
INDEXES = {"CQ_TAIL": "CQ", "FQ_HEAD": "FQ"}

WORD_BITS = 10      #: of an address, without those inside of a register


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


def _byte(word, number):
    return word[8 * number:8 * number + 8]


def _limited(number, entry):
    """``number``, or the limit of the register ``entry`` that it is beyond."""
    result = number
    if entry.maximum is not None:
        result = Mux(above(number, entry.maximum), entry.maximum, result)
    if entry.minimum is not None:
        result = Mux(above(number, entry.minimum - 1), result, entry.minimum)
    return result


class RegisterBlock(wiring.Component):
    """AXI4-Lite slave of 32 bits with the registers of §7.

    A write takes effect one cycle after its address and data have both come, a read one cycle
    after its address. A write is answered in the next cycle, a read in the one after that, and
    that of a counter when the counters answer; one at a time. Offsets without a register, writes
    to read-only registers and writes to locked ones answer SLVERR and change nothing.

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
        To and from ``Counters``: index and word stay, the value is 0 until it is done.
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
        addressed, content_held = Signal(), Signal()
        content, strobes = Payload(32), Payload(4)
        m.d.comb += [self.aw.ready.eq(~addressed), self.w.ready.eq(~content_held)]
        with m.If(self.aw.valid & self.aw.ready):
            m.d.sync += addressed.eq(1)
        with m.If(self.w.valid & self.w.ready):
            m.d.sync += [content.eq(self.w.payload.data), strobes.eq(self.w.payload.strb),
                         content_held.eq(1)]
        for byte, strobe in enumerate(self.w.payload.strb):     # 0 starts and clears nothing
            with m.If(self.w.valid & self.w.ready & ~strobe):
                m.d.sync += _byte(content, byte).eq(0)

        mode = self._stored["CTRL"][:2]
        off = {None: Const(1), "MODE": (mode != Mode.TRANSLATE.value) & (mode != Mode.BYPASS.value),
               "CQ": ~self._stored["CQ_CTRL"][0], "FQ": ~self._stored["FQ_CTRL"][0]}
        m.d.sync += [self.goes.eq(0), self.clears.eq(0), self.head_written.eq(0), self.flush.eq(0)]
        happens = Signal()
        m.d.comb += happens.eq(addressed & content_held & (~self.b.valid | self.b.ready))
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += self.b.valid.eq(0)
        with m.If(happens):
            m.d.sync += [addressed.eq(0), content_held.eq(0), self.b.valid.eq(1)]
        accepted = []
        size, index = Signal(4), Signal(INDEX_BITS)     # an index counts modulo its ring's size
        m.d.comb += index.eq(content & ring_mask(size))
        for entry in _of_kind("stored", "events"):
            selected, written = (Signal(name=f"{name}_{entry.name}")
                                 for name in ("selects", "writes"))
            with m.If(self.aw.valid & self.aw.ready):
                m.d.sync += selected.eq(self.aw.payload[2:] == entry.offset >> 2)
            accepted.append(selected & off[entry.locked])
            m.d.comb += written.eq(happens & accepted[-1])
            if entry.access == "RW1C":
                self._clear(m, entry, written, content)
                continue
            if entry.name in INDEXES:
                with m.If(selected):
                    m.d.comb += size.eq(self._stored[f"{INDEXES[entry.name]}_LOG2"])
            self._store(m, entry, written, index if entry.name in INDEXES else content, strobes)
            self._start(m, entry, written, content, strobes)
        answer = payload_of(m, self.b.payload)
        with m.If(~self.b.valid | self.b.ready):
            m.d.sync += answer.eq(Mux(Cat(accepted).any(), Resp.OKAY.value, Resp.SLVERR.value))

    def _clear(self, m, entry, written, content):
        """A register of events, and the write that clears them."""
        stored = self._stored[entry.name]
        m.d.sync += stored.eq((stored & ~(content & written.replicate(32))
                               | self.events[entry.name]) & existing(entry, self._config))

    def _store(self, m, entry, written, content, strobes):
        """A write of a stored register, behind its lock. Bytes without a strobe keep their
        bits."""
        now, then = self._stored[entry.name], content
        exists = existing(entry, self._config)
        for field in entry.fields:
            if field.access == "GO":
                exists &= ~field.mask
        if entry.maximum is not None or entry.minimum is not None:
            then = _limited(content[:exists.bit_length()], entry)
        for byte, strobe in enumerate(strobes):
            mask = exists >> 8 * byte & 0xFF
            if mask:
                with m.If(written & strobe):
                    m.d.sync += _byte(now, byte).eq(_byte(then, byte) & mask)

    def _start(self, m, entry, written, content, strobes):
        """What the write of a register starts; of bytes without a strobe, ``content`` is 0."""
        now = self._stored[entry.name]
        for index, queue in INDEXES.items():
            if entry.name == f"{queue}_CTRL":
                with m.If(written & content[0] & ~now[0]):
                    m.d.sync += self._stored[index].eq(0)
        if entry.name == "DBG_CTRL":
            m.d.sync += self.goes.eq(written & content[0])
        if entry.name == "COUNTER_CTRL":
            m.d.sync += self.clears.eq(written & content[1])
        if entry.name == "FQ_HEAD":
            m.d.sync += self.head_written.eq(written)
        if entry.name == "CTRL":
            then = Mux(strobes[0], content[:3], now[:3])
            aborts = (then[:2] == 0) | (then[:2] == 3)
            m.d.sync += self.flush.eq(written & (aborts | (then[2] != now[2])))

    def _reads(self, m):
        """With the address it is found out whose it is; in the next cycle that register is copied,
        and all others' copies become 0; then the copies are or-ed. So a bit of a register costs a
        flip-flop and a third of a LUT."""
        waits = self._waits = Signal(name="waits")      # a read is under way
        address, asked = Signal(WORD_BITS), Signal()
        answer = payload_of(m, self.r.payload)
        m.d.comb += self.ar.ready.eq(~self.r.valid & ~waits)
        m.d.sync += asked.eq(self.ar.valid & self.ar.ready)
        with m.If(self.r.valid & self.r.ready):
            m.d.sync += self.r.valid.eq(0)
        words, value, counts = counter_words(), self.value, Signal()
        exists = counts
        with m.If(self.ar.valid & self.ar.ready):
            m.d.sync += [waits.eq(1), address.eq(self.ar.payload[2:]), counts.eq(0)]
            with m.Switch(self.ar.payload[2:]):
                with m.Case(*(entry.offset >> 2 for entry in REGISTERS if entry.name in words)):
                    m.d.sync += counts.eq(1)
        for entry in REGISTERS:
            if entry.name not in words:
                selected = Signal(name=f"reads_{entry.name}")
                with m.If(self.ar.valid & self.ar.ready):
                    m.d.sync += selected.eq(self.ar.payload[2:] == entry.offset >> 2)
                copy = Payload(32, name=f"copy_{entry.name}")
                m.d.sync += copy.eq(self._value(entry))
                with m.If(~selected):
                    m.d.sync += copy.eq(0)
                value = value | copy
                exists = exists | selected
        first = register(f"{COUNTERS[0].upper()}_LOW").offset
        assert all(register(name).offset == first + 8 * number + 4 * high
                   for name, (number, high) in words.items()) and first % 128 == 0
        m.d.comb += [self.ask.eq(asked & counts), self.high.eq(address[0]),
                     self.index.eq(address[1:])]
        with m.If(waits & ~asked & (self.done | ~counts)):
            m.d.sync += [waits.eq(0), self.r.valid.eq(1), answer.data.eq(value),
                         answer.resp.eq(Mux(exists, Resp.OKAY.value, Resp.SLVERR.value))]

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
