"""A second simulator, which knows unknown values: a part of the regression under Icarus Verilog.

Signals that nobody drives yet are unknown there, and so is what comes of them; blocks wait for a
change of what they read. ``SIM=icarus make test`` takes all of the regression there, in hours.
"""

import shutil

import pytest

from . import simulator

#: Module, configuration, tests: commands and counters; every cause with the contracts between
#: modules as assertions.
PARTS = (("counting", "small", ("known_events", "words_of_a_counter")),
         ("causes", "edge", ("dispositions",)))


@pytest.mark.parametrize("module, config, tests", PARTS)
def test_icarus(module, config, tests, monkeypatch):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is missing: sudo apt-get install iverilog")
    monkeypatch.setenv("SIM", "icarus")
    results, folder = simulator.run(f"tests.regression.{module}", list(tests), config,
                                    label=f"icarus-{module}")
    failed = {name: text for name, text in results.items() if text is not None}
    assert not failed, f"{failed}; the log is {folder / 'simulation.log'}"
