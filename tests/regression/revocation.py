"""Random test of the ordering rule (§6): traffic on all ports while tables change under it.

Every change of a table entry makes a new version of its device's tables. A beat may rest on any
version that was in force since the last fence before it was handed over, a fault on none that is
older than its request. ``SIOMMU_INVALIDATIONS`` makes it longer.
"""

import os
import random

import cocotb

from sim.model.golden import Access, GoldenModel
from sim.tables import PageTable, RiscvTable
from siommu.arch.formats import Cause, Mode, RiscvEntry, Size, TableEntry
from siommu.arch.packing import field_mask

from .bench import CTRL, Testbench
from .queues import Queues, fence, inval_context, inval_tlb
from .scene import Scene
from .seeds import seeds

LENGTH = int(os.environ.get("SIOMMU_INVALIDATIONS", 120))
PAGE, ALL = 4096, (1 << 64) - 1
DEVICES = 4
P, W, U, NR = (field_mask(TableEntry, name) for name in ("p", "w", "u", "nr"))
RISCV_LEVELS = 4        # Sv48: the addresses are those of the other tables


class _Flips:
    """Bits of a table's entries that are worth changing, each with consequences of its own.

    Attributes
    ----------
    leaf, pointer : tuple of int
        What an entry of a page, or of a table, may be exclusive-ored with.
    pfn : int
        The lowest bit of its page number.
    """

    def __init__(self, table):
        if table.mem_fmt:
            v, r, w, x, u = (field_mask(RiscvEntry, name) for name in "vrwxu")
            self.leaf, self.pointer, self.pfn = (v, w, w, r, u, x, v | w, r | w), (v, r, w, u), 10
        else:
            self.leaf, self.pointer, self.pfn = (P, W, W, U, NR, P | W), (P, W, NR, U), 12


class _Undone:
    """The memory as it was before some of its latest changes."""

    def __init__(self, memory, words):
        self.memory, self.words = memory, words

    def read_u64(self, addr):
        return self.words[addr] if addr in self.words else self.memory.read_u64(addr)


