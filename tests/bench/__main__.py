"""``make bench``: measures the figures on the exported Verilog and reports them.

Writes ``build/bench/report.md``, ``results.json`` and plots. ``ARGS="--only 3,5"`` measures a part.
"""

import argparse
import hashlib
import json
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed

from siommu.generate.files import command, write_whole

from ..regression import simulator
from ..regression.bridge import system
from .plan import FIGURES, plan
from .plots import draw
from .report import bench_report, line, sort_key

FOLDER = simulator.BUILD / "bench"

_building = defaultdict(threading.Lock)     # by configuration: only one thread builds its model


class Progress:
    """Says measurements as they come, with the time since the start."""

    def __init__(self):
        self._began, self._lock = time.monotonic(), threading.Lock()

    def say(self, text):
        with self._lock:
            print(f"siommu: {time.monotonic() - self._began:5.0f} s: {text}", flush=True)


def follow(path, over, say):
    """Says every measurement that the simulation adds to ``path`` until ``over`` is set."""
    shown = 0
    while True:
        last = over.wait(.5)
        if path.exists():
            entries = path.read_text().splitlines()
            for entry in entries[shown:]:
                say(line(json.loads(entry)))
            shown = len(entries)
        if last:
            return


def _sources(simulation):
    """What is simulated: Verilog files, as users get them, and the uppermost module."""
    if simulation.bridge:
        return system.sources(simulation.config), system.TOP
    return [simulator.verilog(simulation.config, checked=False)], "siommu"


def measure(simulation, say):
    """Runs a simulation; returns its records and what failed."""
    module = f"tests.bench.{simulation.module}"
    path = simulator.BUILD / "regress" / f"{simulation.module}-{simulation.config}/figures.jsonl"
    path.unlink(missing_ok=True)
    over = threading.Event()
    follower = threading.Thread(target=follow, args=(path, over, say))
    follower.start()
    try:
        with _building[simulation.config]:
            sources, top = _sources(simulation)
            simulator.build(sources, top=top)
        results, folder = simulator.run(module, simulation.tests, simulation.config,
                                        env=simulation.env, sources=sources, top=top)
        failed = [f"{simulation.module}.{name} on {simulation.config}: {failure} "
                  f"(the log is {folder / 'simulation.log'})"
                  for name, failure in results.items() if failure is not None]
    except simulator.SimulationError as error:
        failed = [str(error)]
    finally:
        over.set()
        follower.join()
    records = [json.loads(entry) for entry in path.read_text().splitlines()] \
        if path.exists() else []
    return records, failed


def configuration(name):
    """A configuration in words, with what identifies its Verilog."""
    digest = hashlib.sha256(simulator.verilog(name, checked=False).read_bytes()).hexdigest()
    return f"{simulator.CONFIGS[name]}; SHA-256 of the Verilog {digest[:16]}…"


@command
def main(arguments=None):
    """The command line; returns the exit status: 1 if a measurement failed, a missed bar is 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench",
                                     description="Measures latency and throughput of the core.")
    parser.add_argument("--only", metavar="FIGURES",
                        help=f"figures separated by commas: {', '.join(FIGURES)}")
    parser.add_argument("--jobs", type=int, default=2, metavar="N",
                        help="simulations at a time (2)")
    options = parser.parse_args(arguments)
    try:
        simulations = plan(options.only.split(",") if options.only else ())
    except ValueError as error:
        parser.exit(2, f"siommu: {error}\n")
    FOLDER.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    records, failures = [], []
    with ThreadPoolExecutor(options.jobs) as pool:
        def run(simulation):
            progress.say(f"starting {', '.join(simulation.tests)} on {simulation.config}")
            return measure(simulation, progress.say)
        for future in as_completed([pool.submit(run, each) for each in simulations]):
            found, failed = future.result()
            records += found
            failures += failed
            for failure in failed:
                progress.say(f"FAILED: {failure}")
    records.sort(key=sort_key)
    results = {"records": records, "failures": failures, "only": options.only,
               "configs": {name: configuration(name)
                           for name in sorted({record["config"] for record in records})}}
    write_whole(FOLDER / "results.json", json.dumps(results, indent=1) + "\n")
    plots = draw(records, FOLDER)
    text = bench_report(results, plots)
    write_whole(FOLDER / "report.md", text)
    print(f"\n{text}\nsiommu: the report is {FOLDER / 'report.md'}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
