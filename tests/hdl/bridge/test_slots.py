import pytest

from siommu.arch.config import BridgeConfig
from siommu.bridge.slots import Slots

from ...support.simulate import seeded, simulate
from .bench import collect


@pytest.mark.parametrize("outstanding", [1, 3, 8, 32])
def test_bursts_leave_in_their_order_however_answers_come(outstanding):
    rng, dut = seeded(f"test_bursts_leave_{outstanding}"), Slots(BridgeConfig(
        outstanding=outstanding))
    count, asked, found = 300, {}, []
    bursts = [{"refused": number >= 40 and rng.random() < .2, "granted": rng.randrange(2),
               "page": rng.getrandbits(52), "offset": rng.getrandbits(12)}
              for number in range(count)]

    async def admission(ctx):
        for number, each in enumerate(bursts):
            for _ in range(rng.choice((0, 0, 0, 3))):
                await ctx.tick()
            while not ctx.get(dut.room):
                await ctx.tick()
            slot = ctx.get(dut.slot)
            assert slot not in asked
            ctx.set(dut.admit.payload.header, {
                "id": number % 16, "offset": each["offset"], "len": number % 256, "size": 0,
                "burst": 0, "lock": 0, "cache": 0, "prot": 0, "qos": 0, "region": 0})
            ctx.set(dut.admit.payload.refused, each["refused"])
            ctx.set(dut.admit.valid, 1)
            await ctx.tick()
            ctx.set(dut.admit.valid, 0)
            if not each["refused"]:
                asked[slot] = each

    async def siommu(ctx):
        while ctx.get(dut.room):            # all slots are taken once
            await ctx.tick()
        while len(found) < count:
            ctx.set(dut.answer.valid, 0)
            if asked and rng.random() < .6:
                slot = rng.choice(sorted(asked))
                each = asked.pop(slot)
                ctx.set(dut.answer.payload, {"slot": slot, "granted": each["granted"],
                                             "page": each["page"]})
                ctx.set(dut.answer.valid, 1)
            await ctx.tick()

    async def leaving(ctx):
        await collect(ctx, dut.oldest, count, found, ready=lambda: rng.random() < .7,
                      look=lambda burst: (burst.header.len, burst.header.offset, burst.granted,
                                          burst.granted and burst.page))
    simulate(dut, leaving, siommu, admission, cycles=20000)
    assert found == [(number % 256, each["offset"], granted, granted and each["page"])
                     for number, each in enumerate(bursts)
                     for granted in [int(each["granted"] and not each["refused"])]]


def test_an_answer_is_offered_a_cycle_later_and_the_slot_is_free_after():
    dut = Slots(BridgeConfig(outstanding=1))

    async def testbench(ctx):
        ctx.set(dut.oldest.ready, 1)
        ctx.set(dut.admit.valid, 1)
        assert ctx.get(dut.room)
        slot = ctx.get(dut.slot)
        await ctx.tick()
        ctx.set(dut.admit.valid, 0)
        assert not ctx.get(dut.room) and not ctx.get(dut.oldest.valid)
        ctx.set(dut.answer.payload, {"slot": slot, "granted": 1, "page": 5})
        ctx.set(dut.answer.valid, 1)
        await ctx.tick()
        ctx.set(dut.answer.valid, 0)
        assert ctx.get(dut.oldest.valid) and ctx.get(dut.oldest.payload.page) == 5
        assert not ctx.get(dut.room)
        await ctx.tick()
        assert ctx.get(dut.room) and not ctx.get(dut.oldest.valid)
    simulate(dut, testbench)
