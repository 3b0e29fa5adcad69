"""Numbers in the documents that the code, or the benchmark, knows.

``SAYS`` lists sentences with the numbers that belong there; who changes the code is told which
sentence is no longer true. A constant is found by its name wherever in the package it is declared;
widths and depths are those of the elaborated design.
"""

import functools
import importlib
import pkgutil
import re

import pytest
from amaranth.back import rtlil
from amaranth.lib import data

import siommu
from siommu import Config
from siommu.arch import formats
from siommu.arch.config import PRESETS
from siommu.arch.register_map import register
from siommu.pipeline.timetable import Stage
from siommu.top import Siommu

from ..bench.document import insert
from ..bench.overview import overview
from ..regression import bench
from .repository import DOCUMENTS, ROOT, prose, table

DEFAULT = Config()
NUMBERS = "zero one two three four five six seven eight nine ten".split()


@functools.cache
def declared(name):
    """What is declared under ``name`` in some module of the core."""
    found = {}
    for module in pkgutil.walk_packages(siommu.__path__, "siommu."):
        if not module.name.endswith("__main__"):
            value = vars(importlib.import_module(module.name)).get(name)
            if value is not None:
                found[id(value)] = value
    assert len(found) == 1, f"{name} is declared {len(found)} times in the core"
    return next(iter(found.values()))


def bits(name):
    """Width of a struct of the core."""
    return data.Layout.cast(declared(name)).size


@functools.cache
def design():
    """Memories and wires of the default configuration: (module, name) to (words, bits), and to
    bits. Instances are named from the core on, ``tlb`` or ``miss.replay``."""
    memories, wires, module = {}, {}, None
    for line in rtlil.convert(Siommu(DEFAULT), name="siommu").splitlines():
        if found := re.match(r"module \\(\S+)", line):
            # A number behind a name tells it from a wire's.
            module = re.sub(r"^siommu\.control\.(core\.)?|\$\d+", "", found[1])
        elif found := re.match(r"\s+memory width (\d+) size (\d+) \\([\w$]+)", line):
            place, name = module, found[3].partition("$")[0]
            if name == "words":             # a ClockedRam has the name of its instance
                place, _, name = module.rpartition(".")
            memories[place, name] = int(found[2]), int(found[1])
        elif found := re.match(r"\s+wire (?:width (\d+) )?(.*)\\(\w+)$", line):
            wires[module, found[3]] = int(found[1] or 1), found[2]
    return memories, wires


def width(module, name):
    """Bits of a memory's word."""
    return design()[0][module, name][1]


def register_bits(module, name):
    return design()[1][module, name][0]


def port_bits():
    """Of the module ``siommu``."""
    return sum(size for (module, _), (size, kind) in design()[1].items()
               if module == "siommu" and ("input" in kind or "output" in kind))


def _sets():
    """Of the second level, and of the walk cache."""
    return declared("line_sets")(DEFAULT), DEFAULT.walk_entries // DEFAULT.walk_cache_ways


def _version():
    major, minor = (register("VERSION").field(name).reset for name in ("MAJOR", "MINOR"))
    return major, minor


