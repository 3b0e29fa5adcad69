"""Runs the cocotb tests under pytest: one item per cocotb test, one simulation per module.

Environment: ``SEED=n`` runs that random world alone; ``SEEDS=n`` runs seed 0 and n - 1 fresh
seeds; ``SAMPLE=n`` takes another sample of configurations for them (``make matrix`` runs on all);
``SIM=icarus`` and ``SIOMMU_VERILOG=file`` as in ``simulator.py``.
"""

import importlib
import os
import random

import pytest

from tests.bench import matrix

from . import simulator
from .coverage import empty_covers

#: Of all combinations of widths, caches, walks and ports, those that this run looks at.
SAMPLE = matrix.sample(2, int(os.environ.get("SAMPLE", 0)))

#: Module of cocotb tests, and the configurations it runs on.
MODULES = {
    "registers": ("default", "small"),
    "causes": ("default", "edge"),
    "runs": ("default",),
    "caching": ("default", "edge"),
    "isolation": ("default", "large"),
    "figures": ("default", "large"),
    "commands": ("default", "edge"),
    "faults": ("default", "edge"),
    "counting": ("default", "small"),
    "revocation": ("default", "edge", "small"),
    "random_worlds": ("default", "small", "edge", "large", *SAMPLE),
}
DEFAULT_SEEDS = 4


def _choose_seeds():
    """Seeds of the random worlds, handed on to the simulation by ``SIOMMU_SEEDS``."""
    if os.environ.get("SIOMMU_SEEDS"):
        return
    if os.environ.get("SEED"):
        seeds = [int(os.environ["SEED"])]
    elif os.environ.get("SEEDS"):
        fresh = random.SystemRandom()
        seeds = [0] + [fresh.randrange(1, 1 << 32) for _ in range(int(os.environ["SEEDS"]) - 1)]
    else:
        seeds = list(range(DEFAULT_SEEDS))
    os.environ["SIOMMU_SEEDS"] = " ".join(map(str, seeds))


_choose_seeds()


def cocotb_tests(module):
    """Names of the cocotb tests in ``module``, as the simulation reports them."""
    return [test.name for value in vars(module).values()
            if type(value).__name__ == "TestGenerator" for test in value.generate_tests()]


_simulations = {}       # (module, config) -> (results, folder) or the exception


def _simulate(module, config, names, capture):
    if (module, config) not in _simulations:
        with capture.global_and_fixture_disabled():     # say what is being done meanwhile
            print(f"\nsiommu: {module} on '{config}': {len(names)} tests", flush=True)
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


def figures():
    """The figures that the simulations of this run have logged."""
    return [f"{config}: {line.partition('figure: ')[2]}"
            for (_, config), found in _simulations.items() if not isinstance(found, Exception)
            for line in (found[1] / "simulation.log").read_text().splitlines()
            if ": figure: " in line]


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


def test_every_cover_was_hit(request):
    """Over the whole regression, no cause, level, size or situation went untested."""
    ran = {(module, config) for module, config in _simulations}
    wanted = {(f"tests.regression.{name}", config)
              for name, configs in MODULES.items() for config in configs}
    selected = sum(item.name.startswith("test_regression[") for item in request.session.items)
    if ran != wanted or selected != len(list(_items())) or os.environ.get("SEED"):
        pytest.skip("covers are counted over the whole regression only")
    folders = [found[1] for found in _simulations.values() if not isinstance(found, Exception)]
    empty = empty_covers(folders)
    assert not empty, "never seen:\n  " + "\n  ".join(empty)
