"""Figure 10: what the SIOMMU adds to an SSD's 4 KiB reads.

Each SSD has a twin without SIOMMU, with the same media and the same commands at the same time; its
queue holds physical addresses. Both are measured at the application: from the doorbell to the
completion it sees.
"""

import os
import random

import cocotb

from sim.device.nvme import Controller, Driver, Latency, Media
from sim.device.nvme.defs import Command, Io
from sim.model.translators import PassThrough
from sim.time.cocotb_scheduler import CocotbScheduler

from ..demo.rtl import PortTranslator
from .common import BASE, LINE, PAGE, REGION, Bench, average, regions_of_pages

#: 4 µs for a page at 200 MHz: 700 cycles of the flash, 100 of the link.
LATENCY = Latency(read=700, transfer=100)
MEMORY_LATENCY = 20
REGIONS = 11                        #: regions of 2 MiB of blocks, and as many of buffers
LINES = REGIONS * REGION // LINE
BUFFERS = BASE + (1 << 36)
DEPTHS = {1: 80, 32: 600}           #: queue depth to commands
WARM_BLOCKS = 64
STAGGER = 211                       #: cycles between the starts of two SSDs
BARE_FRAMES = 0x40_0000_0000        #: physical buffers of the twins


class Machine:
    """An SSD behind port ``index`` and its twin.

    Block page *i* of the file is ``BASE + PAGE·i``; buffer page *i* is ``BUFFERS + PAGE·i``.
    """

    def __init__(self, tb, scheduler, index):
        self.tb, self.scheduler, self.index = tb, scheduler, index
        self.device = 16 + index
        self.space = tb.scene.space(device=self.device, pasid=3 + index, devid=index)
        self.blocks = 512 * REGIONS
        self.disk = bytearray(PAGE * self.blocks)
        for page in range(self.blocks):
            self.disk[PAGE * page:PAGE * page + 4] = page.to_bytes(4, "little")
        # Blocks and frames in random order, no two neighbours contiguous.
        rng = random.Random(index)
        self.place = rng.sample(range(self.blocks), self.blocks)
        for page, block in enumerate(self.place):
            self.space.tables[1].map(BASE + PAGE * page, PAGE * block, devid=index)
        regions_of_pages(tb, self.space, BUFFERS, REGIONS, ft=0)

    async def start(self):
        """Brings both controllers up, and makes a queue on each."""
        driver = self.tb.port(f"dev{self.index}")
        driver.prompt = True        # as an SSD's registers would
        port = PortTranslator(driver)
        self.queues = [await self._queue(port, 3 + self.index),
                       await self._queue(PassThrough(), 0)]

    async def _queue(self, translator, pasid):
        media = Media(LATENCY)
        media.add_namespace(self.disk)
        memory = self.tb.memory
        driver = Driver(self.scheduler, memory, Controller(
            self.scheduler, memory, media, translator, self.device))
        await driver.start()
        queue = await driver.create_queue(pasid=pasid, direct=True)
        queue.poll = 1              # a coarser look would round what is measured
        return queue

    def frame(self, page, direct):
        """Physical address of buffer page ``page``, of the SSD or (not ``direct``) its twin."""
        if direct:
            return self.space.tables[0].entry(BUFFERS + PAGE * page) & (1 << 52) - PAGE
        return BARE_FRAMES + PAGE * (self.blocks * self.index + page)

    async def read(self, direct, jobs, depth):
        """Reads (block page, buffer page) pairs, ``depth`` at a time. Buffer ``None`` is one that
        the reader keeps.

        Returns (mean cycles of a read, cycles per read).
        """
        queue, scheduler = self.queues[0 if direct else 1], self.scheduler
        memory = self.tb.memory
        todo, took, ends = list(reversed(jobs)), [], []

        async def worker(own):
            while todo:
                block, buffer = todo.pop()
                buffer = own if buffer is None else buffer
                begin = scheduler.now
                frame = self.frame(buffer, direct)
                addr, slba = (BUFFERS + PAGE * buffer, (BASE >> 12) + block) if direct else \
                    (frame, self.place[block])
                done = await queue.submit(Command(Io.READ, nsid=1, prp1=addr,
                                                  cdw10=slba & 0xFFFF_FFFF, cdw11=slba >> 32))
                assert done.ok, f"a read ends with {done.status:#05x}"
                found = int.from_bytes(memory.read(frame, 4), "little")
                assert found == self.place[block], "the wrong block was read"
                took.append(scheduler.now - begin)
                ends.append(scheduler.now)
        # SSDs are never in step; these are as far apart as their number allows.
        await scheduler.delay(STAGGER * self.index)
        begin = scheduler.now
        for task in [scheduler.start(worker(own)) for own in range(depth)]:
            await task
        return average(took), (max(ends) - begin) / len(jobs)


