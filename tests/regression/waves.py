"""Runs one test with waves and leaves a GTKWave save file beside them: `make waves TEST=name`.

The save file groups the signals of requests, TLB, walks, AXI and responses, and shows causes,
dispositions, sizes and states by the names of their declarations.
"""

import argparse
import importlib
import os
import re
import shutil
import sys
from pathlib import Path

from siommu.arch.formats import Cause, Disposition, Mode, Size
from siommu.bus.axi import Burst, Resp
from siommu.control.commands import CommandState
from siommu.generate.files import command, whole, write_whole
from siommu.generate.names import hierarchy
from siommu.walk.state import Table

from . import simulator

__all__ = ["FILTERS", "groups", "declared_signals", "save_file", "main"]

#: Filters by name: enum and number of bits. A filter file pairs the hexadecimal digits with names.
FILTERS = {
    "cause": (Cause, 8), "disposition": (Disposition, 2), "size": (Size, 2), "mode": (Mode, 2),
    "table": (Table, 3), "command": (CommandState, 4), "burst": (Burst, 2), "resp": (Resp, 2),
}
# GTKWave's display flags (analyzer.h): right-justified hexadecimal or binary, translated by a file,
# the beginning and the end of a group.
HEX, BINARY, TRANSLATED = 0x22, 0x28, 0x2000
GROUP, CLOSED, END, BLANK = 0x800000, 0x400000, 0x1000000, 0x200
ZOOM = -18.0        #: about 100 clock cycles on a screen

REQUEST = ("valid", "ready", "ft", "write", "device", "pasid", "addr", "pages", "tag")
RESPONSE = ("valid", "ready", "tag", "last", "cause:cause", "disposition:disposition", "addr",
            "pages", "read", "write", "size:size")


def groups(config):
    """What the save file shows: ``[(group, open, [signal or "signal:filter"])]``."""
    ports, core = config.port_names, "siommu.control.core"
    yield "clock and mode", True, ["siommu.clk", "siommu.rst",
                                   f"{core}.settings__mode:mode",
                                   f"{core}.settings__check_ad", f"{core}.settings__flush"]
    for index, port in enumerate(ports):
        yield f"request {port}", index == 0, [f"siommu.{port}_req_{name}" for name in REQUEST]
    yield "TLB", True, [f"{core}.tlb.{name}" for name in (
        "look_up__key__ft", "look_up__key__device", "look_up__key__pasid", "look_up__key__vpn",
        "look_up__write", "fill__valid", "fill__commit", "flush", "look_up__hit", "matches_",
        "look_up__outcome__pfn", "look_up__outcome__extent", "look_up__outcome__rights__size:size",
        "look_up__outcome__rights__read", "look_up__outcome__rights__write", "tags.valid")]
    yield "misses (walk slots)", True, [f"{core}.miss.slots.{name}" for name in (
        "joinable", "certain", "next_index", "any_free", "takes", "claims__join", "claims__leave",
        "states__owner_waiting", "states__settled", "states__faulty", "filled__valid",
        "filled__slot", "states__stale")]
    yield "waiting", True, [f"{core}.miss.replay.{name}" for name in (
        "waits__push", "waits__reason", "wants", "credits__rests", "slot_taken",
        "retry__operation__valid",
        "retry__operation__ready")]
    yield "walk", True, [f"{core}.walker.{name}" for name in (
        "start__valid", "start__ready", "gate.begun__valid",
        "stepping__valid", "stepping__payload",
        "facts.word__payload__state__table:table", "facts.word__payload__state__level",
        "decision.asked__valid", "decision.asked__payload__slot",
        "decision.asked__payload__state__table:table", "decision.asked__payload__state__level",
        "decision.asked__payload__state__entry",
        "finished__valid", "finished__payload__slot", *(
            f"finished__payload__outcome__{name}" for name in (
                "cause:cause", "disposition:disposition", "pfn", "rights__size:size",
                "rights__read", "rights__write", "level")),
        "restart__valid", "device_fill__valid", "context_fill__valid", "region_fill__valid",
        "over__valid", "over__payload__slot", "over__payload__line")]
    yield "AXI", True, [f"siommu.m_axi_{name}" for name in (
        "arvalid", "arready", "arid", "araddr", "arlen", "arsize", "arburst:burst",
        "rvalid", "rready", "rid", "rdata", "rresp:resp", "rlast")]
    plane = "siommu.control"
    yield "AXI writes", False, [f"siommu.m_axi_{name}" for name in (
        "awvalid", "awready", "awid", "awaddr", "awlen", "wvalid", "wready", "wdata", "wstrb",
        "wlast", "bvalid", "bid", "bresp:resp")]
    yield "command queue", False, [f"{plane}.commands.{name}" for name in (
        "registers__enable", "registers__head", "registers__tail", "registers__stopped",
        "state:command", "invalidation__start", "invalidation__done", "invalidation__outdated",
        "mark__set", "mark__remains", "completed__invalidations", "completed__fences",
        "completed__prefetches")]
    yield "invalidation", False, [f"{core}.invalidator.{name}" for name in (
        "active", "begins", "drop", "asks", "taken", "step", "exact", "scanning", "done")]
    yield "fault queue", False, [f"{plane}.fault_queue.{name}" for name in (
        "fault__valid", "recorded", "writer.writing", "responses.in_flight", "registers__tail",
        "registers__overflow", "registers__limited", "registers__error", "lost")]
    yield "interrupts", True, [f"siommu.irq_{name}" for name in ("command", "fault", "counter")]
    for index, port in enumerate(ports):
        yield f"response {port}", index == 0, [f"siommu.{port}_rsp_{name}" for name in RESPONSE]


