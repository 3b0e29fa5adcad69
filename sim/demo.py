"""The demo: applications read and write real ext4 files through the SIOMMU, and fail to misuse it.

``python -m sim.demo --golden`` runs it with the golden model in place of the RTL. The test bench
of the RTL calls ``run_demo`` with a world of its own.
"""

import argparse
from dataclasses import dataclass, field
import hashlib
import inspect
import mmap
from pathlib import Path
import random
import sys
import tempfile

from siommu.formats import Cause, Disposition

from .control import GoldenControl
from .demo_files import ALICE, BOB, SHARED_GROUP, make_image
from .ext4 import Ext4Error, MissingTools
from .golden import GoldenModel
from .kernel import Kernel
from .memory import Memory
from .nvme import Controller, Driver, Latency, Media
from .nvme.defs import PAGE, Command, Io, read_fault
from .scheduler import Scheduler
from .translators import GoldenTranslator, PassThrough
from .userlib import AccessDenied, UserLibrary

__all__ = ["DemoFailed", "World", "run_demo"]

SSD_DEVICE, FOREIGN_DEVICE, BARE_DEVICE = 0x0100, 0x0200, 0x0300
SSD_DEVID, FOREIGN_DEVID = 1, 2
BUFFER_PAGES = 4


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
    control
        ``async enable(ddt_base, ddt_log2)``, ``async invalidate()``.
    folder : Path
        Where the originals and the image are made.
    counters : callable
        Returns a dictionary of the core's counters (or a coroutine of one); ``requests``,
        ``tlb_hits`` and ``walks`` are shown.
    latency : Latency
        Of the SSDs.
    out : callable
        Takes a line of output.
    seed : int
        Of the places that are read for the measurement.
    """

    scheduler: object
    memory: Memory
    translators: object
    control: object
    folder: Path
    counters: object = dict
    latency: Latency = field(default_factory=Latency)
    out: object = print
    seed: int = 0

    async def count(self):
        """The counters now."""
        counters = self.counters()
        return await counters if inspect.isawaitable(counters) else counters


def _require(condition, sentence):
    if not condition:
        raise DemoFailed(sentence)


def _table(title, head, rows):
    """A table as lines of text; columns of numbers are aligned to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    right = [all(row[index].replace(".", "").isdigit() for row in rows)
             for index in range(len(head))]

    def line(cells):
        return "  " + "  ".join(cell.rjust(width) if numeric else cell.ljust(width)
                                for cell, width, numeric in zip(cells, widths, right)).rstrip()
    return ["", title, line(head), "  " + "  ".join("-" * width for width in widths),
            *map(line, rows)]


