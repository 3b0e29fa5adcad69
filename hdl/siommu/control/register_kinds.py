"""How the register block (§7) provides each register that ``siommu.rdl`` declares."""

import functools

from ..arch.register_map import COUNTERS, REGISTERS

__all__ = ["INDEXES", "counter_words", "kind", "of_kind"]

#: Registers whose number counts modulo the ring's size; turning the queue on sets them to 0.
INDEXES = {"CQ_TAIL": "CQ", "FQ_HEAD": "FQ"}


@functools.cache
def counter_words():
    """By register name: number of the counter, and whether it is its high word."""
    return {f"{name.upper()}_{half}": (number, half == "HIGH")
            for number, name in enumerate(COUNTERS) for half in ("LOW", "HIGH")}


def kind(entry):
    """The kind of a register: it is ``"stored"``, it is ``"fixed"``, it is ``"shown"`` by another
    unit, its bits are set by ``"events"``, or it is a word of a ``"counter"``."""
    if entry.name in counter_words():
        return "counter"
    if entry.access == "RW1C":
        return "events"
    if entry.access == "RW":
        return "stored"
    fixed = entry.name in ("ID", "VERSION", "CAPS0", "CAPS1")
    return "fixed" if fixed else "shown"


def of_kind(*kinds):
    """All registers of these kinds."""
    return [entry for entry in REGISTERS if kind(entry) in kinds]
