from siommu.arch.config import BridgeConfig
from siommu.bridge.fault_pulses import FaultPulses
from siommu.bridge.merge import ReadMerge, WriteMerge
from siommu.bridge.refuse import RefusedReads, RefusedWrites

from ...support.simulate import seeded, simulate
from .bench import collect, feed

CONFIG = BridgeConfig()


def test_bursts_stay_whole():
    rng, dut, found, ends = seeded("test_bursts_stay_whole"), ReadMerge(CONFIG), [], []
    memory = [(1 + n % 3, beat, beat == n % 5) for n in range(60) for beat in range(n % 5 + 1)]
    refused = [(8 + n % 3, beat == n % 4) for n in range(60) for beat in range(n % 4 + 1)]

    async def of_memory(ctx):
        await feed(ctx, dut.memory, [{"id": id_, "data": data + 1, "resp": data % 4, "last": last}
                                     for id_, data, last in memory], lambda: rng.choice((0, 0, 2)))

    async def of_bridge(ctx):       # a burst's beats come without a gap, as they do
        at = 0
        while at < len(refused):
            for _ in range(rng.choice((1, 1, 9))):
                await ctx.tick()
            end = next(i for i in range(at, len(refused)) if refused[i][1]) + 1
            await feed(ctx, dut.refused, [{"id": id_, "last": last}
                                          for id_, last in refused[at:end]])
            at = end

    async def device(ctx):
        await collect(ctx, dut.r, len(memory) + len(refused), found,
                      ready=lambda: rng.random() < .7,
                      look=lambda beat: (beat.id, beat.data, beat.resp, beat.last))

    async def count_ends(ctx):
        while len(ends) < 60:
            *_, valid, id_ = await ctx.tick().sample(dut.ends.valid, dut.ends.payload)
            if valid:
                ends.append(id_)
    simulate(dut, of_memory, of_bridge, device, count_ends, cycles=5000)
    assert [beat for beat in found if beat[0] < 8] == [
        (id_, data + 1, data % 4, last) for id_, data, last in memory]
    assert [beat for beat in found if beat[0] >= 8] == [(id_, 0, 2, last) for id_, last in refused]
    assert ends == [id_ for id_, _, last in memory if last]
    within = None
    for id_, *_, last in found:
        assert within in (None, id_), "a burst was torn apart"
        within = None if last else id_


def test_write_responses_of_both():
    rng, dut, found, ends = seeded("test_write_responses"), WriteMerge(CONFIG), [], []

    async def of_memory(ctx):
        await feed(ctx, dut.memory, [{"id": n % 8, "resp": n % 4} for n in range(80)],
                   lambda: rng.choice((0, 0, 2)))

    async def of_bridge(ctx):
        await feed(ctx, dut.refused, [8 + n % 8 for n in range(30)], lambda: rng.choice((1, 5)))

    async def device(ctx):
        await collect(ctx, dut.b, 110, found, ready=lambda: rng.random() < .7,
                      look=lambda answer: (answer.id, answer.resp))

    async def count_ends(ctx):
        while len(ends) < 80:
            *_, valid, id_ = await ctx.tick().sample(dut.ends.valid, dut.ends.payload)
            if valid:
                ends.append(id_)
    simulate(dut, of_memory, of_bridge, device, count_ends, cycles=3000)
    assert [one for one in found if one[0] < 8] == [(n % 8, n % 4) for n in range(80)]
    assert [one for one in found if one[0] >= 8] == [(8 + n % 8, 2) for n in range(30)]
    assert ends == [n % 8 for n in range(80)]


def test_refused_reads_have_all_their_beats():
    rng, dut, found = seeded("test_refused_reads"), RefusedReads(CONFIG), []
    lengths = [1, 2, 256, 1, 16, *(rng.randrange(1, 257) for _ in range(5))]

    async def release(ctx):
        await feed(ctx, dut.refusal, [{"id": n, "len": length - 1}
                                      for n, length in enumerate(lengths)])

    async def merge(ctx):
        await collect(ctx, dut.beats, sum(lengths), found, ready=lambda: rng.random() < .8,
                      look=lambda beat: (beat.id, beat.last))
    simulate(dut, release, merge, cycles=5000)
    assert found == [(n, beat == length - 1) for n, length in enumerate(lengths)
                     for beat in range(length)]


def test_a_refused_write_is_answered_when_its_data_are_gone():
    dut = RefusedWrites(CONFIG)

    async def testbench(ctx):
        ctx.set(dut.response.ready, 1)
        for early in (0, 1):
            ctx.set(dut.refusal.payload, {"id": 4 + early, "len": 3})
            ctx.set(dut.refusal.valid, ~early & 1)
            await ctx.delay(1e-9)
            assert not ctx.get(dut.response.valid) and not ctx.get(dut.refusal.ready)
            ctx.set(dut.drained, 1)
            await ctx.tick()
            ctx.set(dut.drained, 0)
            if early:           # the response is not due yet: one of its id is in memory
                assert not ctx.get(dut.response.valid)
                await ctx.tick()
                ctx.set(dut.refusal.valid, 1)
                await ctx.delay(1e-9)
            assert ctx.get(dut.response.valid) and ctx.get(dut.refusal.ready)
            assert ctx.get(dut.response.payload) == 4 + early
            await ctx.tick()
            assert not ctx.get(dut.response.valid)
    simulate(dut, testbench)


def test_a_cycle_of_fault_for_each_refused_burst():
    rng, dut = seeded("test_a_cycle_of_fault"), FaultPulses()
    refused = seen = 0

    async def testbench(ctx):
        nonlocal refused, seen
        before = [0, 0]
        for cycle in range(400):
            now = [int(cycle < 390 and not last and rng.random() < .8) for last in before]
            ctx.set(dut.reads, now[0])
            ctx.set(dut.writes, now[1])
            *_, fault = await ctx.tick().sample(dut.fault)
            refused, seen, before = refused + sum(now), seen + fault, now
            assert refused - 2 <= seen + (sum(now)) <= refused + 2
    simulate(dut, testbench)
    assert refused == seen > 150