def warm_jobs(rng, count):
    """Reads of few blocks, into buffers that are used again and again."""
    return [(rng.randrange(WARM_BLOCKS), None) for _ in range(count)]


def missing_jobs(rng, used, count):
    """Reads whose block and buffer lie in lines of the table that were never used before."""
    lines = [(block * 8 + rng.randrange(8), buffer * 8 + rng.randrange(8)) for block, buffer in
             zip(rng.sample(range(LINES), LINES), rng.sample(range(LINES), LINES))]
    assert used + count <= LINES, "too few lines"
    return lines[used:used + count]


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def ssds(dut):
    """One SSD, then two, ... at queue depths 1 and 32, with a warm TLB and with misses only."""
    async with Bench(dut) as tb:
        scheduler = CocotbScheduler(dut.clk, 10, "ns")
        low, high = map(int, os.environ["BENCH_SSDS"].split("-"))
        machines = [Machine(tb, scheduler, index) for index in range(high)]
        await tb.begin()
        tb.latency(MEMORY_LATENCY)
        for machine in machines:
            await machine.start()
        for number in range(low, high + 1):
            for what in ("warm TLB", "every translation misses"):
                for depth, count in DEPTHS.items():
                    await measure(tb, machines[:number], what, depth, count)


async def measure(tb, machines, what, depth, count):
    """Runs the SSDs and their twins, and records what the SIOMMU added."""
    scheduler = machines[0].scheduler
    warm = what == "warm TLB"
    await tb.empty()
    jobs = []
    for machine in machines:
        rng = random.Random(machine.index)
        if warm:
            for ft, base, pages in ((1, BASE, WARM_BLOCKS), (0, BUFFERS, depth)):
                await tb.warm([machine.space.access(ft, 0, base + PAGE * page)
                               for page in range(pages)] * 2, f"dev{machine.index}")
            jobs.append(warm_jobs(rng, count))
        else:
            # Upper levels and contexts are warm; then every line is used once.
            for ft, base in ((1, BASE), (0, BUFFERS)):
                await tb.warm([machine.space.access(ft, 0, base + REGION * region)
                               for region in range(REGIONS)], f"dev{machine.index}")
            jobs.append(missing_jobs(rng, 0, count))
    reads, answered = tb.axi.reads, tb.answered
    tasks = [[scheduler.start(machine.read(direct, todo, depth))
              for machine, todo in zip(machines, jobs)] for direct in (1, 0)]
    (guarded, guarded_rate), (bare, bare_rate) = [
        [average(values) for values in zip(*[await task for task in each])] for each in tasks]
    text = f"{len(machines)} SSD(s), queue depth {depth}, {what}"
    note = f"{bare:.1f} cycles without, {guarded:.1f} with; {tb.axi.reads - reads} read bursts " \
           f"for {tb.answered - answered} translations"
    tb.record(10, f"{text}: added latency", 100 * (guarded - bare) / bare, "%",
              bar=1 if warm else 5, note=note, x=len(machines), series=f"{what}, depth {depth}",
              added=guarded - bare)
    # One read at a time: the throughput is the inverse of the latency, whose bar decides.
    single = depth == 1 and not warm
    tb.record(10, f"{text}: throughput", 100 * bare_rate / guarded_rate, "% of the bare SSD",
              bar=None if single else 99, atmost=False,
              note="the inverse of the latency: no bar of its own" if single else "")
