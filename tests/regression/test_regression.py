"""Runs the cocotb tests under pytest: one item per cocotb test, one simulation per module.

Environment: ``SEED=n`` runs that random world alone; ``SEEDS=n`` runs seed 0 and n - 1 fresh
seeds; ``SAMPLE=n`` takes another sample of configurations for them (``make matrix`` runs on all);
``SIM=icarus``, ``FORM=name``, ``SIOMMU_VERILOG=file`` and ``SIOMMU_COVERAGE=1`` as in
``simulator.py``.
"""

import os

import pytest

from tests.bench import matrix

from . import forms, simulator
from .collected import Simulations, items

#: Of all combinations of widths, caches, walks and ports, that which this run looks at; usually one
#: with the widest bus, which no preset has.
SAMPLE = matrix.sample(1, int(os.environ.get("SAMPLE", 11)))

#: Module of cocotb tests, and the configurations it runs on.
MODULES = {
    "registers": ("default", "small"),
    "causes": ("default", "edge"),
    "riscv": ("default", "edge"),
    "runs": ("default",),
    "caching": ("default", "edge"),
    "capacity": ("default", "edge"),
    "pace": ("default", "edge", "small"),
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
if forms.form() != "exported":      # the others are looked at on the smallest that has it all
    MODULES = dict.fromkeys(MODULES, (forms.CONFIG,))
if simulator.measures():            # lines are those of one Verilog, which has every part
    MODULES = dict.fromkeys(MODULES, ("default",))

_simulations = Simulations(lambda module, config, names: simulator.run(module, names, config))


def _items():
    return items("tests.regression", MODULES)


def ran():
    """The simulations of this process: (module, configuration, folder or None if it broke)."""
    return [(module, config, None if isinstance(found, Exception) else str(found[1]))
            for (module, config), found in _simulations.found.items()]


def is_whole(items):
    """Whether ``items`` hold the whole regression with all seeds, so that its covers count."""
    chosen = sum(item.name.startswith("test_regression[") for item in items)
    return chosen == len(list(_items())) and not os.environ.get("SEED") \
        and forms.form() == "exported"


@pytest.mark.parametrize("module, config, test", list(_items()))
def test_regression(module, config, test, request):
    _simulations.check(request, module, config, test, f"; `make waves TEST={test}` leaves waves")
