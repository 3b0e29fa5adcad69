"""What must fail in the demo: each attempt is refused, and leaves image and memory untouched."""

import hashlib

from siommu.formats import Cause, Disposition

from ..nvme.defs import PAGE, Io, read_fault
from ..userlib import AccessDenied
from .machine import DemoFailed, require

__all__ = ["Misuse"]

BUFFER_PAGES = 4


class Misuse:
    """The attempts, on ``machine``. ``rows`` are the lines of the table."""

    def __init__(self, machine):
        self.machine = machine
        self.kernel = machine.kernel
        self.alice, self.bob = machine.alice, machine.bob
        self.rows = []

    def _state(self):
        memory = self.machine.world.memory
        return (hashlib.sha256(self.machine.disk).digest(),
                {page: memory.read(page, PAGE) for page in memory.pages()})

    async def _attempt(self, what, library, opcode, vba, vaddr, expected, ssd=None):
        """Sends one command past all software and sees the SIOMMU refuse it.

        ``expected`` is (cause, disposition, FT). Image and memory stay as they are, but for the
        command and its completion in the two rings of the queue.
        """
        ssd = ssd or self.machine.ssd
        queue = await self.kernel.queue(library.process, ssd)
        disk, memory = self._state()
        completion = await library.command(ssd, opcode, vba, vaddr, PAGE)
        fault = read_fault(completion)
        require(fault is not None, f"{what}: the SIOMMU did not refuse; the status is "
                                   f"{completion.status:#05x}")
        cause, disposition, ft = Cause(fault[0]), Disposition(fault[1]), fault[2]
        require((cause, disposition, ft) == expected,
                f"{what}: refused with {cause.name}, {disposition.name}, FT = {ft}; "
                f"it must be {expected}")
        disk_after, memory_after = self._state()
        rings = {queue.sq, queue.cq}
        changed = {page for page in memory.keys() | memory_after.keys()
                   if memory.get(page) != memory_after.get(page)}
        require(disk_after == disk, f"{what}: the image has changed")
        require(changed <= rings, f"{what}: memory has changed")
        self.rows.append((what, library.process.name, "read" if opcode == Io.READ else "write",
                          "blocks" if ft else "memory", cause.name, disposition.name,
                          "untouched"))

    async def run(self):
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
                            (Cause.DEVICE_MISMATCH, deny, 1), self.machine.foreign)
        unmapped = buffer + BUFFER_PAGES * PAGE
        await self._attempt("a buffer that is not mapped", alice, Io.READ, manual.vba, unmapped,
                            (Cause.NOT_PRESENT, deny, 0))
        await self._read_only_buffer(manual)
        await self._lazy_buffer(manual)
        await self._hole(buffer)
        await alice.close(manual)
        await self._attempt("after close", alice, Io.READ, manual.vba, buffer, absent)
        require(process.read(buffer, BUFFER_PAGES * PAGE) == b"\xA5" * (BUFFER_PAGES * PAGE),
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
        require(self.alice.remapped == remapped + 1 and self.alice.process.read(vaddr, PAGE) ==
                self.machine.files["/shared/manual.txt"].source.read_bytes()[:PAGE],
                "the library did not get its buffer mapped on demand")

    async def _hole(self, buffer):
        """Not mapped, and the kernel knows why: the library reads zeros through it."""
        sparse = await self.alice.open("/shared/sparse.img")
        hole = 2 << 20
        await self._attempt("into a hole", self.alice, Io.READ, sparse.vba + hole, buffer,
                            (Cause.NOT_PRESENT, Disposition.OS, 1))
        through_kernel = self.alice.through_kernel
        data = await self.alice.pread(sparse, PAGE, hole)
        require(data == bytes(PAGE) and self.alice.through_kernel == through_kernel + 1,
                "a hole does not read as zeros through the kernel")
        await self.alice.close(sparse)
