"""The guest's memory, shared with QEMU: one map for the SSD and for the core's AXI side."""

import ctypes
import mmap
import os

from ..memory import BusError
from ..verilated import Region
from .protocol import ProtocolError

__all__ = ["GuestMemory"]


class GuestMemory:
    """Guest physical memory, made of files that QEMU shares (``protocol.MemoryMap``).

    QEMU sends the map again whenever a BAR or a shadowed ROM moves, about a hundred times in a
    boot. Each file is mapped once, whole, and stays mapped until ``close``.

    Reads and writes by Python copy bytes; an aligned word of 8 bytes may be torn. The core's own
    reads, through ``regions``, are not.

    Parameters
    ----------
    changed : callable or None
        Called with a list of ``Region`` for the core when the map has changed.
    """

    def __init__(self, changed=None):
        self.changed = changed
        self._files = {}                # (device, inode) -> (mmap, view, host address)
        self._sections = []             # (first address, end, view, offset in it)

    def update(self, sections):
        """Takes over a map; the descriptors in it are closed.

        Raises
        ------
        ProtocolError
            A section lies outside of its file.
        """
        found, regions = [], []
        for section in sections:
            view, host = self._file(section)
            end = section.offset + section.size
            if end > len(view) or not section.size:
                raise ProtocolError(f"QEMU shares {section.size:#x} bytes at "
                                    f"{section.address:#x}, more than the file has")
            found.append((section.address, section.address + section.size, view, section.offset))
            regions.append(Region(section.address, section.size, host + section.offset))
        self._sections = found
        if self.changed is not None:
            self.changed(regions)

    def _file(self, section):
        try:
            status = os.fstat(section.descriptor)
            key = status.st_dev, status.st_ino
            if key not in self._files:
                content = mmap.mmap(section.descriptor, status.st_size)
                host = ctypes.addressof(ctypes.c_char.from_buffer(content))
                self._files[key] = content, memoryview(content), host
        finally:
            os.close(section.descriptor)
        return self._files[key][1:]

    def _parts(self, addr, n):
        """(view, offset, length) of the pieces of the ``n`` bytes from ``addr``."""
        while n:
            for start, end, view, offset in self._sections:
                if start <= addr < end:
                    length = min(n, end - addr)
                    yield view, offset + addr - start, length
                    break
            else:
                raise BusError(addr)
            addr += length
            n -= length

    def read(self, addr, n):
        """``n`` bytes from ``addr``.

        Raises
        ------
        BusError
            There is no memory.
        """
        return b"".join(bytes(view[offset:offset + length])
                        for view, offset, length in self._parts(addr, n))

    def write(self, addr, data):
        """Stores ``data`` from ``addr`` on; all of it or, on ``BusError``, nothing."""
        done = 0
        for view, offset, length in list(self._parts(addr, len(data))):
            view[offset:offset + length] = data[done:done + length]
            done += length

    def read_u64(self, addr):
        """The little-endian 64-bit word at ``addr``."""
        return int.from_bytes(self.read(addr, 8), "little")

    def close(self):
        """Lets go of the files. The core must have been closed before."""
        self._sections = []
        for content, view, _ in self._files.values():
            view.release()
            content.close()
        self._files.clear()
