"""cocotb tests of the scheduler on simulated time; ``test_cocotb_scheduler.py`` starts them."""

import tempfile
from pathlib import Path

import cocotb
from cocotb.clock import Clock

from sim.demo import World, run_demo
from sim.host.control import GoldenControlPlane, RegisterControl
from sim.memory import Memory
from sim.model.golden import GoldenModel
from sim.model.translators import GoldenTranslator
from sim.time.cocotb_scheduler import CocotbScheduler
from sim.time.scheduler import Lock

PERIOD = 5


def scheduler_of(dut):
    cocotb.start_soon(Clock(dut.clk, PERIOD, unit="ns").start())
    return CocotbScheduler(dut.clk, PERIOD, "ns")


@cocotb.test()
async def tasks_and_time(dut):
    scheduler = scheduler_of(dut)
    await scheduler.delay(3)
    start = scheduler.now
    event, lock, order = scheduler.event(), Lock(scheduler), []

    async def worker(name, cycles):
        await scheduler.delay(cycles)
        async with lock:
            order.append(name)
            await scheduler.delay(2)
            order.append(name)
        if name == "b":
            event.set()
        return name
    tasks = [scheduler.start(worker(name, cycles)) for name, cycles in zip("abc", (4, 9, 5))]
    await event.wait()
    assert event.is_set() and scheduler.now - start in (11, 12)
    event.clear()
    assert not event.is_set()
    assert [await task for task in tasks] == ["a", "b", "c"]
    assert "".join(order) == "aaccbb"
    now = scheduler.now
    await scheduler.delay(0)
    assert scheduler.now == now
    await scheduler.delay(100)
    assert scheduler.now == now + 100


@cocotb.test()
async def errors_reach_who_waits(dut):
    scheduler = scheduler_of(dut)

    async def fail():
        await scheduler.delay(1)
        raise KeyError("expected")
    try:
        await scheduler.start(fail())
    except KeyError:
        return
    raise AssertionError("the error was lost")


@cocotb.test()
async def the_whole_demo(dut):
    scheduler, memory = scheduler_of(dut), Memory()
    await scheduler.delay(1)
    model = GoldenModel(memory)
    plane = GoldenControlPlane(scheduler, memory, model)
    with tempfile.TemporaryDirectory() as folder:
        translators = [GoldenTranslator(model, scheduler, 30, plane, port) for port in range(2)]
        control = RegisterControl(scheduler, memory, plane.platform)
        result = await run_demo(World(scheduler, memory, translators, control, Path(folder),
                                      out=cocotb.log.info))
    assert len(result["denied"]) == 10
    # The core's 30 cycles are seen: both questions of a command are asked at the same time.
    with_core, without = float(result["speed"][0][-2]), float(result["speed"][0][-3])
    assert 25 <= with_core - without <= 45
