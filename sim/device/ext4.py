"""Real ext4 file systems, without mounting and without root: e2fsprogs on an image file, which
``ext4_inodes`` reads.

The image is what the SSD holds. Content moves through the SSD; names, owners, extents and the
allocation of blocks are e2fsprogs' business here, as they are the kernel's in a real system.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from siommu.generate.files import whole

from .ext4_inodes import PAGE, Ext4Error, Extent, Inode, read_inodes

__all__ = ["Ext4Error", "Ext4Image", "Extent", "Inode", "MissingTools"]


class MissingTools(RuntimeError):
    """e2fsprogs is not installed."""


def find_tool(name):
    """Path of a tool of e2fsprogs (Debian keeps them in /usr/sbin, often not on PATH).

    Raises
    ------
    MissingTools
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise MissingTools(f"{name} is missing: install the package e2fsprogs "
                           f"(Debian: apt-get install e2fsprogs)")
    return found


def _run(tool, *arguments, stdin="", accept=(0,)):
    """Runs a tool; returns (standard output, standard error)."""
    command = [find_tool(tool), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
    if done.returncode < 0:                 # it could not say why itself
        raise Ext4Error(f"{tool} was ended: {signal.strsignal(-done.returncode)}")
    if done.returncode not in accept:
        raise Ext4Error(f"{' '.join(map(str, (tool, *arguments)))} failed:\n"
                        f"{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def _quote(path):
    """A path as an argument in debugfs."""
    if '"' in path or "\n" in path:
        raise Ext4Error(f"the path {path!r} cannot be given to debugfs")
    return f'"{path}"'


class Ext4Image:
    """An ext4 file system in an image file.

    Parameters
    ----------
    path : str or Path
        The image. It must have 4 KiB blocks.
    read_only : bool
        Refuse everything that would change it.

    Raises
    ------
    Ext4Error
        It is no ext4 file system, or has other blocks.
    """

    def __init__(self, path, read_only=False):
        self.path = Path(path)
        self.read_only = read_only
        with read_inodes(self.path):
            pass

    @classmethod
    def make(cls, folder, path, size=None):
        """Makes an image with the content of ``folder``.

        ``size`` in bytes is a multiple of 4 KiB; by default twice the content and 8 MiB more.
        """
        folder, path = Path(folder), Path(path)
        if not folder.is_dir():
            raise Ext4Error(f"{folder} is not a folder")
        if size is None:
            content = sum(-(-item.lstat().st_size // PAGE) + 1 for item in folder.rglob("*"))
            size = 2 * content * PAGE + (8 << 20)
        path.unlink(missing_ok=True)
        with whole(path) as scratch:
            # A journal would be replayed by a real kernel over what was written behind its back.
            _run("mke2fs", "-q", "-t", "ext4", "-b", PAGE, "-O", "^has_journal", "-m", 0,
                 "-E", "root_owner=0:0,lazy_itable_init=0", "-d", folder, scratch, size // PAGE)
        return cls(path)

    # -- debugfs -------------------------------------------------------------------------------

    def _debugfs(self, *requests, write=False):
        """Executes requests; returns the output. debugfs tells errors only on standard error."""
        if write and self.read_only:
            raise Ext4Error(f"{self.path} is opened read-only")
        out, err = _run("debugfs", *(["-w"] if write else []), "-f", "/dev/stdin", self.path,
                        stdin="".join(request + "\n" for request in requests))
        errors = [line for line in err.splitlines() if line and not line.startswith("debugfs 1.")]
        if errors:
            raise Ext4Error("; ".join(errors))
        return "\n".join(line for line in out.splitlines() if not line.startswith("debugfs: "))

    # -- reading -------------------------------------------------------------------------------

    def walk(self, path):
        """The inodes on the way to an absolute path: the root, the directories, the file.

        Raises
        ------
        OSError
            FileNotFoundError or NotADirectoryError.
        Ext4Error
            The image is damaged on the way.
        """
        with read_inodes(self.path) as inodes:
            return inodes.walk(path)

    def inode(self, path):
        """The inode at an absolute path, or (an integer) with a number; raises as ``walk``."""
        if not isinstance(path, int):
            return self.walk(path)[-1]
        with read_inodes(self.path) as inodes:
            return inodes.number(path)

    def content(self, path):
        """The bytes of a file, as debugfs reads them from the image."""
        quoted = _quote(path)
        if not self.inode(path).size:
            return b""
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "content"
            self._debugfs(f"dump {quoted} {_quote(str(target))}")
            return target.read_bytes()

    def check(self):
        """``e2fsck -fn``: returns its output if the file system is clean.

        Raises
        ------
        Ext4Error
            It is not.
        """
        return _run("e2fsck", "-fn", self.path)[0]

    # -- changing ------------------------------------------------------------------------------

    def set_owner(self, path, uid, gid, mode):
        """Sets owner, group and permission bits (``mode``, 12 bits) of a file or directory."""
        kinds = {"regular": 0o100000, "directory": 0o040000}
        kind = self.inode(path).kind
        if kind not in kinds:
            raise Ext4Error(f"{path} is a {kind}; only files and directories get owners here")
        self._debugfs(*(f"set_inode_field {_quote(path)} {field} {value}" for field, value in (
            ("uid", uid), ("gid", gid), ("mode", f"0{kinds[kind] | mode:o}"))), write=True)

    def write_fragmented(self, source, path, run=3):
        """Copies the host's file ``source`` to ``path`` so that it lies in runs of ``run`` blocks.

        Every block after a run is marked used for the time of the copy. Directories on the way
        must exist; a file that is there is replaced.
        """
        needed = -(-os.path.getsize(source) // PAGE)
        try:
            self.inode(path)
        except FileNotFoundError:
            pass
        else:                           # first, so that its blocks count as free ones
            self._debugfs(f"rm {_quote(path)}", write=True)
        pins = self._pins(needed, run)
        # "write" takes no path but a name: it goes into the current directory.
        folder, name = path.rsplit("/", 1)
        self._debugfs(*(f"setb {block}" for block in pins),
                      f"cd {_quote(folder or '/')}", f"write {_quote(str(source))} {_quote(name)}",
                      *(f"freeb {block}" for block in pins), write=True)

    def _pins(self, needed, run):
        """Free blocks to occupy, so that what stays free comes in runs of ``run`` blocks."""
        text, _ = _run("dumpe2fs", self.path)
        free = []
        for line in re.findall(r"^  Free blocks: (.*)$", text, re.M):
            for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
                free.extend(range(int(first), int(last or first) + 1))
        if len(free) < 2 * (needed + needed // run + 8):
            raise Ext4Error(f"{self.path} has too little room for a fragmented file of "
                            f"{needed} blocks")
        return free[run::run + 1]

    def allocate(self, number, pages):
        """Gives the file blocks for ``pages`` that have none; returns {page: block}.

        They stay unwritten (read as zeros) until ``mark_written``.
        """
        pages = sorted(pages)
        held = self._blocks(number)
        runs = []
        for page in pages:
            if page not in held:
                if runs and runs[-1][1] == page - 1:
                    runs[-1][1] = page
                else:
                    runs.append([page, page])
        if runs:
            self._debugfs(*(f"fallocate <{number}> {first} {last}" for first, last in runs),
                          write=True)
            held = self._blocks(number)
        missing = [page for page in pages if page not in held]
        if missing:
            raise OSError(28, f"{self.path} has no room for page {missing[0]} of inode {number}")
        return {page: held[page] for page in pages}

    def _blocks(self, number):
        return {extent.page + index: extent.block + index
                for extent in self.inode(number).extents for index in range(extent.count)}

    def mark_written(self, number, blocks):
        """``blocks``, {page: block} of ``allocate``, hold the file's content from now on."""
        if blocks:
            # debugfs says on standard output where it is; only errors count.
            self._debugfs(f"extent_open <{number}>",
                          *(f"set_bmap {page} {block}" for page, block in sorted(blocks.items())),
                          "extent_close", write=True)

    def set_size(self, number, size):
        """Sets the file's size in bytes."""
        self._debugfs(f"set_inode_field <{number}> size {size}", write=True)
