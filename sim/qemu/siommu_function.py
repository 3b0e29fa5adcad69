"""The SIOMMU as a PCI function: its registers are BAR 0, its interrupt lines MSI-X vectors."""

from ..host.control.offsets import Reg
from .function import Function

__all__ = ["SiommuFunction"]

VENDOR, DEVICE = 0x1D1D, 0x494D
CLASS = 0x080600                        #: system peripheral, IOMMU
LINES = 3                               #: irq_command, irq_fault, irq_counter are vectors 0 to 2
#: Writes after which a line that is still high is sent again: a message says "high" only once.
ACKNOWLEDGE = (Reg.CQ_STATUS, Reg.FQ_STATUS, Reg.COUNTER_OVERFLOW, Reg.IRQ_ENABLE)


class SiommuFunction(Function):
    """The core's registers (§7) in 4 KiB of BAR 0. Accesses of 8 bytes are two of 4, low first;
    narrower writes use the strobes. What the core answers with SLVERR reads as it says, 0.

    Parameters
    ----------
    core : LiveCore
    send : callable
        As of ``Function``.
    """

    def __init__(self, core, send):
        super().__init__(VENDOR, DEVICE, CLASS, {0: 4096}, LINES, send)
        self._core = core
        self._lines = 0

    def reset(self):
        """Resets the core too."""
        super().reset()
        self._core.reset()
        self._lines = 0

    def bar_read(self, number, offset, size):
        """Reads registers."""
        if size == 8:
            return self.bar_read(number, offset, 4) | self.bar_read(number, offset + 4, 4) << 32
        value, _ = self._core.register_read(offset & ~3)
        self.look()
        return value >> 8 * (offset & 3) & ((1 << 8 * size) - 1)

    def bar_write(self, number, offset, size, value):
        """Writes registers."""
        if size == 8:
            self.bar_write(number, offset, 4, value & 0xFFFFFFFF)
            self.bar_write(number, offset + 4, 4, value >> 32)
            return
        lane = offset & 3
        strobe = ((1 << size) - 1) << lane & 0xF
        self._core.register_write(offset & ~3, value << 8 * lane & 0xFFFFFFFF, strobe)
        if offset & ~3 in ACKNOWLEDGE:
            self._lines = 0
        self.look()

    def look(self):
        """Sends a message for every line that has risen. To be called after clocking."""
        lines = self._core.interrupts
        for vector in range(LINES):
            if lines & ~self._lines & 1 << vector:
                self.interrupt(vector)
        self._lines = lines
