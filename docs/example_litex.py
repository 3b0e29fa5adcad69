"""Example: the SIOMMU in an SoC of LiteX, as the exported Verilog.

The SoC has no processor: a bus master comes in from outside, over pins, and does what software
would. On its bus are a RAM, the SIOMMU's registers, and the registers of a device that asks port
`dev0`; the SIOMMU itself is a second master, which reads its tables in the RAM. Written as Verilog,
with the core beside it, by LiteX's builder:

    PYTHONPATH=. .venv/bin/python docs/example_litex.py build/litex

`tests/soc/test_litex.py` simulates it.
"""

import argparse
import sys
from pathlib import Path

from litex.build.generic_platform import GenericPlatform, Pins
from litex.gen import LiteXModule
from litex.soc.integration.builder import Builder
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import axi
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import ClockDomain, ClockSignal, If, Instance, ResetSignal, Signal

from siommu import PRESETS, ports_of, verilog
from siommu.generate.files import command, write_whole

__all__ = ["ExampleLitex", "PORT_DEVICE", "RAM", "RAM_BYTES", "REGISTERS", "SiommuLitex", "export"]

RAM, RAM_BYTES = 0x4000_0000, 1 << 16
REGISTERS = 0x9000_0000             #: the SIOMMU's window of 4 KiB
PORT_DEVICE = 0x0100                #: the identity of the device behind `dev0`: set here, not by it
NOWHERE = 0xFFFF_F000               #: addresses from here on are in no region of the bus


class Plain(GenericPlatform):
    """No board: Verilog, and nothing else."""

    def build(self, fragment, build_dir, build_name, **_):
        """Writes the Verilog, and beside it what memories begin with."""
        made = self.get_verilog(fragment, name=build_name)
        text = made.main_source
        for name, content in made.data_files.items():
            path = Path(build_dir).resolve() / name
            write_whole(path, content)
            text = text.replace(f'"{name}"', f'"{path}"')   # from wherever it is simulated
        write_whole(Path(build_dir) / f"{build_name}.v", text)


class SiommuLitex(LiteXModule):
    """The exported Verilog as a module of LiteX.

    Parameters
    ----------
    config : siommu.Config

    Attributes
    ----------
    memory : axi.AXILiteInterface
        A master of the bus, as wide as the core's AXI4.
    registers : axi.AXILiteInterface
        A slave of the bus, of 32 bits.
    pins : dict
        By name, the signals of the ports: of the request ports and the interrupts.
    """

    def __init__(self, config):
        ports = ports_of(config)[2:]            # clk and rst are before them
        self.pins = pins = {port.name: Signal(port.width, name=port.name) for port in ports}
        connections = {("i_" if port.direction == "in" else "o_") + port.name: pins[port.name]
                       for port in ports}
        self.specials += Instance("siommu", i_clk=ClockSignal(), i_rst=ResetSignal(),
                                  **connections)
        self._memory_side(config)
        self._register_side()
        # A port that nobody drives asks nothing, and must not hold up anybody.
        for name in config.port_names[1:]:
            self.comb += pins[f"{name}_rsp_ready"].eq(1)

    def _memory_side(self, config):
        pins, width = self.pins, config.axi_data_width
        burst = axi.AXIInterface(data_width=width, address_width=32, id_width=config.axi_id_width)
        self.memory = axi.AXILiteInterface(data_width=width, address_width=32)
        self.bridge = axi.AXI2AXILite(burst, self.memory)
        for name, fields in (("ar", ("id", "len", "size", "burst")),
                             ("aw", ("id", "len", "size", "burst")),
                             ("w", ("data", "strb", "last"))):
            channel, prefix = getattr(burst, name), f"m_axi_{name}"
            self.comb += [channel.valid.eq(pins[f"{prefix}valid"]),
                          pins[f"{prefix}ready"].eq(channel.ready),
                          *(getattr(channel, field).eq(pins[prefix + field]) for field in fields)]
            if name != "w":     # LiteX has 32 bits of address; beyond them nothing must be found
                self.comb += channel.addr.eq(pins[f"{prefix}addr"])
                self.comb += If(pins[f"{prefix}addr"][32:] != 0,
                                channel.addr.eq(NOWHERE | pins[f"{prefix}addr"][:12]))
        for name, fields in (("r", ("id", "data", "last")), ("b", ("id", "resp"))):
            channel, prefix = getattr(burst, name), f"m_axi_{name}"
            self.comb += [pins[f"{prefix}valid"].eq(channel.valid),
                          channel.ready.eq(pins[f"{prefix}ready"]),
                          *(pins[prefix + field].eq(getattr(channel, field)) for field in fields)]
        # The bridge answers OKAY whatever the bus said; data pass it in the same cycle.
        self.comb += pins["m_axi_rresp"].eq(self.memory.r.resp)

    def _register_side(self):
        pins = self.pins
        self.registers = axi.AXILiteInterface(data_width=32, address_width=32)
        for name, fields, inward in (
                ("aw", ("addr", "prot"), True), ("ar", ("addr", "prot"), True),
                ("w", ("data", "strb"), True), ("b", ("resp",), False),
                ("r", ("data", "resp"), False)):
            channel, prefix = getattr(self.registers, name), f"s_axil_{name}"
            for field in ("valid", *fields):
                ours, theirs = pins[prefix + field], getattr(channel, field)
                self.comb += ours.eq(theirs) if inward else theirs.eq(ours)
            self.comb += channel.ready.eq(pins[f"{prefix}ready"]) if inward else \
                pins[f"{prefix}ready"].eq(channel.ready)


