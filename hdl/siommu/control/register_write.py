"""The writing half of the register block (§7): what registers hold, and what a write starts."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import Mode
from ..arch.register_map import existing, reset_value
from ..bus.axi import Resp
from ..lib.arithmetic import above
from ..lib.payload import Payload, payload_of
from .register_kinds import INDEXES, of_kind
from .rings import RING_INDEX_BITS, ring_mask

__all__ = ["RegisterStarts", "RegisterWrites", "word_layout"]


def word_layout(*kinds):
    """By name, 32 bits of each register of these kinds."""
    return data.StructLayout({entry.name: 32 for entry in of_kind(*kinds)})


class RegisterStarts(data.Struct):
    """For one cycle, after the write of a register: DBG_CTRL.GO (``goes``), COUNTER_CTRL.CLEAR
    (``clears``), any FQ_HEAD was written (``head_written``), every cache is to be emptied
    (``flush``). The last is raised by a write that sets MODE to ABORT, or that changes CHECK_AD,
    since entries checked under the other rule are not to be trusted."""

    goes: 1
    clears: 1
    head_written: 1
    flush: 1


class RegisterWrites(wiring.Component):
    """Takes writes, one at a time, and keeps the stored registers.

    A write takes effect one cycle after its address and data have both come, and is answered in
    the next cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    aw, w, b : streams
        The AXI4-Lite channels: address; data and strobes; response.
    events : In(StructLayout)
        By name of an RW1C register: bits to be set. Goes before clearing them.
    content : Out(StructLayout)
        By name: what registers with RW or RW1C fields hold.
    starts : Out(RegisterStarts)
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "aw": In(stream.Signature(12)),
            "w": In(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": Out(stream.Signature(Resp)),
            "events": In(word_layout("events")),
            "content": Out(word_layout("stored", "events")),
            "starts": Out(RegisterStarts),
        })

    def elaborate(self, platform):
        m = Module()
        stored = {entry.name: Signal(32, init=reset_value(entry, self._config),
                                     name=entry.name.lower())
                  for entry in of_kind("stored", "events")}
        m.d.comb += [self.content[name].eq(word) for name, word in stored.items()]
        content, strobes, addressed, happens = self._take(m)

        locked = {None: Const(0), "CQ": stored["CQ_CTRL"][0], "FQ": stored["FQ_CTRL"][0],
                  "MODE": self._works(stored["CTRL"][:2])}
        m.d.sync += self.starts.eq(0)
        accepted = []
        size, index = Signal(4), Signal(RING_INDEX_BITS)     # it counts modulo its ring's size
        m.d.comb += index.eq(content & ring_mask(size))
        for entry in of_kind("stored", "events"):
            selected, written = (Signal(name=f"{name}_{entry.name}")
                                 for name in ("selects", "writes"))
            with m.If(addressed):
                m.d.sync += selected.eq(self.aw.payload[2:] == entry.offset >> 2)
            accepted.append(selected & ~locked[entry.locked])
            m.d.comb += written.eq(happens & accepted[-1])
            word, is_index = stored[entry.name], entry.name in INDEXES
            if entry.access == "RW1C":
                self._clear(m, entry, word, written, content)
                continue
            if is_index:
                with m.If(selected):
                    m.d.comb += size.eq(stored[f"{INDEXES[entry.name]}_LOG2"])
            self._store(m, entry, word, written, index if is_index else content, strobes)
            self._start(m, entry, stored, written, content, strobes)
        answer = payload_of(m, self.b.payload)
        with m.If(~self.b.valid | self.b.ready):
            m.d.sync += answer.eq(Mux(Cat(accepted).any(), Resp.OKAY.value, Resp.SLVERR.value))
        return m

    @staticmethod
    def _works(mode):
        """Whether requests are answered, so that what they depend on is locked."""
        return (mode == Mode.TRANSLATE.value) | (mode == Mode.BYPASS.value)

    def _take(self, m):
        """Data and strobes of a write; whether an address is taken, and whether the write takes
        effect, in this cycle."""
        has_address, has_data, happens = Signal(), Signal(), Signal()
        content, strobes = Payload(32, name="content_held"), Payload(4, name="strobes")
        takes_address, takes_data = (channel.valid & channel.ready
                                     for channel in (self.aw, self.w))
        m.d.comb += [
            self.aw.ready.eq(~has_address), self.w.ready.eq(~has_data),
            happens.eq(has_address & has_data & (~self.b.valid | self.b.ready)),
        ]
        with m.If(takes_address):
            m.d.sync += has_address.eq(1)
        with m.If(takes_data):
            m.d.sync += [content.eq(self.w.payload.data), strobes.eq(self.w.payload.strb),
                         has_data.eq(1)]
        for byte, strobe in enumerate(self.w.payload.strb):     # 0 starts and clears nothing
            with m.If(takes_data & ~strobe):
                m.d.sync += _byte(content, byte).eq(0)
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += self.b.valid.eq(0)
        with m.If(happens):
            m.d.sync += [has_address.eq(0), has_data.eq(0), self.b.valid.eq(1)]
        return content, strobes, takes_address, happens

    def _clear(self, m, entry, word, written, content):
        """A register of events, and the write that clears them."""
        m.d.sync += word.eq((word & ~(content & written.replicate(32))
                             | self.events[entry.name]) & existing(entry, self._config))

    def _store(self, m, entry, word, written, content, strobes):
        """A write of a stored register, behind its lock. Bytes without a strobe keep their
        bits."""
        exists = existing(entry, self._config)
        for field in entry.fields:
            if field.access == "GO":
                exists &= ~field.mask
        if entry.maximum is not None or entry.minimum is not None:
            content = _limited(content[:exists.bit_length()], entry)
        for byte, strobe in enumerate(strobes):
            mask = exists >> 8 * byte & 0xFF
            if mask:
                with m.If(written & strobe):
                    m.d.sync += _byte(word, byte).eq(_byte(content, byte) & mask)

    def _start(self, m, entry, stored, written, content, strobes):
        """What the write of a register starts; of bytes without a strobe, ``content`` is 0."""
        word, starts = stored[entry.name], self.starts
        for index, queue in INDEXES.items():
            if entry.name == f"{queue}_CTRL":
                with m.If(written & content[0] & ~word[0]):
                    m.d.sync += stored[index].eq(0)
        if entry.name == "DBG_CTRL":
            m.d.sync += starts.goes.eq(written & content[0])
        if entry.name == "COUNTER_CTRL":
            m.d.sync += starts.clears.eq(written & content[1])
        if entry.name == "FQ_HEAD":
            m.d.sync += starts.head_written.eq(written)
        if entry.name == "CTRL":
            new = Mux(strobes[0], content[:3], word[:3])
            aborts = (new[:2] == 0) | (new[:2] == 3)
            m.d.sync += starts.flush.eq(written & (aborts | (new[2] != word[2])))


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
