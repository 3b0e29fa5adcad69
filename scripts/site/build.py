"""Makes the site: stages its sources and runs Sphinx, for which every warning is an error."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from sim.folders import replaced
from siommu.generate.files import command

from .stage import ROOT, stage

__all__ = ["SiteError", "build", "main"]

SITE = ROOT / "build" / "site"
HERE = Path(__file__).resolve().parent


class SiteError(RuntimeError):
    """Sphinx found fault with the pages, and has said so."""


def build(folder=SITE):
    """Writes the site into ``folder``; returns its first page.

    Raises
    ------
    SiteError, ValueError
        A page is wrong, or missing.
    WriteError
        The folder cannot be written.
    """
    with replaced(folder) as scratch:
        stage(scratch / "source")
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-c", HERE,
             "-d", scratch / "doctrees", scratch / "source", scratch / "html"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "hdl"), str(ROOT)])},
            check=False)
        if done.returncode:
            raise SiteError("Sphinx found fault with the pages; its words are above")
    return folder / "html" / "index.html"


@command
def main():
    """Returns the exit status."""
    argparse.ArgumentParser(prog="python -m scripts.site",
                            description="Write the documentation site.").parse_args()
    print("siommu: writing the documentation site (a minute)", flush=True)
    try:
        first = build()
    except (SiteError, ValueError) as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    print(f"siommu: wrote {first.relative_to(ROOT)}")
    return 0
