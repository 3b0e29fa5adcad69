"""A short run of flips on a small core with ``fail_stop``; ``make soft-errors`` is the long one."""

from .__main__ import Model, wrong
from .memories import STOP

#: Memories of every part on an answer's way.
PLACES = ("tlb.hits.ram_0", "contexts.values", "miss.store.outcomes", "walker.records.of_key",
          "dev0_egress.queue.ring.hits", "miss.replay.elements")


def test_no_flip_makes_an_answer_wrong():
    """The core stops instead, and works again behind a reset."""
    model = Model("small+fail_stop=1")
    chosen = [row for row in model.memories if row[2].guard == STOP
              and row[1].place.removeprefix("control.core.").startswith(PLACES)]
    assert len(chosen) == len(PLACES)
    for row in chosen:
        counts, place = model.damage(row, 0, 12), row[1].place
        assert not wrong(counts), (place, counts)
        assert counts["stops"] > 0 and counts["right"] > 20, (place, counts)
