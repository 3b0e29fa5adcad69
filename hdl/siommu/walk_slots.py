"""The miss status holding registers (MSHRs): which walks are under way, for what, and how far.

A slot's life::

    free ── allocated ──> walking ── finished ──> done ── queue empty ──> free
                             ^                      │
                             └──── begun again ─────┘

Requests of equal key join the slot and wait in its queue. A grant answers all of them. A fault
answers those that had joined before the walk's first read (they are *in time*): the tables may
have been given what is missing before a later one was sent, so for those the walk begins again,
trusting no cache (§4, "only memory denies").
"""

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .bundles import SLOT_BITS, WalkKey
from .config import Config

__all__ = ["WalkSlots"]


class WalkSlots(wiring.Component):
    """Bookkeeping of the walk slots; the operations themselves wait in queues elsewhere.

    Parameters
    ----------
    config : Config
    names : int
        Bits of the names that the queues give to their elements.

    Members
    -------
    lookup : In(WalkKey)
        Compared with all slots in every cycle.
    match : Out(walks)
        Slots that the key of the cycle before can join.
    open : Out(walks)
        Slots that can be joined at all: a match counts only while its slot is open.
    free : Out(walks)
    allocate : In(walks), key : In(WalkKey)
        One-hot: takes a free slot for ``key``.
    join : In(walks)
        One-hot: an operation is put into the slot's queue in this cycle.
    started : In(1), started_slot : In(SLOT_BITS)
        The walk begins in this cycle.
    finished : In(1), finished_slot : In(SLOT_BITS), granted : In(1)
        The walk has ended in this cycle.
    waiting : In(walks), first, last : In(ArrayLayout)
        State of the slots' queues.
    popped : In(walks)
        One-hot: the first of the slot's queue is taken in this cycle, to be answered.
    drain : Out(walks)
        Slots whose first waiting operation can be answered.
    again : Out(walks), renew : In(walks)
        Slots whose walk must begin again; ``renew`` (one-hot) does so.
    fill : Out(walks), filled : In(walks)
        Slots whose grant is not yet in the TLB, until ``filled``.
    stale : Out(walks)
        Slots whose walk began before the last flush: not to be joined, nor cached.
    flush : In(1)
    """

    def __init__(self, config: Config, names):
        walks = self._walks = config.walks
        queue_ends = data.ArrayLayout(unsigned(names), walks)
        self._names = names
        super().__init__({
            "lookup": In(WalkKey),
            "match": Out(walks),
            "open": Out(walks),
            "free": Out(walks),
            "allocate": In(walks),
            "key": In(WalkKey),
            "keys": Out(data.ArrayLayout(WalkKey, walks)),
            "join": In(walks),
            "started": In(1),
            "started_slot": In(SLOT_BITS),
            "finished": In(1),
            "finished_slot": In(SLOT_BITS),
            "granted": In(1),
            "waiting": In(walks),
            "first": In(queue_ends),
            "last": In(queue_ends),
            "popped": In(walks),
            "drain": Out(walks),
            "again": Out(walks),
            "renew": In(walks),
            "fill": Out(walks),
            "filled": In(walks),
            "stale": Out(walks),
            "flush": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        for index in range(self._walks):
            valid = Signal(name=f"valid_{index}")
            done = Signal(name=f"done_{index}")
            granted = Signal(name=f"granted_{index}")
            mark = Signal(self._names, name=f"mark_{index}")  # the last that is in time
            late = Signal(name=f"late_{index}")               # those in time are answered
            stale, fill, key = self.stale[index], self.fill[index], self.keys[index]
            waiting, popped = self.waiting[index], self.popped[index]
            release = Signal(name=f"release_{index}")

            m.d.comb += [
                self.open[index].eq(valid & ~stale),
                self.free[index].eq(~valid),
                self.drain[index].eq(done & waiting & (granted | ~late)),
                self.again[index].eq(done & waiting & ~granted & late),
                release.eq(valid & done & ~waiting & ~fill & ~self.join[index]),
            ]
            m.d.sync += self.match[index].eq(valid & ~stale & (key == self.lookup))
            with m.If(self.allocate[index]):
                m.d.sync += [valid.eq(1), done.eq(0), stale.eq(0), fill.eq(0), key.eq(self.key)]
            with m.Elif(release):
                m.d.sync += valid.eq(0)
            with m.If(self.flush & ~self.allocate[index]):
                m.d.sync += stale.eq(1)

            with m.If(self.started & (self.started_slot == index)):
                m.d.sync += [mark.eq(self.last[index]), late.eq(0)]
            with m.If(popped & (self.first[index] == mark)):
                m.d.sync += late.eq(1)
            with m.If(self.finished & (self.finished_slot == index)):
                m.d.sync += [done.eq(1), granted.eq(self.granted),
                             fill.eq(self.granted & ~stale & ~self.flush)]
            with m.If(self.renew[index]):
                m.d.sync += done.eq(0)
            with m.If(self.filled[index]):
                m.d.sync += fill.eq(0)
        return m
