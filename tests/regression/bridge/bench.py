"""A simulated bridge, and all that is around it but the SIOMMU."""

import logging
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiBus, AxiSlave

from sim.memory import BusError, Memory

from ..axi import TableMemory
from .bursts import lanes
from .device import Device
from .watch import Watch

__all__ = ["Bench", "CocotbMemory", "DataMemory", "HangError"]

PATIENCE = 20_000       #: cycles without any progress that count as a hang
PAGE = 4096


class HangError(AssertionError):
    """The bridge owes an answer and does nothing."""


class DataMemory(Memory):
    """Memory behind the bridge. It knows which accesses are bus errors before they happen."""

    def touches_poison(self, addr, n):
        """Whether an access to these bytes is a bus error."""
        try:
            self._check(addr, n)
        except BusError:
            return True
        return False


class CocotbMemory:
    """cocotbext-axi's slave over a ``Memory``: one burst after the other, in their order."""

    def __init__(self, dut, memory, prefix):
        self._memory = memory
        self._slave = AxiSlave(AxiBus.from_prefix(dut, prefix), dut.clk, dut.rst, target=self)
        for side in (self._slave.read_if, self._slave.write_if):
            side.log.setLevel(logging.ERROR)

    def weather(self, rng):
        """Stalls each channel at random, or not."""
        write, read = self._slave.write_if, self._slave.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel,
                        read.r_channel):
            rate = rng.choice((0, 0, .3, .8))
            channel.set_pause_generator(
                iter(lambda rate=rate: rng.random() < rate, None) if rate else None)
            channel.pause = False

    def step(self):
        """It runs by itself."""

    def reset(self):
        """It sees the reset by itself."""

    async def read(self, addr, n):
        """cocotbext-axi asks."""
        return self._memory.read(addr, n)

    async def write(self, addr, data):
        """cocotbext-axi asks."""
        self._memory.write(addr, data)


class ShuffledMemory(TableMemory):
    """The regression's slave, which answers late and in any order of ids, as data memory."""

    def weather(self, rng):
        """Chooses latencies and stalls."""
        low = rng.choice((1, 5, 40))
        self.latency = low, low + rng.choice((0, 10, 60))
        self.max_reads = rng.choice((1, 4, 64))
        self.interleave = rng.random() < .5
        self.accept_rate = rng.choice((1.0, .5, .1))
        self.data_rate = rng.choice((1.0, .5, .2))


class Bench:
    """A bridge with a device in front and memory behind. Use it with ``async with``.

    Parameters
    ----------
    dut
    seed : int
    width : int
        Bits of the data.
    memory : str
        Prefix of the side that goes to memory.
    shuffled : bool
        Memory answers in any order; else it is cocotbext-axi's.
    static : callable
        As of ``Device``.
    steps : list of callable
        Called in every cycle, behind the watch.
    decides : callable
        As of ``Watch``.
    clock : bool
        Whether to start the clock.
    """

    def __init__(self, dut, seed, width, *, memory="m_axi", shuffled=False,
                 static=lambda page: True, steps=(), decides=lambda *_: None, clock=True):
        self.dut, self.seed, self.cycle, self._clock = dut, seed, 0, clock
        self.rng = random.Random(seed)
        self.width = width
        self.content = DataMemory()
        self.device = Device(dut, width, self.content, static)
        self.watch = Watch(dut, self.device, memory, decides, whole=not shuffled)
        self.memory = ShuffledMemory(dut, self.content, width, random.Random(seed),
                                     lambda: self.cycle, memory, fixed=True) if shuffled else \
            CocotbMemory(dut, self.content, memory)
        self.steps, self._running = [self.watch.step, self.memory.step, *steps], False

    async def __aenter__(self):
        if self._clock:
            Clock(self.dut.clk, 10, "ns").start()
        await self.reset()
        cocotb.start_soon(self._run())
        return self

    async def __aexit__(self, kind, error, trace):
        if kind is not None:
            cocotb.log.error("this was seed %d, cycle %d", self.seed, self.cycle)

    async def reset(self, forget=lambda: None):
        """Resets the bridge, its device and its memory, whatever they are doing."""
        self._running = False
        self.dut.rst.value = 1
        await self.cycles(3)
        self.device.forget()
        self.watch.forget()
        self.memory.reset()
        forget()
        self.dut.rst.value = 0
        await self.cycles(1)
        self._running = True

    def weather(self):
        """Chooses how every channel stalls."""
        self.device.weather(self.rng)
        self.memory.weather(self.rng)

    async def _run(self):
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            self.cycle += 1
            if self._running:
                for step in self.steps:
                    step()

    async def cycles(self, n):
        """Waits ``n`` clock cycles."""
        edge = RisingEdge(self.dut.clk)
        for _ in range(n):
            await edge

    def send(self, burst):
        """Sends a burst. One that is illegal is refused, whatever the tables say."""
        self.device.send(burst)
        self.watch.refuse_illegal()

    async def drain(self):
        """Waits until every burst has its whole answer.

        Raises
        ------
        HangError
            No beat moved at the device for a long time.
        """
        def progress():
            return self.device.answered, self.device.w.count(), self.watch.faults, sum(
                burst.answered for order in self.device.order.values() for burst in order)
        last, since = progress(), self.cycle
        while self.device.owed:
            await self.cycles(20)
            now = progress()
            if now != last:
                last, since = now, self.cycle
            elif self.cycle - since > PATIENCE:
                raise HangError(f"{self.device.owed} bursts are owed, seed {self.seed}, cycle "
                                f"{self.cycle}")
        await self.cycles(8)            # the last cycles of `fault`

    def written(self, before):
        """What memory must hold, by page: ``before``, a dictionary of pages to their bytes, and
        all granted writes, in the order in which memory got them."""
        pages = {page: bytearray(content) for page, content in before.items()}
        for burst in self.watch.wrote:
            for start, (data, strobes) in zip(burst.starts(), burst.data):
                base = start & -(self.width // 8)
                for lane in lanes(start, burst.size, self.width):
                    if strobes >> lane & 1 and not self.content.touches_poison(base + lane, 1):
                        pages[(base + lane) // PAGE][(base + lane) % PAGE] = \
                            data >> 8 * lane & 255
        return pages

    def check_memory(self, before):
        """Memory holds what the granted writes left, and nothing of the refused ones."""
        for page, content in self.written(before).items():
            if not self.content.touches_poison(page * PAGE, PAGE):
                assert self.content.read(page * PAGE, PAGE) == bytes(content), \
                    f"page {page:#x} of memory is another one"
        assert {addr // PAGE for addr in self.content.pages()} <= set(before)
