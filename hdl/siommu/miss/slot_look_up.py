"""Which walk slots an operation can join: those that walk for its line already.

The keys of all slots are compared with the operation's in SELECT; the result is put together in
MATCH, and is known in ACT. Two slots cannot be in that comparison, because they are taken later:
those of the two operations in front. Their keys are compared with the operation's instead::

    cycle                     n         n + 1     n + 2
    the operation             SELECT    MATCH     ACT: joinable, certain
    the one in front          MATCH     ACT                      takes a slot in n + 1
    the one in front of that  ACT                                takes a slot in n
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.contract import require_follows
from ..lib.payload import Payload
from ..lib.structs import assign
from ..pipeline.keys import WalkKey, same_line, same_place, walk_key, walk_line
from ..pipeline.operation import JOINS_NOTHING, Operation
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import Stage

__all__ = ["SlotLookUp"]

PIECE = 32      #: bits of a line that one cycle compares; one LUT puts the pieces together


class Joining(data.Struct):
    """What a slot is to an operation: it can be joined (``joins``); if so, its walk is for the
    operation's very page, and a fault of it answers the operation (``certain``)."""

    joins: 1
    certain: 1


class SlotLookUp(wiring.Component):
    """Holds the slots' keys and compares.

    An operation that failed to find what it needs once (``tries``) joins only a slot of its own
    page, of which it is certain to get the outcome; after three times, none.

    Parameters
    ----------
    config : Config

    Members
    -------
    in_select, in_match, in_act : In(Operation)
        One operation after the other, a stage apart.
    next : In(slots), takes : In(1)
        One-hot: the slot to be taken next; the operation in ACT takes it, and it gets its key.
    valid, stale, settled, restarted, speculative : In(slots)
        Of every slot.
    joinable, certain : Out(slots), any_joinable : Out(1)
        Of the operation in ACT: slots that it can join; slots of its very page that have not begun
        in memory and have an owner, so that a fault of theirs is its answer too.
    """

    def __init__(self, config: Config):
        self._slots = slots = config.walk_slots
        super().__init__({
            "in_select": In(Operation),
            "in_match": In(Operation),
            "in_act": In(Operation),
            "next": In(slots),
            "takes": In(1),
            "valid": In(slots),
            "stale": In(slots),
            "settled": In(slots),
            "restarted": In(slots),
            "speculative": In(slots),
            "joinable": Out(slots),
            "certain": Out(slots),
            "any_joinable": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        slots = self._slots
        select_key, match_key, act_key = (Signal(WalkKey) for _ in range(3))
        m.d.comb += [*assign(select_key, walk_key(self.in_select)),
                     *assign(match_key, walk_key(self.in_match)),
                     *assign(act_key, walk_key(self.in_act))]
        strict, hopeless = Signal(), Signal()       # of the operation in MATCH
        m.d.sync += [strict.eq(self.in_select.tries != 0),
                     hopeless.eq(self.in_select.tries == JOINS_NOTHING)]
        taken, took = Signal(slots), Signal()       # in the cycle before: which, and whether
        m.d.sync += [taken.eq(self.next), took.eq(self.takes)]
        second = self._second_in_front(m, select_key, act_key, took, strict, hopeless)
        next_ = self._next_in_front(m, match_key, act_key, strict, hopeless)

        # All of MATCH, into registers.
        joinable, newest = Signal(slots), Signal(slots)
        held, held_certain, held_any = Signal(slots), Signal(slots), Signal()
        m.d.comb += newest.eq(taken & second.joins.replicate(slots))
        m.d.sync += [held.eq(joinable | newest), held_any.eq(joinable.any() | second.joins)]
        for index in range(slots):
            line, page = self._compared(m, index, select_key, act_key)
            usable = ~self.restarted[index] & ~self.speculative[index]
            m.d.comb += joinable[index].eq(
                line & ~self.stale[index] & ~self.settled[index] & ~hopeless
                & ((page & usable) | ~strict))
            m.d.sync += held_certain[index].eq((newest[index] & second.certain)
                                               | (line & page & usable))

        # ACT: the slot of the operation in front is known only now.
        m.d.comb += [
            self.joinable.eq(held | (taken & (took & next_.joins).replicate(slots))),
            self.certain.eq(held_certain | (taken & (took & next_.certain).replicate(slots))),
            self.any_joinable.eq(held_any | (took & next_.joins)),
        ]
        require_follows(m, self.in_match, self.in_select, Stage.MATCH - Stage.SELECT,
                        "walk slots: the operation in MATCH was in SELECT before")
        require_follows(m, self.in_act, self.in_match, Stage.ACT - Stage.MATCH,
                        "walk slots: the operation in ACT was in MATCH before")
        return m

    def _second_in_front(self, m, select_key, act_key, took, strict, hopeless):
        """What the slot that is taken in ACT is to the operation in SELECT: a :class:`Joining`,
        when that is in MATCH. A speculative walk's fault is certain for no other operation."""
        line, place, second = Signal(), Signal(), Signal(Joining, name="second")
        owned = ~self.in_act.speculative
        m.d.sync += [
            line.eq(same_line(select_key, act_key)),
            place.eq(same_place(select_key, act_key) & owned),
        ]
        m.d.comb += [second.joins.eq(took & line & ~hopeless & (place | ~strict)),
                     second.certain.eq(place)]
        return second

    def _next_in_front(self, m, match_key, act_key, strict, hopeless):
        """The same of the operation in MATCH, when that is in ACT, if the slot was taken."""
        next_, owned = Signal(Joining, name="next_in_front"), ~self.in_act.speculative
        m.d.sync += [
            next_.joins.eq(same_line(match_key, act_key) & ~hopeless
                           & ((same_place(match_key, act_key) & owned) | ~strict)),
            next_.certain.eq(same_line(match_key, act_key) & same_place(match_key, act_key)
                             & owned),
        ]
        return next_

    def _compared(self, m, index, select_key, act_key):
        """A slot's key beside that of the operation in SELECT, a cycle later: of the same line, of
        the same place in a line. A slot that was free then does not count, nor one whose key
        changed."""
        held = Payload(WalkKey, name=f"key_{index}")
        with m.If(self.next[index]):
            m.d.sync += held.eq(act_key)
        pieces = list(zip(_pieces(held), _pieces(select_key)))
        equal = Payload(len(pieces), name=f"equal_{index}")
        page_equal, was_valid = (Signal(name=f"{name}_{index}")
                                 for name in ("page_equal", "was_valid"))
        m.d.sync += [
            equal.eq(Cat(own == other for own, other in pieces)),
            page_equal.eq(held.page[:LINE_BITS] == select_key.page[:LINE_BITS]),
            was_valid.eq(self.valid[index]),
        ]
        return equal.all() & was_valid, page_equal


def _pieces(key):
    line = walk_line(key)
    return [line[low:low + PIECE] for low in range(0, len(line), PIECE)]
