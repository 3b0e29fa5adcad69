"""The walk slots, that is, the miss status holding registers (MSHRs): which walks are under way,
for which page, and how far they are.

The operation that takes a slot is its owner; a speculative one has none. Others that ask for the
same page or line join: they wait until the slot is settled and look up again. A grant they find in
the TLB. A fault answers those that joined before the walk began in memory (they are *in time*) and
ask for the very same page: the tables may have been given what is missing before a later one was
sent, and a fault must not be old (§4, "Caches only grant; only memory denies."). The others get
walks of their own, and so does every operation that joined a slot without an owner: its walk is
speculative, and may have ended in a fault to which a cache led.
"""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.config import Config
from ..lib.event import Event
from ..lib.structs import assign
from ..pipeline.events import SlotEnd, SlotEvent
from ..pipeline.operation import Operation
from ..pipeline.sizes import PORT_BITS, SLOT_BITS, WAY_BITS
from .free_slots import FreeSlots
from .slot import Slot, SlotTaking
from .slot_look_up import SlotLookUp

__all__ = ["SlotStates", "WalkSlots"]


class SlotStates(wiring.Signature):
    """A bit for each slot (see :class:`.slot.Slot`), and its ``ways``; whether any is in use
    (``busy``), of a prefetch (``prefetching``), or of a walk that began before a flush
    (``outdated``): these three a cycle later."""

    def __init__(self, slots):
        super().__init__({
            **{name: Out(slots) for name in ("settled", "faulty", "stale", "owner_waiting",
                                             "multi_page", "from_line", "prefetches")},
            "ways": Out(data.ArrayLayout(WAY_BITS, slots)),
            "busy": Out(1),
            "prefetching": Out(1),
            "outdated": Out(1),
        })


class WalkSlots(wiring.Component):
    """All slots: the free ones, the look-up, and each one's life.

    Parameters
    ----------
    config : Config

    Members
    -------
    in_compare, in_select, in_match, in_act : In(Operation), joinable, certain, any_joinable : Out
        Of :class:`.slot_look_up.SlotLookUp`.
    takes : In(1), taking : In(SlotTaking)
        The operation in ACT takes the slot ``next_index``.
    next_index : Out(SLOT_BITS), any_free : Out(1)
    returned : Out(Event(PORT_BITS))
        A slot was released in the cycle before.
    restarted, filled, answered : In(SlotEvent), ended : In(SlotEnd), reading : In(slots)
        See :class:`.slot.SlotEvents`.
    join : In(slots), join_port : In(PORT_BITS), leave : In(slots)
        One-hot: an operation of the port begins to claim the slot, in the second cycle after
        it was ``joinable``; has passed with its claim.
    overdue : Out(ports)
        Ports that may have claims on settled slots. A cycle later.
    states : Out(SlotStates)
    flush : In(1)
        Every walk becomes stale.
    """

    def __init__(self, config: Config):
        self._config = config
        slots = config.walk_slots
        super().__init__({
            "in_compare": In(Operation),
            "in_select": In(Operation),
            "in_match": In(Operation),
            "in_act": In(Operation),
            "joinable": Out(slots),
            "certain": Out(slots),
            "any_joinable": Out(1),
            "takes": In(1),
            "taking": In(SlotTaking),
            "next_index": Out(SLOT_BITS),
            "any_free": Out(1),
            "returned": Out(Event(PORT_BITS)),
            "restarted": In(SlotEvent),
            "filled": In(SlotEvent),
            "answered": In(SlotEvent),
            "ended": In(SlotEnd),
            "claims": In(wiring.Signature({"join": Out(slots), "join_port": Out(PORT_BITS),
                                           "leave": Out(slots),
                                           "overdue": In(config.requesters)})),
            "reading": In(slots),
            "states": Out(SlotStates(slots)),
            "flush": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, states = self._config, self.states
        m.submodules.free = free = FreeSlots(config)
        m.submodules.look_up = look_up = SlotLookUp(config)
        slots = [Slot(config) for _ in range(config.walk_slots)]
        for index, slot in enumerate(slots):
            m.submodules[f"slot_{index}"] = slot
            m.d.comb += [
                slot.taking.eq(self.taking), slot.join_port.eq(self.claims.join_port),
                *assign(slot.events, self._events(free, index)),
                states.ways[index].eq(slot.way), free.owners[index].eq(slot.port),
            ]

        def every(name):
            return Cat(getattr(slot, name) for slot in slots)
        valid = Signal(len(slots))
        m.d.comb += [
            *(getattr(states, name).eq(every(name)) for name in (
                "settled", "faulty", "stale", "owner_waiting", "multi_page", "from_line",
                "prefetches")),
            valid.eq(every("valid")), free.ripe.eq(every("ripe")), free.take.eq(self.takes),
            self.next_index.eq(free.index), self.any_free.eq(free.some),
        ]
        connect(m, free.returned, flipped(self.returned))
        m.d.sync += [
            states.busy.eq(valid.any()), states.outdated.eq((valid & states.stale).any()),
            states.prefetching.eq((valid & states.prefetches).any()),
            self.claims.overdue.eq(reduce(or_, (slot.overdue for slot in slots))),
        ]
        m.d.comb += [
            look_up.in_compare.eq(self.in_compare),
            look_up.in_select.eq(self.in_select), look_up.in_match.eq(self.in_match),
            look_up.in_act.eq(self.in_act), look_up.next.eq(free.next),
            look_up.takes.eq(self.takes), look_up.valid.eq(valid),
            *(getattr(look_up, name).eq(every(name)) for name in (
                "stale", "settled", "restarted", "speculative")),
            self.joinable.eq(look_up.joinable), self.certain.eq(look_up.certain),
            self.any_joinable.eq(look_up.any_joinable),
        ]
        return m

    def _events(self, free, index):
        """Fields of the :class:`.slot.SlotEvents` of the slot ``index``."""
        def of(event):
            return event.valid & (event.slot == index)
        return {
            "next": free.next[index], "taken": self.takes, "released": free.released[index],
            "restarted": of(self.restarted), "finished": of(self.ended),
            "granted": self.ended.granted, "from_line": self.ended.from_line,
            "served": self.ended.served, "filled": of(self.filled),
            "answered": of(self.answered), "joined": self.claims.join[index],
            "left": self.claims.leave[index], "reading": self.reading[index],
            "flush": self.flush,
        }
