"""Builds file tables (§3.3): storage tables of files, attached under many processes."""

from siommu.arch.formats import Disposition, TableEntry
from siommu.arch.packing import pack

from .page_tables import CHUNK, PAGE, TableError, code, page_number, span_bytes

__all__ = ["FileTable"]


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
            left = self._absent.pop(index, 0)
            self.memory.write(page, (left << 1).to_bytes(8, "little") * CHUNK)
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
        page_number(block_addr + (n_pages - 1) * PAGE, "the block address")
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
        page_number(block_addr, "the block address")
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
            self.memory.write_u64(place, code(disposition) << 1)

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
            self.memory.write_u64(place, code(disposition) << 1)
        for index in whole:
            self._absent[index] = code(disposition)
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
        if index not in self._chunks:
            self.memory.write_u64(place, self._absent.get(index, 0) << 1)
            return
        addr, large = self._chunks[index]
        rights = dict(w=write, nr=not read)
        self.memory.write_u64(place, self._leaf(addr, ps=1, **rights) if large else pack(
            TableEntry, p=1, u=1, a=1, pfn=addr >> 12, **rights))

    def add_attachment(self, table, vaddr, read, write):
        """Enters the file at ``vaddr`` of ``table``, which calls this from ``attach``."""
        self._attached.append((table, vaddr, bool(read), bool(write)))
        # All of them: what was detached from there before may have left a disposition.
        for index in range(self.reserve):
            self._write_chunk(self._attached[-1], index)

    def drop_attachment(self, table, vaddr):
        """Forgets the attachment at ``vaddr`` of ``table``, which calls this from ``detach``."""
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
