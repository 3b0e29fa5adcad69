"""A short run of flips on a small core with ``fail_stop``; ``make soft-errors`` is the long one."""

from collections import Counter

from .__main__ import Model, wrong
from .memories import STOP

#: Memories of every part on an answer's way.
PLACES = ("tlb.hits.ram_0", "contexts.values", "miss.store.outcomes", "walker.records.of_key",
          "dev0_egress.queue.ring.hits", "miss.replay.elements")
SEEDS = range(3, 9)     #: tried until a flip was noticed: words that leave at once are seldom hit


def test_no_flip_makes_an_answer_wrong():
    """The core stops instead, for each memory, and works again behind a reset."""
    model, right = Model("small+fail_stop=1"), 0
    chosen = [row for row in model.memories if row[2].guard == STOP
              and row[1].place.removeprefix("control.core.").startswith(PLACES)]
    assert len(chosen) == len(PLACES)
    for row in chosen:
        counts, place = Counter(), row[1].place
        for seed in SEEDS:
            counts += model.damage(row, seed, 12)
            if counts["stops"]:
                break
        assert not wrong(counts), (place, counts)
        assert counts["stops"], f"{place}: no flip was noticed: {counts}"
        right += counts["right"]
    assert right > 100 * len(chosen)
