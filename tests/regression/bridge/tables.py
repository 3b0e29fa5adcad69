"""The bridge on a port of the core, with tables in memory: rights, causes, revocation (§4, §6)."""

import random

import cocotb

from sim.model.golden import Access
from siommu.arch.formats import Cause, Size

from ..bench import Testbench
from ..queues import Queues, inval_tlb
from ..scene import Scene
from ..seeds import seeds
from .bench import Bench
from .bursts import RandomBursts

PAGE, WIDTH, IDS = 4096, 64, 4
BASE = 0x7F12_3400_0
PHASES, BURSTS, REVOCATIONS = 3, 50, 25


class World:
    """Processes of two devices, each with pages that may be read, pages that may be written, and
    pages that are absent, behind a bridge on ``dev0``. Port ``dev1`` asks on its own account.

    Attributes
    ----------
    places : list of (device, pasid, page)
        Pages worth asking for.
    before : dict of int to bytes
        Content of all physical pages that are mapped.
    """

    def __init__(self, dut, seed):
        self.rng = rng = random.Random(seed)
        self.tb = Testbench(dut, seed, ports=("dev1",))
        self.tb.axi.latency = rng.choice(((1, 1), (5, 30), (60, 200)))
        self.scene = Scene(self.tb)
        self.places, self.before, self.causes, self._static = [], {}, set(), set()
        self.spaces = []
        for device in (3, 9):
            space = self.scene.space(device, pasid=rng.randrange(100), devid=device,
                                     levels=rng.choice((4, 5)))
            self.spaces.append(space)
            self._map(space)
        self.places.append((77, 0, BASE))               # a device that has no entry
        self.places.append((3, 0xFFFFF, BASE))          # a process out of reach
        self.places.append((9, self.spaces[1].pasid, 1 << 50))      # an address that is none
        self.bench = Bench(dut, seed, WIDTH, memory="d_axi", shuffled=rng.random() < .5,
                           static=lambda page: page in self._static, decides=self.decides,
                           clock=False)
        for page, content in self.before.items():
            self.bench.content.write(page * PAGE, content)
        self.bursts = RandomBursts(rng, WIDTH, IDS, self.places)

    def _map(self, space):
        for page, write in ((BASE, 0), (BASE + 1, 1), (BASE + 2, 0), (BASE + 40, 1)):
            self.map(space, page, write)
        self.places += [(space.device, space.pasid, page)
                        for page in (BASE, BASE + 1, BASE + 2, BASE + 3, BASE + 40)]
        large = (BASE >> 9 << 9) + (4 << 9)
        first = space.map(0, large * PAGE, size=Size.PAGE_2M, write=False) // PAGE
        page = self.rng.randrange(512)
        self._note(first + page, True)
        self.places.append((space.device, space.pasid, large + page))

    def _note(self, page, static):
        self.before[page] = self.rng.randbytes(PAGE)
        if static:
            self._static.add(page)

    def map(self, space, page, write):
        """Maps ``page`` to a fresh physical one with content of its own. Returns that."""
        physical = space.map(0, page * PAGE, write=bool(write), user=True) // PAGE
        self._note(physical, not write)
        return physical

    def decides(self, burst, cause, page):
        """Compares a decision with the golden model."""
        answer, = self.tb.golden.translate(Access(
            ft=0, write=int(burst.write), device=burst.device, pasid=burst.pasid, addr=burst.addr,
            pages=0, tag=0))
        assert cause == answer.cause.value, f"{Cause(cause).name} for {burst}, not {answer}"
        assert cause or page == answer.addr >> 12, f"page {page:#x} for {burst}, not {answer}"
        self.causes.add(answer.cause)

    def other_traffic(self, count):
        """Requests of the other port."""
        for _ in range(count):
            device, pasid, page = self.rng.choice(self.places)
            self.tb.port("dev1").send(Access(
                ft=0, write=self.rng.randrange(2), device=device, pasid=pasid,
                addr=page * PAGE, pages=self.rng.randrange(3)))


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(seed=seeds())
async def real_tables(dut, seed):
    """Bursts are granted and refused as the tables say; memory sees what was granted."""
    world = World(dut, seed)
    async with world.tb, world.bench as bench:
        await world.scene.enable()
        for _ in range(PHASES):
            bench.weather()
            world.other_traffic(40)
            for write in (False, True):
                for _ in range(world.rng.randint(1, 2 * BURSTS)):
                    bench.send(world.bursts.one(write))
            await bench.drain()
            await world.tb.drain()
        bench.watch.check_end()
        bench.check_memory(world.before)
        assert Cause.OK in world.causes and Cause.WRITE_DENIED in world.causes
        print(f"real_tables/seed={seed}: {bench.device.answered} bursts, {bench.watch.refused} "
              f"refused, causes {', '.join(sorted(cause.name for cause in world.causes))}; replay "
              f"with SEED={seed}", flush=True)


