"""Results of runs that take hours, kept so that a run goes on where it was broken off."""

import json
from pathlib import Path

from sim.folders import digest
from siommu.generate.files import write_whole

__all__ = ["REGRESSION", "Kept", "digest_of_tests"]

ROOT = Path(__file__).resolve().parents[2]
#: What a run of the whole regression rests on: its tests, the golden model and the emulations.
REGRESSION = ("tests/regression", "sim")
#: What a file of tests compares with, besides what it says itself.
RECORDED = {"tests/regression/pace.py": "tests/regression/recorded"}


def digest_of_tests(paths):
    """A digest of these files, with their records, and of the sources and records in these
    folders."""
    found, paths = [], list(paths)
    paths += [RECORDED[each] for each in paths if each in RECORDED]
    for path in (ROOT / each for each in paths):
        found += [each for each in sorted(path.rglob("*"))
                  if each.suffix in (".py", ".cpp", ".json")] if path.is_dir() else [path]
    return digest(*(path.read_bytes() for path in found))


class Kept:
    """Results, dictionaries, by name.

    A result holds while what was tested is the same, and the tests that it rests on are: where a
    test noticed a fault, its own file; where none did, all that were run.

    Parameters
    ----------
    folder : Path
        One file for each result.
    before : dict
        Results that came with the tree, by name.
    rests : callable
        Result to the digest of the tests that it rests on.
    """

    def __init__(self, folder, before, rests):
        self._folder, self._before, self._rests = folder, before, rests

    def _path(self, name, inputs):
        return self._folder / f"{digest(name, inputs)}.json"

    def result(self, name, inputs):
        """The result of ``name``, or None. ``inputs``: a text that says what was tested."""
        path = self._path(name, inputs)
        found = json.loads(path.read_text()) if path.exists() else self._before.get(name)
        if found and found["inputs"] == inputs and found["tests"] == self._rests(found):
            return found
        return None

    def keep(self, name, inputs, result):
        """Keeps a result, and returns it with what it rests on."""
        found = {**result, "inputs": inputs, "tests": self._rests(result)}
        write_whole(self._path(name, inputs), json.dumps(found) + "\n")
        return found
