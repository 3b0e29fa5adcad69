"""Tries a mutant: which test notices it."""

import importlib

from ..regression import simulator
from ..regression.collected import cocotb_tests
from ..support.kept import REGRESSION, digest_of_tests

__all__ = ["first_failure", "tests_of"]

#: The regression on `default`: what notices most in the least time comes first; last, what notices
#: that anything is different at all.
MODULES = ("figures", "runs", "commands", "counting", "speculation", "capacity", "caching",
           "isolation", "registers", "faults", "fuzz", "random_worlds", "revocation", "riscv",
           "causes", "pace")


def first_failure(verilog, number, modules=MODULES):
    """The first test that fails on the mutant ``number`` of the file ``verilog``: ``module.test``,
    or ``module`` alone if its simulation broke down twice; None if all pass. 0 is no mutant."""
    for name in modules:
        results = _run(verilog, number, name) or _run(verilog, number, name)
        if results is None:
            return name
        failed = [test for test, failure in results.items() if failure is not None]
        if failed:
            return f"{name}.{failed[0]}"
    return None


def _run(verilog, number, name):
    """The failures of a module of the regression on a mutant, None for a test that passes; None if
    the simulation broke down, which may be the machine's fault."""
    module = importlib.import_module(f"tests.regression.{name}")
    try:
        results, _ = simulator.run(
            module.__name__, cocotb_tests(module), label=f"{name}-{number}", sources=[verilog],
            plusargs=[f"+mutant={number}"], until_failure=True)
    except simulator.SimulationError:
        return None
    return results


def tests_of(result):
    """A digest of the tests that a result rests on. What changes nothing rests on none."""
    if result["equivalent"]:
        return ""
    noticed = result["noticed"]
    return digest_of_tests([f"tests/regression/{noticed.partition('.')[0]}.py"] if noticed
                           else REGRESSION)
