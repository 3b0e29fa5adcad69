"""Running a component in Amaranth's simulator, and random tests that can be replayed."""

import os
import random

from amaranth.lib import fifo, memory
from amaranth.sim import Simulator

__all__ = ["Running", "simulate", "seeded", "one_bit_off", "recorded_memories"]


def simulate(dut, *testbenches, cycles=None):
    """Run ``testbenches`` (coroutines taking the simulator's context) to their end.

    ``cycles`` bounds the run: a test that waits for something that never comes fails.
    """
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    finished = []

    def wrap(testbench):
        async def run(ctx):
            await testbench(ctx)
            finished.append(testbench)
        return run

    for testbench in testbenches:
        simulator.add_testbench(wrap(testbench))
    if cycles is None:
        simulator.run()
    else:
        for now in range(100, cycles + 100, 100):   # not to the bound when they have ended before
            simulator.run_until(min(now, cycles) * 1e-6)
            if len(finished) == len(testbenches):
                break
    missing = [testbench.__name__ for testbench in testbenches if testbench not in finished]
    assert not missing, f"not finished after {cycles} cycles: {', '.join(missing)}"


class Running:
    """A simulation of ``dut`` that goes on from one call to the next, for tests that try many
    examples: to compile it for each of them would take longer than the examples.

    Called with a testbench, it runs it to its end, for at most ``cycles`` cycles. What the
    testbench raises is raised to the caller; the next call finds the state that it left.
    """

    def __init__(self, dut, cycles=10_000):
        self._simulator, self._cycles = Simulator(dut), cycles
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._serve)
        self._testbench = self._error = None

    async def _serve(self, ctx):
        while True:
            if self._testbench is not None:
                try:
                    await self._testbench(ctx)
                except Exception as error:      # a failure must not end the simulation
                    self._error = error
                self._testbench = None
            await ctx.tick()

    def __call__(self, testbench):
        self._testbench, self._error = testbench, None
        for _ in range(4 * self._cycles):       # steps are changes of the clock and of delays
            self._simulator.advance()
            if self._testbench is None:
                break
        else:
            raise AssertionError(f"not finished after {self._cycles} cycles")
        if self._error is not None:
            raise self._error


def seeded(name):
    """A random generator for the test ``name``. Prints its seed; ``SEED=n`` replays it."""
    seed = os.environ.get("SEED", "0")
    print(f"{name}: SEED={seed}")
    return random.Random(f"{name}/{seed}")


def one_bit_off(key, widths):
    """For each bit of the fields of ``widths``, (field, width) pairs: its name, its number, and
    ``key``, a dictionary, with that bit changed."""
    for field, bits in widths:
        for bit in range(bits):
            yield field, bit, {**key, field: key[field] ^ 1 << bit}


def recorded_memories(monkeypatch):
    """A list that every memory made from now on joins, so that a test can damage its rows."""
    made = []

    class Recorded(memory.Memory):
        def __init__(self, *args, **fields):
            super().__init__(*args, **fields)
            made.append(self)

    monkeypatch.setattr(memory, "Memory", Recorded)
    monkeypatch.setattr(fifo, "Memory", Recorded)      # it has a name of its own for the class
    return made