#: (document, sentence, the numbers in it: computed when the test runs)
SAYS = (
    ("README.md", "a hit is answered after {} cycles, from the second-level TLB after {}.",
     lambda: (Stage.ANSWER + 1, Stage.SECOND_EXIT + 1)),
    ("README.md", "while up to {} walks (a parameter) overlap", lambda: (DEFAULT.walks,)),
    ("fpga/README.md", "{} × {} bits for the TLB by default, plus walk slots, {} × {} bits.",
     lambda: (DEFAULT.tlb_entries, register_bits("tlb.tags", "tag_0"), DEFAULT.walk_slots,
              bits("PartialTag"))),
    ("fpga/README.md", "the answer must be CORE_OFF, {} cycles later",
     lambda: (NUMBERS[Stage.ANSWER + 1],)),
    ("fpga/README.md", "about {:,} port bits", lambda: (round(port_bits(), -2),)),
    ("docs/configuration.md", "two registers of {} bits at the ingress",
     lambda: (bits("Request"),)),
    ("docs/configuration.md", "2 × `port_depth` × {} bits of block RAM",
     lambda: (width("dev0_egress.queue.ring", "hits"),)),
    ("docs/configuration.md", "3 × `port_depth` × {} bits of replay queues",
     lambda: (width("miss.replay", "elements"),)),
    ("docs/configuration.md", "hits of the first level, {} cycles;",
     lambda: (Stage.ANSWER + 1,)),
    ("docs/configuration.md", "per entry {} tag flip-flops with a comparator, 1 valid bit, {} RAM",
     lambda: (register_bits("tlb.tags", "tag_0"), width("tlb.hits", "ram_0"))),
    ("docs/configuration.md", "per entry {} flip-flops with a comparator, {} RAM bits | | "
     "`context_entries`", lambda: (register_bits("devices", "tag_0") + 1,
                                   width("devices", "values"))),
    ("docs/configuration.md", "per entry {} flip-flops with a comparator, {} RAM bits | | "
     "`l2_entries`", lambda: (register_bits("contexts", "tag_0") + 1, width("contexts", "values"))),
    ("docs/configuration.md", "hits of the second level, {} cycles,",
     lambda: (Stage.SECOND_EXIT + 1,)),
    ("docs/configuration.md", "{} bits of tag and {} rows of {} bits for eight translations",
     lambda: (width("second_level.tags.way_0", "ram"), NUMBERS[declared("LINE_ROWS")],
              width("second_level.rows", "ram"))),
    ("docs/configuration.md", "block RAM, {} bits per entry",
     lambda: (width("walk_cache.store.way_0", "ram"),)),
    ("docs/configuration.md", "per slot a comparator of {} bits", lambda: (bits("PartialTag"),)),
    ("docs/configuration.md", "owner 2 × {}, key {} and {}, state {}, "
     "progress of an entry {}, outcome {} and {}, start {}, line {} bits", lambda: (
         width("miss.store", "owners"), width("miss.store", "keys"),
         width("walker.records", "of_key"),
         width("walker.records", "of_state"),
         width("walker.records", "of_progress"), width("miss.store", "outcomes"),
         width("miss.store", "leaves"), width("miss.starts.starts", "entries"),
         8 * width("lines.buffer", "half_0"))),
    ("docs/configuration.md", "at least 4: {} bits for `small` and `default`, {} for `large`",
     lambda: (PRESETS["small"].axi_id_width, PRESETS["large"].axi_id_width)),
    ("docs/integration.md", "up to {} of them without a response",
     lambda: (declared("IN_FLIGHT"),)),
    ("docs/integration.md", "AWID {}, up to", lambda: (declared("RECORDS_ID"),)),
    ("docs/integration.md", "Stores of fences: 4 bytes, AWID {}.",
     lambda: (declared("FENCES_ID"),)),
    ("docs/integration.md", "{} cycles in which the pipeline drains",
     lambda: (2 * declared("DRAIN"),)),
    ("docs/integration.md", "(`default`: {} sets)", lambda: (max(_sets()),)),
    ("docs/theory.md", "A first-level hit is valid {} cycles after its handshake, a second-level "
     "hit after {}.", lambda: (Stage.ANSWER + 1, Stage.SECOND_EXIT + 1)),
    ("docs/theory.md", "- **{} Answer and match.** `Resolver` composes", lambda: (Stage.ANSWER,)),
    ("docs/theory.md", "- **{} Second exit.** Second-level hits", lambda: (Stage.SECOND_EXIT,)),
    ("docs/theory.md", "| first-level hit, MODE = BYPASS, CORE_OFF | 0 | {} |",
     lambda: (Stage.ANSWER + 1,)),
    ("docs/theory.md", "| second-level hit | 0 | {} |", lambda: (Stage.SECOND_EXIT + 1,)),
    ("docs/theory.md", "It is in banks of {} entries", lambda: (declared("BANK"),)),
    ("docs/theory.md", "Fills are at least {} cycles apart, so that",
     lambda: (NUMBERS[declared("FILL_SPACING")],)),
    ("docs/theory.md", "a parity bit for each {} bits", lambda: (declared("PARITY_SPAN"),)),
    ("docs/theory.md", "({} cycles for the second level, {} for the walk cache, `default` preset)",
     lambda: _sets()),
    ("docs/theory.md", "One that finds none for {} cycles",
     lambda: (NUMBERS[declared("PATIENCE")],)),
    ("docs/theory.md", "as wide as an operation ({} bits) or a key ({} bits)",
     lambda: (bits("Operation"), bits("TlbKey"))),
    ("docs/performance.md", "a comparison of {} bits, and each walk slot one of {}.",
     lambda: (bits("TlbKey"), bits("PartialTag"))),
    ("docs/theory.md", "**Drain.** {} cycles:", lambda: (declared("DRAIN"),)),
    ("docs/theory.md", "up to {} without a response", lambda: (NUMBERS[declared("IN_FLIGHT")],)),
    ("docs/theory.md", "every {} cycles what has come since", lambda: (declared("TURNS"),)),
    ("docs/programming.md", "PREFETCH with n ≤ {};", lambda: (formats.PREFETCH_MAX_N,)),
    ("docs/verification.md", "nothing happened for {:,} cycles", lambda: (bench.PATIENCE,)),
    ("docs/specification.md", "VERSION reads 0x{0:04X}{1:04X}, which is {0}.{1}.", _version),
)


