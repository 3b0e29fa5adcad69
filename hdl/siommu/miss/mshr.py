"""The miss status holding registers (MSHRs): which walks are under way, for what, and how far.

A slot's life::

    free ── allocated ──> walking ── finished ──> decided ── its grant can be found ──> settled
     ^                                               └──────────── (a fault) ─────────────┘ │
     └───────────── nobody claims it, its owner is answered, its last burst is over ────────┘

The operation that takes a slot is its owner (a look-ahead has none). Others that ask for the same
page or line join: they wait until the slot is settled and look up again. A grant they find in the
TLB. A fault answers those who joined before the walk began in memory (they are *in time*) and ask
for the very same page: the tables may have been given what is missing before a later one was
sent, and a fault must not be old (§4, "only memory denies"). The others get walks of their own, and
so does everybody who joined a slot without an owner: its walk is speculative, and may have ended in
a fault to which a cache led.
"""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.choose import lowest, one_hot_index, one_of
from ..lib.payload import Payload
from ..pipeline.keys import WalkKey, walk_line
from ..pipeline.sizes import LINE_BITS, PORT_BITS, SLOT_BITS, WAY_BITS

__all__ = ["WalkSlots"]


class WalkSlots(wiring.Component):
    """Bookkeeping of the walk slots.

    Parameters
    ----------
    config : Config

    Members
    -------
    lookup : In(WalkKey)
        Compared in every cycle *n* with all slots that were allocated before it.
    strict, hopeless : In(1)
        Of the look-up, in *n* + 1: only slots that walk for the very page are of use; none is.
    newest : In(1)
        In *n* + 1: a slot was allocated in *n*, walks for the line of the look-up, and is of use.
        ``newest_page``: if so, for its very page, and not speculatively.
    taken : Out(slots)
        One-hot: that slot, if there is one.
    joinable, any_joinable, certain : Out
        In *n* + 2: slots that it can join; there are any; slots that walk for its page, have not
        begun in memory and have an owner: who joins them is in time for their fault.
    faulty : Out(slots)
        Slots that are settled with a fault.
    settled : Out(slots)
    next_free : Out(slots), next_index : Out(SLOT_BITS), any_free : Out(1)
        One-hot, and its index: the slot to take next. When none is known to be free, 0, and the
        number of slots.
    allocate : In(1), key : In(WalkKey), port : In(PORT_BITS), way : In(WAY_BITS)
        Takes the next free slot. ``owned``: an operation owns it, ``asks_several``: which
        asks for several pages. ``prefetches``: it is a prefetch's.
    ways : Out
    join : In(slots), join_port : In(PORT_BITS), leave : In(slots)
        One-hot: an operation of the port begins to claim the slot, in the second cycle after
        it was ``joinable``; has passed with its claim.
    overdue : Out(ports)
        Ports that may have claims on settled slots.
    anew : In(1), anew_slot : In(SLOT_BITS)
        The walk has begun in memory.
    finished : In(1), finished_slot : In(SLOT_BITS), granted, granted_by_line : In(1)
        The walk has its outcome; ``granted_by_line``: a grant of a 4 KiB leaf. ``served``: its
        owner has it, too.
    filled : In(1), filled_slot
        No look-up that missed before the first level's fill is still on its way here.
    owed, several, by_line : Out(slots)
        Slots whose owner has no answer yet; whose owner asks for several pages; whose grant is of a
        4 KiB leaf.
    answered : In(1), answered_slot
        The owner's answer is under way.
    reading : In(slots)
        A burst is under way.
    released : Out(1), released_port : Out(PORT_BITS)
        A slot has become free.
    stale : Out(slots)
        Slots whose walk began before the last flush: not to be joined, nor cached.
    outdated : Out(1)
        Any of those is in use.
    busy : Out(1), prefetching : Out(1)
        Any slot is in use; one of a prefetch.
    of_prefetch : Out(slots)
    flush : In(1)
    """

    def __init__(self, config: Config):
        self._config = config
        slots = config.walk_slots
        super().__init__({
            "lookup": In(WalkKey),
            "strict": In(1),
            "hopeless": In(1),
            "newest": In(1),
            "newest_page": In(1),
            "taken": Out(slots),
            "joinable": Out(slots),
            "any_joinable": Out(1),
            "certain": Out(slots),
            "faulty": Out(slots),
            "settled": Out(slots),
            "next_free": Out(slots),
            "next_index": Out(SLOT_BITS),
            "any_free": Out(1),
            "allocate": In(1),
            "key": In(WalkKey),
            "port": In(PORT_BITS),
            "way": In(WAY_BITS),
            "owned": In(1),
            "asks_several": In(1),
            "prefetches": In(1),
            "ways": Out(data.ArrayLayout(WAY_BITS, slots)),
            "join": In(slots),
            "join_port": In(PORT_BITS),
            "overdue": Out(config.requesters),
            "leave": In(slots),
            "anew": In(1),
            "anew_slot": In(SLOT_BITS),
            "finished": In(1),
            "finished_slot": In(SLOT_BITS),
            "granted": In(1),
            "granted_by_line": In(1),
            "served": In(1),
            "filled": In(1),
            "filled_slot": In(SLOT_BITS),
            "owed": Out(slots),
            "several": Out(slots),
            "by_line": Out(slots),
            "answered": In(1),
            "answered_slot": In(SLOT_BITS),
            "reading": In(slots),
            "released": Out(1),
            "released_port": Out(PORT_BITS),
            "stale": Out(slots),
            "outdated": Out(1),
            "busy": Out(1),
            "prefetching": Out(1),
            "of_prefetch": Out(slots),
            "flush": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        slots = config.walk_slots
        valid, ripe = Signal(slots), Signal(slots)
        m.d.sync += [self.busy.eq(valid.any()), self.outdated.eq((valid & self.stale).any()),
                     self.prefetching.eq((valid & self.of_prefetch).any())]

        # Two slots at hand, taken in turn, so that what is taken in a cycle, which is known late,
        # decides but whose ``turn`` it is. The hand that gave one away is filled in the next cycle.
        free, chosen, released = Signal(slots, init=(1 << slots) - 1), Signal(slots), Signal(slots)
        turn, took = Signal(), Signal()
        hands = [Signal(slots, name=f"hand_{hand}") for hand in range(2)]
        places = [Signal(SLOT_BITS, init=slots, name=f"place_{hand}") for hand in range(2)]
        there, then = Signal(2), Signal(2)
        fills = Signal(2)       # the hand whose turn it is before the other one
        empty = ~there | Cat(took & turn, took & ~turn)
        m.d.comb += [
            fills.eq(empty & ~(Cat(turn, ~turn) & Cat(empty[1], empty[0]))),
            then.eq((there & ~empty) | (fills & free.any().replicate(2))),
            chosen.eq(lowest(free) & fills.any().replicate(slots)),
            self.next_free.eq(Mux(turn, *reversed(hands))),
            self.next_index.eq(Mux(turn, *reversed(places))),
        ]
        for hand in range(2):
            with m.If(empty[hand]):
                given = chosen & fills[hand].replicate(slots)
                m.d.sync += [hands[hand].eq(given),
                             places[hand].eq(Mux(then[hand], one_hot_index(given), slots))]
        m.d.sync += [
            took.eq(self.allocate), turn.eq(turn ^ self.allocate), there.eq(then),
            self.any_free.eq(Mux(turn ^ self.allocate, then[1], then[0])),
            free.eq(free & ~chosen | released),
        ]

        # A release takes two cycles: choose one, free it. In the second one it is still ripe.
        ports = data.ArrayLayout(PORT_BITS, slots)
        owners, chose = Signal(ports), Signal()
        m.d.sync += [chose.eq(ripe.any() & ~chose),
                     released.eq(lowest(ripe) & (~chose).replicate(slots)),
                     self.released.eq(released.any()),
                     self.released_port.eq(one_of(released, owners))]

        # What was not in the comparison, because it was allocated meanwhile, is put in.
        joinable, newest = Signal(slots), self.taken & self.newest.replicate(slots)
        m.d.sync += [
            self.taken.eq(self.next_free),
            self.joinable.eq(joinable | newest), self.any_joinable.eq(joinable.any() | self.newest),
        ]
        overdue = []
        for index in range(slots):
            key, way = Payload(WalkKey, name=f"key_{index}"), self.ways[index]
            stale, settled, several = self.stale[index], self.settled[index], self.several[index]
            anew, speculative = Signal(name=f"anew_{index}"), Signal(name=f"speculative_{index}")
            faulty = Signal(name=f"faulty_{index}")
            owed = self.owed[index]
            claims = Signal(range(config.requesters * config.port_depth + 1),
                            name=f"claims_{index}")
            claimed = Signal(name=f"claimed_{index}")
            # Settled for some cycles: nobody joined of late, and all claims are counted.
            rested = Signal(4, name=f"rested_{index}")
            m.d.sync += [
                rested.eq(Cat(settled, rested[:3] & settled.replicate(3))),
                ripe[index].eq(valid[index] & ~released[index] & settled & rested.all() & ~owed
                               & ~claimed & ~self.reading[index]),
            ]

            m.d.comb += self.faulty[index].eq(faulty & settled)
            # The comparison takes two cycles; a key that changes in the first one does not count.
            equal = Payload(len(_pieces(key)), name=f"equal_{index}")
            page_equal, was_valid = (Signal(name=f"{name}_{index}")
                                     for name in ("page_equal", "was_valid"))
            m.d.sync += [
                equal.eq(Cat(own == other for own, other in
                             zip(_pieces(key), _pieces(self.lookup)))),
                page_equal.eq(key.page[:LINE_BITS] == self.lookup.page[:LINE_BITS]),
                was_valid.eq(valid[index]),
            ]
            line = equal.all() & was_valid
            m.d.comb += joinable[index].eq(
                line & ~stale & ~settled & ~self.hopeless
                & ((page_equal & ~anew & ~speculative) | ~self.strict))
            m.d.sync += self.certain[index].eq(
                (newest[index] & self.newest_page) | (line & page_equal & ~anew & ~speculative))

            with m.If(self.answered & (self.answered_slot == index)):
                m.d.sync += owed.eq(0)
            with m.If(self.anew & (self.anew_slot == index)):
                m.d.sync += anew.eq(1)
            with m.If(self.finished & (self.finished_slot == index)):
                m.d.sync += [faulty.eq(~self.granted), settled.eq(~self.granted),
                             self.by_line[index].eq(self.granted_by_line)]
                with m.If(self.served):
                    m.d.sync += owed.eq(0)
            with m.If(self.filled & (self.filled_slot == index)):
                m.d.sync += settled.eq(1)

            m.d.sync += [claims.eq(claims + self.join[index] - self.leave[index]),
                         claimed.eq(claims.any())]
            joined = Signal(config.requesters, name=f"joined_{index}")
            with m.If(self.join[index]):
                m.d.sync += joined.eq(joined | 1 << self.join_port)
            with m.Elif(~claims.any()):
                m.d.sync += joined.eq(0)
            overdue.append(joined & (settled & claimed).replicate(config.requesters))

            with m.If(self.flush):
                m.d.sync += stale.eq(1)
            # The slot to take next is made ready for whoever comes: only ``valid`` says that
            # somebody did.
            with m.If(self.next_free[index]):
                m.d.sync += [
                    key.eq(self.key), way.eq(self.way), stale.eq(0),
                    settled.eq(0), faulty.eq(0), anew.eq(0), owed.eq(self.owned),
                    speculative.eq(~self.owned), self.of_prefetch[index].eq(self.prefetches),
                    several.eq(self.asks_several), owners[index].eq(self.port),
                ]
            m.d.sync += valid[index].eq((valid[index] & ~released[index])
                                        | (self.next_free[index] & self.allocate))
        m.d.sync += self.overdue.eq(reduce(or_, overdue))
        return m


def _pieces(key):
    """The line that a key is for, in pieces that a cycle compares, and one LUT puts together."""
    line = walk_line(key)
    return [line[low:low + 32] for low in range(0, len(line), 32)]
