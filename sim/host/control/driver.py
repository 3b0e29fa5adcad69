"""The driver of the core: switching it on, its two queues, counters, debug translations (§5 to §7).

Two ways lead from a changed table to a right that is gone. ``fence`` with INVAL commands drops
what was cached of it and nothing else. ``empty_caches`` is the blunt one: MODE = ABORT empties
every cache, and requests that arrive meanwhile are answered with CORE_OFF.
"""

from dataclasses import dataclass

from siommu.arch.formats import Cause, Disposition, Mode, Size
from siommu.arch.register_map import ID

from ...time.scheduler import Lock
from . import commands
from .command_queue import CommandQueue
from .fault_queue import FaultQueue
from .offsets import COUNTER_BASE, COUNTERS, Reg, bit
from .platform import InterruptEnable

__all__ = ["DebugAnswer", "RegisterControl"]

MAJOR = 1
IN_FLIGHT = bit("STATUS", "REQUESTS") | bit("STATUS", "WALKS")
MODE = bit("CTRL", "MODE")
GO, WRITE, FT = bit("DBG_CTRL", "GO"), bit("DBG_CTRL", "WRITE"), bit("DBG_CTRL", "FT")
FREEZE, CLEAR = bit("COUNTER_CTRL", "FREEZE"), bit("COUNTER_CTRL", "CLEAR")


@dataclass(frozen=True)
class DebugAnswer:
    """What a debug translation says. ``addr`` is of use when ``cause`` is ``Cause.OK``."""

    cause: Cause
    disposition: Disposition
    read: int
    write: int
    size: Size
    addr: int


