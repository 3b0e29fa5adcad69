"""Which walk slot is taken next, and which is given back."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.choose import lowest, one_hot_index, one_of
from ..lib.event import Event
from ..pipeline.sizes import PORT_BITS, SLOT_BITS

__all__ = ["FreeSlots"]


class FreeSlots(wiring.Component):
    """Keeps two free slots at hand, taken in turn, so that taking one, which is known late in its
    cycle, decides only whose turn it is. The hand that gave its slot away is filled in the next
    cycle.

    Parameters
    ----------
    config : Config

    Members
    -------
    take : In(1)
        The next slot is taken.
    next : Out(slots), index : Out(SLOT_BITS), some : Out(1)
        One-hot, and its index: the slot to be taken next. When none is at hand, 0, and the number
        of slots.
    ripe : In(slots), owners : In(ArrayLayout(PORT_BITS, slots))
        Slots that may be released; whose each is.
    released : Out(slots)
        One-hot: it is free from the next cycle on. A release takes two cycles, choose one and free
        it, because in the second one it is still ripe.
    returned : Out(Event(PORT_BITS))
        One was released in the cycle before, and was this port's.
    """

    def __init__(self, config: Config):
        self._slots = slots = config.walk_slots
        super().__init__({
            "take": In(1),
            "next": Out(slots),
            "index": Out(SLOT_BITS),
            "some": Out(1),
            "ripe": In(slots),
            "owners": In(data.ArrayLayout(PORT_BITS, slots)),
            "released": Out(slots),
            "returned": Out(Event(PORT_BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        slots = self._slots
        free, chosen = Signal(slots, init=(1 << slots) - 1), Signal(slots)
        turn, took = Signal(), Signal()
        hands = [Signal(slots, name=f"hand_{hand}") for hand in range(2)]
        places = [Signal(SLOT_BITS, init=slots, name=f"place_{hand}") for hand in range(2)]
        filled, filled_next, fills = Signal(2), Signal(2), Signal(2)
        empty = ~filled | Cat(took & turn, took & ~turn)
        m.d.comb += [
            # of two empty hands, the one whose turn it is
            fills.eq(empty & ~(Cat(turn, ~turn) & Cat(empty[1], empty[0]))),
            filled_next.eq((filled & ~empty) | (fills & free.any().replicate(2))),
            chosen.eq(lowest(free) & fills.any().replicate(slots)),
            self.next.eq(Mux(turn, *reversed(hands))),
            self.index.eq(Mux(turn, *reversed(places))),
        ]
        for hand in range(2):
            with m.If(empty[hand]):
                given = chosen & fills[hand].replicate(slots)
                m.d.sync += [hands[hand].eq(given),
                             places[hand].eq(Mux(filled_next[hand], one_hot_index(given), slots))]
        m.d.sync += [
            took.eq(self.take), turn.eq(turn ^ self.take), filled.eq(filled_next),
            self.some.eq(Mux(turn ^ self.take, filled_next[1], filled_next[0])),
            free.eq(free & ~chosen | self.released),
        ]

        chose = Signal()
        m.d.sync += [
            chose.eq(self.ripe.any() & ~chose),
            self.released.eq(lowest(self.ripe) & (~chose).replicate(slots)),
            self.returned.valid.eq(self.released.any()),
            self.returned.payload.eq(one_of(self.released, self.owners)),
        ]
        return m
