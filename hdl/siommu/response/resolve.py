"""From an outcome to a response beat: the run, its address, and what is left of the request.

Both ways out of the core, the hit path and the miss path, answer with this one piece of logic, so
that a hit and a walk cannot differ in what they report (§2.1 rules a to c, §4 step 7).
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import INDEX_BITS, PAGE_SHIFT, PAGES_BITS, PFN_BITS, Cause, Response, Size
from ..pipeline.grants import GibNumber, Outcome
from ..pipeline.operation import Operation
from ..pipeline.sizes import LINE_BITS

__all__ = ["Lengths", "lengths", "ends_by", "Mapped", "mapped", "Resolver", "rest_of"]


class Lengths(data.Struct):
    """How far an operation goes: over more pages than a line has (``line``), behind the 2 MiB and
    the 1 GiB that its first page lies in. Without ``line``, ``end`` is its last page, counted from
    the beginning of the first one's line."""

    end: LINE_BITS + 1
    line: 1
    page_2m: 1
    page_1g: 1


def lengths(operation):
    """Fields of the :class:`Lengths` of an operation. They need no outcome, so they are found in
    the cycle before it."""
    page = operation.addr[PAGE_SHIFT:]
    behind_2m = (operation.pages + page[:INDEX_BITS])[INDEX_BITS]
    return {"end": page[:LINE_BITS] + operation.pages[:LINE_BITS],
            "line": operation.pages[LINE_BITS:].any(), "page_2m": behind_2m,
            "page_1g": behind_2m & page[INDEX_BITS:2 * INDEX_BITS].all()}


def ends_by(known, last):
    """Whether an operation of the :class:`Lengths` ``known`` that is for no more pages than a line
    has does not go behind page ``last`` of the line that its first page lies in."""
    return ~known.end[LINE_BITS] & (known.end[:LINE_BITS] <= last)


class Mapped(data.Struct):
    """What an outcome translates: the bits of an address that lie in 2 MiB, in 1 GiB, and above;
    ``granted``: it is no fault."""

    granted: 1
    in_2m: 1
    in_1g: 1
    above: 1


def mapped(outcome):
    """Fields of the :class:`Mapped` of an outcome."""
    granted, size = outcome.cause == Cause.OK, outcome.rights.size.as_value()
    return {"granted": granted, "in_2m": granted & (size == Size.PAGE_4K.value),
            "in_1g": granted & ~size[1], "above": granted & ~size.all()}


class Resolver(wiring.Component):
    """Composes the response to the first run of an operation. Combinational.

    Parameters
    ----------
    config : Config

    Members
    -------
    operation : In(Operation)
    lengths : In(Lengths)
        Of the operation: :func:`lengths`.
    outcome : In(Outcome), mapped : In(Mapped)
        The decision for the page of ``operation.addr``, and its :func:`mapped`.
    short : In(1)
        If the operation is for no more pages than a line has, it does not go behind the outcome's
        ``extent``.
    beat : Out(Response)
    more : Out(1)
        Pages are left behind this run: the beat is not the request's last.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "operation": In(Operation),
            "lengths": In(Lengths),
            "outcome": In(Outcome),
            "mapped": In(Mapped),
            "short": In(1),
            "beat": Out(Response),
            "more": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        op, outcome, beat = self.operation, self.outcome, self.beat
        granted = self.mapped.granted
        page = op.addr[PAGE_SHIFT:]

        # Of each bit of an address: whether it comes from the mapping. And all comparisons of
        # lengths beside each other, so that the outcome, which comes late, only selects.
        size = outcome.rights.size.as_value()
        translated = [(PAGE_SHIFT + INDEX_BITS, self.mapped.in_2m),
                      (PAGE_SHIFT + 2 * INDEX_BITS, self.mapped.in_1g),
                      (PAGE_SHIFT + PFN_BITS, self.mapped.above)]
        low = PAGE_SHIFT
        m.d.comb += beat.addr[:low].eq(op.addr[:low])
        for high, comes in translated:
            m.d.comb += beat.addr[low:high].eq(Mux(
                comes, outcome.pfn[low - PAGE_SHIFT:high - PAGE_SHIFT], op.addr[low:high]))
            low = high
        m.d.comb += beat.addr[low:].eq(op.addr[low:] & (~comes).replicate(len(op.addr) - low))

        # Pages from the operation's first page to the end of its mapping, minus one.
        to_end = Mux(self.mapped.in_2m, outcome.extent, ~page[:PAGES_BITS])
        few = self.short & ~self.lengths.line
        ends_1g = size == Size.PAGE_1G.value
        if self._config.riscv_tables:       # one GiB of a larger leaf, but for the last
            ends_1g &= ~data.View(GibNumber, outcome.pfn).goes_on
        all_in_run = Signal()
        m.d.comb += [
            all_in_run.eq((few | ~self.mapped.in_2m)
                          & ~(self.lengths.page_2m & (size == Size.PAGE_2M.value))
                          & ~(self.lengths.page_1g & ends_1g)),
            self.more.eq(granted & ~all_in_run),
            beat.tag.eq(op.tag),
            beat.last.eq(~self.more),
            beat.cause.eq(outcome.cause),
            beat.disposition.eq(Mux(granted, 0, outcome.disposition.as_value())),
        ]
        with m.If(granted):
            m.d.comb += [
                beat.pages.eq(Mux(all_in_run, op.pages, to_end)),
                beat.read.eq(outcome.rights.read),
                beat.write.eq(outcome.rights.write),
                beat.size.eq(outcome.rights.size),
            ]
        return m


def rest_of(m, rest, operation, run, continues):
    """Assigns to ``rest`` what waits: if it ``continues``, the operation for the pages of
    ``operation`` behind its first ``run`` + 1; a new beginning, as far as its earlier passes are
    concerned. Else, where ``run`` is 0, the operation as it is."""
    page = operation.addr[PAGE_SHIFT:]
    for name in ("port", "ft", "write", "device", "pasid", "tag"):
        m.d.comb += rest[name].eq(operation[name])
    for name in ("speculative", "reserved", "claims", "in_time", "slot", "tries",
                 "skip_second_level"):
        m.d.comb += rest[name].eq(Mux(continues, 0, operation[name]))
    m.d.comb += [       # that it continues comes late: a carry
        rest.addr.eq(Cat(operation.addr[:PAGE_SHIFT] & (~continues).replicate(PAGE_SHIFT),
                         (Cat(C(1), page) + Cat(continues, run))[1:len(page) + 1])),
        rest.pages.eq((Cat(C(1), operation.pages) + Cat(~continues, ~run))[1:PAGES_BITS + 1]),
    ]
