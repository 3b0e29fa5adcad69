"""cocotb tests as tests of pytest. Those of one module on one configuration run in one simulation,
which starts when pytest comes to the first of them."""

import importlib
import sys

import pytest

from . import simulator

__all__ = ["Simulations", "cocotb_tests", "items"]


def cocotb_tests(module):
    """Names of the cocotb tests in ``module``, as the simulation reports them."""
    return [test.name for value in vars(module).values()
            if type(value).__name__ == "TestGenerator" for test in value.generate_tests()]


def items(package, modules):
    """Parameters of pytest, (module, configuration, test), for the modules of ``package``: a
    dictionary, name to configurations."""
    for name, configs in modules.items():
        module = importlib.import_module(f"{package}.{name}")
        tests = cocotb_tests(module)
        assert tests, f"{name} has no tests"
        for config in configs:
            for test in tests:
                yield pytest.param(module.__name__, config, test, id=f"{name}-{config}-{test}")


class Simulations:
    """Simulations of this process.

    Parameters
    ----------
    run : callable
        (module, configuration, names of tests) -> (results, folder), as ``simulator.run``.

    Attributes
    ----------
    found : dict
        (module, configuration) to results and folder, or to the error that broke it.
    """

    def __init__(self, run):
        self._run = run
        self.found = {}

    def _simulate(self, module, config, names, capture):
        if (module, config) not in self.found:
            with capture.global_and_fixture_disabled():     # say what is being done meanwhile
                # Standard error, because a worker's standard output goes nowhere.
                print(f"\nsiommu: {module} on '{config}': {len(names)} tests", file=sys.stderr,
                      flush=True)
                try:
                    self.found[module, config] = self._run(module, config, names)
                except simulator.SimulationError as error:
                    self.found[module, config] = error
        found = self.found[module, config]
        if isinstance(found, Exception):
            pytest.fail(str(found), pytrace=False)
        return found

    def check(self, request, module, config, test, hint=""):
        """Passes or fails as the cocotb test ``test`` did, and shows its lines of the log; ``hint``
        goes behind the name of the log. Its parameters are those of all tests that are asked for of
        the same function."""
        names = [item.callspec.params["test"] for item in request.session.items
                 if getattr(item, "function", None) is request.function
                 and item.callspec.params["module"] == module
                 and item.callspec.params["config"] == config]
        capture = request.config.pluginmanager.getplugin("capturemanager")
        results, folder = self._simulate(module, config, names, capture)
        log = folder / "simulation.log"
        for line in log.read_text().splitlines():
            if line.startswith(f"{test}: "):
                print(line)
        if results[test] is not None:
            pytest.fail(f"{results[test]}\nThe log is {log}{hint}", pytrace=False)
