"""The scheduler of ``sim.time.scheduler`` on top of cocotb, for runs with the RTL."""

import cocotb
from cocotb.triggers import ClockCycles, Event
from cocotb.utils import get_sim_time

__all__ = ["CocotbScheduler"]


class CocotbScheduler:
    """Time and tasks from a running cocotb simulation.

    Parameters
    ----------
    clock : handle
        The clock signal of the core.
    period : int
        Its period.
    unit : str
        Unit of ``period`` (``"ns"``, ``"ps"``, ``"step"``).
    """

    def __init__(self, clock, period, unit="ns"):
        self._clock = clock
        self._period = period
        self._unit = unit

    @property
    def now(self):
        """Cycles since the start of the simulation."""
        return int(get_sim_time(self._unit) // self._period)

    async def delay(self, cycles):
        """Returns after ``cycles`` rising edges; 0 returns at once."""
        if cycles > 0:
            await ClockCycles(self._clock, int(cycles))

    def start(self, coroutine):
        """Starts a coroutine; the task can be awaited."""
        return cocotb.start_soon(coroutine)

    def event(self):
        """A new event, not set."""
        return Event()
