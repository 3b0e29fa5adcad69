"""Properties that ``hypothesis`` looks for counterexamples of, and shrinks those it finds."""

import functools
import os
import random
from pathlib import Path

from hypothesis import Phase, example, given, note, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir

__all__ = ["SEED", "holds_for"]

#: Where the examples begin: the variable's number, or a fresh one in each process.
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))

# What it learns of our constants goes beside all else that is generated.
set_hypothesis_home_dir(Path(__file__).resolve().parents[2] / "build" / "hypothesis")


def holds_for(*, examples, always=(), **strategies):
    """Makes a test a property: it is called with values of ``strategies``, by parameter, as often
    as ``examples`` says, and before with those of each dictionary in ``always``. Other parameters
    are pytest's.

    A failure shows the smallest example that was found, ``SEED=n``, which finds it again, and a
    ``@reproduce_failure`` line that runs it alone. Nothing is kept from run to run: what a test
    draws depends on its seed and on nothing else.
    """
    def decorate(test):
        @functools.wraps(test)
        def noted(*args, **drawn):
            note(f"SEED={SEED} finds this again")
            test(*args, **drawn)
        # A slow machine is no failure, so there is no deadline. To explain an example, its parts
        # are varied once more, which takes as long as to shrink it, and tells little here.
        chosen = settings(max_examples=examples, deadline=None, database=None, print_blob=True,
                          derandomize=False, phases=set(Phase) - {Phase.explain})
        found = chosen(given(**strategies)(noted))
        for values in always:
            found = example(**values)(found)
        return seed(SEED)(found)
    return decorate
