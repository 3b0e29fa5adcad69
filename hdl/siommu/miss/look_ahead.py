"""Look-ahead: walks for the lines that a long request, or a prefetch, will come to.

When a request of several pages misses in a region whose level-1 table the walk cache knows,
speculative operations are sent ahead of it, one for each further line of the request. They take
free walk slots as any miss of the port does, and have no answer. So the lines are on their way
together, and the request finds them one after the other.

A prefetch (§6) is followed in the same way, with two differences. Its first operation, the leader,
walks wherever that may lead; the others follow only if the leader came to a line, and so the walk
cache knows the table. All pages of a prefetch lie in the same 2 MiB, so what the leader finds
absent or refused above level 1, or mapped by a larger page, is the same for all. And an operation
that gets no walk slot waits in line with those of the ports: a prefetch comes to its end under any
traffic. Speculative walks do not begin anew when they find nothing, so no entry is read twice.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGE_SHIFT, PAGES_BITS
from ..lib.payload import Payload
from ..pipeline.boundaries import PrefetchSource
from ..pipeline.operation import JOINS_NOTHING, Operation
from ..pipeline.sizes import LINE_BITS, PAGE_NUMBER_BITS
from .act import Sent

__all__ = ["LookAhead"]

#: Cycles without a walk of a prefetch until its last operation has none either. That a slot was
#: taken is known as late as the verdict, two cycles behind ACT; one more is to spare.
RESTED = 2


class LookAhead(wiring.Component):
    """Follows one request, or one prefetch, at a time. A prefetch goes first.

    Parameters
    ----------
    config : Config

    Members
    -------
    act : In(Sent), operation : In(Operation)
        ``operation`` is in ACT; in the next cycle ``act.looks`` says that it deserves look-aheads.
    may_walk : In(ports)
        Ports that a free walk slot could be given to.
    prefetch : In(PrefetchSource)
        What to prefetch; it is done when its last walk has ended.
    operations : Out(stream.Signature(Operation))
        The next look-ahead. After it was taken there is one verdict, and only then the next one
        is offered.
    abandon : In(1)
        Send no more.
    walking : In(1), walked : In(1), from_line : In(1)
        A prefetch's walks hold slots; one has its outcome, ``from_line``: it read a line.
    active : Out(1)
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "act": In(Sent),
            "operation": In(Operation),
            "may_walk": In(config.requesters),
            "prefetch": In(PrefetchSource),
            "operations": Out(stream.Signature(Operation)),
            "abandon": In(1),
            "walking": In(1),
            "walked": In(1),
            "from_line": In(1),
            "active": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        followed = Payload(Operation)
        left = Signal(PAGES_BITS - LINE_BITS + 1)       # lines that are not sent yet
        lines, ahead = Signal.like(left), Signal.like(left)
        more = Signal()                                 # ``left`` is not 0
        sent, begun, leader_walks = Signal(), Signal(), Signal()
        passed, refused, stop, took = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            # they come late in their cycle, and nothing is offered before them
            passed.eq(self.act.passed), refused.eq(self.act.refused),
            stop.eq(self.act.stop), took.eq(self.act.took),
        ]
        operations = self.operations
        self._offer(m, followed, ahead, more & ~sent & ~stop & ~leader_walks & ~self.abandon)
        with m.If(operations.valid & operations.ready):
            m.d.sync += sent.eq(1)
        with m.If(passed & sent):
            m.d.sync += [sent.eq(0), ahead.eq(ahead + 1), self.act.leads.eq(0),
                         leader_walks.eq(self.act.leads & took)]
            with m.If(more):            # not abandoned meanwhile
                m.d.sync += [left.eq(left - 1), more.eq(left != 1)]
        with m.If(refused | stop):
            m.d.sync += sent.eq(0)
        with m.If(self.walked):
            m.d.sync += leader_walks.eq(0)
        with m.If(stop | self.abandon | (self.walked & leader_walks & ~self.from_line)):
            m.d.sync += [left.eq(0), more.eq(0)]
        self._begin(m, followed, ahead, begun, sent)
        with m.If(begun):
            m.d.sync += [begun.eq(0), left.eq(lines), more.eq(lines.any())]
        first = followed.addr[PAGE_SHIFT:PAGE_SHIFT + LINE_BITS]
        m.d.comb += [
            lines.eq(((first + followed.pages) >> LINE_BITS) + self.act.prefetches),
            self.active.eq(more | begun | self.act.prefetches),
        ]

        rested = Signal(RESTED)
        m.d.sync += rested.eq(Cat(1, rested))
        with m.If(~self.act.prefetches | more | begun | sent | leader_walks | self.walking):
            m.d.sync += rested.eq(0)
        m.d.comb += self.prefetch.done.eq(self.act.prefetches & rested.all())
        with m.If(self.prefetch.done):
            m.d.sync += [self.act.prefetches.eq(0), self.act.leads.eq(0)]
        return m

    def _offer(self, m, followed, ahead, may_offer):
        """The next look-ahead."""
        may_walk, line = Signal(), Payload(PAGE_NUMBER_BITS - LINE_BITS)
        offers, operation = Signal(), self.operations.payload
        place = Signal(LINE_BITS)       # of less than a line, the first page is walked for
        m.d.sync += [
            may_walk.eq((self.may_walk >> followed.port)[0] | self.act.prefetches),
            offers.eq(may_offer & may_walk & ~(offers & self.operations.ready)),
            line.eq(followed.addr[PAGE_SHIFT + LINE_BITS:] + ahead),    # in time for an offer
        ]
        m.d.comb += [
            place.eq(Mux(self.act.prefetches, followed.addr[PAGE_SHIFT:], 0)),
            self.operations.valid.eq(offers), operation.speculative.eq(1),
            operation.tries.eq(Mux(self.act.prefetches, JOINS_NOTHING, 0)),
            operation.addr.eq(Cat(Const(0, PAGE_SHIFT), place, line)),
        ]
        for name in ("port", "ft", "write", "device", "pasid"):
            m.d.comb += operation[name].eq(followed[name])

    def _begin(self, m, followed, ahead, begun, sent):
        """A prefetch, or else a request, to be followed."""
        asked, idle, holds = self.prefetch.asked, Signal(), Signal()
        content = asked.payload
        m.d.sync += holds.eq(0)
        m.d.comb += [idle.eq(~self.active & ~sent), asked.ready.eq(idle)]
        with m.If(idle & asked.valid):
            m.d.sync += [
                begun.eq(1), ahead.eq(0), self.act.prefetches.eq(1), self.act.leads.eq(1),
                followed.port.eq(self._config.ports), followed.write.eq(0),
                followed.addr.eq(content.page << PAGE_SHIFT),
                followed.pages.eq(Cat(content.n > bit for bit in range(PAGES_BITS))),
            ]
            m.d.sync += [followed[name].eq(content[name]) for name in ("ft", "device", "pasid")]
        with m.Elif(idle & holds & self.act.looks):
            m.d.sync += [begun.eq(1), ahead.eq(1)]
        with m.Elif(idle):      # whether it deserves them is known in the next cycle
            m.d.sync += [holds.eq(1), followed.eq(self.operation)]
