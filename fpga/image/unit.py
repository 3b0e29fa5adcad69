"""How the engine gives an item to a unit."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.board.protocol import OPERATIONS

__all__ = ["ANSWER_BYTES", "ITEM_BYTES", "Job", "kind"]

ITEM_BYTES = max(operation.item for operation in OPERATIONS.values())
ANSWER_BYTES = max(operation.answer for operation in OPERATIONS.values())


def kind(name):
    """Which of its unit's operations the one called ``name`` is."""
    return OPERATIONS[name].code & 3


class Job(wiring.Signature):
    """An item to execute, as the engine sees it.

    Members
    -------
    valid : Out(1)
        From the item's coming to ``done``, with ``kind`` and ``item`` unchanged.
    kind : Out(2)
        Which of the unit's operations.
    item : Out(8 * ITEM_BYTES)
    done : In(1), answer : In(8 * ANSWER_BYTES)
        In one cycle; the engine takes them at once.
    """

    def __init__(self):
        super().__init__({"valid": Out(1), "kind": Out(2), "item": Out(8 * ITEM_BYTES),
                          "done": In(1), "answer": In(8 * ANSWER_BYTES)})
