"""The bridge with a mock translator: random bursts, refused ones between granted ones."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiMaster, AxiResp

from ..seeds import seeds
from ..simulator import BRIDGES
from .bench import Bench, CocotbMemory, DataMemory
from .bursts import RandomBursts
from .translator import Translator

PAGE, PHASES, BURSTS = 4096, 4, 60


class World:
    """A bench with a mock translator, and the pages that it sends bursts to.

    Attributes
    ----------
    before : dict of int to bytes
        Content of all physical pages that bursts may reach.
    """

    def __init__(self, dut, seed):
        self.rng = rng = random.Random(seed)
        config = BRIDGES[os.environ["SIOMMU_CONFIG"]]
        pages = rng.sample(range(1 << 20), 6) + rng.sample(range(1 << 51, 1 << 52), 2)
        rng.shuffle(pages)
        self.before = {page: rng.randbytes(PAGE) for page in pages}
        pools = {False: pages[:4], True: pages[4:]}
        self.translator = Translator(dut, rng, pools)
        self.bench = Bench(dut, seed, config.data_width, shuffled=rng.random() < .5,
                           steps=[self.translator.step])
        for page, content in self.before.items():
            self.bench.content.write(page * PAGE, content)
        for pool in pools.values():     # a bus error now and then
            if rng.random() < .5:
                self.bench.content.poison(pool[0] * PAGE, PAGE)
        self.bursts = RandomBursts(rng, config.data_width, config.id_width, [
            (rng.getrandbits(16), rng.getrandbits(20), rng.getrandbits(52)) for _ in range(5)])

    def phase(self, count):
        """Sends about ``count`` bursts of each direction in new weather."""
        self.bench.weather()
        self.translator.weather()
        for write in (False, True):
            for _ in range(self.rng.randint(1, 2 * count)):
                self.bench.send(self.bursts.one(write))

    def situations(self):
        """How often a burst followed one of the other fate under its id: (granted behind refused,
        refused behind granted)."""
        pairs = [(one.granted, two.granted) for order in self.bench.device.order.values()
                 for one, two in zip(order, order[1:]) if one.id == two.id]
        return pairs.count((False, True)), pairs.count((True, False))


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(seed=seeds())
async def random_bursts(dut, seed):
    """Every burst gets its answer, in the order of its id; memory sees what was granted."""
    world = World(dut, seed)
    async with world.bench as bench:
        for phase in range(PHASES):
            world.phase(BURSTS)
            await bench.drain()
            if phase == 0:
                bench.watch.check_end()
        bench.watch.check_end()
        bench.check_memory(world.before)
        behind, before = world.situations()
        assert behind and before, "bursts of both fates met under one id"
        print(f"random_bursts/seed={seed}: {bench.device.answered} bursts, "
              f"{bench.watch.refused} refused, {behind} granted behind refused ones of their id, "
              f"{before} refused behind granted ones, {bench.cycle} cycles; replay with "
              f"SEED={seed}", flush=True)


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(seed=seeds())
async def reset_under_traffic(dut, seed):
    """After a reset in the middle of everything, the bridge works as after the first one."""
    world = World(dut, seed + 1)
    async with world.bench as bench:
        interrupted = 0
        for _ in range(3):
            world.phase(BURSTS)
            await bench.cycles(world.rng.randint(1, 100))
            interrupted += bench.device.owed
            await bench.reset(world.translator.reset)
        assert interrupted
        for page, content in world.before.items():      # a write that was cut is no more than that
            if not bench.content.touches_poison(page * PAGE, PAGE):
                bench.content.write(page * PAGE, content)
        world.phase(BURSTS)
        await bench.drain()
        bench.watch.check_end()
        bench.check_memory(world.before)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def an_ordinary_master(dut):
    """cocotbext-axi's master copies through the bridge, and hears of what is refused."""
    rng, content, edge = random.Random(7), DataMemory(), RisingEdge(dut.clk)
    translator = Translator(dut, rng, {write: [0x12345] for write in (False, True)})
    translator.refuse_rate = 0
    CocotbMemory(dut, content, "m_axi")
    master = AxiMaster(AxiBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 1
    for _ in range(3):
        await edge
    dut.rst.value = 0

    async def translate():
        while True:
            await edge
            translator.step()
    cocotb.start_soon(translate())
    for _ in range(30):
        offset, data, user = rng.randrange(PAGE), rng.randbytes(600), rng.getrandbits(36)
        n = min(rng.randint(1, 600), PAGE - offset)
        done = await master.write(0x7000_0000 + offset, data[:n], user=user)
        assert done.resp == AxiResp.OKAY
        done = await master.read(0x7000_0000 + offset, n, user=user)
        assert done.resp == AxiResp.OKAY and done.data == data[:n]
        assert content.read(0x1234_5000 + offset, n) == data[:n]
    before = content.read(0x1234_5000, PAGE)
    translator.refuse_rate = 1
    done = await master.write(0x7000_0000, bytes(300))
    assert done.resp == AxiResp.SLVERR
    done = await master.read(0x7000_0000, 300)
    assert done.resp == AxiResp.SLVERR and done.data == bytes(300)
    assert content.read(0x1234_5000, PAGE) == before and content.pages() == [0x1234_5000]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_happens_by_itself(dut):
    """An idle bridge asks nobody, and offers nothing."""
    world = World(dut, 1)
    async with world.bench as bench:
        idle = [dut.mmu_req_valid, dut.m_axi_arvalid, dut.m_axi_awvalid, dut.m_axi_wvalid,
                dut.s_axi_rvalid, dut.s_axi_bvalid, dut.fault]
        woke = First(*(signal.value_change for signal in idle))
        assert not any(int(signal.value) for signal in idle)
        assert isinstance(await First(woke, Timer(2, "us")), Timer)
        assert not bench.watch.faults
