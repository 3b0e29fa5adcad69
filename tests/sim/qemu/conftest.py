"""The library of the default configuration, and a machine around it."""

import pytest

from sim.verilated import build_library
from tests.regression import simulator

from .rig import Rig


@pytest.fixture(scope="session")
def library():
    """Path of the shared library."""
    return build_library(simulator.verilog())


@pytest.fixture
def rig(library):
    """Both functions without QEMU."""
    made = Rig(library)
    yield made
    made.close()
