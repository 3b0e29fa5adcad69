from siommu.arch.config import BridgeConfig
from siommu.bridge.request_share import AnswerSplit, RequestShare

from ...support.simulate import seeded, simulate
from .bench import clocked, collect, feed


def request(number, write):
    return {"ft": 0, "write": write, "device": 1, "pasid": 2, "addr": number << 12, "pages": 0,
            "tag": number % 32 | write << 7}


def test_offers_stand_and_nothing_is_lost():
    rng, dut, count = seeded("test_offers_stand"), RequestShare(), 300
    found = []

    async def reads(ctx):
        await feed(ctx, dut.reads, [request(n, 0) for n in range(count)],
                   lambda: rng.choice((0, 0, 2)))

    async def writes(ctx):
        await feed(ctx, dut.writes, [request(n, 1) for n in range(count)],
                   lambda: rng.choice((0, 0, 2)))

    async def siommu(ctx):
        await collect(ctx, dut.request, 2 * count, found, ready=lambda: rng.random() < .6,
                      look=lambda payload: (payload.write, payload.addr >> 12, payload.tag))
    simulate(dut, reads, writes, siommu, cycles=5000)
    for write in (0, 1):
        assert [one for one in found if one[0] == write] == [
            (write, n, n % 32 | write << 7) for n in range(count)]


def test_both_directions_take_turns():
    dut, found = RequestShare(), []

    async def reads(ctx):
        await feed(ctx, dut.reads, [request(n, 0) for n in range(20)])

    async def writes(ctx):
        await feed(ctx, dut.writes, [request(n, 1) for n in range(20)])

    async def siommu(ctx):
        await collect(ctx, dut.request, 40, found, look=lambda payload: payload.write)
    simulate(dut, reads, writes, siommu, cycles=60)
    assert all(one != next_ for one, next_ in zip(found, found[1:]))


def test_answers_go_where_their_tag_says():
    rng, dut = seeded("test_answers_go"), AnswerSplit(BridgeConfig(outstanding=32))

    async def testbench(ctx):
        ctx.set(dut.response.valid, 1)
        for cause in (*range(16), 0, 0, 0):
            slot, write, addr = rng.randrange(32), rng.randrange(2), rng.getrandbits(64)
            ctx.set(dut.response.payload, {
                "tag": slot | write << 7, "last": 1, "cause": cause, "disposition": 0,
                "addr": addr, "pages": 0, "read": 1, "write": 1, "size": 0})
            await ctx.delay(1e-9)
            assert ctx.get(dut.response.ready)
            answer, other = (dut.writes, dut.reads) if write else (dut.reads, dut.writes)
            assert ctx.get(answer.valid) and not ctx.get(other.valid)
            assert (ctx.get(answer.payload.slot), ctx.get(answer.payload.granted),
                    ctx.get(answer.payload.page)) == (slot, cause == 0, addr >> 12)
    simulate(clocked(dut), testbench)
