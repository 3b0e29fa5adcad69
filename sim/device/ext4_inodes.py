"""What an ext4 image says of its files: inodes, names in directories, extents.

``dissect.extfs`` knows the structures on the disk and finds an inode. Its runs of a file forget
which blocks are allocated and unwritten, so the tree of extents is followed here. Nothing that is
read is believed before it was checked: a damaged image leads to a sentence, never into a loop.
"""

import io
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass

from dissect.extfs import ExtFS
from dissect.extfs.c_ext import c_ext
from dissect.extfs.exceptions import Error

__all__ = ["PAGE", "Ext4Error", "Extent", "Inode", "Inodes", "read_inodes"]

PAGE = 4096                     #: bytes of a block
ROOT = c_ext.EXT2_ROOT_INO
EXTENT_MAGIC = 0xF30A
DEEPEST = 5                     #: levels of index nodes; more are never needed
LONGEST = 1 << 15               #: blocks of an extent; what is above says that it is unwritten
KINDS = {stat.S_IFREG: "regular", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink",
         stat.S_IFCHR: "character special", stat.S_IFBLK: "block special", stat.S_IFIFO: "FIFO",
         stat.S_IFSOCK: "socket"}


class Ext4Error(RuntimeError):
    """A tool of e2fsprogs reports an error, or the image is none that can be used."""


@dataclass(frozen=True)
class Extent:
    """``count`` pages of a file from ``page`` on, in the file system's blocks from ``block`` on.

    ``written`` is false for blocks that are allocated but read as zeros. Pages of no extent are a
    hole.
    """

    page: int
    block: int
    count: int
    written: bool = True


@dataclass(frozen=True)
class Inode:
    """What the kernel needs of an inode. ``kind`` is regular, directory, symlink, …"""

    number: int
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    extents: tuple


@contextmanager
def read_inodes(path):
    """Opens the image at ``path``, and gives its ``Inodes`` as they stand there now.

    Raises
    ------
    Ext4Error
        It is no ext4 file system, has other blocks, or is damaged where it was looked at.
    """
    with open(path, "rb") as file:
        try:
            yield Inodes(file)
        except EOFError:        # the library's structures say no more
            raise Ext4Error(f"{path} cannot be read as ext4: it ends too early") from None
        except (Error, NotImplementedError, OverflowError, Ext4Error) as error:
            raise Ext4Error(f"{path} cannot be read as ext4: {error}") from error


class Inodes:
    """The inodes of a file system.

    Parameters
    ----------
    file : binary file
        The image. It is read when something is asked for.

    Raises
    ------
    Ext4Error or an error of the library
        The superblock is none, or describes what is not supported here.
    """

    def __init__(self, file):
        self._file, self._fs = file, ExtFS(file)
        require(self._fs.block_size == PAGE, f"it must have blocks of {PAGE} bytes")
        require(self._fs.block_count * PAGE <= os.fstat(file.fileno()).st_size,
                "the image is shorter than the file system")

    def number(self, number):
        """The ``Inode`` of that number.

        Raises
        ------
        FileNotFoundError
            It is a free one.
        """
        raw = self._raw(number)
        if not raw.i_links_count:
            raise FileNotFoundError(f"inode {number} does not exist")
        kind = KINDS.get(stat.S_IFMT(raw.i_mode), "bad type")
        return Inode(number, kind, stat.S_IMODE(raw.i_mode), raw.i_uid_high << 16 | raw.i_uid,
                     raw.i_gid_high << 16 | raw.i_gid, raw.i_size_high << 32 | raw.i_size_lo,
                     self.extents(number) if kind == "regular" else ())

    def walk(self, path):
        """The inodes on the way to an absolute path: the root, the directories, the file.

        Raises
        ------
        OSError
            FileNotFoundError or NotADirectoryError.
        """
        if not path.startswith("/"):
            raise FileNotFoundError(f"{path!r} is not an absolute path")
        inodes, passed = [self.number(ROOT)], ""
        for name in filter(None, path.split("/")):
            if inodes[-1].kind != "directory":
                raise NotADirectoryError(f"{passed or '/'} is not a directory")
            passed += f"/{name}"
            found = self._names(inodes[-1].number).get(os.fsencode(name))
            if found is None:
                raise FileNotFoundError(f"{passed} does not exist")
            inodes.append(self.number(found))
        return inodes

    def extents(self, number):
        """The extents of a file or directory, in the order of its pages."""
        raw = self._raw(number)
        require(raw.i_flags & c_ext.EXT4_EXTENTS_FL, f"inode {number} is not mapped by extents")
        extents = []
        self._follow(bytes(raw.i_block), None, extents)
        return tuple(extents)

    def _raw(self, number):
        return self._fs.get_inode(number).inode

    def _block(self, number):
        require(0 < number < self._fs.block_count, f"block {number} is outside of it")
        self._file.seek(number * PAGE)
        return self._file.read(PAGE)

    def _follow(self, node, depth, extents):
        """Appends the extents below a node of the tree, of which ``depth`` levels are expected; at
        the root, None: any. Since they must go up, no node is followed twice."""
        stream = io.BytesIO(node)
        header = c_ext.ext4_extent_header(stream)
        require(header.eh_magic == EXTENT_MAGIC, "a node of extents has no magic number")
        require(header.eh_depth == depth or depth is None and header.eh_depth <= DEEPEST,
                "a node of extents is not at its depth")
        room = len(node) // len(header) - 1         # entries are as large as the header
        require(header.eh_entries <= min(header.eh_max, room),
                "a node of extents has more entries than room")
        require(header.eh_entries or depth is None, "a node of extents is empty")
        for _ in range(header.eh_entries):
            if header.eh_depth:
                index = c_ext.ext4_extent_idx(stream)
                self._follow(self._block(index.ei_leaf_hi << 32 | index.ei_leaf_lo),
                             header.eh_depth - 1, extents)
            else:
                extents.append(self._extent(c_ext.ext4_extent(stream), extents))

    def _extent(self, entry, before):
        written = entry.ee_len <= LONGEST
        extent = Extent(entry.ee_block, entry.ee_start_hi << 32 | entry.ee_start_lo,
                        entry.ee_len - (0 if written else LONGEST), written)
        require(extent.count, "an extent has no blocks")
        require(not before or before[-1].page + before[-1].count <= extent.page,
                "extents are not in order")
        require(0 < extent.block <= self._fs.block_count - extent.count,
                f"blocks {extent.block} to {extent.block + extent.count - 1} are outside of it")
        return extent

    def _names(self, number):
        """The names in a directory, and whose they are: {bytes: number of an inode}."""
        names = {}
        for extent in self.extents(number):
            for block in range(extent.block, extent.block + extent.count):
                content, at = self._block(block), 0
                while at < PAGE:
                    # Behind the end stand zeros here, which are no entry.
                    entry = c_ext.ext2_dir_entry_2(content[at:at + 8].ljust(8, b"\0"))
                    end = at + len(entry) + entry.name_len
                    require(entry.rec_len % 4 == 0 and end <= at + entry.rec_len <= PAGE,
                            f"directory {number} has an entry of a wrong length")
                    if entry.inode:         # nor is the checksum at the end a name
                        names[content[end - entry.name_len:end]] = entry.inode
                    at += entry.rec_len
        return names


def require(holds, sentence):
    """Raises ``Ext4Error`` with ``sentence`` unless something ``holds``."""
    if not holds:
        raise Ext4Error(sentence)
