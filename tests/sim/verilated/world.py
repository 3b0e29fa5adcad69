"""A random world in memory that the library can read."""

import ctypes

from sim.memory import PAGE, BusError
from sim.verilated import Region

__all__ = ["MappedWorld"]


class MappedWorld:
    """The pages of a ``Memory`` as regions of the library; where no page is, there is no memory.

    It stands in for the memory in the golden model.

    Parameters
    ----------
    memory : Memory
    """

    def __init__(self, memory):
        self.memory = memory
        # What is poisoned is a bus error in whole pages here.
        self._pages = {page: memory._pages[page] for page in memory.pages()
                       if not self._poisoned(page)}

    def _poisoned(self, page):
        try:
            self.memory.read(page, PAGE)
        except BusError:
            return True
        return False

    def regions(self):
        """The regions; they share their bytes with the memory."""
        return [Region(page, PAGE, ctypes.addressof((ctypes.c_char * PAGE).from_buffer(content)))
                for page, content in self._pages.items()]

    def read_u64(self, addr):
        """As ``Memory.read_u64``."""
        if addr & -PAGE not in self._pages:
            raise BusError(addr)
        return self.memory.read_u64(addr)
