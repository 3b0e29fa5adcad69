"""A process: its identity, its memory, and what its devices may reach."""

from collections import deque
from dataclasses import dataclass
from errno import EFAULT

from siommu.arch.formats import Disposition

from ...tables import PageTable

__all__ = ["Buffer", "Process"]

PAGE = 4096
FAULTS = 100                            #: remembered for a process
BUFFERS = 0x7000_0000_0000              #: where the buffers of a process begin


@dataclass
class Buffer:
    """Memory of a process that devices may use.

    ``mapped`` holds the page numbers (from 0) that the memory table maps already.
    """

    vaddr: int
    frames: list
    writable: bool
    mapped: set


class Process:
    """A process of the operating system.

    Parameters
    ----------
    memory : Memory
    name : str
    pasid : int
    uid : int
    gids : iterable of int
        The groups it belongs to.

    Attributes
    ----------
    mem, sto : PageTable
        Its memory table (FT = 0) and storage table (FT = 1).
    files : dict
        fd → open file.
    faults : deque of FaultEntry
        The last faults that its commands caused.
    remaps : int
        How often the fault handler has mapped memory for it.
    """

    def __init__(self, memory, name, pasid, uid, gids, levels=4):
        self.memory = memory
        self.name = name
        self.pasid = pasid
        self.uid = uid
        self.gids = frozenset(gids)
        self.mem = PageTable(memory, levels)
        self.sto = PageTable(memory, levels)
        self.files = {}
        self.queues = {}                # ssd -> direct queue pair
        self.buffers = {}               # vaddr -> Buffer
        self.faults = deque(maxlen=FAULTS)
        self.remaps = 0
        self.detaching = 0              # files on their way out of ``sto``
        self._next = BUFFERS

    # -- buffers -------------------------------------------------------------------------------

    def add_buffer(self, n_bytes, lazy, writable):
        """Gives the process ``n_bytes`` of memory, scattered over physical pages."""
        pages = -(-n_bytes // PAGE)
        frames = self.memory.alloc_pages(pages, contiguous=False)
        buffer = Buffer(self._next, frames, writable, set())
        self._next += (pages + 1) * PAGE        # a page between two buffers stays unmapped
        self.buffers[buffer.vaddr] = buffer
        if lazy:
            self.mem.set_disposition(buffer.vaddr, pages, Disposition.REMAP)
        else:
            self.map_pages(buffer, range(pages))
        return buffer

    def map_pages(self, buffer, pages):
        """Enters pages of a buffer into the memory table."""
        for page in pages:
            if page not in buffer.mapped:
                self.mem.map(buffer.vaddr + page * PAGE, buffer.frames[page],
                             write=buffer.writable)
                buffer.mapped.add(page)

    def unmap_buffer(self, buffer):
        """Takes a buffer out of the memory table; its frames are still allocated."""
        for page in range(len(buffer.frames)):
            if page in buffer.mapped:
                self.mem.unmap(buffer.vaddr + page * PAGE)
            else:
                self.mem.set_disposition(buffer.vaddr + page * PAGE, 1, Disposition.DENY)
        buffer.mapped.clear()
        del self.buffers[buffer.vaddr]

    def find(self, vaddr, length):
        """The buffer that holds ``length`` bytes from ``vaddr``.

        Raises
        ------
        OSError
            EFAULT: there is none.
        """
        for buffer in self.buffers.values():
            if buffer.vaddr <= vaddr and \
                    vaddr + length <= buffer.vaddr + PAGE * len(buffer.frames):
                return buffer
        raise OSError(EFAULT, f"{self.name} has no memory at {vaddr:#x}+{length:#x}")

    def _pieces(self, vaddr, length):
        buffer = self.find(vaddr, length)
        while length:
            part = min(length, PAGE - vaddr % PAGE)
            yield buffer.frames[(vaddr - buffer.vaddr) // PAGE] + vaddr % PAGE, part
            vaddr += part
            length -= part

    # -- what the processor does ---------------------------------------------------------------

    def read(self, vaddr, length):
        """The process reads its own memory."""
        return b"".join(self.memory.read(addr, part)
                        for addr, part in self._pieces(vaddr, length))

    def write(self, vaddr, data):
        """The process writes its own memory."""
        for addr, part in list(self._pieces(vaddr, len(data))):
            self.memory.write(addr, data[:part])
            data = data[part:]
