"""The library of the default configuration, built once."""

import pytest

from sim.verilated import build_library
from tests.regression import simulator


@pytest.fixture(scope="session")
def library():
    """Path of the shared library."""
    return build_library(simulator.verilog())
