"""What the tests in a guest share: images of ext4, and a machine that runs a script on one."""

import hashlib
import os
import re
import subprocess
import tempfile

import pytest

from sim.device.ext4 import find_tool
from sim.qemu import guest, machine, packages
from sim.verilated import build_library
from siommu.generate.files import write_whole

from ..regression import simulator

__all__ = ["MEGABYTE", "boot", "digest", "e2fsck", "ext4", "needs_packages", "sections", "tool"]

MEGABYTE = 1 << 20
SECONDS = 240                           #: a machine that hangs is ended; a run takes ten


def tool(*words):
    """Runs a program of e2fsprogs and returns what it writes."""
    return subprocess.run([find_tool(words[0]), *words[1:]], check=True, capture_output=True).stdout


def ext4(folder, files, block=4096):
    """An ext4 image with ``files``, path to bytes, as a bytearray; blocks of ``block`` bytes."""
    tree, image = folder / "tree", folder / "image"
    tree.mkdir()
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(tree / path, content)
    write_whole(image, b"")
    os.truncate(image, 32 * MEGABYTE)
    tool("mke2fs", "-q", "-t", "ext4", "-b", str(block), "-d", str(tree), str(image))
    return bytearray(image.read_bytes())


def e2fsck(folder, disk):
    """What ``e2fsck -fn`` says of the image: ``returncode`` and ``stdout``."""
    image = folder / "image"
    write_whole(image, bytes(disk))
    return subprocess.run([find_tool("e2fsck"), "-fn", str(image)], check=False,
                          capture_output=True, text=True)


def digest(data):
    """SHA-256 as ``sha256sum`` writes it."""
    return hashlib.sha256(data).hexdigest()


def needs_packages():
    """Skips the test where QEMU or the kernel is missing."""
    try:
        packages.find()
    except packages.MissingPackage as missing:
        pytest.skip(str(missing))


def boot(disk, script, **options):
    """Runs a machine with an SSD, or a list of them; returns the console's text."""
    needs_packages()
    library = build_library(simulator.verilog())
    with tempfile.TemporaryFile() as console:
        disks = disk if isinstance(disk, list) else [disk]
        machine.run(machine.Machine(library, disks, script, seconds=SECONDS, console=console,
                                    **options))
        console.seek(0)
        text = console.read().decode(errors="replace").replace("\r", "")
    assert guest.DONE in text, text[-2000:]
    return text


def sections(text):
    """The output by sections, which begin with a line "== name"; what the kernel itself says comes
    between, and is left out."""
    parts = re.split(r"^== (.*)\n", re.sub(r"^\[ *\d+\.\d+\] .*\n", "", text, flags=re.M),
                     flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))
