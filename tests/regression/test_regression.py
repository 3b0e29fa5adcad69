"""Runs the cocotb tests under pytest: one item per cocotb test, one simulation per module.

Environment: ``SEED=n`` runs that random world alone; ``SEEDS=n`` runs seed 0 and n - 1 fresh
seeds; ``SAMPLE=n`` takes another sample of configurations for them (``make matrix`` runs on all);
``SIM=icarus`` and ``SIOMMU_VERILOG=file`` as in ``simulator.py``.
"""

import importlib
import os
import sys

import pytest

from tests.bench import matrix

from . import simulator
from .outcome import choose_seeds

#: Of all combinations of widths, caches, walks and ports, those that this run looks at.
SAMPLE = matrix.sample(2, int(os.environ.get("SAMPLE", 0)))

#: Module of cocotb tests, and the configurations it runs on.
MODULES = {
    "registers": ("default", "small"),
    "causes": ("default", "edge"),
    "riscv": ("default", "edge"),
    "runs": ("default",),
    "caching": ("default", "edge"),
    "isolation": ("default", "large"),
    "figures": ("default", "large"),
    "commands": ("default", "edge"),
    "speculation": ("default", "small"),
    "faults": ("default", "edge"),
    "counting": ("default", "small"),
    "fuzz": ("default", "edge"),
    "revocation": ("default", "edge", "small"),
    "random_worlds": ("default", "small", "edge", "large", *SAMPLE),
}
choose_seeds()


def cocotb_tests(module):
    """Names of the cocotb tests in ``module``, as the simulation reports them."""
    return [test.name for value in vars(module).values()
            if type(value).__name__ == "TestGenerator" for test in value.generate_tests()]


_simulations = {}       # (module, config) -> (results, folder) or the exception


def _simulate(module, config, names, capture):
    if (module, config) not in _simulations:
        with capture.global_and_fixture_disabled():     # say what is being done meanwhile
            # Standard error, because a worker's standard output goes nowhere.
            print(f"\nsiommu: {module} on '{config}': {len(names)} tests", file=sys.stderr,
                  flush=True)
            try:
                _simulations[module, config] = simulator.run(module, names, config)
            except simulator.SimulationError as error:
                _simulations[module, config] = error
    found = _simulations[module, config]
    if isinstance(found, Exception):
        pytest.fail(str(found), pytrace=False)
    return found


def _items():
    for name, configs in MODULES.items():
        module = importlib.import_module(f"tests.regression.{name}")
        tests = cocotb_tests(module)
        assert tests, f"{name} has no tests"
        for config in configs:
            for test in tests:
                yield pytest.param(module.__name__, config, test, id=f"{name}-{config}-{test}")


def ran():
    """The simulations of this process: (module, configuration, folder or None if it broke)."""
    return [(module, config, None if isinstance(found, Exception) else str(found[1]))
            for (module, config), found in _simulations.items()]


def is_whole(items):
    """Whether ``items`` hold the whole regression with all seeds, so that its covers count."""
    chosen = sum(item.name.startswith("test_regression[") for item in items)
    return chosen == len(list(_items())) and not os.environ.get("SEED")


@pytest.mark.parametrize("module, config, test", list(_items()))
def test_regression(module, config, test, request):
    names = [item.callspec.params["test"] for item in request.session.items
             if item.name.startswith("test_regression[")
             and item.callspec.params["module"] == module
             and item.callspec.params["config"] == config]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    results, folder = _simulate(module, config, names, capture)
    for line in (folder / "simulation.log").read_text().splitlines():
        if line.startswith(f"{test}: "):
            print(line)
    if results[test] is not None:
        pytest.fail(f"{results[test]}\nThe log is {folder / 'simulation.log'}; "
                    f"`make waves TEST={test}` leaves waves", pytrace=False)
