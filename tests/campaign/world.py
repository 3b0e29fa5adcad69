"""A job of a campaign: random worlds with given seeds on one configuration."""

import argparse
import shutil
import sys

from siommu.generate.files import command

from ..bench.worlds import run_worlds
from ..regression import simulator

__all__ = ["main"]


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.world", description=__doc__)
    parser.add_argument("--once", action="store_true",
                        help="no other job is on this configuration: remove its model afterwards")
    parser.add_argument("config")
    parser.add_argument("seeds", nargs="+", type=int)
    options = parser.parse_args(arguments)
    tally = run_worlds(options.config, options.seeds, "campaign")
    print(f"siommu: {options.config}: {tally}")
    for failure in tally.failures:
        print(f"siommu: FAILED: {failure}")
    if options.once and not tally.failures:
        shutil.rmtree(simulator.build(simulator.verilog(options.config)), ignore_errors=True)
    return int(bool(tally.failures))


if __name__ == "__main__":
    sys.exit(main())
