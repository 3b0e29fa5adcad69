"""Which seeds the random tests of a run have."""

import os
import random

from siommu.arch.config import ConfigError

__all__ = ["DEFAULT_SEEDS", "SeedError", "choose_seeds", "seeds"]

DEFAULT_SEEDS = 3       #: of the random worlds, where nobody chooses any


class SeedError(ConfigError):
    """``SEED`` or ``SEEDS`` is no number that it can be."""


def _number(name, low):
    """The number that a variable of the environment holds."""
    text = os.environ[name]
    if not (text.isdecimal() and int(text) >= low):
        raise SeedError(f"{name}={text} is no number of {low} or more")
    return int(text)


def choose_seeds():
    """Chooses the seeds of the random worlds, unless they are chosen; returns them as text.

    ``SIOMMU_SEEDS`` hands them on: to the simulations, and to other processes of the same run,
    which must collect the same tests.

    Raises
    ------
    SeedError
        ``SEED`` or ``SEEDS`` has something else than a number.
    """
    if os.environ.get("SIOMMU_SEEDS"):
        return os.environ["SIOMMU_SEEDS"]
    if os.environ.get("SEED"):
        chosen = [_number("SEED", 0)]
    elif os.environ.get("SEEDS"):
        fresh = random.SystemRandom()
        chosen = [0] + [fresh.randrange(1, 1 << 32) for _ in range(_number("SEEDS", 1) - 1)]
    else:
        chosen = list(range(DEFAULT_SEEDS))
    os.environ["SIOMMU_SEEDS"] = " ".join(map(str, chosen))
    return os.environ["SIOMMU_SEEDS"]


def seeds(count=DEFAULT_SEEDS):
    """The seeds that ``SEED`` or ``SEEDS`` chose, for each random test; else 0 to ``count`` - 1."""
    chosen = [int(seed) for seed in choose_seeds().split()]
    return list(range(count)) if chosen == list(range(DEFAULT_SEEDS)) else chosen
