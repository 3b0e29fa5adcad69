"""The life of one walk slot (MSHR).

::

    free ── taken ──> walking ── finished ──> decided ── its grant can be found ──> settled
     ^                                           └──────────── (a fault) ─────────────┘ │
     └───────── no claim is left, its owner is answered, its last burst is over ────────┘
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.contract import require
from ..pipeline.sizes import PORT_BITS, WAY_BITS
from ..pipeline.timetable import Stage

__all__ = ["Slot", "SlotEvents", "SlotTaking"]

#: Cycles for which a slot has to be settled before it is released: an operation that found it
#: joinable just before, in MATCH, joins in OUTCOME, and its claim is counted in the next cycle.
RESTED = Stage.OUTCOME - Stage.MATCH + 1


class SlotTaking(data.Struct):
    """What a slot keeps of the operation that takes it."""

    port: PORT_BITS
    way: WAY_BITS           # where the second level has room for its line
    owned: 1                # the operation waits for the walk: it is not speculative
    multi_page: 1
    prefetches: 1


class SlotEvents(data.Struct):
    """What happens to a slot in a cycle."""

    next: 1                 # it is the one to be taken next
    taken: 1                # an operation takes the next one
    released: 1             # it is free again from the next cycle on
    restarted: 1            # its walk begins in memory
    finished: 1             # its walk has its outcome:
    granted: 1              # … a grant,
    from_line: 1            # … of a leaf of 4 KiB,
    served: 1               # … which its owner has as well
    filled: 1               # what the first level has of it is found by every look-up in flight
    answered: 1             # its owner's answer is under way
    joined: 1
    left: 1                 # an operation has passed with its claim
    reading: 1              # a burst of its walk is under way
    flush: 1


class Slot(wiring.Component):
    """One walk slot.

    Parameters
    ----------
    config : Config

    Members
    -------
    events : In(SlotEvents), taking : In(SlotTaking), join_port : In(PORT_BITS)
    valid, stale, settled, faulty, restarted, speculative, prefetches : Out(1)
        It is in use; its walk began before a flush; later look-ups find what it granted, or it has
        a fault (``faulty``); its walk began in memory; it has no owner; it is a prefetch's.
    owner_waiting, multi_page, from_line : Out(1)
        Its owner has no answer yet; asks for several pages; its grant is of a leaf of 4 KiB.
    ripe : Out(1)
        It may be released.
    overdue : Out(ports)
        Ports that may have claims on it although it is settled.
    port, way : Out
        Whose it is; where the second level has room for its line.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "events": In(SlotEvents),
            "taking": In(SlotTaking),
            "join_port": In(PORT_BITS),
            "valid": Out(1),
            "stale": Out(1),
            "settled": Out(1),
            "faulty": Out(1),
            "restarted": Out(1),
            "speculative": Out(1),
            "prefetches": Out(1),
            "owner_waiting": Out(1),
            "multi_page": Out(1),
            "from_line": Out(1),
            "ripe": Out(1),
            "overdue": Out(config.requesters),
            "port": Out(PORT_BITS),
            "way": Out(WAY_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        events, taking = self.events, self.taking
        fault = Signal()
        m.d.comb += self.faulty.eq(fault & self.settled)

        with m.If(events.answered):
            m.d.sync += self.owner_waiting.eq(0)
        with m.If(events.restarted):
            m.d.sync += self.restarted.eq(1)
        with m.If(events.finished):
            m.d.sync += [fault.eq(~events.granted), self.settled.eq(~events.granted),
                         self.from_line.eq(events.from_line)]
            with m.If(events.served):
                m.d.sync += self.owner_waiting.eq(0)
        with m.If(events.filled):
            m.d.sync += self.settled.eq(1)
        claimed = self._claims(m)
        with m.If(events.flush):
            m.d.sync += self.stale.eq(1)
        # The slot to be taken next is made ready for any operation: ``valid`` alone says that one
        # has come.
        with m.If(events.next):
            m.d.sync += [
                self.way.eq(taking.way), self.port.eq(taking.port), self.stale.eq(0),
                self.settled.eq(0), fault.eq(0), self.restarted.eq(0),
                self.owner_waiting.eq(taking.owned), self.speculative.eq(~taking.owned),
                self.multi_page.eq(taking.multi_page), self.prefetches.eq(taking.prefetches),
            ]
        m.d.sync += self.valid.eq((self.valid & ~events.released) | (events.next & events.taken))
        self._ripen(m, claimed)
        return m

    def _claims(self, m):
        """Counts the operations that wait for the slot, and keeps of which ports they are."""
        events, ports = self.events, self._config.requesters
        claims, claimed = Signal(range(ports * self._config.port_depth + 1)), Signal()
        m.d.sync += [claims.eq(claims + events.joined - events.left), claimed.eq(claims.any())]
        joined = Signal(ports)
        with m.If(events.joined):
            m.d.sync += joined.eq(joined | 1 << self.join_port)
        with m.Elif(~claims.any()):
            m.d.sync += joined.eq(0)
        m.d.comb += self.overdue.eq(joined & (self.settled & claimed).replicate(ports))
        require(m, ~events.joined | self.valid, "an operation joins a slot that is in use")
        require(m, ~events.left | claims.any(), "an operation leaves that had a claim")
        require(m, ~(events.released & (claims.any() | events.joined)),
                "a slot that is released has no claim on it")
        return claimed

    def _ripen(self, m, claimed):
        """A slot in use is released when nothing needs it any more."""
        rested = Signal(RESTED)
        m.d.sync += [
            rested.eq(Cat(self.settled, rested[:-1] & self.settled.replicate(RESTED - 1))),
            self.ripe.eq(self.valid & ~self.events.released & self.settled & rested.all()
                         & ~self.owner_waiting & ~claimed & ~self.events.reading),
        ]
