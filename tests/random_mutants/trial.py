"""Tries a mutant: which test notices it."""

import importlib
import json
from functools import cache
from pathlib import Path

from sim.folders import digest
from siommu.generate.files import write_whole

from ..regression import simulator
from ..regression.collected import cocotb_tests

__all__ = ["QUICK", "SLOW", "Kept", "first_failure"]

#: The regression on `default`: what notices most in the least time, and the rest in that order.
QUICK = ("figures", "runs", "commands")
SLOW = ("faults", "registers", "riscv", "counting", "isolation", "speculation", "caching", "causes",
        "fuzz", "revocation", "random_worlds")
ROOT = Path(__file__).resolve().parents[2]


def first_failure(verilog, number, modules=(*QUICK, *SLOW)):
    """The first test that fails on the mutant ``number`` of the file ``verilog``: ``module.test``,
    or ``module`` alone if its simulation broke down; None if all pass. 0 is no mutant."""
    for name in modules:
        module = importlib.import_module(f"tests.regression.{name}")
        try:
            results, _ = simulator.run(
                module.__name__, cocotb_tests(module), label=f"{name}-{number}", sources=[verilog],
                plusargs=[f"+mutant={number}"], until_failure=True)
        except simulator.SimulationError:
            return name
        failed = [test for test, failure in results.items() if failure is not None]
        if failed:
            return f"{name}.{failed[0]}"
    return None


@cache
def _tests(module=None):
    """A digest of a module of tests; without one, of all tests and what they rest on."""
    folders = [ROOT / "tests" / "regression", ROOT / "sim"]
    files = [folders[0] / f"{module}.py"] if module else \
        [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return digest(*(path.read_bytes() for path in files))


class Kept:
    """Results by mutant. A mutant that was noticed stays so while the test that noticed it stays
    as it is; one that was not is tried again when any test has changed.

    Parameters
    ----------
    folder : Path
    before : dict
        Results of before, by command of the mutant, of the same Verilog.
    """

    def __init__(self, folder, verilog, before):
        self._folder, self._verilog, self._before = folder, verilog, before

    def _path(self, mutant):
        return self._folder / f"{digest(self._verilog, mutant.command)}.json"

    def result(self, mutant):
        """``{"noticed": test or None, "equivalent": bool, "tests": digest}``, or None."""
        path = self._path(mutant)
        found = json.loads(path.read_text()) if path.exists() else self._before.get(mutant.command)
        if found and (found["equivalent"] or found["tests"] == _tests(_module(found["noticed"]))):
            return found
        return None

    def keep(self, mutant, noticed, equivalent):
        """Keeps a result, and returns it."""
        found = {"noticed": noticed, "equivalent": equivalent, "tests": _tests(_module(noticed))}
        write_whole(self._path(mutant), json.dumps(found) + "\n")
        return found


def _module(noticed):
    """The module of a test that noticed a mutant; None for None."""
    return noticed and noticed.partition(".")[0]