class Demo:
    """The machine of the demo and its acts."""

    def __init__(self, world, image, files, disk):
        self.world = world
        self.image = image
        self.files = {file.path: file for file in files}
        self.disk = disk
        self.kernel = Kernel(world.scheduler, world.memory, world.control)
        self.file_rows, self.denied_rows, self.speed_rows = [], [], []

    async def start(self):
        """Two SSDs at two ports; two users' applications."""
        world = self.world
        await self.kernel.start()
        self.media = Media(world.latency)
        self.media.add_namespace(self.disk)
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

    # -- act 1 and 2: what is allowed ----------------------------------------------------------

    async def read_everything(self):
        """Every file is read by somebody who may, and equals its original."""
        for path, file in self.files.items():
            library = self.bob if "/bob/" in path else self.alice
            start, kernel_parts = self.world.scheduler.now, library.through_kernel
            opened = await library.open(path)
            data = await library.pread(opened, opened.shared.size, 0)
            cycles = self.world.scheduler.now - start
            original = file.source.read_bytes()
            same = hashlib.sha256(data).digest() == hashlib.sha256(original).digest()
            self.file_rows.append((
                path, len(original), len(self.image.inode(path).extents), file.uid,
                f"{file.mode:04o}", library.process.name, library.through_kernel - kernel_parts,
                cycles, hashlib.sha256(data).hexdigest()[:12], "ok" if same else "WRONG"))
            _require(same, f"{path} does not read as its original")
            await library.close(opened)

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
            self.files[path].source.write_bytes(expected)
            _require(self.image.content(path) == bytes(expected),
                     f"what was written to {path} is not in the image")
        self.image.check()

    # -- act 3: what is not --------------------------------------------------------------------

    def _state(self):
        memory = self.world.memory
        return (hashlib.sha256(self.disk).digest(),
                {page: memory.read(page, PAGE) for page in memory.pages()})

    async def _attempt(self, what, library, opcode, vba, vaddr, expected, ssd=None):
        """Sends one command past all software and sees the SIOMMU refuse it.

        ``expected`` is (cause, disposition, FT). Image and memory stay as they are, but for the
        command and its completion in the two rings of the queue.
        """
        ssd = ssd or self.ssd
        queue = await self.kernel.queue(library.process, ssd)
        disk, memory = self._state()
        completion = await library.command(ssd, opcode, vba, vaddr, PAGE)
        fault = read_fault(completion)
        _require(fault is not None, f"{what}: the SIOMMU did not refuse; the status is "
                                    f"{completion.status:#05x}")
        cause, disposition, ft = Cause(fault[0]), Disposition(fault[1]), fault[2]
        _require((cause, disposition, ft) == expected,
                 f"{what}: refused with {cause.name}, {disposition.name}, FT = {ft}; "
                 f"it must be {expected}")
        disk_after, memory_after = self._state()
        rings = {queue.sq, queue.cq}
        changed = {page for page in memory.keys() | memory_after.keys()
                   if memory.get(page) != memory_after.get(page)}
        _require(disk_after == disk, f"{what}: the image has changed")
        _require(changed <= rings, f"{what}: memory has changed")
        self.denied_rows.append((what, library.process.name,
                                 "read" if opcode == Io.READ else "write",
                                 "blocks" if ft else "memory", cause.name, disposition.name,
                                 "untouched"))

    async def denied(self):
        """Each attempt is refused, names cause and disposition, and leaves everything as it was."""
        alice, bob = self.alice, self.bob
        process = alice.process
        buffer = self.kernel.map_buffer(process, BUFFER_PAGES * PAGE)
        process.write(buffer, b"\xA5" * (BUFFER_PAGES * PAGE))
        deny = Disposition.DENY
        absent = Cause.NOT_PRESENT, deny, 1

        try:
            await alice.open("/home/bob/diary.txt")
            raise DemoFailed("alice could open bob's diary")
        except PermissionError:
            pass
        diary = await bob.open("/home/bob/diary.txt")
        await self._attempt("another process's file", alice, Io.READ, diary.vba, buffer, absent)
        await self._attempt("overwriting another process's file", alice, Io.WRITE, diary.vba,
                            buffer, absent)
        await bob.close(diary)

        manual = await alice.open("/shared/manual.txt", "r")
        await self._attempt("a write to a file opened for reading", alice, Io.WRITE, manual.vba,
                            buffer, (Cause.WRITE_DENIED, deny, 1))
        end = -(-manual.shared.size // PAGE) * PAGE
        await self._attempt("past the end of the file", alice, Io.READ, manual.vba + end, buffer,
                            absent)
        await self._attempt("a foreign device", alice, Io.READ, manual.vba, buffer,
                            (Cause.DEVICE_MISMATCH, deny, 1), self.foreign)
        unmapped = buffer + BUFFER_PAGES * PAGE
        await self._attempt("a buffer that is not mapped", alice, Io.READ, manual.vba, unmapped,
                            (Cause.NOT_PRESENT, deny, 0))
        await self._read_only_buffer(manual)
        await self._lazy_buffer(manual)
        await self._hole(buffer)
        await alice.close(manual)
        await self._attempt("after close", alice, Io.READ, manual.vba, buffer, absent)
        _require(process.read(buffer, BUFFER_PAGES * PAGE) == b"\xA5" * (BUFFER_PAGES * PAGE),
                 "a refused command wrote into the buffer")
        await self.kernel.unmap_buffer(process, buffer)

    async def _read_only_buffer(self, opened):
        vaddr = self.kernel.map_buffer(self.alice.process, PAGE, writable=False)
        await self._attempt("a buffer that devices may only read", self.alice, Io.READ, opened.vba,
                            vaddr, (Cause.WRITE_DENIED, Disposition.DENY, 0))
        try:
            await self.alice.pread_into(opened, vaddr, PAGE, 0)
            raise DemoFailed("the library read into a buffer that devices may not write")
        except AccessDenied:
            pass

    async def _lazy_buffer(self, opened):
        """Not mapped yet: the disposition asks for the mapping, and the library gets it."""
        vaddr = self.kernel.map_buffer(self.alice.process, PAGE, lazy=True)
        await self._attempt("a buffer that is mapped on demand", self.alice, Io.READ, opened.vba,
                            vaddr, (Cause.NOT_PRESENT, Disposition.REMAP, 0))
        remapped = self.alice.remapped
        await self.alice.pread_into(opened, vaddr, PAGE, 0)
        _require(self.alice.remapped == remapped + 1 and self.alice.process.read(vaddr, PAGE) ==
                 self.files["/shared/manual.txt"].source.read_bytes()[:PAGE],
                 "the library did not get its buffer mapped on demand")

    async def _hole(self, buffer):
        """Not mapped, and the kernel knows why: the library reads zeros through it."""
        sparse = await self.alice.open("/shared/sparse.img")
        hole = 2 << 20
        await self._attempt("into a hole", self.alice, Io.READ, sparse.vba + hole, buffer,
                            (Cause.NOT_PRESENT, Disposition.OS, 1))
        through_kernel = self.alice.through_kernel
        data = await self.alice.pread(sparse, PAGE, hole)
        _require(data == bytes(PAGE) and self.alice.through_kernel == through_kernel + 1,
                 "a hole does not read as zeros through the kernel")
        await self.alice.close(sparse)

    # -- act 4: what it costs ------------------------------------------------------------------

    async def measure(self, reads=64, depths=(1, 16)):
        """Reads of 4 KiB at random places: with the SIOMMU, and on the same SSD without."""
        opened = await self.alice.open("/home/alice/library.tar")
        process = self.alice.process
        buffer = self.kernel.map_buffer(process, max(depths) * PAGE)
        queue = await self.kernel.queue(process, self.ssd)
        frames = process.find(buffer, PAGE).frames
        bare = await self._bare()
        rng = random.Random(self.world.seed)
        pages = rng.choices(sorted(opened.shared.blocks), k=reads)
        for depth in depths:
            before = await self.world.count()
            guarded = await self._timed(queue, depth, [
                (opened.vba + page * PAGE, buffer + index % depth * PAGE)
                for index, page in enumerate(pages)])
            after = await self.world.count()
            plain = await self._timed(bare, depth, [
                (opened.shared.blocks[page] * PAGE, frames[index % depth])
                for index, page in enumerate(pages)])
            counted = [after[name] - before[name] if name in after else "-"
                       for name in ("requests", "tlb_hits", "walks")]
            self.speed_rows.append((depth, reads, *counted, f"{plain:.1f}", f"{guarded:.1f}",
                                    f"{guarded - plain:.1f}"))
        await self.alice.close(opened)

    async def _bare(self):
        """The same SSD without a SIOMMU: its addresses are physical, nobody is asked."""
        media = Media(self.world.latency)
        media.add_namespace(self.disk)
        self.bare_media = media
        driver = Driver(self.world.scheduler, self.world.memory, Controller(
            self.world.scheduler, self.world.memory, media, PassThrough(), BARE_DEVICE))
        await driver.start()
        return await driver.create_queue(direct=True)

    async def _timed(self, queue, depth, reads):
        """Cycles per read when ``depth`` of them are always on their way."""
        scheduler = self.world.scheduler
        todo = list(reversed(reads))

        async def worker():
            while todo:
                block, addr = todo.pop()
                slba = block // PAGE
                completion = await queue.submit(Command(
                    Io.READ, nsid=1, prp1=addr, cdw10=slba & 0xFFFFFFFF, cdw11=slba >> 32))
                _require(completion.ok, f"a measured read ends with {completion.status:#05x}")
        start = scheduler.now
        for task in [scheduler.start(worker()) for _ in range(depth)]:
            await task
        return (scheduler.now - start) / len(reads)

    def report(self, counters):
        """The lines of the final tables."""
        lines = _table("Files read through the SIOMMU (SHA-256 compared with the originals)",
                       ("file", "bytes", "extents", "uid", "mode", "read by", "by kernel",
                        "cycles", "sha256", "check"), self.file_rows)
        lines += _table("Attempts that must fail",
                        ("attempt", "process", "access", "refused", "cause", "disposition",
                         "image and memory"), self.denied_rows)
        lines += _table("Cycles per 4 KiB read, at random places",
                        ("in flight", "reads", "requests", "TLB hits", "walks", "without SIOMMU",
                         "with SIOMMU", "difference"), self.speed_rows)
        if counters:
            lines += _table("Counters of the whole run", ("counter", "value"),
                            list(counters.items()))
        return lines

    def close(self):
        """Lets go of the image."""
        for media in (getattr(self, name, None) for name in ("media", "bare_media")):
            if media is not None:
                media.close()


async def run_demo(world):
    """Runs the whole demo in ``world`` and prints its tables.

    Returns
    -------
    dict
        ``files``, ``denied`` and ``speed``: the rows of the tables; ``counters``.

    Raises
    ------
    DemoFailed
        Something that must hold does not; the sentence says what.
    """
    out = world.out
    out("making an ext4 image from real files (e2fsprogs)")
    image, files = make_image(world.folder)
    with open(image.path, "r+b") as handle, mmap.mmap(handle.fileno(), 0) as disk:
        demo = Demo(world, image, files, disk)
        try:
            out(f"starting two SSDs, one with the image ({len(disk) >> 10} KiB), and two users")
            await demo.start()
            out(f"reading {len(files)} files directly")
            await demo.read_everything()
            out("writing what may be written; then e2fsck")
            await demo.write_allowed()
            out("trying what must fail")
            await demo.denied()
            out("measuring")
            await demo.measure()
            counters = await world.count()
            disk.flush()
        finally:
            demo.close()
    image.check()
    for line in demo.report(counters):
        out(line)
    out("")
    out("e2fsck -fn: the file system is clean")
    return {"files": demo.file_rows, "denied": demo.denied_rows, "speed": demo.speed_rows,
            "counters": counters}


def golden_world(folder, out=print, seed=0):
    """A world in pure Python, with the golden model as the core (which takes no time)."""
    scheduler, memory = Scheduler(), Memory(seed=seed)
    model = GoldenModel(memory)
    translators = [GoldenTranslator(model), GoldenTranslator(model)]
    return World(scheduler, memory, translators, GoldenControl(model), Path(folder),
                 counters=lambda: {"requests": sum(item.requests for item in translators)},
                 out=out, seed=seed)


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sim.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--golden", action="store_true", required=True,
                        help="use the golden model as the core (the RTL runs with `make demo`)")
    parser.add_argument("--folder", type=Path, help="keep files and image there "
                                                    "(default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=0, help="replays a run (default: 0)")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}")
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            world = golden_world(folder, seed=options.seed)
            world.scheduler.run(run_demo(world))
    except (DemoFailed, Ext4Error, MissingTools) as error:
        print(f"the demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
