"""The register block (§7): an AXI4-Lite slave over one declaration of the registers.

:data:`REGISTERS` is that declaration. The RTL, the tests and the documentation read it.
"""

from dataclasses import dataclass

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .axi import Resp
from .config import Config
from .formats import PFN_BITS, Mode

__all__ = ["Field", "Register", "REGISTERS", "ID", "VERSION", "RegisterBlock", "register"]

ID = 0x53494F4D
VERSION = 1 << 16 | 0


@dataclass(frozen=True)
class Field:
    """Bits ``high`` to ``low`` of a register."""

    name: str
    high: int
    low: int
    reset: int = 0

    @property
    def width(self):
        return self.high - self.low + 1

    @property
    def mask(self):
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """A 32-bit register: its name, byte offset, access (``"RW"`` or ``"RO"``) and fields.

    ``locked`` registers refuse a write (SLVERR) unless MODE is ABORT.
    """

    name: str
    offset: int
    access: str
    fields: tuple
    locked: bool = False

    @property
    def mask(self):
        """The bits that exist; all others read 0."""
        mask = 0
        for field in self.fields:
            mask |= field.mask
        return mask

    def field(self, name):
        """The field called ``name``."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}")


REGISTERS = (
    Register("ID", 0x000, "RO", (Field("ID", 31, 0, ID),)),
    Register("VERSION", 0x004, "RO", (Field("MAJOR", 31, 16, VERSION >> 16),
                                      Field("MINOR", 15, 0, VERSION & 0xffff))),
    Register("CAPS0", 0x008, "RO", (Field("DEVICE_PORTS", 3, 0), Field("CPU_PORT", 4, 4),
                                    Field("FIVE_LEVELS", 5, 5, 1), Field("WALKS", 15, 8),
                                    Field("L1_ENTRIES", 31, 16))),
    Register("CAPS1", 0x00C, "RO", (Field("L2_ENTRIES", 31, 0),)),
    Register("CTRL", 0x010, "RW", (Field("MODE", 1, 0), Field("CHECK_AD", 2, 2))),
    Register("STATUS", 0x014, "RO", (Field("REQUESTS", 0, 0), Field("WALKS", 1, 1),
                                     Field("COMMANDS", 2, 2))),
    Register("DDT_BASE_LOW", 0x018, "RW", (Field("BASE", 31, 12),), locked=True),
    Register("DDT_BASE_HIGH", 0x01C, "RW", (Field("BASE", 19, 0),), locked=True),
    Register("DDT_LOG2", 0x020, "RW", (Field("LOG2", 4, 0),), locked=True),
    Register("PORT_ENABLE", 0x068, "RW", (Field("ENABLE", 8, 0),)),
    Register("PORT_STATUS", 0x06C, "RO", (Field("ACTIVE", 8, 0),)),
)

DDT_LOG2_MAX = 16


def register(name):
    """The declaration of the register called ``name``."""
    for entry in REGISTERS:
        if entry.name == name:
            return entry
    raise KeyError(f"there is no register {name!r}")


class RegisterBlock(wiring.Component):
    """AXI4-Lite slave of 32 bits with the registers of §7.

    A write takes effect in the cycle in which its address and data have both come, a read one
    cycle after its address; both are answered in the next cycle, one at a time. Offsets without
    a register, writes to read-only registers and writes to locked ones answer SLVERR and change
    nothing. DDT_LOG2 takes no more than 16: a larger value is stored as 16.

    Parameters
    ----------
    config : Config

    Members
    -------
    aw, w, b, ar, r : streams
        The AXI4-Lite channels: address; data and strobes; response; address; data and response.
    mode, check_ad, ddt_base, ddt_log2, port_enable : Out
        Register contents; ``mode`` as written (3 acts as ABORT).
    flush : Out(1)
        For one cycle: empty every cache. Raised by a write that sets MODE to ABORT, or that
        changes CHECK_AD, since entries checked under the other rule are not to be trusted.
    requests, walks, port_active : In
        STATUS and PORT_STATUS.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "aw": In(stream.Signature(12)),
            "w": In(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": Out(stream.Signature(Resp)),
            "ar": In(stream.Signature(12)),
            "r": Out(stream.Signature(data.StructLayout({"data": 32, "resp": Resp}))),
            "mode": Out(2),
            "check_ad": Out(1),
            "ddt_base": Out(PFN_BITS),
            "ddt_log2": Out(5),
            "port_enable": Out(config.ports),
            "flush": Out(1),
            "requests": In(1),
            "walks": In(1),
            "port_active": In(config.ports),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        stored = {}
        for entry in REGISTERS:
            if entry.access == "RW":
                reset = sum(field.reset << field.low for field in entry.fields)
                if entry.name == "PORT_ENABLE":
                    reset = (1 << config.ports) - 1
                stored[entry.name] = Signal(32, init=reset, name=entry.name.lower())
        values = dict(stored)
        values["ID"] = Const(ID, 32)
        values["VERSION"] = Const(VERSION, 32)
        values["CAPS0"] = Const(config.device_ports | config.cpu_port << 4 | 1 << 5
                                | config.walks << 8 | config.tlb_entries << 16, 32)
        values["CAPS1"] = Const(config.l2_entries, 32)
        values["STATUS"] = Cat(self.requests, self.walks)
        values["PORT_STATUS"] = self.port_active

        m.d.comb += [
            self.mode.eq(stored["CTRL"][:2]),
            self.check_ad.eq(stored["CTRL"][2]),
            self.ddt_base.eq(Cat(stored["DDT_BASE_LOW"][12:], stored["DDT_BASE_HIGH"][:20])),
            self.ddt_log2.eq(stored["DDT_LOG2"]),
            self.port_enable.eq(stored["PORT_ENABLE"]),
        ]
        self._writes(m, stored)
        self._reads(m, values)
        return m

    def _writes(self, m, stored):
        address, address_held = Signal(12), Signal()
        content, content_held = Signal(self.w.payload.shape()), Signal()
        m.d.comb += [self.aw.ready.eq(~address_held), self.w.ready.eq(~content_held)]
        with m.If(self.aw.valid & self.aw.ready):
            m.d.sync += [address.eq(self.aw.payload), address_held.eq(1)]
        with m.If(self.w.valid & self.w.ready):
            m.d.sync += [content.eq(self.w.payload), content_held.eq(1)]

        off = Signal()
        m.d.comb += off.eq((self.mode != Mode.TRANSLATE.value) & (self.mode != Mode.BYPASS.value))
        mask = Cat(strobe.replicate(8) for strobe in content.strb)
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += self.b.valid.eq(0)
        with m.If(address_held & content_held & (~self.b.valid | self.b.ready)):
            m.d.sync += [address_held.eq(0), content_held.eq(0)]
            m.d.sync += [self.b.valid.eq(1), self.b.payload.eq(Resp.SLVERR)]
            with m.Switch(address[2:]):
                for entry in REGISTERS:
                    if entry.access != "RW":
                        continue
                    exists = entry.mask
                    if entry.name == "PORT_ENABLE":
                        exists &= (1 << self._config.ports) - 1
                    now = stored[entry.name]
                    then = Signal(32, name=f"{entry.name.lower()}_written")
                    m.d.comb += then.eq(((now & ~mask) | (content.data & mask)) & exists)
                    with m.Case(entry.offset >> 2):
                        with m.If(Const(not entry.locked) | off):
                            m.d.sync += [self.b.payload.eq(Resp.OKAY), now.eq(then)]
                            if entry.name == "DDT_LOG2":
                                with m.If(then > DDT_LOG2_MAX):
                                    m.d.sync += now.eq(DDT_LOG2_MAX)
                            if entry.name == "CTRL":
                                aborts = (then[:2] == 0) | (then[:2] == 3)
                                m.d.sync += self.flush.eq(aborts | (then[2] != now[2]))
        with m.If(self.flush):
            m.d.sync += self.flush.eq(0)

    def _reads(self, m, values):
        m.d.comb += self.ar.ready.eq(~self.r.valid)
        with m.If(self.r.valid & self.r.ready):
            m.d.sync += self.r.valid.eq(0)
        with m.If(self.ar.valid & self.ar.ready):
            m.d.sync += [self.r.valid.eq(1), self.r.payload.data.eq(0),
                         self.r.payload.resp.eq(Resp.SLVERR)]
            with m.Switch(self.ar.payload[2:]):
                for entry in REGISTERS:
                    with m.Case(entry.offset >> 2):
                        m.d.sync += [self.r.payload.data.eq(values[entry.name]),
                                     self.r.payload.resp.eq(Resp.OKAY)]