_MODULE = re.compile(r"^module (\w+)\(", re.M)
_SIGNAL = re.compile(r"^\s*(?:input|output|wire|reg)(?: (?:wire|reg|signed))*"
                     r"(?: \[(\d+):0\])? (\w+)(?: = [^;]*)?;", re.M)


def declared_signals(text):
    """Hierarchical name to number of bits of all signals in the exported Verilog ``text``."""
    found, places = {}, hierarchy(text)
    for body in text.split("\nendmodule"):
        head = _MODULE.search(body)
        if head:
            for high, name in _SIGNAL.findall(body):
                found[f"{places[head[1]]}.{name}"] = int(high or 0) + 1
    return found


def save_file(config, verilog, dump, folder):
    """Text of the save file for the waves ``dump``; its filter files go to ``folder``.

    Raises
    ------
    KeyError
        A signal to be shown does not exist in the Verilog text.
    """
    for name, (names, width) in FILTERS.items():
        digits = -(-width // 4)
        write_whole(folder / f"{name}.txt", "".join(
            f"{member.value:0{digits}X} {member.name}\n" for member in names))
    widths = declared_signals(verilog)
    lines = [f'[dumpfile] "{dump}"', "[timestart] 0", "[size] 1600 1000", f"*{ZOOM:.6f} 0",
             "[signals_width] 420"]
    for title, is_open, signals in groups(config):
        lines += [f"@{GROUP | BLANK | (0 if is_open else CLOSED):x}", f"-{title}"]
        for signal in signals:
            signal, _, names = signal.partition(":")
            if signal not in widths:
                raise KeyError(f"the core has no signal {signal}")
            width = widths[signal]
            flags = (BINARY if width == 1 else HEX) | (TRANSLATED if names else 0)
            lines += [f"@{flags:x}"] + ([f"^1 {folder / names}.txt"] if names else [])
            lines.append(signal + (f"[{width - 1}:0]" if width > 1 else ""))
        lines += [f"@{END | BLANK:x}", f"-{title}"]
    return "\n".join(lines) + "\n"


def _find(name):
    """Module and full name of the test that ``name`` means; the first of several parameters."""
    from .collected import cocotb_tests
    from .test_regression import MODULES
    known = []
    for module in MODULES:
        tests = cocotb_tests(importlib.import_module(f"tests.regression.{module}"))
        known += tests
        for test in tests:
            if name in (test, test.partition("/")[0]):
                return f"tests.regression.{module}", test
    sys.exit(f"siommu: there is no test {name!r}. Choose TEST= one of:\n  "
             + "\n  ".join(sorted({test.partition('/')[0] for test in known}))
             + "\nor one of their variants, for instance TEST=" + known[-1])


@command
def main():
    parser = argparse.ArgumentParser(prog="waves", description=__doc__.splitlines()[0])
    parser.add_argument("test", help="name of a test of the regression")
    parser.add_argument("--config", default="default", choices=simulator.CONFIGS)
    options = parser.parse_args()
    module, test = _find(options.test)
    if simulator.fst_available():
        kind = "fst"
    else:
        kind = "vcd"
        print("siommu: lz4.h and zlib.h are missing, so the waves are VCD, which is larger. For "
              "FST on Debian 12: sudo apt-get install liblz4-dev zlib1g-dev")
    print(f"siommu: running {test} with waves")
    try:
        results, folder = simulator.run(module, [test], options.config, waves=kind)
    except simulator.SimulationError as error:
        sys.exit(f"siommu: {error}")
    target = simulator.BUILD / "waves"
    stem = re.sub(r"[^\w=-]+", "-", test)
    dump = target / f"{stem}.{kind}"
    with whole(dump) as scratch:
        shutil.move(folder / f"dump.{kind}", scratch)
    save = target / f"{stem}.gtkw"
    write_whole(save, save_file(simulator.CONFIGS[options.config],
                                simulator.verilog(options.config).read_text(), dump,
                                target / "filters"))
    verdict = "passed" if results[test] is None else f"FAILED: {results[test]}"
    print(f"siommu: {test} {verdict}")
    print(f"siommu: gtkwave {Path(os.path.relpath(save))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
