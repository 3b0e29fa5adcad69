"""Which seeds the random tests of a simulation run with."""

import os

__all__ = ["DEFAULT_SEEDS", "seeds"]

DEFAULT_SEEDS = 3       #: of the random worlds, where nobody chooses any


def seeds(count=DEFAULT_SEEDS):
    """The seeds that ``SEED`` or ``SEEDS`` chose, for every random test; else 0 to ``count`` - 1.

    ``SIOMMU_SEEDS`` has them (:func:`.outcome.choose_seeds`).
    """
    chosen = [int(seed) for seed in os.environ["SIOMMU_SEEDS"].split()]
    return list(range(count)) if chosen == list(range(DEFAULT_SEEDS)) else chosen
