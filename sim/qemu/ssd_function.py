"""The emulated SSD as a PCI function: an NVMe controller with direct queues beside it."""

from .function import Function

__all__ = ["SsdFunction"]

VENDOR, DEVICE = 0x1D1D, 0x5344
CLASS = 0x010802                        #: mass storage, non-volatile memory, NVMe
DIRECT_BAR = 2


def _power(size):
    """The next power of two."""
    return 1 << (size - 1).bit_length()


class SsdFunction(Function):
    """An NVMe controller (NVMe over PCIe 1.4). BAR 0 has its registers and a doorbell per page,
    BAR 2 the direct queues of ``sim.device.nvme.direct``. A vector per interrupt vector.

    Parameters
    ----------
    controller : Controller
    direct : DirectQueues
    send : callable
        As of ``Function``.
    """

    def __init__(self, controller, direct, send):
        bars = {0: _power(controller.doorbell_offset(controller.queues + 1)),
                DIRECT_BAR: _power(direct.bytes)}
        super().__init__(VENDOR, DEVICE, CLASS, bars, controller.queues + 1, send)
        self._controller = controller
        self._direct = direct
        controller.interrupt = self.interrupt

    def reset(self):
        """Resets the controller too."""
        super().reset()
        self._controller.write_register(0x14, 0)

    def bar_read(self, number, offset, size):
        """Reads registers."""
        if number == DIRECT_BAR:
            return self._direct.read_register(offset, size)
        return self._controller.read_register(offset, size)

    def bar_write(self, number, offset, size, value):
        """Writes registers and doorbells."""
        if size < 4:
            return                      # NVMe 3.1: registers are accessed in 4 or 8 bytes
        target = self._direct if number == DIRECT_BAR else self._controller
        target.write_register(offset, value, size)
