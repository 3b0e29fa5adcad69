"""Counting walks from outside: chains of dependent reads on the memory bus."""

from ..regression.axi import TableMemory

__all__ = ["WalkCountingMemory"]

PFN = ((1 << 52) - 1) & ~0xFFF


class WalkCountingMemory(TableMemory):
    """A table memory that tells the beginning of a walk from its continuation.

    Each walk has an AXI id of its own, and every read of it but the first goes to a page that the
    entry read before on that id points to.

    Attributes
    ----------
    walks : int
        Walks that have begun so far.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.walks = 0
        self._leads_to = {}

    def _accept(self, got):
        addr, words = got["addr"], got["len"] + 1
        if addr & ~0xFFF not in self._leads_to.get(got["id"], ()):
            self.walks += 1
        self._leads_to[got["id"]] = {self.memory.read_u64(addr + 8 * word) & PFN
                                     for word in range(words)}
        super()._accept(got)
