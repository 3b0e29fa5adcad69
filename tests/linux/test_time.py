"""The guest's time as the SSD's: what a read costs, and that every run is the same. Skipped where
QEMU or the kernel is missing; `make test-linux` brings them.
"""

import pytest

from sim.verilated import build_library
from tests.bench import linux
from tests.regression import simulator

from .booted import ext4, needs_packages

DEPTHS = (1, 16)


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    needs_packages()
    library = build_library(simulator.verilog())
    image = ext4(tmp_path_factory.mktemp("time"), {"pages": linux.content(256)})
    return lambda latency: linux.reads(library, bytearray(image), latency, 300, DEPTHS)


@pytest.fixture(scope="module")
def timed(measure):
    return measure(linux.SSD)


def test_every_run_is_the_same(measure, timed):
    assert measure(linux.SSD) == timed


def test_the_ssd_takes_its_time(timed):
    alone = 5 * (60 + 640 + 100)                            # cycles of 5 ns
    assert alone < timed["direct", 1] < alone + 1000 and timed["kernel", 1] > alone + 5000
    assert timed["direct", 16] > 5 * 100                    # the link


def test_an_ssd_of_no_time_leaves_instructions(measure, timed):
    found = measure(linux.NONE)
    for depth in DEPTHS:
        assert 300 < found["direct", depth] < 1000
        assert found["kernel", depth] > 5 * found["direct", depth]
    assert abs(timed["direct", 1] - found["direct", 1] - 4000) < 500
