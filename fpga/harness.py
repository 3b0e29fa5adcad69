"""A frame around the module ``siommu`` in which every path runs from register to register."""

import re

from amaranth import Cat, ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.back import verilog as _verilog

__all__ = ["FAN_IN", "FOLD", "Harness", "harness_verilog", "module_ports"]

FAN_IN = 4          #: bits that one LUT of the output tree folds
FOLD = "fold_"      #: beginning of the names of the output tree's registers

_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", re.M)


def module_ports(text):
    """Ports of the module ``siommu`` in exported Verilog: name to (direction, width).

    Raises
    ------
    ValueError
        The text has no such module, or none of its ports is understood.
    """
    start = text.find("\nmodule siommu(")
    found = _PORT.findall(text[start:text.find("\nendmodule", start)]) if start >= 0 else []
    if not found:
        raise ValueError("this text does not hold the module `siommu` as `siommu generate` "
                         "writes it")
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


class Harness(Elaboratable):
    """``siommu`` with four pins, to be placed and routed on its own.

    The core has more port bits than any package has pins. Here every input bit comes from a
    stage of one long shift register, and every output bit goes to a register; the registers are
    folded to one pin by a tree of XORs with a register after each. So no input is constant, no
    output is unused, and the clock's slowest path is one of the core, or of its port to the
    register beside it.

    Parameters
    ----------
    ports : dict
        As ``module_ports`` gives them.

    Members
    -------
    clk : in(1), rst : in(1)
        Clock of everything; reset of the core alone, registered once before the core.
    si : in(1), so : out(1)
        Head of the shift register; root of the tree.
    """

    def __init__(self, ports):
        self.ports = ports
        self.clk, self.rst, self.si, self.so = (Signal(name=name)
                                                for name in ("clk", "rst", "si", "so"))

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = clock = ClockDomain(reset_less=True)
        m.d.comb += clock.clk.eq(self.clk)
        wires = {name: Signal(width, name=name) for name, (_, width) in self.ports.items()
                 if name not in ("clk", "rst")}
        inputs = [wire for name, wire in wires.items() if self.ports[name][0] == "input"]
        outputs = [wire for name, wire in wires.items() if self.ports[name][0] == "output"]
        reset = Signal()
        m.submodules.siommu = Instance(
            "siommu", i_clk=ClockSignal(), i_rst=reset,
            **{f"{self.ports[name][0][0]}_{name}": wire for name, wire in wires.items()})
        stages = Signal(sum(map(len, inputs)))
        m.d.sync += [stages.eq(Cat(self.si, stages)), reset.eq(self.rst)]
        m.d.comb += Cat(inputs).eq(stages)
        fold = Signal(sum(map(len, outputs)), name=f"{FOLD}0")
        m.d.sync += fold.eq(Cat(outputs))
        level = 0
        while len(fold) > 1:
            level += 1
            groups = [fold[index:index + FAN_IN] for index in range(0, len(fold), FAN_IN)]
            fold = Signal(len(groups), name=f"{FOLD}{level}")
            m.d.sync += fold.eq(Cat(group.xor() for group in groups))
        m.d.comb += self.so.eq(fold)
        return m


def harness_verilog(text):
    """Verilog of the module ``top`` around the module ``siommu`` of the exported ``text``."""
    harness = Harness(module_ports(text))
    return _verilog.convert(harness, name="top", emit_src=False, strip_internal_attrs=True,
                            ports=[harness.clk, harness.rst, harness.si, harness.so])
