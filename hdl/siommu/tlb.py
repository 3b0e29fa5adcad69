"""The unified first-level TLB: a fully associative CAM for FT = 0 and FT = 1.

The tag holds FT, device, PASID and line, so that no translation is ever found by another process,
device or address space, and a bit for each of the line's eight pages: contiguous leaves of equal
rights share one entry. One pipeline serves look-ups and fills::

    compare        select            read
    tags, rights   index, size       physical page from RAM
    (cycle n)      (n + 1)           (n + 2): ``hit``, ``outcome``

A fill travels the same pipeline: its compare finds every entry that overlaps it, and its third
stage drops those and writes the new tag. So at most one entry matches a page, whatever the tables
hold. The tag is written in cycle n + 2 and the RAM in n + 4: a look-up that compared before the
tag changed still reads the entry that belonged to the old tag, one that compared after reads the
new one. The rights stand in both: in the tag to decide the match, in the RAM to be answered.

Entries hold grants only, and a look-up hits only where the entry allows what is asked: a fault is
never answered from here (§4, "caches only grant").
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from .bundles import LINE_BITS, LINE_PAGES, Outcome, Rights, TlbKey, Translation
from .choose import lowest, one_hot_index
from .config import Config
from .formats import INDEX_BITS, PFN_BITS, Cause, Size
from .plru import TreePlru

__all__ = ["Tlb"]


class _Tag(data.Struct):
    key: TlbKey
    mask: LINE_PAGES
    rights: Rights


class _Entry(data.Struct):
    base: PFN_BITS
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
    write : In(1)
        The look-up is for a write.
    fill : In(1), translation : In(Translation)
        The operation in the compare stage is a fill of ``translation`` for the line (or the larger
        mapping) of ``key``. Two fills must be at least three cycles apart.
    commit : In(1)
        Of the fill in the read stage: write it (else it is dropped, because it became stale).
    flush : In(1)
        Drops every entry, the fill in the read stage included.
    hit : Out(1), outcome : Out(Outcome)
        Result of the look-up in the read stage, two cycles after its key.
    matches : Out
        The entries that matched in the select stage (at most one for a look-up).
    """

    def __init__(self, config: Config):
        self._entries = config.tlb_entries
        super().__init__({
            "key": In(TlbKey),
            "write": In(1),
            "fill": In(1),
            "translation": In(Translation),
            "commit": In(1),
            "flush": In(1),
            "hit": Out(1),
            "outcome": Out(Outcome),
            "matches": Out(config.tlb_entries),
        })

    def elaborate(self, platform):
        m = Module()
        entries = self._entries
        valid = self._valid = Signal(entries)
        tags = self._tags = [Signal(_Tag, name=f"tag_{index}") for index in range(entries)]
        m.submodules.plru = plru = TreePlru(entries)
        m.submodules.ram = ram = memory.Memory(shape=_Entry, depth=entries, init=[])
        ram_write, ram_read = ram.write_port(), ram.read_port(domain="comb")

        # Compare. A field that the larger of the two mappings does not look at always agrees.
        match, pages = Signal(entries), Signal(LINE_PAGES)
        size = Signal(Size)
        m.d.comb += [
            size.eq(Mux(self.fill, self.translation.rights.size.as_value(), 0)),
            pages.eq(Mux(self.fill, self.translation.mask, 1 << self.key.vpn[:LINE_BITS])),
        ]
        for index, tag in enumerate(tags):
            agrees = _agrees(tag.key, tag.mask, tag.rights.size, self.key, pages, size)
            allowed = Mux(self.write, tag.rights.write & tag.rights.dirty, tag.rights.read)
            m.d.comb += match[index].eq(valid[index] & agrees & (allowed | self.fill))

        # Select.
        select_fill, select_tag, select_entry = Signal(), Signal(_Tag), Signal(_Entry)
        select_page = Signal(LINE_BITS)
        m.d.sync += [
            self.matches.eq(match),
            select_fill.eq(self.fill),
            select_tag.key.eq(self.key),
            select_tag.mask.eq(self.translation.mask),
            select_tag.rights.eq(self.translation.rights),
            select_entry.base.eq(self.translation.base),
            select_entry.last.eq(self.translation.last),
            select_entry.rights.eq(self.translation.rights),
            select_page.eq(self.key.vpn[:LINE_BITS]),
        ]
        free = lowest(~valid)
        replaced = Signal(range(entries))

        # Read.
        read_hit, read_fill = Signal(), Signal()
        read_index, read_tag, overlap = Signal(range(entries)), Signal(_Tag), Signal(entries)
        read_entry, read_page = Signal(_Entry), Signal(LINE_BITS)
        m.d.sync += [
            read_hit.eq(self.matches.any() & ~select_fill),
            read_index.eq(one_hot_index(self.matches)),
            read_fill.eq(select_fill),
            read_tag.eq(select_tag),
            read_entry.eq(select_entry),
            read_page.eq(select_page),
            overlap.eq(self.matches),
            replaced.eq(Mux(valid.all(), plru.victim, one_hot_index(free))),
        ]
        entry = ram_read.data
        m.d.comb += [
            ram_read.addr.eq(read_index),
            self.hit.eq(read_hit),
            self.outcome.cause.eq(Cause.OK),
            self.outcome.rights.eq(entry.rights),
            # of a larger mapping these bits have no meaning
            self.outcome.pfn.eq(entry.base + read_page),
            self.outcome.extent.eq(entry.last - read_page),
        ]

        # Write: the tag now, the rest two cycles later.
        written = Signal()
        m.d.comb += written.eq(read_fill & self.commit & ~self.flush)
        with m.If(written):
            for index in range(entries):
                with m.If(overlap[index]):
                    m.d.sync += valid[index].eq(0)
            for index, tag in enumerate(tags):
                with m.If(replaced == index):
                    m.d.sync += [tag.eq(read_tag), valid[index].eq(1)]
        with m.If(self.flush):
            m.d.sync += valid.eq(0)
        due, due_index, due_entry = Signal(), Signal(range(entries)), Signal(_Entry)
        m.d.sync += [due.eq(written), due_index.eq(replaced), due_entry.eq(read_entry)]
        m.d.sync += [
            ram_write.en.eq(due),
            ram_write.addr.eq(due_index),
            ram_write.data.eq(due_entry),
        ]

        m.d.comb += plru.touch.eq(read_hit | written)
        m.d.comb += plru.touched.eq(Mux(read_fill, replaced, read_index))
        return m


def _agrees(key, mask, size, other, other_mask, other_size):
    """Whether two mappings overlap: ``key`` with ``mask`` and ``size``, and the other one."""
    size, other_size = size.as_value(), other_size.as_value()

    def beyond(limit):  # the field lies below the granularity of one of the two
        return (size >= limit.value) | (other_size >= limit.value)

    line, middle, high = (slice(LINE_BITS, INDEX_BITS), slice(INDEX_BITS, 2 * INDEX_BITS),
                          slice(2 * INDEX_BITS, None))
    return Cat(
        key.ft == other.ft,
        key.device == other.device,
        ((key.vpn[line] == other.vpn[line]) & (mask & other_mask).any()) | beyond(Size.PAGE_2M),
        (key.vpn[middle] == other.vpn[middle]) | beyond(Size.PAGE_1G),
        (Cat(key.vpn[high], key.pasid, key.canonical)
         == Cat(other.vpn[high], other.pasid, other.canonical)) | beyond(Size.BYPASS),
    ).all()
