"""Files that are open for direct access: their one table, and who may do what with them."""

from dataclasses import dataclass, field
from errno import EACCES, EFBIG, EINVAL, EISDIR, ELOOP

from siommu.arch.formats import Disposition

from ...tables import CHUNK, FileTable, span_bytes
from ...time.scheduler import Lock

__all__ = ["MODES", "OpenFile", "SharedFile", "check_permission"]

PAGE = 4096
GROWTH = 64                             #: level-2 entries (2 MiB each) left for a file's growth
MODES = {"r": (True, False), "w": (False, True), "rw": (True, True)}
READ, WRITE, SEARCH = 4, 2, 1


def _allowed(inode, uid, gids, wanted):
    """Unix permission: the first class that applies decides; uid 0 may do everything."""
    if uid == 0:
        return True
    shift = 6 if uid == inode.uid else 3 if inode.gid in gids else 0
    return inode.mode >> shift & wanted == wanted


def check_permission(process, path, directories, inode, mode):
    """Whether ``process`` may open ``inode`` in ``mode``.

    Raises
    ------
    OSError
        EACCES, EISDIR, ELOOP or EINVAL, as open() would.
    """
    if mode not in MODES:
        raise OSError(EINVAL, f"the mode {mode!r} does not exist; choose r, w or rw")
    if not all(_allowed(item, process.uid, process.gids, SEARCH) for item in directories):
        raise OSError(EACCES, f"{process.name} may not search a directory of {path}")
    if inode.kind == "symlink":
        raise OSError(ELOOP, f"{path} is a symbolic link")
    if inode.kind != "regular":
        raise OSError(EISDIR if inode.kind == "directory" else EINVAL,
                      f"{path} is not a regular file but a {inode.kind}")
    read, write = MODES[mode]
    if not _allowed(inode, process.uid, process.gids, READ * read | WRITE * write):
        raise OSError(EACCES, f"{process.name} (uid {process.uid}) may not open {path} "
                              f"(uid {inode.uid}, mode {inode.mode:04o}) for {mode!r}")


class SharedFile:
    """One file that at least one process has open.

    Its file table is built once from the extents. A hole and blocks that were allocated but never
    written are not mapped and say OS: what is read there is zeros, what is written there needs
    the file system. Past the end nothing is mapped and it says DENY. (The table protects pages:
    in a last page that is not full, the bytes after the end belong to the file.)

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
    ssd : Ssd
        Where the file lies.
    inode : Inode
    """

    def __init__(self, scheduler, memory, ssd, inode):
        self.ssd = ssd
        self.number = inode.number
        self.size = inode.size
        self.lock = Lock(scheduler)     # one kernel write at a time
        self.opens = []
        self.attached = 0               # attachments that a device may still know of
        self.blocks = {}                # page of the file -> block, of the written ones
        self.table = FileTable(memory, ssd.devid, -(-self._pages // CHUNK) + GROWTH)
        for extent in inode.extents:
            if extent.written:
                self.map(extent.page, extent.block,
                         max(0, min(extent.count, self._pages - extent.page)))
        self.mark_holes(0, self._pages)

    @property
    def span(self):
        """Bytes of virtual addresses that an attachment takes: a power of two, and aligned to it,
        so that one command invalidates it."""
        return span_bytes(2) << (self.table.reserve - 1).bit_length()

    @property
    def _pages(self):
        return -(-self.size // PAGE)

    def map(self, page, block, count):
        """Enters ``count`` pages that lie in neighbouring blocks."""
        pba = self.ssd.start + block * PAGE
        for index in range(count):
            self.blocks[page + index] = block + index
        while count:
            if count >= CHUNK and page % CHUNK == 0 and pba % span_bytes(2) == 0 \
                    and not self.table.has_chunk(page // CHUNK):
                part = CHUNK
                self.table.map_large(page, pba)
            else:
                part = min(count, CHUNK - page % CHUNK)
                self.table.map(page, pba, part)
            page, pba, count = page + part, pba + part * PAGE, count - part

    def mark_holes(self, first, end):
        """Leaves OS in the entries of pages without a block, from ``first`` to before ``end``."""
        page = first
        while page < end:
            stop = page
            while stop < end and stop not in self.blocks:
                stop += 1
            if stop > page:
                self.table.set_disposition(page, stop - page, Disposition.OS)
            page = stop + 1

    def check_room(self, size):
        """Raises OSError EFBIG when the file cannot grow to ``size`` while it is open."""
        if size > self.table.reserve * span_bytes(2):
            raise OSError(EFBIG, f"the file grows by more than {GROWTH * 2} MiB; "
                                 f"close and open it again")

    def runs(self, page, count):
        """(page, block or None, count) pieces of a page range; None is a hole."""
        end = page + count
        while page < end:
            block, part = self.blocks.get(page), 1
            while page + part < end and self.blocks.get(page + part) == \
                    (None if block is None else block + part):
                part += 1
            yield page, block, part
            page += part


@dataclass
class OpenFile:
    """What a process gets for an open file.

    Parameters
    ----------
    fd : int
    path : str
    shared : SharedFile
    vba : int
        Virtual block address of the file's first byte, in the process's storage table.
    readable, writable : bool
    revoked : bool
        The kernel took it back; only ``close`` is left.
    """

    fd: int
    path: str
    shared: SharedFile = field(repr=False)
    vba: int
    readable: bool
    writable: bool
    revoked: bool = False
