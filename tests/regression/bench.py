"""The test bench: one simulated core, its ports, its memory, its registers, and the golden model.

Every response is checked against the golden model when its last beat comes, unless a test says
otherwise. A test looks like this::

    @cocotb.test(timeout_time=1, timeout_unit="ms")
    async def reads_a_page(dut):
        async with Testbench(dut) as tb:
            world = ...                                  # tables in tb.memory
            await tb.enable(ddt_base=..., ddt_log2=8)
            done = await tb.port("dev0").request(Access(ft=1, ...))
            assert done.beats[0].cause == Cause.OK.value
"""

import logging
import os
import random
import warnings
from dataclasses import replace

# cocotbext-axi 0.1.28 was written for cocotb 1 and uses names that cocotb 2 deprecates.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cocotbext\.axi")

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from sim.memory import BusError, Memory
from sim.model.golden import GoldenModel, ResponseError, check_response
from siommu.arch.formats import Cause, Mode

from .axi import TableMemory
from .coverage import Coverage
from .ports import PortDriver
from .simulator import CONFIGS

__all__ = ["Testbench", "HangError", "Registers", "OKAY", "SLVERR"]

OKAY, SLVERR = 0, 2
CTRL, STATUS, DDT_BASE, DDT_LOG2, PORT_ENABLE, PORT_STATUS = 0x10, 0x14, 0x18, 0x20, 0x68, 0x6C
CHECK_AD = 1 << 2
PATIENCE = 20_000       #: cycles without any progress that count as a hang


class HangError(AssertionError):
    """The core owes an answer and does nothing. The message lists what it owes."""


class Registers:
    """Register access through ``s_axil_`` (§2.3)."""

    def __init__(self, dut):
        self._master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        for name in ("write_if", "read_if"):
            getattr(self._master, name).log.setLevel(logging.WARNING)

    def stall(self, rng):
        """Stalls every channel at random from now on."""
        write, read = self._master.write_if, self._master.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel,
                        read.r_channel):
            channel.set_pause_generator(iter(lambda: rng.random() < .5, None))

    async def read(self, offset):
        """(value, response) of the 32-bit register at ``offset``."""
        done = await self._master.read(offset, 4)
        return int.from_bytes(done.data, "little"), int(done.resp)

    async def write(self, offset, value, n_bytes=4):
        """Writes the low ``n_bytes`` of ``value`` from byte ``offset`` on; returns the response."""
        done = await self._master.write(offset, value.to_bytes(n_bytes, "little"))
        return int(done.resp)

    async def set(self, offset, value):
        """Writes a register that must accept it."""
        response = await self.write(offset, value)
        assert response == OKAY, f"writing {value:#x} to {offset:#05x} answers {response}"

    async def get(self, offset):
        """Value of a register that must exist."""
        value, response = await self.read(offset)
        assert response == OKAY, f"reading {offset:#05x} answers {response}"
        return value


