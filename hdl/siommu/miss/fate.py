"""What becomes of an operation behind ACT, and what it takes along."""

from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import Out

from ..arch.formats import PAGES_BITS
from ..pipeline.operation import Operation
from ..pipeline.sizes import PORT_BITS, SLOT_BITS
from .replay import Reason

__all__ = ["Acted", "Carried", "Fate", "Joined", "Left", "Remainder"]


class Fate(enum.Enum, shape=2):
    """What becomes of an operation behind ACT."""

    NONE = 0        #: nothing: it is answered, or it owns a walk
    PARK = 1        #: it waits, for ``Reason``
    REST = 2        #: its run is answered, the rest of it waits
    EXIT = 3        #: it is answered by the second exit


class Acted(data.Struct):
    """What ACT decided, in JOIN: an operation's ``fate``; whether it ``joins`` a slot, or ``stays``
    with the one that it has a claim on; whether it ``waited`` for a walk; ``walked``: its outcome
    is that of a walk, not of the second level."""

    fate: Fate
    joins: 1
    stays: 1
    waited: 1
    walked: 1


class Carried(data.Struct):
    """Of the operation in JOIN: of its answered pages the ``run``; its ``port``, and the ``slot``
    that it has a claim on. All else of it is in the slots' store."""

    run: PAGES_BITS
    port: PORT_BITS
    slot: SLOT_BITS


class Left(data.Struct):
    """What is left to be done with an operation."""

    fate: Fate
    reason: Reason


#: An operation in OUTCOME, or an owner whose walk has ended: whether it has ``waited``, whether a
#: walk answers it (``walked``), whether it has a claim on a slot (``claims``), whether it ``joins``
#: the slot ``slot``, ``in_time`` for its fault.
Joined = wiring.Signature({
    "left": Out(Left),
    "run": Out(PAGES_BITS),
    "waited": Out(1),
    "walked": Out(1, init=1),
    "claims": Out(1),
    "joins": Out(1),
    "slot": Out(SLOT_BITS),
    "in_time": Out(1),
})

#: What is left of an operation in SECOND_EXIT: whether it ``joined`` a slot in this pass; whether
#: its answer was ``damaged``; whether pages are left behind the ``pages`` + 1 that are answered
#: (``more``).
Remainder = wiring.Signature({
    "left": Out(Left),
    "run": Out(PAGES_BITS),
    "operation": Out(Operation),
    "joined": Out(1),
    "damaged": Out(1),
    "more": Out(1),
    "pages": Out(PAGES_BITS),
})
