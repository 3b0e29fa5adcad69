"""The accounts of a run are complete, however many processes ran its simulations."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .coverage import COVERS
from .outcome import Outcome
from .seeds import SeedError, choose_seeds

TESTS = Path(__file__).resolve().parents[1]

#: In place of the real module: two simulations of two tests each, which write what theirs would.
STUB = '''
import json, os
from pathlib import Path
import pytest

MODULES = {"one": ("default",), "two": ("default",)}
FOLDER = Path(os.environ["STUB_FOLDER"])
PAIRS = [(f"tests.regression.{name}", "default", test) for name in MODULES for test in "ab"]
_simulations = {}

def ran():
    return [(module, config, str(folder)) for (module, config), folder in _simulations.items()]

def is_whole(items):
    return sum(item.name.startswith("test_regression[") for item in items) == len(PAIRS)

@pytest.mark.parametrize("module, config, test", PAIRS)
def test_regression(module, config, test):
    if (module, config) not in _simulations:
        folder = FOLDER / module.rpartition(".")[2]
        (folder / f"made-by-{os.getpid()}").touch()
        (FOLDER / f"seeds {os.environ['SIOMMU_SEEDS']}").touch()
        _simulations[module, config] = folder
'''


def folder_of(path, covers, figure):
    """A folder as a simulation leaves it."""
    path.mkdir()
    (path / "covers.json").write_text(json.dumps(dict.fromkeys(covers, 1)))
    (path / "simulation.log").write_text(f"a: figure: {figure} cycles\na: other\n")
    return str(path)


def test_covers_of_all_simulations_count(tmp_path):
    first = folder_of(tmp_path / "first", COVERS[:10], 5)
    second = folder_of(tmp_path / "second", COVERS[10:-1], 9)
    wanted = {("m", "small"), ("n", "large")}
    outcome = Outcome()
    outcome.add([("n", "large", second)], True)
    assert outcome.never_seen(wanted) is None           # not all of them ran
    outcome.add([["m", "small", first]], True)
    assert outcome.never_seen(wanted) == [COVERS[-1]]
    assert outcome.figures() == ["small: 5 cycles", "large: 9 cycles"]
    part = Outcome()
    part.add(outcome.simulations, False)
    assert part.never_seen(wanted) is None              # not all tests ran
    broken = Outcome()
    broken.add([("m", "small", None), ("n", "large", second)], True)
    assert broken.never_seen(wanted) == [*COVERS[:10], COVERS[-1]]


@pytest.mark.parametrize("environment, seeds", [
    ({}, r"0 1 2"), ({"SEED": "7"}, "7"), ({"SEEDS": "3"}, r"0 \d+ \d+"),
    ({"SIOMMU_SEEDS": "4 5", "SEED": "7"}, "4 5")])
def test_seeds(monkeypatch, environment, seeds):
    for name in ("SEED", "SEEDS", "SIOMMU_SEEDS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    chosen = choose_seeds()
    assert re.fullmatch(seeds, chosen) and choose_seeds() == chosen == os.environ["SIOMMU_SEEDS"]


@pytest.mark.parametrize("name, text", [("SEED", "abc"), ("SEED", "-1"), ("SEEDS", "0")])
def test_seeds_that_are_none(monkeypatch, name, text):
    for each in ("SEED", "SEEDS", "SIOMMU_SEEDS"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, text)
    with pytest.raises(SeedError, match=f"{name}={text} is no number of"):
        choose_seeds()


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("missing, chosen, status", [
    (0, [], 0), (1, [], 1), (1, ["-k", "one"], 0)], ids=["all", "one cover less", "a part"])
def test_a_run(tmp_path, processes, missing, chosen, status):
    """The real hooks around stubs of the simulations."""
    package = tmp_path / "tests" / "regression"
    package.mkdir(parents=True)
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests")
    for name in ("coverage.py", "outcome.py", "seeds.py"):
        shutil.copy(TESTS / "regression" / name, package)
    for folder in (tmp_path / "tests", package):
        (folder / "__init__.py").touch()
    (package / "test_regression.py").write_text(STUB)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ntestpaths = ["tests"]\npythonpath = ["."]\n'
        'markers = ["slow: takes long"]\naddopts = "--import-mode=importlib --strict-markers"\n')
    for name, covers in (("one", COVERS[:10]), ("two", COVERS[10:len(COVERS) - missing])):
        folder_of(tmp_path / name, covers, name)
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("PYTEST", "SEED", "SIOMMU"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", str(processes), "--dist",
         "loadscope", "--no-header", *chosen], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={**environment, "STUB_FOLDER": str(tmp_path), "SEEDS": "2",
                          "PYTHONPATH": str(TESTS.parent / "hdl")})
    assert done.returncode == status, done.stdout + done.stderr
    assert len(list(tmp_path.glob("seeds 0 *"))) == 1      # by chance, and the same everywhere
    assert ("the whole regression never saw" in done.stdout) == bool(status)
    assert ("covers of the regression were seen" in done.stdout) == (not missing)
    assert not status or f"\n{COVERS[-1]}\n" in done.stdout
    assert "default: one cycles" in done.stdout
    assert ("default: two cycles" in done.stdout) == (not chosen)
    # The tests of a simulation stay in one process.
    for name in ("one", "two") if not chosen else ("one",):
        assert len(list((tmp_path / name).glob("made-by-*"))) == 1
