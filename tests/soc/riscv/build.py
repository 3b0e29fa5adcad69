"""Makes the simulated system and its firmware, each once for what it is made of, and runs them."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from sim.folders import digest, once
from sim.verilated.build import MAKE, BuildError, run_tool, verilate
from siommu.generate.files import write_whole

from ...regression import simulator

__all__ = ["COMPILER", "CONFIG", "firmware", "model", "run"]

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
INCLUDE = ROOT / "hdl" / "include"
#: The smallest core that knows the tables of RISC-V processes, with its contracts as assertions.
CONFIG = "small+riscv_tables=1"

TOOLS = "riscv64-unknown-elf-"
COMPILER = f"{TOOLS}gcc"
#: No library but the compiler's own, for divisions of 64 bits.
FLAGS = ["-march=rv32im", "-mabi=ilp32", "-std=c11", "-O2", "-ffreestanding", "-nostdlib",
         "-Wall", "-Wextra", "-Werror"]
#: Memory in units of the simulated RAM.
WORD = 8

#: A warning of Verilator ends it: the system is an example, so it has to lint as those of docs/ do.
#: As one piece of C++, so small a model is compiled in two thirds of the time.
VERILATOR = ["--cc", "--exe", "--top-module", "riscv_soc", "--prefix", "Vriscv_soc", "-O3",
             "--assert", "-Wall", "-Wno-TIMESCALEMOD", "--output-split", "0", "-CFLAGS",
             "-std=c++20"]
WAIVERS = [ROOT / "scripts" / "siommu.vlt", HERE / "picorv32.vlt"]


def firmware(planted="NOTHING", build=ROOT / "build"):
    """Folder of the compiled firmware, with ``firmware.elf`` and ``firmware.hex``.

    Parameters
    ----------
    planted : str
        A mistake of ``firmware/planted.h``.

    Raises
    ------
    BuildError
        The cross compiler is missing, or complains.
    """
    if not shutil.which(COMPILER):
        raise BuildError(f"{COMPILER} is missing; `sh scripts/check_tools.sh riscv` says what to "
                         f"install")
    sources = [path for path in sorted((HERE / "firmware").iterdir())
               if path.suffix in (".c", ".h", ".S", ".ld")]
    key = digest(*(path.read_bytes() for path in (*sources, *sorted(INCLUDE.iterdir()))), FLAGS,
                 planted, subprocess.check_output([COMPILER, "--version"]))
    folder = Path(build) / "soc" / f"firmware-{key}"
    once(folder, lambda scratch: _compile(sources, scratch, planted))
    return folder


def _compile(sources, folder, planted):
    elf, image = folder / "firmware.elf", folder / "firmware.bin"
    run_tool([COMPILER, *FLAGS, f"-DPLANTED={planted}", f"-I{INCLUDE}", "-T",
              str(HERE / "firmware" / "link.ld"), "-o", str(elf),
              *(str(path) for path in sources if path.suffix in (".c", ".S")), "-lgcc"], folder)
    run_tool([f"{TOOLS}objcopy", "-O", "binary", str(elf), str(image)], folder)
    data = image.read_bytes()
    words = (int.from_bytes(data[at:at + WORD], "little") for at in range(0, len(data), WORD))
    write_whole(folder / "firmware.hex", "".join(f"{word:016x}\n" for word in words))


def model(core=None, build=ROOT / "build"):
    """Path of the program that simulates the system (about a minute, if it is not there).

    Parameters
    ----------
    core : Path
        Verilog of the core; generated if there is none.

    Raises
    ------
    BuildError
        PicoRV32 is missing; Verilator or the compiler failed.
    """
    files = [*WAIVERS, *sorted(HERE.glob("*.v")), _processor(), core or simulator.verilog(CONFIG)]
    harness, compiler = HERE / "simulate.cpp", os.environ.get("CXX", "g++")
    key = digest(*(path.read_bytes() for path in (*files, harness)), VERILATOR, MAKE, compiler,
                 importlib.metadata.version("verilator"))
    folder = Path(build) / "soc" / f"model-{key}"
    once(folder, lambda scratch: verilate("the system with the RISC-V processor", VERILATOR,
                                          [*files, harness], scratch, ["Vriscv_soc"], compiler))
    return folder / "Vriscv_soc"


def _processor():
    """The Verilog of PicoRV32, which a package of PyPI carries."""
    found = importlib.util.find_spec("pythondata_cpu_picorv32")
    if found is None:
        raise BuildError("the Python package pythondata-cpu-picorv32 is missing; `make soc` "
                         "installs it")
    return next(Path(found.origin).parent.rglob("picorv32.v"))


def run(program, folder, **options):
    """Runs the firmware in ``folder`` on the simulated system ``program``.

    Its console is the standard output, and its status that of the process, which is returned;
    ``options`` are those of ``subprocess.run``.
    """
    return subprocess.run([program, "+firmware=firmware.hex"], cwd=folder, text=True, check=False,
                          **options)
