"""The user library: pread and pwrite straight to the SSD, without the kernel where possible.

A command that the SIOMMU refuses says what to do (§5, disposition): DENY raises ``AccessDenied``;
OS hands that part of the transfer to the kernel; REMAP waits for the kernel's fault handler, which
has got a record of the fault and maps the buffer, and sends the command again. CORE_OFF is no
verdict on the access: the kernel is just emptying the core's caches, so the command is sent again
a little later.
"""

from errno import EACCES, EIO

from siommu.arch.formats import Cause, Disposition

from ..device.nvme.defs import PAGE, Command, Io, read_fault
from ..device.nvme.driver import prp_pages

__all__ = ["AccessDenied", "UserLibrary"]

CHUNK_BYTES = 1 << 20                   #: of one command; its PRP list fits one page
SMALL_BYTES = 1 << 16                   #: not cut further to find what can go directly
RETRIES = 200
BACKOFF = 50                            #: cycles


def _size_class(length):
    """Mapping and unmapping costs an invalidation, so buffers are kept, in powers of two."""
    return max(PAGE, 1 << (length - 1).bit_length())


class AccessDenied(PermissionError):
    """The SIOMMU refused, and nothing can be done.

    Attributes: ``cause`` (Cause), ``disposition`` (Disposition), ``ft`` (1: the blocks, 0: the
    memory).
    """

    def __init__(self, cause, disposition, ft):
        self.cause = Cause(cause)
        self.disposition = Disposition(disposition)
        self.ft = ft
        super().__init__(EACCES, f"the SIOMMU refused the {'blocks' if ft else 'memory'}: "
                                 f"{self.cause.name}, {self.disposition.name}")