class Testbench:
    """One core and everything around it. Use it with ``async with``.

    Parameters
    ----------
    dut
        Handle of the module ``siommu``.
    seed : int
        Seed of all random choices of the bench.
    memory : Memory
        Main memory; a new one without.
    ports : tuple of str
        The ports that the bench drives; all of them without.

    Attributes
    ----------
    config : Config
        Configuration of the simulated core.
    cycle : int
        Clock cycles so far.
    ports : dict of str to PortDriver
    axi : TableMemory
    regs : Registers
    golden : GoldenModel
        Follows ``enable``; its tables are those in ``memory``.
    expect : callable
        Called with each finished transaction; checks it (``check`` by default).
    answered, explained : int
        Transactions that were checked; those of them that an injected error ended.
    pages, grants : int
        Pages whose answers were compared with the golden model's; those of them that were granted.
    name : str
        The test's name, for its lines in the log.
    """

    __test__ = False        # not a test class, whatever pytest thinks of its name

    def __init__(self, dut, seed=0, memory=None, ports=None):
        self.dut = dut
        self.seed = seed
        self.config = CONFIGS[os.environ["SIOMMU_CONFIG"]]
        self.rng = random.Random(seed)
        self.memory = memory or Memory()
        self.golden = GoldenModel(self.memory, riscv_tables=self.config.riscv_tables)
        self.coverage = Coverage(os.environ["SIOMMU_RUN_FOLDER"])
        self.cycle = 0
        self.answered = self.explained = self.pages = self.grants = 0
        self.name = ""
        self.expect = self.check
        self._answers = {}
        self._running = False
        self.axi = TableMemory(dut, self.memory, self.config.axi_data_width,
                               random.Random(self.rng.random()), lambda: self.cycle)
        self.ports = {name: PortDriver(dut, name, random.Random(self.rng.random()),
                                       self._finished)
                      for name in (
                          self.config.port_names if ports is None else ports)}
        self._list = list(self.ports.values())

    async def __aenter__(self):
        Clock(self.dut.clk, 10, "ns").start()
        self.dut.rst.value = 1
        self.regs = Registers(self.dut)
        await self._hold_reset()
        cocotb.start_soon(self._run())
        return self

    async def __aexit__(self, kind, error, trace):
        if kind is None:
            self._cover()
        else:
            cocotb.log.error("this was seed %d, cycle %d", self.seed, self.cycle)
        self.coverage.save()

    def port(self, name):
        """The driver of the port called ``name``. A number counts the ports from the first, and
        begins again after the last; a driver stands for itself."""
        if isinstance(name, PortDriver):
            return name
        return self.ports[name] if isinstance(name, str) else self._list[name % len(self._list)]

    @property
    def held(self):
        """Cycles that each beat waits for whether a memory is damaged (``fail_stop``)."""
        return 3 * self.config.fail_stop

    @property
    def drivers(self):
        """The drivers of all ports, in the order of their numbers."""
        return self._list

    def log(self, text):
        """A line for the log; pytest shows it when the test fails or with ``-rP``."""
        print(f"{self.name}: {text}", flush=True)

    # -- time ----------------------------------------------------------------------------------

    async def _run(self):
        edge = RisingEdge(self.dut.clk)
        ports, axi = self._list, self.axi
        while True:
            await edge
            self.cycle += 1
            if self._running:
                axi.step()
                for port in ports:
                    port.step(self.cycle)

    async def cycles(self, n):
        """Waits ``n`` clock cycles."""
        edge = RisingEdge(self.dut.clk)
        for _ in range(n):
            await edge

    async def until(self, condition, limit=PATIENCE, what="the condition"):
        """Waits until ``condition()`` is true, at most ``limit`` cycles."""
        edge = RisingEdge(self.dut.clk)
        for _ in range(limit):
            if condition():
                return
            await edge
        raise HangError(f"{what} did not come true in {limit} cycles (cycle {self.cycle})")

    def _progress(self):
        return (self.axi.beats, self.axi.in_flight, self.axi.errors,
                *((len(port.queue), port.beats) for port in self._list))

    async def drain(self, ports=None, patience=PATIENCE):
        """Waits until the given ports (default: all) owe nothing.

        Raises
        ------
        HangError
            Nothing at all happened for ``patience`` cycles.
        """
        ports = self._list if ports is None else [self.port(port) for port in ports]
        edge = RisingEdge(self.dut.clk)
        last, since = None, 0
        while not all(port.idle for port in ports):
            await edge
            if self.cycle - since >= 64:
                now = self._progress()
                if now != last:
                    last, since = now, self.cycle
                elif self.cycle - since > patience:
                    self._hang(ports)

    def _hang(self, ports):
        owed = "; ".join(f"{port.name}: {len(port.outstanding)} in flight, "
                         f"{len(port.queue)} waiting, oldest "
                         f"{next(iter(port.outstanding.values())).access}"
                         for port in ports if port.outstanding) or \
            "; ".join(f"{port.name} takes no request" for port in ports if not port.idle)
        raise HangError(f"no progress until cycle {self.cycle}, {self.axi.in_flight} table reads "
                        f"in flight, seed {self.seed}.{self._stopped()} Owed: {owed}")

    def _stopped(self):
        """A sentence for a core that has stopped because of a damaged memory (``fail_stop``)."""
        stopped = self.config.fail_stop and int(self.dut.irq_damage.value)
        return " A memory is damaged, and the core has stopped." * bool(stopped)

    # -- reset and registers -------------------------------------------------------------------

    async def _hold_reset(self, cycles=4):
        self._running = False
        self.dut.rst.value = 1
        self.axi.reset()
        for port in self._list:
            port.reset()
        await self.cycles(cycles)
        self.dut.rst.value = 0
        await self.cycles(1)
        self._running = True
        self.golden.mode, self.golden.check_ad = Mode.ABORT, 0
        self.golden.ddt_base = self.golden.ddt_log2 = 0
        self.forget()

    async def reset(self):
        """Resets the core, whatever it is doing. Transactions in flight end as dropped."""
        if any(port.outstanding for port in self._list):
            self.coverage.hit("reset with requests in flight")
        await self._hold_reset()

    async def enable(self, ddt_base, ddt_log2, mode=Mode.TRANSLATE, check_ad=0):
        """Writes the device directory's registers and CTRL. MODE must be ABORT."""
        await self.regs.set(DDT_BASE, ddt_base & 0xFFFF_FFFF)
        await self.regs.set(DDT_BASE + 4, ddt_base >> 32)
        await self.regs.set(DDT_LOG2, ddt_log2)
        self.golden.ddt_base, self.golden.ddt_log2 = ddt_base, ddt_log2
        await self.set_mode(mode, check_ad)

    async def set_mode(self, mode, check_ad=0):
        """Writes CTRL; the golden model follows."""
        await self.regs.set(CTRL, mode.value | (CHECK_AD if check_ad else 0))
        self.golden.mode, self.golden.check_ad = mode, check_ad
        self.forget()

    async def invalidate(self):
        """Empties all caches: MODE = ABORT until nothing is in flight, then back (§7)."""
        mode, check_ad = self.golden.mode, self.golden.check_ad
        await self.set_mode(Mode.ABORT, check_ad)
        while await self.regs.get(STATUS) & 3:
            pass
        await self.set_mode(mode, check_ad)

    # -- checking ------------------------------------------------------------------------------

    def forget(self):
        """To be called after tables changed: golden answers are kept until then."""
        self._answers.clear()

    def answers(self, access):
        """Golden answers for ``access``; kept until ``forget``."""
        key = (access.ft, access.write, access.device, access.pasid, access.addr, access.pages)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self.golden.translate(access)
        return found

    def check(self, transaction):
        """Checks a transaction against the golden model and counts its covers.

        A read that got an error at random may end the request with TABLE_ERROR at the page that
        it was read for, and at no other.
        """
        access, beats = transaction.access, transaction.beats
        answers = self.answers(access)
        self.grants += sum(beat.pages + 1 for beat in beats if not beat.cause)
        self.pages += sum(beat.pages + 1 for beat in beats)
        if any(beat.pages for beat in beats):
            self._cover_runs(answers, beats)
        try:
            check_response(access, answers, beats)
        except ResponseError as error:
            if not self._explained(transaction, answers):
                raise ResponseError(f"port {transaction.port.name}, cycle {self.cycle}, seed "
                                    f"{self.seed}: {error}") from None
            self.explained += 1
            self.coverage.hit("injected error answered TABLE_ERROR")
        else:       # what an error answered was not what the golden model says
            self.coverage.transaction(access, answers)
            if self.axi.injected and self._was_hit(transaction, answers[-1]):
                self.coverage.hit("injected error survived")

    def _finished(self, transaction):
        self.answered += 1
        if transaction.accepted > transaction.offered + 1:
            self.coverage.hit("request stalled")
        self.expect(transaction)

    def _explained(self, transaction, answers):
        """Whether a random bus error makes these beats right: TABLE_ERROR at a page whose walk
        the error hit while the request was in flight."""
        access, beats = transaction.access, transaction.beats
        *granted, last = beats
        page = sum(beat.pages + 1 for beat in granted)
        if last.cause != Cause.TABLE_ERROR.value or page >= len(answers):
            return False
        addr = access.addr + 4096 * page & (1 << 64) - 1
        fault = type(last)(access.tag, 1, last.cause, 0, addr & -4096 if page else addr, 0, 0, 0, 0)
        if last != fault or not self._was_hit(transaction, answers[page]):
            return False
        head = answers[:page]
        if head:
            check_response(access, head, [*granted[:-1], replace(granted[-1], last=1)])
        return True

    def _was_hit(self, transaction, answer):
        return any(transaction.accepted <= cycle <= transaction.finished
                   for word in self._words(answer.trace)
                   for cycle in self.axi.injected.get(word, ()))

    def _words(self, trace):
        """Addresses of the 64-bit words of the entries in ``trace``: a device entry has two, a
        context four, all others one."""
        if not trace:
            return
        try:
            levels = self.memory.read_u64(trace[0]) >> 6 & 3
        except BusError:
            levels = 0
        for index, addr in enumerate(trace):
            count = 2 if index == 0 else 4 if index == levels + 1 else 1
            yield from range(addr, addr + 8 * count, 8)

    def _cover_runs(self, answers, beats):
        if len(beats) > 1:
            self.coverage.hit("request of several runs")
        if beats[0].pages == 255:
            self.coverage.hit("run of 256 pages")
        page = 0
        for beat in beats:
            if beat.pages and answers[page].leaf == answers[page + 1].leaf:
                self.coverage.hit("run of several pages of one leaf")
                return
            page += beat.pages + 1

    def _cover(self):
        hit, axi = self.coverage.hit, self.axi
        hit("several reads in flight", axi.busiest > 1)
        hit("reads answered out of order", axi.reordered)
        for port in self._list:
            hit("beats of requests interleave", port.interleaved)
            hit("request overtaken on its port", port.overtaken)
            hit("response stalled", port.stalled_cycles)
