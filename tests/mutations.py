"""Planted faults: small, plausible mistakes in the RTL that some test or proof must notice.

Each replaces one piece of text in one module of ``hdl/siommu``. ``make mutants`` runs the tests
against every one of them; the proofs use some as twins that must fail.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutation", "MUTATIONS", "mutated_tree", "verilog_of"]

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
        "FT is not compared in the TLB", "tlb/entry",
        "\"ft\": tag.key.ft == key.ft,", "\"ft\": C(1),"),
    "tag-without-device": Mutation(
        "the device is not compared in the TLB", "tlb/entry",
        "\"device\": _equal_or(tag.key.device, key.device),", "\"device\": C(1),"),
    "tag-without-pasid": Mutation(
        "the PASID is not compared in the TLB", "tlb/entry",
        "\"pasid\": _equal_or(tag.key.pasid, key.pasid, spans.device),", "\"pasid\": C(1),"),
    "tag-without-canonical": Mutation(
        "address bits 63:57 are not looked at in the TLB", "tlb/entry",
        "Cat(asked[gib:], key.canonical)", "Cat(asked[gib:], tag.key.canonical)"),
    "far-key-late": Mutation(
        "half of the TLB compares the operation before", "request/arbiter",
        "inverted_copy(m, looked_up, name=\"looked_up_n\")",
        "inverted_copy(m, _looked_up(operation), name=\"looked_up_n\")"),
    "slot-given-twice": Mutation(
        "a walk slot that was taken stays at hand", "miss/free_slots",
        "empty = ~filled | Cat(took & turn, took & ~turn)",
        "empty = ~filled"),
    "tlb-keeps-overlaps": Mutation(
        "a fill leaves the entries that it overlaps", "tlb/fill_path",
        "(fills | drops).replicate", "drops.replicate"),
    "tlb-early-data": Mutation(
        "an entry's page is written together with its tag, under a look-up that compared before",
        "tlb/fill_path",
        "        m.d.sync += [\n"
        "            *(enable.eq(change.takes",
        "        m.d.comb += [\n"
        "            *(enable.eq(change.takes"),
    "tlb-ignores-rights": Mutation(
        "a hit does not look at the entry's rights", "tlb/hit_path",
        "hit.eq((matches & compared.allows).any()", "hit.eq(matches.any()"),
    "tlb-ignores-dirty": Mutation(
        "a write hits an entry whose D was clear", "tlb/tags",
        "tag.rights.write & tag.rights.dirty", "tag.rights.write"),
    "flush-keeps-tlb": Mutation(
        "a flush leaves the TLB as it is", "tlb/tags",
        "        with m.If(self.flush):\n            m.d.sync += self.valid.eq(0)\n", ""),
    "write-of-one-level": Mutation(
        "W of the upper levels is ignored", "walk/decode",
        "write, no_read = state.write & entry.write,", "write, no_read = entry.write,"),
    "write-of-leaf": Mutation(
        "W of the leaf is ignored", "walk/decode",
        "write, no_read = state.write & entry.write,",
        "write, no_read = state.write & (entry.write | leaf),"),
    "no-read-of-one-level": Mutation(
        "NR of the upper levels is ignored", "walk/decode",
        "state.write & entry.write, state.no_read | entry.no_read",
        "state.write & entry.write, entry.no_read"),
    "devid-unchecked": Mutation(
        "the DEVID of a file table entry is not compared", "walk/decode",
        "says.file.eq(leaf & key.ft)", "says.file.eq(0)"),
    "ft-unchecked": Mutation(
        "the FT of a leaf is not compared", "walk/decode",
        "leaf & (entry.ft != key.ft)", "leaf & 0"),
    "user-unchecked": Mutation(
        "supervisor entries are let through", "walk/decode",
        "paging & ~entry.user", "paging & 0"),
    "reserved-of-1g": Mutation(
        "one reserved bit of a 1 GiB leaf is not looked at", "walk/entry_x86",
        "entry.pfn[1:INDEX_BITS * (level - 1)] != 0",
        "entry.pfn[1:min(INDEX_BITS * (level - 1), 17)] != 0"),
    "riscv-write-without-read": Mutation(
        "a RISC-V leaf with W and without R is let through", "walk/entry_riscv",
        "(entry.w & ~entry.r) | ", ""),
    "napot-index-forgotten": Mutation(
        "all pages of a NAPOT mapping are at one place", "walk/entry_riscv",
        "low = Mux(entry.n, page[:NAPOT_BITS], entry.pfn[:NAPOT_BITS])",
        "low = entry.pfn[:NAPOT_BITS]"),
    "pointer-with-accessed": Mutation(
        "a RISC-V pointer with A set is let through", "walk/entry_riscv",
        "(entry.u | entry.a | entry.d |", "(entry.u | entry.d |"),
    "misaligned-riscv-leaf": Mutation(
        "one bit that a RISC-V leaf of 1 GiB and more must not have is not looked at",
        "walk/entry_riscv",
        "entry.pfn[:INDEX_BITS * (level - 1)] != 0",
        "entry.pfn[:min(INDEX_BITS * (level - 1), 17)] != 0"),
    "riscv-rights-of-above": Mutation(
        "a RISC-V leaf inherits W from the pointers above it", "walk/entry_riscv",
        "\"write\": ~leaf | entry.w,", "\"write\": entry.w,"),
    "run-behind-a-larger-leaf": Mutation(
        "a run goes on behind a leaf of 512 GiB", "walk/entry_riscv",
        "goes_on = part & ~(in_512g.all() & (~of_256t | in_256t.all()))", "goes_on = part"),
    "larger-leaf-survives": Mutation(
        "an invalidation drops one GiB of a larger leaf and leaves the others", "tlb/tags",
        "equal | (self.drop & tag.part) if", "equal if"),
    "format-of-another-context": Mutation(
        "a walk from a cached level-1 table reads it in the format of whatever context is cached",
        "walk/start",
        "Mux(walk.region_hit, region.entry_format, page_format(context.paging))",
        "page_format(context.paging)"),
    "format-of-the-storage-root": Mutation(
        "a format in the storage table's root is let through", "walk/step",
        "(progress.word == 1) & root.fmt.any()", "(progress.word == 1) & 0"),
    "napot-neighbour-of-another-line": Mutation(
        "a NAPOT page of the upper line is taken for one of the lower line", "walk/neighbours",
        "page = Cat(Const(half, 1), passing.row, above.line)",
        "page = Cat(Const(half, 1), passing.row, Const(0, 1))"),
    "cached-fault": Mutation(
        "a fault to which a cached context led is reported", "walk/step",
        "cached.eq(state.cached & ~state.speculative)", "cached.eq(0)"),
    "absent-by-entry": Mutation(
        "what a context says of absent entries is not looked at", "walk/step",
        "absent = Mux(state.absent.any(), reported(state.absent), entry.disposition)",
        "absent = entry.disposition"),
    "absent-of-files": Mutation(
        "MEM_ABSENT counts for the storage table too", "walk/step",
        "after.absent.eq(Mux(key.ft, 0, denied.mem_absent))", "after.absent.eq(denied.mem_absent)"),
    "canonical-of-4-levels": Mutation(
        "bit 47 is not looked at when an address is checked", "pipeline/paging",
        "_all_equal(page[width - 1 - PAGE_SHIFT:])",
        "_all_equal(page[width - PAGE_SHIFT - (width > 48):])"),
    "tag-without-size": Mutation(
        "a 4 KiB entry matches its whole 2 MiB", "tlb/entry",
        "& (equal.line | covered.line) & shared_page)", ")"),
    "tag-without-mask": Mutation(
        "an entry for a part of a line matches all of it", "tlb/tags",
        "fields, nothing, tag.mask.bit_select(page, 1))", "fields, nothing, 1)"),
    "answer-to-another": Mutation(
        "an owner gets the outcome of the walk beside its own", "miss/unit",
        "store.slot.eq(Mux(join.free, ended.slot,",
        "store.slot.eq(Mux(join.free, ended.slot ^ 1,"),
    "owner-of-another": Mutation(
        "the owner of the walk beside gets an outcome", "miss/unit",
        "store.owner_slot.eq(ended.slot)",
        "store.owner_slot.eq(ended.slot ^ 1)"),
    "one-place": Mutation(
        "two operations that follow each other take the same place in their memory",
        "miss/slot_store", "half.eq(~half)", "half.eq(0)"),
    "key-of-another": Mutation(
        "what a walk found is kept under the key of the walk beside", "miss/slot_store",
        "Mux(lines.reads, lines.coming, ", "Mux(lines.reads, lines.coming ^ 1, "),
    "ends-too-soon": Mutation(
        "an owner is answered as soon as a word of its walk has come", "miss/ended",
        "self.served.eq(self.tried & end.valid & waiting",
        "self.served.eq(self.tried & waiting"),
    "slot-made-ready": Mutation(
        "a request joins the walk whose slot another key was made ready for", "miss/slot_look_up",
        "was_valid.eq(self.valid[index])",
        "was_valid.eq(1)"),
    "joins-other-write": Mutation(
        "a write and a read of a page have equal partial tags", "pipeline/keys",
        '"write": key.write, "line"', '"write": 0, "line"'),
    "joins-other-pasid": Mutation(
        "a page has equal partial tags in all processes", "pipeline/keys",
        "key.pasid[:PARTIAL_BITS][::-1], key.pasid[PARTIAL_BITS:],", ""),
    "joins-stale": Mutation(
        "a request joins a walk that began before a flush", "miss/slot_look_up",
        "line & ~self.stale[index] & ~self.settled[index]",
        "line & ~self.settled[index]"),
    "late-fault": Mutation(
        "a fault answers requests that came after the walk had read the tables",
        "miss/slot_look_up",
        "usable = ~self.restarted[index] & ~self.speculative[index]",
        "usable = ~self.speculative[index]"),
    "speculative-fault": Mutation(
        "a fault of a speculative walk, to which a cache led, answers who joined it",
        "miss/slot_look_up",
        "usable = ~self.restarted[index] & ~self.speculative[index]",
        "usable = ~self.restarted[index]"),
    "newest-is-speculative": Mutation(
        "who follows a look-ahead in the next cycle takes its fault", "miss/slot_look_up",
        "place.eq((select_tag.place == act_tag.place) & owned)",
        "place.eq(select_tag.place == act_tag.place)"),
    "fault-of-a-false-join": Mutation(
        "a joiner of another page, whose partial tag is equal, gets the fault of the slot",
        "miss/rest", "return joined & (unknown | unequal.any())", "return joined & 0"),
    "key-read-by-a-line": Mutation(
        "a joiner is compared with the slot whose line is read meanwhile", "miss/slot_store",
        "self.joined_known.eq(~lines.reads)", "self.joined_known.eq(1)"),
    "block-never-runs": Mutation(
        "a combinational block of one statement runs only when what it reads changes",
        "generate/export", "_with_dummies(module[0])", "module[0]"),
    "prefetch-without-end": Mutation(
        "a prefetch that is given up goes on", "miss/look_ahead",
        "            with m.If(more):            # not abandoned meanwhile\n",
        "            with m.If(1):\n"),
    "empty-line-granted": Mutation(
        "a speculative walk grants what its leaf denies", "walk/step",
        "self.outcome.rights.read.eq(0),", "self.outcome.rights.read.eq(1),"),
    "fault-of-another-page": Mutation(
        "who waits for another page of the line takes the fault", "miss/slot_look_up",
        "| (line & page & usable))",
        "| (line & usable))"),
    "claims-uncounted": Mutation(
        "a slot is freed although operations wait for it", "miss/slot",
        "claimed.eq(claims.any())",
        "claimed.eq(0)"),
    "no-rest": Mutation(
        "a slot is freed while an operation that could still join is on its way", "miss/slot",
        "self.settled & rested.all()",
        "self.settled"),
    "stale-walk-fills": Mutation(
        "a walk that began before a flush fills the TLB after it", "tlb/fill_tracker",
        "self.commit.eq(Mux(before[1], ~stale, live) & ~self.forget)",
        "self.commit.eq(before[1] | live)"),
    "stale-walk-fills-caches": Mutation(
        "a walk that began before a flush fills the context caches after it", "walk/upper_fills",
        "fresh.eq(self.word.valid & ~word.stale & ~self.flush)",
        "fresh.eq(self.word.valid)"),
    "stale-line": Mutation(
        "a line that was read before a flush is kept after it", "tlb/line_record",
        "self.second.keep.eq(second.keep & ~self._is_stale(second.slot))",
        "self.second.keep.eq(second.keep)"),
    "stale-promotion": Mutation(
        "what the second level answered before a flush gets into the first after it",
        "tlb/promotions",
        "        with m.If(self.forget):\n            m.d.sync += request.valid.eq(0)\n",
        ""),
    "late-promotion": Mutation(
        "what was looked up before a flush, and answered after it, gets into the first level",
        "tlb/promotions",
        "taken.eq(came.valid & ~forgets & ~flushes.any())",
        "taken.eq(came.valid & ~forgets)"),
    "stale-context": Mutation(
        "a flush leaves the PASID contexts cached", "core",
        "for each in (tlb, regions, devices, contexts, second) if each",
        "for each in (tlb, regions, devices, second) if each"),
    "stale-region": Mutation(
        "a flush leaves the walk cache as it is", "core",
        "for each in (tlb, regions, devices, contexts, second) if each",
        "for each in (tlb, devices, contexts, second) if each"),
    "stale-second-level": Mutation(
        "a flush leaves the second level of the TLB as it is", "core",
        "for each in (tlb, regions, devices, contexts, second) if each",
        "for each in (tlb, regions, devices, contexts) if each"),
    "context-without-key": Mutation(
        "a context cache answers every key", "walk/context_cache",
        "valid[index] & (tag == self.key)", "valid[index]"),
    "context-early-value": Mutation(
        "a context's value is written together with its tag, under a look-up that compared before",
        "walk/context_cache",
        "m.d.sync += [write.en.eq(writes)", "m.d.comb += [write.en.eq(writes)"),
    "context-held-twice": Mutation(
        "a context that is renewed gets a second entry", "walk/context_cache",
        "row.eq(Mux(present.any(), one_hot_index(present), turn))", "row.eq(turn)"),
    "flush-keeps-contexts": Mutation(
        "a flush leaves a context cache as it is", "walk/context_cache",
        "        with m.If(self.flush):\n            m.d.sync += valid.eq(0)\n", ""),
    "drop-misses-a-fill": Mutation(
        "a drop leaves the fill of a context that is under way", "walk/context_cache",
        "with m.If(drops | self.flush):", "with m.If(self.flush):"),
    "drop-misses-the-last-cycle": Mutation(
        "a drop leaves the fill of a context that is in its last cycle", "walk/context_cache",
        "writes.eq(placing & ~drops)", "writes.eq(placing)"),
    "drop-of-one-key": Mutation(
        "a drop of all contexts of a device drops one of them", "walk/context_cache",
        "(same | ~drop_by).all()", "same.all()"),
    "flush-without-sweep": Mutation(
        "a flush hides the rows of a store for a moment and leaves them there", "store/set_write",
        "        with m.If(sweeping):\n"
        "            m.d.comb += rows.set.eq(swept)\n",
        "        with m.If(sweeping):\n"
        "            m.d.comb += rows.set.eq(0)\n"),
    "context-of-another-pasid": Mutation(
        "cached contexts are found by device and FT alone", "core",
        "            contexts.key.pasid.eq(operation.pasid),\n", ""),
    "context-of-another-device": Mutation(
        "cached contexts are found by PASID and FT alone", "core",
        " contexts.key.device.eq(operation.device),",
        ""),
    "device-entry-of-another": Mutation(
        "the cached device entry is taken for every device", "core",
        "            devices.key.eq(operation.device),\n", ""),
    "context-of-another-ft": Mutation(
        "cached contexts are found by device and PASID alone", "core",
        "contexts.key.ft.eq(operation.ft), ",
        ""),
    **{f"line-of-another-{field}": Mutation(
        f"the second level does not compare {field}", "tlb/second_level",
        "        self._fill(m, rows)\n",
        "        self._fill(m, rows)\n"
        f"        m.d.comb += [tags.look_up.key.{field}.eq(0), tags.write.key.{field}.eq(0)]\n")
       for field in ("ft", "device", "pasid", "canonical")},
    **{f"region-of-another-{field}": Mutation(
        f"the walk cache does not compare {field}", "walk/walk_cache",
        "store.write.valid.eq(1), store.flush.eq(self.flush),",
        "store.write.valid.eq(1), store.flush.eq(self.flush),\n"
        f"            store.look_up.key.{field}.eq(0), store.write.key.{field}.eq(0),")
       for field in ("ft", "device", "pasid", "canonical")},
    "line-rights-ignored": Mutation(
        "the second level answers pages that do not allow what is asked", "tlb/second_level",
        "tags.look_up.match[way] & allowed & ~self.flush", "tags.look_up.match[way] & ~self.flush"),
    "row-of-the-first-way": Mutation(
        "the second level answers with the row of its first way, whichever holds the line",
        "tlb/second_level", "one_hot_index(lowest(match))", "one_hot_index(lowest(match)) & 0"),
    "parity-ignored": Mutation(
        "a tag with a wrong parity matches", "store/set_store",
        "way.equal & way.clean & ~way.undefined & answered",
        "way.equal & ~way.undefined & answered"),
    "row-parity-ignored": Mutation(
        "a damaged row of the second level is answered", "tlb/line_store",
        "self.damaged.eq(~sound(sums))", "self.damaged.eq(0)"),
    "collision-ignored": Mutation(
        "a row that is written while it is read counts", "store/set_store",
        "way.equal & way.clean & ~way.undefined & answered", "way.equal & way.clean & answered"),
    "tag-on-too-early": Mutation(
        "a line's new tag is on before its rows are written", "tlb/line_fill",
        "on.eq(goes_on)", "on.eq(1)"),
    "tag-stays-on": Mutation(
        "a line's rows are written while the old tag is on", "tlb/line_fill",
        "tag.valid.eq((goes_off & first.keep) | (goes_on & second.keep))",
        "tag.valid.eq(goes_on & second.keep)"),
    "rows-under-another-tag": Mutation(
        "a line's rows are replaced before its tag is on", "tlb/line_record",
        "with m.If(at(since, Line.TAG_OFF + 1) & collides):",
        "with m.If(at(since, Line.TAG_OFF + 1) & collides & 0):"),
    "line-merged-across-rights": Mutation(
        "contiguous leaves of unequal rights become one run", "tlb/line_runs",
        "follows(lower.pfn, upper.pfn) & _alike(lower, upper)",
        "follows(lower.pfn, upper.pfn)"),
    "line-merged-across-gaps": Mutation(
        "leaves that are not contiguous become one run", "tlb/line_runs",
        "follows(lower.pfn, upper.pfn) & _alike(lower, upper)",
        "_alike(lower, upper)"),
    "region-write-of-one-level": Mutation(
        "the walk cache keeps W of the last level alone", "walk/step",
        "\"write\": says.write, \"no_read\"",
        "\"write\": entry.write, \"no_read\""),
    "region-no-read-of-one-level": Mutation(
        "the walk cache keeps NR of the last level alone", "walk/step",
        "\"write\": says.write, \"no_read\": says.no_read,",
        "\"write\": says.write, \"no_read\": entry.no_read,"),
    "neighbour-without-levels-above": Mutation(
        "a neighbour is granted writes that the levels above forbid", "walk/leaf",
        "granted & above.write & entry.write", "granted & entry.write"),
    "neighbour-of-another-device": Mutation(
        "the DEVID of a neighbour is not compared", "walk/entry",
        " & (~ft | (self.devid == devid))\n", "\n"),
    "neighbour-supervisor": Mutation(
        "a supervisor neighbour is granted", "walk/leaf",
        "entry.leaf & entry.user\n", "entry.leaf\n"),
    "neighbour-error-ignored": Mutation(
        "what a bus error brought of a neighbour is believed", "walk/neighbours",
        "with m.If(broken):              # an error", "with m.If(0):              # an error"),
    "incomplete-line": Mutation(
        "a line that ended early is believed", "walk/walk_ends",
        "over_line.eq(wanted & complete)", "over_line.eq(wanted)"),
    "look-ahead-answers": Mutation(
        "a look-ahead that hits is answered to the port", "response/first_exit",
        "listens.eq((valid[Stage.ANSWER - 1] & ~soon.speculative) << soon.port)",
        "listens.eq(valid[Stage.ANSWER - 1] << soon.port)"),
    "look-ahead-misses-a-line": Mutation(
        "a look-ahead asks for the same line again", "miss/look_ahead",
        "m.d.sync += [sent.eq(0), ahead.eq(ahead + 1), self.act.leads.eq(0),",
        "m.d.sync += [sent.eq(0), self.act.leads.eq(0),"),
    "reservation-kept": Mutation(
        "a slot that was promised and not needed is lost", "miss/slot_budget",
        "unused.eq(with_promise & (~self.takes).replicate(ports))",
        "unused.eq(0)"),
    "credit-not-taken": Mutation(
        "a continued operation takes no credit for its beat", "core",
        "credits.continues.eq(miss.credits.taken[index])",
        "credits.continues.eq(0)"),
    "bus-error-ignored": Mutation(
        "a bus error counts as data", "walk/word_stage",
        "decoder.error.eq(beat.resp[1] | ", "decoder.error.eq("),
    "rest-of-a-line-decides": Mutation(
        "a word behind the first one of a line is decided, for the read that follows",
        "walk/read_tracker", "self.decides.eq(ours & ~in_line)", "self.decides.eq(ours)"),
    "unasked-beat-counts": Mutation(
        "a beat counts although its slot has no read under way", "walk/read_tracker",
        "ours.eq(takes & (asks_now.data != ends_now.data))", "ours.eq(takes)"),
    "line-of-before-goes-on": Mutation(
        "a walk begins within the line that its slot read before a reset", "walk/read_tracker",
        "enter.en.eq(self.occupied | self.starting)", "enter.en.eq(self.occupied)"),
    "failed-walk-stays": Mutation(
        "a walk whose read ended early, or with a bus error, does not end", "walk/step",
        "fault, ~cached | self.word.out_of_range, stops)",
        "fault, (~cached | self.word.out_of_range) & ~failed, stops)"),
    "short-line-believed": Mutation(
        "the only beat of a line that ended at once is believed", "walk/word_stage",
        "malformed.eq(state.line & (beat.last != one_beat))", "malformed.eq(0)"),
    "rest-known-late": Mutation(
        "a port keeps no credit for a rest in the first cycle in which it waits", "miss/replay",
        "(waiting | ~none)[2 * ports:]", "waiting[2 * ports:]"),
    "last-credit-twice": Mutation(
        "a new request takes the credit that is kept for a continued one", "response/credits",
        "for_one.eq(remain(1, kept=KEPT))",
        "for_one.eq(remain(1))"),
    "offer-withdrawn": Mutation(
        "an offered response is withdrawn while another one is written", "response/egress",
        "self.port.valid.eq(some & self.enable)",
        "self.port.valid.eq(some & self.enable & ~self.hit.valid)"),
    "run-too-long": Mutation(
        "a run found in the first level goes one page beyond its end", "response/resolve",
        "(known.end[:LINE_BITS] <= last)", "(known.end[:LINE_BITS] <= last + 1)"),
    "walked-run-too-long": Mutation(
        "a run that was walked for goes one page beyond its end", "miss/second_exit",
        "pages[:LINE_BITS] <= outcome.extent)",
        "pages[:LINE_BITS] <= outcome.extent + 1)"),
    "set-without-key": Mutation(
        "a row of a store matches every key of its set", "store/set_way",
        "self.equal.eq(Cat(valid, equal_pairs).all())", "self.equal.eq(valid)"),
    "set-without-valid": Mutation(
        "an empty row of a store matches", "store/set_way",
        "self.equal.eq(Cat(valid, equal_pairs).all())", "self.equal.eq(equal_pairs.all())"),
    "drop-in-another-set": Mutation(
        "a scan empties rows of the set that is read behind it", "store/set_scan",
        "drop.set.eq(set_)", "drop.set.eq(self.set)"),
    "drop-does-not-wait": Mutation(
        "rows that a scan drops stay if something else is written in that cycle", "store/set_scan",
        "        with m.If(drop.taken | self.sweeping):\n"
        "            m.d.sync += drop.rows.eq(0)\n",
        "        m.d.sync += drop.rows.eq(0)\n"),
    "sweep-of-one-way": Mutation(
        "a flush empties the rows of the first way alone", "store/set_write",
        "rows.ways[number].eq(sweeping | (", "rows.ways[number].eq((sweeping & (number == 0)) | ("),
    "flush-keeps-look-ups": Mutation(
        "a look-up of a store that began before a flush matches", "store/set_store",
        "answered.eq(calm_1 & calm & ~scanner.second)",
        "answered.eq(calm_1 & ~scanner.second)"),
    "read-withdrawn": Mutation(
        "a table read is offered for one cycle, taken or not", "walk/read_port",
        "reads.r.ready.eq(self.ar.ready)", "reads.r.ready.eq(1)"),
    "reads-overtake": Mutation(
        "a table read that is asked for goes before those that wait", "walk/read_port",
        "Mux(reads.r.valid, reads.r.payload.as_value(), asked.as_value())",
        "Mux(reads.r.valid & ~asks, reads.r.payload.as_value(), asked.as_value())"),
    "line-crosses-4k": Mutation(
        "a line is read by an INCR burst from its leaf on", "walk/read_port",
        "Burst.WRAP if beats > 1 else Burst.INCR", "Burst.INCR"),
    "commands-cut-in": Mutation(
        "the command queue's read takes the place of one of the walker that is on offer",
        "bus/share", "turn.eq(commands.valid & (~walker.valid | ar.ready))",
        "turn.eq(commands.valid)"),
    "fence-cuts-in": Mutation(
        "a burst of writes is over when its address was taken", "bus/share",
        "& (~self.w.valid | (self.w.ready & self.w.payload.last)))", ")"),
    "strobes-of-all-bytes": Mutation(
        "a fence's store writes all bytes of its beat", "control/fence_store",
        "Const(0xF, self._config.axi_bytes) << Cat(Const(0, 2), lane)",
        "Const(-1, self._config.axi_bytes)"),
    "record-withdrawn": Mutation(
        "a record's address is offered for one cycle, taken or not", "control/record_writer",
        "addressing.eq(began | (addressing & ~self.aw.ready))", "addressing.eq(began)"),
    "turns-not-taken": Mutation(
        "who was served stays in front of those behind it", "lib/choose",
        "Mux(taken & (grant[i] | grant[j]), grant[i], held[i, j])",
        "Mux(taken & grant[j], 0, held[i, j])"),
    "turns-known-late": Mutation(
        "the arbiter that decides ahead does not know of its last grant", "lib/choose",
        "_first(self.requests, order)", "_first(self.requests, held)"),
    "beats-out-of-order": Mutation(
        "the beats of the miss path overtake those of the hit path", "response/beat_queue",
        "Mux(order.hit, ring.hits.as_value()", "Mux(~order.miss, ring.hits.as_value()"),
    "newest-first": Mutation(
        "a port offers the beat that came last while others wait", "response/beat_queue",
        "direct.eq(moves & ~ring.waits & ~ring.shown & ~chosen)", "direct.eq(moves & ~chosen)"),
    "offer-replaced": Mutation(
        "a beat that a port offers is replaced by the next one before it was taken",
        "response/beat_queue", "moves.eq(~self.some | self.leaves)", "moves.eq(1)"),
    "offered-unanswered": Mutation(
        "a port offers the first level's answer to an operation that it did not answer",
        "response/beat_queue", "(direct & (hit.valid | (miss.valid & ~listens)))",
        "(direct & (hit.valid | miss.valid))"),
    "table-of-another-level": Mutation(
        "a walk that begins at a cached level-1 table takes the root of its context for it",
        "pipeline/tables", '"known": Mux(region, upper.region.as_value(), Mux(',
        '"known": Mux(region & ~context, upper.region.as_value(), Mux('),
    "fills-too-close": Mutation(
        "a fill of a context cache changes while it is written", "walk/upper_fills",
        "stays = fills | recent.any()", "stays = fills"),
    "follows-any-carry": Mutation(
        "a page is taken to follow another one in memory although their numbers do not",
        "lib/arithmetic", "carry = left | right", "carry = left & right"),
    "response-changes": Mutation(
        "a register read's data change while they are offered", "control/register_read",
        "m.d.comb += self.ar.ready.eq(~self.r.valid & ~waits)",
        "m.d.comb += self.ar.ready.eq(~waits)"),
    "context-bits": Mutation(
        "the storage root's V and L5 are taken from the memory root", "walk/step",
        "with m.Elif(progress.word[0] == key.ft):", "with m.Elif(progress.word[0] == 0):"),
    "kept-without-levels": Mutation(
        "what is kept of a context does not say how many levels its table has", "walk/step",
        "\"paging\": progress.paging,", "\"paging\": Signal(Paging(self._config)),"),
    "walks-survive-invalidation": Mutation(
        "a walk in flight ignores an invalidation: it fills the caches, and no fence "
        "waits for it", "core",
        "forget.eq(settings.flush | invalidator.begins)",
        "forget.eq(settings.flush)"),
    "fence-passes-old-walks": Mutation(
        "a fence does not wait for walks that began before an invalidation", "control/commands",
        "with m.If(~self.invalidation.outdated):", "with m.If(1):"),
    "fence-passes-old-beats": Mutation(
        "a fence does not wait for beats that stand in the ports' queues", "control/commands",
        "remains.eq(self.mark.remains)", "remains.eq(0)"),
    "invalidation-keeps-tlb": Mutation(
        "an invalidation leaves the first level as it is", "tlb/fill_path",
        "(fills | drops).replicate", "fills.replicate"),
    "invalidation-keeps-second-level": Mutation(
        "an invalidation leaves the second level as it is", "tlb/second_level",
        "connect(m, flipped(self.scan), tags.scan)", "pass"),
    "invalidation-keeps-walk-cache": Mutation(
        "an invalidation leaves the walk cache as it is", "walk/walk_cache",
        "connect(m, flipped(self.scan), store.scan)", "pass"),
    "invalidation-keeps-contexts": Mutation(
        "an invalidation leaves the PASID contexts cached", "core",
        "contexts.drop.eq(invalidator.drop)", "contexts.drop.eq(0)"),
    "invalidation-keeps-devices": Mutation(
        "an invalidation leaves the device contexts cached", "core",
        "devices.drop.eq(invalidator.drop)", "devices.drop.eq(0)"),
    "trust-under-invalidation": Mutation(
        "a walk that begins during an invalidation builds upon what is about to be dropped",
        "miss/starts",
        "trusted.eq(~self.flush & ~flushed & ~covered)",
        "trusted.eq(~self.flush & ~flushed)"),
    "range-too-small": Mutation(
        "an invalidation of a range drops half of it from the stores", "store/set_index",
        "(n > top - 1)", "(n > top)"),
    "range-of-a-line": Mutation(
        "an invalidation of a range drops its first line from the first level", "tlb/entry",
        "2 * INDEX_BITS, INDEX_BITS, LINE_BITS)", "2 * INDEX_BITS, INDEX_BITS, INDEX_BITS)"),
    "range-bypasses-misalignment": Mutation(
        "a command for a range that is not aligned is carried out", "control/command_decode",
        "(address.page & below).any()", "(address.page & below[:1]).any()"),
    "quiet-is-recorded": Mutation(
        "faults of a quiet device are recorded", "control/fault_queue",
        "silent.eq(waiting.oldest.quiet | ~ring.on)", "silent.eq(~ring.on)"),
    "ring-full-late": Mutation(
        "the last slot of the fault ring is used, too", "control/fault_ring",
        "self.full.eq(behind_next == self.head)", "self.full.eq(self.next == self.head)"),
    "quota-outlives-its-queue": Mutation(
        "turning the fault queue on leaves the quotas as they were", "control/fault_queue",
        "renewed.eq(registers.head_written | ring.starts)", "renewed.eq(registers.head_written)"),
    "quota-of-one-more": Mutation(
        "a port may add one record more than its quota", "control/fault_quota",
        "added >= self.quota", "added > self.quota"),
    "tail-before-memory": Mutation(
        "FQ_TAIL advances though the write failed", "control/fault_ring",
        "& ~broken & ~self.b.payload)", "& ~broken)"),
    "loss-not-counted": Mutation(
        "records lost after a failed write are not counted", "control/fault_ring",
        "self.lost.eq(self.b.valid & self.on & (self.b.payload | broken))", "self.lost.eq(0)"),
    "responses-survive-reset": Mutation(
        "a record that was being written at a reset is waited for after it", "control/fault_ring",
        "in_flight, responded = Signal(range(IN_FLIGHT + 1)), Signal()",
        "in_flight, responded = Signal(range(IN_FLIGHT + 1), reset_less=True), Signal()"),
    "damage-not-compared": Mutation(
        "what is read of a watched memory is not compared with what was written", "lib/watch",
        "(expected != answer.xor())", "(expected & ~expected)"),
    "damage-forgotten": Mutation(
        "a core that has stopped goes on when the damaged word is no longer read",
        "control/fail_stop",
        "        with m.If(any_damaged):\n            m.d.sync += self.stop.eq(1)",
        "        m.d.sync += self.stop.eq(any_damaged)"),
    "hold-too-short": Mutation(
        "a beat is offered a cycle before it is known whether it rests on a damaged word",
        "response/hold", "HOLD = (Stage.SELECT + STOP_CYCLES) - Stage.ANSWER",
        "HOLD = (Stage.SELECT + STOP_CYCLES) - Stage.ANSWER - 1"),
    "stopped-core-offers": Mutation(
        "a core that has stopped offers the beats that it has", "response/hold",
        "comes & ~self.stop if last", "comes if last"),
    "records-behind-an-error": Mutation(
        "records are written although a write has failed", "control/fault_queue",
        "refused.eq(broken | quota.spent | ring.full)", "refused.eq(quota.spent | ring.full)"),
    "slot-of-a-lost-record": Mutation(
        "behind a failed write the records go on where the lost ones were", "control/fault_ring",
        "with m.If(self.restores):", "with m.If(0):"),
    "old-ring-goes-on": Mutation(
        "a fault queue that was off for a moment goes on with the old ring's indexes",
        "control/fault_ring",
        "wanted.eq(self.enable & ~was_off)", "wanted.eq(self.enable)"),
    "illegal-goes-on": Mutation(
        "the queue goes on behind an illegal command", "control/commands",
        "& (registers.head != registers.tail) & ~registers.stopped)",
        "& (registers.head != registers.tail))"),
    "clear-forgets-events": Mutation(
        "clearing the counters leaves what they have gathered", "control/counters",
        "some.eq(0)", "some.eq(some)"),
    "bridge-refused-passes": Mutation(
        "a refused burst is offered to memory", "bridge/release",
        "may_pass.eq(granted & self.room", "may_pass.eq(self.room"),
    "bridge-answer-overtakes": Mutation(
        "a refused burst is answered before earlier ones of its id", "bridge/release",
        "refusal.valid.eq(aside & ~in_memory.some)", "refusal.valid.eq(aside)"),
    "bridge-overtakes-answer": Mutation(
        "a burst goes to memory before a refused one of its id is answered", "bridge/release",
        "& ~in_memory.full & ~(aside & same)", "& ~in_memory.full"),
    "bridge-low-bits": Mutation(
        "the lowest bits of an address are dropped", "bridge/release",
        "Cat(header.offset, oldest", "Cat(header.offset & 0xFF8, oldest"),
    "bridge-asks-for-reads": Mutation(
        "a write does not ask for the right to write", "bridge/admission",
        "request.payload.write.eq(int(self._write))", "request.payload.write.eq(0)"),
    "bridge-crosses-page": Mutation(
        "an INCR burst may end a beat behind its page", "bridge/legal",
        "last < PAGE_BYTES >> step", "last <= PAGE_BYTES >> step"),
    "bridge-wrap-of-any-length": Mutation(
        "a WRAP burst of three beats is let through", "bridge/legal",
        "whole & aligned", "aligned"),
    "bridge-reserved-burst": Mutation(
        "the reserved AxBURST is let through", "bridge/legal",
        "(address.burst == Burst.FIXED.value) & short", "short"),
    "bridge-answer-of-another": Mutation(
        "an answer goes to the slot beside its own", "bridge/request_share",
        "response.tag[:self._config.slot_bits]", "response.tag[:self._config.slot_bits] ^ 1"),
    "bridge-offer-changes": Mutation(
        "a request that waits gives way to the other direction's", "bridge/request_share",
        "Mux(waits, before, Mux(reads", "Mux(0, before, Mux(reads"),
    "bridge-stale-grant": Mutation(
        "a slot keeps the verdict on the burst before", "bridge/slots",
        "granted.bit_select(tail, 1).eq(0),", "tail.eq(tail + 1),"),
    "bridge-refused-data": Mutation(
        "data of a refused write go to memory", "bridge/write_gate",
        "Mux(waits, front.granted, self.offers", "Mux(waits, 1, self.offers"),
    "bridge-data-first": Mutation(
        "write data go to memory before their address is offered", "bridge/write_gate",
        "self.offers.valid & ~early", "~early"),
    "bridge-wlast-believed": Mutation(
        "the device's WLAST goes to memory", "bridge/write_gate",
        "self.w.payload.last.eq(last)", "self.w.payload.last.eq(self.data.payload.last)"),
    "bridge-refused-okay": Mutation(
        "a refused read is answered with OKAY", "bridge/merge",
        "Mux(ours, Resp.SLVERR.value", "Mux(ours, Resp.OKAY.value"),
    "bridge-error-hidden": Mutation(
        "an error of memory is answered with OKAY", "bridge/merge",
        "Mux(ours, Resp.SLVERR.value, memory.payload.resp)", "Mux(ours, Resp.SLVERR.value, 0)"),
    "bridge-tears-bursts": Mutation(
        "beats of a refused read come between those of a burst", "bridge/merge",
        "refused.valid & Mux(moves, beat.last, ~within)", "refused.valid"),
    "bridge-one-beat": Mutation(
        "a refused read gets one beat", "bridge/refuse",
        "beats.payload.last.eq(beat == refusal.payload.len)", "beats.payload.last.eq(1)"),
    "bridge-response-early": Mutation(
        "a refused write is answered before its data have come", "bridge/refuse",
        "response.valid.eq(refusal.valid & complete)", "response.valid.eq(refusal.valid)"),
    "bridge-fault-lost": Mutation(
        "two bursts that are refused in one cycle count once", "bridge/fault_pulses",
        "owed + self.reads + self.writes - self.fault",
        "owed + (self.reads | self.writes) - self.fault"),
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


def verilog_of(tree, path, *words):
    """Writes the Verilog of the sources in ``tree`` (of ``mutated_tree``) to ``path``, which is
    returned. ``words`` are those of the command line of ``siommu``; the core without."""
    subprocess.run([sys.executable, "-m", "siommu", *(words or ("generate",)), "-o", path],
                   check=True, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(tree)})
    return path