class UserLibrary:
    """Direct file access for one process.

    Parameters
    ----------
    kernel : Kernel
        For what needs the kernel.
    process : Process

    Attributes
    ----------
    direct, through_kernel, remapped : int
        Commands that succeeded directly, parts done by the kernel, buffers mapped on request.
    """

    def __init__(self, kernel, process):
        self.kernel = kernel
        self.process = process
        self.direct = 0
        self.through_kernel = 0
        self.remapped = 0
        self._lists = []                # free pages for PRP lists
        self._buffers = {}              # size class -> free buffers, which stay mapped

    # -- files ---------------------------------------------------------------------------------

    async def open(self, path, mode="r", ssd=None, prefetch=False):
        """Opens a file; returns its ``OpenFile``. ``prefetch``: see ``Kernel.open``."""
        return await self.kernel.open(self.process, path, mode, ssd, prefetch)

    async def close(self, opened):
        """Closes a file."""
        await self.kernel.close(self.process, opened.fd)

    async def pread(self, opened, length, offset):
        """Up to ``length`` bytes from ``offset``, fewer at the end of the file."""
        length = max(0, min(length, opened.shared.size - offset))
        if not length:
            return b""
        start, span = self._span(opened, offset, length)
        buffer = self._take_buffer(span)
        try:
            await self._transfer(opened, Io.READ, buffer, span, start)
            return self.process.read(buffer + offset - start, length)
        finally:
            self._buffers.setdefault(_size_class(span), []).append(buffer)

    async def pread_into(self, opened, vaddr, length, offset):
        """Reads into a buffer of the process without a copy; returns the bytes read.

        Raises
        ------
        ValueError
            ``offset`` or ``length`` is not a multiple of the SSD's LBA size, or ``vaddr`` not of 4.
        """
        self._check_aligned(opened, vaddr, length, offset)
        size = opened.shared.size
        if offset >= size:
            return 0
        lba = opened.shared.ssd.lba_bytes
        await self._transfer(opened, Io.READ, vaddr, min(length, -(-(size - offset) // lba) * lba),
                             offset)
        return min(length, size - offset)

    async def pwrite(self, opened, data, offset):
        """Writes ``data`` at ``offset``; returns its length. The kernel extends the file."""
        if not data:
            return 0
        start, span = self._span(opened, offset, len(data))
        buffer = self._take_buffer(span)
        try:
            if offset + len(data) > opened.shared.size:
                self.process.write(buffer, data)
                return await self._kernel_write(opened, buffer, len(data), offset)
            for edge in {0, span - opened.shared.ssd.lba_bytes}:
                if edge < offset - start or edge + opened.shared.ssd.lba_bytes > \
                        offset - start + len(data):
                    await self._transfer(opened, Io.READ, buffer + edge,
                                         opened.shared.ssd.lba_bytes, start + edge)
            self.process.write(buffer + offset - start, data)
            await self._transfer(opened, Io.WRITE, buffer, span, start)
            return len(data)
        finally:
            self._buffers.setdefault(_size_class(span), []).append(buffer)

    async def pwrite_from(self, opened, vaddr, length, offset):
        """Writes from a buffer of the process without a copy; returns the bytes written.

        Raises
        ------
        ValueError
            As ``pread_into``.
        """
        self._check_aligned(opened, vaddr, length, offset)
        if offset + length > opened.shared.size:
            return await self._kernel_write(opened, vaddr, length, offset)
        await self._transfer(opened, Io.WRITE, vaddr, length, offset)
        return length

    async def flush(self, opened):
        """Waits until what was written is durable."""
        queue = await self.kernel.queue(self.process, opened.shared.ssd)
        completion = await queue.submit(Command(Io.FLUSH, nsid=opened.shared.ssd.nsid))
        if not completion.ok:
            raise OSError(EIO, f"flush failed with status {completion.status:#05x}")

    # -- one transfer --------------------------------------------------------------------------

    def _span(self, opened, offset, length):
        lba = opened.shared.ssd.lba_bytes
        start = offset // lba * lba
        return start, -(-(offset + length) // lba) * lba - start

    @staticmethod
    def _check_aligned(opened, vaddr, length, offset):
        lba = opened.shared.ssd.lba_bytes
        if offset % lba or length % lba or vaddr % 4 or length <= 0:
            raise ValueError(f"offset {offset} and length {length} must be multiples of {lba}, "
                             f"the address {vaddr:#x} of 4")

    async def _kernel_write(self, opened, vaddr, length, offset):
        self.through_kernel += 1
        return await self.kernel.pwrite(self.process, opened.fd, vaddr, length, offset)

    async def _transfer(self, opened, opcode, vaddr, length, offset):
        # The chunks are independent: all of them are in the SSD's queue at once.
        tasks = []
        while length:
            part = min(length, CHUNK_BYTES, opened.shared.ssd.driver.max_transfer)
            tasks.append(self.kernel.scheduler.start(
                self._settle(opened, opcode, vaddr, part, offset)))
            vaddr, offset, length = vaddr + part, offset + part, length - part
        errors = [error for error in [await task for task in tasks] if error is not None]
        if errors:
            raise errors[0]

    async def _settle(self, opened, opcode, vaddr, length, offset):
        """One chunk, followed through its faults. Returns the exception it ends with, if any."""
        for _ in range(RETRIES):
            remaps = self.process.remaps
            try:
                completion = await self.command(opened.shared.ssd, opcode, opened.vba + offset,
                                                vaddr, length)
                if completion.ok:
                    self.direct += 1
                    return None
                fault = read_fault(completion)
                if fault is None:
                    return OSError(EIO, f"the SSD answers with status {completion.status:#05x}")
                if not await self._again(fault, vaddr, length, remaps):
                    return await self._by_kernel(opened, opcode, vaddr, length, offset)
            except OSError as error:
                return error
        return OSError(EIO, f"no answer but faults after {RETRIES} attempts")

    async def _again(self, fault, vaddr, length, remaps):
        """Prepares what the fault asks for. Returns whether to send the command again; if not,
        the kernel has to do the transfer. ``remaps``: as it was when the command was sent."""
        cause, disposition, ft = fault
        if cause == Cause.CORE_OFF.value:
            await self.kernel.scheduler.delay(BACKOFF)
            return True
        if disposition == Disposition.REMAP.value and not ft:
            self.remapped += 1
            await self.kernel.wait_remap(self.process, vaddr, length, remaps)
            return True
        if disposition == Disposition.OS.value:
            return False
        raise AccessDenied(*fault)

    async def _by_kernel(self, opened, opcode, vaddr, length, offset):
        """The kernel's part of a chunk: the pieces that cannot go directly, and no others."""
        if length > SMALL_BYTES:
            half = -(-length // PAGE) // 2 * PAGE - offset % PAGE
            for part in ((vaddr, half, offset), (vaddr + half, length - half, offset + half)):
                error = await self._settle(opened, opcode, *part)
                if error is not None:
                    return error
            return None
        self.through_kernel += 1
        work = self.kernel.pread if opcode == Io.READ else self.kernel.pwrite
        # A transfer is cut at LBAs, the file is not: the rest is not to become part of it.
        length = min(length, opened.shared.size - offset)
        await work(self.process, opened.fd, vaddr, length, offset)
        return None

    async def command(self, ssd, opcode, vba, vaddr, length):
        """Sends one Read or Write as it is and returns its completion, whatever it says.

        ``vba`` and ``vaddr`` are virtual; the library uses this itself, and an application may
        too: the queue is its own.
        """
        queue = await self.kernel.queue(self.process, ssd)
        pages = prp_pages(vaddr, length)
        table = self._take_list() if len(pages) > 1 else None
        if table is not None:
            self.process.write(table, b"".join(page.to_bytes(8, "little") for page in pages))
        slba = vba // ssd.lba_bytes
        try:
            return await queue.submit(Command(
                opcode, nsid=ssd.nsid, prp1=vaddr, prp2=table or (pages[0] if pages else 0),
                cdw10=slba & 0xFFFFFFFF, cdw11=slba >> 32, cdw12=length // ssd.lba_bytes - 1))
        finally:
            if table is not None:
                self._lists.append(table)

    def _take_buffer(self, length):
        free = self._buffers.get(_size_class(length))
        return free.pop() if free else self.kernel.map_buffer(self.process, _size_class(length))

    def _take_list(self):
        if not self._lists:
            self._lists.append(self.kernel.map_buffer(self.process, PAGE, writable=False))
        return self._lists.pop()