@functools.cache
def _text(document):
    """The document in one line, without the signs of block quotes."""
    lines = (ROOT / document).read_text().splitlines()
    return " ".join(" ".join(line.removeprefix(">") for line in lines).split())


@pytest.mark.parametrize("document, sentence, numbers", SAYS,
                         ids=[f"{document}-{index}" for index, (document, *_) in enumerate(SAYS)])
def test_sentences(document, sentence, numbers):
    said = sentence.format(*numbers())
    assert said in _text(document), f"{document} does not say: {said}"


# -- tables --------------------------------------------------------------------------------------

def test_memories():
    """fpga/README.md lists every memory of more than a few bits, each as it is."""
    listed = {}
    for place, cells in table("fpga/README.md", "memory", "words × bits"):
        names = re.findall(r"`([\w.]+)`", cells[0])
        sizes = re.findall(r"(\d+) × (\d+)", cells[1])
        if len(sizes) == 1:
            sizes *= len(names)
        module = None
        for name, size in zip(names, sizes, strict=True):
            if name.startswith("."):
                name = module + name
            module = name.rpartition(".")[0]
            listed[name.replace("PORT_", "dev0_")] = place, tuple(map(int, size))
    memories = {re.sub(r"\.entries$", "", f"{module}.{name}"): size
                for (module, name), size in design()[0].items()}
    for name, (place, size) in listed.items():
        assert memories.get(name) == size, \
            f"{place}: {name} is said to be {size}, and is {memories.get(name)}"
    missing = [name for name, (_, size) in memories.items() if size > 6 and name not in listed
               and not re.match(r"dev1|cpu|second_level.tags.way_[12]", name)]
    assert not missing, f"the table of memories in fpga/README.md lacks {', '.join(missing)}"


PRESET_COLUMNS = {"small": 2, "default": 3, "large": 4}


@pytest.mark.parametrize("preset, column", PRESET_COLUMNS.items())
def test_presets(preset, column):
    for place, cells in table("docs/configuration.md", "parameter", "range"):
        value = getattr(PRESETS[preset], cells[0].strip("`"), None)
        said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        assert cells[column] == said, f"{place}: {cells[0]} of `{preset}` is {said}"


@pytest.mark.parametrize("preset, column", (("small", 1), ("default", 2), ("large", 3)))
def test_capabilities(preset, column):
    """CAPS0 and CAPS1 by §7, by hand."""
    config = PRESETS[preset]
    values = {"CAPS0": config.device_ports | config.cpu_port << 4 | 1 << 5
              | config.riscv_tables << 6 | config.walks << 8 | config.tlb_entries << 16,
              "CAPS1": config.l2_entries}
    for place, cells in table("docs/configuration.md", "register", "small"):
        assert int(cells[column], 0) == values[cells[0]], f"{place}: {cells[0]} of `{preset}`"


