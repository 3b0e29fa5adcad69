"""The files and documents of the repository, and the names that documents may use."""

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DOCUMENTS", "ROOT", "Place", "code", "files", "functions", "prose", "table", "texts_of",
           "words"]

ROOT = Path(__file__).resolve().parents[2]

#: Where the project's own files are; beside them there are only a build and an environment.
_FOLDERS = ("docs", "fpga", "hdl", "linux", "scripts", "sim", "tests")

DOCUMENTS = ("README.md", "fpga/README.md",
             *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))


def files(*patterns):
    """Names of the project's files that match one of ``patterns``, in whatever folder."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    found |= {path for folder in _FOLDERS for pattern in patterns
              for path in (ROOT / folder).rglob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts)


def texts_of(*patterns):
    """Their texts, by name."""
    return {name: (ROOT / name).read_text() for name in files(*patterns) if (ROOT / name).is_file()}


@dataclass(frozen=True)
class Place:
    """Something that a document says, and where."""

    document: str
    line: int
    text: str

    def __str__(self):
        return f"{self.document}:{self.line}"


def _lines(document):
    """(number, line, whether it is in a block of code)."""
    inside = False
    for number, line in enumerate((ROOT / document).read_text().splitlines(), 1):
        if line.lstrip("> ").startswith("```"):
            inside = not inside
        else:
            yield number, line, inside


def code(document, blocks=False):
    """What stands in backticks in one line; with ``blocks``, lines of blocks of code as well."""
    for number, line, inside in _lines(document):
        for text in [line] * blocks if inside else re.findall(r"`([^`]+)`", line):
            yield Place(document, number, text)


def prose(document):
    """Every line that is in no block of code."""
    return [Place(document, number, line)
            for number, line, inside in _lines(document) if not inside]


def table(document, *head):
    """The rows of all tables of a document whose first columns have the titles ``head``: the place
    of each, and its cells."""
    rows, inside = [], False
    for place in prose(document):
        cells = [cell.strip() for cell in place.text.strip().strip("|").split("|")]
        if not place.text.startswith("|"):
            inside = False
        elif tuple(cells[:len(head)]) == head:
            inside = True
        elif inside and not set(place.text) <= set("|-: "):
            rows.append((place, cells))
    assert rows, f"{document} has no table that begins with {', '.join(head)}"
    return rows


@functools.cache
def functions():
    """The functions of each Python file: a set of names, by file."""
    return {name: {node.name for node in ast.walk(ast.parse(text))
                   if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
            for name, text in texts_of("*.py").items()}


@functools.cache
def words(folder=""):
    """Every word of the sources, or of those in a folder. (Those of these tests are none: they name
    what does not exist.)"""
    sources = texts_of("*.py", "*.rdl", "*.h", "*.c", "*.in", "*.v", "*.vlt", "*.sh", "*.toml",
                       "Makefile")
    return {word for name, text in sources.items()
            if name.startswith(folder) and not name.startswith("tests/docs/")
            for word in re.findall(r"\w+", text)}
