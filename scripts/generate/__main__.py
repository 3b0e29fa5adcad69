"""``python -m scripts.generate [FOLDER]``: writes the generated files (by default in place)."""

import argparse
from pathlib import Path

from . import ROOT, generate

parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__)
parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
for written in generate(parser.parse_args().folder):
    print(f"siommu: wrote {written}")
