"""The unified first-level TLB: a fully associative CAM for FT = 0 and FT = 1.

The tag holds FT, device, PASID and line, so that no translation is ever found by another process,
device or address space, and a bit for each of the line's eight pages: contiguous leaves of equal
rights share one entry. One pipeline serves look-ups and fills::

    compare        select                     answer
    tags, rights   index, entry from RAM      (n + 2): ``hit``, ``outcome``
    (cycle n)      (n + 1)

A fill travels the same pipeline: its compare finds every entry that overlaps it, and its third
stage drops those and writes the new tag. So at most one entry matches a page, whatever the tables
hold. The tag is written in cycle n + 2 and the RAM in n + 3: a look-up that compared before the
tag changed still reads the entry that belonged to the old tag, one that compared after reads the
new one. The rights stand in both: in the tag to decide the match, in the RAM to be answered.

The RAM is in banks, as deep as LUT RAM is: each has its address from few entries.

A page's number is base + page. All of it but the lowest bits is either the base's or one more; the
RAM holds both, and the tags the lowest bits, so that both halves are known at the same time.

Entries hold grants only, and a look-up hits only where the entry allows what is asked: a fault is
never answered from here (§4, "Caches only grant").
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import INDEX_BITS, PFN_BITS, Cause, Size
from ..lib.arithmetic import above, small_sum
from ..lib.choose import lowest, one_hot_index, one_of
from ..lib.payload import Payload, payload_of
from ..lib.plru import TreePlru
from ..pipeline.events import Invalidation
from ..pipeline.grants import Outcome, Rights, Translation
from ..pipeline.keys import TlbKey
from ..pipeline.sizes import LINE_BITS, LINE_PAGES

__all__ = ["BANK", "Spans", "Tlb", "spanned"]

BANK = 16       #: entries in one LUT RAM; more are not near to one register
PIECE = 8       #: bits of a key that two levels of LUT4 compare
PIECES = 3      #: such that a third one puts together


class Spans(data.Struct):
    """Whether a mapping is of everything: in a device, in 1 GiB, in 2 MiB."""

    device: 1
    in_1g: 1
    in_2m: 1


class _Tag(data.Struct):
    key: TlbKey
    mask: LINE_PAGES
    rights: Rights
    spans: Spans                # of the rights' size, for the comparison has no time for it
    low: LINE_BITS              # of the base


class _Fields(data.Struct):
    """Of each field, by the sizes that look at it: two keys agree, or one is of everything."""

    ft: 1
    device: 1
    pasid: 1
    high: 1
    middle: 1
    line: 1


class _Entry(data.Struct):
    high: PFN_BITS - LINE_BITS  # of the base: that of pages before a carry, and behind it
    carried: PFN_BITS - LINE_BITS
    last: LINE_BITS
    rights: Rights


class Tlb(wiring.Component):
    """The first-level TLB.

    Parameters
    ----------
    config : Config

    Members
    -------
    key : In(TlbKey)
        Compared in every cycle.
    far_key : In(TlbKey)
        If there are more entries than one LUT RAM is deep: the same, from registers of its own,
        for half of them. They are too many to be near to one register.
    write : In(1)
        The look-up is for a write.
    fill : In(1), translation : In(Translation)
        The operation in the compare stage is a fill of ``translation`` for the line (or the larger
        mapping, whose mask is of all pages) of ``key``. Two fills must be at least three cycles
        apart.
    commit : In(1)
        Of the fill in the answer stage: it is valid (else it became stale, and leaves the entry
        that it should have gone to empty).
    drop : In(1), invalidation : In(Invalidation)
        The operation in the compare stage drops what the invalidation asks for; ``key`` is its
        device, PASID, FT and first page. At least three cycles away from fills. What lies in the
        same line, 2 MiB or 1 GiB is dropped as well, whichever is the first that holds all pages.
    flush : In(1)
        Drops every entry, the fill in the answer stage included.
    hit : Out(1), outcome : Out(Outcome), last : Out(LINE_BITS)
        Result of the look-up in the answer stage, two cycles after its key. ``last``: of the line,
        the last page of the entry; the outcome's ``extent`` goes there.
    matches : Out
        Of a look-up, in the select stage: the entries that hold the page, at most one.
    """

    def __init__(self, config: Config):
        self._entries = config.tlb_entries
        super().__init__({
            "key": In(TlbKey),
            "write": In(1),
            "fill": In(1),
            "translation": In(Translation),
            "commit": In(1),
            "drop": In(1),
            "invalidation": In(Invalidation),
            "flush": In(1),
            "hit": Out(1),
            "outcome": Out(Outcome),
            "last": Out(LINE_BITS),
            "matches": Out(config.tlb_entries),
            **({"far_key": In(TlbKey)} if config.tlb_entries > BANK else {}),
        })

    def elaborate(self, platform):
        m = Module()
        entries, near = self._entries, max(BANK, self._entries // 2)
        valid = self._valid = Signal(entries)
        tags = self._tags = [Payload(_Tag, name=f"tag_{index}") for index in range(entries)]
        m.submodules.plru = plru = TreePlru(entries)
        banks = [range(entries)[low:low + BANK] for low in range(0, entries, BANK)]
        writes, reads = [], []
        for number, bank in enumerate(banks):
            ram = memory.Memory(shape=_Entry, depth=len(bank), init=[])
            m.submodules[f"ram_{number}"] = ram
            writes.append(ram.write_port())
            reads.append(ram.read_port(domain="comb"))

        # Compare. What lies below the granularity of an entry is not looked at.
        alike = [Payload(_Fields, name=f"alike_{index}") for index in range(entries)]
        match, allows = Signal(entries), Payload(entries)
        shares = Payload(entries)       # a page of the line with the fill, or it is a drop
        low_bits = Payload(data.ArrayLayout(LINE_BITS, entries))     # of the page numbers
        nothing = _Fields.const({})
        for index, tag in enumerate(tags):
            same = Signal(_Fields, name=f"same_{index}")
            key = self.key if index < near else self.far_key
            page = key.vpn[:LINE_BITS]
            m.d.comb += [
                same.ft.eq(tag.key.ft == key.ft),
                same.device.eq(_agreeing(tag.key.device, key.device)),
                same.pasid.eq(_agreeing(tag.key.pasid, key.pasid, tag.spans.device)),
                same.high.eq(_agreeing(Cat(tag.key.vpn[2 * INDEX_BITS:], tag.key.canonical),
                                       Cat(key.vpn[2 * INDEX_BITS:], key.canonical),
                                       tag.spans.device)),
                same.middle.eq(_agreeing(tag.key.vpn[INDEX_BITS:2 * INDEX_BITS],
                                         key.vpn[INDEX_BITS:2 * INDEX_BITS], tag.spans.in_1g)),
                same.line.eq((tag.key.vpn[LINE_BITS:INDEX_BITS] == key.vpn[LINE_BITS:INDEX_BITS])
                             | tag.spans.in_2m),
                match[index].eq(valid[index] & _agree(same, tag.mask.bit_select(page, 1), nothing)),
            ]
            m.d.sync += [
                alike[index].eq(same),
                shares[index].eq((tag.mask & self.translation.mask).any() | self.drop),
                allows[index].eq(Mux(self.write, tag.rights.write & tag.rights.dirty,
                                     tag.rights.read)),
                low_bits[index].eq(tag.low),
            ]

        # Select. Any entry may be replaced: that the free one was found in the cycle before, and
        # that the last touches are not yet counted, does not matter.
        select_fill, select_tag, select_entry = Signal(), Payload(_Tag), Payload(_Entry)
        select_drop = Signal()
        select_page, filled = Payload(LINE_BITS), self.translation
        free, full = Signal(entries), Signal()
        overlaps, replaces, found = Signal(entries), Signal(entries), Signal(_Entry)
        low = Cat((self.matches & Cat(bits[place] for bits in low_bits)).any()
                  for place in range(LINE_BITS))
        m.d.sync += [
            self.matches.eq(match),
            select_fill.eq(self.fill), select_drop.eq(self.drop),
            select_tag.key.eq(self.key),
            select_tag.mask.eq(filled.mask),
            select_tag.rights.eq(filled.rights),
            *(select_tag.spans[name].eq(value)
              for name, value in spanned(filled.rights.size).items()),
            select_tag.low.eq(filled.base[:LINE_BITS]),
            select_entry.high.eq(filled.base[LINE_BITS:]),
            select_entry.last.eq(filled.last),
            select_entry.rights.eq(filled.rights),
            select_page.eq(self.key.vpn[:LINE_BITS]),
            free.eq(lowest(~valid)),
            full.eq(valid.all()),
        ]
        # In which fields the fill or the drop is of everything. The complement for the entries that
        # are far, for synthesis would make one of two equal registers.
        asked = self.invalidation
        whole = spanned(filled.rights.size)
        everything = Mux(
            self.fill,
            Cat(0, 0, whole["device"], whole["device"], whole["in_1g"], whole["in_2m"]),
            Cat(~asked.by_ft, ~asked.by_device, ~asked.by_pasid,
                *(~asked.by_addr | above(asked.n, bits) for bits in (
                    2 * INDEX_BITS, INDEX_BITS, LINE_BITS))))
        any_, complement = Payload(_Fields), Payload(_Fields)
        m.d.sync += [any_.eq(everything), complement.eq(~everything)]
        for index in range(entries):
            fields = any_ if index < near else data.View(_Fields, ~complement.as_value())
            m.d.comb += overlaps[index].eq(_agree(alike[index], shares[index], fields))
        m.d.comb += [
            *(read.addr.eq(one_hot_index(self.matches[bank.start:bank.stop]))
              for bank, read in zip(banks, reads)),
            found.eq(one_of([self.matches[bank.start:bank.stop].any() for bank in banks],
                            [read.data for read in reads])),
            replaces.eq(Mux(full, plru.victims, free)),
        ]

        # Answer.
        hit, fill, index = Signal(), Signal(), Payload(range(entries))
        new_tag, entry, answer_page = Payload(_Tag), Payload(_Entry), Payload(LINE_BITS)
        drops, takes, replaced = Signal(entries), Signal(entries), Signal(range(entries))
        lowest_bits = Payload(LINE_BITS + 1)    # of the page's number, and their carry
        last, rights = payload_of(m, self.last), Payload(Rights)
        high, next_high = (Payload(PFN_BITS - LINE_BITS) for _ in range(2))
        written, place = Payload(_Entry), Payload(range(entries))
        m.d.sync += [
            hit.eq((self.matches & allows).any() & ~select_fill & ~select_drop),
            index.eq(one_hot_index(self.matches)), answer_page.eq(select_page),
            lowest_bits.eq(small_sum(low, select_page)),
            next_high.eq(found.carried), high.eq(found.high),
            last.eq(found.last), rights.eq(found.rights),
            fill.eq(select_fill), new_tag.eq(select_tag), entry.eq(select_entry),
            entry.carried.eq(select_entry.high + 1),
            drops.eq(overlaps & (select_fill | select_drop).replicate(entries)),
            takes.eq(replaces & select_fill.replicate(entries)),
        ]
        m.d.comb += [
            replaced.eq(one_hot_index(takes)),
            self.hit.eq(hit),
            self.outcome.cause.eq(Cause.OK),
            self.outcome.rights.eq(rights),
            # of a larger mapping these bits have no meaning
            self.outcome.pfn.eq(Cat(lowest_bits[:LINE_BITS],
                                    Mux(lowest_bits[LINE_BITS], next_high, high))),
            self.outcome.extent.eq(last - answer_page),
        ]

        # Write: the tag now, the rest in the next cycle.
        for number, tag in enumerate(tags):
            with m.If(drops[number]):
                m.d.sync += valid[number].eq(0)
            with m.If(takes[number]):
                m.d.sync += [tag.eq(new_tag), valid[number].eq(self.commit)]
        with m.If(self.flush):
            m.d.sync += valid.eq(0)
        m.d.sync += [
            *(write.en.eq(takes[bank.start:bank.stop].any())
              for bank, write in zip(banks, writes)),
            place.eq(replaced), written.eq(entry),
            plru.touch.eq(hit | fill), plru.touched.eq(Mux(fill, replaced, index)),
        ]
        for write in writes:
            m.d.comb += [write.addr.eq(place), write.data.eq(written)]
        return m


def _agreeing(one, other, anyway=C(0, 1)):
    """Whether two values agree, or ``anyway``."""
    pieces = [one[low:low + PIECE] == other[low:low + PIECE] for low in range(0, len(one), PIECE)]
    return Cat(Cat(pieces[first:first + PIECES]).all() | anyway
               for first in range(0, len(pieces), PIECES)).all()


def spanned(size):
    """Fields of the :class:`Spans` of a mapping of ``size``."""
    return {name: size.as_value() >= least.value for name, least in (
        ("device", Size.BYPASS), ("in_1g", Size.PAGE_1G), ("in_2m", Size.PAGE_2M))}


def _agree(alike, page, any_):
    """Whether a mapping overlaps what is of everything in the fields ``any_``, if their keys are
    ``alike`` and they have a ``page`` of a line in common."""
    return ((alike.ft | any_.ft) & (alike.device | any_.device) & (alike.pasid | any_.pasid)
            & (alike.high | any_.high) & (alike.middle | any_.middle)
            & (alike.line | any_.line) & page)
