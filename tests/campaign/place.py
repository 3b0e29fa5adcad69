"""A job of a campaign: one configuration, placed and routed with one seed at speed grade 8."""

import argparse
import sys

from fpga import flow, paths
from fpga.synth import FREQ, variants
from siommu.generate.files import command

__all__ = ["main"]

SPEED = 8


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.place", description=__doc__)
    parser.add_argument("config", choices=variants())
    parser.add_argument("seed", type=int)
    options = parser.parse_args(arguments)
    report = flow.place(flow.netlist(variants()[options.config]), SPEED, options.seed, FREQ[SPEED],
                        "router1")
    print(f"siommu: {options.config}, seed {options.seed}: {paths.fmax(report):.1f} MHz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
