"""Runs the regression's random worlds many times, two simulations at a time."""

import random
import re
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ..regression import simulator

__all__ = ["Pool", "Tally", "fresh_seeds", "parse_log", "run_worlds"]

MODULE = "tests.regression.random_worlds"
_DONE = re.compile(r"^world/seed=\d+: (\d+) requests answered in (\d+) cycles, "
                   r"(\d+) pages compared, (\d+) of them granted", re.M)


@dataclass
class Tally:
    """What worlds have compared with the golden model.

    Attributes
    ----------
    worlds, requests, cycles, pages, grants : int
        ``pages``: translations of one page that were compared; ``grants``: those that granted.
    failures : list of str
        Each with the seed and how to replay it.
    """

    worlds: int = 0
    requests: int = 0
    cycles: int = 0
    pages: int = 0
    grants: int = 0
    failures: list = field(default_factory=list)

    def __iadd__(self, other):
        for name in ("worlds", "requests", "cycles", "pages", "grants"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures += other.failures
        return self

    def __str__(self):
        return f"{self.worlds} worlds, {self.requests:,} requests, {self.pages:,} translations " \
               f"of a page compared with the golden model, {self.grants:,} of them grants, " \
               f"{self.cycles:,} cycles, {len(self.failures)} failure(s)"


def fresh_seeds(count):
    """``count`` seeds that nobody chose."""
    return [random.SystemRandom().randrange(1, 1 << 32) for _ in range(count)]


def parse_log(text):
    """The ``Tally`` of the worlds that a simulation's log says to have ended."""
    tally = Tally()
    for found in _DONE.findall(text):
        requests, cycles, pages, grants = map(int, found)
        tally += Tally(1, requests, cycles, pages, grants)
    return tally


def run_worlds(config, seeds, label):
    """Runs the worlds with these seeds on a configuration in one simulation; a ``Tally``."""
    names = [f"world/seed={seed}" for seed in seeds]
    replay = f"python -m tests.bench.matrix --only {config} --world {{}}"
    try:
        results, folder = simulator.run(MODULE, names, config, label=label,
                                        env={"SIOMMU_SEEDS": " ".join(map(str, seeds))})
    except simulator.SimulationError as error:
        return Tally(failures=[f"{config}, one of the seeds {seeds}: {error}"])
    tally = parse_log((folder / "simulation.log").read_text())
    for name, failure in results.items():
        if failure is not None:
            seed = name.partition("=")[2]
            tally.failures.append(f"{config}, seed {seed}: {failure}; replay with "
                                  f"`{replay.format(seed)}`")
    return tally


class Pool:
    """Runs jobs in threads, some at a time, and says what happens with the time since the start.

    Parameters
    ----------
    jobs : int
        Threads.
    """

    def __init__(self, jobs):
        self.jobs = jobs
        self._began, self._lock = time.monotonic(), threading.Lock()

    @property
    def seconds(self):
        return time.monotonic() - self._began

    def say(self, text):
        with self._lock:
            print(f"siommu: {self.seconds:5.0f} s: {text}", flush=True)

    def run(self, jobs):
        """Yields the results of the callables that the iterator ``jobs`` gives, as they come.
        The iterator is asked for the next one when a thread is free."""
        jobs, running = iter(jobs), set()
        with ThreadPoolExecutor(self.jobs) as pool:
            while True:
                while len(running) < self.jobs:
                    job = next(jobs, None)
                    if job is None:
                        break
                    running.add(pool.submit(job))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
