"""The block RAM of a board as a ``Memory``, for the builders of tables and the golden model."""

from ..memory import BusError, Memory

__all__ = ["BoardMemory"]

PAGE = 4096
WORD = 8


class BoardMemory(Memory):
    """A memory that is kept on both sides of the link.

    It reads and writes here; ``flush`` sends what has changed since. Beyond the board's memory
    there is none, here as there. What the core writes is read with ``Board.read_words``.

    Parameters
    ----------
    board : Board
        Its memory is cleared.
    seed : int or None
        As in ``Memory``.
    first : int
        Pages that the allocator leaves alone, from address 0 on.
    """

    def __init__(self, board, seed=None, first=1):
        size = board.info.memory
        super().__init__(first * PAGE, size - first * PAGE, limit=size, seed=seed)
        self._board = board
        self._sent, self._changed, self._poisoned = {}, set(), []
        board.fill(0, size)

    def write(self, addr, data):
        """As in ``Memory``."""
        super().write(addr, data)
        self._changed.update(range(addr // WORD * WORD, addr + len(data), WORD))

    def alloc_pages(self, n=1, contiguous=True, *, align=1):
        """As in ``Memory``."""
        found = super().alloc_pages(n, contiguous, align=align)
        if contiguous:                      # what is not, comes here page by page
            self._changed.update(word for word in self._sent if found <= word < found + n * PAGE)
        return found

    def poison(self, addr, n):
        """As in ``Memory``, in whole words."""
        super().poison(addr // WORD * WORD, -(-(addr + n) // WORD) * WORD - addr // WORD * WORD)
        self._poisoned.append((addr // WORD * WORD, -(-(addr + n) // WORD) * WORD))

    def flush(self):
        """Makes the board's memory equal to this one."""
        words = {}
        for addr in sorted(self._changed):
            try:
                value = self.read_u64(addr)
            except BusError:                # nobody can read it, whatever is there
                continue
            if value != self._sent.get(addr, 0):
                words[addr] = value
        self._changed.clear()
        self._board.write_words(words)
        self._sent.update(words)
        for begin, end in self._poisoned:
            self._board.fill(begin, end - begin, poison=True)
        self._poisoned.clear()
