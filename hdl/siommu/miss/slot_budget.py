"""How many walk slots are free, how many each port holds, and which operation may take one.

No port holds more than ``slots_of_a_port``, so that each other port can always have one. A new miss
takes a slot only while no operation waits for one; otherwise it lines up behind its own port's
misses, and slots that become free are promised to the ports in turn.

Counts are a cycle or two late, because that a slot is taken is known late in its cycle. So while
slots are few (see ``SLOT_UNCOUNTED``), none is given away in the cycle after another one.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.cover import cover
from ..lib.event import Event
from ..pipeline.sizes import PORT_BITS
from ..pipeline.timetable import SLOT_UNCOUNTED

__all__ = ["SlotBudget"]


class SlotBudget(wiring.Component):
    """Counts walk slots.

    Parameters
    ----------
    config : Config

    Members
    -------
    coming : In(1), coming_port : In(PORT_BITS), coming_reserved : In(1)
        An operation is in MATCH, of this port, with a slot promised to it.
    takes : In(1), reserved : In(1)
        The operation in ACT takes a slot; one was promised to it.
    permitted : Out(1)
        The operation in ACT may take a free slot.
    returned : In(Event(PORT_BITS))
        A slot was released.
    wants, promised : In(ports)
        Ports that have operations waiting for a slot; one-hot: one of them leaves with a promise.
    may_promise : Out(ports)
        Ports whose next waiting operation may leave.
    may_take : Out(ports)
        Ports whose new misses may take a slot if nothing changes meanwhile.
    """

    def __init__(self, config: Config):
        self._config = config
        ports = config.requesters
        super().__init__({
            "coming": In(1),
            "coming_port": In(PORT_BITS),
            "coming_reserved": In(1),
            "takes": In(1),
            "reserved": In(1),
            "permitted": Out(1),
            "returned": In(Event(PORT_BITS)),
            "wants": In(ports),
            "promised": In(ports),
            "may_promise": Out(ports),
            "may_take": Out(ports),
        })

    def elaborate(self, platform):
        m = Module()
        ports = self._config.requesters
        # One-hot, of the operation in ACT: its port, if it came with a promise, if without.
        with_promise, without = Signal(ports), Signal(ports)
        promised, took, unused = Signal(ports), Signal(ports), Signal(ports)    # a cycle later
        came = self.coming << self.coming_port
        m.d.sync += [
            with_promise.eq(came & self.coming_reserved.replicate(ports)),
            without.eq(came & (~self.coming_reserved).replicate(ports)),
            promised.eq(self.promised),
            took.eq(without & self.takes.replicate(ports)),
            unused.eq(with_promise & (~self.takes).replicate(ports)),
        ]
        wanted, waiting = Signal(), Signal()    # an operation waits: in the cycle before, in this
        m.d.comb += waiting.eq(self.wants.any())
        m.d.sync += wanted.eq(waiting)
        cover(m, (self.wants & (self.wants - 1)).any(), "walk_slot", "port_that_waits",
              "another_port_that_waits")
        cover(m, waiting & self.coming & ~self.coming_reserved, "walk_slot", "port_that_waits",
              "new_operation")
        some, ample, current = self._free(m, unused)
        may_take_soon = Signal(ports)           # whatever is not counted yet
        for index in range(ports):
            below, far_below = self._load(m, index, promised, took, unused)
            m.d.comb += [
                self.may_promise[index].eq(some & below & current),
                self.may_take[index].eq(some & below & current & ~wanted),
                may_take_soon[index].eq(ample & far_below & ~wanted),
            ]
        now, soon = Signal(), Signal()
        m.d.sync += [
            # an operation that has begun to wait since comes before a new one
            now.eq((self.may_take >> self.coming_port)[0] & ~waiting),
            soon.eq(self.coming_reserved | ((may_take_soon >> self.coming_port)[0] & ~waiting)),
        ]
        m.d.comb += self.permitted.eq(soon | (now & current))
        return m

    def _free(self, m, unused):
        """Slots that are free and not promised: there are some, there are more than may be
        uncounted, and the count is of this cycle."""
        most = self._config.walk_slots
        free, some = Signal(range(most + 1), init=most), Signal(init=1)
        ample, current = Signal(init=most >= SLOT_UNCOUNTED), Signal()
        free_next, back = Signal.like(free), Signal(2)
        taken, given = Signal(), Signal()
        m.d.sync += [
            taken.eq(self.takes & ~self.reserved), given.eq(self.promised.any()),
            # what comes back is counted one cycle later still
            back.eq(self.returned.valid + unused.any()),
        ]
        m.d.comb += [current.eq(~taken & ~given), free_next.eq(free + back - (taken + given))]
        m.d.sync += [free.eq(free_next), some.eq(free_next != 0),
                     ample.eq(free_next >= SLOT_UNCOUNTED)]
        return some, ample, current

    def _load(self, m, index, promised, took, unused):
        """Whether the port holds fewer slots than it may, and whether it will whatever is
        uncounted."""
        limit, most = self._config.slots_of_a_port, self._config.walk_slots
        load = Signal(range(most + 1), name=f"load_{index}")
        load_next = Signal.like(load, name=f"load_next_{index}")
        below = Signal(init=1, name=f"below_{index}")
        far_below = Signal(init=limit >= SLOT_UNCOUNTED, name=f"far_below_{index}")
        back = Signal(2, name=f"back_{index}")
        m.d.sync += [
            back.eq(unused[index] + (self.returned.valid & (self.returned.payload == index))),
            load.eq(load_next), below.eq(load_next < limit),
            far_below.eq(load_next + SLOT_UNCOUNTED <= limit),
        ]
        m.d.comb += load_next.eq(load + (promised[index] + took[index]) - back)
        return below, far_below
