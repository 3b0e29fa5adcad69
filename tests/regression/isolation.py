"""Directed tests of §2.1 rules (d) and (e), PORT_ENABLE: no port stops another, nothing hangs."""

import random

import cocotb

from siommu.arch.formats import Cause, Mode, Size

from .bench import PORT_ENABLE, PORT_STATUS, STATUS, Testbench
from .scene import Scene

PAGE, LARGE = 4096, 1 << 21
BASE = 0x1234_5600_0000


async def prepare(tb):
    scene = Scene(tb)
    space = scene.space()
    for ft in (0, 1):
        for index in range(96):
            space.map(ft, BASE + index * PAGE)      # no two of them merge
        space.map(ft, BASE + 16 * LARGE, size=Size.PAGE_2M)
    await scene.enable()
    return space


def flood(tb, port, space, count):
    """Requests of every kind: hits, misses, faults, many beats. Returns them."""
    rng, sent = tb.rng, []

    def send(*access):
        sent.append(port.send(space.access(*access)))
    for _ in range(count):
        kind = rng.random()
        if kind < .3:
            send(1, 0, BASE + rng.randrange(96) * PAGE)
        elif kind < .6:
            send(0, 1, BASE + rng.randrange(60) * PAGE, rng.randint(1, 36))
        elif kind < .9:                             # a page of its own, never mapped
            send(0, 0, BASE + rng.getrandbits(34) * PAGE)
        else:
            send(1, 1, BASE + 16 * LARGE, 256)
    return sent


def others_of(tb, victim):
    return [port for port in tb.drivers if port is not victim]


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stuck=[0, 1, 2])
async def stuck_port(dut, stuck):
    """A port that takes no beat stops only itself, however much it asks for; valid does not wait
    for ready."""
    async with Testbench(dut, stuck) as tb:
        space = await prepare(tb)
        tb.axi.latency = 5, 40
        port = tb.port(stuck)
        port.take_rate = 0.0
        flood(tb, port, space, 400)
        await tb.cycles(3000)
        assert port.holds_beat, "VALID waits for READY"
        begin = tb.cycle
        for other in others_of(tb, port):
            flood(tb, other, space, 300)
        await tb.drain(others_of(tb, port))
        assert tb.cycle - begin < 60_000
        assert port.outstanding and not any(
            one.finished for one in port.outstanding.values())
        port.take_rate = 1.0
        await tb.drain()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def all_but_one_stuck(dut):
    """One port makes way for itself while all others are stuck."""
    async with Testbench(dut) as tb:
        space = await prepare(tb)
        for free in tb.drivers:
            for port in others_of(tb, free):
                port.take_rate = 0.0
                flood(tb, port, space, 300)
            await tb.cycles(2000)
            flood(tb, free, space, 300)
            await tb.drain([free.name])
            for port in tb.drivers:
                port.take_rate = 1.0
            await tb.drain()


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(take_rate=[0.0, .3, .6, 1.0])
async def ports_are_alike(dut, take_rate):
    """The same requests of every kind, each time after a reset, take every port that is alone the
    same cycles, one by one. A port that takes nothing begins to when its credits are used up."""
    async with Testbench(dut) as tb:
        tb.name = f"ports_are_alike/take_rate={take_rate}"
        space = await prepare(tb)
        tb.axi.latency = 20, 20

        async def ask(port):
            sent = []
            for pages, count in ((1, 100), (7, 40), ("any", 400), (1, 100)):
                port.take_rate = take_rate
                sent += flood(tb, port, space, count) if pages == "any" else \
                    [port.send(space.access(1, 0, BASE, pages)) for _ in range(count)]
                if not take_rate:
                    await tb.cycles(400)
                    port.take_rate = 1.0
                await tb.drain([port.name])
            port.take_rate = 1.0
            return sent
        await same_cycles(tb, space, tb.drivers, ask)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(beside=[0, -1])
async def ports_are_alike_beside_another(dut, beside):
    """The same beside a port that asks as much: of pages of which none merges with the next, and of
    absent ones, so that operations wait for all that there is to wait for."""
    async with Testbench(dut) as tb:
        tb.name = f"ports_are_alike_beside_another/beside={beside}"
        space, busy = await prepare(tb), tb.drivers[beside]
        tb.axi.latency = 1, 1

        async def ask(port):
            sent = []
            for _ in range(200):
                for each in (port, busy):
                    long = tb.rng.randint(1, 24)
                    sent += [each.send(space.access(1, 0, BASE, long)),
                             each.send(space.access(1, 0, BASE + tb.rng.getrandbits(38)))]
            await tb.drain()
            return sent
        await same_cycles(tb, space, others_of(tb, busy), ask)


async def same_cycles(tb, space, ports, ask):
    """What ``ask`` sends, each time after a reset, takes all ``ports`` the same cycles, one by one.
    """
    seed, times = tb.rng.random(), []
    for port in ports:
        await tb.reset()
        await space.scene.enable()
        await tb.cycles(1000)       # the caches have been swept
        tb.rng, tb.axi.rng = random.Random(seed), random.Random(seed)
        for each in tb.drivers:
            each.rng = random.Random(seed)
        sent = await ask(port)
        times.append([[cycle - sent[0].accepted for cycle in (one.accepted, *one.beat_cycles)]
                      for one in sent])
    for port, found in zip(ports, times):
        for number, (each, first) in enumerate(zip(found, times[0])):
            assert each == first, f"{port.name}, request {number}: {each} instead of {first}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(flooder=[0, 1, 2])
