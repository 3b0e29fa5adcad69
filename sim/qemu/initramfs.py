"""A cpio archive ("newc"), the form in which Linux takes its first file system."""

import stat

__all__ = ["Archive"]


class Archive:
    """Files, folders, links and device nodes, all of them root's, in the order of their adding."""

    def __init__(self):
        self._parts = []
        self._folders = set()
        self._entries = 0

    def folder(self, path):
        """Adds a folder, and those above it, unless they are there."""
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if name not in self._folders:
                self._folders.add(name)
                self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, path, content, mode=0o644):
        """Adds a file with the bytes ``content``."""
        self._parents(path)
        self._add(path.strip("/"), stat.S_IFREG | mode, content)

    def link(self, path, target):
        """Adds a symbolic link to ``target``."""
        self._parents(path)
        self._add(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor):
        """Adds a character device."""
        self._parents(path)
        self._add(path.strip("/"), stat.S_IFCHR | 0o600, b"", major, minor)

    def _parents(self, path):
        parent = path.strip("/").rpartition("/")[0]
        if parent:
            self.folder(parent)

    def _add(self, name, mode, content, major=0, minor=0):
        self._entries += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        encoded = name.encode() + b"\0"
        fields = (self._entries, mode, 0, 0, links, 0, len(content), 0, 0, major, minor,
                  len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._parts += [head, bytes(-len(head) % 4), content, bytes(-len(content) % 4)]

    def pack(self):
        """The archive's bytes."""
        end = Archive()
        end._add("TRAILER!!!", 0, b"")
        return b"".join(self._parts + end._parts)
