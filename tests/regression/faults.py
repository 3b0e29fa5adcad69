"""Directed tests of the fault queue (§5.1) and its interrupt."""

import random

import cocotb

from siommu.arch.formats import Cause, Mode

from .bench import PORT_ENABLE, Testbench
from .queues import Queues, collect, compare, fence, inval_tlb, offset, prefetch, record_of
from .scene import Scene
from .seeds import seeds

PAGE, AREA = 4096, 1 << 39
OVERFLOW, ERROR, RECORD, LIMITED = 1, 2, 4, 8


async def _start(tb, name, **options):
    tb.name = name
    scene = Scene(tb)
    queues = Queues(tb, fq_log2=options.pop("fq_log2", 8))
    await scene.enable()
    await queues.start(commands=False, **options)
    return scene, queues


def bad_accesses(space, rng):
    """Requests that fault, each in another way, and some that do not."""
    there = space.access(rng.randrange(2), rng.randrange(2), AREA + rng.randrange(PAGE), 2)
    choices = [
        there, space.access(1, 1, AREA + 8 * PAGE), space.access(1, 0, AREA + 9 * PAGE),
        space.access(rng.randrange(2), 0, AREA + rng.randrange(10, 40) * PAGE),
        space.access(1, 0, AREA + 6 * PAGE, 4), space.access(0, 0, 3 * AREA),
        space.access(0, 0, 1 << 50), space.access(0, 0, AREA, device=300),
        space.access(0, 0, AREA, device=77), space.access(0, 0, AREA, pasid=90000),
        space.access(0, 0, AREA, pasid=4000), space.access(1, 0, AREA + 11 * PAGE),
        space.access(0, 0, AREA + 12 * PAGE), space.access(1, 0, AREA + 13 * PAGE),
    ]
    return rng.choice(choices)


def break_pages(space):
    """Mappings for ``bad_accesses``."""
    for ft in (0, 1):
        space.map(ft, AREA, 8)
        space.map(ft, AREA + 8 * PAGE, write=False)
        space.map(ft, AREA + 9 * PAGE, read=False)
        for page in range(11, 14):
            space.map(ft, AREA + page * PAGE)
    space.edit(1, AREA + 11 * PAGE, 1, u=0)
    space.tables[0].edit(AREA + 12 * PAGE, 1, ft=1)
    space.edit(1, AREA + 13 * PAGE, 1, devid=1)


