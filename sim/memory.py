"""Main memory of the simulated machine: sparse bytes, a page allocator, regions with bus errors."""

import random

__all__ = ["BusError", "Memory", "MemoryFull"]

PAGE = 4096


class BusError(Exception):
    """The memory answered with SLVERR or DECERR. ``addr`` is the first byte that failed."""

    def __init__(self, addr):
        super().__init__(f"bus error at physical address {addr:#x}")
        self.addr = addr


class MemoryFull(Exception):
    """The allocator has no page left."""


class Memory:
    """Sparse little-endian byte memory with a page allocator.

    Bytes never written read as 0. Addresses wrap at 2^64. The allocator only hands out numbers:
    memory outside of its arena can be read and written all the same.

    Parameters
    ----------
    base, size : int
        Arena of the allocator in bytes, page aligned.
    limit : int or None
        First byte address without memory: from there on every access is a bus error. ``None``:
        memory everywhere.
    seed : int or None
        With a seed, pages are handed out in a random order that the seed replays; without, in
        ascending order.

    Raises
    ------
    ValueError
        The arena is not page aligned.
    """

    def __init__(self, base=0x1000_0000, size=1 << 30, *, limit=None, seed=None):
        if base % PAGE or size % PAGE or size <= 0:
            raise ValueError(f"the arena {base:#x}+{size:#x} must consist of whole 4 KiB pages")
        self.base = base
        self.size = size
        self.limit = limit
        self._rng = random.Random(seed) if seed is not None else None
        self._pages = {}
        self._poison = []
        self._next = base
        self._free = []
        self._used = set()

    # -- bytes ---------------------------------------------------------------------------------

    def _check(self, addr, n):
        if self.limit is not None and (addr + n > self.limit):
            raise BusError(max(addr, self.limit))
        for start, end in self._poison:
            if addr < end and start < addr + n:
                raise BusError(max(addr, start))

    def _chunks(self, addr, n):
        while n:
            addr %= 1 << 64
            offset = addr % PAGE
            length = min(n, PAGE - offset)
            yield addr, addr - offset, offset, length
            addr += length
            n -= length

    def read(self, addr, n):
        """``n`` bytes from ``addr``.

        Raises
        ------
        BusError
            A byte of them lies in a poisoned region or beyond ``limit``.
        """
        parts = []
        for start, page, offset, length in self._chunks(addr, n):
            self._check(start, length)
            content = self._pages.get(page)
            parts.append(bytes(length) if content is None else content[offset:offset + length])
        return b"".join(parts)

    def write(self, addr, data):
        """Stores the bytes ``data`` from ``addr`` on; all of them or, on ``BusError``, none."""
        chunks = list(self._chunks(addr, len(data)))
        for start, _, _, length in chunks:
            self._check(start, length)
        done = 0
        for _, page, offset, length in chunks:
            content = self._pages.get(page)
            if content is None:
                content = self._pages[page] = bytearray(PAGE)
            content[offset:offset + length] = data[done:done + length]
            done += length

    def read_u64(self, addr):
        """The little-endian 64-bit word at ``addr``."""
        return int.from_bytes(self.read(addr, 8), "little")

    def write_u64(self, addr, value):
        """Stores the little-endian 64-bit word ``value`` at ``addr``."""
        self.write(addr, value.to_bytes(8, "little"))

    def pages(self):
        """Sorted addresses of the pages that were ever written."""
        return sorted(self._pages)

    # -- bus errors ----------------------------------------------------------------------------

    def poison(self, addr, n):
        """From now on every access that touches the ``n`` bytes from ``addr`` is a bus error."""
        self._poison.append((addr, addr + n))

    def cure(self):
        """Ends all poisoning."""
        self._poison.clear()

    # -- pages ---------------------------------------------------------------------------------

    def alloc_pages(self, n=1, contiguous=True, *, align=1):
        """Allocates ``n`` zeroed pages.

        Returns the physical address of the first page when ``contiguous``, a list of ``n``
        addresses, no two of them neighbours in that order, otherwise. ``align`` is the alignment
        of the first page, in pages.

        Raises
        ------
        MemoryFull
            The arena is exhausted.
        """
        if n < 1:
            raise ValueError(f"{n} pages cannot be allocated; ask for one or more")
        if not contiguous:
            return self._alloc_scattered(n)
        if n == 1 and align == 1 and self._free:
            index = self._rng.randrange(len(self._free)) if self._rng else -1
            addr = self._free.pop(index)
        else:
            gap = self._rng.randrange(4) * PAGE if self._rng else 0
            step = align * PAGE
            addr = -(-(self._next + gap) // step) * step
            if addr + n * PAGE > self.base + self.size:
                raise MemoryFull(f"no {n} contiguous pages are left of {self.size // PAGE}")
            self._free.extend(range(self._next, addr, PAGE))
            self._next = addr + n * PAGE
        taken = range(addr, addr + n * PAGE, PAGE)
        self._used.update(taken)
        for page in taken:
            self._pages.pop(page, None)
        return addr

    def _alloc_scattered(self, n):
        pages = [self.alloc_pages() for _ in range(2 * n)]
        # Every second page, in descending order: no two are neighbours, whatever the free list.
        pages.sort(reverse=True)
        self.free_all(pages[1::2])
        return pages[0::2]

    def free_all(self, addrs):
        """Frees the pages at ``addrs``, a list as ``alloc_pages(contiguous=False)`` gives it."""
        for addr in addrs:
            self.free(addr)

    def free(self, addr, n=1):
        """Gives ``n`` pages from ``addr`` back.

        Raises
        ------
        ValueError
            One of them is not allocated.
        """
        for page in range(addr, addr + n * PAGE, PAGE):
            if page not in self._used:
                raise ValueError(f"the page at {page:#x} is not allocated, so it cannot be freed")
            self._used.remove(page)
            self._free.append(page)
