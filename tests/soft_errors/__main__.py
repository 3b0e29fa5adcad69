"""``make soft-errors``: bits flip in each memory of the core in turn, while random worlds are
translated, on ``default`` and on the same with ``fail_stop``. Of a memory that is guarded no flip
may make an answer wrong."""

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
from .memories import PARITY, kind_of_memory
from .model import with_flips

__all__ = ["Model", "main", "wrong"]

FOLDER = simulator.BUILD / "soft_errors"
DOCUMENT = simulator.ROOT / "docs" / "verification.md"
PLAIN, FAIL_STOP = "default", "default+fail_stop=1"
#: How much longer flips and runs are of memories that keep their words.
LONGER = 5
#: A planted fault that makes the parity of a memory useless: by the beginning of its place. Of the
#: others with parity a flip is seldom seen even without: a key with a wrong bit is nobody's, and a
#: wrong table's address leads to a walk from the root. Their unit tests damage each bit.
TWINS = {"second_level.rows": "row-parity-ignored"}


class Model:
    """A simulation of the configuration ``config`` whose memories can be damaged.

    ``text``: its Verilog, if it is another one than the generated; ``name`` is then its folder's.

    Attributes
    ----------
    memories : list of (int, Memory, Kind)
        Those that answers depend on, with their numbers.
    """

    def __init__(self, config, text=None, name=None):
        self._config, self._name = config, name or config
        flipped, memories = with_flips(
            text or simulator.verilog(config, checked=False).read_text())
        self._path = FOLDER / self._name / "siommu.v"
        write_whole(self._path, flipped)
        fail_stop = simulator.CONFIGS[config].fail_stop
        self.memories = [(number, memory, kind) for number, memory in enumerate(memories, 1)
                         if (kind := kind_of_memory(memory.place, fail_stop))]

    def damage(self, row, seed, period):
        """One simulation with flips in the memory of ``row``, one of ``memories``; the counts, with
        ``flips``. One that keeps its words has more time for them to be used."""
        number, _, kind = row
        longer = LONGER if kind.kept else 1
        results, folder = simulator.run(
            "tests.soft_errors.flips", ["tally"], config=self._config, sources=[self._path],
            label=f"{self._name}-{number}-{seed}",
            env={"SEED": str(seed), "LONGER": str(longer)},
            plusargs=[f"+memory={number}", f"+period={period * longer}",
                      f"+verilator+seed+{seed + 1}"])
        counts = Counter(json.loads((folder / "tally.json").read_text())) \
            if results["tally"] is None else Counter(broken=1)
        made = re.search(r"siommu: (\d+) flips", (folder / "simulation.log").read_text())
        counts["flips"] = int(made[1]) if made else 0
        return counts

    def total(self, row, options):
        """The counts of all seeds."""
        return sum((self.damage(row, seed, options.period)
                    for seed in range(options.seed, options.seed + options.seeds)), Counter())


def wrong(counts):
    """How many answers were wrong, in any way."""
    return sum(counts[each] for each in ("grant", "other", "lost", "broken"))


def damaged(model, options, text):
    """(memory, kind, counts) of every memory of a model whose place has ``text``."""
    rows = [row for row in model.memories if text in row[1].place]
    done = []
    with ThreadPoolExecutor(options.jobs) as pool:
        counted = pool.map(lambda row: model.total(row, options), rows)
        for (_, memory, kind), counts in zip(rows, counted):
            print(f"siommu: {memory.place}: {dict(counts)}", flush=True)
            done.append((memory, kind, counts))
    return done


def _plain(place):
    """A memory's place without numbers: that of all ports is one."""
    place = place.removeprefix("control.core.")
    return re.sub(r"^(?:cpu|dev\d+)_", "…_", re.sub(r"_\d*\b", "", place))


def _named(places):
    """The places, and where several are in one module, that module."""
    modules = Counter(place.rpartition(".")[0] for place in places)
    return sorted({module if modules[module := place.rpartition(".")[0]] > 1 else place
                   for place in places})