class _Device:
    """A device with its tables, and all versions of them."""

    def __init__(self, tb, scene, number, rng):
        self.tb, self.rng, self.number = tb, rng, number
        self.changes = []           # (cycle, {address: word before})
        self.fences = []            # (cycle, version)
        self.spaces, self.areas = [], []
        self.pasids = None
        # Every other device has RISC-V tables for memory, if the core has: the other half of each
        # format's entries stays at work.
        self.riscv = RISCV_LEVELS if tb.config.riscv_tables and number % 2 else 0
        for index in range(2):
            self._space(scene, index)

    def _space(self, scene, index):
        rng, pasid = self.rng, 1 + 128 * index + self.number
        space = scene.space(self.number, pasid, devid=self.number, riscv=self.riscv,
                            pdt_levels=1 + self.number // 2 % 2)
        self.pasids = self.pasids or space.pasids
        self.pasids.set(pasid, mem=space.tables[0], sto=space.tables[1], mem_deny=1, sto_deny=2)
        scene.directory.set(self.number, devid=self.number, pasids=self.pasids)
        # Where they are stays, though they may become invalid.
        space.context = self.pasids.context_address(pasid)
        space.directory = [self.pasids.entry_address(pasid, level)
                           for level in range(1, self.pasids.levels + 1)]
        self.spaces.append(space)
        for ft in (0, 1):
            for place in range(2):
                vaddr = (1 + place) << 39 | rng.randrange(4) << 30 | rng.randrange(8) << 21
                space.map(ft, vaddr, rng.randint(4, 24), write=rng.random() < .7)
                self.areas.append((space, ft, vaddr, 28))
            large = 5 << 39 | rng.randrange(8) << 21
            space.map(ft, large, size=Size.PAGE_2M)
            self.areas.append((space, ft, large, 512))
        # another table, for the context to change to
        space.others = []
        for ft in (0, 1):
            other = PageTable(self.tb.memory) if ft or not self.riscv else \
                RiscvTable(self.tb.memory, self.riscv)
            for area_space, area_ft, vaddr, pages in self.areas:
                if area_space is space and area_ft == ft:
                    size, count = (Size.PAGE_2M, 1) if pages == 512 else (Size.PAGE_4K, 20)
                    other.map(vaddr, scene.fresh(count, size), count, size=size,
                              devid=self.number if ft else None)
            space.others.append(other)

    def access(self):
        """A request for a page that is probably there."""
        rng = self.rng
        space, ft, vaddr, pages = rng.choice(self.areas)
        first = rng.randrange(pages)
        count = rng.choice((1, 1, 1, 1, 2, 5, 16))
        return Access(ft, int(rng.random() < .4), self.number, space.pasid,
                      vaddr + PAGE * first + rng.randrange(PAGE), count - 1)

    # -- versions ------------------------------------------------------------------------------

    def version(self, cycle):
        """The latest version at a cycle."""
        return sum(changed <= cycle for changed, _ in self.changes[-40:]) \
            + max(0, len(self.changes) - 40)

    def floor(self, cycle):
        """The oldest version that a beat may rest on that is handed over in this cycle."""
        return next((version for fenced, version in reversed(self.fences) if fenced < cycle), 0)

    def model(self, version):
        """The golden model of a version."""
        words = {}
        for _, before in reversed(self.changes[version:]):
            words.update(before)
        golden = self.tb.golden
        return GoldenModel(_Undone(self.tb.memory, words), Mode.TRANSLATE, golden.check_ad,
                           golden.ddt_base, golden.ddt_log2)

    def _store(self, words):
        memory = self.tb.memory
        self.changes.append((self.tb.cycle, {addr: memory.read_u64(addr) for addr in words}))
        for addr, word in words.items():
            memory.write_u64(addr, word)

    def _entry(self, table, vaddr, level):
        """Address of an entry, also below one that is not present."""
        base = table.root
        for above in range(table.levels, level, -1):
            base = table.target(
                self.tb.memory.read_u64(base + 8 * (vaddr >> 9 * above + 3 & 511)))
        return base + 8 * (vaddr >> 9 * level + 3 & 511)

    # -- changes -------------------------------------------------------------------------------

    async def provoke(self, space, ft, vaddr):
        """Asks for what is about to change, so that walks are in flight then."""
        rng, tb = self.rng, self.tb
        if rng.random() < .3:
            return
        for _ in range(rng.randint(1, 4)):
            access = space.access(ft, int(rng.random() < .4), vaddr, rng.choice((1, 1, 4)))
            rng.choice(tb.drivers).send(access, first=True)
        await tb.cycles(rng.randrange(2 * tb.axi.latency[1] + 40))

    async def change(self):
        """Changes an entry; returns the commands that make it safe to rely on that."""
        rng, memory = self.rng, self.tb.memory
        space, ft, vaddr, pages = rng.choice(self.areas)
        selectors = dict(device=self.number, pasid=space.pasid, ft=ft)
        for name in tuple(selectors):
            if rng.random() < .15:
                del selectors[name]
        kind, flips = rng.random(), _Flips(space.tables[ft])
        if kind < .65:                              # a leaf
            page = rng.randrange(pages)
            await self.provoke(space, ft, vaddr + PAGE * page)
            level = 2 if pages == 512 else 1
            addr = self._entry(space.tables[ft], vaddr + PAGE * page, level)
            word, where = memory.read_u64(addr), vaddr + PAGE * page
            n = 9 if level == 2 else 0
            where &= -(PAGE << n)
            if word & P and rng.random() < .3:      # moved: another page, or another block
                word ^= rng.choice((1, 2, 5)) << flips.pfn + 10
            else:
                word ^= rng.choice(flips.leaf)
        elif kind < .82:                            # a table above
            level = rng.choice((2, 3, 4))
            if pages == 512:
                level = max(level, 3)
            await self.provoke(space, ft, vaddr)
            addr = self._entry(space.tables[ft], vaddr, level)
            word = memory.read_u64(addr) ^ rng.choice(flips.pointer)
            n = 9 * (level - 1)
            where = vaddr & -(PAGE << n) & ALL
        elif kind < .92:                            # the context: another table, or none
            await self.provoke(space, ft, vaddr)
            addr = space.context + 8 * ft
            word = memory.read_u64(addr)
            if rng.random() < .5:
                space.tables[ft], space.others[ft] = space.others[ft], space.tables[ft]
                word = space.tables[ft].root | word & PAGE - 1
            else:
                word ^= 1
            self._store({addr: word})
            return [inval_context(**{name: value for name, value in selectors.items()
                                     if name != "ft"})]
        elif kind < .96:                            # an entry of the PASID directory
            await self.provoke(space, ft, vaddr)
            level = rng.randint(1, self.pasids.levels)
            addr = space.directory[level - 1]
            # V, or a bit that must be 0; above, they are of every process of the device.
            self._store({addr: memory.read_u64(addr) ^ rng.choice((1, 2, 1 << 60))})
            return [inval_context(device=self.number,
                                  **({"pasid": space.pasid} if level == 1 else {}))]
        else:                                       # the device's entry
            addr = scene_entry(self.tb, self.number)
            self._store({addr: memory.read_u64(addr) ^ rng.choice((2, 4, 8, 16, 1))})
            return [inval_context(device=self.number)]
        self._store({addr: word})
        if rng.random() < .8:
            while n < 40 and rng.random() < .2:     # a larger range
                n += 1
            selectors.update(addr=where & -(PAGE << n) & ALL, n=n)
        return [inval_tlb(**selectors)]

    def fenced(self, cycle, version):
        self.fences.append((cycle, version))


def scene_entry(tb, device):
    """Address of the device directory's entry."""
    return tb.golden.ddt_base + 16 * device


class _Judge:
    """Compares each beat with every version that it may rest on."""

    def __init__(self, tb, devices):
        self.tb, self.devices = tb, devices
        self.old = self.grants = self.faults = self.requests = 0

    def __call__(self, transaction):
        self.requests += 1
        access, device = transaction.access, self.devices[transaction.access.device]
        page = 0
        for beat, cycle in zip(transaction.beats, transaction.beat_cycles):
            floor, latest = device.floor(cycle), device.version(cycle)
            if beat.cause:
                floor = max(floor, device.version(transaction.accepted))
            for offset in range(beat.pages + 1):
                self._page(transaction, device, access, page + offset, offset, beat, floor, latest,
                           cycle)
            page += beat.pages + 1
        if not transaction.beats[-1].cause:
            assert page == access.pages + 1, f"{access}: {page} pages answered"

    def _page(self, transaction, device, access, k, offset, beat, floor, latest, cycle):
        addr = beat.addr if not offset else (beat.addr & -PAGE) + PAGE * offset & ALL
        wanted = []
        for version in range(latest, floor - 1, -1):
            answer = device.model(version).translate_page(access, k)
            if answer.granted:
                fits = (not beat.cause and addr == answer.addr
                        and (beat.read, beat.write) == (answer.read, answer.write)
                        and (offset or beat.size == answer.size.value)
                        and not beat.disposition)
            else:
                fits = (beat.cause == answer.cause.value and beat.addr == answer.addr
                        and beat.disposition == answer.disposition.value
                        and not (beat.read or beat.write or beat.size))
            if fits:
                self.grants += not beat.cause
                self.faults += bool(beat.cause)
                self.old += version != latest
                return
            wanted.append(answer)
        raise AssertionError(
            f"port {transaction.port.name}, cycle {cycle}, seed {self.tb.seed}: page {k} of "
            f"{access} (accepted in {transaction.accepted}) is answered by {beat}, but versions "
            f"{floor} to {latest} say "
            f"{[(str(answer.cause), hex(answer.addr)) for answer in wanted]}")


@cocotb.test(timeout_time=2000, timeout_unit="ms")
@cocotb.parametrize(seed=seeds(2))
async def tables_change_under_traffic(dut, seed):
    """No beat rests on what a completed fence has put an end to."""
    async with Testbench(dut, seed) as tb:
        tb.name = f"tables_change_under_traffic/seed={seed}"
        rng = random.Random(seed)
        scene, queues = Scene(tb, log2=4), Queues(tb)
        devices = {number: _Device(tb, scene, number, rng) for number in range(DEVICES)}
        await scene.enable()
        await queues.start(faults=False)
        tb.expect = judge = _Judge(tb, devices)
        # Now and then tables are slow and commands are not, so that fences come to old walks.
        slow_until = 0
        ring = range(queues.commands, queues.commands + (16 << queues.cq_log2))
        tb.axi.hold = lambda addr: tb.cycle < slow_until and addr not in ring
        running = True

        async def traffic(port):
            while running:
                if len(port.queue) < 2:
                    port.send(devices[rng.randrange(DEVICES)].access())
                else:
                    await tb.cycles(2)
        tasks = [cocotb.start_soon(traffic(port)) for port in tb.drivers]
        done = 0
        # On a narrow core few answers meet a change: it goes on until one has.
        while done < LENGTH or (not judge.old and done < 4 * LENGTH):
            if rng.random() < .25 or not done:
                tb.axi.latency = rng.choice(((1, 1), (1, 40), (50, 200), (200, 400)))
                tb.axi.interleave = rng.random() < .5
                tb.axi.data_rate = rng.choice((1.0, .5))
                for port in tb.drivers:
                    port.send_rate = rng.choice((1.0, .3, .05))
                    port.take_rate = rng.choice((1.0, 1.0, .3, .05))
            chosen = rng.sample(list(devices.values()), rng.randint(1, 3))
            commands = []
            for device in chosen:
                commands += await device.change()
                await tb.cycles(rng.choice((0, 0, 1, 10, 200)))
            if rng.random() < .2:
                slow_until = tb.cycle + rng.randrange(1500)
            versions = [(device, len(device.changes)) for device in chosen]
            cycle = await queues.run(*commands)
            for device, version in versions:
                device.fenced(cycle, version)
            done += len(commands)
            await tb.cycles(rng.choice((0, 0, 5, 50, 300)))
        running = False
        for task in tasks:
            await task
        await tb.drain()
        tb.log(f"{judge.requests} requests, {done} invalidations, {judge.grants} pages granted, "
               f"{judge.faults} faults, {judge.old} of them by a version before the latest")
        assert judge.grants > LENGTH and judge.faults > LENGTH / 4 and judge.old


#: What makes walks stale, and how many of it are to meet every stage of a walk by chance: the
#: rarest stage takes one cycle in ten. Those of one page take few cycles, the others a thousand.
REVOCATIONS = {
    "flush": (50, None),
    "everything": (45, lambda access: inval_tlb()),
    "context": (45, lambda access: inval_context(access.device)),
    "page": (60, lambda access: inval_tlb(access.device, access.pasid, access.ft,
                                          access.addr & -PAGE)),
    "device": (2, lambda access: inval_tlb(device=access.device)),
    "pasid": (2, lambda access: inval_tlb(pasid=access.pasid)),
    "ft": (2, lambda access: inval_tlb(ft=access.ft)),
    "addr": (2, lambda access: inval_tlb(addr=access.addr & -PAGE)),
}


async def revoke_under_traffic(tb, queues, kinds, access):
    """Does each of ``kinds``, keys of ``REVOCATIONS``, in a random order, while every port asks for
    twice as many pages as there are walks; ``access`` draws a request."""
    rng, off, dropped, running = tb.rng, 0, 0, True

    def judge(transaction):
        nonlocal off
        if transaction.beats[-1].cause == Cause.CORE_OFF.value:
            off += 1                        # a flush met it
        else:
            tb.check(transaction)
    tb.expect = judge

    async def traffic(port):
        while running:
            if len(port.outstanding) + len(port.queue) < 2 * tb.config.walks:
                port.send(access())
            else:
                await tb.cycles(1)
    tasks = [cocotb.start_soon(traffic(port)) for port in tb.drivers]
    rng.shuffle(kinds)
    for kind in kinds:
        if rng.random() < .1:
            tb.axi.latency = rng.choice(((1, 1), (1, 4)))
            # A command begins a fixed time behind its own read: what comes then has to vary.
            tb.axi.data_rate = rng.choice((1.0, .5))
        await tb.cycles(rng.randrange(60))
        if kind == "flush":
            for mode in (Mode.ABORT, Mode.TRANSLATE):
                await tb.regs.set(CTRL, mode.value)
        else:
            await queues.run(REVOCATIONS[kind][1](access()))
            dropped += 1
    running = False
    for task in tasks:
        await task
    await tb.drain()
    tb.log(f"{tb.answered} requests, {dropped} invalidations, {off} requests met by a flush")
    assert off and tb.answered > len(kinds)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def revocations_meet_walks(dut):
    """Everything that makes walks stale, in every stage of a walk: reads of each level, start,
    decision, end. Tables stay as they are, so that each answer is the golden model's."""
    async with Testbench(dut) as tb:
        tb.name = "revocations_meet_walks"
        rng = tb.rng
        scene, queues = Scene(tb), Queues(tb)
        # More devices and contexts than are cached, and walks as long as they get.
        spaces = [scene.space(device, 1 + 700 * device, devid=device, levels=5, pdt_levels=2)
                  for device in range(12)]
        places = [place << 48 | where << 39 for place in (0, 1) for where in range(3)]
        for space in spaces:
            for ft in (0, 1):
                for place in places:
                    space.map(ft, place, 16)
                space.map(ft, 5 << 39, size=Size.PAGE_2M)
        await scene.enable()
        await queues.start(faults=False)

        def access():
            place = rng.choice((*places, 5 << 39)) + PAGE * rng.randrange(16)
            return rng.choice(spaces).access(rng.randrange(2), 0, place, rng.choice((1, 1, 4)))
        await revoke_under_traffic(tb, queues, [
            kind for kind, (count, _) in REVOCATIONS.items() for _ in range(count)], access)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def revocations_meet_ends_of_walks(dut):
    """What makes walks stale, while a walk ends every few cycles: of one process, whose contexts
    are cached, to leaves of 2 MiB, which take three words."""
    async with Testbench(dut) as tb:
        tb.name = "revocations_meet_ends_of_walks"
        scene, queues = Scene(tb), Queues(tb)
        space = scene.space()
        for region in range(256):
            space.map(1, region << 21, size=Size.PAGE_2M)
        await scene.enable()
        await queues.start(faults=False)
        tb.axi.latency, tb.axi.data_rate = (1, 4), .8
        await revoke_under_traffic(
            tb, queues, ["flush", "everything", "context", "page"] * 40,
            lambda: space.access(1, 0, tb.rng.randrange(256) << 21))


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def revocations_meet_fills_and_flushes(dut):
    """Contexts are filled while they are dropped, rows of the stores are swept while they are
    dropped, records are written beside fences. Each by chance, in a core that had been quiet."""
    async with Testbench(dut) as tb:
        tb.name = "revocations_meet_fills_and_flushes"
        rng = tb.rng
        scene, queues = Scene(tb), Queues(tb)
        spaces = [scene.space(device, 1 + device, devid=device) for device in range(12)]
        for space in spaces:
            space.map(1, 1 << 39, 16)
        await scene.enable()
        await queues.start()

        def judge(transaction):
            if transaction.beats[-1].cause != Cause.CORE_OFF.value:
                tb.check(transaction)
        tb.expect = judge
        for turn in range(1, 25):
            command = inval_tlb() if turn % 2 else inval_context(rng.randrange(12))
            fetched = tb.axi.reads
            queues.put(command, fence(queues.flag, turn))
            await queues.ring()
            await tb.until(lambda: tb.axi.reads > fetched)      # noqa: B023 - called at once
            await tb.cycles(rng.randrange(8))
            for space in rng.sample(spaces, 12):
                place = rng.choice(((1 << 39) + PAGE * rng.randrange(16), 2 << 39))
                rng.choice(tb.drivers).send(space.access(1, 0, place))
            if turn % 2:        # its steps are under way
                await tb.cycles(60 + rng.randrange(200))
                for mode in (Mode.ABORT, Mode.TRANSLATE):
                    await tb.regs.set(CTRL, mode.value)
            await tb.until(lambda: queues.flagged() == turn)    # noqa: B023 - called at once
            for space in spaces:                                # rows for the next one to drop
                for page in (0, 8):
                    tb.drivers[0].send(space.access(1, 0, (1 << 39) + PAGE * page))
                tb.drivers[0].send(space.access(1, 0, 2 << 39))
            queues.put(*[fence(queues.flag + 8, turn)] * 8)     # beside records of those faults
            await queues.ring()
            await tb.drain()
            await queues.take()
        tb.log(f"{tb.answered} requests")
