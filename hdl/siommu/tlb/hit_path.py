"""The way of a look-up through the first-level TLB, behind the comparison: the entry's row is read,
and its page's number found.

A page's number is base + page. All of it but the lowest bits is either the base's or one more; the
RAM holds both, and the tags the lowest bits, so that both halves are known at the same time.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import PFN_BITS, Cause
from ..lib.arithmetic import small_sum
from ..lib.choose import one_hot_index, one_of
from ..lib.payload import Payload, payload_of
from ..lib.watch import watch
from ..pipeline.grants import Outcome, Rights
from ..pipeline.keys import TlbKey
from ..pipeline.sizes import LINE_BITS
from ..pipeline.timetable import Stage
from .entry import EntryRow, bank_ranges
from .fill_path import RowWrite
from .tags import Compared

__all__ = ["FirstLookUp", "HitPath"]

REGISTERS = 2       #: from the key to the answer: behind the comparison, and behind the row

if Stage.ANSWER - Stage.COMPARE != REGISTERS:
    raise ValueError(f"the first level's hit path has {REGISTERS} registers; the timetable has "
                     f"{Stage.ANSWER - Stage.COMPARE} cycles from COMPARE to ANSWER")


class FirstLookUp(wiring.Signature):
    """A look-up in the first-level TLB, one in every cycle.

    Members
    -------
    key : Out(TlbKey), write : Out(1)
        In the compare stage. ``key`` is that of fills and drops, too.
    far_key : Out(TlbKey)
        The same, from registers of its own, for half of the entries, if there are more than
        ``BANK``: they are too many to be near to one register.
    hit : In(1), outcome : In(Outcome), last : In(LINE_BITS)
        In ANSWER. ``last``: of the line, the last page of the entry;
        the outcome's ``extent`` goes there.
    """

    def __init__(self):
        super().__init__({
            "key": Out(TlbKey),
            "far_key": Out(TlbKey),
            "write": Out(1),
            "hit": In(1),
            "outcome": In(Outcome),
            "last": In(LINE_BITS),
        })


class HitPath(wiring.Component):
    """Reads the matching entry's row, and answers.

    The RAM is in banks, as deep as LUT RAM is: each has its address from few entries.

    Parameters
    ----------
    entries : int

    Members
    -------
    page : In(LINE_BITS)
        In the compare stage: the page of the line that is asked for.
    compared : In(Compared(entries)), changes : In(1)
        In the select stage; ``changes``: the operation there is no look-up.
    row_write : In(RowWrite(entries))
    hit : Out(1), outcome : Out(Outcome), last : Out(LINE_BITS), entry : Out(range(entries))
        In ANSWER: see ``FirstLookUp``; ``entry`` is the one that was hit.
    """

    def __init__(self, entries):
        self._entries = entries
        super().__init__({
            "page": In(LINE_BITS),
            "compared": In(Compared(entries)),
            "changes": In(1),
            "row_write": In(RowWrite(entries)),
            "hit": Out(1),
            "outcome": Out(Outcome),
            "last": Out(LINE_BITS),
            "entry": Out(range(entries)),
        })

    def elaborate(self, platform):
        m = Module()
        compared, matches = self.compared, self.compared.matches
        found = self._read(m)
        page, answer_page = Payload(LINE_BITS), Payload(LINE_BITS)

        # Select.
        base_low = Cat((matches & Cat(bits[place] for bits in compared.low)).any()
                       for place in range(LINE_BITS))
        low_sum = Payload(LINE_BITS + 1)    # lowest bits of the page's number, and their carry
        high, carried = (Payload(PFN_BITS - LINE_BITS, name=name) for name in ("high", "carried"))
        last, rights = payload_of(m, self.last), Payload(Rights)
        entry = payload_of(m, self.entry)
        m.d.sync += [
            page.eq(self.page), answer_page.eq(page),
            self.hit.eq((matches & compared.allows).any() & ~self.changes),
            entry.eq(one_hot_index(matches)),
            low_sum.eq(small_sum(base_low, page)),
            carried.eq(found.carried), high.eq(found.high),
            last.eq(found.last), rights.eq(found.rights),
        ]

        # Answer. Of a larger mapping the lowest bits of the page's number have no meaning.
        m.d.comb += [
            self.outcome.cause.eq(Cause.OK),
            self.outcome.rights.eq(rights),
            self.outcome.pfn.eq(Cat(low_sum[:LINE_BITS], Mux(low_sum[LINE_BITS], carried, high))),
            self.outcome.extent.eq(last - answer_page),
        ]
        return m

    def _read(self, m):
        """The row of the entry that matches."""
        matches, found = self.compared.matches, Signal(EntryRow)
        hits = matches & self.compared.allows & (~self.changes).replicate(self._entries)
        matching, rows = [], []
        for number, bank in enumerate(bank_ranges(self._entries)):
            ram = memory.Memory(shape=EntryRow, depth=len(bank), init=[])
            m.submodules[f"ram_{number}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.row_write.banks[number]),
                write.addr.eq(self.row_write.entry), write.data.eq(self.row_write.row),
                read.addr.eq(one_hot_index(matches[bank.start:bank.stop])),
            ]
            matching.append(matches[bank.start:bank.stop].any())
            rows.append(read.data)
            watch(m, f"watch_{number}", write, read, counts=hits[bank.start:bank.stop].any())
        m.d.comb += found.eq(one_of(matching, rows))
        return found
