"""Which walk slots an operation can join: those that walk for its line already.

The keys of all slots are compared with the operation's in two cycles, SELECT and RESOLVE. A slot
that is taken meanwhile, by one of the two operations before, was not in the comparison, and is put
in from those operations' keys.
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.payload import Payload
from ..lib.structs import assign
from ..pipeline.keys import WalkKey, same_line, same_place, walk_key, walk_line
from ..pipeline.operation import JOINS_NOTHING, Operation
from ..pipeline.sizes import LINE_BITS

__all__ = ["SlotLookUp"]

PIECE = 32      #: bits of a line that one cycle compares; one LUT puts the pieces together


class SlotLookUp(wiring.Component):
    """Holds the slots' keys and compares.

    An operation that failed to find what it needs once (``tries``) joins only a slot of its own
    page, of which it is certain to get the outcome; after three times, none.

    Parameters
    ----------
    config : Config

    Members
    -------
    ahead, before, operation : In(Operation)
        In SELECT, RESOLVE and ACT.
    next : In(slots), takes : In(1)
        The slot to be taken next, and that the operation in ACT takes it: it gets its key.
    valid, stale, settled, restarted, speculative : In(slots)
        Of every slot.
    joinable, certain : Out(slots), any_joinable : Out(1)
        Of the operation in ACT: slots that it can join; slots of its very page that have not begun
        in memory and have an owner, so that a fault of theirs is its answer too.
    """

    def __init__(self, config: Config):
        self._slots = slots = config.walk_slots
        super().__init__({
            "ahead": In(Operation),
            "before": In(Operation),
            "operation": In(Operation),
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
        key, key_before, key_ahead = Signal(WalkKey), Signal(WalkKey), Signal(WalkKey)
        m.d.comb += [*assign(key, walk_key(self.operation)),
                     *assign(key_before, walk_key(self.before)),
                     *assign(key_ahead, walk_key(self.ahead))]
        strict, hopeless = Signal(), Signal()       # of ``before``
        m.d.sync += [strict.eq(self.ahead.tries != 0),
                     hopeless.eq(self.ahead.tries == JOINS_NOTHING)]
        last, last_page, older = self._taken_meanwhile(m, key, key_before, key_ahead, strict,
                                                       hopeless)

        # The slot that the operation before took.
        taken, joinable = Signal(slots), Signal(slots)
        newest = taken & last.replicate(slots)
        held, held_certain, held_any = Signal(slots), Signal(slots), Signal()
        m.d.sync += [
            taken.eq(self.next), held.eq(joinable | newest), held_any.eq(joinable.any() | last),
        ]
        for index in range(slots):
            line, page = self._compared(m, index, key, key_ahead)
            usable = ~self.restarted[index] & ~self.speculative[index]
            m.d.comb += joinable[index].eq(
                line & ~self.stale[index] & ~self.settled[index] & ~hopeless
                & ((page & usable) | ~strict))
            m.d.sync += held_certain[index].eq((newest[index] & last_page)
                                               | (line & page & usable))
        # The slot that the one in front of it takes, known in the cycle after that.
        took, again, again_page = older
        m.d.comb += [
            self.joinable.eq(held | (taken & (took & again).replicate(slots))),
            self.certain.eq(held_certain | (taken & (took & again_page).replicate(slots))),
            self.any_joinable.eq(held_any | (took & again)),
        ]
        return m

    def _taken_meanwhile(self, m, key, key_before, key_ahead, strict, hopeless):
        """Whether the operation in RESOLVE can join the slot that was taken in the cycle before
        (``last``, and if so, for its very page), and whether the one in ACT can (``took``,
        ``again``, ``again_page``). A speculative walk's fault is certain for no other operation."""
        took, again, again_page, last_again, last_page = (Signal() for _ in range(5))
        owned = ~self.operation.speculative
        m.d.sync += [
            took.eq(self.takes),
            again.eq(same_line(key_before, key) & ~hopeless
                     & ((same_place(key_before, key) & owned) | ~strict)),
            again_page.eq(same_line(key_before, key) & same_place(key_before, key) & owned),
            last_again.eq(same_line(key_ahead, key)),
            last_page.eq(same_place(key_ahead, key) & owned),
        ]
        last = Signal()
        m.d.comb += last.eq(took & last_again & ~hopeless & (last_page | ~strict))
        return last, last_page, (took, again, again_page)

    def _compared(self, m, index, key, key_ahead):
        """A slot's key beside that of the operation: of the same line, of the same place in a
        line. A key that changes in the first of the two cycles does not count."""
        held = Payload(WalkKey, name=f"key_{index}")
        with m.If(self.next[index]):
            m.d.sync += held.eq(key)
        pieces = list(zip(_pieces(held), _pieces(key_ahead)))
        equal = Payload(len(pieces), name=f"equal_{index}")
        page_equal, was_valid = (Signal(name=f"{name}_{index}")
                                 for name in ("page_equal", "was_valid"))
        m.d.sync += [
            equal.eq(Cat(own == other for own, other in pieces)),
            page_equal.eq(held.page[:LINE_BITS] == key_ahead.page[:LINE_BITS]),
            was_valid.eq(self.valid[index]),
        ]
        return equal.all() & was_valid, page_equal


def _pieces(key):
    line = walk_line(key)
    return [line[low:low + PIECE] for low in range(0, len(line), PIECE)]
