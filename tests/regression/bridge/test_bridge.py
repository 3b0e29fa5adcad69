"""Runs the cocotb tests of the bridge under pytest, one simulation per module and configuration.

``SEED=n`` and ``SEEDS=n`` as in ``test_regression.py``; ``SIOMMU_BRIDGE_VERILOG=file`` takes that
file as the configuration ``default``.
"""

import importlib
import sys

import pytest

from .. import simulator
from ..outcome import choose_seeds
from ..test_regression import cocotb_tests
from . import system

choose_seeds()


def sources(module, config):
    """What the tests of ``module`` simulate: Verilog files, and the uppermost module."""
    if module == "tables":
        return system.sources(config), system.TOP
    if module == "copying":
        return [simulator.verilog(config), simulator.bridge_verilog(),
                simulator.ROOT / "docs" / "example_dma.v"], "example_dma"
    return [simulator.bridge_verilog(config)], "siommu_axi_bridge"


#: Module of cocotb tests, and the configurations it runs on: of the bridge or, with the core behind
#: it, of the core.
MODULES = {"traffic": ("default", "single", "wide", "odd"),
           "tables": ("small+device_ports=2",), "copying": ("default",)}
_simulations = {}


def _items():
    for name, configs in MODULES.items():
        module = importlib.import_module(f"tests.regression.bridge.{name}")
        for config in configs:
            for test in cocotb_tests(module):
                yield pytest.param(name, config, test, id=f"{name}-{config}-{test}")


def _simulate(name, config, names, capture):
    if (name, config) not in _simulations:
        with capture.global_and_fixture_disabled():     # say what is being done meanwhile
            print(f"\nsiommu: bridge, {name} on '{config}': {len(names)} tests", file=sys.stderr,
                  flush=True)
            try:
                files, top = sources(name, config)
                _simulations[name, config] = simulator.run(
                    f"tests.regression.bridge.{name}", names, config, label=f"bridge-{name}",
                    sources=files, top=top)
            except simulator.SimulationError as error:
                _simulations[name, config] = error
    found = _simulations[name, config]
    if isinstance(found, Exception):
        pytest.fail(str(found), pytrace=False)
    return found


@pytest.mark.parametrize("module, config, test", list(_items()))
def test_bridge(module, config, test, request):
    names = [item.callspec.params["test"] for item in request.session.items
             if item.name.startswith("test_bridge[")
             and item.callspec.params["module"] == module
             and item.callspec.params["config"] == config]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    results, folder = _simulate(module, config, names, capture)
    for line in (folder / "simulation.log").read_text().splitlines():
        if line.startswith(f"{test}: "):
            print(line)
    if results[test] is not None:
        pytest.fail(f"{results[test]}\nThe log is {folder / 'simulation.log'}", pytrace=False)
