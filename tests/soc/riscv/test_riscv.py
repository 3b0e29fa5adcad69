"""The firmware finds everything right, line by line; and it notices what is not."""

import difflib
import shutil
from pathlib import Path

import pytest

from ...mutations import mutated_tree, verilog_of
from . import firmware, model, run
from .build import COMPILER

pytestmark = pytest.mark.skipif(
    not shutil.which(COMPILER),
    reason=f"{COMPILER} is missing: sudo apt-get install gcc-riscv64-unknown-elf")

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = Path(__file__).with_name("expected.txt").read_text().splitlines()


def played(program, folder):
    """The status of the firmware, and its lines."""
    done = run(program, folder, capture_output=True)
    return done.returncode, done.stdout.splitlines()


def wrong_lines(lines):
    """What stands in the lines that the firmware calls wrong, without the verdict."""
    return [line.removesuffix("WRONG").strip() for line in lines if line.endswith("WRONG")]


@pytest.fixture(scope="module")
def system():
    return model()


def test_every_line(system):
    status, lines = played(system, firmware())
    assert lines == EXPECTED, "\n".join(difflib.unified_diff(EXPECTED, lines, lineterm="", n=1))
    assert status == 0 and lines[-1].startswith("PASS")


def test_the_guide_shows_it():
    """What docs/programming.md quotes is what the firmware says."""
    block = (ROOT / "docs/programming.md").read_text().partition("$ make soc\n")[2]
    quoted = [line for line in block.partition("```")[0].splitlines() if line != "..."]
    assert len(quoted) > 10
    rest = iter(EXPECTED)
    assert all(line in rest for line in quoted), "in this order"


#: Planted mistake, and the beginning of a line that then is wrong.
PLANTED = {
    "NO_INVALIDATION": "nothing was refused; 256 bytes were moved",
    "NO_FENCE": "nothing was refused; 256 bytes were moved",
    "NO_PROTECTION": "write 0000001000000000: ",
    "NO_TABLE_FORMAT": "read  0000001000000123: ",
}


def notices(program, folder, line):
    """Whether the firmware ends with a complaint, and has called a line wrong that begins so."""
    status, lines = played(program, folder)
    return status == 1 and lines[-1].startswith("FAIL") and any(
        wrong.startswith(line) for wrong in wrong_lines(lines))


@pytest.mark.parametrize("planted", PLANTED)
def test_a_mistake_of_the_firmware_is_noticed(system, planted):
    assert notices(system, firmware(planted), PLANTED[planted])


#: Planted fault of tests/mutations.py, and the same.
FAULTS = {"invalidation-keeps-tlb": "nothing was refused; 256 bytes were moved"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_core_is_noticed(tmp_path, fault):
    core = verilog_of(mutated_tree(fault, tmp_path), tmp_path / "siommu.v",
                      "generate", "--preset", "small", "--riscv-tables")
    assert notices(model(core), firmware(), FAULTS[fault])
