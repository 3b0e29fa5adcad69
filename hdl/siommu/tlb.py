"""The unified first-level TLB: a fully associative CAM for FT = 0 and FT = 1.

The tag holds FT, device, PASID and page, so that no translation is ever found by another process,
device or address space. One pipeline serves look-ups and fills::

    compare        select            read
    tags, rights   index, size       physical page from RAM
    (cycle n)      (n + 1)           (n + 2): ``hit``, ``outcome``

A fill travels the same pipeline: its compare finds every entry that overlaps it, and its third
stage drops those and writes the new tag. So at most one entry matches a key, whatever the tables
hold. The tag is written in cycle n + 2 and the RAM in n + 4: a look-up that compared before the
tag changed still reads the entry that belonged to the old tag, one that compared after reads the
new one. The rights stand in both: in the tag to decide the match, in the RAM to be answered.

Entries hold grants only, and a look-up hits only where the entry allows what is asked: a fault is
never answered from here (§4, "caches only grant").
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from .bundles import Outcome, TlbKey
from .choose import lowest, one_hot_index
from .config import Config
from .formats import INDEX_BITS, PFN_BITS, Cause, Size
from .plru import TreePlru

__all__ = ["Tlb", "TlbFill"]


class TlbFill(data.Struct):
    """What a fill writes beside the key: the mapping's size and rights."""

    size: Size
    read: 1
    write: 1
    dirty: 1


class _Tag(data.Struct):
    key: TlbKey
    rights: TlbFill


class _Entry(data.Struct):
    pfn: PFN_BITS
    rights: TlbFill


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
    fill : In(1), rights : In(TlbFill)
        The operation in the compare stage is a fill of ``key`` with ``rights``. Two fills must be
        at least three cycles apart.
    commit : In(1)
        Of the fill in the read stage: write it (else it is dropped, because it became stale).
    page : In(PFN_BITS)
        Of the fill that left the read stage one cycle ago: its physical page.
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
            "rights": In(TlbFill),
            "commit": In(1),
            "page": In(PFN_BITS),
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
        match = Signal(entries)
        for index, tag in enumerate(tags):
            agrees = _agrees(tag.key, tag.rights.size, self.key,
                             Mux(self.fill, self.rights.size.as_value(), 0))
            allowed = Mux(self.write, tag.rights.write & tag.rights.dirty, tag.rights.read)
            m.d.comb += match[index].eq(valid[index] & agrees & (allowed | self.fill))

        # Select.
        select_fill, select_tag = Signal(), Signal(_Tag)
        m.d.sync += [
            self.matches.eq(match),
            select_fill.eq(self.fill),
            select_tag.key.eq(self.key),
            select_tag.rights.eq(self.rights),
        ]
        free = lowest(~valid)
        replaced = Signal(range(entries))

        # Read.
        read_hit, read_fill = Signal(), Signal()
        read_index, read_tag, overlap = Signal(range(entries)), Signal(_Tag), Signal(entries)
        m.d.sync += [
            read_hit.eq(self.matches.any() & ~select_fill),
            read_index.eq(one_hot_index(self.matches)),
            read_fill.eq(select_fill),
            read_tag.eq(select_tag),
            overlap.eq(self.matches),
            replaced.eq(Mux(valid.all(), plru.victim, one_hot_index(free))),
        ]
        m.d.comb += [
            ram_read.addr.eq(read_index),
            self.hit.eq(read_hit),
            self.outcome.cause.eq(Cause.OK),
            self.outcome.pfn.eq(ram_read.data.pfn),
            self.outcome.size.eq(ram_read.data.rights.size),
            self.outcome.read.eq(ram_read.data.rights.read),
            self.outcome.write.eq(ram_read.data.rights.write),
            self.outcome.dirty.eq(ram_read.data.rights.dirty),
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
        due, due_index, due_rights = Signal(), Signal(range(entries)), Signal(TlbFill)
        m.d.sync += [due.eq(written), due_index.eq(replaced), due_rights.eq(read_tag.rights)]
        m.d.sync += [
            ram_write.en.eq(due),
            ram_write.addr.eq(due_index),
            ram_write.data.pfn.eq(self.page),
            ram_write.data.rights.eq(due_rights),
        ]

        m.d.comb += plru.touch.eq(read_hit | written)
        m.d.comb += plru.touched.eq(Mux(read_fill, replaced, read_index))
        return m


def _agrees(key, size, other, other_size):
    """Whether two mappings overlap: ``key`` with ``size`` and ``other`` with ``other_size``."""
    size = size.as_value()

    def beyond(limit):  # the field lies below the granularity of one of the two
        return (size >= limit.value) | (other_size >= limit.value)

    low, middle, high = (slice(0, INDEX_BITS), slice(INDEX_BITS, 2 * INDEX_BITS),
                         slice(2 * INDEX_BITS, None))
    return Cat(
        key.ft == other.ft,
        key.device == other.device,
        (key.vpn[low] == other.vpn[low]) | beyond(Size.PAGE_2M),
        (key.vpn[middle] == other.vpn[middle]) | beyond(Size.PAGE_1G),
        (Cat(key.vpn[high], key.pasid, key.canonical)
         == Cat(other.vpn[high], other.pasid, other.canonical)) | beyond(Size.BYPASS),
    ).all()
