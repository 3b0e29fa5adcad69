"""Example: the SIOMMU inside a design in Amaranth.

Around it are a memory, a device that asks, and the processor's way to both. The device is the front
of a small DMA engine: it is given a virtual address, asks port `dev0` whether the process may read
there, and shows what it was told. The memory is the one of the board image. What the processor does
comes from outside: it writes tables into the memory and sets the SIOMMU's registers. All of it as
Verilog:

    PYTHONPATH=. .venv/bin/python docs/example_component.py build/example_component.v

`tests/soc/test_component.py` runs it in Amaranth's simulator.
"""

import argparse
import sys

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fpga.image.ram import HostPort, Ram
from siommu import (
    PRESETS,
    AxiLite,
    Cause,
    Config,
    RequestPort,
    SiommuComponent,
    component_verilog,
)
from siommu.generate.files import command, write_whole

DEVICE = 0x0100         #: PCIe bus 1, device 0, function 0; set here, and never by the device
LOG2 = 16               #: bytes of the memory, as a power of two


class Reader(wiring.Component):
    """Asks where it may read, one page at a time.

    Members
    -------
    start : In(1), addr : In(64), pasid : In(20)
        Looked at while ``busy`` is 0.
    busy : Out(1)
    granted : Out(1), phys : Out(64), cause : Out(8)
        The last answer, from the end of ``busy`` on.
    port : Out(RequestPort)
    """

    def __init__(self):
        super().__init__({
            "start": In(1), "addr": In(64), "pasid": In(20), "busy": Out(1), "granted": Out(1),
            "phys": Out(64), "cause": Out(8), "port": Out(RequestPort()),
        })

    def elaborate(self, platform):
        m = Module()
        req, rsp = self.port.req, self.port.rsp
        m.d.comb += [req.payload.device.eq(DEVICE), rsp.ready.eq(1)]
        with m.If(~self.busy & self.start):
            m.d.sync += [
                self.busy.eq(1), req.valid.eq(1),
                req.payload.addr.eq(self.addr), req.payload.pasid.eq(self.pasid),
            ]
        with m.If(req.valid & req.ready):       # until then the request stays as it is
            m.d.sync += req.valid.eq(0)
        with m.If(rsp.valid):                   # one page is one beat, the last one
            m.d.sync += [
                self.busy.eq(0), self.granted.eq(rsp.payload.cause == Cause.OK),
                self.phys.eq(rsp.payload.addr), self.cause.eq(rsp.payload.cause.as_value()),
            ]
        return m


class ExampleSoc(wiring.Component):
    """The system.

    Parameters
    ----------
    config : Config
        With 64 bits of data, as the memory has.

    Members
    -------
    start, addr, pasid : In, busy, granted, phys, cause : Out
        Those of the reader.
    memory : In(HostPort), registers : In(AxiLite)
        From the processor.
    irq : Out(1)
    """

    def __init__(self, config: Config = PRESETS["small"]):
        self._config = config
        super().__init__({
            "start": In(1), "addr": In(64), "pasid": In(20), "busy": Out(1), "granted": Out(1),
            "phys": Out(64), "cause": Out(8),
            "memory": In(HostPort()), "registers": In(AxiLite()), "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.siommu = siommu = SiommuComponent(config)
        m.submodules.ram = ram = Ram(config.axi_id_width, LOG2)
        m.submodules.reader = reader = Reader()
        connect(m, reader.port, siommu.dev0)
        for name in ("ar", "r", "aw", "w", "b"):
            connect(m, getattr(siommu.m_axi, name), getattr(ram, name))
        connect(m, flipped(self.registers), siommu.s_axil)
        connect(m, flipped(self.memory), ram.host)
        for name in config.port_names[1:]:      # nobody asks there, and nothing is held up
            m.d.comb += getattr(siommu, name).rsp.ready.eq(1)
        for name in ("start", "addr", "pasid"):
            m.d.comb += getattr(reader, name).eq(getattr(self, name))
        for name in ("busy", "granted", "phys", "cause"):
            m.d.comb += getattr(self, name).eq(getattr(reader, name))
        m.d.comb += self.irq.eq(siommu.irq_command | siommu.irq_fault | siommu.irq_counter)
        return m


@command
def main():
    """Writes all of it as Verilog."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", help="the file to write")
    write_whole(parser.parse_args().output, component_verilog(ExampleSoc(), "example_component"))


if __name__ == "__main__":
    sys.exit(main())
