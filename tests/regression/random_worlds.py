"""Random worlds of tables and requests on all ports at once, under every kind of weather.

Replay one with ``SEED=n make test ARGS="-k world"``.
"""

import os
import random

import cocotb

from sim.model.worlds import Traffic, World
from siommu.arch.formats import Mode

from .bench import Testbench
from .queues import Queues, check_records, collect, inval_context
from .seeds import seeds
from .simulator import CONFIGS

PHASES = 6
REQUESTS = 450      #: of all ports together in a phase, on average


def set_weather(tb, rng):
    """Chooses latencies, stalls and errors."""
    axi = tb.axi
    low = rng.choice((1, 1, 10, 60))
    axi.latency = low, low + rng.choice((0, 5, 100))
    axi.max_reads = rng.choice((1, 3, 64))
    axi.interleave = rng.random() < .5
    axi.accept_rate = rng.choice((1.0, .5, .1))
    axi.data_rate = rng.choice((1.0, .5, .2))
    axi.error_rate = rng.choice((0.0, 0.0, 0.0, .02, .3))
    for port in tb.drivers:
        port.send_rate = rng.choice((1.0, 1.0, .3, .05))
        port.take_rate = rng.choice((1.0, 1.0, .5, .1))
        port.max_outstanding = rng.choice((1, 4, 256, 256))


def describe(tb):
    axi = tb.axi
    return (f"latency {axi.latency}, {axi.max_reads} reads, accept {axi.accept_rate}, "
            f"data {axi.data_rate}, errors {axi.error_rate}, ports "
            + ", ".join(f"{port.send_rate}/{port.take_rate}" for port in tb.drivers))


class Recorder:
    """The queues of every other world: all records are compared, and commands tell the core of
    tables that change. No read of such a world gets an error, which only its answer explains."""

    def __init__(self, tb, on):
        self.tb, self.on, self.records = tb, on, 0
        if on:
            self._queues, self._failed = Queues(tb, fq_log2=12, far=True), collect(tb)

    async def start(self):
        """Turns the queues on; after a reset as well."""
        if self.on:
            for listed in self._failed:
                listed.clear()
            await self._queues.start()

    async def check(self):
        """Compares the records since the last call; the ports must be idle."""
        if self.on:
            self.records += await check_records(self._queues, self._failed)

    async def invalidate(self):
        """Drops everything, for tables that have changed."""
        if self.on:
            await self._queues.run(inval_context())
        else:
            await self.tb.invalidate()


async def phase(tb, world, traffic, rng, recorder):
    """Some requests on every port, then a change of the world."""
    set_weather(tb, rng)
    if recorder.on:
        tb.axi.error_rate = 0.0
    tb.log(f"cycle {tb.cycle}: {describe(tb)}")
    # A memory that answers one read at a time makes a phase long rather than another one.
    most = 2 * REQUESTS // len(tb.drivers) // (4 if tb.axi.max_reads == 1 else 1)
    for port in tb.drivers:
        for _ in range(rng.randint(1, most)):
            port.send(traffic.access())
    event = rng.random()
    if event < .2:                                  # reset, whatever it is doing
        await tb.cycles(rng.randint(1, 3000))
        tb.log(f"cycle {tb.cycle}: reset")
        await tb.reset()
        await tb.enable(world.directory.base, world.directory.log2, check_ad=world.check_ad)
        await recorder.start()
        return
    await tb.drain()
    await recorder.check()
    if event < .4:
        tb.log(f"cycle {tb.cycle}: tables change, caches are emptied")
        for _ in range(rng.randint(1, 10)):
            world.damage()
        tb.forget()
        await recorder.invalidate()
    elif event < .55:
        # MODE only, with everything cached before.
        tb.log(f"cycle {tb.cycle}: MODE changes")
        await tb.set_mode(rng.choice((Mode.BYPASS, Mode.ABORT)), world.check_ad)
        for port in tb.drivers:
            for _ in range(20):
                port.send(traffic.access())
        await tb.drain()
        await tb.set_mode(Mode.ABORT)
        await tb.set_mode(Mode.TRANSLATE, world.check_ad)


@cocotb.test(timeout_time=100, timeout_unit="ms")
@cocotb.parametrize(seed=seeds())
async def world(dut, seed):
    """Every answer is the golden model's, or TABLE_ERROR where an error was injected; in every
    other world, every fault has its record."""
    # A core without RISC-V tables refuses those who have one.
    made = World(seed, .5 if CONFIGS[os.environ["SIOMMU_CONFIG"]].riscv_tables else .1)
    async with Testbench(dut, seed, made.memory) as tb:
        tb.name = f"world/seed={seed}"
        rng = random.Random(seed + 1)
        tb.log(f"{len(made.areas)} areas, {len(made.devices)} devices, "
               f"DDT_LOG2 {made.directory.log2}, CHECK_AD {made.check_ad}; "
               f"replay with SEED={seed}")
        await tb.enable(made.directory.base, made.directory.log2, check_ad=made.check_ad)
        recorder = Recorder(tb, seed % 2 == 1)
        await recorder.start()
        for _ in range(PHASES):
            await phase(tb, made, Traffic(made, rng), rng, recorder)
        await tb.drain()
        await recorder.check()
        assert tb.answered > 0
        tb.log(f"{tb.answered} requests answered in {tb.cycle} cycles, {tb.pages} pages compared, "
               f"{tb.grants} of them granted, {tb.axi.reads} table reads, {tb.explained} ended by "
               f"an injected error" + f", {recorder.records} records" * recorder.on)
