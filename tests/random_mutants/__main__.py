"""``make mutants-random``: faults that nobody chose, and which test notices each.

Yosys changes single bits of the exported Verilog of ``default``: drawn by chance, over all modules
by size. Each is compared with the design by a SAT solver: it may change nothing. The regression
runs on the others until the first failure. What survives is explained in ``explained.py``, or a
test is missing. What was found is kept, so a broken run goes on.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from sim.arguments import at_least
from siommu.generate.files import command, write_whole

from ..bench.document import replace
from ..regression import simulator
from ..regression.seeds import DEFAULT_SEEDS
from ..support.kept import Kept
from . import report
from .equivalence import equivalent
from .explained import EXPLAINED
from .model import mutated
from .sample import candidates, draw
from .trial import first_failure, tests_of

__all__ = ["main"]

FOLDER = simulator.BUILD / "random_mutants"
DOCUMENT = simulator.ROOT / "docs" / "verification.md"
#: By what it is kept that the model passes without any mutant.
NONE = "no mutant"
#: The data behind the document's table.
MEASURED = simulator.ROOT / "docs" / "verification" / "random_mutants.json"


class Run:
    """The mutants of a run, and what is known about them.

    Parameters
    ----------
    count, seed : int
    """

    def __init__(self, count, seed):
        self.text = simulator.verilog("default", checked=False).read_text()
        self.sha256 = hashlib.sha256(self.text.encode()).hexdigest()
        self.mutants = draw(candidates(self.text, seed), count, seed)
        before = json.loads(MEASURED.read_text())["results"] if MEASURED.exists() else {}
        self.kept = Kept(FOLDER, before, tests_of)
        self.options = ["--count", str(count), "--seed", str(seed)]

    def model(self):
        """Path of the Verilog that holds all mutants."""
        path = FOLDER / "siommu.v"
        write_whole(path, mutated(self.text, self.mutants))
        return path

    def result(self, number):
        """What is kept of the mutant ``number``, or None."""
        return self.kept.result(self.mutants[number - 1].command, self.sha256)

    def try_one(self, number):
        """Tries the mutant ``number`` in this process; its result."""
        mutant, found = self.mutants[number - 1], self.result(number)
        if found is None:
            with tempfile.TemporaryDirectory(prefix="siommu-") as folder:
                os.environ["SIOMMU_RUNS"], model = folder, self.model()
                same = equivalent(self.text, mutant)
                noticed = None if same else first_failure(model, number)
                found = self.kept.keep(mutant.command, self.sha256,
                                       {"noticed": noticed, "equivalent": same})
        return found

    def try_beside(self, number):
        """The same in a process of its own, unless the result is known."""
        if self.result(number) is None:
            done = subprocess.run(
                [sys.executable, "-m", "tests.random_mutants", *self.options, "--only",
                 str(number)], cwd=simulator.ROOT, capture_output=True, text=True, check=False)
            if self.result(number) is None:
                raise SystemExit(f"siommu: mutant {number} could not be tried:\n{done.stdout}"
                                 f"{done.stderr}")
        return number, self.result(number)

    def sound(self):
        """Whether the model without any mutant passes all tests. That it does is kept."""
        if self.kept.result(NONE, self.sha256):
            return True
        with tempfile.TemporaryDirectory(prefix="siommu-") as folder:
            os.environ["SIOMMU_RUNS"] = folder
            noticed = first_failure(self.model(), 0)
        if noticed:
            print(f"siommu: {noticed} fails without any mutant", file=sys.stderr)
            return False
        self.kept.keep(NONE, self.sha256, {"noticed": None, "equivalent": False})
        return True


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tests.random_mutants",
                                     description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=at_least(1), default=320, metavar="N",
                        help="mutants to draw (320)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which ones (1)")
    parser.add_argument("--jobs", type=at_least(1), default=os.cpu_count() or 1, metavar="N",
                        help="at a time (all cores)")
    parser.add_argument("--document", action="store_true",
                        help="put the table and its data into docs/verification.md and beside it")
    parser.add_argument("--only", type=at_least(0), metavar="N",
                        help="the Nth of them alone; 0: none of them, and all must pass")
    return parser


def _say(number, mutant, found, began):
    verdict = found["noticed"] or ("changes nothing" if found["equivalent"] else "NOT NOTICED")
    print(f"siommu: mutant {number}, {mutant}: {verdict} "
          f"[{time.monotonic() - began:.0f} s]", flush=True)


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    options, began = _parser().parse_args(arguments), time.monotonic()
    # SEED is which mutants: the random tests have their own, or a result would rest on it, too.
    os.environ["SIOMMU_SEEDS"] = " ".join(map(str, range(DEFAULT_SEEDS)))
    run = Run(options.count, options.seed)
    if options.only == 0:
        return int(not run.sound())
    if options.only:
        if options.only > len(run.mutants):
            print(f"siommu: there are {len(run.mutants)} mutants", file=sys.stderr)
            return 2
        mutant, found = run.mutants[options.only - 1], run.try_one(options.only)
        _say(options.only, mutant, found, began)
        alive = not found["noticed"] and not found["equivalent"]
        return int(alive and str(mutant) not in EXPLAINED)
    if not run.sound():         # else any of them would be noticed
        return 1
    results = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for number, found in pool.map(run.try_beside, range(1, len(run.mutants) + 1)):
            mutant = run.mutants[number - 1]
            results[mutant] = found
            _say(number, mutant, found, began)
    data = report.data_of(run, results, options.seed)
    write_whole(FOLDER / "results.json", json.dumps(data, indent=1) + "\n")
    lines, good = report.summary(data)
    write_whole(FOLDER / "random_mutants.md", "\n".join(lines) + "\n")
    print("\n".join(lines))
    if options.document:
        write_whole(MEASURED, json.dumps(data, indent=1) + "\n")
        replace(DOCUMENT, "random mutants", lines)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
