"""What the memories of the core hold, and what a flip in each can do."""

import re
from dataclasses import dataclass, replace

__all__ = ["KINDS", "PARITY", "STOP", "Kind", "kind_of_memory"]


PARITY, STOP = "parity", "stop"
KEPT = "until it is replaced"


@dataclass(frozen=True)
class Kind:
    """Memories that hold the same thing.

    Attributes
    ----------
    places : str
        What their places match as a whole: a regular expression.
    holds : str
    stays : str
        For how long a word is used.
    guard : str
        What notices a flip before it counts: parity, with which the word is no match; with
        ``fail_stop``, the core stops. Nothing, if none does.
    """

    places: str
    holds: str
    stays: str
    guard: str = ""

    @property
    def kept(self):
        """Whether a word is used again and again."""
        return self.stays == KEPT


_MISS = "a request's time in the miss path"
_WALK = "a walk"
KINDS = (
    Kind(r"second_level\.rows\.ram", "two pages of a line", KEPT, PARITY),
    Kind(r"second_level\.tags\.way_\d+\.ram", "tags of lines", KEPT, PARITY),
    Kind(r"walk_cache\.store\.way_\d+\.ram", "tables of regions", KEPT, PARITY),
    Kind(r"tlb\.hits\.ram_\d+", "pages of the first level", KEPT),
    Kind(r"contexts\.values", "contexts of processes", KEPT),
    Kind(r"devices\.values", "entries of devices", KEPT),
    Kind(r"\w+_ingress\.waiting\.entries", "requests that a port has taken", "some cycles"),
    Kind(r"\w+_egress\.queue\.ring\.(hits|misses)_2", "answers", "until the port takes them"),
    Kind(r"\w+_egress\.queue\.ring\.orders", "the order of answers", "until the port takes them"),
    Kind(r"lines\.buffer\.half_\d", "a line that was read", _WALK),
    Kind(r"lines\.schedule\.waiting\.storage", "lines to be kept", "some cycles"),
    Kind(r"miss\.ended_2\.\w+\.behind\.entries", "walks that have ended", "some cycles"),
    Kind(r"miss\.replay\.elements", "requests that look up again", _MISS),
    Kind(r"miss\.replay\.(slots_\d+|leaving\.ready\.entries)", "requests that look up again",
         _MISS),
    Kind(r"miss\.starts\.starts\.entries", "walks to begin", "until the walker takes them"),
    Kind(r"miss\.store\.owners", "requests that wait for a walk", _MISS),
    Kind(r"miss\.store\.(keys|extents|halves)", "keys of walks", _WALK),
    Kind(r"miss\.store\.(leaves|outcomes)", "what walks have found", _WALK),
    Kind(r"walker\.records\.of_(key|progress|reach|state)", "states of walks", _WALK),
    Kind(r"walker\.reads_3\.reads\.entries", "table reads to be made", "some cycles"),
    Kind(r"walker\.tracker\.\w+", "table reads in flight", "a read"),
)
#: Not on the way of an answer: the control plane's.
CONTROL = re.compile(r"control\.(counters|fault_queue)\..*")
#: Those that a core with ``fail_stop`` has beside the others.
WATCHES = Kind(r".*\.watch\w*\.(parities|storage)", "parity of the words of a memory",
               "as its words", STOP)


def kind_of_memory(place, fail_stop=False):
    """The kind of the memory at ``place`` of a core, with ``fail_stop`` or without; None of one
    that no answer depends on.

    Raises
    ------
    LookupError
        There is none, or more than one.
    """
    if CONTROL.fullmatch(place):
        return None
    kinds = [*KINDS, WATCHES] if fail_stop else KINDS
    found = [kind for kind in kinds
             if re.fullmatch(kind.places, place.removeprefix("control.core."))]
    if len(found) != 1:
        raise LookupError(f"{place} is of {len(found)} kinds of memories; list it once")
    return replace(found[0], guard=found[0].guard or STOP) if fail_stop else found[0]
