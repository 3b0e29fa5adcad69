"""``make fpga``: from a board's name to its bitstream, with tools from PyPI; or to a project for
the tools of its vendor.

``python -m fpga.image.build --board ulx3s --preset small``. What was made from the same things
before is not made again; the folder of the results is complete or absent.
"""

import argparse
import re
import sys
import time
from pathlib import Path

from fpga.report import table
from fpga.tools import FlowError
from sim.arguments import at_least
from sim.folders import replaced
from siommu.arch.config import PRESETS
from siommu.generate.files import command, write_whole
from siommu.generate.names import source_names
from siommu.lib.contract import contracts

from .boards import BOARDS, Top
from .config import ImageConfig

__all__ = ["main", "sources", "summary"]

#: Where a part comes from: lines of RTLIL, and attributes of Verilog.
_SOURCE = re.compile(r"^ *attribute \\src .*\n|^ *\(\* src = .*\*\)\n", re.M)
BUILD = Path(__file__).resolve().parents[2] / "build" / "fpga"


def sources(board, setting, config):
    """What the tools of a ``Board`` need of its image: texts by file name. They do not depend on
    where the sources are, nor on their lines, so that what was made is found again."""
    with contracts(False), source_names():
        plan = board.platform().prepare(Top(board, setting, config), name="top")
    texts = {name: content if isinstance(content, str) else content.decode()
             for name, content in plan.files.items() if name in board.family.sources}
    return {name: _SOURCE.sub("", text) for name, text in texts.items()}


def _make(board, setting, config, options):
    """Runs the tools; what they ``Made``."""
    return board.family.make(sources(board, setting, config), board.device, setting.khz,
                             options.seed, _say)


def _say(text):
    print(f"siommu: {text}", file=sys.stderr, flush=True)


def summary(made, setting, khz_in):
    """The utilisation table and the frequency, as lines of text; and whether the clock closes, as
    far as anybody knows."""
    rows = [(label, used, of or "", f"{100 * used / of:.0f} %" if of else "")
            for label, used, of in made.used]
    wanted = setting.khz / 1000
    closes = made.mhz is None or made.mhz >= wanted
    routed = "not routed here" if made.mhz is None else f"routed Fmax: {made.mhz:.1f} MHz, " + (
        "above the clock" if closes else "below the clock: this image must not be used")
    return [*table(("cells", "used", "of", "share"), rows), "",
            f"clock: {wanted:g} MHz from {khz_in / 1000:g} MHz (PLL: divide by {setting.divide}, "
            f"multiply by {setting.multiply}, VCO {wanted * setting.out:g} MHz)", routed], closes


@command
def main(arguments=None):
    """The command line; returns the exit status: 1 if a tool fails or the clock does not close."""
    parser = argparse.ArgumentParser(prog="python -m fpga.image.build",
                                     description="Make the bitstream of a board.")
    parser.add_argument("--board", choices=BOARDS, default="ulx3s")
    parser.add_argument("--preset", choices=PRESETS, default="small",
                        help="the core's configuration (small)")
    parser.add_argument("--mhz", type=at_least(1, float),
                        help="the image's clock (each board has its own)")
    parser.add_argument("--baud", type=at_least(1), default=115_200, help="of the UART (115200)")
    parser.add_argument("--seed", type=at_least(0), default=1, help="of the placement (1)")
    options = parser.parse_args(arguments)
    board, begin = BOARDS[options.board], time.monotonic()
    try:
        setting = board.family.pll.setting(
            board.khz_in, int(1000 * options.mhz) if options.mhz else board.khz)
        config = ImageConfig(PRESETS[options.preset], setting.khz, options.baud, board.log2)
        made = _make(board, setting, config, options)
    except FlowError as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    lines, closes = summary(made, setting, board.khz_in)
    head = f"# {options.board}, preset `{options.preset}`, {options.baud} baud, seed {options.seed}"
    folder = BUILD / f"{options.board}-{options.preset}"
    with replaced(folder) as scratch:
        for name, content in made.files.items():
            if closes or not name.startswith("image."):
                write_whole(scratch / name, content)
        write_whole(scratch / "report.md", "\n".join([head, "", *lines]) + "\n")
    print("\n".join(lines))
    if not closes:
        _say(f"the clock does not close; try --mhz {int(made.mhz * .95)}")
        return 1
    _say(f"{folder} in {time.monotonic() - begin:.0f} s: {', '.join(made.files)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
