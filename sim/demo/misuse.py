"""What must fail in the demo: each attempt is refused, and leaves image and memory untouched."""

import hashlib

from siommu.arch.formats import Cause, Disposition

from ..device.nvme.defs import PAGE, Io, read_fault
from ..host.userlib import AccessDenied
from .machine import DemoFailed, require

__all__ = ["Misuse"]

BUFFER_PAGES = 4
PATIENCE = 500                          #: looks at the fault log for a record


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
        command and its completion in the two rings of the queue, the record of the fault, and,
        where the disposition asks for it, the entries of the memory that gets mapped.
        """
        ssd = ssd or self.machine.ssd
        queue = await self.kernel.queue(library.process, ssd)
        disk, memory = self._state()
        known = len(self.kernel.faults.log)
        completion = await library.command(ssd, opcode, vba, vaddr, PAGE)
        fault = read_fault(completion)
        require(fault is not None, f"{what}: the SIOMMU did not refuse; the status is "
                                   f"{completion.status:#05x}")
        cause, disposition, ft = Cause(fault[0]), Disposition(fault[1]), fault[2]
        require((cause, disposition, ft) == expected,
                f"{what}: refused with {cause.name}, {disposition.name}, FT = {ft}; "
                f"it must be {expected}")
        await self._recorded(what, known, library, opcode, vaddr if not ft else vba, expected, ssd)
        disk_after, memory_after = self._state()
        rings = {queue.sq, queue.cq} | self.machine.world.control.pages
        if disposition is Disposition.REMAP:
            rings.add(library.process.mem.entry_address(vaddr) // PAGE * PAGE)
        changed = {page for page in memory.keys() | memory_after.keys()
                   if memory.get(page) != memory_after.get(page)}
        require(disk_after == disk, f"{what}: the image has changed")
        require(changed <= rings, f"{what}: memory has changed")
        self.rows.append((what, library.process.name, "read" if opcode == Io.READ else "write",
                          "blocks" if ft else "memory", cause.name, disposition.name,
                          "untouched"))

    async def _recorded(self, what, known, library, opcode, addr, expected, ssd):
        """The operating system learns of the refusal, from the fault queue."""
        log = self.kernel.faults.log
        for _ in range(PATIENCE):
            for entry in list(log)[known:]:
                record = entry.record
                # An SSD reads blocks to write memory.
                write = int((opcode == Io.READ) != bool(expected[2]))
                if (record.cause, record.disposition, record.ft) == expected and \
                        (record.pasid, record.device, record.addr, record.write) == \
                        (library.process.pasid, ssd.controller.device, addr, write):
                    return
            await self.machine.world.scheduler.delay(10)
        raise DemoFailed(f"{what}: the fault queue has no record of it")

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
        """Not mapped yet: the disposition asks for the mapping, and the fault handler makes it."""
        library, kernel = self.alice, self.kernel
        vaddr = kernel.map_buffer(library.process, PAGE, lazy=True)
        since = library.process.remaps
        await self._attempt("a buffer that is mapped on demand", library, Io.READ, opened.vba,
                            vaddr, (Cause.NOT_PRESENT, Disposition.REMAP, 0))
        await kernel.wait_remap(library.process, vaddr, PAGE, since)
        completion = await library.command(self.machine.ssd, Io.READ, opened.vba, vaddr, PAGE)
        require(completion.ok, "the fault handler did not map a buffer on demand")
        vaddr = kernel.map_buffer(library.process, PAGE, lazy=True)
        remapped = library.remapped
        await library.pread_into(opened, vaddr, PAGE, 0)
        require(library.remapped == remapped + 1 and library.process.read(vaddr, PAGE) ==
                self.machine.files["/shared/manual.txt"].source.read_bytes()[:PAGE],
                "the library did not get its buffer mapped on demand")
        require(kernel.own_remaps == 0, "a buffer was mapped without a record having asked for it")

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
