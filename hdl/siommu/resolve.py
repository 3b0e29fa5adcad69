"""From an outcome to a response beat: the run, its address, and what is left of the request.

Both ways out of the core, the hit path and the miss path, answer with this one piece of logic, so
that a hit and a walk cannot differ in what they report (§2.1 rules a to c, §4 step 7).
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .bundles import Operation, Outcome
from .formats import INDEX_BITS, PAGES_BITS, PAGE_SHIFT, Cause, Response, Size

__all__ = ["Resolver", "rest_of"]


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
    """

    operation: In(Operation)
    outcome: In(Outcome)
    beat: Out(Response)
    more: Out(1)

    def elaborate(self, platform):
        m = Module()
        op, outcome, beat = self.operation, self.outcome, self.beat
        granted = outcome.cause == Cause.OK
        page = op.addr[PAGE_SHIFT:]

        # Pages from the operation's first page to the end of its mapping, minus one.
        to_end = Signal(2 * INDEX_BITS)
        whole = Signal()        # no end
        physical = Signal(64)
        with m.Switch(outcome.rights.size):
            with m.Case(Size.PAGE_4K):
                m.d.comb += to_end.eq(outcome.extent)
                m.d.comb += physical.eq(Cat(op.addr[:12], outcome.pfn))
            with m.Case(Size.PAGE_2M):
                m.d.comb += to_end.eq(~page[:INDEX_BITS])
                m.d.comb += physical.eq(Cat(op.addr[:21], outcome.pfn[9:]))
            with m.Case(Size.PAGE_1G):
                m.d.comb += to_end.eq(~page[:2 * INDEX_BITS])
                m.d.comb += physical.eq(Cat(op.addr[:30], outcome.pfn[18:]))
            with m.Case(Size.BYPASS):
                m.d.comb += whole.eq(1)
                m.d.comb += physical.eq(op.addr)

        all_in_run = Signal()
        m.d.comb += all_in_run.eq(whole | (op.pages <= to_end))
        m.d.comb += self.more.eq(granted & ~all_in_run)
        m.d.comb += beat.tag.eq(op.tag)
        m.d.comb += beat.last.eq(~self.more)
        m.d.comb += beat.cause.eq(outcome.cause)
        with m.If(granted):
            m.d.comb += [
                beat.addr.eq(physical),
                beat.pages.eq(Mux(all_in_run, op.pages, to_end[:PAGES_BITS])),
                beat.read.eq(outcome.rights.read),
                beat.write.eq(outcome.rights.write),
                beat.size.eq(outcome.rights.size),
            ]
        with m.Else():
            m.d.comb += [
                beat.disposition.eq(outcome.disposition),
                beat.addr.eq(op.addr),
            ]
        return m


def rest_of(m, rest, operation, run):
    """Assigns to ``rest`` the operation for the pages of ``operation`` behind its first
    ``run`` + 1; a new beginning, as far as its earlier passes are concerned."""
    page = operation.addr[PAGE_SHIFT:]
    for name in ("port", "ft", "write", "device", "pasid", "tag"):
        m.d.comb += rest[name].eq(operation[name])
    m.d.comb += [
        rest.addr.eq(Cat(Const(0, PAGE_SHIFT), (page + run + 1)[:len(page)])),
        rest.pages.eq(operation.pages - run - 1),
    ]
