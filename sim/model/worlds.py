"""Random worlds: tables, garbage among them, and requests that keep coming back to the same places.

Everything follows from one seed.
"""

import contextlib
import random

from siommu.arch.formats import Disposition, Size

from ..memory import BusError, Memory, MemoryFull
from ..tables import (
    DeviceDirectory,
    FileTable,
    PageTable,
    PasidDirectory,
    RiscvTable,
    TableError,
    span_bytes,
)
from .golden import Access

__all__ = ["World", "Traffic"]

PAGE = 4096
MAX_PFN = 1 << 40
ALL = (1 << 64) - 1


class World:
    """Tables in a memory of their own, or in a given one.

    Parameters
    ----------
    seed : int
    riscv : float
        How many of the memory tables are RISC-V ones.
    memory : Memory or None
        A small one of at least 16 pages, in which the world ends where it is full.

    Attributes
    ----------
    memory : Memory
    directory : DeviceDirectory
    check_ad : int
    devices, pasids : list of int
        Numbers worth asking for.
    areas : list of (space, ft, address, pages)
        Places worth asking for; ``space`` is (device, pasid).
    """

    def __init__(self, seed, riscv=.5, memory=None):
        self.rng = rng = random.Random(seed)
        self._riscv = riscv
        # Garbage points anywhere: half of the physical addresses have no memory behind them.
        self.memory = memory or Memory(size=1 << 28, seed=rng.random(),
                                       limit=rng.choice((None, 1 << 51, 1 << 40)))
        self.directory = DeviceDirectory(self.memory,
                                         rng.choice((2, 3, 4, 8) if memory else (2, 3, 4, 8, 16)))
        kept = memory and memory.alloc_pages(2)     # for the garbage
        self.check_ad = int(rng.random() < .35)
        self.areas, self._tables, self._files = [], [], []
        self._users = []            # (table, space, FT): whose table it is
        self.devices, self.pasids = [], []
        self._entries = []          # addresses of entries worth breaking
        for _ in range(rng.randint(1, 3)):
            self._in_room(self._file)
        for index in range(min(rng.randint(2, 6), 1 << self.directory.log2)):
            self._in_room(self._device, index)
        if memory:
            memory.free(kept, 2)
        self._garbage()
        # As much damage to a few entries would leave nothing to grant.
        for _ in range(rng.randint(0, 8 if memory else 60)):
            self.damage()
        for _ in range(rng.choice((0, 0, 1) if memory else (0, 0, 2, 6))):
            entry = rng.choice(self._entries)
            self.memory.poison(entry & -64, 64)

    # -- building ------------------------------------------------------------------------------

    @staticmethod
    def _in_room(build, *arguments):
        """Builds a part, or as much of it as there is room for."""
        with contextlib.suppress(MemoryFull):
            build(*arguments)

    def _chance(self, probability):
        return self.rng.random() < probability

    def _rights(self):
        return dict(read=self._chance(.85), write=self._chance(.7), user=self._chance(.97),
                    accessed=self._chance(.9), dirty=self._chance(.7))

    def _disposition(self):
        return self.rng.choice(list(Disposition))

    def _physical(self, step):
        """An aligned physical address, sometimes the highest there is."""
        top = (1 << 52) // step
        return step * (top - 8 - self.rng.randrange(4) if self._chance(.1)
                       else self.rng.randrange(top - 64))

    def _file(self):
        table = FileTable(self.memory, devid=self.rng.choice((0, 1, 1023)),
                          reserve=self.rng.randint(1, 3))
        for chunk in range(table.reserve):
            kind = self.rng.random()
            if kind < .2:
                table.map_large(512 * chunk, self._physical(span_bytes(2)))
            elif kind < .9:
                page = 512 * chunk + (0 if chunk else self.rng.randrange(400))
                while page < 512 * (chunk + 1) and self._chance(.95):
                    count = min(self.rng.choice((1, 2, 7, 40, 120)), 512 * (chunk + 1) - page)
                    if self._chance(.8):
                        table.map(page, self._physical(PAGE << 7), count)
                    elif self._chance(.5):
                        table.set_disposition(page, count, self._disposition())
                    page += count
        self._files.append(table)

    def _device(self, index):
        rng, top = self.rng, (1 << self.directory.log2) - 1
        device = rng.choice([d for d in {index, top - index, rng.randint(0, top)}
                             if d not in self.devices] or [None])
        if device is None:
            return
        pasids = PasidDirectory(self.memory, rng.choice((0, 1, 1, 2)))
        reach = (7, 16, 20)[pasids.levels]
        self.devices.append(device)
        for _ in range(rng.randint(1, 3)):
            pasid = rng.choice((0, 1, (1 << reach) - 1, rng.getrandbits(reach)))
            self._in_room(self._space, device, pasids, pasid)
        self.directory.set(device, devid=rng.choice((0, 1, 1, 1023)), pasids=pasids,
                           mem=self._chance(.9), sto=self._chance(.9),
                           mem_bypass=self._chance(.12), sto_bypass=self._chance(.12),
                           quiet=self._chance(.5))
        self._entries.append(self.directory.entry_address(device))
        self._entries.append(self.directory.entry_address(device) + 8)

    def _space(self, device, pasids, pasid):
        tables = []
        for ft in (0, 1):
            kind = self.rng.random()
            if kind < .1:
                tables.append(None)
            elif kind < .35 and self._of_ft(ft):    # a table that another space has as well
                tables.append(self.rng.choice(self._of_ft(ft)))
            elif kind < .5 and ft and tables[0] in self._of_ft(ft):     # one table for both
                tables.append(tables[0])
            else:
                tables.append(RiscvTable(self.memory, self.rng.randint(3, 5))
                              if not ft and self._chance(self._riscv)
                              else PageTable(self.memory, self.rng.choice((4, 4, 5))))
                self._tables.append(tables[-1])
        pasids.set(pasid, mem=tables[0], sto=tables[1], mem_deny=self._disposition(),
                   sto_deny=self._disposition(),
                   mem_absent=self._disposition() if self._chance(.4) else 0)
        if pasid not in self.pasids:
            self.pasids.append(pasid)
        context = pasids.context_address(pasid)
        self._entries += [context + 8 * index for index in range(4)]
        self._entries += [pasids.entry_address(pasid, level)
                          for level in range(1, pasids.levels + 1)]
        self._users += [(table, (device, pasid), ft) for ft, table in enumerate(tables) if table]
        for ft, table in enumerate(tables):
            for _ in range(self.rng.randint(2, 5) if table else 0):
                self._area((device, pasid), ft, table)

    def _of_ft(self, ft):
        """The tables that may be those of ``ft``."""
        return [table for table in self._tables if not (ft and table.mem_fmt)]

    def _place(self, table, alignment):
        """A canonical address aligned to ``alignment``, often at an edge."""
        top = 9 * table.levels + 11
        places = (0, (1 << top) - 4 * alignment, (1 << 64) - (1 << top), (1 << 64) - alignment,
                  0x7F00_0000_0000, self.rng.getrandbits(top),
                  (1 << 64) - 1 - self.rng.getrandbits(top))
        return self.rng.choice(places) // alignment * alignment

    def _area(self, space, ft, table):
        rng = self.rng
        size = rng.choice((Size.PAGE_4K,) * 4 + (Size.PAGE_2M, Size.PAGE_1G))
        if table.mem_fmt and self._chance(.25):     # of any level
            size = rng.choice(table.leaf_levels) - 1
        step = span_bytes(getattr(size, "value", size) + 1)
        try:
            if ft and self._chance(.5):
                file = rng.choice(self._files)
                vaddr = self._place(table, span_bytes(2))
                table.attach(vaddr, file, read=self._chance(.8), write=self._chance(.6))
                pages = 512 * file.reserve
            else:
                vaddr = self._place(table, step)
                pages = self._leaves(ft, table, vaddr, size, step)
        except (TableError, MemoryFull):
            return                                  # something is there already
        self.areas.append((space, ft, vaddr, pages))
        for _ in range(4):
            self._note_entries(table, vaddr + PAGE * rng.randrange(pages))

    def _leaves(self, ft, table, vaddr, size, step):
        """Maps leaves one after the other, contiguous ones among them; returns 4 KiB pages."""
        rng = self.rng
        if table.mem_fmt:
            return self._riscv_leaves(table, vaddr, size, step)
        devid = rng.choice((0, 1, 1, 1023)) if ft or self._chance(.05) else None
        first, count = vaddr, 0
        while count < (40 if size is Size.PAGE_4K else 3) and self._chance(.93):
            run = rng.randint(1, 16) if size is Size.PAGE_4K else rng.randint(1, 2)
            if self._chance(.85):
                table.map(vaddr & ALL, self._physical(step * 16), run, size=size, devid=devid,
                          **self._rights())
            elif size is Size.PAGE_4K and self._chance(.5):
                table.set_disposition(vaddr & ALL, run, self._disposition())
            vaddr += run * step
            count += run
            if vaddr >= 1 << 64:
                break
        if self._chance(.3) and vaddr < 1 << 64:    # small pages right behind large ones
            table.map(vaddr, self._physical(PAGE), 1, devid=devid, **self._rights())
        return max(1, (vaddr - first) // PAGE)

    def _riscv_leaves(self, table, vaddr, size, step):
        """The same of a RISC-V table: NAPOT pages among those of 4 KiB, rights of every kind."""
        rng, small = self.rng, step == PAGE
        if small and self._chance(.5):
            vaddr &= -(PAGE << 4)
        first, count = vaddr, 0
        while count < (60 if small else 3) and self._chance(.93):
            run = rng.choice((1, 2, 7, 16, 16, 35)) if small else rng.randint(1, 2)
            if self._chance(.85):
                paddr = self._physical(step << 4) if step < 1 << 40 else step * rng.randrange(12)
                if small and self._chance(.7):      # as far from 64 KiB as the address
                    paddr |= vaddr & 0xF000
                table.map(vaddr & ALL, paddr, run, size=size, napot=self._chance(.7),
                          execute=self._chance(.3), **self._rights())
            elif small and self._chance(.5):
                table.set_disposition(vaddr & ALL, run, self._disposition())
            vaddr += run * step
            count += run
            if vaddr >= 1 << 64:
                break
        return max(1, (vaddr - first) // PAGE)

    def _note_entries(self, table, vaddr):
        for level in range(1, table.levels + 1):
            try:
                entry = table.entry_address(vaddr & ALL, level)
            except TableError:
                continue
            if entry is not None:
                self._entries.append(entry)

    def _garbage(self):
        """Pages of random entries, many of which point to tables, hooked in at random."""
        rng = self.rng
        pages = []
        for _ in range(rng.randint(1, 4)):
            self._in_room(lambda: pages.append(self.memory.alloc_pages()))
        targets = pages + [table.root for table in self._tables]
        for index, page in enumerate(pages):
            word = self._riscv_noise if index and self._chance(.5) else self._noise
            self.memory.write(page, b"".join(word(targets).to_bytes(8, "little")
                                             for _ in range(512)))
        for table in self._tables:
            if self._chance(.4):
                entry = table.root + 8 * rng.randrange(512)
                if not self.memory.read_u64(entry) & 1:
                    page = rng.choice(pages)
                    self.memory.write_u64(entry, page >> 2 | 1 if table.mem_fmt else page | 0x27)
                    index = (entry - table.root) // 8
                    shift = 12 + 9 * (table.levels - 1)
                    addr = index << shift
                    if index >> 8:                  # the upper half is negative
                        addr |= ALL << shift + 9 & ALL
                    space, ft = rng.choice([(space, ft) for user, space, ft in self._users
                                            if user is table])
                    self.areas.append((space, ft, addr | rng.getrandbits(shift) & -PAGE, 8))

    def _noise(self, targets):
        """An entry of a page of garbage."""
        word = self.rng.getrandbits(64)
        if self._chance(.8):
            word |= 0x27                            # P, W, U, A
            word &= ~0x1F_E000 if self._chance(.8) else ~0
        if self._chance(.6):
            word = word & ~(MAX_PFN - 1 << 12) & ~0x80 | self.rng.choice(targets)
        return word

    def _riscv_noise(self, targets):
        word = self.rng.getrandbits(64)
        if self._chance(.8):                        # V, nothing that is reserved anywhere
            word = word & ~(0x1FFC << 48 | 7 << 61) | 1
        if self._chance(.5):                        # a pointer
            return word & 0x321 | self.rng.choice(targets) >> 2
        if self._chance(.5):                        # U, A, R; aligned
            word = (word | 0x53) & ~(0x3FFFF << 10)
        if self._chance(.3):                        # N
            word = word & ~(15 << 10) | 8 << 10 | 1 << 63
        return word

    def damage(self):
        """Changes one entry at random. Callers must invalidate afterwards."""
        rng = self.rng
        entry = rng.choice(self._entries)
        try:
            word = self.memory.read_u64(entry)
        except BusError:
            return                                  # poisoned: broken already
        kind = rng.random()
        if kind < .1:
            word = rng.getrandbits(64)
        elif kind < .3:                             # not present, with any disposition
            word = rng.getrandbits(64) & ~7 | rng.randrange(4) << 1
        elif kind < .8:                             # a bit that means something
            word ^= 1 << rng.choice((0, 1, 1, 2, 3, 4, 5, 6, 7, 9, 9, 10, 10, 13, 52, 55,
                                     61, 62, 63))
        else:
            word ^= 1 << rng.randrange(64)
        self.memory.write_u64(entry, word)

    def grow(self):
        """Maps something new at a random place. Callers need not invalidate: a right is given."""
        space, ft, vaddr, pages = self.rng.choice(self.areas)
        table = self.rng.choice(self._tables)
        before = len(self.areas)
        self._area(space, ft, table)
        return len(self.areas) > before


class Traffic:
    """Random requests to a world, most of them to a few hot places.

    Parameters
    ----------
    world : World
    rng : random.Random
    """

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self._hot = [self._fresh() for _ in range(rng.choice((3, 10, 40)))]

    def _fresh(self):
        rng, world = self.rng, self.world
        (device, pasid), ft, vaddr, pages = rng.choice(world.areas) if world.areas else \
            ((0, 0), 0, 0, 1)
        edge = rng.choice((0, pages - 1, pages, rng.randrange(pages)))
        addr = vaddr + PAGE * (edge + rng.choice((-2, -1, 0, 0, 0, 1, 2))) & ALL
        return ft, device, pasid, addr

    def access(self):
        """The next request."""
        rng, world = self.rng, self.world
        ft, device, pasid, addr = rng.choice(self._hot) if rng.random() < .8 else self._fresh()
        odd = rng.random()
        if odd < .04:
            ft ^= 1
        elif odd < .08:
            device = rng.choice(world.devices + [rng.getrandbits(16)])
        elif odd < .12:
            pasid = rng.choice(world.pasids + [rng.getrandbits(20)])
        elif odd < .14:
            addr ^= 1 << rng.randrange(12, 64)
        pages = rng.choice((0, 0, 0, 0, 0, 1, 2, 3, 7, rng.randrange(256) if odd > .9 else 0,
                            255 if odd > .97 else 0))
        return Access(ft, int(rng.random() < .4), device, pasid,
                      addr | rng.choice((0, 0, 0x200, rng.getrandbits(12))), pages)
