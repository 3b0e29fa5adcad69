"""Named covers inside the core: situations that tests must meet, and that no port shows."""

from contextlib import contextmanager
from contextvars import ContextVar
from itertools import combinations

from amaranth import Signal
from amaranth.hdl import Cover

__all__ = ["PREFIX", "cover", "cover_meetings", "cover_pairs", "covering", "covers"]

#: Beginning of the name of a cover's register in exported Verilog; ``__`` stands between its words.
PREFIX = "cover"

_COVERED = ContextVar("siommu_covers", default=False)


def covering():
    """Whether what is elaborated has its covers. A register that only a cover reads is made only
    then."""
    return _COVERED.get()


def cover(m, condition, *words):
    """States that tests must meet ``condition``, a value of one bit, at some clock edge.

    It is there in Verilog that is exported on request only (:func:`covers`). There it is a
    statement ``cover`` of a register, which is named after ``words``, because Verilog has no other
    place for the name. The same words in several modules, or for several ports, are one cover.

    Parameters
    ----------
    m : Module
    condition : Value
    words : str
        Identifiers: the stage or the unit first, then what happens there.
    """
    if _COVERED.get():
        met = Signal(name="__".join((PREFIX, *words)), reset_less=True)
        m.d.sync += [met.eq(condition), Cover(met)]


def cover_pairs(m, stage, events):
    """A cover for each two of ``events``, which contend for ``stage``: both in one cycle.

    ``events``: a dictionary, word to value.
    """
    for (one, first), (other, second) in combinations(events.items(), 2):
        cover(m, first & second, stage, one, other)


def cover_meetings(m, stage, events, others):
    """A cover for each of ``events`` with each of ``others`` in one cycle."""
    for one, first in events.items():
        for other, second in others.items():
            cover(m, first & second, stage, one, other)


@contextmanager
def covers(covered):
    """While it is entered, what is elaborated has its covers, or has not."""
    token = _COVERED.set(covered)
    try:
        yield
    finally:
        _COVERED.reset(token)