def table(plain, fail_stop):
    """Lines of Markdown: a row for all memories of a kind, in both configurations."""
    lines = ["| memories | bits | hold | used | flips | right answers | wrong grants | "
             "other wrong answers | hangs | rules broken | with `fail_stop`: flips | stops | "
             "wrong answers |", "|---|--:|---|---|" + "--:|" * 9]

    def of(rows, what):
        found = [(memory, counts) for memory, kind, counts in rows
                 if (kind.holds, kind.stays) == what]
        return [memory for memory, _ in found], sum((counts for _, counts in found), Counter())
    for holds, stays, guard in dict.fromkeys((kind.holds, kind.stays, kind.guard)
                                             for _, kind, _ in fail_stop):
        before, flipped = of(plain, (holds, stays))
        after, guarded = of(fail_stop, (holds, stays))
        bits = sum(memory.words * memory.width for memory in after)
        places = _named({_plain(memory.place) for memory in after})
        shown = ", ".join(f"`{place}`" for place in places) if before else "those of `fail_stop`"
        cells = [flipped[each] for each in ("flips", "right", "grant", "other", "lost", "broken")] \
            if before else ["–"] * 6
        lines.append("| " + " | ".join(map(str, (
            shown, bits, f"{holds}{' (parity)' * (guard == PARITY)}", stays, *cells,
            guarded["flips"], guarded["stops"], wrong(guarded)))) + " |")
    return lines


def twins(rows, options):
    """The memories with parity whose parity is broken on purpose, and no answer was wrong."""
    chosen = [(memory.place, fault) for memory, kind, _ in rows for begin, fault in TWINS.items()
              if kind.guard == PARITY
              and memory.place.removeprefix("control.core.").startswith(begin)]
    blind = []
    for fault in sorted({fault for _, fault in chosen}):
        with tempfile.TemporaryDirectory() as scratch:
            text = verilog_of(mutated_tree(fault, scratch), Path(scratch) / "siommu.v").read_text()
        model = Model(PLAIN, text, fault)
        for row in model.memories:
            place = row[1].place
            if (place, fault) in chosen:
                found = wrong(model.total(row, options))
                print(f"siommu: {place} with {fault} ({MUTATIONS[fault].text}): {found} wrong",
                      flush=True)
                blind += [f"{place} with {fault}"] * (not found)
    return blind


def parser():
    """The command line's parser."""
    made = argparse.ArgumentParser(prog="python -m tests.soft_errors", description=__doc__)
    made.add_argument("--only", metavar="TEXT", default="", help="memories whose place has TEXT")
    made.add_argument("--seeds", type=at_least(1), default=3, metavar="N",
                      help="worlds for each memory (3)")
    made.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="the first (0)")
    made.add_argument("--period", type=at_least(2), default=20, metavar="N",
                      help="cycles between a flip and its end, and to the next one (20)")
    made.add_argument("--document", action="store_true",
                      help="put the table into docs/verification.md")
    made.add_argument("--jobs", type=at_least(1), default=os.cpu_count() or 1, metavar="N",
                      help="at a time (all cores)")
    return made


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    models = [Model(config) for config in (PLAIN, FAIL_STOP)]
    if not any(options.only in memory.place for _, memory, _ in models[1].memories):
        raise SystemExit(f"siommu: no memory has {options.only!r} in its place")
    plain, fail_stop = (damaged(model, options, options.only) for model in models)
    write_whole(FOLDER / "soft_errors.md", "\n".join(table(plain, fail_stop)) + "\n")
    if options.document:
        replace(DOCUMENT, "soft errors", table(plain, fail_stop))
    seen = [memory.place for memory, kind, counts in (*plain, *fail_stop)
            if kind.guard and wrong(counts)]
    blind = twins(plain, options)
    if seen:
        print(f"siommu: flips are seen in spite of their guard: {', '.join(seen)}")
    if blind:
        print(f"siommu: no answer is wrong although the guard is broken: {', '.join(blind)}")
    print(f"siommu: the table is {FOLDER / 'soft_errors.md'}")
    return int(bool(seen or blind))


if __name__ == "__main__":
    sys.exit(main())