async def flood_of_misses(dut, flooder):
    """A port that floods the core with misses leaves the others their hits and a share of the
    walks."""
    async with Testbench(dut, flooder) as tb:
        tb.name = f"flood_of_misses/flooder={flooder}"
        space = await prepare(tb)
        tb.axi.latency = 100, 100
        victim = tb.port(flooder + 1)
        hit = space.access(1, 0, BASE + 16 * LARGE + 5 * PAGE)
        await victim.request(hit)
        alone = (await victim.request(hit)).latency
        miss_alone = (await victim.request(space.access(1, 0, BASE))).latency
        port = tb.port(flooder)
        for index in range(6000):
            port.send(space.access(0, 0, BASE + 32 * LARGE + index * PAGE))
        await tb.cycles(600)
        assert port.outstanding
        # Hits: sent one by one, so that each is a sample of what the flood costs.
        latencies = []
        for _ in range(100):
            await tb.cycles(tb.rng.randrange(8))
            latencies.append((await victim.request(hit)).latency)
        # Misses: they wait for walks that the flood holds, but not for its queue.
        misses = [(await victim.request(space.access(1, 0, BASE + index * PAGE))).latency
                  for index in range(1, 6)]
        assert port.queue, "the flood ended too early"
        tb.log(f"figure: hit latency {alone} cycles alone, at most {max(latencies)} beside a flood "
               f"of misses; miss latency {miss_alone} alone, at most {max(misses)} beside it")
        assert max(latencies) <= alone + 20
        assert max(misses) <= 4 * miss_alone
        port.queue.clear()
        await tb.drain()


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(victim=[0, 1, 2])
async def port_enable_frees_a_stuck_port(dut, victim):
    """A disabled port takes nothing, its beats are dropped, PORT_STATUS tells when; enabled again
    it works with the same tags, and no beat of before turns up."""
    async with Testbench(dut, victim) as tb:
        space = await prepare(tb)
        port = tb.port(victim)
        number = tb.drivers.index(port)
        everyone = (1 << len(tb.drivers)) - 1
        for turn in range(6):
            tb.axi.latency = (1, 10) if turn % 2 else (50, 200)
            port.take_rate = 0.0
            flood(tb, port, space, 200)
            await tb.cycles(tb.rng.choice((5, 50, 1000)))
            assert await tb.regs.get(PORT_STATUS) & 1 << number
            for other in others_of(tb, port):
                flood(tb, other, space, 30)
            if port.outstanding:
                tb.coverage.hit("port disabled with requests in flight")
            port.disabled = True
            await tb.regs.set(PORT_ENABLE, everyone & ~(1 << number))
            await tb.cycles(2)
            port.refusing = True
            for _ in range(10_000):
                if not await tb.regs.get(PORT_STATUS) & 1 << number:
                    break
            else:
                raise AssertionError("the disabled port keeps requests in flight")
            await tb.cycles(3)
            port.drop()
            port.queue.clear()
            # The request on the wires stays there, valid, until the port takes it.
            await tb.drain(others_of(tb, port))
            await tb.cycles(100)
            assert not port.outstanding
            port.refusing = port.disabled = False
            port.take_rate = 1.0
            await tb.regs.set(PORT_ENABLE, everyone)
            flood(tb, port, space, 60)
            await tb.drain()
        assert await tb.regs.get(PORT_STATUS) == 0


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def slow_table_page(dut):
    """Reads that take very long hold up those who need them, and nobody else."""
    async with Testbench(dut) as tb:
        space = await prepare(tb)
        slow = space.tables[0].entry_address(BASE, 1) & -PAGE
        fast = [space.access(1, 0, BASE + index * PAGE) for index in range(96)]
        tb.axi.hold = lambda addr: addr & -PAGE == slow
        first = tb.port(0)
        waiting = [first.send(space.access(0, 0, BASE + index * PAGE)) for index in range(3)]
        await tb.until(lambda: all(one.accepted for one in waiting), what="acceptance")
        for access in fast:
            for port in tb.drivers:
                port.send(access)
        await tb.until(lambda: tb.answered >= len(fast) * len(tb.drivers), what="all fast answers")
        assert not any(one.finished for one in waiting)
        assert await tb.regs.get(STATUS) & 3 == 3
        tb.axi.hold = None
        await tb.drain()
        await tb.cycles(100)        # with few walks, look-aheads are still under way
        assert await tb.regs.get(STATUS) & 3 == 0


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_read_fails(dut):
    """A memory that answers with nothing but errors: TABLE_ERROR for all, nothing hangs."""
    async with Testbench(dut) as tb:
        space = await prepare(tb)
        tb.axi.error_rate = 1.0
        tb.axi.interleave = True
        for port in tb.drivers:
            flood(tb, port, space, 150)
        await tb.drain()
        assert tb.explained == tb.answered > 0
        tb.axi.error_rate = 0.0
        for port in tb.drivers:
            flood(tb, port, space, 50)
        await tb.drain()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reset_at_any_time(dut):
    """After a reset in any cycle of a walk nothing of before is left: MODE is ABORT, caches are
    empty, no port owes anything."""
    async with Testbench(dut) as tb:
        space = await prepare(tb)
        directory = space.scene.directory
        for delay in range(1, 60):
            tb.axi.latency = (1, 1 + delay % 5)
            for port in tb.drivers:
                flood(tb, port, space, 10)
            await tb.cycles(delay)
            await tb.reset()
            assert await tb.regs.get(PORT_STATUS) == 0
            assert await tb.regs.get(STATUS) == 0
            reads = tb.axi.reads
            done = await tb.port(delay).request(space.access(0, 0, BASE))
            assert done.beats[0].cause == Cause.CORE_OFF.value and tb.axi.reads == reads
            await tb.enable(directory.base, directory.log2, Mode.TRANSLATE)
            await tb.port(delay).request(space.access(1, 0, BASE))
            assert tb.axi.reads > reads, "a translation survived the reset"
            await tb.drain()