@cocotb.test(timeout_time=30, timeout_unit="ms")
@cocotb.parametrize(seed=seeds(2))
async def records_are_the_oracles(dut, seed):
    """Random faults from all ports, the memory slow and stalling: every record as §4 says."""
    async with Testbench(dut, seed) as tb:
        scene, queues = await _start(tb, "records_are_the_oracles", interrupts=0xF0)
        rng = random.Random(seed)
        space = scene.space()
        break_pages(space)
        failed, records = collect(tb), []
        for phase in range(6):
            tb.axi.latency = rng.choice(((1, 1), (3, 30), (100, 300)))
            tb.axi.accept_rate = rng.choice((1.0, .4))
            for port in tb.drivers:
                port.take_rate = rng.choice((1.0, .3))
                for _ in range(60):
                    port.send(bad_accesses(space, rng))
            while not all(port.idle for port in tb.drivers):
                await tb.cycles(rng.randrange(300))
                records += await queues.take()
        await tb.cycles(1000)
        assert int(dut.irq_fault.value)
        records += await queues.take()
        seen = {Cause(entry["cause"]) for entry in records}
        compare(failed, records)
        assert await queues.counter("faults") == len(records)
        assert await queues.counter("faults_lost") == 0
        assert await tb.regs.get(offset("FQ_STATUS")) == RECORD
        await tb.regs.set(offset("FQ_STATUS"), RECORD)
        await tb.cycles(2)
        assert not int(dut.irq_fault.value)
        assert len(seen) >= 9, seen
        tb.log(f"{len(records)} records of {len(seen)} causes")


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def overflow(dut):
    """A full ring: one slot less than its size; every record beyond is lost, and counted."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "overflow", fq_log2=3, interrupts=0x10)
        space = scene.space()
        failed = collect(tb)
        sent = 0
        for number in (7, 1, 30, 2):
            for _ in range(number):
                tb.drivers[0].send(space.access(1, 0, AREA + PAGE * sent))
                sent += 1
            await tb.drain()
            await tb.cycles(200)
            full = sent > 7
            assert bool(await tb.regs.get(offset("FQ_STATUS")) & OVERFLOW) == full
            assert bool(int(dut.irq_fault.value)) == full
            assert await queues.counter("faults_lost") == max(0, sent - 7)
        records = await queues.take()
        compare([failed[0][:7]], records)
        await tb.regs.set(offset("FQ_STATUS"), OVERFLOW)
        await tb.drivers[0].request(space.access(1, 0, AREA + PAGE * 99))
        await tb.cycles(200)
        (entry,) = await queues.take()
        assert entry["addr"] == AREA + PAGE * 99
        assert await queues.counter("faults") == len(failed[0]) == 41


@cocotb.test(timeout_time=60, timeout_unit="ms")
async def a_storm_does_not_drown_others(dut):
    """With a quota, the faults of the other ports are all recorded, however many one port has."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "a_storm_does_not_drown_others", fq_log2=6, quota=12,
                                     interrupts=0x80)
        space = scene.space()
        break_pages(space)
        failed, records = collect(tb), []
        tb.axi.latency = (5, 60)
        storm, *others = tb.drivers
        for _ in range(600):
            storm.send(space.access(1, 0, 2 * AREA))
        rng = random.Random(1)
        limited = 0
        while not all(port.idle for port in tb.drivers):
            for port in others:         # not more than the quota between two looks
                for _ in range(rng.randrange(6)):
                    port.send(bad_accesses(space, rng))
            await tb.cycles(600)
            await tb.drain(others)
            await tb.cycles(300)
            limited += int(dut.irq_fault.value)
            records += await queues.take(free=False)
            await tb.regs.set(offset("FQ_HEAD"), queues.head)
        await tb.cycles(500)
        records += await queues.take()
        of_storm = [entry for entry in records if entry["port"] == 0]
        rest = [entry for entry in records if entry["port"]]
        compare([[], *failed[1:]], rest)
        assert limited and 0 < len(of_storm) < 600
        assert await queues.counter("faults_lost") == 600 - len(of_storm)
        assert await queues.counter("faults") == 600 + len(rest)
        assert await tb.regs.get(offset("FQ_STATUS")) == RECORD | LIMITED
        tb.log(f"{len(of_storm)} records of 600 in the storm, all {len(rest)} of the others")


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def quotas(dut):
    """Each port adds exactly as many records as the quota says, after each write of FQ_HEAD."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "quotas", quota=5)
        space = scene.space()
        failed = collect(tb)
        lost = 0
        for number in (3, 9, 5, 6):
            for listed in failed:
                listed.clear()
            for port in tb.drivers:
                for _ in range(number):
                    port.send(space.access(1, 0, AREA))
            await tb.drain()
            await tb.cycles(300)
            lost += max(0, number - 5) * len(tb.drivers)
            compare([each[:5] for each in failed], await queues.take())
            assert await queues.counter("faults_lost") == lost
            limited = await tb.regs.get(offset("FQ_STATUS")) & LIMITED
            assert bool(limited) == (number > 5)
            await tb.regs.set(offset("FQ_STATUS"), LIMITED)


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def a_new_owner_has_new_quotas(dut):
    """Turning the queue on gives every port its quota anew (§5.1), with FQ_HEAD untouched: who
    takes the core over must not lose the first fault because his predecessor had too many."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "a_new_owner_has_new_quotas", quota=3)
        space, failed = scene.space(), collect(tb)
        for _ in range(3):
            for listed in failed:
                listed.clear()
            for port in tb.drivers:
                for _ in range(5):
                    port.send(space.access(1, 0, AREA))
            await tb.drain()
            await tb.cycles(300)
            compare([each[:3] for each in failed], await queues.take(free=False))
            await tb.regs.set(offset("FQ_CTRL"), 0)
            await tb.regs.set(offset("FQ_CTRL"), 1)
            queues.head = 0


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def write_errors(dut):
    """A failed write stops recording until software clears FQ_ERROR; the losses are counted."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "write_errors", fq_log2=5, interrupts=0x20)
        space = scene.space()
        collect(tb)
        port = tb.drivers[0]
        for _ in range(3):
            await port.request(space.access(1, 0, AREA))
        await tb.cycles(100)
        tb.memory.poison(queues.records + 32 * 3, 32)
        for _ in range(12):
            port.send(space.access(1, 0, AREA))
        await tb.drain()
        await tb.cycles(200)
        assert await tb.regs.get(offset("FQ_STATUS")) == ERROR | RECORD
        assert int(dut.irq_fault.value)
        assert await tb.regs.get(offset("FQ_TAIL")) == 3
        assert await queues.counter("faults_lost") == 12
        tb.memory.cure()
        await port.request(space.access(1, 0, AREA))
        await tb.cycles(200)
        assert await tb.regs.get(offset("FQ_TAIL")) == 3, "stopped until the bit is cleared"
        assert await queues.counter("faults_lost") == 13
        await tb.regs.set(offset("FQ_STATUS"), ERROR)
        await tb.cycles(4)
        assert not int(dut.irq_fault.value)
        await port.request(space.access(1, 0, 2 * AREA))
        await tb.cycles(200)
        records = await queues.take()
        assert [entry["addr"] for entry in records] == [AREA] * 3 + [2 * AREA]
        assert await queues.counter("faults_lost") == 13


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def errors_behind_an_error(dut):
    """Of records whose writes fail one behind the other software sees one error, and clears it:
    those behind the first are lost, and recording goes on."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "errors_behind_an_error")
        fault = scene.space().access(1, 0, AREA, device=0xFFFF)

        async def status():
            return await tb.regs.get(offset("FQ_STATUS"))
        tb.memory.poison(queues.records, 64)
        tb.axi.latency = 600, 600
        for _ in range(2):
            tb.port(0).send(fault)
            await tb.cycles(200)
        while not await status() & ERROR:
            pass
        await tb.regs.set(offset("FQ_STATUS"), ERROR)
        await tb.cycles(400)
        assert not await status() & ERROR
        assert await queues.counter("faults_lost") == 2
        tb.memory.cure()
        await tb.port(0).request(fault)
        await tb.cycles(800)
        (record,) = await queues.take()
        assert record["cause"] == Cause.DEVICE_INVALID.value


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def an_error_of_the_last_record(dut):
    """A failed write of a record that no other follows stops recording, too, in any cycle."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "an_error_of_the_last_record")
        fault = scene.space().access(1, 0, AREA, device=0xFFFF)
        for turn in range(8):
            tb.memory.poison(queues.records, 32 << queues.fq_log2)
            await tb.port(turn).request(fault)
            await tb.cycles(60 + turn)
            tb.memory.cure()
            await tb.port(turn).request(fault)
            await tb.cycles(60)
            assert await queues.counter("faults_lost") == 2 * turn + 2
            assert await tb.regs.get(offset("FQ_STATUS")) & ERROR
            await tb.regs.set(offset("FQ_STATUS"), ERROR)
            await tb.port(turn).request(fault)
            await tb.cycles(60)
            assert len(await queues.take()) == 1


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def off_with_a_record_on_its_way(dut):
    """Off, and on again before memory has acknowledged a record: the new ring begins without it."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "off_with_a_record_on_its_way")
        space = scene.space()
        collect(tb)
        port = tb.drivers[0]
        await port.request(space.access(1, 0, AREA))
        await tb.cycles(100)
        assert await tb.regs.get(offset("FQ_TAIL")) == 1
        tb.axi.latency = (500, 500)
        port.send(space.access(1, 0, AREA))
        await tb.until(lambda: tb.axi.writes == 2, what="the record's write")
        for on in (0, 1):
            await tb.regs.set(offset("FQ_CTRL"), on)
        assert await tb.regs.get(offset("FQ_TAIL")) == 0
        await tb.drain()
        await tb.cycles(600)
        assert await tb.regs.get(offset("FQ_TAIL")) == 0, "that of before is none of the new ring's"
        tb.axi.latency = (1, 1)
        await port.request(space.access(1, 0, 2 * AREA))
        await tb.cycles(100)
        assert [entry["addr"] for entry in await queues.take()] == [2 * AREA]


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def what_leaves_no_record(dut):
    """Quiet devices, CORE_OFF, a disabled queue; and none of it counts as lost."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "what_leaves_no_record")
        space, quiet = scene.space(), scene.space(6, 4)
        scene.directory.set(6, devid=quiet.devid, pasids=quiet.pasids, quiet=True)
        collect(tb)
        port = tb.drivers[0]
        for access in (quiet.access(1, 0, AREA), quiet.access(0, 1, AREA),
                       quiet.access(0, 0, 1 << 50), quiet.access(0, 0, AREA, pasid=5)):
            await port.request(access)
        scene.directory.set(6, devid=quiet.devid, pasids=quiet.pasids, quiet=True, mem=False)
        tb.forget()
        await tb.invalidate()
        await port.request(quiet.access(0, 0, AREA))
        await tb.set_mode(Mode.ABORT)
        await port.request(space.access(1, 0, AREA))
        await tb.set_mode(Mode.TRANSLATE)
        await tb.cycles(200)
        assert not await queues.take() and not await tb.regs.get(offset("FQ_STATUS"))
        # an entry that is not valid is not quiet either
        addr = scene.directory.entry_address(6)
        tb.memory.write_u64(addr, tb.memory.read_u64(addr) & ~1)
        tb.forget()
        await tb.invalidate()
        await port.request(quiet.access(1, 0, AREA))
        await tb.cycles(200)
        (entry,) = await queues.take()
        assert entry["cause"] == Cause.DEVICE_INVALID.value and entry["level"] == 7
        await tb.regs.set(offset("FQ_CTRL"), 0)
        await port.request(space.access(1, 0, AREA))
        await tb.cycles(100)
        assert await queues.counter("faults_lost") == 0
        assert await queues.counter("faults") == 8
        assert await tb.regs.get(offset("FQ_TAIL")) == 1, "the last ring's"
        await queues.start(commands=False)
        assert await tb.regs.get(offset("FQ_TAIL")) == await tb.regs.get(offset("FQ_HEAD")) == 0
        await port.request(space.access(1, 0, AREA))
        await tb.cycles(200)
        (entry,) = await queues.take()
        assert entry["cause"] == Cause.NOT_PRESENT.value


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def slow_writes_lose_nothing(dut):
    """A memory that acknowledges very late: ports wait with their own faults, nothing is lost, and
    hits of other ports go on."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "slow_writes_lose_nothing")
        space = scene.space()
        space.map(1, AREA)
        failed = collect(tb)
        await tb.drivers[0].request(space.access(1, 0, AREA))
        await tb.drivers[0].request(space.access(1, 0, 2 * AREA))
        tb.axi.latency = (1500, 1500)
        ports = tb.drivers
        sent = 40
        for _ in range(sent):
            ports[0].send(space.access(1, 0, 2 * AREA))
        if len(ports) > 1:
            for _ in range(2000):
                ports[1].send(space.access(1, 0, AREA))
            began = tb.cycle
            await tb.drain([ports[1]])
            # a port of a small depth cannot have a hit in every cycle
            assert tb.cycle - began < 2600 * max(1, 16 // tb.config.port_depth), \
                "hits wait for another port's records"
        await tb.drain()
        await tb.cycles(3200)
        compare(failed, await queues.take())
        assert len(failed[0]) == sent + 1
        assert await queues.counter("faults_lost") == 0


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def a_disabled_port_leaves_none(dut):
    """Walks that end in faults for a port that was disabled meanwhile are not recorded."""
    async with Testbench(dut) as tb:
        scene, queues = await _start(tb, "a_disabled_port_leaves_none")
        space = scene.space()
        tb.expect = lambda transaction: None
        port = tb.drivers[0]
        tb.axi.latency = (300, 300)
        for _ in range(4):
            port.send(space.access(1, 0, AREA))
        await tb.cycles(100)
        port.disabled = port.refusing = True
        enabled = await tb.regs.get(PORT_ENABLE)
        await tb.regs.set(PORT_ENABLE, enabled & ~1)
        while await tb.regs.get(offset("PORT_STATUS")) & 1:
            pass
        await tb.cycles(1000)
        port.drop()
        port.queue.clear()
        assert not await queues.take()
        assert await queues.counter("faults") == await queues.counter("faults_lost") == 0
        assert await queues.counter("requests") == 4


@cocotb.test(timeout_time=30, timeout_unit="ms")
async def reset_with_busy_queues(dut):
    """A reset in each cycle of a scenario with commands, a fence, faults and their records: the
    queues are off and empty, nothing more is written, and they work when they are on again."""
    async with Testbench(dut) as tb:
        tb.name, scene, queues = "reset_with_busy_queues", Scene(tb), Queues(tb)
        space = scene.space()
        break_pages(space)
        await scene.enable()
        tb.axi.latency = 3, 9
        # One walk at a time makes the scenario eight times longer: it is sampled there.
        for delay in range(1, 90, 1 if tb.config.walks > 1 else 7):
            await queues.start(interrupts=0xFF)
            sequence = queues.sequence = delay
            queues.put(inval_tlb(device=5), prefetch(5, 3, 1, AREA), fence(queues.flag, sequence))
            for port in tb.drivers:
                for page in range(8, 12):
                    port.send(space.access(1, 1, AREA + page * PAGE))
            await queues.ring()
            await tb.cycles(delay)
            await tb.reset()
            areas = [(queues.flag, 8), (queues.records, 32 << 8)]
            before = [tb.memory.read(*area) for area in areas]
            for name in ("CQ_CTRL", "CQ_HEAD", "CQ_TAIL", "FQ_CTRL", "FQ_HEAD", "FQ_TAIL",
                         "CQ_STATUS", "FQ_STATUS"):
                assert await tb.regs.get(offset(name)) == 0, (delay, name)
            assert not int(dut.irq_command.value) and not int(dut.irq_fault.value)
            assert [tb.memory.read(*area) for area in areas] == before, delay
            await tb.enable(scene.directory.base, scene.directory.log2)
            await queues.start()
            done = await tb.port(delay).request(space.access(1, 1, AREA + 8 * PAGE))
            await queues.run(inval_tlb())
            (left,) = await queues.take()
            del left["cycles"]
            assert left == record_of(tb, done, tb.drivers.index(done.port)), delay
            await tb.reset()
            await tb.enable(scene.directory.base, scene.directory.log2)
