"""The demo on the RTL passes, and its tables say what they must."""

import pytest

from .run import run


@pytest.fixture(scope="module")
def output():
    return run()


def test_every_file_equals_its_original(output):
    rows = [line.split() for line in output.splitlines() if line.strip().startswith("/")]
    assert len([row for row in rows if row[-1] == "ok"]) == 7


@pytest.mark.parametrize("attempt, cause, disposition", [
    ("another process's file", "NOT_PRESENT", "DENY"),
    ("overwriting another process's file", "NOT_PRESENT", "DENY"),
    ("a write to a file opened for reading", "WRITE_DENIED", "DENY"),
    ("past the end of the file", "NOT_PRESENT", "DENY"),
    ("into a hole", "NOT_PRESENT", "OS"),
    ("after close", "NOT_PRESENT", "DENY"),
    ("a foreign device", "DEVICE_MISMATCH", "DENY"),
    ("a buffer that is not mapped", "NOT_PRESENT", "DENY"),
    ("a buffer that is mapped on demand", "NOT_PRESENT", "REMAP"),
])
def test_refused(output, attempt, cause, disposition):
    line = next(line for line in output.splitlines() if line.strip().startswith(attempt))
    assert cause in line.split() and disposition in line.split()


def test_every_refusal_is_in_the_fault_log(output):
    log = output[output.index("The fault log"):output.index("Cycles per 4 KiB")]
    for words in ("write   blocks", "DEVICE_MISMATCH", "REMAP", "WRITE_DENIED", "mapped",
                  "left to the kernel"):
        assert words in log


def test_the_counters_of_each_phase(output):
    table = output[output.index("The core in each phase"):].splitlines()[3:7]
    rows = {line.split()[0]: line.split()[1:] for line in table}
    assert list(rows) == ["reading", "writing", "misuse", "measure"]
    assert all(int(cells[1]) and int(cells[13]) for cells in rows.values())     # requests, fences
