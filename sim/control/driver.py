"""The driver's side of the core: switching it on, and the blunt revocation (§7).

The operating system's part needs an object with two coroutines: ``enable(ddt_base, ddt_log2)``
and ``invalidate()``. After ``invalidate`` returns, no answer comes from a table value that was
read before it was called.
"""

from siommu.formats import Mode

__all__ = ["GoldenControl", "RegisterControl"]

CTRL, STATUS = 0x010, 0x014
DDT_BASE, DDT_LOG2 = 0x018, 0x020
BUSY = 0b11                             # STATUS: requests in flight, walks in flight


class GoldenControl:
    """Switches a golden model, which caches nothing and so has nothing to invalidate."""

    def __init__(self, model):
        self.model = model
        self.invalidations = 0

    async def enable(self, ddt_base, ddt_log2):
        self.model.ddt_base = ddt_base
        self.model.ddt_log2 = ddt_log2
        self.model.mode = Mode.TRANSLATE

    async def invalidate(self):
        self.invalidations += 1


class RegisterControl:
    """Switches a core through its registers.

    Until there is a command queue, invalidating means to turn the core off and on: MODE = ABORT
    empties every cache, and once STATUS bits 0 and 1 are 0 nothing older is used. Requests that
    arrive in between are answered with CORE_OFF.

    Parameters
    ----------
    read, write : coroutine functions
        ``await read(offset) -> value`` and ``await write(offset, value)``, 32 bits.
    polls : int
        How often STATUS is read before the core counts as hung.
    """

    def __init__(self, read, write, polls=10_000):
        self._read = read
        self._write = write
        self._polls = polls

    async def enable(self, ddt_base, ddt_log2):
        await self._off()
        await self._write(DDT_BASE, ddt_base & 0xFFFFFFFF)
        await self._write(DDT_BASE + 4, ddt_base >> 32)
        await self._write(DDT_LOG2, ddt_log2)
        await self._set_mode(Mode.TRANSLATE)

    async def invalidate(self):
        await self._off()
        await self._set_mode(Mode.TRANSLATE)

    async def _set_mode(self, mode):
        control = await self._read(CTRL)
        await self._write(CTRL, control & ~3 | mode.value)

    async def _off(self):
        await self._set_mode(Mode.ABORT)
        for _ in range(self._polls):
            if not await self._read(STATUS) & BUSY:
                return
        raise TimeoutError(f"the core still has requests or walks in flight after "
                           f"{self._polls} readings of STATUS")
