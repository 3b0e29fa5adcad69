"""Random bytes everywhere: tables, commands and register accesses, under traffic.

Nothing of it may hang the core, change an answer, or lose one.
"""

import random

import cocotb

from sim.model.worlds import Traffic, World
from siommu.arch.formats import Mode
from siommu.arch.register_map import REGISTERS

from .bench import Testbench
from .queues import Queues, fence, inval_tlb, offset
from .random_worlds import set_weather
from .seeds import seeds

#: They decide about answers, or about where records are written: among the tables, perhaps.
SPARED = ("CTRL", "PORT_ENABLE", "FQ_BASE_HIGH")
PHASES = 5


def random_command(rng):
    """Anything; often with an opcode that exists, and with operands that are legal."""
    word0, word1 = rng.getrandbits(64), rng.getrandbits(64)
    if rng.random() < .8:
        word0 = word0 & ~0xFF | rng.choice((1, 1, 2, 3, 4))
    if rng.random() < .7:               # small numbers, few pages, aligned
        word0 &= ~(0x3F << 52 | 0xFFF0_0000 << 16 | 0xFFF0 << 16)
        n = rng.randrange(4)
        word0 |= n << 52
        word1 = word1 >> (12 + n) << (12 + n)
    return word0, word1


@cocotb.test(timeout_time=200, timeout_unit="ms")
@cocotb.parametrize(seed=seeds(3))
async def random_bytes(dut, seed):
    """Every request is answered as the tables say; the queues work again afterwards."""
    made = World(1000 + seed)
    async with Testbench(dut, seed, made.memory) as tb:
        tb.name = f"random_bytes/seed={seed}"
        rng = random.Random(seed)
        queues = Queues(tb, cq_log2=4)
        await tb.enable(made.directory.base, made.directory.log2, check_ad=made.check_ad)
        await queues.start()
        await tb.regs.set(offset("FQ_CTRL"), 0)
        await tb.regs.set(offset("FQ_BASE_HIGH"), 0xF000)   # far from all tables
        await tb.regs.set(offset("FQ_CTRL"), 1)
        running, commands, accesses = True, 0, 0
        ordinary = [entry for entry in REGISTERS if entry.name not in SPARED]

        async def send_commands():
            nonlocal commands
            while running:
                if await tb.regs.get(offset("CQ_STATUS")):
                    head = await tb.regs.get(offset("CQ_HEAD"))
                    for index, word in enumerate(random_command(rng)):
                        made.memory.write_u64(queues.commands + 16 * (head % 16) + 8 * index, word)
                    await tb.regs.write(offset("CQ_STATUS"), 7)
                queues.put(random_command(rng))
                commands += 1
                await tb.regs.write(offset("CQ_TAIL"), queues.tail)
                await tb.cycles(rng.randrange(400))

        async def touch_registers():
            nonlocal accesses
            while running:
                accesses += 1
                where = rng.choice(ordinary).offset if rng.random() < .8 else \
                    rng.randrange(0x180, 0x1000) & ~3
                if rng.random() < .5:
                    await tb.regs.read(where)
                else:
                    value = rng.choice((0, 1, rng.getrandbits(8), rng.getrandbits(32)))
                    await tb.regs.write(where, value)
                await tb.cycles(rng.randrange(60))

        tasks = [cocotb.start_soon(send_commands()), cocotb.start_soon(touch_registers())]
        for _ in range(PHASES):
            set_weather(tb, rng)
            traffic = Traffic(made, rng)
            for port in tb.drivers:
                for _ in range(rng.randint(1, 120)):
                    port.send(traffic.access())
            await tb.drain()
        running = False
        for task in tasks:
            await task
        # and now the queues, as a driver would begin
        tb.axi.error_rate = 0.0
        tb.axi.latency = (1, 3)
        for name in ("CQ", "FQ"):
            await tb.regs.set(offset(f"{name}_CTRL"), 0)
            await tb.regs.set(offset(f"{name}_STATUS"), 15)
        await tb.cycles(2000)
        await tb.set_mode(Mode.ABORT)
        while await tb.regs.get(offset("STATUS")):
            await tb.cycles(100)
        await tb.set_mode(Mode.TRANSLATE, made.check_ad)
        again = Queues(tb)
        await again.start()
        await again.run(inval_tlb(), fence(signal=1))
        assert not (await tb.regs.get(offset("CQ_STATUS"))) & 3
        for port in tb.drivers:
            port.send(traffic.access())
        await tb.drain()
        tb.log(f"{tb.answered} requests, {commands} commands, {accesses} register accesses in "
               f"{tb.cycle} cycles")
