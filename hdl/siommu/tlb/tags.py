"""The tags of the first-level TLB: all of them are compared with one key in every cycle."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.choose import lowest
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.keys import TlbKey
from ..pipeline.sizes import LINE_BITS, LINE_PAGES
from .entry import BANK, KeyFields, Tag, equal_fields, overlapping

__all__ = ["Compared", "TagArray", "TagChange", "near_entries"]


class Compared(wiring.Signature):
    """What the compare stage found of each entry, in the select stage: registers.

    Parameters
    ----------
    entries : int

    Members
    -------
    matches : Out(entries)
        It holds the page that was asked for.
    allows : Out(entries)
        Its rights allow what was asked for.
    equal : Out(ArrayLayout(KeyFields, entries))
        In which fields its key is the one that was compared.
    shares : Out(entries)
        It has a page of the line in common with the fill, or the operation is a drop.
    low : Out(ArrayLayout(LINE_BITS, entries))
        The lowest bits of its base.
    free : Out(entries), full : Out(1)
        One-hot: the first empty entry; there is none.
    """

    def __init__(self, entries):
        super().__init__({
            "matches": Out(entries),
            "allows": Out(entries),
            "equal": Out(data.ArrayLayout(KeyFields, entries)),
            "shares": Out(entries),
            "low": Out(data.ArrayLayout(LINE_BITS, entries)),
            "free": Out(entries),
            "full": Out(1),
        })


class TagChange(wiring.Signature):
    """What a fill or a drop does to the tags, in TAGS.

    Parameters
    ----------
    config : Config

    Members
    -------
    drops : Out(entries)
        Entries that become empty.
    takes : Out(entries), tag : Out(Tag), commit : Out(1)
        One-hot: the entry that gets ``tag``; it is valid afterwards if ``commit`` is set. Goes
        before ``drops``.
    """

    def __init__(self, config: Config):
        entries = config.tlb_entries
        super().__init__({
            "drops": Out(entries),
            "takes": Out(entries),
            "tag": Out(Tag(config)),
            "commit": Out(1),
        })


class TagArray(wiring.Component):
    """Tags, valid bits and their comparators.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    valid : Signal(entries)
    tags : list of Tag
        The state, for proofs.

    Members
    -------
    key, far_key : In(TlbKey)
        In cycle *n*: what is compared; ``far_key`` is the same for the entries from ``near`` on.
    write : In(1)
        In cycle *n*: the look-up is for a write.
    mask : In(LINE_PAGES), drop : In(1)
        In cycle *n*: pages of a fill; the operation is a drop, which has all pages in common.
    compared : Out(Compared(entries))
        In cycle *n* + 1.
    change : In(TagChange)
        Takes effect in the next cycle.
    flush : In(1)
        In the next cycle every entry is empty, whatever ``change`` says.
    """

    def __init__(self, config: Config):
        entries = config.tlb_entries
        self._config, self._entries, self._near = config, entries, near_entries(entries)
        self.valid = Signal(entries, name="valid")
        self.tags = [Payload(Tag(config), name=f"tag_{index}") for index in range(entries)]
        super().__init__({
            "key": In(TlbKey),
            "far_key": In(TlbKey),
            "write": In(1),
            "mask": In(LINE_PAGES),
            "drop": In(1),
            "compared": Out(Compared(entries)),
            "change": In(TagChange(config)),
            "flush": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        self._compare(m)
        self._change(m)
        return m

    def _compare(self, m):
        # What lies below the granularity of an entry is not looked at.
        compared, match = self.compared, Signal(self._entries)
        equal, shares, allows, low = (payload_of(m, member) for member in (
            compared.equal, compared.shares, compared.allows, compared.low))
        nothing = KeyFields.const({})
        for index, tag in enumerate(self.tags):
            fields = Signal(KeyFields, name=f"equal_{index}")
            key = self.key if index < self._near else self.far_key
            page = key.vpn[:LINE_BITS]
            m.d.comb += [
                *assign(fields, equal_fields(tag, key)),
                match[index].eq(self.valid[index] & overlapping(
                    fields, nothing, tag.mask.bit_select(page, 1))),
            ]
            m.d.sync += [
                equal[index].eq(self._found(fields, tag)),
                shares[index].eq((tag.mask & self.mask).any() | self.drop),
                allows[index].eq(Mux(self.write, tag.rights.write & tag.rights.dirty,
                                     tag.rights.read)),
                low[index].eq(tag.low),
            ]
        m.d.sync += [
            compared.matches.eq(match),
            compared.free.eq(lowest(~self.valid)), compared.full.eq(self.valid.all()),
        ]

    def _found(self, fields, tag):
        """What is told of a comparison: the ``fields``, but that a drop for any page of a larger
        leaf finds each GiB of it."""
        if not self._config.riscv_tables:
            return fields
        return KeyFields(Cat(*(
            equal | (self.drop & tag.part) if name == "high" else equal
            for name, equal in ((name, fields[name]) for name, _ in data.Layout.cast(KeyFields)))))

    def _change(self, m):
        change = self.change
        for index, tag in enumerate(self.tags):
            with m.If(change.drops[index]):
                m.d.sync += self.valid[index].eq(0)
            with m.If(change.takes[index]):
                m.d.sync += [tag.eq(change.tag), self.valid[index].eq(change.commit)]
        with m.If(self.flush):
            m.d.sync += self.valid.eq(0)


def near_entries(entries):
    """How many entries compare ``key``; the others compare ``far_key``."""
    return max(BANK, entries // 2)
