"""What Verilator counted: points of ``coverage.dat``, added up over simulations of one model."""

from collections import Counter
from dataclasses import dataclass

__all__ = ["CoverageError", "Point", "merged", "points"]

_HEADER = "# SystemC::Coverage-3"


class CoverageError(RuntimeError):
    """A file is none of Verilator's, or does not fit the others. The message names it."""


@dataclass(frozen=True)
class Point:
    """A point of coverage.

    Attributes
    ----------
    kind : str
        ``line``, ``branch``, ``toggle`` or ``user``.
    line : int
        Of the Verilog, where it stands.
    what : str
        ``block``, ``if``, ``else``, ``elsif``, ``case``; of a toggle, the bit and the direction.
    lines : tuple of int
        Lines that are executed with it.
    count : int
    """

    kind: str
    line: int
    what: str
    lines: tuple
    count: int

    @property
    def of_a_branch(self):
        """Whether it is one of several ways that the code may take."""
        return self.kind == "branch" or self.kind == "line" and self.what != "block"


def merged(files):
    """Adds up ``files``; returns text of a point to count.

    Raises
    ------
    CoverageError
        A file is not whole, or of another model than the first one: it has other points.
    """
    total = Counter()
    for index, path in enumerate(files):
        found = {}
        with open(path) as file:
            if file.readline().rstrip() != _HEADER:
                raise CoverageError(f"{path} is no coverage of Verilator's")
            for line in file:
                key, _, count = line.rpartition(" ")
                if not (key and count.strip().isdecimal() and line.endswith("\n")):
                    raise CoverageError(f"{path} is not whole: {line!r}")
                found[key] = found.get(key, 0) + int(count)
        if index and found.keys() != total.keys():
            raise CoverageError(f"{path} has other points than {files[0]}: another model's")
        for key, count in found.items():
            total[key] += count
    return total


def _lines(text):
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def points(total):
    """The points of what :func:`merged` returned."""
    for key, count in total.items():
        fields = dict(field.split("\2", 1) for field in key[3:-1].split("\1") if field)
        yield Point(fields["t"], int(fields["l"]), fields["o"], tuple(_lines(fields.get("S", ""))),
                    count)
