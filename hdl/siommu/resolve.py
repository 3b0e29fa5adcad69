"""From an outcome to a response beat: the run, its address, and what is left of the request.

Both ways out of the core, the hit path and the miss path, answer with this one piece of logic, so
that a hit and a walk cannot differ in what they report (§2.1 rules a to c, §4 step 7).
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .bundles import Operation, Outcome
from .formats import INDEX_BITS, PAGES_BITS, PAGE_SHIFT, Cause, Response, Size

__all__ = ["Resolver"]


class Resolver(wiring.Component):
    """Composes the response to the first run of an operation. Combinational.

    Members
    -------
    operation : In(Operation)
    outcome : In(Outcome)
        The decision for the page of ``operation.addr``.
    beat : Out(Response)
    more : Out(1)
        Pages are left behind this run: the beat is not the request's last.
    rest : Out(Operation)
        The operation for those pages. Its ``reserved`` is 0.
    """

    operation: In(Operation)
    outcome: In(Outcome)
    beat: Out(Response)
    more: Out(1)
    rest: Out(Operation)

    def elaborate(self, platform):
        m = Module()
        op, outcome, beat = self.operation, self.outcome, self.beat
        granted = outcome.cause == Cause.OK
        page = op.addr[PAGE_SHIFT:]

        # Pages from the operation's first page to the end of its mapping, minus one.
        to_end_2m = ~page[:INDEX_BITS]
        to_end_1g = ~page[:2 * INDEX_BITS]
        run = Signal(PAGES_BITS)
        physical = Signal(64)
        with m.Switch(outcome.size):
            with m.Case(Size.PAGE_4K):
                m.d.comb += run.eq(0)
                m.d.comb += physical.eq(Cat(op.addr[:12], outcome.pfn))
            with m.Case(Size.PAGE_2M):
                m.d.comb += run.eq(Mux(op.pages < to_end_2m, op.pages, to_end_2m))
                m.d.comb += physical.eq(Cat(op.addr[:21], outcome.pfn[9:]))
            with m.Case(Size.PAGE_1G):
                m.d.comb += run.eq(Mux(op.pages < to_end_1g, op.pages, to_end_1g))
                m.d.comb += physical.eq(Cat(op.addr[:30], outcome.pfn[18:]))
            with m.Case(Size.BYPASS):
                m.d.comb += run.eq(op.pages)
                m.d.comb += physical.eq(op.addr)

        m.d.comb += self.more.eq(granted & (run != op.pages))
        m.d.comb += beat.tag.eq(op.tag)
        m.d.comb += beat.last.eq(~self.more)
        m.d.comb += beat.cause.eq(outcome.cause)
        with m.If(granted):
            m.d.comb += [
                beat.addr.eq(physical),
                beat.pages.eq(run),
                beat.read.eq(outcome.read),
                beat.write.eq(outcome.write),
                beat.size.eq(outcome.size),
            ]
        with m.Else():
            m.d.comb += [
                beat.disposition.eq(outcome.disposition),
                beat.addr.eq(op.addr),
            ]

        m.d.comb += [
            self.rest.eq(op),
            self.rest.reserved.eq(0),
            self.rest.addr.eq(Cat(Const(0, PAGE_SHIFT), (page + run + 1)[:len(page)])),
            self.rest.pages.eq(op.pages - run - 1),
        ]
        return m
