"""What mixed traffic costs, to the cycle and to the count: what it took before is in ``recorded/``.

The figures have bars with room. A change that costs a cycle here and there, or takes a turn from
somebody, passes all of them, and answers everybody rightly; here it does not pass unseen. Where it
is meant, ``PACE=record make test ARGS="tests/regression -k pace"`` writes down what it takes now.
"""

import json
import os
from pathlib import Path

import cocotb

from siommu.arch.register_map import COUNTERS
from siommu.generate.files import write_whole

from .bench import Testbench
from .queues import inval_tlb, offset, prefetch, start

PAGE, LARGE, AREA = 4096, 1 << 21, 1 << 39
RECORDED = Path(__file__).with_name("recorded")


async def compare(tb, queues, sent):
    """Compares what the run has cost, by name, with what is on record for the configuration; or
    records it. Compared are cycles, latencies and beats by port, and counters."""
    found = {"cycles": tb.cycle}
    for port in tb.drivers:
        ended = [one for one in sent if one.port is port]
        found[f"{port.name} latency"] = sum(one.latency for one in ended)
        found[f"{port.name} beats"] = sum(sum(one.beat_cycles) for one in ended)
    for name in COUNTERS:
        if name != "cycles":            # they go on until they are read
            found[name] = await queues.counter(name)
    # A file for each configuration: simulations of two of them may record at a time.
    path = RECORDED / f"{os.environ['SIOMMU_CONFIG']}.json"
    recorded = json.loads(path.read_text()) if path.exists() else {}
    if os.environ.get("PACE") == "record":
        recorded[tb.name] = found
        write_whole(path, json.dumps(recorded, indent=1, sort_keys=True) + "\n")
        return
    kept = recorded.get(tb.name, {})
    other = [f"{key}: {found[key]} instead of {kept.get(key)}"
             for key in found if found[key] != kept.get(key)]
    assert not other, f"{'; '.join(other)}. If that is meant, see {__file__}"


def world(scene):
    """Pages of all kinds: two spaces, few of whose neighbours are contiguous."""
    spaces = [scene.space(device=5), scene.space(device=6, pasid=77, levels=5)]
    for space in spaces:
        for ft in (0, 1):
            for page in range(0, 96, 2):
                space.map(ft, AREA + PAGE * page, 2)
            for region in range(1, 40):
                space.map(ft, AREA + LARGE * region)
    return spaces


def some_access(rng, spaces):
    """A request: mostly hits of few pages, misses, long ones, absent ones."""
    space, kind, ft = spaces[rng.getrandbits(1)], rng.getrandbits(3), rng.getrandbits(1)
    write, page = rng.getrandbits(1), rng.getrandbits(5)
    if kind < 3:
        return space.access(ft, write, AREA + PAGE * (page & 3))
    if kind < 5:
        return space.access(ft, write, AREA + LARGE * (1 + page))
    if kind < 7:
        return space.access(ft, write, AREA + PAGE * page, 1 + rng.getrandbits(5))
    return space.access(ft, write, 2 * AREA + PAGE * rng.getrandbits(30))


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(longest=[1, 40])
async def ports_at_once(dut, longest):
    """All ports ask without a pause, and take their beats at different rates."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, f"ports_at_once/longest={longest}")
        spaces, sent = world(scene), []
        tb.axi.latency = 1, longest
        for index, port in enumerate(tb.drivers):
            port.take_rate = 1 - index / 4
            sent += [port.send(some_access(tb.rng, spaces)) for _ in range(500)]
        await tb.drain()
        await compare(tb, queues, sent)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def commands_beside_them(dut):
    """Invalidations, prefetches and fences beside requests that come now and then."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "commands_beside_them")
        spaces, sent = world(scene), []
        tb.axi.latency = 3, 12
        for turn in range(40):
            for port in tb.drivers:
                sent += [port.send(some_access(tb.rng, spaces)) for _ in range(12)]
                sent += [port.send(spaces[0].access(1, 0, AREA)) for _ in range(40)]
            await tb.cycles(tb.rng.getrandbits(6))
            await queues.run(prefetch(5, 3, turn & 1, AREA, 5), inval_tlb(ft=turn >> 1 & 1),
                             prefetch(6, 77, 1, AREA + LARGE * 8, 3), inval_tlb(5 + (turn & 1)))
        await tb.drain()
        await compare(tb, queues, sent)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def faults_and_errors(dut):
    """Ports fault as fast as they can, while records fail and software mends the queue."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "faults_and_errors")
        fault, sent = scene.space().access(1, 0, AREA, device=0xFFFF), []
        for turn in range(20):
            broken = (queues.head + tb.rng.getrandbits(5)) % (1 << queues.fq_log2)
            tb.memory.poison(queues.records + 32 * broken, 32)
            for port in tb.drivers:
                sent += [port.send(fault) for _ in range(80)]
            await tb.cycles(400 + turn)
            tb.memory.cure()
            await tb.regs.set(offset("FQ_STATUS"), 2)       # FQ_ERROR
            await tb.drain()
            await tb.cycles(100)
            await queues.take()
        await compare(tb, queues, sent)
