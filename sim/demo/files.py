"""The file system of the demo: real files from this machine, in an ext4 image."""

import io
import os
import shutil
import sysconfig
import tarfile
from dataclasses import dataclass
from pathlib import Path

from siommu.generate.files import whole, write_whole

from ..device.ext4 import Ext4Image

__all__ = ["ALICE", "BOB", "DemoFile", "SHARED_GROUP", "make_image"]

ALICE, BOB = 1000, 1001                 #: uids, and the gids of their own groups
SHARED_GROUP = 100


@dataclass(frozen=True)
class DemoFile:
    """A file of the demo: its path in the image, the original, owner, group and mode."""

    path: str
    source: Path
    uid: int
    gid: int
    mode: int


def _plain_copy(source, target):
    write_whole(target, source.read_bytes())


def _archive(source, target):
    """A tar file: large, and of the kind that people have."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for item in sorted(source.glob("[a-c]*.py")):
            archive.add(item, arcname=item.name, recursive=False)
    write_whole(target, content.getvalue())


def _sparse(source, target):
    """Two pieces of a file with a hole of some 3 MiB between them, and one at the end."""
    content = Path(source).read_bytes()
    with whole(target) as scratch, scratch.open("wb") as file:
        file.write(content[:10_000])
        file.seek(3 << 20)
        file.write(content[:20_000])
        file.truncate((5 << 20) + 123)


def make_image(folder):
    """Makes ``folder/files`` (the originals) and ``folder/ext4.img``.

    The files come from Python's standard library, which every machine that runs this has: small
    and large ones, one that is fragmented, one that is sparse, with several owners and modes.

    Returns
    -------
    (Ext4Image, list of DemoFile)
    """
    library = Path(sysconfig.get_path("stdlib"))
    folder = Path(folder)
    root = folder / "files"
    if root.exists():
        shutil.rmtree(root)
    plan = (
        ("/home/alice/notes.txt", library / "this.py", _plain_copy, ALICE, ALICE, 0o600),
        ("/home/alice/library.tar", library, _archive, ALICE, ALICE, 0o640),
        ("/home/bob/diary.txt", library / "antigravity.py", _plain_copy, BOB, BOB, 0o600),
        ("/home/bob/report.txt", library / "typing.py", _plain_copy, BOB, SHARED_GROUP, 0o640),
        ("/shared/fragmented.txt", library / "argparse.py", _plain_copy, 0, SHARED_GROUP, 0o664),
        ("/shared/sparse.img", library / "turtle.py", _sparse, ALICE, SHARED_GROUP, 0o644),
        ("/shared/manual.txt", library / "pydoc_data" / "topics.py", _plain_copy, 0, 0, 0o444),
    )
    files = []
    for path, source, make, uid, gid, mode in plan:
        target = root / path[1:]
        make(source, target)
        files.append(DemoFile(path, target, uid, gid, mode))
    image = Ext4Image.make(root, folder / "ext4.img")
    fragmented = root / "shared/fragmented.txt"
    image.write_fragmented(fragmented, "/shared/fragmented.txt")
    for name, uid in (("/home/alice", ALICE), ("/home/bob", BOB)):
        image.set_owner(name, uid, uid, 0o755)
    image.set_owner("/shared", 0, SHARED_GROUP, 0o775)
    for file in files:
        image.set_owner(file.path, file.uid, file.gid, file.mode)
    # The image must be in the file before the SSD maps it.
    with open(image.path, "rb") as handle:
        os.fsync(handle.fileno())
    image.check()
    return image, files
