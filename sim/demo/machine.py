"""The machine of the demo: two SSDs, two users, and what they may do."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from siommu.generate.files import write_whole

from ..device.nvme import Controller, Latency, Media
from ..host.kernel import Kernel
from ..host.userlib import UserLibrary
from ..memory import Memory
from .files import ALICE, BOB, SHARED_GROUP

__all__ = ["DemoFailed", "Machine", "World", "require"]

SSD_DEVICE, FOREIGN_DEVICE = 0x0100, 0x0200
SSD_DEVID, FOREIGN_DEVID = 1, 2


class DemoFailed(AssertionError):
    """Something in the demo did not happen as it must."""


@dataclass
class World:
    """What the demo runs in.

    Parameters
    ----------
    scheduler : Scheduler or CocotbScheduler
    memory : Memory
        Main memory, from which the core reads its tables.
    translators : sequence
        For two SSDs, each with ``async translate(access) -> beats``.
    control : RegisterControl
        The driver of the core.
    folder : Path
        Where the originals and the image are made.
    latency : Latency
        Of the SSDs.
    out : callable
        Takes a line of output.
    seed : int
        Of the places that are read for the measurement.
    watch : int
        Cycles after which the core's counters are shown, again and again; 0: only at the end.
    """

    scheduler: object
    memory: Memory
    translators: object
    control: object
    folder: Path
    latency: Latency = field(default_factory=Latency)
    out: object = print
    seed: int = 0
    watch: int = 0


def require(condition, sentence):
    """Raises ``DemoFailed`` with ``sentence`` unless ``condition`` holds."""
    if not condition:
        raise DemoFailed(sentence)


class Machine:
    """Two SSDs at two ports, one with the image, and the applications of two users."""

    def __init__(self, world, image, files, disk):
        self.world = world
        self.image = image
        self.files = {file.path: file for file in files}
        self.disk = disk
        self.kernel = Kernel(world.scheduler, world.memory, world.control)
        self.media = Media(world.latency)
        self.media.add_namespace(disk)

    async def start(self):
        """Two SSDs at two ports; two users' applications."""
        world = self.world
        await self.kernel.start()
        self.ssd = await self._add(self.media, 0, SSD_DEVICE, SSD_DEVID, self.image)
        foreign = Media(world.latency)
        foreign.add_namespace(bytearray(1 << 20), lba_bytes=512)
        self.foreign = await self._add(foreign, 1, FOREIGN_DEVICE, FOREIGN_DEVID, None)
        self.alice = UserLibrary(self.kernel, self.kernel.spawn("alice", ALICE,
                                                                [ALICE, SHARED_GROUP]))
        self.bob = UserLibrary(self.kernel, self.kernel.spawn("bob", BOB, [BOB, SHARED_GROUP]))

    async def _add(self, media, port, device, devid, filesystem):
        controller = Controller(self.world.scheduler, self.world.memory, media,
                                self.world.translators[port], device)
        return await self.kernel.add_ssd(controller, devid, filesystem)

    async def read_everything(self):
        """Every file is read by somebody who may, and equals its original. Returns table rows."""
        rows = []
        for path, file in self.files.items():
            library = self.bob if "/bob/" in path else self.alice
            start, kernel_parts = self.world.scheduler.now, library.through_kernel
            # One of them with a hint, so that the command is seen at work.
            opened = await library.open(path, prefetch=path == "/shared/manual.txt")
            data = await library.pread(opened, opened.shared.size, 0)
            cycles = self.world.scheduler.now - start
            original = file.source.read_bytes()
            same = hashlib.sha256(data).digest() == hashlib.sha256(original).digest()
            rows.append((
                path, len(original), len(self.image.inode(path).extents), file.uid,
                f"{file.mode:04o}", library.process.name, library.through_kernel - kernel_parts,
                cycles, hashlib.sha256(data).hexdigest()[:12], "ok" if same else "WRONG"))
            require(same, f"{path} does not read as its original")
            await library.close(opened)
        return rows

    async def write_allowed(self):
        """Permitted writes, within a file, at its end and into a hole; they land in the image."""
        for library, path, edits in (
                (self.alice, "/home/alice/notes.txt", ((100, b"written directly"),)),
                (self.bob, "/shared/fragmented.txt", ((9_000, b"by a member of the group" * 900),)),
                (self.alice, "/home/alice/notes.txt", ((None, b"appended " * 1000),)),
                (self.alice, "/shared/sparse.img", ((1 << 20, b"into the hole"),))):
            expected = bytearray(self.files[path].source.read_bytes())
            opened = await library.open(path, "rw")
            for offset, data in edits:
                offset = opened.shared.size if offset is None else offset
                await library.pwrite(opened, data, offset)
                expected[offset:offset + len(data)] = data
            await library.flush(opened)
            await library.close(opened)
            # The original follows, so that later comparisons expect the new content.
            write_whole(self.files[path].source, expected)
            require(self.image.content(path) == bytes(expected),
                    f"what was written to {path} is not in the image")
        self.image.check()

    def close(self):
        """Lets go of the image."""
        self.media.close()
