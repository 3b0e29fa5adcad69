"""Software's port: every debug translation is asked for once, and its answer is kept."""

from siommu.arch.formats import Cause, Size
from siommu.control.software import SoftwarePort

from ...support.simulate import seeded, simulate


async def core(ctx, dut, rng, seen, cycles):
    """A mock of the core: takes requests now and then, and answers each some cycles later."""
    waiting, held = [], None
    for now in range(cycles):
        ctx.set(dut.requests.ready, rng.random() < .5)
        await ctx.delay(2e-9)       # the others have set theirs
        if ctx.get(dut.requests.valid):
            payload = ctx.get(dut.requests.payload)
            offer = payload.as_bits()
            assert held is None or held == offer, "an offer changed"
            held = offer
            if ctx.get(dut.requests.ready):
                held = None
                seen.append((payload.addr, payload.write, payload.ft, payload.device,
                             payload.pasid, payload.pages))
                waiting.append((now + rng.randrange(1, 20), payload.tag, payload.addr))
        else:
            assert held is None, "an offer was withdrawn"
        due = next((item for item in waiting if item[0] <= now), None)
        ctx.set(dut.responses.valid, due is not None)
        if due:
            waiting.remove(due)
            fault = due[2] >> 12 & 1
            ctx.set(dut.responses.payload, {
                "tag": due[1], "last": 1, "addr": due[2] ^ 0xF000_0000, "read": not fault,
                "cause": Cause.NOT_PRESENT if fault else Cause.OK, "size": Size.PAGE_2M})
        await ctx.tick()


def test_every_question_gets_its_answer():
    rng = seeded("software/both")
    dut, seen = SoftwarePort(), []
    asked, results = [], []

    async def debug(ctx):
        for number in range(40):
            fields = {"addr": rng.getrandbits(63), "device": rng.getrandbits(16),
                      "pasid": rng.getrandbits(20), "write": number & 1, "ft": number >> 1 & 1}
            for name, value in fields.items():
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.go, 1)
            await ctx.tick()
            assert ctx.get(dut.busy)
            await ctx.tick()
            ctx.set(dut.addr, 0)            # looked at already; and one more "go" starts nothing
            ctx.set(dut.go, 0)
            asked.append((fields["addr"], fields["write"], fields["ft"], fields["device"],
                          fields["pasid"], 0))
            while ctx.get(dut.busy):
                await ctx.tick()
            fault = fields["addr"] >> 12 & 1
            result = ctx.get(dut.result)
            assert result.cause == (Cause.NOT_PRESENT if fault else Cause.OK)
            assert ctx.get(dut.phys) == (0 if fault else fields["addr"] ^ 0xF000_0000)
            results.append(fault)
            await ctx.tick().repeat(rng.randrange(1, 4))

    async def run(ctx):
        await core(ctx, dut, rng, seen, 4000)
    simulate(dut, run, debug, cycles=4100)
    assert len(results) == 40 and {0, 1} == set(results)
    assert seen == asked
