"""Which walk slots an operation can join: those that walk for its line already.

Compared are partial tags, a fifth of the keys' bits. What joins the slot of another line by mistake
looks up again in vain, as others do whose line was replaced meanwhile; only of a fault it must be
certain that it is the operation's own, and that is found out with the whole keys afterwards
(``Rest``).

The tags of all slots are compared with the operation's in SELECT; the result is put together in
MATCH, and is known in ACT. Two slots cannot be in that comparison, because they are taken later:
those of the two operations in front. Their tags are compared with the operation's instead::

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
from ..pipeline.keys import PartialTag, WalkKey, partial_tag, walk_key
from ..pipeline.operation import JOINS_NOTHING, Operation
from ..pipeline.timetable import Stage

__all__ = ["SlotLookUp"]

class Joining(data.Struct):
    """What a slot is to an operation: it can be joined (``joins``); if so, its walk is for the
    operation's very page, and a fault of it answers the operation (``certain``)."""

    joins: 1
    certain: 1


class SlotLookUp(wiring.Component):
    """Holds the slots' partial tags and compares.

    An operation that failed to find what it needs once (``tries``) joins only a slot of its own
    page, of which it is certain to get the outcome; after three times, none.

    Parameters
    ----------
    config : Config

    Members
    -------
    in_compare, in_select, in_match, in_act : In(Operation)
        One operation after the other, a stage apart.
    next : In(slots), takes : In(1)
        One-hot: the slot to be taken next; the operation in ACT takes it, and it gets its tag.
    valid, stale, settled, restarted, speculative : In(slots)
        Of every slot.
    joinable, certain : Out(slots), any_joinable : Out(1)
        Of the operation in ACT: slots that it can join; slots of its very page, as far as the
        partial tag tells, that have not begun in memory and have an owner, so that a fault of
        theirs is its answer too.
    """

    def __init__(self, config: Config):
        self._slots = slots = config.walk_slots
        super().__init__({
            "in_compare": In(Operation),
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
        key = Signal(WalkKey)
        select_tag, match_tag, act_tag = (Payload(PartialTag, name=f"{stage}_tag")
                                          for stage in ("select", "match", "act"))
        m.d.comb += assign(key, walk_key(self.in_compare))
        m.d.sync += [*assign(select_tag, partial_tag(key)), match_tag.eq(select_tag),
                     act_tag.eq(match_tag)]
        strict, hopeless = Signal(), Signal()       # of the operation in MATCH
        m.d.sync += [strict.eq(self.in_select.tries != 0),
                     hopeless.eq(self.in_select.tries == JOINS_NOTHING)]
        taken, took = Signal(slots), Signal()       # in the cycle before: which, and whether
        m.d.sync += [taken.eq(self.next), took.eq(self.takes)]
        second = self._second_in_front(m, select_tag, act_tag, took, strict, hopeless)
        next_ = self._next_in_front(m, match_tag, act_tag, strict, hopeless)

        # All of MATCH, into registers.
        joinable, newest = Signal(slots), Signal(slots)
        held, held_certain, held_any = Signal(slots), Signal(slots), Signal()
        m.d.comb += newest.eq(taken & second.joins.replicate(slots))
        m.d.sync += [held.eq(joinable | newest), held_any.eq(joinable.any() | second.joins)]
        for index in range(slots):
            line, page = self._compared(m, index, select_tag, act_tag)
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
        require_follows(m, self.in_select, self.in_compare, Stage.SELECT - Stage.COMPARE,
                        "walk slots: the operation in SELECT was in COMPARE before")
        require_follows(m, self.in_match, self.in_select, Stage.MATCH - Stage.SELECT,
                        "walk slots: the operation in MATCH was in SELECT before")
        require_follows(m, self.in_act, self.in_match, Stage.ACT - Stage.MATCH,
                        "walk slots: the operation in ACT was in MATCH before")
        return m

    def _second_in_front(self, m, select_tag, act_tag, took, strict, hopeless):
        """What the slot that is taken in ACT is to the operation in SELECT: a :class:`Joining`,
        when that is in MATCH. A speculative walk's fault is certain for no other operation."""
        line, place, second = Signal(), Signal(), Signal(Joining, name="second")
        owned = ~self.in_act.speculative
        m.d.sync += [
            line.eq(_same_line(select_tag, act_tag)),
            place.eq((select_tag.place == act_tag.place) & owned),
        ]
        m.d.comb += [second.joins.eq(took & line & ~hopeless & (place | ~strict)),
                     second.certain.eq(place)]
        return second

    def _next_in_front(self, m, match_tag, act_tag, strict, hopeless):
        """The same of the operation in MATCH, when that is in ACT, if the slot was taken."""
        next_, owned = Signal(Joining, name="next_in_front"), ~self.in_act.speculative
        line, place = _same_line(match_tag, act_tag), match_tag.place == act_tag.place
        m.d.sync += [next_.joins.eq(line & ~hopeless & ((place & owned) | ~strict)),
                     next_.certain.eq(line & place & owned)]
        return next_

    def _compared(self, m, index, select_tag, act_tag):
        """A slot's tag beside that of the operation in SELECT, a cycle later: of the same line, of
        the same place in a line. A slot that was free then does not count, nor one whose tag
        changed."""
        held = Payload(PartialTag, name=f"tag_{index}")
        with m.If(self.next[index]):
            m.d.sync += held.eq(act_tag)
        line_equal, page_equal, was_valid = (Signal(name=f"{name}_{index}")
                                             for name in ("line_equal", "page_equal", "was_valid"))
        m.d.sync += [
            line_equal.eq(_same_line(held, select_tag)),
            page_equal.eq(held.place == select_tag.place), was_valid.eq(self.valid[index]),
        ]
        return line_equal & was_valid, page_equal


def _same_line(tag, other):
    return Cat(tag.ft, tag.write, tag.line) == Cat(other.ft, other.write, other.line)
