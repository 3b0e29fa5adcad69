"""Both PCI functions without QEMU: guest memory in a file, tables in it, and the Verilated core."""

import os

from sim.device.nvme import Controller, Latency, Media
from sim.device.nvme.direct import DirectQueues
from sim.model.golden import Access
from sim.qemu.guest_memory import GuestMemory
from sim.qemu.live_core import LiveCore, PortTranslator
from sim.qemu.protocol import Section
from sim.qemu.siommu_function import SiommuFunction
from sim.qemu.ssd_function import SsdFunction
from sim.tables import DeviceDirectory, FileTable, PageTable, PasidDirectory
from sim.time.scheduler import Scheduler
from sim.verilated.journal import JournalCore

__all__ = ["Rig", "read_of"]

PAGE = 4096
MEMORY = 16 << 20
DEVICE, DEVID, PASID = 0x10, 5, 77
VA, VBA = 0x7F00_0000_0000, 0x0100_0000_0000
CTRL, STATUS, CQ_HEAD, CQ_TAIL, CQ_STATUS, PORT_ENABLE = 0x10, 0x14, 0x34, 0x38, 0x40, 0x68
COMMAND_RING, FENCE_WORD = 0x10_0000, 0x10_2000


class Arena(GuestMemory):
    """Guest memory with an allocator, so that the builders of tables write into it."""

    def __init__(self, changed):
        super().__init__(changed)
        self._next = 0x20_0000

    def alloc_pages(self, n=1, contiguous=True, *, align=1):
        addr, self._next = self._next, self._next + n * PAGE
        self.write(addr, bytes(n * PAGE))
        return addr

    def free(self, addr, n=1):
        pass

    def write_u64(self, addr, value):
        self.write(addr, value.to_bytes(8, "little"))


class Rig:
    """Both functions; PASID may read VA's page and the first blocks of the SSD."""

    def __init__(self, library):
        self.scheduler, self.sent = Scheduler(), []
        self.core = JournalCore(library)
        self.memory = Arena(self.core.map)
        self.file = os.memfd_create("ram")
        os.ftruncate(self.file, MEMORY)
        self.memory.update([Section(0, MEMORY, 0, os.dup(self.file))])
        self.live = LiveCore(self.core, self.memory, self.scheduler)
        self.siommu = SiommuFunction(self.live, lambda *message: self.sent.append(message))
        self.disk = bytearray(os.urandom(1 << 20))
        self.media = Media(Latency(read=100, write=100, transfer=10, command=5))
        self.media.add_namespace(self.disk)
        self.controller = Controller(self.scheduler, self.memory, self.media,
                                     PortTranslator(self.live, 0), DEVICE)
        self.direct = DirectQueues(self.controller)
        self.ssd = SsdFunction(self.controller, self.direct,
                               lambda *message: self.sent.append(message))
        self._tables()

    def _tables(self):
        memory = self.memory
        self.table, self.blocks = PageTable(memory, 4), PageTable(memory, 4)
        self.frame = memory.alloc_pages()
        self.table.map(VA, self.frame)
        file = FileTable(memory, devid=DEVID)
        file.map(0, 0, 64)
        self.blocks.attach(VBA, file)
        pasids = PasidDirectory(memory, 1)
        pasids.set(PASID, mem=self.table, sto=self.blocks)
        directory = DeviceDirectory(memory, 8)
        directory.set(DEVICE, devid=DEVID, pasids=pasids, mem=True, sto=True)
        for offset, value in ((0x18, directory.base), (0x1C, 0), (0x20, 8), (0x28, COMMAND_RING),
                              (0x30, 4), (0x3C, 1), (CTRL, 1)):
            self.write(offset, value)

    def close(self):
        self.core.close()
        self.media.close()
        self.memory.close()
        os.close(self.file)

    def write(self, offset, value, size=4):
        self.siommu.bar_write(0, offset, size, value)

    def read(self, offset, size=4):
        return self.siommu.bar_read(0, offset, size)

    def pump(self, done=lambda: False):
        """Runs until ``done()``, or nothing is left to do."""
        for _ in range(10_000):
            self.scheduler.run_ready()
            cycles, due = self.live.run(256), self.scheduler.next_due
            self.siommu.look()
            if cycles:
                self.scheduler.advance(self.scheduler.now + cycles)
            elif due is not None and not done():
                self.scheduler.advance(due)
            else:
                return
        raise AssertionError("something is under way for ever")

    def ask(self, access):
        """The beats of ``access`` at port 0."""
        found = []

        async def task():
            found.extend(await self.live.translate(0, access))
        self.scheduler.start(task())
        self.pump()
        return found

    def command(self, *commands):
        """Puts commands (word 0, word 1) into the ring, a FENCE behind them."""
        tail = self.read(CQ_TAIL)
        for words in (*commands, (3 | 1 << 8 | 1 << 9 | 0xCAFE << 32, FENCE_WORD)):
            for index, word in enumerate(words):
                self.memory.write_u64(COMMAND_RING + 16 * tail + 8 * index, word)
            tail = (tail + 1) % 16
        self.write(CQ_TAIL, tail)


def read_of(addr=VA, **fields):
    return Access(**{**dict(ft=0, write=0, device=DEVICE, pasid=PASID, addr=addr, pages=0),
                     **fields})
