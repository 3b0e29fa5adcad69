"""What requirements.lock pins can be installed on Debian 12, whose Python is 3.11.2."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
DEBIAN_12 = "3.11.2"
LOCKED = [Requirement(line.removesuffix(" \\"))
          for line in (ROOT / "requirements.lock").read_text().splitlines()
          if re.match(r"[\w.-]+(\[.*\])?==", line)]


@pytest.mark.parametrize("requirement", LOCKED, ids=lambda requirement: requirement.name)
def test_the_oldest_python_takes_it(requirement):
    found = importlib.metadata.distribution(requirement.name)
    assert found.version in requirement.specifier, "make verilog installs what the lock says"
    assert DEBIAN_12 in SpecifierSet(found.metadata["Requires-Python"] or ""), \
        f"{requirement} needs Python {found.metadata['Requires-Python']}"


def test_there_is_something_in_it():
    assert len(LOCKED) > 40
