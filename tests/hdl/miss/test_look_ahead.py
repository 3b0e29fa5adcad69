"""The look-ahead of long requests: which lines are asked for, and when it stops."""

from siommu.arch.config import Config
from siommu.miss.look_ahead import LookAhead
from siommu.pipeline.operation import JOINS_NOTHING

from ...support.simulate import seeded, simulate

SPACE = {"port": 1, "ft": 1, "write": 1, "device": 0x1234, "pasid": 0x54321}


def run(scenario):
    dut = LookAhead(Config())

    async def bench(ctx):
        ctx.set(dut.may_walk, 0b111)
        ctx.set(dut.operations.ready, 1)
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=20_000)


async def pulse(ctx, dut, **values):
    def signal(name):
        act = name in ("passed", "refused", "stop", "took", "looks")
        return getattr(dut.act if act else dut, name)
    for name, value in values.items():
        ctx.set(signal(name), value)
    await ctx.tick()
    for name in values:
        ctx.set(signal(name), {} if name == "operation" else 0)


async def begin(ctx, dut, addr, pages):
    """An operation in ACT, of which it is known a cycle later that it deserves look-aheads."""
    await pulse(ctx, dut, operation={**SPACE, "addr": addr, "pages": pages, "tag": 9,
                                     "reserved": 1, "claims": 1})
    await pulse(ctx, dut, looks=1, operation={"addr": ~addr & 0xffff_f000})


async def offered(ctx, dut, cycles=6):
    """The next look-ahead, taken; None when there is none."""
    for _ in range(cycles):
        if ctx.get(dut.operations.valid) and ctx.get(dut.operations.ready):
            payload = ctx.get(dut.operations.payload)
            await ctx.tick()
            assert not ctx.get(dut.operations.valid), "another one before the answer"
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
                assert silent.speculative and not silent.reserved and not silent.claims
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


def test_a_prefetch():
    """The leader first. When its walk, if it took one, ends with a line, all others follow, one for
    each further line; else nothing. It is done when its last walk has ended."""
    rng = seeded("look_ahead/prefetch")

    async def scenario(ctx, dut):
        seen = set()
        for _ in range(60):
            n = rng.randrange(9)
            page = rng.getrandbits(52) >> n << n
            asked = {"ft": rng.getrandbits(1), "device": rng.getrandbits(16),
                     "pasid": rng.getrandbits(20), "page": page, "n": n}
            ctx.set(dut.prefetch.asked.payload, asked)
            ctx.set(dut.may_walk, 0)                # its operations wait elsewhere
            ctx.set(dut.prefetch.asked.valid, 1)
            assert ctx.get(dut.prefetch.asked.ready) and not ctx.get(dut.active)
            await ctx.tick()
            ctx.set(dut.prefetch.asked.valid, 0)
            lines = max(1, 1 << n - 3 if n > 3 else 1)
            expected = [max(page >> 3 << 3, page) if not line else (page >> 3) + line << 3
                        for line in range(lines)]
            found = []
            while (silent := await offered(ctx, dut)) is not None:
                assert silent.speculative and silent.tries == JOINS_NOTHING and not silent.pages
                assert (silent.port, silent.write) == (Config().ports, 0)
                assert (silent.ft, silent.device, silent.pasid) == (
                    asked["ft"], asked["device"], asked["pasid"])
                assert ctx.get(dut.act.prefetches) and ctx.get(dut.act.leads) == (not found)
                found.append(silent.addr >> 12)
                await ctx.tick().repeat(rng.randrange(1, 20))
                walks = rng.random() < .7
                await pulse(ctx, dut, passed=1, took=int(walks))
                if walks and len(found) == 1:
                    ctx.set(dut.walking, 1)
                    assert await offered(ctx, dut, 20) is None, "the leader's walk is under way"
                    from_line = rng.random() < .7
                    await pulse(ctx, dut, walked=1, from_line=int(from_line))
                    seen.add(from_line)
                    if not from_line:
                        expected = expected[:1]
            assert found == expected
            if ctx.get(dut.walking):
                for _ in range(20):
                    assert not ctx.get(dut.prefetch.done) and ctx.get(dut.active)
                    await ctx.tick()
                ctx.set(dut.walking, 0)
            done = 0
            for _ in range(10):
                done += ctx.get(dut.prefetch.done)
                await ctx.tick()
            assert done <= 1 and not ctx.get(dut.active)
        assert seen == {True, False}
    run(scenario)


def test_an_abandoned_prefetch_ends():
    """When the caches are flushed, no more is sent; what was sent is waited for."""
    async def scenario(ctx, dut):
        ctx.set(dut.prefetch.asked.payload, {"page": 0x4200, "n": 8})
        ctx.set(dut.prefetch.asked.valid, 1)
        await ctx.tick()
        ctx.set(dut.prefetch.asked.valid, 0)
        assert (await offered(ctx, dut)) is not None
        await pulse(ctx, dut, abandon=1)
        for _ in range(30):
            assert not ctx.get(dut.prefetch.done) and not ctx.get(dut.operations.valid)
            await ctx.tick()
        await pulse(ctx, dut, passed=1)
        done = 0
        for _ in range(10):
            done += ctx.get(dut.prefetch.done)
            await ctx.tick()
        assert done == 1 and not ctx.get(dut.active)
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
