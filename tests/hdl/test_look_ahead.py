"""The look-ahead of long requests: which lines are asked for, and when it stops."""

from siommu.config import Config
from siommu.look_ahead import LookAhead

from .simulate import seeded, simulate

SPACE = {"port": 1, "ft": 1, "write": 1, "device": 0x1234, "pasid": 0x54321}


def run(scenario):
    dut = LookAhead(Config())

    async def bench(ctx):
        ctx.set(dut.may_walk, 0b111)
        ctx.set(dut.silent.ready, 1)
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=20_000)


async def pulse(ctx, dut, **values):
    for name, value in values.items():
        ctx.set(getattr(dut, name), value)
    await ctx.tick()
    for name in values:
        ctx.set(getattr(dut, name), {} if name == "operation" else 0)


async def begin(ctx, dut, addr, pages):
    await pulse(ctx, dut, begin=1, operation={**SPACE, "addr": addr, "pages": pages, "tag": 9,
                                              "reserved": 1, "claims": 1})


async def offered(ctx, dut, cycles=6):
    """The next look-ahead, taken; None when there is none."""
    for _ in range(cycles):
        if ctx.get(dut.silent.valid) and ctx.get(dut.silent.ready):
            payload = ctx.get(dut.silent.payload)
            await ctx.tick()
            assert not ctx.get(dut.silent.valid), "another one before the answer"
            return payload
        await ctx.tick()
    return None


def test_asks_for_every_further_line_once():
    rng = seeded("look_ahead")

    async def scenario(ctx, dut):
        for _ in range(40):
            page = rng.getrandbits(52) if rng.random() < .7 else rng.getrandbits(9)
            page = min(page, (1 << 52) - 300)
            pages = rng.choice([0, 1, 7, 8, 255, rng.randrange(256)])
            await begin(ctx, dut, page << 12 | 0x123, pages)
            expected = [line << 15 for line in range((page >> 3) + 1, (page + pages >> 3) + 1)]
            found = []
            while (silent := await offered(ctx, dut)) is not None:
                assert silent.silent and not silent.reserved and not silent.claims
                assert silent.pages == 0
                for name, value in SPACE.items():
                    assert getattr(silent, name) == value
                if rng.random() < .3:       # no slot was free: the same one comes again
                    await pulse(ctx, dut, refused=1)
                else:
                    found.append(silent.addr)
                    await pulse(ctx, dut, passed=1)
            assert found == expected
            assert not ctx.get(dut.active)
    run(scenario)


def test_stops():
    async def scenario(ctx, dut):
        await begin(ctx, dut, 0, 255)
        assert (await offered(ctx, dut)).addr == 0x8000
        await pulse(ctx, dut, stop=1)
        await ctx.tick()
        assert not ctx.get(dut.active) and await offered(ctx, dut) is None
        await begin(ctx, dut, 0x100000, 8)
        assert (await offered(ctx, dut)).addr == 0x108000
    run(scenario)


def test_waits_until_the_port_may_walk():
    async def scenario(ctx, dut):
        ctx.set(dut.may_walk, 0b101)
        await begin(ctx, dut, 0, 16)
        assert await offered(ctx, dut) is None and ctx.get(dut.active)
        ctx.set(dut.may_walk, 0b010)
        assert (await offered(ctx, dut)).addr == 0x8000
    run(scenario)


def test_follows_one_request_at_a_time():
    async def scenario(ctx, dut):
        await begin(ctx, dut, 0, 8)
        await begin(ctx, dut, 0x700000, 255)
        assert (await offered(ctx, dut)).addr == 0x8000
        await begin(ctx, dut, 0x700000, 255)
        await pulse(ctx, dut, passed=1)
        assert await offered(ctx, dut) is None and not ctx.get(dut.active)
    run(scenario)
