"""The lists in ``tests/conftest.py`` name what there is."""

from pathlib import Path

from tests.conftest import LONGEST, SLOW, group, is_slow, place
from tests.regression.test_regression import MODULES, SAMPLE

ROOT = Path(__file__).resolve().parents[2]


def test_names_exist():
    groups = {f"{name}-{config}" for name, configs in MODULES.items() for config in configs}
    for name in (*LONGEST, *SLOW):
        assert (ROOT / name).is_file() if "/" in name else \
            any(each.startswith(name) for each in groups), name


def test_groups():
    config = SAMPLE[0]
    simulation = f"tests/regression/test_regression.py::test_regression[random_worlds-{config}-w/1]"
    assert group(simulation) == f"random_worlds-{config}" and place(group(simulation)) == 0
    unit = "tests/hdl/tlb/test_first_level.py"
    assert group(f"{unit}::test_a[b-c]") == unit
    assert place("random_worlds-large") < place("causes-edge") < place("fuzz-edge") < place(unit)


def test_the_short_tour():
    assert not is_slow("random_worlds-default") and not is_slow("tests/c/test_header.py")
    assert is_slow("random_worlds-large") and is_slow("causes-default")
    assert is_slow("tests/hdl/test_core.py")
