"""``make soak TRANSLATIONS=1000000``: random worlds with fresh seeds, until that many translations
of a page were compared with the golden model, over the regression's configurations.
"""

import argparse
import json
import sys
from collections import deque

from sim.arguments import at_least
from siommu.generate.files import command, write_whole

from ..regression import simulator
from .worlds import Pool, Tally, fresh_seeds, run_worlds

__all__ = ["main"]

CONFIGS = ("default", "large", "small", "edge")
BATCH = 8       #: worlds of one simulation
FOLDER = simulator.BUILD / "soak"


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak",
                                     description="Random worlds, for long.")
    parser.add_argument("--translations", type=at_least(1), default=1_000_000, metavar="N",
                        help="translations of a page to compare (1000000)")
    parser.add_argument("--jobs", type=int, default=2, choices=range(1, len(CONFIGS) + 1),
                        metavar="N", help="simulations at a time (2)")
    options = parser.parse_args(arguments)
    pool, totals = Pool(options.jobs), {config: Tally() for config in CONFIGS}
    idle, seeds = deque(CONFIGS), {config: [] for config in CONFIGS}

    def pages():
        return sum(tally.pages for tally in totals.values())

    def jobs():
        while pages() < options.translations:
            config, chosen = idle.popleft(), fresh_seeds(BATCH)
            seeds[config] += chosen
            yield lambda config=config, chosen=chosen: (config, run_worlds(config, chosen, "soak"))

    for config, tally in pool.run(jobs()):
        totals[config] += tally
        idle.append(config)
        pool.say(f"{config}: {tally.pages:,} translations, {tally.grants:,} grants; in all "
                 f"{pages():,} of {options.translations:,}")
        for failure in tally.failures:
            pool.say(f"FAILED: {failure}")
        if not tally.worlds:
            break                               # nothing runs at all
    total = Tally()
    for tally in totals.values():
        total += tally
    write_whole(FOLDER / "soak.json", json.dumps({
        "total": vars(total), "configs": {config: vars(tally) for config, tally in totals.items()},
        "seeds": seeds, "seconds": pool.seconds}, indent=1) + "\n")
    print()
    for config, tally in totals.items():
        print(f"siommu: {config}: {tally}")
    print(f"siommu: soak: {total}")
    for failure in total.failures:
        print(f"siommu: FAILED: {failure}", file=sys.stderr)
    return int(bool(total.failures) or total.pages < options.translations)


if __name__ == "__main__":
    sys.exit(main())
