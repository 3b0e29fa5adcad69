"""The commit that a report is about."""

import subprocess
from pathlib import Path

__all__ = ["commit"]


def commit():
    """The commit of this tree, with a mark if it was changed; nothing, if it is no checkout."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], text=True,
                          cwd=Path(__file__).resolve().parents[2], capture_output=True, check=False)
    return done.stdout.strip()
