"""``make mutants``: puts every planted fault into the RTL and shows which test notices it.

For each fault of ``tests/mutations.py`` the unit tests of ``hdl/`` and the regression on the
exported Verilog (default configuration, of the bridge for a fault in it) run until the first
failure; the test that docs/verification.md names runs before the others. A fault that no test
notices makes the run fail. The table goes to ``build/mutants.md``. What was found is kept while the
module and the Verilog with the fault stay as they are, and the files of the tests that noticed it
(where none did, all of that group), so a broken run goes on; ``--document`` puts it into
docs/verification.md and beside it.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from siommu.generate.files import command, write_whole

from .bench.document import replace
from .mutations import MUTATIONS, mutated_tree, verilog_of
from .regression import simulator
from .support.kept import REGRESSION, Kept, digest_of_tests

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "mutants"
DOCUMENT = ROOT / "docs" / "verification.md"
#: The data behind the document's table.
MEASURED = ROOT / "docs" / "verification" / "mutants.json"
#: A row of the table: a fault, and the tests that notice it.
_ROW = re.compile(r"^\| ([\w-]+) \|.*\| ([^|]+) \| ([^|]+) \|$", re.M)

MODULES = ("causes", "riscv", "runs", "caching", "capacity", "isolation", "random_worlds",
              "registers", "figures", "commands", "faults", "counting", "revocation",
              "speculation", "pace")


def _known():
    """Fault to the unit test and the regression test of the document's table; "" where it has none.
    """
    table = DOCUMENT.read_text().partition("<!-- mutants -->")[2]
    return {name: [cell[1:-1] if re.fullmatch(r"`\S+`", cell) else "" for cell in cells]
            for name, *cells in _ROW.findall(table)}


def _first_failure(arguments, environment, hinted=()):
    """Runs pytest; the first test that fails, or None when all pass. With the arguments ``hinted``,
    if there are any, it runs first."""
    return hinted and _run(hinted, environment, True) or _run(arguments, environment, False)


def _tests_named(name):
    """The unit tests of this name, wherever they are, as arguments; none if it is of no test."""
    files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tests/hdl/**/test_*.py"))
             if name and f"def {name}(" in path.read_text()]
    return ["-k", name, *files] if files else []


def _run(arguments, environment, may_be_none):
    done = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
                           *arguments], cwd=ROOT, env={**os.environ, **environment},
                          capture_output=True, text=True)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.M)
    if done.returncode == 0 or may_be_none and not failed:
        return None
    if not failed:
        raise SystemExit(f"siommu: the tests could not be run:\n{done.stdout}{done.stderr}")
    return failed.group(1)


#: The unit tests of modules that are parts of another one: by file of tests.
PARTS = {
    "tlb/first_level": ("entry", "tags", "fill_path", "hit_path"),
    "tlb/second_level": ("line_store",),
    "store/set_store": ("set_way", "set_write", "set_scan"),
    "tlb/lines": ("line_schedule", "line_buffer", "line_record", "line_runs", "line_fill"),
    "response/egress": ("credits", "beat_queue"),
    "control/commands": ("command_fetch", "command_decode", "fence_store"),
    "control/fault_decisions": ("fault_queue", "fault_ring", "fault_quota", "fault_wait",
                                "record_writer"),
    "control/registers": ("register_write", "register_read"),
    "bridge/merge": ("refuse", "fault_pulses"),
    "bridge/release": ("in_memory",),
}


def _unit_tests(module):
    """The unit tests that look at a module most closely: its own file, or its package's; those of
    the whole core for what is in none."""
    package, _, stem = module.rpartition("/")
    for whole, parts in PARTS.items():
        if stem in parts and whole.startswith(f"{package}/"):
            stem = whole.rpartition("/")[2]
    own = Path("tests/hdl") / package / f"test_{stem}.py"
    if (ROOT / own).exists():
        return [str(own)]
    folder = Path("tests/hdl") / package
    if package == "bridge":
        return [str(folder)]
    return [str(folder)] * bool(package and (ROOT / folder).exists()) + ["tests/hdl/test_core.py"]


def _regression(name, tree, folder):
    """Makes the Verilog of ``tree`` in ``folder``; the tests of it, and their environment."""
    bridge = MUTATIONS[name].module.startswith("bridge/")
    verilog = verilog_of(tree, folder / ("siommu_axi_bridge.v" if bridge else "siommu.v"),
                         "bridge" if bridge else "generate")
    if bridge:
        return ["tests/regression/bridge/test_bridge.py", "-k", "traffic-default"], \
            {"SIOMMU_BRIDGE_VERILOG": str(verilog)}
    return ["tests/regression/test_regression.py", "-k",
            " or ".join(f"{test}-default" for test in MODULES)], \
        {"SIOMMU_VERILOG": str(verilog)}


def _without_fault(environment):
    """The Verilog that the tests would run on if ``environment`` gave them no other."""
    bridge = "SIOMMU_BRIDGE_VERILOG" in environment
    return (simulator.bridge_verilog() if bridge else simulator.verilog()).read_bytes()


def file_of(test):
    """The file of a test's own text: of an item of the regression, that of its module."""
    file, _, function = test.partition("::")
    module = re.match(r"test_(?:regression|bridge)\[(\w+)-", function)
    return str(Path(file).with_name(f"{module[1]}.py")) if module else file