class RegisterControl:
    """Drives a core through its registers and two rings in main memory.

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
    platform : Platform
    command_log2, fault_log2 : int
        CQ_LOG2 and FQ_LOG2, 1..15.
    quota : int
        FQ_QUOTA.
    poll : int
        Cycles between two looks at something that is being waited for.
    polls : int
        Looks until the core counts as hung.

    Attributes
    ----------
    commands : CommandQueue
    faults : FaultQueue
    """

    def __init__(self, scheduler, memory, platform, *, command_log2=6, fault_log2=6, quota=0,
                 poll=8, polls=10_000):
        interrupts = InterruptEnable(platform)
        self.commands = CommandQueue(scheduler, memory, platform, interrupts, log2=command_log2,
                                     poll=poll, polls=polls)
        self.faults = FaultQueue(memory, platform, interrupts, log2=fault_log2, quota=quota)
        self._scheduler = scheduler
        self._read = platform.read
        self._write = platform.write
        self._poll = poll
        self._polls = polls
        self._mode = Lock(scheduler)        # one task at a time turns the core off and on
        self._debug = Lock(scheduler)       # ... uses the debug registers
        self._counting = Lock(scheduler)    # ... reads counters: there is one latch

    @property
    def pages(self):
        """Addresses of the memory pages that the core's queues live in."""
        return self.commands.pages | self.faults.pages

    # -- on and off ----------------------------------------------------------------------------

    async def enable(self, ddt_base, ddt_log2):
        """Makes sure that this is the core, sets up the queues, and turns translation on.

        Raises
        ------
        RuntimeError
            ID or VERSION is another one's.
        TimeoutError
            The core does not come to rest.
        """
        found, version = await self._read(Reg.ID), await self._read(Reg.VERSION)
        if found != ID or version >> 16 != MAJOR:
            raise RuntimeError(f"ID is {found:#x}, VERSION {version:#x}: not a SIOMMU of version "
                               f"{MAJOR}")
        async with self._mode:
            await self._off()
            # The queues first: what the first request causes is to be recorded.
            await self.commands.start()
            await self.faults.start()
            await self._write(Reg.DDT_BASE_LOW, ddt_base & 0xFFFFFFFF)
            await self._write(Reg.DDT_BASE_HIGH, ddt_base >> 32)
            await self._write(Reg.DDT_LOG2, ddt_log2)
            await self._set_mode(Mode.TRANSLATE)

    async def empty_caches(self):
        """The blunt revocation: nothing read from a table before is used once this returns.

        Raises
        ------
        TimeoutError
            A request or a walk stays in flight. The core is off then.
        """
        async with self._mode:
            await self._off()
            await self._set_mode(Mode.TRANSLATE)

    async def _set_mode(self, mode):
        control = await self._read(Reg.CTRL)
        await self._write(Reg.CTRL, control & ~MODE | mode.value)

    async def _off(self):
        await self._set_mode(Mode.ABORT)
        for _ in range(self._polls):
            if not await self._read(Reg.STATUS) & IN_FLIGHT:
                return
            await self._scheduler.delay(self._poll)
        raise TimeoutError(f"the core still has requests or walks in flight after "
                           f"{self._polls} readings of STATUS")

    async def enable_port(self, port, on=True):
        """Lets a port ask, or frees the core of its device.

        Once a port is off, it accepts nothing and its waiting beats are dropped; this returns
        when none of its requests is in flight any more.
        """
        async with self._mode:
            enabled = await self._read(Reg.PORT_ENABLE)
            await self._write(Reg.PORT_ENABLE,
                              enabled | 1 << port if on else enabled & ~(1 << port))
        for _ in range(self._polls):
            if on or not await self._read(Reg.PORT_STATUS) >> port & 1:
                return
            await self._scheduler.delay(self._poll)
        raise TimeoutError(f"port {port} is off and still has requests in flight")

    # -- commands ------------------------------------------------------------------------------

    async def invalidate(self, device=None, pasid=None, ft=None, addr=None, pages=1):
        """Asks for INVAL_TLB (see ``commands.inval_tlb``). Done once a later fence is."""
        await self.commands.submit(*commands.inval_tlb(device, pasid, ft, addr, pages))

    async def invalidate_context(self, device=None, pasid=None):
        """Asks for INVAL_CONTEXT. Done once a later fence is."""
        await self.commands.submit(*commands.inval_context(device, pasid))

    async def fence(self, *before, interrupt=False):
        """Submits the commands ``before`` and a fence; waits for it (``CommandQueue.fence``)."""
        await self.commands.fence(*before, interrupt=interrupt)

    async def prefetch(self, device, pasid, ft, addr, pages=1):
        """Asks for the translations of a range to be cached. Nothing tells when they are."""
        await self.commands.submit(*commands.prefetch(device, pasid, ft, addr, pages))

    async def resume(self, retry=False):
        """Makes the command queue go on after an error (``CommandQueue.resume``)."""
        await self.commands.resume(retry)

    # -- looking -------------------------------------------------------------------------------

    async def translate(self, device, pasid, addr, *, ft, write=0):
        """A translation through the debug registers; returns a ``DebugAnswer``."""
        async with self._debug:
            await self._write(Reg.DBG_ADDR_LOW, addr & 0xFFFFFFFF)
            await self._write(Reg.DBG_ADDR_HIGH, addr >> 32)
            await self._write(Reg.DBG_SOURCE, device)
            await self._write(Reg.DBG_PASID, pasid)
            await self._write(Reg.DBG_CTRL, GO | WRITE * bool(write) | FT * bool(ft))
            for _ in range(self._polls):
                if not await self._read(Reg.DBG_CTRL) & GO:
                    break
                await self._scheduler.delay(self._poll)
            else:
                raise TimeoutError("a debug translation does not end")
            result = await self._read(Reg.DBG_RESULT)
            low, high = await self._read(Reg.DBG_PHYS_LOW), await self._read(Reg.DBG_PHYS_HIGH)
        return DebugAnswer(Cause(result & 0xFF), Disposition(result >> 8 & 3), result >> 10 & 1,
                           result >> 11 & 1, Size(result >> 12 & 3), high << 32 | low)

    async def counters(self):
        """All counters by name. They go on while they are read, each is whole in itself."""
        values = {}
        async with self._counting:
            for index, name in enumerate(COUNTERS):
                # Reading the low word latches the high word.
                low = await self._read(COUNTER_BASE + 8 * index)
                values[name] = await self._read(COUNTER_BASE + 8 * index + 4) << 32 | low
        return values

    async def clear_counters(self):
        """Sets all counters to 0."""
        await self._write(Reg.COUNTER_CTRL, await self._read(Reg.COUNTER_CTRL) & FREEZE | CLEAR)

    async def freeze_counters(self, on=True):
        """Stops all counters, or lets them go on."""
        await self._write(Reg.COUNTER_CTRL, FREEZE * bool(on))
