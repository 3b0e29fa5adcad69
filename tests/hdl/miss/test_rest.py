"""What waits, on its way into the replay queue: of which slot's fault it is the answer."""

from amaranth.lib import data

from siommu.arch.config import Config
from siommu.miss.fate import Fate
from siommu.miss.replay import Reason
from siommu.miss.rest import Rest
from siommu.pipeline.keys import PARTIAL_BITS, WalkKey, partial_tag

from ...support.simulate import one_bit_off, seeded, simulate

KEY = {"ft": 1, "write": 0, "device": 0x8003, "pasid": 0x40a04, "page": 0x9_0000_0000_5678}
FIELDS = (("ft", 1), ("write", 1), ("device", 16), ("pasid", 20), ("page", 52))


async def parked(ctx, dut, key, *, joined, own=KEY, known=1):
    """An operation for the page of ``own`` that waits, in time for the fault of a slot of ``key``;
    it joined that one in this pass or in an earlier one, and the key is known or not. Whether it
    still is."""
    operation = {name: value for name, value in own.items() if name != "page"}
    remainder = dut.remainder
    ctx.set(remainder.left, {"fate": Fate.PARK, "reason": Reason.JOINED})
    ctx.set(remainder.operation, {**operation, "addr": own["page"] << 12, "in_time": 1})
    ctx.set(remainder.joined, joined)
    ctx.set(dut.joined_key, key)
    ctx.set(dut.joined_known, known)
    await ctx.tick()
    ctx.set(remainder.left, {"fate": Fate.NONE})
    assert ctx.get(dut.waits.push) and ctx.get(dut.waits.reason) == Reason.JOINED
    await ctx.tick()
    return bool(ctx.get(dut.operation.in_time))


def test_only_a_slot_of_the_very_page_has_its_fault():
    """Whatever bit differs; but a claim of an earlier pass is not looked at again."""
    dut = Rest(Config())

    async def bench(ctx):
        assert await parked(ctx, dut, KEY, joined=1)
        assert not await parked(ctx, dut, KEY, joined=1, known=0)
        assert await parked(ctx, dut, KEY, joined=0, known=0)
        for field, bit, key in one_bit_off(KEY, FIELDS):
            assert not await parked(ctx, dut, key, joined=1), f"{field} bit {bit}"
            assert await parked(ctx, dut, key, joined=0)
    simulate(dut, bench, cycles=1000)


def test_keys_of_equal_partial_tags():
    """Two keys that differ in bits that fold onto each other: the tags cannot tell them apart."""
    dut, rng = Rest(Config()), seeded("rest")

    def tag(key):
        return partial_tag(data.View(WalkKey, WalkKey.const(key).as_value()))

    async def bench(ctx):
        for _ in range(20):
            own = {name: rng.getrandbits(width) for name, width in FIELDS}
            bit = rng.randrange(PARTIAL_BITS)
            # the line's lowest bits lie on the PASID's highest ones
            twin = {**own, "page": own["page"] ^ 8 << bit,
                    "pasid": own["pasid"] ^ 1 << PARTIAL_BITS - 1 - bit}
            for name, value in tag(own).items():
                assert ctx.get(value) == ctx.get(tag(twin)[name]), name
            assert not await parked(ctx, dut, twin, joined=1, own=own)
    simulate(dut, bench, cycles=1000)
