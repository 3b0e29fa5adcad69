"""Builds page tables (§3.3), the tables of processes for memory and for storage."""

from siommu.arch.formats import Disposition, Size, TableEntry
from siommu.arch.packing import pack, unpack

__all__ = ["ADDR", "CHUNK", "PAGE", "PageTable", "TableError", "code", "page_number",
           "span_bytes"]

PAGE = 4096
ADDR = ((1 << 40) - 1) << 12            #: bits 51:12 of an entry
CHUNK = 512                             #: pages below one level-2 entry


class TableError(ValueError):
    """A table was asked for something it cannot hold. The message says what."""


def span_bytes(level):
    """Bytes that one entry of ``level`` maps: 4 KiB, 2 MiB, 1 GiB, …"""
    return PAGE << 9 * (level - 1)


def code(value):
    """The number behind a member of an enumeration, or the number itself."""
    return getattr(value, "value", value)


def page_number(addr, what):
    """The page of an aligned physical address; ``what`` names it in the error."""
    if addr % PAGE or not 0 <= addr < 1 << 52:
        raise TableError(f"{what} {addr:#x} must be a page-aligned address below 2^52")
    return addr >> 12


class PageTable:
    """A page table (§3.3): a memory table, or a process's storage table.

    Parameters
    ----------
    memory : Memory
    levels : int
        4 (48-bit addresses) or 5 (57-bit).

    Attributes
    ----------
    root : int
        Address of the root page.
    mem_fmt : int
        What a context says of its format (§3.2).
    """

    mem_fmt = 0
    entry_struct = TableEntry       #: the format of an entry
    leaf_levels = 1, 2, 3           #: levels that may have leaves

    def __init__(self, memory, levels=4):
        if levels not in (4, 5):
            raise TableError(f"a page table has 4 or 5 levels, not {levels}")
        self._begin(memory, levels)

    def _begin(self, memory, levels):
        self.memory = memory
        self.levels = levels
        self._own = set()
        self.root = self._table()

    def _table(self):
        page = self.memory.alloc_pages()
        self._own.add(page)
        return page

    # -- the format of entries -----------------------------------------------------------------

    def _is_leaf(self, entry):
        """Whether a present entry above level 1 is a leaf."""
        return bool(entry >> 7 & 1)

    def _pointer(self, page):
        # Permissions are AND over the levels, so the levels above grant everything.
        return pack(TableEntry, p=1, w=1, u=1, a=1, pfn=page >> 12)

    def target(self, entry):
        """The table that an entry points to."""
        return entry & ADDR

    # -- addressing ----------------------------------------------------------------------------

    def _check(self, vaddr, n_bytes, alignment):
        top = 9 * self.levels + 11
        for addr in (vaddr, vaddr + n_bytes - 1):
            if not 0 <= addr < 1 << 64 or addr >> top not in (0, (1 << (64 - top)) - 1):
                raise TableError(f"address {addr:#x} is not canonical for {self.levels} levels")
        if vaddr >> top != vaddr + n_bytes - 1 >> top:
            raise TableError(f"the {n_bytes:#x} bytes from {vaddr:#x} cross the canonical hole")
        if vaddr % alignment:
            raise TableError(f"address {vaddr:#x} is not aligned to {alignment:#x}")

    def entry_address(self, vaddr, level=1, *, create=False):
        """Address of the entry of ``vaddr`` at ``level``.

        ``None`` if a table above is absent (and not to be made: ``create``).

        Raises
        ------
        TableError
            A larger mapping lies above, or the address is not canonical.
        """
        self._check(vaddr, 1, 1)
        if not 1 <= level <= self.levels:
            raise TableError(f"this table has no level {level}")
        base = self.root
        for above in range(self.levels, level - 1, -1):
            addr = base + 8 * (vaddr >> 12 + 9 * (above - 1) & 511)
            if above == level:
                return addr
            entry = self.memory.read_u64(addr)
            if entry & 1 and self._is_leaf(entry):
                raise TableError(f"{vaddr:#x} is already mapped by a leaf at level {above}")
            if not entry & 1:
                if not create:
                    return None
                # A disposition left here moves down to the 512 entries that replace it.
                base = self._table()
                if entry >> 1 & 3:
                    self.memory.write(base, (entry & 6).to_bytes(8, "little") * 512)
                self.memory.write_u64(addr, self._pointer(base))
            else:
                base = self.target(entry)
                if create and base not in self._own:
                    raise TableError(f"{vaddr:#x} lies in a shared file table; "
                                     f"change the file table instead")

    def entry(self, vaddr, level=1):
        """The 64-bit entry of ``vaddr`` at ``level``, 0 where a table above is absent."""
        addr = self.entry_address(vaddr, level)
        return 0 if addr is None else self.memory.read_u64(addr)

    def edit(self, vaddr, level, **fields):
        """Changes fields of an existing entry (names of its ``entry_struct``), at any level."""
        addr = self.entry_address(vaddr, level)
        if addr is None:
            raise TableError(f"{vaddr:#x} has no entry at level {level}")
        old = unpack(self.entry_struct, self.memory.read_u64(addr))
        self.memory.write_u64(addr, pack(self.entry_struct, **{**old, **fields}))

    # -- mapping -------------------------------------------------------------------------------

    def map(self, vaddr, paddr, n_pages=1, *, size=Size.PAGE_4K, read=True, write=True, user=True,
            devid=None, accessed=True, dirty=True):
        """Maps ``n_pages`` pages of ``size`` from ``vaddr`` to ``paddr``.

        Parameters
        ----------
        vaddr, paddr : int
            Byte addresses, aligned to ``size``.
        n_pages : int
            Number of leaves (of 4 KiB, 2 MiB or 1 GiB).
        size : Size
            Size of each leaf.
        read, write, user : bool
            ``read=False`` sets NR (which counts for FT = 1 only).
        devid : int or None
            A number makes the leaves file table entries of that device (FT = 1).
        accessed, dirty : bool
            Bits A and D.

        Raises
        ------
        TableError
            Misaligned, not canonical, or something is mapped there already. Nothing is mapped
            then.
        """
        level = code(size) + 1
        if level not in self.leaf_levels:
            raise TableError(f"there are no leaves of size {size}")
        fields = dict(p=1, w=write, u=user, a=accessed, d=dirty, ps=level > 1, nr=not read)
        if devid is not None:
            fields.update(ft=1, devid=devid)
        self._map_leaves(vaddr, paddr, n_pages, level, lambda page: pack(
            TableEntry, pfn=page >> 12, **fields))

    def _map_leaves(self, vaddr, paddr, n_pages, level, leaf):
        """Writes ``n_pages`` entries of ``level``: ``leaf`` of each one's physical address."""
        if n_pages < 1:
            raise TableError(f"{n_pages} pages cannot be mapped; give one or more")
        step = span_bytes(level)
        self._check(vaddr, n_pages * step, step)
        if paddr % step or not 0 <= paddr <= (1 << 52) - n_pages * step:
            raise TableError(f"physical address {paddr:#x} must be aligned to {step:#x} "
                             f"and lie below 2^52")
        places = [self.entry_address(vaddr + index * step, level, create=True)
                  for index in range(n_pages)]
        for index, place in enumerate(places):
            if self.memory.read_u64(place) & 1:
                raise TableError(f"{vaddr + index * step:#x} is already mapped")
        for index, place in enumerate(places):
            self.memory.write_u64(place, leaf(paddr + index * step))

    def unmap(self, vaddr, n_pages=1, *, size=Size.PAGE_4K, disposition=Disposition.DENY):
        """Removes ``n_pages`` leaves of ``size`` and leaves ``disposition`` in their entries.

        Raises
        ------
        TableError
            One of them is not mapped with that size. Nothing is removed then.
        """
        level = code(size) + 1
        step = span_bytes(level)
        places = []
        for index in range(n_pages):
            addr = vaddr + index * step
            place = self.entry_address(addr, level)
            entry = 0 if place is None else self.memory.read_u64(place)
            if not entry & 1 or (level > 1 and not self._is_leaf(entry)):
                raise TableError(f"{addr:#x} is not mapped by a leaf at level {level}")
            places.append(place)
        for place in places:
            self.memory.write_u64(place, code(disposition) << 1)

    def set_disposition(self, vaddr, n_pages, disposition, *, level=1):
        """Leaves ``disposition`` in ``n_pages`` non-present entries of ``level`` from ``vaddr`` on.

        Raises
        ------
        TableError
            One of them is present.
        """
        step = span_bytes(level)
        places = [self.entry_address(vaddr + index * step, level, create=True)
                  for index in range(n_pages)]
        for index, place in enumerate(places):
            if self.memory.read_u64(place) & 1:
                raise TableError(f"{vaddr + index * step:#x} is mapped; unmap it first")
        for place in places:
            self.memory.write_u64(place, code(disposition) << 1)

    # -- file tables ---------------------------------------------------------------------------

    def attach(self, vaddr, file_table, *, read=True, write=False):
        """Attaches a file table at ``vaddr`` with the permission of this process.

        Each 2 MiB of the file takes one level-2 entry, in which NR and W hold the permission. A
        table that grows later appears here too.

        Raises
        ------
        TableError
            ``vaddr`` is not aligned to 2 MiB, or something is attached or mapped there.
        """
        n_bytes = max(1, file_table.reserve) * span_bytes(2)
        self._check(vaddr, n_bytes, span_bytes(2))
        for index in range(file_table.reserve):
            place = self.entry_address(vaddr + index * span_bytes(2), 2, create=True)
            if self.memory.read_u64(place) & 1:
                raise TableError(f"{vaddr + index * span_bytes(2):#x} is already in use")
        file_table.add_attachment(self, vaddr, read, write)

    def detach(self, vaddr, file_table, *, disposition=Disposition.DENY):
        """Removes the file table attached at ``vaddr``; the file's own table stays as it is."""
        file_table.drop_attachment(self, vaddr)
        for index in range(file_table.reserve):
            place = self.entry_address(vaddr + index * span_bytes(2), 2)
            self.memory.write_u64(place, code(disposition) << 1)

    def destroy(self):
        """Frees all pages of this table; attached file tables stay. Invalidate before."""
        for page in self._own:
            self.memory.free(page)
        self._own.clear()
