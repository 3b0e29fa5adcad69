"""``make matrix``: random worlds on every combination of bus width, second-level TLB, walks, ports
and formats of tables. A configuration that passed is not run again until the Verilog changes, so
that a run that was broken off goes on.

``ARGS="--sample 6 --seed 1"`` runs a sample. ``sample`` gives its names, for the regression.
"""

import argparse
import itertools
import random
import shutil
import sys
from dataclasses import fields

from sim.arguments import at_least
from siommu.arch.config import Config, ConfigError
from siommu.generate.files import command, write_whole

from ..regression import simulator
from .worlds import Pool, Tally, run_worlds

__all__ = ["AXES", "combinations", "main", "sample"]

#: Parameter to its values. A small second level, so that its entries are replaced.
AXES = {name: values for name, values in {
    "axi_data_width": (64, 128, 256, 512), "l2_entries": (0, 256), "walks": (1, 2, 4, 8, 16),
    "device_ports": (1, 2, 3, 4, 5, 6, 7, 8), "cpu_port": (0, 1), "riscv_tables": (0, 1),
}.items() if name in {field.name for field in fields(Config)}}


def _name(values):
    return "default" + "".join(f"+{axis}={value}" for axis, value in zip(AXES, values))


def _allowed(name):
    try:
        return bool(simulator.CONFIGS[name])
    except ConfigError:
        return False


def combinations():
    """Names of all configurations of the matrix, as ``simulator.CONFIGS`` understands them."""
    return [name for name in map(_name, itertools.product(*AXES.values())) if _allowed(name)]


def sample(count, seed):
    """``count`` of the names, by chance, every value of a parameter as often as the others (or
    once less).

    The same seed gives the same names.
    """
    rng = random.Random(seed)
    columns = []
    for values in AXES.values():
        column = [*values] * (count // len(values)) + rng.sample(values, count % len(values))
        columns.append(rng.sample(column, count))
    return [name for name in map(_name, zip(*columns)) if _allowed(name)]


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.matrix",
        description="Random worlds on every combination of parameters.")
    parser.add_argument("--sample", type=at_least(1), metavar="N",
                        help="N of the combinations only")
    parser.add_argument("--seed", type=int, help="seed of the sample and of the worlds")
    parser.add_argument("--only", metavar="NAMES", help="these configurations, separated by "
                        "commas: presets, `edge`, or e.g. default+walks=4+axi_data_width=256")
    parser.add_argument("--world", type=int, metavar="SEED", help="replay this random world")
    parser.add_argument("--worlds", type=at_least(1), default=1, metavar="N",
                        help="random worlds on each configuration (1)")
    parser.add_argument("--jobs", type=at_least(1), default=2, metavar="N",
                        help="simulations at a time (2)")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    names = options.only.split(",") if options.only else \
        sample(options.sample, seed) if options.sample else combinations()
    for name in names:
        simulator.CONFIGS[name]         # a name that means nothing ends the run before it begins
    rng, pool, total = random.Random(seed), Pool(options.jobs), Tally()
    pool.say(f"{len(names)} configurations; seed {seed}")
    seeds = {name: [rng.randrange(1 << 32) for _ in range(options.worlds)]
             if options.world is None else [options.world] for name in names}

    def passed(name):
        """The mark that is left beside the Verilog that passed."""
        return simulator.verilog(name).with_name("matrix-passed")

    def job(name):
        if passed(name).exists() and not options.only:
            return name, None
        tally = run_worlds(name, seeds[name], "matrix")
        if not options.only and not options.sample:     # hundreds of models would fill the disk
            shutil.rmtree(simulator.build(simulator.verilog(name)), ignore_errors=True)
        return name, tally

    results = pool.run(lambda name=name: job(name) for name in names)
    for index, (name, tally) in enumerate(results, 1):
        if tally is None:
            pool.say(f"[{index}/{len(names)}] {name}: passed before")
            continue
        total += tally
        pool.say(f"[{index}/{len(names)}] {name}: {tally}")
        for failure in tally.failures:
            pool.say(f"FAILED: {failure}")
        if tally.worlds and not tally.failures:
            write_whole(passed(name), "")
    print(f"\nsiommu: matrix of {len(names)} configurations: {total}")
    for failure in total.failures:
        print(f"siommu: FAILED: {failure}", file=sys.stderr)
    return int(bool(total.failures))


if __name__ == "__main__":
    sys.exit(main())
