"""What is behind the controller: the bytes of the device, its namespaces and its latency."""

from dataclasses import dataclass

__all__ = ["Latency", "Media", "Namespace"]

PAGE = 4096


@dataclass(frozen=True)
class Latency:
    """Latency model, in cycles of the core's clock.

    Every 4 KiB block page belongs to one of ``units`` parallel units (page number modulo units).
    A unit serves one page at a time, in order of arrival; all pages share one link to the host.
    The defaults stand for a low-latency SSD beside a core at 200 MHz: 4 µs for a read of 4 KiB,
    about 8 GB/s on the link.

    Parameters
    ----------
    read, write : int
        Cycles that a unit takes per page.
    units : int
        Parallel units.
    transfer : int
        Cycles that the link takes per page.
    command : int
        Cycles from the doorbell until a command is fetched and decoded.
    """

    read: int = 700
    write: int = 700
    units: int = 8
    transfer: int = 100
    command: int = 60

    def __post_init__(self):
        if self.units < 1 or min(self.read, self.write, self.transfer, self.command) < 0:
            raise ValueError(f"{self} is no latency model: units must be at least 1, "
                             f"times must not be negative")


@dataclass(frozen=True)
class Namespace:
    """A namespace: ``size`` bytes of the device's block space from byte address ``start`` on."""

    nsid: int
    start: int
    size: int
    lba_bytes: int

    @property
    def blocks(self):
        """Size in logical blocks."""
        return self.size // self.lba_bytes

    def holds(self, pba, length):
        """Whether the device's bytes from ``pba`` on belong to this namespace."""
        return self.start <= pba and pba + length <= self.start + self.size


class Media:
    """The device's block space: namespaces one after the other, each over its own buffer.

    Parameters
    ----------
    latency : Latency
    """

    def __init__(self, latency=Latency()):
        self.latency = latency
        self.namespaces = {}
        self._buffers = {}
        self._end = 0
        self._unit_free = [0] * latency.units
        self._link_free = 0

    def add_namespace(self, buffer, lba_bytes=4096):
        """Adds the next namespace.

        Parameters
        ----------
        buffer : bytearray, mmap or memoryview
            Its content; written in place.
        lba_bytes : int
            512 or 4096.
        """
        if lba_bytes not in (512, 4096):
            raise ValueError(f"the LBA size is {lba_bytes}; choose 512 or 4096")
        if len(buffer) % PAGE or not len(buffer):
            raise ValueError(f"a namespace of {len(buffer)} bytes does not consist of 4 KiB pages")
        namespace = Namespace(len(self.namespaces) + 1, self._end, len(buffer), lba_bytes)
        self.namespaces[namespace.nsid] = namespace
        self._buffers[namespace.nsid] = memoryview(buffer)
        self._end += len(buffer)
        return namespace

    def close(self):
        """Lets go of the buffers, so that an mmap among them can be closed."""
        for view in self._buffers.values():
            view.release()

    def _view(self, namespace, pba, length):
        if not namespace.holds(pba, length):
            raise ValueError(f"block address {pba:#x}+{length:#x} is outside of namespace "
                             f"{namespace.nsid}")
        return self._buffers[namespace.nsid][pba - namespace.start:
                                             pba - namespace.start + length]

    def read(self, namespace, pba, length):
        """``length`` bytes from the device's byte address ``pba``."""
        return bytes(self._view(namespace, pba, length))

    def write(self, namespace, pba, data):
        """Stores ``data`` at the device's byte address ``pba``."""
        self._view(namespace, pba, len(data))[:] = data

    def schedule(self, now, extents, write):
        """Books units and link for a transfer that starts at cycle ``now``; returns its end.

        ``extents`` are (pba, length) pairs in bytes.
        """
        busy = self.latency.write if write else self.latency.read
        end = now
        for pba, length in extents:
            for page in range(pba // PAGE, (pba + length - 1) // PAGE + 1):
                unit = page % self.latency.units
                if write:                   # over the link, then into the unit
                    self._link_free = max(now, self._link_free) + self.latency.transfer
                    done = max(self._link_free, self._unit_free[unit]) + busy
                    self._unit_free[unit] = done
                else:                       # out of the unit, then over the link
                    done = self._unit_free[unit] = max(now, self._unit_free[unit]) + busy
                    done = self._link_free = max(done, self._link_free) + self.latency.transfer
                end = max(end, done)
        return end
