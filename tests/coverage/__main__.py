"""``make coverage``: lines, branches and toggles of the exported Verilog, and named covers.

The regression runs on ``default``, whose Verilog has every part, with Verilator's counters. What
they say goes back to the modules of the design. It fails when a test fails, when a named cover
stayed empty, when a line was not executed that no exception explains, when less than 99 % of the
branches were taken, or when an exception explains nothing.
The page is build/coverage/index.html.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

from siommu.generate.files import command, write_whole
from siommu.top import Siommu

from ..regression import simulator
from ..regression.coverage import COVERS
from ..support.commit import commit
from .modules import measure, sources
from .page import page
from .points import CoverageError, merged, points

__all__ = ["LIMITS", "main", "wrong"]

ROOT = simulator.ROOT
FOLDER = ROOT / "build" / "coverage"
CONFIG = "default"
#: Per cent that must be seen. Some branches are of values that cannot be: their lines are seen.
LIMITS = {"line": 100.0, "branch": 99.0}

TABLES = ("Covers of the test bench", "Covers inside the core")


def wrong(measured, covers):
    """Sentences: what fails the run.

    Parameters
    ----------
    measured : Measured
    covers : dict
        Those of the test bench, to counts.
    """
    found = [f"the cover “{name}” is empty" for each in (covers, measured.covers)
             for name, count in each.items() if not count]
    for name, limit in LIMITS.items():
        percent = getattr(measured.total, name).percent
        if percent < limit:
            found.append(f"{percent:.2f} % of what is counted by {name} was seen, less than "
                         f"{limit:g} %")
    found += [f"the exception of {each.text} in {each.module} explains nothing: take it away"
              for each, lines in measured.used.items() if not lines]
    return found


def _simulate(runs, arguments):
    """Runs the regression, whose simulations leave their counts below ``runs``; returns the exit
    status."""
    shutil.rmtree(runs, ignore_errors=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadscope",
         "--no-loadscope-reorder", "tests/regression/test_regression.py", *arguments],
        cwd=ROOT, env={**os.environ, "SIOMMU_RUNS": str(runs)}, check=False).returncode


def _counted(runs):
    """The points of all simulations, to counts; how many simulations; the test bench's covers.
    Verilator's files, which are large, become one."""
    kept = FOLDER / "points.json"
    files = sorted(runs.glob("*/coverage.dat"))
    if files:
        write_whole(kept, json.dumps(merged(files)))
        for file in files:
            file.unlink()
    elif not kept.exists():
        raise CoverageError(f"there is no coverage.dat below {runs}")
    covers, folders = Counter(), sorted(runs.glob("*/covers.json"))
    for path in folders:
        covers.update(json.loads(path.read_text()))
    return json.loads(kept.read_text()), len(folders), {name: covers[name] for name in COVERS}


def _sources():
    """Python module of a place of the Verilog, where an instance's name may have got a number."""
    found = sources(Siommu(simulator.CONFIGS[CONFIG]))
    return lambda place: found.get(place) or found.get(re.sub(r"_\d+(?=\.|$)", "", place), "")


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description=__doc__)
    parser.add_argument("--report", action="store_true",
                        help="write the page anew from what the last run counted")
    options, others = parser.parse_known_args(arguments)
    os.environ["SIOMMU_COVERAGE"] = "1"
    runs, status = FOLDER / "runs", 0
    if not options.report:
        status = _simulate(runs, others)
    try:
        total, simulations, covers = _counted(runs)
        text = simulator.verilog(CONFIG).read_text()
    except (CoverageError, simulator.SimulationError) as error:
        parser.exit(1, f"siommu: {error}\n")
    measured = measure(text, points(total))
    found = wrong(measured, covers)
    if status:
        found.insert(0, "tests of the regression failed, or a cover of it stayed empty")
    write_whole(FOLDER / "index.html", page(
        measured, date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", config=CONFIG, commit=commit(),
        simulations=simulations, limits=LIMITS, wrong=found,
        source=_sources(),
        tables=dict(zip(TABLES, (covers, measured.covers)))))
    for each in found:
        print(f"siommu: FAILED: {each}")
    figures = ", ".join(f"{ratio.percent:.2f} % of {ratio.all} {name}" for name, ratio in (
        ("lines", measured.total.line), ("branches", measured.total.branch),
        ("toggles", measured.total.toggle)))
    print(f"siommu: {figures}; {len(covers) + len(measured.covers)} covers; "
          f"the page is {FOLDER / 'index.html'}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
