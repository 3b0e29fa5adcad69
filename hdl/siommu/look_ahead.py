"""Look-ahead: walks for the lines that a long request will come to.

When a request of several pages misses in a region whose level-1 table the walk cache knows, silent
operations are sent ahead of it, one for each further line of the request. They take free walk
slots as any miss of the port does, but answer nobody. So the lines are on their way together, and
the request finds them one after the other.
"""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .bundles import LINE_BITS, PAGE_NUMBER_BITS, Operation
from .config import Config
from .formats import PAGE_SHIFT, PAGES_BITS
from .payload import Payload

__all__ = ["LookAhead"]


class LookAhead(wiring.Component):
    """Follows one request at a time.

    Parameters
    ----------
    config : Config

    Members
    -------
    begin : In(1), operation : In(Operation)
        Look ahead of this operation, unless another one is being followed.
    may_walk : In(ports)
        Ports that a free walk slot could be given to.
    silent : Out(stream.Signature(Operation))
        The next look-ahead. After it was taken, ``passed``, ``refused`` or ``stop`` is raised for
        one cycle, and only then the next one is offered.
    passed, refused, stop : In(1)
        The line needs no more; it found no slot and is to be sent again; give up.
    active : Out(1)
    """

    def __init__(self, config: Config):
        super().__init__({
            "begin": In(1),
            "operation": In(Operation),
            "may_walk": In(config.requesters),
            "silent": Out(stream.Signature(Operation)),
            "passed": In(1),
            "refused": In(1),
            "stop": In(1),
            "active": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        followed = Payload(Operation)
        line = Payload(PAGE_NUMBER_BITS - LINE_BITS)
        left = Signal(PAGES_BITS - LINE_BITS + 1)       # further lines
        lines, ahead = Signal.like(left), Signal.like(left)
        more = Signal()                                 # left is not 0
        offers, sent, may_walk = Signal(), Signal(), Signal()
        first, begun = Signal(LINE_BITS), Signal()
        passed, refused, stop = Signal(), Signal(), Signal()
        m.d.sync += [
            # they come late in their cycle, and nothing is offered before them
            passed.eq(self.passed), refused.eq(self.refused), stop.eq(self.stop),
            may_walk.eq((self.may_walk >> followed.port)[0]),
            offers.eq(more & ~sent & may_walk & ~(offers & self.silent.ready) & ~stop),
            line.eq(followed.addr[PAGE_SHIFT + LINE_BITS:] + ahead),    # in time for an offer
        ]
        m.d.comb += [
            self.active.eq(more | begun),
            self.silent.valid.eq(offers),
            self.silent.payload.silent.eq(1),
            self.silent.payload.addr.eq(Cat(Const(0, PAGE_SHIFT + LINE_BITS), line)),
        ]
        for name in ("port", "ft", "write", "device", "pasid"):
            m.d.comb += self.silent.payload[name].eq(followed[name])

        with m.If(self.silent.valid & self.silent.ready):
            m.d.sync += sent.eq(1)
        with m.If(passed & sent):
            m.d.sync += [sent.eq(0), ahead.eq(ahead + 1), left.eq(left - 1)]
            m.d.sync += more.eq(left != 1)
        with m.If(refused):
            m.d.sync += sent.eq(0)
        with m.If(stop):
            m.d.sync += [sent.eq(0), left.eq(0), more.eq(0)]

        with m.If(self.begin & ~self.active & ~sent):
            m.d.sync += [begun.eq(1), followed.eq(self.operation), ahead.eq(1)]
        with m.If(begun):
            m.d.sync += [begun.eq(0), left.eq(lines), more.eq(lines.any())]
        m.d.comb += lines.eq((first + followed.pages) >> LINE_BITS)
        m.d.comb += first.eq(followed.addr[PAGE_SHIFT:PAGE_SHIFT + LINE_BITS])
        return m
