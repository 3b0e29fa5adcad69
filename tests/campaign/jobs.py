"""The jobs of each kind of campaign."""

import functools
import random
from dataclasses import dataclass, field
from pathlib import Path

from sim.folders import digest

from ..bench import matrix
from ..formal.__main__ import PROOFS
from ..mutations import MUTATIONS

__all__ = ["KINDS", "ROOT", "Job", "jobs_of", "sources_digest"]

ROOT = Path(__file__).resolve().parents[2]
#: Configurations of random worlds: the presets, one with every length at its edge, and odd ones.
WORLDS = ("default", "small", "large", "edge",
          "default+axi_data_width=512+l2_entries=256+walks=2+device_ports=3+riscv_tables=0",
          "small+device_ports=8+port_depth=16+cpu_port=0+walks=3",
          "large+l2_entries=0+walks=16+axi_data_width=128")
BATCH = 4           #: worlds of one job: a simulation takes longer to start than a world to run
PLACED = ("small", "default", "large")


@dataclass(frozen=True)
class Job:
    """A command that takes minutes, and says by its status whether all is well.

    Attributes
    ----------
    kind, name : str
    command : tuple of str
        Behind ``python -m``: what replays it.
    limit : int
        Seconds after which it is ended.
    """

    kind: str
    name: str
    command: tuple
    limit: int = field(default=3600, compare=False)

    @property
    def replay(self):
        """The line that runs it alone."""
        return f".venv/bin/python -m {' '.join(self.command)}"

    def key(self, sources):
        """What its result is kept by; ``sources``: see :func:`sources_digest`."""
        return digest(sources, self.kind, self.name, self.command)


@functools.cache
def sources_digest():
    """A digest of what a result depends on: sources, tests, records, models, and the pinned
    tools. Tools of the machine, a compiler and ABC, are not looked at."""
    files = [ROOT / "requirements.lock"]
    for folder in ("hdl", "sim", "tests", "fpga", "scripts"):
        files += sorted(path for path in (ROOT / folder).rglob("*")
                        if path.is_file() and path.suffix != ".pyc")
    return digest(*(path.read_bytes() for path in files))


def worlds(options):
    """Random worlds on the configurations in turn, with seeds that follow from ``--seed``."""
    rng, configs = random.Random(options.seed), options.only or WORLDS
    for number in range(0, options.count, BATCH):
        seeds = [str(rng.randrange(1 << 32)) for _ in range(min(BATCH, options.count - number))]
        config = configs[number // BATCH % len(configs)]
        yield Job("worlds", f"{config} {' '.join(seeds)}",
                  ("tests.campaign.world", config, *seeds))


def all_configurations(options):
    """A random world on every combination of parameters."""
    rng = random.Random(options.seed)
    for config in options.only or matrix.combinations():
        seed = str(rng.randrange(1 << 32))
        yield Job("matrix", f"{config} {seed}", ("tests.campaign.world", "--once", config, seed))


def mutants(options):
    """Every planted fault; afterwards ``make mutants`` has the table at once."""
    for name in options.only or MUTATIONS:
        yield Job("mutants", name, ("tests.mutants", name))


def random_mutants(options):
    """Mutants that nobody chose; afterwards ``make mutants-random`` has the table at once. The
    first job tries the model without any: it must pass all tests."""
    for number in range(options.count + 1):
        yield Job("random-mutants", f"mutant {number} of {options.count}",
                  ("tests.random_mutants", "--count", str(options.count), "--seed",
                   str(options.seed), "--only", str(number)))


def proofs(options):
    """Every proof, with its twins. A job takes one core, as those of the other kinds."""
    for name in options.only or PROOFS:
        yield Job("proofs", name, ("tests.formal", "--jobs", "1", name), limit=4 * 3600)


def places(options):
    """Place and route with many seeds."""
    for config in options.only or PLACED:
        for seed in range(1, options.count + 1):
            yield Job("places", f"{config} seed {seed}",
                      ("tests.campaign.place", config, str(seed)), limit=3 * 3600)


KINDS = {"worlds": worlds, "matrix": all_configurations, "mutants": mutants,
         "random-mutants": random_mutants, "proofs": proofs, "places": places}


def jobs_of(kind, options):
    """The jobs of a campaign of that kind, in order."""
    return list(KINDS[kind](options))