# -- what the benchmark measured -------------------------------------------------------------------

@functools.cache
def measured():
    """By what was measured: the number, of docs/performance.md."""
    rows = {cells[0]: cells[2] for _, cells in
            table("docs/performance.md", "what", "bar", "measured")}
    return {what: float(text.split()[0]) for what, text in rows.items()}


def _missed(latency):
    return round(measured()[f"miss, upper levels cached, L = {latency}"]) - latency


def _cold(latency):
    return round(measured()[f"everything cold, L = {latency}"]) - 8 * latency


def _rate(walks, bus):
    return measured()[f"random misses, {walks} walk(s), {bus}-bit bus, L = 100"]


#: (document, sentence, its numbers), as above; the numbers are those of the last run that is
#: written into docs/performance.md.
QUOTES = (
    ("README.md", "go on: {} hits per cycle (figure 6)",
     lambda: (measured()["hits of one port, another misses at L = 500"],)),
    ("README.md", "| hits, translations per cycle | {:.0f} (figure 1)",
     lambda: (measured()["hits in the first-level TLB, `dev0`"],)),
    ("README.md", "| reads for a warm miss | {:.0f} (figure 3)",
     lambda: (measured()["miss, upper levels cached"],)),
    ("README.md", "a hit is answered after {:.0f} cycles, from the second-level TLB after {:.0f}.",
     lambda: (measured()["hit in the first-level TLB, "
                         f"{DEFAULT.tlb_entries // 2} pages, idle core"],
              measured()["page that the first level lost, idle core, slowest of 24"])),
    ("docs/configuration.md", "8 walks answer {} misses per cycle, 16 on a 128-bit bus {}",
     lambda: (_rate(8, 64), _rate(16, 128))),
    *(("docs/theory.md", "| upper levels cached | 1 | L + {} |", functools.partial(
        lambda latency: (_missed(latency),), latency)) for latency in (1, 100, 500)),
    *(("docs/theory.md", "| everything cold, PDT_LEVELS = 2, 4 levels | 8 | 8·L + {} |",
       functools.partial(lambda latency: (_cold(latency),), latency))
      for latency in (1, 100, 500)),
)


@pytest.mark.parametrize("document, sentence, numbers", QUOTES,
                         ids=[f"{document}-{index}" for index, (document, *_) in enumerate(QUOTES)])
def test_measurements(document, sentence, numbers):
    said = sentence.format(*numbers())
    assert said in _text(document), \
        f"{document} does not say what docs/performance.md has: {said}"


def test_the_first_table_is_that_of_the_results():
    """docs/performance.md begins with all figures, met and missed, as its tables have them."""
    text = (ROOT / "docs/performance.md").read_text()
    assert insert(text, "figures", overview(text)) == text, \
        "`python -m tests.bench.document` writes the table of all figures anew"
    rows = [cells for _, cells in table("docs/performance.md", "figure", "bars met", "bars missed")]
    assert [cells[0] for cells in rows if cells[0].isdigit()] == [
        str(number) for number in range(1, 13)]


def test_lines_of_the_demo():
    """What README.md shows of the demo stands in the transcript, docs/demo.md."""
    block = (ROOT / "README.md").read_text().partition("## What the demo shows")[2].split("```")[1]
    transcript = [" ".join(line.split())
                  for line in (ROOT / "docs/demo.md").read_text().splitlines()]
    missing = [line for line in block.strip().splitlines()
               if " ".join(line.split()) not in transcript]
    assert not missing, f"docs/demo.md lacks {missing}"


def test_no_other_document_names_a_frequency():
    """Clock frequencies change with every synthesis: they are in docs/performance.md alone. (The
    period of an example, in a block of code, is none; nor are a board's oscillator and PLL.)"""
    for document in DOCUMENTS:
        if document not in ("docs/performance.md", "docs/board.md"):
            for place in prose(document):
                assert not re.search(r"\d MHz", place.text), f"{place} names a frequency"
