"""What a driver needs of the machine that it runs in."""

from dataclasses import dataclass

from .offsets import Reg

__all__ = ["InterruptEnable", "Platform"]


@dataclass
class Platform:
    """The core as the processor sees it: registers and interrupt lines.

    Parameters
    ----------
    read : coroutine function
        ``await read(offset) -> value`` of a 32-bit register that must exist.
    write : coroutine function
        ``await write(offset, value)`` to a 32-bit register that must accept it.
    wait_interrupt : coroutine function or None
        ``await wait_interrupt(line)`` returns once ``irq_<line>`` is high, at once if it is;
        ``line`` is ``"command"``, ``"fault"`` or ``"counter"``. ``None``: no interrupts.
    """

    read: object
    write: object
    wait_interrupt: object = None


class InterruptEnable:
    """IRQ_ENABLE, shared by those who switch bits of it.

    Parameters
    ----------
    platform : Platform
    """

    def __init__(self, platform):
        self.value = 0
        self._platform = platform

    async def switch(self, bits, on):
        """Turns ``bits`` on or off and leaves the others as they are."""
        # The value changes before anybody else can run, so that no bit gets lost between two.
        self.value = self.value | int(bits) if on else self.value & ~int(bits)
        await self._platform.write(Reg.IRQ_ENABLE, self.value)
