"""The kernel: devices, processes, buffers, open and close, and transfers that need it.

It answers the SIOMMU's questions in advance, by writing tables. Rights are given by a store to
the tables. They are taken away in three steps, and only then is memory or a block used anew:
change the tables, invalidate what the core may have cached of them and wait for a fence, and drain
the SSDs, so that no transfer granted before is still moving.
"""

from dataclasses import dataclass
from errno import EACCES, EBADF, EFAULT, ENODEV

from ...device.nvme.defs import PAGE
from ...device.nvme.driver import Driver, QueuePair
from ...tables import DeviceDirectory, PasidDirectory
from ..control import CommandQueueError, inval_context, inval_tlb
from ..control import prefetch as prefetch_commands
from .faults import FaultHandler
from .files import MODES, OpenFile, SharedFile, check_permission
from .process import Process
from .transfer import KernelTransfer

__all__ = ["Kernel", "Ssd"]

VBA_BASE = 0x0100_0000_0000             #: where attached files begin in a storage table
REMAP_PATIENCE = 4000                   #: cycles to wait for the fault handler
POLL = 8
PREFETCH_PAGES = 256                    #: of a file, at open


@dataclass(eq=False)
class Ssd:
    """An SSD that the kernel drives. ``start`` is its file system's first byte in the device."""

    controller: object
    devid: int
    driver: Driver
    queue: QueuePair
    filesystem: object
    nsid: int
    start: int
    lba_bytes: int


