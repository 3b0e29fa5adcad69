"""Signatures of the boundaries between the rooms of the core: who drives what, and when.

Each is seen from the side that its name begins with; the other side has it flipped, and
``connect`` joins the two.
"""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import Response
from ..lib.event import Event
from .events import Invalidation, Prefetch
from .grants import FillGrant, Outcome
from .operation import Operation
from .sizes import PORT_BITS, SLOT_BITS, WAY_BITS
from .tables import WalkStart
from .walks import WalkFinished

__all__ = ["BeatSource", "CreditUser", "Distrust", "InternalFill", "MissStates", "PrefetchSource",
           "Promotion", "Reentry", "ReplaySource", "SecondLevelAnswer", "WalkUser"]


class WalkUser(wiring.Signature):
    """The miss unit's side of the walker: starts of walks, and what becomes of them.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : Out(stream.Signature(WalkStart))
    stepping : In(Event(SLOT_BITS))
        A word of this slot's walk is being decided.
    restart : In(Event(SLOT_BITS))
        The slot's walk begins in memory, trusting no cache.
    finished : In(Event(WalkFinished))
        A walk has its outcome: exactly once for every start.
    reading : In(slots)
        A burst of the slot's walk is under way.
    stale : Out(slots)
        The slot's walk began before a flush: it fills no cache.
    """

    def __init__(self, config: Config):
        slots = config.walk_slots
        super().__init__({
            "start": Out(stream.Signature(WalkStart(config))),
            "stepping": In(Event(SLOT_BITS)),
            "restart": In(Event(SLOT_BITS)),
            "finished": In(Event(WalkFinished)),
            "reading": In(slots),
            "stale": Out(slots),
        })


#: The second level's answer to the miss unit: ``hit`` and ``way`` in ACT, ``outcome`` and whether
#: its parity is ``damaged`` in OUTCOME.
SecondLevelAnswer = wiring.Signature({
    "hit": Out(1),
    "way": Out(WAY_BITS),
    "outcome": Out(Outcome),
    "damaged": Out(1),
})

#: An operation that the second level answered, for the first level: ``tried``, and ``valid`` unless
#: the row was damaged. In SECOND_EXIT.
Promotion = wiring.Signature({
    "tried": Out(1),
    "valid": Out(1),
    "operation": Out(Operation),
    "outcome": Out(Outcome),
})

#: Beats of the second exit, always taken; ``port`` is whose.
BeatSource = wiring.Signature({
    "beat": Out(stream.Signature(Response, always_ready=True)),
    "port": Out(PORT_BITS),
})

#: An invalidation under way: what the caches know of the upper levels of the address spaces that
#: ``covered`` selects is not trusted while ``active``.
Distrust = wiring.Signature({"active": Out(1), "covered": Out(Invalidation)})

#: A fill, or a step of an invalidation, in COMPARE: ``valid``, and ``writes`` if it is a grant that
#: the first level keeps.
InternalFill = wiring.Signature({
    "valid": Out(1),
    "writes": Out(1),
    "grant": Out(FillGrant),
})

#: A prefetch, and the cycle in which it is done.
PrefetchSource = wiring.Signature({"asked": Out(stream.Signature(Prefetch)), "done": In(1)})


class ReplaySource(wiring.Signature):
    """Operations to be looked up again. One-hot: the ``port`` of the one on offer, and that of the
    next cycle."""

    def __init__(self, ports):
        super().__init__({
            "operation": Out(stream.Signature(Operation)),
            "port": Out(ports),
            "next_port": Out(ports),
        })


class CreditUser(wiring.Signature):
    """Credits for the rests of requests, by port: there are ``some``; such a rest may wait in the
    next cycle or the ones after (``rests``); one-hot, it takes one (``taken``)."""

    def __init__(self, ports):
        super().__init__({"some": In(ports), "rests": Out(ports), "taken": Out(ports)})


class Reentry(wiring.Signature):
    """What the miss unit sends to ARBITRATE: operations to be looked up again, each with its credit
    (``retry``); look-aheads and prefetches (``look_aheads``); ``pause``: an owner found no free
    cycle at the second exit for a while, let one operation less in."""

    def __init__(self, ports):
        super().__init__({
            "retry": Out(ReplaySource(ports)),
            "look_aheads": Out(stream.Signature(Operation)),
            "pause": Out(1),
        })


class MissStates(wiring.Signature):
    """Slots whose grant is on its way into the first level (``granted``); walks are in flight
    (``busy``), or such that began before the last flush, or their answers (``outdated``)."""

    def __init__(self, slots):
        super().__init__({"granted": Out(slots), "busy": Out(1), "outdated": Out(1)})
