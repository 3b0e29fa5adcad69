"""The cocotb side of the demo: the world of ``sim.demo`` around the simulated core."""

import os
import random
from dataclasses import replace
from pathlib import Path

import cocotb

from sim.cocotb_scheduler import CocotbScheduler
from sim.control import RegisterControl
from sim.demo import World, run_demo

from ..regression.bench import Testbench
from .walks import WalkCountingMemory

#: Cycles from a table read's address to its first data: DRAM behind a 200 MHz core.
MEMORY_LATENCY = 20
HIT_LATENCY = 9          #: cycles of a hit in either level of the TLB, at most


class PortTranslator:
    """Asks the core through one port, as an SSD does.

    Attributes
    ----------
    requests, hits : int
        Requests so far; those that were answered in the time of a TLB hit.
    """

    def __init__(self, port):
        self.port = port
        self.requests = self.hits = 0

    async def translate(self, access):
        """The beats of ``access``, in order."""
        transaction = await self.port.request(access)
        self.requests += 1
        self.hits += transaction.beat_cycles[0] - transaction.accepted <= HIT_LATENCY
        return [replace(beat, tag=access.tag) for beat in transaction.beats]


@cocotb.test()
async def demo(dut):
    """Everything that the demo demands holds on the RTL; its tables go to ``demo.txt``."""
    folder = Path(os.environ["SIOMMU_RUN_FOLDER"])
    seed = int(os.environ.get("SEED", "0"))
    async with Testbench(dut, seed) as tb:
        tb.name = "demo"
        tb.expect = lambda transaction: None    # what must come out is checked byte by byte
        tb.axi = WalkCountingMemory(dut, tb.memory, tb.config.axi_data_width,
                                    random.Random(seed), lambda: tb.cycle)
        tb.axi.latency = (MEMORY_LATENCY, MEMORY_LATENCY)
        await tb.reset()
        translators = [PortTranslator(tb.port("dev0")), PortTranslator(tb.port("dev1"))]

        def counters():
            return {"requests": sum(each.requests for each in translators),
                    "tlb_hits": sum(each.hits for each in translators),
                    "walks": tb.axi.walks}

        with (folder / "demo.txt").open("w", buffering=1) as output:
            await run_demo(World(
                CocotbScheduler(dut.clk, 10, "ns"), tb.memory, translators,
                RegisterControl(tb.regs.get, tb.regs.set), folder, counters=counters,
                out=lambda line="": print(line, file=output), seed=seed))
