"""Running a component in Amaranth's simulator, and random tests that can be replayed."""

import os
import random
from functools import cache

from amaranth.lib import fifo, memory
from amaranth.sim import Simulator

__all__ = ["Running", "compiled", "simulate", "seeded", "one_bit_off", "recorded_memories"]


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
        _run_until(simulator, lambda: len(finished) == len(testbenches), cycles)
    missing = [testbench.__name__ for testbench in testbenches if testbench not in finished]
    assert not missing, f"not finished after {cycles} cycles: {', '.join(missing)}"


def _run_until(simulator, over, cycles):
    """Runs from time 0 until ``over()``, for at most ``cycles`` cycles."""
    for now in range(100, cycles + 100, 100):       # not to the bound when it is over before
        simulator.run_until(min(now, cycles) * 1e-6)
        if over():
            break


class Running:
    """A simulation of ``dut`` that goes on from one call to the next, for tests that try many
    examples: to compile it for each of them would take longer than the examples.

    Called with a testbench, it runs it to its end, for at most ``cycles`` cycles. What the
    testbench raises is raised to the caller; the next call finds the state that it left. After one
    that did not end in time there is no next call.
    """

    def __init__(self, dut, cycles=10_000):
        self.dut, self._simulator, self._cycles = dut, Simulator(dut), cycles
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._serve)
        self._testbench = self._error = None
        self._ends = self._ended = False

    async def _serve(self, ctx):
        while not self._ends:
            if self._testbench is not None:
                try:
                    await self._testbench(ctx)
                except Exception as error:      # a failure must not end the simulation
                    self._error = error
                self._testbench = None
            await ctx.tick()
        self._ended = True

    def alone(self, testbench, cycles):
        """Runs ``testbench`` for at most ``cycles`` cycles, with every signal and memory at its
        initial value. After one that failed, ``compiled`` makes all of its simulations anew."""
        try:
            self._ends = True       # what waits for a tick would wait for it after the reset, too
            while not self._ended:
                self._simulator.advance()
            self._simulator.reset()
            self._ends = self._ended = False
            self._testbench, self._error = testbench, None
            _run_until(self._simulator, lambda: self._testbench is None, cycles)
            self._check(cycles)
        except BaseException:
            compiled.cache_clear()
            raise

    def __call__(self, testbench):
        self._testbench, self._error = testbench, None
        for _ in range(4 * self._cycles):       # steps are changes of the clock and of delays
            self._simulator.advance()
            if self._testbench is None:
                break
        self._check(self._cycles)

    def _check(self, cycles):
        if self._testbench is not None:
            raise AssertionError(f"not finished after {cycles} cycles")
        if self._error is not None:
            raise self._error


@cache
def compiled(component, *parameters):
    """A simulation of ``component(*parameters)``, for all tests of it: they take turns by
    ``alone``, since to compile it takes longer than most of them."""
    return Running(component(*parameters))


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
