"""``make fpga``: from a board's name to its bitstream, with Yosys, nextpnr and ecppack from PyPI.

``python -m fpga.image.build --board ulx3s --preset small``. What was made from the same things
before is not made again; the folder of the results is complete or absent.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

from fpga import flow, paths
from fpga.report import table
from sim.folders import replaced
from siommu.arch.config import PRESETS, ConfigError
from siommu.generate.files import WriteError, command, write_whole

from .boards import BOARDS, Top, pll
from .config import ImageConfig

__all__ = ["main", "sources", "summary"]

_SOURCE = re.compile(r"^ *attribute \\src .*\n", re.M)
BUILD = Path(__file__).resolve().parents[2] / "build" / "fpga"
#: What nextpnr counts, by its names, and what we call it.
CELLS = {"TRELLIS_COMB": "LUTs of all kinds", "TRELLIS_FF": "flip-flops",
         "DP16KD": "block RAMs (18 Kbit)", "EHXPLLL": "PLLs", "TRELLIS_IO": "pins"}


def sources(board, setting, config):
    """RTLIL and pin constraints of an image for a ``Board``: texts by file name. They do not depend
    on where the sources are, nor on their lines, so that what was made is found again."""
    plan = board.platform().prepare(Top(board, setting, config), name="top")
    texts = {name: content if isinstance(content, str) else content.decode()
             for name, content in plan.files.items() if name in ("top.il", "top.lpf")}
    return {name: _SOURCE.sub("", text) for name, text in texts.items()}


def _make(board, setting, config, options):
    """Runs the tools; nextpnr's report and the bitstream."""
    texts = sources(board, setting, config)
    _say("synthesising")
    netlist = flow.synthesise("top.il", texts["top.il"])
    _say("placing and routing (many minutes)")
    routed = flow.route(netlist, texts["top.lpf"], board.place, setting.khz / 1000, options.seed)
    report = json.loads((routed / "report.json").read_text())
    _say("packing the bitstream")
    return report, flow.pack(routed / "top.config").read_bytes()


def _say(text):
    print(f"siommu: {text}", file=sys.stderr, flush=True)


def summary(report, setting, khz_in):
    """The utilisation table and the frequency, as lines of text; and whether the clock closes."""
    used = report["utilization"]
    rows = [(label, used[cell]["used"], used[cell]["available"],
             f"{100 * used[cell]['used'] / used[cell]['available']:.0f} %")
            for cell, label in CELLS.items() if cell in used]
    reached, wanted = paths.fmax(report), setting.khz / 1000
    closes = reached >= wanted
    return [*table(("cells", "used", "of", "share"), rows), "",
            f"clock: {wanted:g} MHz from {khz_in / 1000:g} MHz (PLL: divide by {setting.divide}, "
            f"multiply by {setting.multiply}, VCO {wanted * setting.out:g} MHz)",
            f"routed Fmax: {reached:.1f} MHz, "
            + ("above the clock" if closes else "below the clock: this image must not be used")], \
        closes


@command
def main(arguments=None):
    """The command line; returns the exit status: 1 if a tool fails or the clock does not close."""
    parser = argparse.ArgumentParser(prog="python -m fpga.image.build",
                                     description="Make the bitstream of a board.")
    parser.add_argument("--board", choices=BOARDS, default="ulx3s")
    parser.add_argument("--preset", choices=PRESETS, default="small",
                        help="the core's configuration (small)")
    parser.add_argument("--mhz", type=float, help="the image's clock (each board has its own)")
    parser.add_argument("--baud", type=int, default=115_200, help="of the UART (115200)")
    parser.add_argument("--seed", type=int, default=1, help="of the placement (1)")
    options = parser.parse_args(arguments)
    board, begin = BOARDS[options.board], time.monotonic()
    try:
        setting = pll(board.khz_in, int(1000 * options.mhz) if options.mhz else board.khz)
        config = ImageConfig(PRESETS[options.preset], setting.khz, options.baud, board.log2)
        report, bitstream = _make(board, setting, config, options)
    except (ConfigError, flow.FlowError, WriteError) as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    lines, closes = summary(report, setting, board.khz_in)
    head = f"# {options.board}, preset `{options.preset}`, {options.baud} baud, seed {options.seed}"
    folder = BUILD / f"{options.board}-{options.preset}"
    with replaced(folder) as scratch:
        if closes:
            write_whole(scratch / "image.bit", bitstream)
        write_whole(scratch / "report.json", json.dumps(report))
        write_whole(scratch / "report.md", "\n".join([head, "", *lines]) + "\n")
    print("\n".join(lines))
    if not closes:
        _say(f"the clock does not close; try --mhz {int(paths.fmax(report) * .95)}")
        return 1
    _say(f"{folder / 'image.bit'} ({len(bitstream)} bytes) in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
