"""What all measurements share: a memory that is watched, worlds of scattered pages, records."""

import json
import os
import random
from pathlib import Path
from statistics import mean

from siommu.generate.files import write_whole

from ..regression.axi import TableMemory
from ..regression.bench import Testbench
from ..regression.scene import Scene

__all__ = ["BASE", "LINE", "PAGE", "REGION", "Bench", "average",
           "random_lines", "regions_of_pages", "sustained"]

PAGE = 4096
LINE = 8 * PAGE             #: bytes whose entries share a 64-byte line of the table
REGION = 512 * PAGE         #: bytes under one level-2 entry
BASE = 0x1234_4000_0000     #: virtual address of the pages that are measured
CLEARING = 3000             #: cycles in which a core of any size has cleared its caches
SCATTERED = 0x20_0000_0000  #: physical pages, no two virtual neighbours next to each other


class WatchedMemory(TableMemory):
    """A table memory that answers after exactly ``latency[0]`` cycles, from handshake to handshake
    and with nothing else on the bus, and that knows when each read was asked for and answered.

    Attributes
    ----------
    shortest : int or None
        Fewest cycles from the handshake of an address to that of its first data.
    occupied : int
        Sum over all cycles of the reads in flight.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.shortest = None
        self.occupied = 0
        self._asked = {}

    def step(self):
        self.occupied += self._count
        super().step()

    def _accept(self, got):
        super()._accept(got)
        burst, now = self._queues[got["id"]][-1], self._clock()
        self._asked[burst] = now
        burst.ready = now + self.latency[0] - 1     # what is offered now is taken a cycle later

    def _handed_over(self):
        asked = self._asked.pop(self._current, None)
        if asked is not None:
            took = self._clock() - asked
            self.shortest = took if self.shortest is None else min(took, self.shortest)
        super()._handed_over()


class Bench(Testbench):
    """A ``Testbench`` that measures. All answers are checked against the golden model as usual.

    ``record`` writes one measurement to ``figures.jsonl`` in the folder of the run.
    """

    def __init__(self, dut, seed=1, ports=None):
        super().__init__(dut, seed, ports=ports)
        self.axi = WatchedMemory(dut, self.memory, self.config.axi_data_width,
                                 random.Random(seed), lambda: self.cycle)
        self.scene = Scene(self)
        self._frames = SCATTERED
        self._output = Path(os.environ["SIOMMU_RUN_FOLDER"]) / "figures.jsonl"

    def record(self, figure, what, measured, unit, *, bar=None, atmost=True, note="", **data):
        """Records a measurement.

        Parameters
        ----------
        figure : int or str
            Number of the figure; a word for what has none.
        what : str
            What was measured, in words.
        measured : int or float
        unit : str
        bar : number or None
            What it must not exceed or, unless ``atmost``, fall below.
        note : str
        data
            For plots: ``series`` and ``x``; anything else.
        """
        entry = {"figure": figure, "what": what, "measured": measured, "unit": unit, "bar": bar,
                 "atmost": atmost, "note": note, "config": os.environ["SIOMMU_CONFIG"],
                 "answered": self.answered, **data}
        before = self._output.read_text() if self._output.exists() else ""
        write_whole(self._output, before + json.dumps(entry) + "\n")

    # -- worlds --------------------------------------------------------------------------------

    def scatter(self, space, vaddr, pages, ft=1):
        """Maps ``pages`` 4 KiB pages from ``vaddr`` on to physical pages in random order, no two
        of which touch."""
        order = list(range(pages))
        random.Random(pages).shuffle(order)
        for index, place in enumerate(order):
            space.tables[ft].map(vaddr + index * PAGE, self._frames + 2 * PAGE * place,
                                 devid=space.devid if ft else None)
        self._frames += 2 * PAGE * pages
        self.forget()

    def latency(self, cycles):
        """Sets the memory's latency: ``cycles`` from the address handshake to the first data."""
        self.axi.latency = cycles, cycles
        self.axi.shortest = None

    def check_latency(self, cycles):
        """Fails unless the memory's latency was what ``latency`` was told."""
        assert self.axi.shortest == cycles, \
            f"the memory took {self.axi.shortest} cycles instead of {cycles}"

    async def begin(self):
        """Turns translation on, and waits until the core has cleared its memories."""
        await self.scene.enable()
        await self.cycles(CLEARING)

    async def empty(self):
        """Empties all caches, and waits until the core has cleared its memories."""
        await self.invalidate()
        await self.cycles(CLEARING)

    async def warm(self, accesses, port=0):
        """Sends ``accesses`` one after the other and lets the core come to rest."""
        for access in accesses:
            await self.port(port).request(access)
        await self.rest()

    async def rest(self, cycles=40):
        """Waits until the core has nothing to do."""
        await self.drain()
        await self.until(lambda: not self.axi.in_flight)
        await self.cycles(cycles)

    async def one(self, access, port=0):
        """Sends one request to the idle core; returns (cycles, read bursts, transaction)."""
        reads = self.axi.reads
        done = await self.port(port).request(access)
        await self.rest()
        return done.beat_cycles[0] - done.accepted, self.axi.reads - reads, done

    def leaf_reads(self, table, pages, log):
        """Bursts in ``log`` that read leaves of ``pages`` (addresses) of ``table``."""
        leaves = {table.entry_address(page) & -PAGE for page in pages}
        return sum(addr & -PAGE in leaves for _, addr, _ in log)


def sustained(sent, cut=.1):
    """Requests per cycle that ended, over a window without start and end.

    The window leaves out ``cut`` of the answers at both sides.
    """
    ends = sorted(one.finished for one in sent)
    skip = int(len(ends) * cut)
    ends = ends[skip:len(ends) - skip]
    return (len(ends) - 1) / (ends[-1] - ends[0])


def average(values):
    """Mean of an iterable."""
    return mean(list(values))


def random_lines(rng, first, regions, count):
    """``count`` page addresses in random order from ``regions`` regions of 2 MiB, no two in one
    line of the table, none in a region's first line."""
    lines = [first + region * REGION + line * LINE
             for region in range(regions) for line in range(1, 64)]
    return [line + rng.randrange(8) * PAGE for line in rng.sample(lines, count)]


def regions_of_pages(bench, space, first, regions, ft=1):
    """Maps ``regions`` regions of 2 MiB with scattered 4 KiB pages; returns one page address in
    each region's first line, to warm the upper levels with."""
    bench.scatter(space, first, 512 * regions, ft)
    return [first + region * REGION for region in range(regions)]
