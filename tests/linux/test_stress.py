"""A short stress, and that it notices what it is there for: a core whose walks survive an
invalidation, and modules that forget to take rights away. `make stress-linux` is the long one.
Skipped where QEMU or the kernel is missing; `make test-linux` brings them.
"""

import os
import random

import pytest

from . import stress
from .booted import needs_packages

SEED = int(os.environ.get("SEED") or random.randrange(1 << 31))


def test_nothing_is_seen_that_must_not_be(capsys):
    needs_packages()
    with capsys.disabled():
        assert stress.run(.25, SEED) == 0


@pytest.mark.parametrize("fault", ["no-notifier", "no-drain", "walks-survive-invalidation"])
def test_a_fault_is_noticed(fault, capsys):
    needs_packages()
    assert stress.run(6, SEED, fault) == 0      # it ends when it is noticed
    assert f"{fault} was noticed" in capsys.readouterr().out


@pytest.mark.parametrize("fault", stress.MODULE_FAULTS)
def test_the_faults_fit_the_module(fault, tmp_path):
    folder = stress.mutated_module(fault, tmp_path)
    file, text, _ = stress.MODULE_FAULTS[fault]
    assert text not in (folder / file).read_text()
