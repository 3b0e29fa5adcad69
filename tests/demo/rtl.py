"""The cocotb side of the demo: the world of ``sim.demo`` around the simulated core."""

import os
from dataclasses import replace
from pathlib import Path

import cocotb

from sim.demo import World, run_demo
from sim.host.control import RegisterControl
from sim.time.cocotb_scheduler import CocotbScheduler

from ..regression.bench import Testbench
from .platform import platform

#: Cycles from a table read's address to its first data: DRAM behind a 200 MHz core.
MEMORY_LATENCY = 20
QUOTA = 16                              #: FQ_QUOTA: a quarter of the ring
POLL = 16                               #: cycles between two looks of the driver


class PortTranslator:
    """Asks the core through one port, as an SSD does."""

    def __init__(self, port):
        self.port = port

    async def translate(self, access):
        """The beats of ``access``, in order."""
        transaction = await self.port.request(access)
        return [replace(beat, tag=access.tag) for beat in transaction.beats]


@cocotb.test()
async def demo(dut):
    """Everything that the demo demands holds on the RTL; its tables go to ``demo.txt``."""
    folder = Path(os.environ["SIOMMU_RUN_FOLDER"])
    seed = int(os.environ.get("SEED", "0"))
    async with Testbench(dut, seed) as tb:
        tb.name = "demo"
        tb.expect = lambda transaction: None    # what must come out is checked byte by byte
        tb.axi.latency = (MEMORY_LATENCY, MEMORY_LATENCY)
        await tb.reset()
        scheduler = CocotbScheduler(dut.clk, 10, "ns")
        control = RegisterControl(scheduler, tb.memory, platform(dut, tb.regs), quota=QUOTA,
                                  poll=POLL)
        translators = [PortTranslator(tb.port("dev0")), PortTranslator(tb.port("dev1"))]
        with (folder / "demo.txt").open("w", buffering=1) as output:
            await run_demo(World(scheduler, tb.memory, translators, control, folder,
                                 out=lambda line="": print(line, file=output), seed=seed))
