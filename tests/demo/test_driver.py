"""The driver on the RTL."""

import pytest

from ..regression import simulator

NAMES = ["fences", "errors", "debug_and_prefetch", "fault_records", "stuck_device"]


@pytest.fixture(scope="module")
def results():
    return simulator.run("tests.demo.driver", NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_driver(results, name):
    found, folder = results
    assert found[name] is None, f"{found[name]}; the log is {folder / 'simulation.log'}"
