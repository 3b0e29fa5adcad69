"""``python -m scripts.generate [FOLDER]``: writes the generated files (by default in place)."""

import argparse
import sys
from pathlib import Path

from siommu.generate.files import command

from . import ROOT, generate


@command
def main():
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
    for written in generate(parser.parse_args().folder):
        print(f"siommu: wrote {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
