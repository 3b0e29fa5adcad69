"""A short run of flips on a small core with ``fail_stop``; ``make soft-errors`` is the long one."""

from collections import Counter

from .__main__ import Model, wrong
from .memories import STOP

#: Memories of every part on an answer's way.
PLACES = ("tlb.hits.ram_0", "contexts.values", "miss.store.outcomes", "walker.records.of_key",
          "dev0_egress.queue.ring.hits", "miss.replay.elements")


def test_no_flip_makes_an_answer_wrong():
    """The core stops instead, and works again behind a reset."""
    model, counts = Model("small+fail_stop=1"), Counter()
    chosen = [row for row in model.memories if row[2].guard == STOP
              and row[1].place.removeprefix("control.core.").startswith(PLACES)]
    assert len(chosen) == len(PLACES)
    for row in chosen:
        counts += model.damage(row, 0, 12)
    assert not wrong(counts), counts
    assert counts["stops"] > len(chosen) and counts["right"] > 100 * len(chosen), counts
