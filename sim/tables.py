"""Builds the tables of §3 in a memory: device directory, PASID directory, page and file tables.

The builders only write memory. Whoever takes a right away with them must invalidate the core
afterwards (§4, "Caches only grant; only memory denies").
"""

from siommu.formats import (ContextDeny, ContextRoot, DeviceWord0, DeviceWord1, DirectoryEntry,
                            Disposition, Size, TableEntry, pack, unpack)

__all__ = ["TableError", "DeviceDirectory", "PasidDirectory", "PageTable", "FileTable",
           "span_bytes"]

PAGE = 4096
ADDR = ((1 << 40) - 1) << 12
CHUNK = 512                             #: pages below one level-2 entry


class TableError(ValueError):
    """A table was asked for something it cannot hold. The message says what."""


def span_bytes(level):
    """Bytes that one entry of ``level`` maps: 4 KiB, 2 MiB, 1 GiB, …"""
    return PAGE << 9 * (level - 1)


def _code(value):
    return getattr(value, "value", value)


def _pfn(addr, what):
    if addr % PAGE or not 0 <= addr < 1 << 52:
        raise TableError(f"{what} {addr:#x} must be a page-aligned address below 2^52")
    return addr >> 12


class DeviceDirectory:
    """The device directory (§3.1), for DEVICE < 2^``log2``.

    Parameters
    ----------
    memory : Memory
    log2 : int
        ``DDT_LOG2``, 0..16.

    Attributes
    ----------
    base : int
        ``DDT_BASE``.
    """

    def __init__(self, memory, log2=8):
        if not 0 <= log2 <= 16:
            raise TableError(f"the device directory's log2 is {log2}; choose 0 to 16")
        self.memory = memory
        self.log2 = log2
        self.base = memory.alloc_pages(max(1, (16 << log2) // PAGE))

    def entry_address(self, device):
        """Physical address of the 16-byte entry of ``device``."""
        if not 0 <= device < 1 << self.log2:
            raise TableError(f"device {device:#x} lies outside of a directory of "
                             f"2^{self.log2} entries")
        return self.base + 16 * device

    def set(self, device, *, devid=0, pasids=None, mem=True, sto=True, mem_bypass=False,
            sto_bypass=False, quiet=False):
        """Writes the entry of ``device``.

        ``pasids`` is its ``PasidDirectory`` (``None``: page 0, of use with bypass only); ``mem``
        and ``sto`` are MEM_EN and STO_EN; the others have the names of §3.1.
        """
        addr = self.entry_address(device)
        word = pack(DeviceWord0, v=1, mem_en=mem, sto_en=sto, mem_bypass=mem_bypass,
                    sto_bypass=sto_bypass, quiet=quiet,
                    pdt_levels=pasids.levels if pasids else 0,
                    pdt_pfn=_pfn(pasids.base, "the PASID directory") if pasids else 0)
        # The valid bit comes last, so that a walk never sees half an entry.
        self.memory.write_u64(addr + 8, pack(DeviceWord1, devid=devid))
        self.memory.write_u64(addr, word)

    def remove(self, device):
        """Makes the entry of ``device`` invalid."""
        self.memory.write(self.entry_address(device), bytes(16))


class PasidDirectory:
    """A PASID directory and its contexts (§3.2).

    Parameters
    ----------
    memory : Memory
    levels : int
        ``PDT_LEVELS``: 0, 1 or 2 directory levels, for PASIDs of 7, 16 or 20 bits.

    Attributes
    ----------
    base : int
        Address of the top page, ``PDT_PFN`` · 4096.
    """

    def __init__(self, memory, levels=1):
        if levels not in (0, 1, 2):
            raise TableError(f"a PASID directory has 0, 1 or 2 levels, not {levels}")
        self.memory = memory
        self.levels = levels
        self.base = memory.alloc_pages()

    def _check(self, pasid):
        bits = (7, 16, 20)[self.levels]
        if not 0 <= pasid < 1 << bits:
            raise TableError(f"PASID {pasid:#x} is out of reach of {self.levels} directory levels "
                             f"({bits} bits)")

    def entry_address(self, pasid, level, *, create=False):
        """Address of the directory entry of ``pasid`` at ``level`` (1 or 2), ``None`` if absent."""
        self._check(pasid)
        if not 1 <= level <= self.levels:
            raise TableError(f"this PASID directory has no level {level}")
        base = self.base
        for above in range(self.levels, level - 1, -1):
            addr = base + 8 * (pasid >> 16 if above == 2 else pasid >> 7 & 511)
            if above == level:
                return addr
            base = self._next(addr, create)
            if base is None:
                return None

    def _next(self, addr, create):
        entry = self.memory.read_u64(addr)
        if not entry & 1:
            if not create:
                return None
            entry = pack(DirectoryEntry, v=1, pfn=self.memory.alloc_pages() >> 12)
            self.memory.write_u64(addr, entry)
        return entry & ADDR

    def context_address(self, pasid, *, create=False):
        """Address of the 32-byte context of ``pasid``; ``None`` if its page does not exist."""
        self._check(pasid)
        base = self.base
        if self.levels:
            addr = self.entry_address(pasid, 1, create=create)
            base = self._next(addr, create) if addr is not None else None
        return None if base is None else base + 32 * (pasid & 127)

    def set(self, pasid, *, mem=None, sto=None, mem_deny=Disposition.DENY,
            sto_deny=Disposition.DENY):
        """Writes the context of ``pasid``: its tables (``PageTable`` or ``None``) and dispositions."""
        addr = self.context_address(pasid, create=True)

        def root(table):
            return pack(ContextRoot, v=1, l5=table.levels == 5, root=table.root >> 12) \
                if table else 0
        self.memory.write(addr, b"".join(word.to_bytes(8, "little") for word in (
            root(mem), root(sto),
            pack(ContextDeny, mem_deny=_code(mem_deny), sto_deny=_code(sto_deny)), 0)))

    def remove(self, pasid):
        """Empties the context of ``pasid``, if it exists."""
        addr = self.context_address(pasid)
        if addr is not None:
            self.memory.write(addr, bytes(32))


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
    """

    def __init__(self, memory, levels=4):
        if levels not in (4, 5):
            raise TableError(f"a page table has 4 or 5 levels, not {levels}")
        self.memory = memory
        self.levels = levels
        self._own = set()
        self.root = self._table()

    def _table(self):
        page = self.memory.alloc_pages()
        self._own.add(page)
        return page

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
            if entry & 1 and entry >> 7 & 1:
                raise TableError(f"{vaddr:#x} is already mapped by a leaf at level {above}")
            if not entry & 1:
                if not create:
                    return None
                # Permissions are AND over the levels, so the levels above grant everything.
                # A disposition left here moves down to the 512 entries that replace it.
                base = self._table()
                if entry >> 1 & 3:
                    self.memory.write(base, (entry & 6).to_bytes(8, "little") * 512)
                self.memory.write_u64(addr, pack(TableEntry, p=1, w=1, u=1, a=1, pfn=base >> 12))
            else:
                base = entry & ADDR
                if create and base not in self._own:
                    raise TableError(f"{vaddr:#x} lies in a shared file table; "
                                     f"change the file table instead")

    def entry(self, vaddr, level=1):
        """The 64-bit entry of ``vaddr`` at ``level``, 0 where a table above is absent."""
        addr = self.entry_address(vaddr, level)
        return 0 if addr is None else self.memory.read_u64(addr)

    def edit(self, vaddr, level, **fields):
        """Changes fields of an existing entry (names of ``formats.TableEntry``), at any level."""
        addr = self.entry_address(vaddr, level)
        if addr is None:
            raise TableError(f"{vaddr:#x} has no entry at level {level}")
        old = unpack(TableEntry, self.memory.read_u64(addr))
        self.memory.write_u64(addr, pack(TableEntry, **{**old, **fields}))

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
        level = _code(size) + 1
        if level not in (1, 2, 3):
            raise TableError(f"there are no leaves of size {size}")
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
        fields = dict(p=1, w=write, u=user, a=accessed, d=dirty, ps=level > 1, nr=not read)
        if devid is not None:
            fields.update(ft=1, devid=devid)
        for index, place in enumerate(places):
            self.memory.write_u64(place, pack(TableEntry, pfn=(paddr + index * step) >> 12,
                                              **fields))

    def unmap(self, vaddr, n_pages=1, *, size=Size.PAGE_4K, disposition=Disposition.DENY):
        """Removes ``n_pages`` leaves of ``size`` and leaves ``disposition`` in their entries.

        Raises
        ------
        TableError
            One of them is not mapped with that size. Nothing is removed then.
        """
        level = _code(size) + 1
        step = span_bytes(level)
        places = []
        for index in range(n_pages):
            addr = vaddr + index * step
            place = self.entry_address(addr, level)
            entry = 0 if place is None else self.memory.read_u64(place)
            if not entry & 1 or (level > 1 and not entry >> 7 & 1):
                raise TableError(f"{addr:#x} is not mapped by a leaf at level {level}")
            places.append(place)
        for place in places:
            self.memory.write_u64(place, _code(disposition) << 1)

    def set_disposition(self, vaddr, n_pages, disposition, *, level=1):
        """Leaves ``disposition`` in the ``n_pages`` non-present entries of ``level`` from ``vaddr``.

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
            self.memory.write_u64(place, _code(disposition) << 1)

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
        file_table._attach(self, vaddr, read, write)

    def detach(self, vaddr, file_table, *, disposition=Disposition.DENY):
        """Removes the file table attached at ``vaddr``; the file's own table stays as it is."""
        file_table._detach(self, vaddr)
        for index in range(file_table.reserve):
            place = self.entry_address(vaddr + index * span_bytes(2), 2)
            self.memory.write_u64(place, _code(disposition) << 1)

    def destroy(self):
        """Frees all pages of this table; attached file tables stay. Invalidate before."""
        for page in self._own:
            self.memory.free(page)
        self._own.clear()


class FileTable:
    """The table of one file: leaves built once, attached under any number of processes.

    It consists of level-1 pages of 512 file table entries; 2 MiB of the file that lie aligned
    and contiguous on the device may be one level-2 leaf instead (``map_large``). The leaves grant
    everything; the permission is in the level-2 entries of each process.

    Parameters
    ----------
    memory : Memory
    devid : int
        The device that holds the blocks.
    reserve : int
        Level-2 entries (2 MiB of file each) that an attachment takes, so that the file can grow.
    """

    def __init__(self, memory, devid, reserve=1):
        if reserve < 1:
            raise TableError(f"a file table reserves at least 1 level-2 entry, not {reserve}")
        self.memory = memory
        self.devid = devid
        self.reserve = reserve
        self._chunks = {}               # index -> (address of the level-1 page or block, large)
        self._absent = {}               # index of an absent chunk -> its disposition
        self._attached = []             # (page table, vaddr, read, write)

    def entry_address(self, file_page):
        """Address of the level-1 entry of page ``file_page``; ``None`` if there is none."""
        chunk = self._chunks.get(file_page // CHUNK)
        return None if chunk is None or chunk[1] else chunk[0] + 8 * (file_page % CHUNK)

    def has_chunk(self, index):
        """Whether the ``index``-th 2 MiB has a table of its own or a 2 MiB leaf."""
        return index in self._chunks

    def _page(self, file_page):
        if not 0 <= file_page < self.reserve * CHUNK:
            raise TableError(f"page {file_page} lies beyond the {self.reserve * CHUNK} pages "
                             f"that this file table reserves")
        index = file_page // CHUNK
        if index not in self._chunks:
            page = self.memory.alloc_pages()
            code = self._absent.pop(index, 0)
            self.memory.write(page, (code << 1).to_bytes(8, "little") * CHUNK)
            self._chunks[index] = page, False
            self._publish(index)
        addr = self.entry_address(file_page)
        if addr is None:
            raise TableError(f"page {file_page} is already mapped by a 2 MiB leaf")
        return addr

    def map(self, file_page, block_addr, n_pages=1):
        """Maps ``n_pages`` pages of the file to the device's byte address ``block_addr`` on.

        Raises
        ------
        TableError
            Misaligned, already mapped, or beyond the reserve. Nothing is mapped then.
        """
        _pfn(block_addr + (n_pages - 1) * PAGE, "the block address")
        places = [self._page(file_page + index) for index in range(n_pages)]
        for index, place in enumerate(places):
            if self.memory.read_u64(place) & 1:
                raise TableError(f"page {file_page + index} is already mapped")
        for index, place in enumerate(places):
            self.memory.write_u64(place, self._leaf(block_addr + index * PAGE))

    def map_large(self, file_page, block_addr):
        """Maps 512 pages of the file with one 2 MiB leaf."""
        if file_page % CHUNK or block_addr % span_bytes(2):
            raise TableError(f"page {file_page} and block address {block_addr:#x} must both be "
                             f"aligned to 2 MiB")
        if not 0 <= file_page < self.reserve * CHUNK:
            raise TableError(f"page {file_page} lies beyond the {self.reserve * CHUNK} pages "
                             f"that this file table reserves")
        _pfn(block_addr, "the block address")
        if file_page // CHUNK in self._chunks:
            raise TableError(f"pages {file_page} to {file_page + CHUNK - 1} are already in use")
        self._absent.pop(file_page // CHUNK, None)
        self._chunks[file_page // CHUNK] = block_addr, True
        self._publish(file_page // CHUNK)

    def _leaf(self, block_addr, **fields):
        return pack(TableEntry, **{**dict(p=1, w=1, u=1, a=1, d=1, ft=1, devid=self.devid,
                                          pfn=block_addr >> 12), **fields})

    def unmap(self, file_page, n_pages=1, *, disposition=Disposition.DENY):
        """Removes pages of the file from its table, for all processes.

        Raises
        ------
        TableError
            One of them is not mapped by a 4 KiB leaf. Nothing is removed then.
        """
        places = [self.entry_address(file_page + index) for index in range(n_pages)]
        for index, place in enumerate(places):
            if place is None or not self.memory.read_u64(place) & 1:
                raise TableError(f"page {file_page + index} is not mapped by a 4 KiB leaf")
        for place in places:
            self.memory.write_u64(place, _code(disposition) << 1)

    def set_disposition(self, file_page, n_pages, disposition):
        """Leaves ``disposition`` in non-present entries: a hole (OS) or the end (DENY).

        A whole 2 MiB without a table of its own takes it at level 2, so that a large hole costs
        no memory.

        Raises
        ------
        TableError
            One of the pages is mapped, or beyond the reserve. Nothing is changed then.
        """
        end = file_page + n_pages
        if not 0 <= file_page < end <= self.reserve * CHUNK:
            raise TableError(f"pages {file_page} to {end - 1} lie beyond the "
                             f"{self.reserve * CHUNK} pages that this file table reserves")
        whole = [index for index in range(-(-file_page // CHUNK), end // CHUNK)
                 if index not in self._chunks]
        places = [self._page(page) for page in range(file_page, end)
                  if page // CHUNK not in whole]
        if any(self.memory.read_u64(place) & 1 for place in places):
            raise TableError(f"some of the pages {file_page} to {end - 1} are mapped; "
                             f"unmap them first")
        for place in places:
            self.memory.write_u64(place, _code(disposition) << 1)
        for index in whole:
            self._absent[index] = _code(disposition)
            self._publish(index)

    # -- attachments ---------------------------------------------------------------------------

    @property
    def attachments(self):
        """Number of places where this table is attached."""
        return len(self._attached)

    def _publish(self, index):
        for attachment in self._attached:
            self._write_chunk(attachment, index)

    def _write_chunk(self, attachment, index):
        table, vaddr, read, write = attachment
        place = table.entry_address(vaddr + index * span_bytes(2), 2, create=True)
        if index in self._absent:
            self.memory.write_u64(place, self._absent[index] << 1)
            return
        addr, large = self._chunks[index]
        rights = dict(w=write, nr=not read)
        self.memory.write_u64(place, self._leaf(addr, ps=1, **rights) if large else pack(
            TableEntry, p=1, u=1, a=1, pfn=addr >> 12, **rights))

    def _attach(self, table, vaddr, read, write):
        self._attached.append((table, vaddr, bool(read), bool(write)))
        for index in (*self._chunks, *self._absent):
            self._write_chunk(self._attached[-1], index)

    def _detach(self, table, vaddr):
        for attachment in self._attached:
            if attachment[0] is table and attachment[1] == vaddr:
                self._attached.remove(attachment)
                return
        raise TableError(f"this file table is not attached at {vaddr:#x}")

    def destroy(self):
        """Frees the table's pages.

        Raises
        ------
        TableError
            It is still attached somewhere.
        """
        if self._attached:
            raise TableError("the file table is still attached; detach it first")
        for addr, large in self._chunks.values():
            if not large:
                self.memory.free(addr)
        self._chunks.clear()
