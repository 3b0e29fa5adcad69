"""The guest's first file system: busybox, nvme-cli and a script that is its init."""

from .initramfs import Archive

__all__ = ["DONE", "image"]

#: The guest writes this before it powers off, so that a cut output does not look finished.
DONE = "guest: done"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
SETUP = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
export PATH=/bin:/sbin
"""
#: A shell on the console, with job control; ending it ends the machine.
SHELL = "setsid cttyhack sh"


def image(guest, script=None, files=None):
    """The bytes of an initramfs whose init runs ``script``, and then powers the guest off.

    Parameters
    ----------
    guest : Path
        Tree of the guest's packages.
    script : str or None
        Lines of shell; ``None`` gives a shell on the console.
    files : dict or None
        More files: path in the guest to bytes or (bytes, mode).
    """
    archive = Archive()
    for name in ("proc", "sys", "dev", "mnt", "tmp", "sbin"):
        archive.folder(name)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", (guest / "bin/busybox").read_bytes(), 0o755)
    archive.file("sbin/nvme", (guest / "usr/sbin/nvme").read_bytes(), 0o755)
    for folder in LIBRARIES:
        for path in sorted((guest / folder).glob("lib*.so.*")):
            # Debian's /lib is /usr/lib: in the guest all libraries are in one folder.
            name = f"lib/x86_64-linux-gnu/{path.name}"
            if path.is_symlink():
                archive.link(name, path.readlink().name)
            else:
                archive.file(name, path.read_bytes(), 0o755)
    loader = guest / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    archive.file("lib64/ld-linux-x86-64.so.2", loader.read_bytes(), 0o755)
    for path, content in (files or {}).items():
        data, mode = content if isinstance(content, tuple) else (content, 0o644)
        archive.file(path, data, mode)
    end = f"echo '{DONE}'\npoweroff -f\n"
    archive.file("init", f"{SETUP}{script or SHELL}\n{end}".encode(), 0o755)
    return archive.pack()
