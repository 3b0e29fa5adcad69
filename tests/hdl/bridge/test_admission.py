import pytest

from siommu.arch.config import BridgeConfig
from siommu.arch.formats import Request
from siommu.bridge.admission import Admission
from siommu.bridge.channels import ATTRIBUTES

from ...support.simulate import seeded, simulate
from .bench import burst, clocked

CONFIG = BridgeConfig(outstanding=8)


@pytest.mark.parametrize("write", [False, True])
def test_a_burst_becomes_a_request_for_its_page(write):
    rng, dut = seeded("test_a_burst_becomes_a_request_for_its_page"), Admission(CONFIG, write)

    async def testbench(ctx):
        ctx.set(dut.room, 1)
        for _ in range(100):
            address = burst(addr=rng.getrandbits(64) & -8, **{
                name: rng.getrandbits(width) for name, width in ATTRIBUTES.items()
                if name not in ("len", "size", "burst")}, id=rng.randrange(16))
            device, pasid, slot = rng.getrandbits(16), rng.getrandbits(20), rng.randrange(8)
            ready = rng.randrange(2)
            ctx.set(dut.bursts.payload, {"address": address, "device": device, "pasid": pasid})
            ctx.set(dut.bursts.valid, 1)
            ctx.set(dut.slot, slot)
            ctx.set(dut.request.ready, ready)
            await ctx.delay(1e-9)
            assert ctx.get(dut.request.valid)
            assert ctx.get(dut.request.payload) == Request.const({
                "ft": 0, "write": int(write), "device": device, "pasid": pasid,
                "addr": address["addr"], "pages": 0, "tag": slot | write << 7})
            # It enters its slot in the cycle in which it is asked for, and no other one.
            assert ctx.get(dut.bursts.ready) == ctx.get(dut.admit.valid) == ready
            header = ctx.get(dut.admit.payload.header)
            assert header.offset == address["addr"] % 4096 and not ctx.get(
                dut.admit.payload.refused)
            assert all(header[name] == address[name] for name in ("id", *ATTRIBUTES))
            await ctx.tick()
    simulate(clocked(dut), testbench)


def test_an_illegal_burst_enters_without_a_request():
    dut = Admission(CONFIG, write=True)

    async def testbench(ctx):
        crossing = burst(addr=0x1FF8, len=1)
        ctx.set(dut.bursts.payload, {"address": crossing, "device": 0, "pasid": 0})
        ctx.set(dut.bursts.valid, 1)
        for room in (0, 1):
            ctx.set(dut.room, room)
            await ctx.delay(1e-9)
            assert not ctx.get(dut.request.valid)
            assert ctx.get(dut.admit.valid) == ctx.get(dut.bursts.ready) == room
        assert ctx.get(dut.admit.payload.refused)
    simulate(clocked(dut), testbench)


def test_without_a_slot_nothing_is_asked():
    dut = Admission(CONFIG, write=False)

    async def testbench(ctx):
        ctx.set(dut.bursts.payload, {"address": burst(), "device": 0, "pasid": 0})
        ctx.set(dut.bursts.valid, 1)
        ctx.set(dut.request.ready, 1)
        await ctx.delay(1e-9)
        assert not ctx.get(dut.request.valid)
        assert not ctx.get(dut.bursts.ready) and not ctx.get(dut.admit.valid)
    simulate(clocked(dut), testbench)
