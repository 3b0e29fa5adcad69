"""``make soft-errors``: bits flip in each memory of the core in turn, while random worlds are
translated. Of a memory that is guarded no flip may be seen at all."""

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sim.arguments import at_least
from siommu.generate.files import command, write_whole

from ..bench.document import replace
from ..mutations import MUTATIONS, mutated_tree, verilog_of
from ..regression import simulator
from .memories import kind_of_memory
from .model import with_flips

__all__ = ["main"]

FOLDER = simulator.BUILD / "soft_errors"
DOCUMENT = simulator.ROOT / "docs" / "verification.md"
#: Planted faults that make the guard of a memory useless: by the beginning of its place.
TWINS = {"second_level.rows": "row-parity-ignored", "second_level.tags": "parity-ignored",
         "walk_cache": "parity-ignored"}


def run(verilog, number, seed, period, label):
    """One simulation with flips in the memory of that number; the counts, with ``flips``."""
    results, folder = simulator.run(
        "tests.soft_errors.flips", ["tally"], label=f"{label}-{number}-{seed}", sources=[verilog],
        env={"SEED": str(seed)}, plusargs=[f"+memory={number}", f"+period={period}",
                                           f"+verilator+seed+{seed + 1}"])
    counts = Counter(json.loads((folder / "tally.json").read_text())) \
        if results["tally"] is None else Counter(broken=1)
    made = re.search(r"siommu: (\d+) flips", (folder / "simulation.log").read_text())
    counts["flips"] = int(made[1]) if made else 0
    return counts


def total(verilog, number, options, label="flips"):
    """The counts of all seeds."""
    counts = Counter()
    for seed in range(options.seed, options.seed + options.seeds):
        counts += run(verilog, number, seed, options.period, label)
    return counts


def model(text, name):
    """Path of the Verilog ``text`` with flips, and its memories."""
    flipped, memories = with_flips(text)
    path = FOLDER / name / "siommu.v"
    write_whole(path, flipped)
    simulator.build([path])
    return path, memories


def wrong(counts):
    """How many answers were wrong, in any way."""
    return sum(counts[each] for each in ("grant", "other", "lost", "broken"))


def table(rows):
    """Lines of Markdown for (memory, kind, counts)."""
    lines = ["| memory | words × bits | holds | used | guard | flips | answers | wrong grants | "
             "other wrong answers | hangs | rules broken |", "|---|--:|---|---|---|" + "--:|" * 6]
    for memory, kind, counts in rows:
        answers = sum(counts[each] for each in ("right", "grant", "other"))
        lines.append(
            f"| `{memory.place.removeprefix('control.core.')}` | {memory.words} × {memory.width} "
            f"| {kind.holds} | {kind.stays} | {kind.guard or '–'} | {counts['flips']} | {answers} "
            f"| {counts['grant']} | {counts['other']} | {counts['lost']} | {counts['broken']} |")
    return lines


def twins(rows, options):
    """The guarded memories whose guard is broken on purpose, and no answer was wrong."""
    blind = []
    for fault in sorted(set(TWINS.values())):
        with tempfile.TemporaryDirectory() as scratch:
            text = verilog_of(mutated_tree(fault, scratch), Path(scratch) / "siommu.v").read_text()
        path, memories = model(text, fault)
        for number, memory, kind in rows:
            place = memory.place.removeprefix("control.core.")
            if kind.guard and any(place.startswith(begin) and twin == fault
                                  for begin, twin in TWINS.items()):
                found = wrong(total(path, 1 + memories.index(memory), options, fault))
                print(f"siommu: {place} with {fault} ({MUTATIONS[fault].text}): {found} wrong",
                      flush=True)
                blind += [f"{place} with {fault}"] * (not found)
    return blind


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soft_errors", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="memories whose place has TEXT")
    parser.add_argument("--seeds", type=at_least(1), default=3, metavar="N",
                        help="worlds for each memory (3)")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="the first (0)")
    parser.add_argument("--period", type=at_least(2), default=40, metavar="N",
                        help="cycles between a flip and its end, and to the next one (40)")
    parser.add_argument("--document", action="store_true",
                        help="put the table into docs/verification.md")
    parser.add_argument("--jobs", type=at_least(1), default=os.cpu_count() or 1, metavar="N",
                        help="at a time (all cores)")
    options = parser.parse_args(arguments)
    path, memories = model(simulator.verilog("default", checked=False).read_text(), "default")
    rows = [(number, memory, kind) for number, memory in enumerate(memories, 1)
            if (kind := kind_of_memory(memory.place)) and options.only in memory.place]
    if not rows:
        parser.error(f"no memory has {options.only!r} in its place")
    done, seen = [], []
    with ThreadPoolExecutor(options.jobs) as pool:
        counted = pool.map(lambda row: total(path, row[0], options), rows)
        for (number, memory, kind), counts in zip(rows, counted):
            print(f"siommu: {number} {memory.place}: {dict(counts)}", flush=True)
            done.append((memory, kind, counts))
            seen += [memory.place] * bool(kind.guard and wrong(counts))
    write_whole(FOLDER / "soft_errors.md", "\n".join(table(done)) + "\n")
    if options.document:
        replace(DOCUMENT, "soft errors", table(done))
    blind = twins(rows, options)
    if seen:
        print(f"siommu: flips are seen in spite of their guard: {', '.join(seen)}")
    if blind:
        print(f"siommu: no answer is wrong although the guard is broken: {', '.join(blind)}")
    print(f"siommu: the table is {FOLDER / 'soft_errors.md'}")
    return int(bool(seen or blind))


if __name__ == "__main__":
    sys.exit(main())