class _Revoked:
    """A page that is taken away and given back while bursts ask for it all the time.

    A decision may rest on any state of the entry that was in force since the last fence before
    the burst was asked for, or on a later one (§6).
    """

    def __init__(self, world, space, page):
        self.world, self.space, self.page = world, space, page
        self.physical = None
        self.changes = [(0, None)]      # (cycle, physical page or None) in their order
        self.fences = [(0, 0)]          # (cycle, number of changes that it made sure of)
        self.late_grants = 0

    @property
    def _cycle(self):
        return self.world.bench.watch.cycle

    def give(self):
        """Maps the page to a fresh physical one."""
        self.physical = self.world.map(self.space, self.page, write=False)
        self.world.bench.content.write(self.physical * PAGE, self.world.before[self.physical])
        self.changes.append((self._cycle, self.physical))

    async def take(self, queues):
        """Takes the page away, and waits for the fence."""
        self.space.tables[0].unmap(self.page * PAGE)
        self.changes.append((self._cycle, None))
        number = len(self.changes) - 1
        await queues.run(inval_tlb(self.space.device, self.space.pasid, 0, self.page * PAGE))
        self.fences.append((self._cycle, number))

    def check(self, burst, granted):
        """Checks a decision on a burst of this page that is handed over now."""
        fenced = max(number for cycle, number in self.fences if cycle <= burst.decided)
        allowed = {physical for _, physical in self.changes[fenced:]}
        assert granted in allowed, \
            f"cycle {burst.decided}: {granted} for a burst asked in cycle {burst.asked}; " \
            f"allowed {allowed}, changes {self.changes[-3:]}, fences {self.fences[-2:]}"
        self.late_grants += granted is not None and self.changes[-1][1] is None


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(seed=seeds())
async def revocation_under_traffic(dut, seed):
    """Behind INVAL and FENCE no burst of the page is granted any more, and none goes to memory
    once those have ended that were granted before; while the device goes on asking."""
    world = World(dut, seed)
    rng, space = world.rng, world.spaces[0]
    revoked = _Revoked(world, space, BASE + 100)
    decides, going = world.bench.watch.decides, True

    def either(burst, cause, page):
        if (burst.device, burst.pasid, burst.addr >> 12) == (space.device, space.pasid, BASE + 100):
            revoked.check(burst, None if cause else page)
        else:
            decides(burst, cause, page)
    world.bench.watch.decides = either
    here = (space.device, space.pasid, BASE + 100)

    world.bursts.longest = 4        # many bursts rather than long ones

    def granted():
        return sum(bool(burst.granted) and burst.page == revoked.physical
                   for burst in world.bench.device.order[False])

    async def device():
        while going:
            if world.bench.device.owed < 24:
                world.bursts.places = [here] * 6 + world.places
                world.bench.send(world.bursts.one(rng.random() < .3))
            await world.bench.cycles(rng.randint(1, 8))
    async with world.tb, world.bench as bench:
        await world.scene.enable()
        queues = Queues(world.tb)
        await queues.start()
        bench.weather()
        traffic = cocotb.start_soon(device())
        for _ in range(REVOCATIONS):
            revoked.give()
            given, some = bench.cycle, rng.randrange(3)
            while granted() < some and bench.cycle - given < 4000:
                await bench.cycles(10)
            await bench.cycles(rng.randint(1, 100))
            await revoked.take(queues)
            fenced = bench.watch.cycle
            under_way = [burst for burst in bench.device.order[False] if burst.granted
                         and burst.page == revoked.physical and burst.issued is None]
            await bench.cycles(rng.randint(1, 200))
            for burst in bench.device.order[False]:
                if burst.granted and burst.page == revoked.physical and (burst.issued or 0) > \
                        fenced:
                    assert burst in under_way, f"{burst} was granted behind the fence"
        going = False
        await traffic
        await bench.drain()
        bench.watch.check_end()
        bench.check_memory(world.before)
        grants = sum(bool(burst.granted) and (burst.addr >> 12) == BASE + 100
                     for burst in bench.device.order[False])
        assert grants >= REVOCATIONS / 2
        assert revoked.late_grants, "no decision fell between a change and its fence"
        print(f"revocation_under_traffic/seed={seed}: {REVOCATIONS} revocations, "
              f"{bench.device.answered} bursts, {grants} of the page granted, "
              f"{revoked.late_grants} of them between the change and its fence; replay with "
              f"SEED={seed}", flush=True)
