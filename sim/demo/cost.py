"""What the SIOMMU costs: reads of 4 KiB, with it and on the same SSD without it."""

import random

from ..device.nvme import Controller, Driver, Media
from ..device.nvme.defs import PAGE, Command, Io
from ..model.translators import PassThrough
from .machine import require

__all__ = ["Cost"]

BARE_DEVICE = 0x0300


class Cost:
    """The measurement, on ``machine``. ``rows`` are the lines of the table."""

    def __init__(self, machine):
        self.machine = machine
        self.world = machine.world
        self.rows = []
        self._media = Media(self.world.latency)
        self._media.add_namespace(machine.disk)

    def close(self):
        """Lets go of the image."""
        self._media.close()

    async def run(self, reads=64, depths=(1, 16)):
        """Reads of 4 KiB at random places: with the SIOMMU, and on the same SSD without."""
        opened = await self.machine.alice.open("/home/alice/library.tar")
        process = self.machine.alice.process
        buffer = self.machine.kernel.map_buffer(process, max(depths) * PAGE)
        queue = await self.machine.kernel.queue(process, self.machine.ssd)
        frames = process.find(buffer, PAGE).frames
        bare = await self._bare()
        rng = random.Random(self.world.seed)
        pages = rng.choices(sorted(opened.shared.blocks), k=reads)
        for depth in depths:
            before = await self.world.control.counters()
            guarded = await self._timed(queue, depth, [
                (opened.vba + page * PAGE, buffer + index % depth * PAGE)
                for index, page in enumerate(pages)])
            after = await self.world.control.counters()
            plain = await self._timed(bare, depth, [
                (opened.shared.blocks[page] * PAGE, frames[index % depth])
                for index, page in enumerate(pages)])
            counted = [after[name] - before[name]
                       for name in ("requests", "l1_hits", "l2_hits", "misses")]
            self.rows.append((depth, reads, *counted, f"{plain:.1f}", f"{guarded:.1f}",
                              f"{guarded - plain:.1f}"))
        await self.machine.alice.close(opened)

    async def _bare(self):
        """The same SSD without a SIOMMU: its addresses are physical, nobody is asked."""
        driver = Driver(self.world.scheduler, self.world.memory, Controller(
            self.world.scheduler, self.world.memory, self._media, PassThrough(), BARE_DEVICE))
        await driver.start()
        return await driver.create_queue(direct=True)

    async def _timed(self, queue, depth, reads):
        """Cycles per read when ``depth`` of them are always on their way."""
        scheduler = self.world.scheduler
        queue.poll = 1                  # a coarser look would round what is measured
        todo = list(reversed(reads))

        async def worker():
            while todo:
                block, addr = todo.pop()
                slba = block // PAGE
                completion = await queue.submit(Command(
                    Io.READ, nsid=1, prp1=addr, cdw10=slba & 0xFFFFFFFF, cdw11=slba >> 32))
                require(completion.ok, f"a measured read ends with {completion.status:#05x}")
        start = scheduler.now
        for task in [scheduler.start(worker()) for _ in range(depth)]:
            await task
        return (scheduler.now - start) / len(reads)
