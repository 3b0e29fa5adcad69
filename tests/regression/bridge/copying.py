"""The example ``docs/example_dma.v``: an ordinary DMA engine behind the bridge and the core."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from sim.memory import Memory
from siommu.arch.formats import Cause

from ..bench import Testbench
from ..queues import Queues, inval_tlb
from ..scene import Scene
from .bench import CocotbMemory

PAGE, DEVICE = 4096, 0x200
SOURCE, TARGET = 0x5500_0000_0000, 0x7F00_0000_0000


async def copy(dut, pasid, source, target, words):
    """Starts a copy and waits for its end. Returns whether it failed, and the bursts refused."""
    edge, faults = RisingEdge(dut.clk), 0
    for name, value in (("pasid", pasid), ("source", source), ("target", target),
                        ("words", words), ("start", 1)):
        getattr(dut, name).value = value
    await edge
    dut.start.value = 0
    await edge
    while int(dut.busy.value):
        await edge
        faults += int(dut.fault.value)
    for _ in range(3):
        await edge
        faults += int(dut.fault.value)
    return int(dut.failed.value), faults


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_process_copies(dut):
    """A process has the engine copy between its own pages, which lie anywhere in memory. What it
    may not read or write stops the copy, and nothing else changes."""
    rng, data = random.Random(5), Memory()
    CocotbMemory(dut, data, "d_axi")
    dut.start.value = 0
    async with Testbench(dut, 5, ports=()) as tb:
        tb.axi.latency = 20, 40
        scene = Scene(tb, log2=10)
        space = scene.space(DEVICE, pasid=7)
        pages = rng.sample(range(0x1000, 0x8_0000), 8)
        for index, page in enumerate(pages[:4]):
            space.map(0, SOURCE + index * PAGE, paddr=page * PAGE, write=False)
            data.write(page * PAGE, rng.randbytes(PAGE))
        for index, page in enumerate(pages[4:]):
            space.map(0, TARGET + index * PAGE, paddr=page * PAGE)
        await scene.enable()
        queues = Queues(tb)
        await queues.start()

        def virtual(base, offset, n):
            first = 0 if base == SOURCE else 4
            return b"".join(data.read(pages[first + at // PAGE] * PAGE + at % PAGE, 8)
                            for at in range(offset, offset + n, 8))
        for _ in range(6):
            words = rng.randint(1, 600)
            offsets = [8 * rng.randrange(2048 - words) for _ in range(2)]
            failed, faults = await copy(dut, 7, SOURCE + offsets[0], TARGET + offsets[1], words)
            assert not failed and not faults
            assert virtual(TARGET, offsets[1], 8 * words) == virtual(SOURCE, offsets[0], 8 * words)

        before = {page: data.read(page * PAGE, PAGE) for page in pages}
        # Into a page that may only be read; out of one that is absent; for another process.
        assert await copy(dut, 7, SOURCE, SOURCE + PAGE, 4) == (1, 1)
        assert await copy(dut, 7, SOURCE + 4 * PAGE, TARGET, 4) == (1, 1)
        assert await copy(dut, 8, SOURCE, TARGET, 4) == (1, 1)
        assert {page: data.read(page * PAGE, PAGE) for page in pages} == before
        await tb.cycles(200)            # the last record may follow its answer
        causes = [record["cause"] for record in await queues.take()]
        assert causes == [cause.value for cause in (
            Cause.WRITE_DENIED, Cause.NOT_PRESENT, Cause.PASID_INVALID)]

        # A copy into the target's second page, which is taken away: it stops at the page's edge.
        space.tables[0].unmap(TARGET + PAGE)
        await queues.run(inval_tlb(DEVICE, 7, 0, TARGET + PAGE))
        failed, faults = await copy(dut, 7, SOURCE, TARGET + PAGE - 256, 64)
        assert (failed, faults) == (1, 1)
        assert data.read(pages[4] * PAGE + PAGE - 256, 256) == virtual(SOURCE, 0, 256)
        assert data.read(pages[5] * PAGE, PAGE) == before[pages[5]]
        assert set(data.pages()) == {page * PAGE for page in pages}
