"""Planted faults: small, plausible mistakes in the RTL that some test or proof must notice.

Each replaces one piece of text in one module of ``hdl/siommu``. ``make mutants`` runs the tests
against every one of them; the proofs use some as twins that must fail.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutation", "MUTATIONS", "mutated_tree"]

HDL = Path(__file__).resolve().parent.parent / "hdl"


@dataclass(frozen=True)
class Mutation:
    """``old`` becomes ``new`` in ``module``; ``text`` says what is wrong then."""

    text: str
    module: str
    old: str
    new: str


MUTATIONS = {
    "tag-without-ft": Mutation(
        "FT is not compared in the TLB", "tlb",
        "        key.ft == other.ft,\n", ""),
    "tag-without-device": Mutation(
        "the device is not compared in the TLB", "tlb",
        "        key.device == other.device,\n", ""),
    "tag-without-pasid": Mutation(
        "the PASID is not compared in the TLB", "tlb",
        "(Cat(key.vpn[high], key.pasid, key.canonical)\n"
        "         == Cat(other.vpn[high], other.pasid, other.canonical))",
        "(Cat(key.vpn[high], key.canonical)\n"
        "         == Cat(other.vpn[high], other.canonical))"),
    "tag-without-canonical": Mutation(
        "address bits 63:57 are not looked at in the TLB", "tlb",
        "(Cat(key.vpn[high], key.pasid, key.canonical)\n"
        "         == Cat(other.vpn[high], other.pasid, other.canonical))",
        "(Cat(key.vpn[high], key.pasid)\n"
        "         == Cat(other.vpn[high], other.pasid))"),
    "tag-without-size": Mutation(
        "a 4 KiB entry matches its whole 2 MiB", "tlb",
        "(key.vpn[low] == other.vpn[low]) | beyond(Size.PAGE_2M)",
        "1"),
    "tlb-keeps-overlaps": Mutation(
        "a fill leaves the entries that it overlaps", "tlb",
        "                with m.If(overlap[index]):\n"
        "                    m.d.sync += valid[index].eq(0)\n",
        "                pass\n"),
    "tlb-early-data": Mutation(
        "an entry's page is written together with its tag, under a look-up that compared before",
        "tlb",
        "        m.d.sync += [\n"
        "            ram_write.en.eq(due),\n",
        "        m.d.comb += [\n"
        "            ram_write.en.eq(due),\n"),
    "tlb-ignores-rights": Mutation(
        "a hit does not look at the entry's rights", "tlb",
        "valid[index] & agrees & (allowed | self.fill)", "valid[index] & agrees"),
    "tlb-ignores-dirty": Mutation(
        "a write hits an entry whose D was clear", "tlb",
        "tag.rights.write & tag.rights.dirty", "tag.rights.write"),
    "flush-keeps-tlb": Mutation(
        "a flush leaves the TLB as it is", "tlb",
        "        with m.If(self.flush):\n            m.d.sync += valid.eq(0)\n", ""),
    "write-of-one-level": Mutation(
        "W of the upper levels is ignored", "walk_step",
        "write, no_read = state.write & entry.w,", "write, no_read = entry.w,"),
    "write-of-leaf": Mutation(
        "W of the leaf is ignored", "walk_step",
        "write, no_read = state.write & entry.w,",
        "write, no_read = state.write & (entry.w | leaf),"),
    "no-read-of-one-level": Mutation(
        "NR of the upper levels is ignored", "walk_step",
        "state.no_read | (key.ft & entry.nr)", "key.ft & entry.nr"),
    "devid-unchecked": Mutation(
        "the DEVID of a file table entry is not compared", "walk_step",
        "key.ft & (entry.devid != state.devid)", "key.ft & 0"),
    "ft-unchecked": Mutation(
        "the FT of a leaf is not compared", "walk_step",
        "with m.If(entry.ft != key.ft):", "with m.If(0):"),
    "user-unchecked": Mutation(
        "supervisor entries are let through", "walk_step",
        "with m.Elif(~entry.u):", "with m.Elif(0):"),
    "reserved-of-1g": Mutation(
        "one reserved bit of a 1 GiB leaf is not looked at", "walk_step",
        "(level == 3) & (entry.pfn[1:18] != 0)", "(level == 3) & (entry.pfn[1:17] != 0)"),
    "cached-fault": Mutation(
        "a fault to which a cached context led is reported", "walk_step",
        "again.eq(fault & cached)", "again.eq(0)"),
    "canonical-of-4-levels": Mutation(
        "bit 47 is not looked at when an address is checked", "walk_step",
        "sign48, sign57 = key.page[35:], key.page[44:]",
        "sign48, sign57 = key.page[36:], key.page[44:]"),
    "answer-to-another": Mutation(
        "two walks in flight exchange their outcomes", "miss",
        "answer.addr.eq(one_hot_index(drain))", "answer.addr.eq(one_hot_index(drain) ^ 1)"),
    "joins-other-write": Mutation(
        "a write joins the walk of a read and takes its grant", "walk_slots",
        "valid & ~stale & (key == self.lookup)",
        "valid & ~stale & ((key.as_value() | 2) == (self.lookup.as_value() | 2))"),
    "joins-other-pasid": Mutation(
        "a request joins the walk of another process", "walk_slots",
        "valid & ~stale & (key == self.lookup)",
        "valid & ~stale & ((key.as_value() | 0xFFFFF << 18)"
        " == (self.lookup.as_value() | 0xFFFFF << 18))"),
    "late-fault": Mutation(
        "a fault answers requests that came after the walk had read the tables", "walk_slots",
        "with m.If(popped & (self.first[index] == mark)):", "with m.If(0):"),
    "stale-walk-fills": Mutation(
        "a walk that began before a flush fills the TLB after it", "core",
        "m.d.comb += tlb.commit.eq(~stale)", "m.d.comb += tlb.commit.eq(1)"),
    "stale-context": Mutation(
        "a flush leaves the PASID contexts cached", "core",
        "devices.flush.eq(self.flush), contexts.flush.eq(self.flush),",
        "devices.flush.eq(self.flush),"),
    "context-of-another-pasid": Mutation(
        "cached contexts are found by device and FT alone", "core",
        "            contexts.key.pasid.eq(key.pasid),\n", ""),
    "context-of-another-device": Mutation(
        "cached contexts are found by PASID and FT alone", "core",
        "            contexts.key.device.eq(key.device),\n", ""),
    "device-entry-of-another": Mutation(
        "the cached device entry is taken for every device", "core",
        "            devices.key.eq(key.device),\n", ""),
    "context-of-another-ft": Mutation(
        "cached contexts are found by device and PASID alone", "core",
        "            contexts.key.ft.eq(key.ft),\n", ""),
    "word-to-another-walk": Mutation(
        "a word from memory is given to the walk beside the one that asked", "walker",
        "slot.eq(Mux(word_is_for_us, beat.id, self.start.payload.slot))",
        "slot.eq(Mux(word_is_for_us, beat.id ^ reading.all(), self.start.payload.slot))"),
    "bus-error-ignored": Mutation(
        "a bus error counts as data", "walker",
        "step.error.eq(beat.resp[1])", "step.error.eq(0)"),
    "beats-out-of-order": Mutation(
        "the beats of the miss path overtake those of the hit path", "ports",
        "from_hits.eq(order.r_data[0] & ~second)",
        "from_hits.eq(hits.r_rdy & (~misses.r_rdy | second))"),
    "offer-withdrawn": Mutation(
        "a response is offered only every other cycle, taken or not", "ports",
        "self.port.valid.eq(order.r_rdy & self.enable)",
        "self.port.valid.eq(order.r_rdy & self.enable & used[0])"),
    "read-address-changes": Mutation(
        "a table read's address follows the state instead of the offer", "walker",
        "self.ar.payload.addr.eq(offered.addr)",
        "self.ar.payload.addr.eq(offered.addr ^ (arrived << 3))"),
    "response-changes": Mutation(
        "a register read's data change while they are offered", "registers",
        "m.d.comb += self.ar.ready.eq(~self.r.valid)",
        "m.d.comb += self.ar.ready.eq(1)"),
    "run-too-long": Mutation(
        "a run of a 2 MiB mapping goes one page beyond its end", "resolve",
        "Mux(op.pages < to_end_2m, op.pages, to_end_2m)",
        "Mux(op.pages <= to_end_2m, op.pages, to_end_2m + 1)"),
    "context-bits": Mutation(
        "the storage root's V and L5 are taken from the memory root", "walk_step",
        "with m.If(state.word[0] == ft):", "with m.If(state.word[0] == 0):"),
}


def mutated_tree(name, folder):
    """A copy of ``hdl`` below ``folder`` with the fault ``name`` in it; returns its path.

    Raises
    ------
    ValueError
        The text to replace is not there exactly once: the list above must follow the RTL.
    """
    mutation = MUTATIONS[name]
    tree = Path(folder) / "hdl"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(HDL, tree, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    source = tree / "siommu" / f"{mutation.module}.py"
    text = source.read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(f"mutation {name}: the text to replace stands {text.count(mutation.old)} "
                         f"times in {mutation.module}.py; it must stand there once")
    source.write_text(text.replace(mutation.old, mutation.new))
    return tree