class Asker(LiteXModule):
    """A device behind registers of its own: it asks the SIOMMU for one page at a time.

    Parameters
    ----------
    pins : dict
        Of the SIOMMU.
    port : str
    """

    def __init__(self, pins, port="dev0"):
        self.addr = CSRStorage(64, description="The virtual address.")
        self.pasid = CSRStorage(20, description="The process.")
        self.ask = CSRStorage(fields=[
            CSRField("write", size=1, description="1: may it be written there?"),
            CSRField("ft", size=1, description="1: a block address."),
        ], description="Writing it asks.")
        self.answer = CSRStatus(fields=[
            CSRField("cause", size=8, description="0: granted."),
            CSRField("busy", size=1, description="1: the answer is still to come."),
        ])
        self.phys = CSRStatus(64, description="Where it is.")
        waiting, offered = Signal(), Signal()
        cause = Signal(8)

        def pin(name):
            return pins[f"{port}_{name}"]
        self.comb += [
            pin("req_valid").eq(offered), pin("req_device").eq(PORT_DEVICE),
            pin("req_addr").eq(self.addr.storage), pin("req_pasid").eq(self.pasid.storage),
            pin("req_write").eq(self.ask.fields.write), pin("req_ft").eq(self.ask.fields.ft),
            pin("rsp_ready").eq(1),
            self.answer.fields.cause.eq(cause), self.answer.fields.busy.eq(waiting),
        ]
        self.sync += [
            If(offered & pin("req_ready"), offered.eq(0)),
            If(pin("rsp_valid"), waiting.eq(0), cause.eq(pin("rsp_cause")),
               self.phys.status.eq(pin("rsp_addr"))),
            If(self.ask.re & ~waiting, offered.eq(1), waiting.eq(1)),
        ]


class ExampleLitex(SoCMini):
    """The SoC.

    Parameters
    ----------
    config : siommu.Config
    """

    def __init__(self, config=PRESETS["small"]):
        master = axi.AXILiteInterface(data_width=32, address_width=32)
        platform = Plain("none", [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("irq", 0, Pins(1)),
                                  *master.get_ios("bus")], name="example_litex")
        super().__init__(platform, clk_freq=100_000_000, bus_standard="axi-lite", ident="",
                         ident_version=False, bus_timeout=1000)
        self.cd_sys = ClockDomain()
        self.comb += [self.cd_sys.clk.eq(platform.request("clk")),
                      self.cd_sys.rst.eq(platform.request("rst"))]
        self.add_ram("main_ram", RAM, RAM_BYTES)
        self.siommu = siommu = SiommuLitex(config)
        self.bus.add_master("siommu", siommu.memory)
        self.bus.add_slave("siommu", siommu.registers, SoCRegion(REGISTERS, 0x1000, cached=False))
        self.asker = Asker(siommu.pins)
        self.comb += [master.connect_to_pads(platform.request("bus"), mode="slave")]
        self.bus.add_master("outside", master)
        self.comb += platform.request("irq").eq(
            siommu.pins["irq_command"] | siommu.pins["irq_fault"] | siommu.pins["irq_counter"])


def export(folder, config=PRESETS["small"]):
    """Writes the SoC and the core as Verilog below ``folder``; their paths, and the SoC."""
    core = Path(folder) / "siommu.v"
    write_whole(core, verilog(config))
    soc = ExampleLitex(config)
    builder = Builder(soc, output_dir=str(folder), compile_software=False, compile_gateware=False)
    builder.build(build_name="example_litex", run=False)
    return [Path(builder.gateware_dir) / "example_litex.v", core], soc


@command
def main():
    """Writes all of it as Verilog."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="the folder to write into")
    for path in export(parser.parse_args().folder)[0]:
        print(f"siommu: wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
