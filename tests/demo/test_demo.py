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
