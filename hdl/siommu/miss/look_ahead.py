"""Look-ahead: walks for the lines that a long request, or a prefetch, will come to.

When a request of several pages misses in a region whose level-1 table the walk cache knows, silent
operations are sent ahead of it, one for each further line of the request. They take free walk
slots as any miss of the port does, but answer nobody. So the lines are on their way together, and
the request finds them one after the other.

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
from ..pipeline.events import Prefetch
from ..pipeline.operation import Operation
from ..pipeline.sizes import LINE_BITS, PAGE_NUMBER_BITS

__all__ = ["LookAhead", "JOINS_NOBODY"]

JOINS_NOBODY = 3        #: ``tries`` of an operation that walks for itself
#: Cycles without a walk of a prefetch until its last operation, which was decided, has none either.
RESTED = 4


class LookAhead(wiring.Component):
    """Follows one request, or one prefetch, at a time. A prefetch goes first.

    Parameters
    ----------
    config : Config

    Members
    -------
    begin : In(1), operation : In(Operation)
        Look ahead of this operation, unless something is being followed.
    may_walk : In(ports)
        Ports that a free walk slot could be given to.
    prefetch : In(stream.Signature(Prefetch)), prefetched : Out(1)
        What to prefetch; for one cycle, when its last walk has ended.
    silent : Out(stream.Signature(Operation))
        The next look-ahead. After it was taken, ``passed``, ``refused`` or ``stop`` is raised for
        one cycle, and only then the next one is offered.
    passed, refused, stop : In(1), took : In(1)
        The line needs no more (with ``took``: a walk was begun for it); it found no slot and is to
        be sent again; give up.
    abandon : In(1)
        Send no more.
    walking : In(1), walked : In(1), by_line : In(1)
        A prefetch's walks hold slots; one has its outcome, ``by_line``: it read a line.
    leads, prefetches : Out(1)
        The look-ahead that was sent is a prefetch's leader; is a prefetch's.
    active : Out(1)
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "begin": In(1),
            "operation": In(Operation),
            "may_walk": In(config.requesters),
            "prefetch": In(stream.Signature(Prefetch)),
            "prefetched": Out(1),
            "silent": Out(stream.Signature(Operation)),
            "passed": In(1),
            "refused": In(1),
            "stop": In(1),
            "took": In(1),
            "abandon": In(1),
            "walking": In(1),
            "walked": In(1),
            "by_line": In(1),
            "leads": Out(1),
            "prefetches": Out(1),
            "active": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        followed = Payload(Operation)
        line = Payload(PAGE_NUMBER_BITS - LINE_BITS)
        left = Signal(PAGES_BITS - LINE_BITS + 1)       # lines that are not sent yet
        lines, ahead = Signal.like(left), Signal.like(left)
        more = Signal()                                 # left is not 0
        offers = Signal()
        sent, may_walk = Signal(), Signal()
        first, begun = Signal(LINE_BITS), Signal()
        passed, refused, stop = Signal(), Signal(), Signal()
        took, leader_walks = Signal(), Signal()
        m.d.sync += [
            # they come late in their cycle, and nothing is offered before them
            passed.eq(self.passed), refused.eq(self.refused), stop.eq(self.stop),
            took.eq(self.took),
            may_walk.eq((self.may_walk >> followed.port)[0] | self.prefetches),
            offers.eq(more & ~sent & may_walk & ~(offers & self.silent.ready) & ~stop
                      & ~leader_walks & ~self.abandon),
            line.eq(followed.addr[PAGE_SHIFT + LINE_BITS:] + ahead),    # in time for an offer
        ]
        place = Signal(LINE_BITS)       # of less than a line, the first page is walked for
        m.d.comb += [
            place.eq(Mux(self.prefetches, followed.addr[PAGE_SHIFT:], 0)),
            self.silent.valid.eq(offers),
            self.silent.payload.silent.eq(1),
            self.silent.payload.tries.eq(Mux(self.prefetches, JOINS_NOBODY, 0)),
            self.silent.payload.addr.eq(Cat(Const(0, PAGE_SHIFT), place, line)),
        ]
        for name in ("port", "ft", "write", "device", "pasid"):
            m.d.comb += self.silent.payload[name].eq(followed[name])

        with m.If(self.silent.valid & self.silent.ready):
            m.d.sync += sent.eq(1)
        with m.If(passed & sent):
            m.d.sync += [sent.eq(0), ahead.eq(ahead + 1), self.leads.eq(0),
                         leader_walks.eq(self.leads & took)]
            with m.If(more):            # not abandoned meanwhile
                m.d.sync += [left.eq(left - 1), more.eq(left != 1)]
        with m.If(refused):
            m.d.sync += sent.eq(0)
        with m.If(stop):
            m.d.sync += sent.eq(0)
        with m.If(self.walked):
            m.d.sync += leader_walks.eq(0)
        with m.If(stop | self.abandon | (self.walked & leader_walks & ~self.by_line)):
            m.d.sync += [left.eq(0), more.eq(0)]
        self._begin(m, followed, ahead, begun, sent)
        with m.If(begun):
            m.d.sync += [begun.eq(0), left.eq(lines), more.eq(lines.any())]
        m.d.comb += [
            lines.eq(((first + followed.pages) >> LINE_BITS) + self.prefetches),
            first.eq(followed.addr[PAGE_SHIFT:PAGE_SHIFT + LINE_BITS]),
            self.active.eq(more | begun | self.prefetches),
        ]

        rested = Signal(RESTED)
        m.d.sync += rested.eq(Cat(1, rested))
        with m.If(~self.prefetches | more | begun | sent | leader_walks | self.walking):
            m.d.sync += rested.eq(0)
        m.d.comb += self.prefetched.eq(self.prefetches & rested.all())
        with m.If(self.prefetched):
            m.d.sync += [self.prefetches.eq(0), self.leads.eq(0)]
        return m

    def _begin(self, m, followed, ahead, begun, sent):
        content, idle = self.prefetch.payload, Signal()
        m.d.comb += [idle.eq(~self.active & ~sent), self.prefetch.ready.eq(idle)]
        with m.If(idle & self.prefetch.valid):
            m.d.sync += [
                begun.eq(1), ahead.eq(0), self.prefetches.eq(1), self.leads.eq(1),
                followed.port.eq(self._config.ports), followed.write.eq(0),
                followed.addr.eq(content.page << PAGE_SHIFT),
                followed.pages.eq(Cat(content.n > bit for bit in range(PAGES_BITS))),
            ]
            m.d.sync += [followed[name].eq(content[name]) for name in ("ft", "device", "pasid")]
        with m.Elif(idle & self.begin):
            m.d.sync += [begun.eq(1), ahead.eq(1), followed.eq(self.operation)]
