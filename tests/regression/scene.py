"""A small world for directed tests: devices with PASIDs, each with a memory and a storage table."""

from sim.memory import Memory
from sim.model.golden import Access
from sim.tables import DeviceDirectory, PageTable, PasidDirectory, RiscvTable
from siommu.arch.formats import Disposition, Mode, Size

__all__ = ["FarMemory", "Scene", "Space", "anywhere", "ask", "ask_all"]


class FarMemory(Memory):
    """A main memory that hands out pages anywhere in 2^52 bytes.

    Parameters
    ----------
    rng : random.Random
    """

    def __init__(self, rng):
        super().__init__(0, 1 << 52)
        self._where = rng

    def alloc_pages(self, n=1, contiguous=True, *, align=1):
        """As in ``Memory``."""
        if contiguous:
            self._next = self._where.randrange(self.size // 4096 // align - n) * align * 4096
        return super().alloc_pages(n, contiguous, align=align)


class Space:
    """One address space: the tables of a device's PASID, and requests to it.

    Attributes
    ----------
    device, pasid, devid, levels : int
    pasids : PasidDirectory
    tables : list of PageTable
        By FT: memory, storage.
    """

    def __init__(self, scene, device, pasid, devid, levels, pdt_levels, deny, riscv):
        self.scene = scene
        self.device, self.pasid, self.devid, self.levels = device, pasid, devid, levels
        memory = scene.tb.memory
        self.pasids = PasidDirectory(memory, pdt_levels)
        self.tables = [RiscvTable(memory, riscv), PageTable(memory, 4)] if riscv else \
            [PageTable(memory, levels), PageTable(memory, levels)]
        self.pasids.set(pasid, mem=self.tables[0], sto=self.tables[1],
                        mem_deny=deny[0], sto_deny=deny[1])
        scene.directory.set(device, devid=devid, pasids=self.pasids)

    def map(self, ft, vaddr, n_pages=1, *, size=Size.PAGE_4K, paddr=None, devid=None, **rights):
        """Maps pages for ``ft``, to fresh contiguous physical pages or from ``paddr`` on."""
        if paddr is None:
            paddr = self.scene.fresh(n_pages, size)
        if ft and devid is None:
            devid = self.devid
        self.tables[ft].map(vaddr, paddr, n_pages, size=size, devid=devid if ft else None, **rights)
        self.scene.tb.forget()
        return paddr

    def edit(self, ft, vaddr, level, **fields):
        """Changes fields of the entry of ``vaddr`` at ``level``."""
        self.tables[ft].edit(vaddr, level, **fields)
        self.scene.tb.forget()

    def access(self, ft, write, addr, pages=1, **other):
        """A request for ``pages`` pages (counted from 1)."""
        fields = dict(ft=ft, write=write, device=self.device, pasid=self.pasid, addr=addr,
                      pages=pages - 1)
        return Access(**{**fields, **other})


class Scene:
    """A device directory and its spaces.

    Parameters
    ----------
    tb : Testbench
    log2 : int
        ``DDT_LOG2``.
    """

    def __init__(self, tb, log2=8):
        self.tb = tb
        self.directory = DeviceDirectory(tb.memory, log2)
        self._next = {size: base << 12 for size, base in
                      zip((0, 1, 2), (0x1_0000_0, 0x4_0000_00, 0x10_0000_00))}

    def fresh(self, n_pages, size=Size.PAGE_4K):
        """Physical address of ``n_pages`` contiguous pages of ``size`` that nobody else has."""
        step = 4096 << 9 * size.value
        addr = self._next[size.value]
        # A gap, so that what is mapped by two calls never happens to be contiguous.
        self._next[size.value] = addr + (n_pages + 1) * step
        return addr

    def space(self, device=5, pasid=3, *, devid=0x155, levels=4, pdt_levels=1,
              deny=(Disposition.OS, Disposition.REMAP), riscv=0):
        """A new ``Space``; its device must be new as well. ``riscv``: the levels of its memory
        table, which is a RISC-V one."""
        self.tb.forget()
        return Space(self, device, pasid, devid, levels, pdt_levels, deny, riscv)

    async def enable(self, mode=Mode.TRANSLATE, check_ad=0):
        """Lets the core use this directory."""
        await self.tb.enable(self.directory.base, self.directory.log2, mode, check_ad)


def anywhere(tb, device, scene):
    """A space of ``device``, of any process, and a page of it in any part of 64 bits."""
    levels = tb.rng.choice((4, 5))
    space = scene.space(device, tb.rng.getrandbits(20), levels=levels, pdt_levels=2)
    page = tb.rng.getrandbits(9 * levels - 1)
    return space, page ^ tb.rng.choice((0, (1 << 52) - 1))


async def ask(tb, *accesses):
    """Sends the accesses one after the other; returns the first beat of each."""
    beats = []
    for access in accesses:
        done = await tb.port(tb.rng.randrange(9)).request(access)
        beats.append(done.beats[0])
    return beats


async def ask_all(tb, accesses, rounds=3):
    """Sends the accesses in random orders on random ports."""
    for _ in range(rounds):
        accesses = tb.rng.sample(accesses, len(accesses))
        for access in accesses:
            tb.port(tb.rng.randrange(9)).send(access)
        await tb.drain()