def tests_of(result):
    """A digest of the tests that a result rests on: those that noticed, and all of a group that did
    not."""
    groups = {"unit": ("tests/hdl",), "regression": REGRESSION}
    return digest_of_tests(path for group, all_of_it in groups.items()
                           for path in ([file_of(result[group])] if result[group] else all_of_it))


def noticed(name, kept, hints=("", "")):
    """What notices the fault ``name``: ``unit`` and ``regression``, a test or None."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = mutated_tree(name, scratch)
        tests, environment = _regression(name, tree, Path(scratch) / name)
        (verilog,) = (Path(path).read_bytes() for path in environment.values())
        # The module's text as well: not all of it is in the Verilog of every configuration.
        text = (tree / "siommu" / f"{MUTATIONS[name].module}.py").read_bytes()
        inputs = hashlib.sha256(verilog + text).hexdigest()
        found = kept.result(name, inputs)
        if found:
            return found
        path, hinted = ["-o", f"pythonpath={tree} ."], _tests_named(hints[0])
        unit = _first_failure([*_unit_tests(MUTATIONS[name].module), *path], {},
                              hinted and [*hinted, *path])
        # A file of the regression has one test, of its own name.
        hinted = hints[1] and [f"{tests[0]}::{Path(tests[0]).stem}[{hints[1]}]"]
        regression = None if verilog == _without_fault(environment) else \
            _first_failure(tests, environment, hinted)
    return kept.keep(name, inputs, {"unit": unit, "regression": regression})


def _short(test):
    """A test's function, or the cocotb test behind an item of the regression."""
    if test is None:
        return "–"
    function, _, parameters = test.rpartition("::")[2].partition("[")
    of_regression = function in ("test_regression", "test_bridge")
    return f"`{parameters.rstrip(']')}`" if of_regression else f"`{function}`"


@command
def main():
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--document", action="store_true",
                        help="put the table and its data into docs/verification.md and beside it")
    parser.add_argument("names", nargs="*", help="faults to try (default: all)")
    options = parser.parse_args()
    unknown = set(options.names) - set(MUTATIONS)
    if unknown:
        parser.error(f"no fault {', '.join(unknown)}; choose among {', '.join(MUTATIONS)}")
    before = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    rows, missed, known, kept = [], [], _known(), Kept(KEPT, before, tests_of)
    results = {}
    for name in options.names or MUTATIONS:
        began = time.monotonic()
        found = results[name] = noticed(name, kept, known.get(name, ("", "")))
        unit, regression = found["unit"], found["regression"]
        if unit is None and regression is None:
            missed.append(name)
        rows.append(f"| {name} | {MUTATIONS[name].text} | `{MUTATIONS[name].module}` "
                    f"| {_short(unit)} | {_short(regression)} |")
        print(f"siommu: {name}: unit {_short(unit)}, regression {_short(regression)} "
              f"[{time.monotonic() - began:.0f} s]", flush=True)
        report = ROOT / "build" / "mutants.md"
        write_whole(report, "\n".join([
            "| fault | what is wrong | module | unit test that notices | regression test that "
            "notices |", "|---|---|---|---|---|", *rows, ""]))
    if options.document:
        write_whole(MEASURED, json.dumps({**before, **results}, indent=1) + "\n")
    if options.document and len(results) == len(MUTATIONS):
        lines = report.read_text().splitlines()
        replace(DOCUMENT, "mutants", lines)
    if missed:
        print(f"siommu: no test notices {', '.join(missed)}")
        return 1
    print(f"siommu: every one of {len(rows)} planted faults is noticed; see build/mutants.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
