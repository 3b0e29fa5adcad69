"""The reading half of the register block (§7)."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.register_map import COUNTERS, REGISTERS, existing, register, reset_value
from ..bus.axi import Resp
from ..lib.payload import Payload, payload_of
from .register_kinds import counter_words, kind
from .register_write import word_layout

__all__ = ["CounterRead", "RegisterReads"]

WORD_BITS = 10      #: of an address, without those inside of a register


class CounterRead(wiring.Signature):
    """How a word of a counter is read.

    Members
    -------
    ask : Out(1), index : Out(4), high : Out(1)
        Asks for the low or the high word of a counter. Both stay until it is ``done``.
    done : In(1), value : In(32)
        The answer. ``value`` is 0 until then.
    """

    def __init__(self):
        super().__init__({"ask": Out(1), "index": Out(4), "high": Out(1), "done": In(1),
                          "value": In(32)})


class RegisterReads(wiring.Component):
    """Answers reads, one at a time: two cycles after the address, or when the counters answer.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    waits : Signal
        A read is under way. For proofs.

    Members
    -------
    ar, r : streams
        The AXI4-Lite channels: address; data and response.
    content, shown : In(StructLayout)
        By name: what stored registers hold, what other units show.
    busy : In(1)
        DBG_CTRL.GO reads this.
    counters : Out(CounterRead)
    """

    def __init__(self, config: Config):
        self._config = config
        self.waits = Signal(name="waits")
        super().__init__({
            "ar": In(stream.Signature(12)),
            "r": Out(stream.Signature(data.StructLayout({"data": 32, "resp": Resp}))),
            "content": In(word_layout("stored", "events")),
            "shown": In(word_layout("shown")),
            "busy": In(1),
            "counters": Out(CounterRead()),
        })

    def elaborate(self, platform):
        m = Module()
        waits, counters = self.waits, self.counters
        taken = self.ar.valid & self.ar.ready
        address, asked = Signal(WORD_BITS), Signal()
        answer, of_counter = payload_of(m, self.r.payload), Signal()
        m.d.comb += self.ar.ready.eq(~self.r.valid & ~waits)
        m.d.sync += asked.eq(taken)
        with m.If(self.r.valid & self.r.ready):
            m.d.sync += self.r.valid.eq(0)
        words = counter_words()
        with m.If(taken):
            m.d.sync += [waits.eq(1), address.eq(self.ar.payload[2:]), of_counter.eq(0)]
            with m.Switch(self.ar.payload[2:]):
                with m.Case(*(entry.offset >> 2 for entry in REGISTERS if entry.name in words)):
                    m.d.sync += of_counter.eq(1)
        value, exists = self._copies(m, taken)

        first = register(f"{COUNTERS[0].upper()}_LOW").offset
        assert all(register(name).offset == first + 8 * number + 4 * high
                   for name, (number, high) in words.items()) and first % 128 == 0
        m.d.comb += [counters.ask.eq(asked & of_counter), counters.high.eq(address[0]),
                     counters.index.eq(address[1:])]
        with m.If(waits & ~asked & (counters.done | ~of_counter)):
            m.d.sync += [
                waits.eq(0), self.r.valid.eq(1), answer.data.eq(value | counters.value),
                answer.resp.eq(Mux(of_counter | exists, Resp.OKAY.value, Resp.SLVERR.value)),
            ]
        return m

    def _copies(self, m, taken):
        """The value of the register that is read, and whether there is one. With the address it is
        found out whose it is; in the next cycle that register is copied, and all others' copies
        become 0; then the copies are or-ed. So a bit of a register costs a flip-flop and a third
        of a LUT."""
        value, exists = Const(0, 32), Const(0)
        for entry in REGISTERS:
            if kind(entry) == "counter":
                continue
            selected = Signal(name=f"reads_{entry.name}")
            with m.If(taken):
                m.d.sync += selected.eq(self.ar.payload[2:] == entry.offset >> 2)
            copy = Payload(32, name=f"copy_{entry.name}")
            m.d.sync += copy.eq(self._value(entry))
            with m.If(~selected):
                m.d.sync += copy.eq(0)
            value, exists = value | copy, exists | selected
        return value, exists

    def _value(self, entry):
        if kind(entry) == "fixed":
            return Const(reset_value(entry, self._config), 32)
        if kind(entry) == "shown":
            return self.shown[entry.name] & existing(entry, self._config)
        value = self.content[entry.name]
        if entry.name == "DBG_CTRL":
            value = Cat(self.busy, value[1:])
        return value