class Kernel:
    """The operating system's part.

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
    control : RegisterControl
        The driver of the core.
    levels : int
        Levels of the page tables, 4 or 5.
    ddt_log2 : int
        Size of the device directory.
    pasid_levels : int
        Levels of the PASID directory.

    Attributes
    ----------
    faults : FaultHandler
        Works once ``start`` has returned.
    blunt_revocations, own_remaps : int
        How often revoking took the blunt way, because the command queue was in error; how often
        memory was mapped without a record having asked for it, because it was lost.
    """

    def __init__(self, scheduler, memory, control, *, levels=4, ddt_log2=16, pasid_levels=1):
        self.scheduler = scheduler
        self.memory = memory
        self.control = control
        self.levels = levels
        self.devices = DeviceDirectory(memory, ddt_log2)
        self.pasids = PasidDirectory(memory, pasid_levels)
        self.ssds = []
        self.processes = {}             # pasid -> Process
        self._files = {}                # (ssd, inode number) -> SharedFile
        self._next_pasid = 1
        self._next_vba = VBA_BASE
        self.faults = FaultHandler(self, control.faults)
        self.blunt_revocations = self.own_remaps = 0
        self._transfer = KernelTransfer(memory)

    async def start(self):
        """Switches the core to translation, with the (empty) device directory; faults are handled
        from then on."""
        await self.control.enable(self.devices.base, self.devices.log2)
        self.scheduler.start(self.faults.run())

    async def add_ssd(self, controller, devid, filesystem=None, nsid=1, entries=64, poll=8):
        """Brings an SSD up, gives it a kernel queue and a device directory entry.

        ``filesystem`` (``sim.device.ext4.Ext4Image``) is what is on namespace ``nsid``; ``devid``
        the device number of its file table entries.
        """
        driver = Driver(self.scheduler, self.memory, controller, entries, poll)
        await driver.start()
        if nsid not in driver.namespaces:
            raise OSError(ENODEV, f"the SSD has no namespace {nsid}")
        namespace = controller.media.namespaces[nsid]
        ssd = Ssd(controller, devid, driver, await driver.create_queue(), filesystem, nsid,
                  namespace.start, driver.namespaces[nsid][1])
        self.devices.set(controller.device, devid=devid, pasids=self.pasids)
        self.ssds.append(ssd)
        return ssd

    async def _revoke(self, processes, commands):
        """What was taken out of the tables of ``processes`` is unreachable once this returns.

        ``commands`` invalidate it. They name no device: any SSD may have used it.
        """
        try:
            await self.control.fence(*commands)
        except CommandQueueError:
            # A queue in error keeps no promise, but the blunt way does not need it.
            self.blunt_revocations += 1
            await self.control.empty_caches()
            await self.control.resume()
        # The core forgets, but a device may still be moving what it was granted before.
        for ssd in self.ssds:
            for process in processes:
                await ssd.driver.drain(process.pasid)

    # -- processes -----------------------------------------------------------------------------

    def spawn(self, name, uid, gids=()):
        """A new process with empty tables."""
        process = Process(self.memory, name, self._next_pasid, uid, gids, self.levels)
        self._next_pasid += 1
        self.processes[process.pasid] = process
        self.pasids.set(process.pasid, mem=process.mem, sto=process.sto)
        return process

    async def queue(self, process, ssd):
        """The direct queue of ``process`` on ``ssd``, made when first asked for."""
        if ssd not in process.queues:
            process.queues[ssd] = None          # so that a second caller does not make another
            process.queues[ssd] = await ssd.driver.create_queue(process.pasid, direct=True)
        while process.queues[ssd] is None:
            await self.scheduler.delay(8)
        return process.queues[ssd]

    async def exit(self, process):
        """Ends a process: its queues, files, context, tables and memory."""
        for ssd, queue in list(process.queues.items()):
            del process.queues[ssd]
            await ssd.driver.delete_queue(queue)
        files = [(process, opened) for opened in process.files.values() if not opened.revoked]
        process.files.clear()
        await self._take_out(files)
        await self._settled(process)
        self.pasids.remove(process.pasid)
        # The context is gone, and all translations with it: no address is needed.
        await self._revoke([process], inval_context(pasid=process.pasid)
                           + inval_tlb(pasid=process.pasid))
        self._release(files)
        for buffer in list(process.buffers.values()):
            process.unmap_buffer(buffer)
            self.memory.free_all(buffer.frames)
        process.mem.destroy()
        process.sto.destroy()
        del self.processes[process.pasid]

    # -- memory --------------------------------------------------------------------------------

    def map_buffer(self, process, n_bytes, *, lazy=False, writable=True):
        """Gives a process memory that its devices may use; returns its virtual address.

        ``lazy``: the memory table gets it only when a device asks (disposition REMAP).
        ``writable=False``: devices may only read it.
        """
        return process.add_buffer(n_bytes, lazy, writable).vaddr

    async def unmap_buffer(self, process, vaddr):
        """Takes a buffer back; its pages are free again when this returns."""
        if vaddr not in process.buffers:
            raise OSError(EFAULT, f"{process.name} has no buffer that begins at {vaddr:#x}")
        buffer = process.buffers[vaddr]
        process.unmap_buffer(buffer)
        await self._revoke([process], inval_tlb(pasid=process.pasid, ft=0, addr=vaddr,
                                                pages=len(buffer.frames)))
        self.memory.free_all(buffer.frames)

    async def remap(self, process, vaddr, length):
        """Maps the pages of a lazy buffer that a device is about to use, without a fault.

        Raises
        ------
        OSError
            EFAULT: the process has no such memory.
        """
        buffer = process.find(vaddr, length)
        first = (vaddr - buffer.vaddr) // PAGE
        last = (vaddr + length - 1 - buffer.vaddr) // PAGE
        process.map_pages(buffer, range(first, last + 1))

    async def wait_remap(self, process, vaddr, length, since):
        """Returns once a device that was refused ``vaddr`` with REMAP may try again.

        ``since`` is what ``process.remaps`` was before the command was sent. The fault handler
        does the work. A record can be lost, though (a full ring, a quota, a quiet device), and
        then this call, which is the process's own, maps the range itself.

        Raises
        ------
        OSError
            EFAULT: the process has no such memory.
        """
        process.find(vaddr, length)
        for _ in range(REMAP_PATIENCE // POLL):
            if process.remaps != since:
                return
            await self.scheduler.delay(POLL)
        self.own_remaps += 1
        await self.remap(process, vaddr, length)

    # -- files ---------------------------------------------------------------------------------

    async def open(self, process, path, mode="r", ssd=None, prefetch=False):
        """Opens a file for direct access and returns an ``OpenFile`` (fd, virtual block address).

        Parameters
        ----------
        process : Process
        path : str
            Absolute path in the SSD's file system.
        mode : str
            ``"r"``, ``"w"`` or ``"rw"``.
        ssd : Ssd or None
            The first one with a file system by default.
        prefetch : bool
            Have the core read the translations of the file's first MiB in advance.

        Raises
        ------
        OSError
            ENOENT, EACCES, EISDIR, … as open() would.
        """
        if ssd is None:
            ssd = next((item for item in self.ssds if item.filesystem is not None), None)
        if ssd is None or ssd.filesystem is None:
            raise OSError(ENODEV, "there is no SSD with a file system")
        *directories, inode = ssd.filesystem.walk(path)
        check_permission(process, path, directories, inode, mode)
        await self.queue(process, ssd)
        key = ssd, inode.number
        if key not in self._files:
            self._files[key] = SharedFile(self.scheduler, self.memory, ssd, inode)
        shared = self._files[key]
        fd = min(set(range(3, len(process.files) + 4)) - set(process.files))
        vba = -(-self._next_vba // shared.span) * shared.span
        self._next_vba = vba + shared.span
        opened = OpenFile(fd, path, shared, vba, *MODES[mode])
        process.sto.attach(opened.vba, shared.table, read=opened.readable, write=opened.writable)
        process.files[fd] = opened
        shared.opens.append((process, opened))
        shared.attached += 1
        if prefetch and shared.size:
            await self._prefetch(process, opened)
        return opened

    async def _prefetch(self, process, opened):
        pages = min(PREFETCH_PAGES, -(-opened.shared.size // PAGE))
        try:
            await self.control.commands.submit(*prefetch_commands(
                opened.shared.ssd.controller.device, process.pasid, 1, opened.vba, pages))
        except CommandQueueError:
            pass                        # a hint; whoever revokes next will deal with the error

    def file(self, process, fd):
        """The ``OpenFile`` of ``fd``; OSError EBADF if there is none or it was revoked."""
        opened = process.files.get(fd)
        if opened is None or opened.revoked:
            raise OSError(EBADF, f"{process.name} has no open file {fd}")
        return opened

    async def close(self, process, fd):
        """Closes a file: nothing of it can be reached through ``fd`` once this returns."""
        opened = process.files.pop(fd, None)
        if opened is None:
            raise OSError(EBADF, f"{process.name} has no open file {fd}")
        if not opened.revoked:
            await self._detach([(process, opened)])

    async def revoke(self, path, ssd=None):
        """Takes a file away from every process that has it open (before truncation, say)."""
        ssd = ssd or next(item for item in self.ssds if item.filesystem is not None)
        shared = self._files.get((ssd, ssd.filesystem.walk(path)[-1].number))
        taken = [(process, opened) for process, opened in shared.opens if not opened.revoked] \
            if shared else []
        await self._detach(taken)

    async def _detach(self, files):
        """Takes (process, open file) pairs away, all with one fence."""
        await self._take_out(files)
        if files:
            await self._revoke({process for process, _ in files}, [
                command for process, opened in files for command in inval_tlb(
                    pasid=process.pasid, ft=1, addr=opened.vba,
                    pages=opened.shared.span // PAGE)])
        self._release(files)

    async def _take_out(self, files):
        """Takes (process, open file) pairs out of the tables. Devices may still reach them."""
        for process, opened in files:
            opened.revoked = True
            process.detaching += 1
        for process, opened in files:
            shared = opened.shared
            async with shared.lock:     # a write through the kernel ends first
                process.sto.detach(opened.vba, shared.table)
                shared.opens.remove((process, opened))
                if not shared.opens:
                    # Nobody may find it while it is taken down: a new open builds a new one.
                    del self._files[shared.ssd, shared.number]
            process.detaching -= 1

    def _release(self, files):
        """No device reaches the (process, open file) pairs any more: their tables may be freed."""
        for _, opened in files:
            # Other processes may be on their way here as well: the last one frees the table.
            opened.shared.attached -= 1
            if not opened.shared.attached:
                opened.shared.table.destroy()

    async def _settled(self, process):
        """Waits until nobody changes the storage table of ``process``, which may be freed then."""
        while process.detaching:
            await self.scheduler.delay(POLL)

    # -- transfers through the kernel ----------------------------------------------------------

    async def pread(self, process, fd, vaddr, length, offset):
        """Reads through the kernel queue into a process's memory; returns the bytes read."""
        opened = self.file(process, fd)
        if not opened.readable:
            raise OSError(EACCES, f"{opened.path} is not open for reading")
        length = max(0, min(length, opened.shared.size - offset))
        process.find(vaddr, length)
        if length:
            process.write(vaddr, await self._transfer.read(opened.shared, offset, length))
        return length

    async def pwrite(self, process, fd, vaddr, length, offset):
        """Writes through the kernel: fills holes, extends the file; returns the bytes written."""
        opened = self.file(process, fd)
        data = process.read(vaddr, length)
        async with opened.shared.lock:
            return await self._transfer.write(opened, offset, data)

    async def append(self, process, fd, vaddr, length):
        """Writes at the end of the file, extends its mapping, returns the offset written at."""
        opened = self.file(process, fd)
        data = process.read(vaddr, length)
        async with opened.shared.lock:
            offset = opened.shared.size
            await self._transfer.write(opened, offset, data)
        return offset
