"""The files of the repository, for the tests of the documents."""

from pathlib import Path

__all__ = ["DOCUMENTS", "FOLDERS", "ROOT", "files", "texts_of"]

ROOT = Path(__file__).resolve().parents[2]

#: Where the project's own files are; beside them there are only a build and an environment.
FOLDERS = ("docs", "fpga", "hdl", "scripts", "sim", "tests")

DOCUMENTS = ("README.md", "fpga/README.md",
             *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))


def files(*patterns):
    """The files of the project that match one of ``patterns``, in whatever folder."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    found |= {path for folder in FOLDERS for pattern in patterns
              for path in (ROOT / folder).rglob(pattern)}
    return sorted(path for path in found if "__pycache__" not in path.parts)


def texts_of(*patterns):
    """Their texts, by name."""
    return {str(path.relative_to(ROOT)): path.read_text() for path in files(*patterns)}
