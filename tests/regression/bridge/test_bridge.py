"""Runs the cocotb tests of the bridge under pytest, one simulation per module and configuration.

``SEED=n`` and ``SEEDS=n`` as in ``test_regression.py``; ``SIOMMU_BRIDGE_VERILOG=file`` takes that
file as the configuration ``default``.
"""

import pytest

from .. import simulator
from ..collected import Simulations, items
from . import system


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
PACKAGE = __package__


def _run(module, config, names):
    name = module.removeprefix(f"{PACKAGE}.")
    files, top = sources(name, config)
    return simulator.run(module, names, config, label=f"bridge-{name}", sources=files, top=top)


_simulations = Simulations(_run)


def _items():
    return items(PACKAGE, MODULES)


@pytest.mark.parametrize("module, config, test", list(_items()))
def test_bridge(module, config, test, request):
    _simulations.check(request, module, config, test)
