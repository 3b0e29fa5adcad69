import pytest

from siommu.formats import Cause, Disposition, Size
from siommu.resolve import Resolver

from .simulate import seeded, simulate

SPAN = {Size.PAGE_4K: 1, Size.PAGE_2M: 512, Size.PAGE_1G: 512 * 512}


def run(cases):
    """Drive ``cases`` of (operation, outcome) and yield what came out to ``check``."""
    dut = Resolver()

    async def bench(ctx):
        for operation, outcome, check in cases:
            ctx.set(dut.operation, operation)
            ctx.set(dut.outcome, outcome)
            await ctx.delay(1e-9)
            check(ctx.get(dut.beat), ctx.get(dut.more), ctx.get(dut.rest))
    from amaranth.hdl import Module, Signal
    m = Module()
    m.submodules += dut
    m.d.sync += Signal().eq(0)
    simulate(m, bench)


def test_grants():
    rng = seeded("resolve")
    cases = []
    for _ in range(400):
        size = rng.choice(list(SPAN))
        span = SPAN[size]
        addr, pages, pfn = rng.getrandbits(64), rng.choice([0, 1, 7, 255, rng.randrange(256)]), \
            rng.getrandbits(40)
        if rng.random() < .5:  # near the mapping's end
            end = (addr >> 12) // span * span + span
            addr = ((end - rng.randint(1, min(span, 300))) << 12 | addr & 0xfff) % (1 << 64)

        def check(beat, more, rest, addr=addr, pages=pages, pfn=pfn, span=span, size=size):
            left = span - (addr >> 12) % span
            expected = min(left, pages + 1)
            base = pfn // span * span << 12
            assert beat.cause == Cause.OK and beat.disposition == Disposition.DENY
            assert beat.addr == base + addr % (span << 12)
            assert beat.pages == expected - 1
            assert (beat.read, beat.write, beat.size, beat.tag) == (1, 0, size, 0x5A)
            assert more == (expected != pages + 1) and beat.last == (not more)
            if more:
                assert rest.addr == ((addr >> 12) + expected << 12) % (1 << 64)
                assert rest.pages == pages - expected
                assert (rest.port, rest.tag, rest.ft, rest.write) == (3, 0x5A, 1, 0)
                assert (rest.device, rest.pasid, rest.reserved) == (0xBEEF, 0xABCDE, 0)

        cases.append((
            {"port": 3, "tag": 0x5A, "ft": 1, "device": 0xBEEF, "pasid": 0xABCDE, "reserved": 1,
             "addr": addr, "pages": pages},
            {"cause": Cause.OK, "pfn": pfn, "size": size, "read": 1, "dirty": 1}, check))
    run(cases)


def test_bypass_is_one_run():
    def check(beat, more, rest):
        assert (beat.addr, beat.pages, beat.size, more) == (0xFFFF_FFFF_FFFF_F123, 255,
                                                            Size.BYPASS, 0)
    run([({"addr": 0xFFFF_FFFF_FFFF_F123, "pages": 255},
          {"size": Size.BYPASS, "read": 1, "write": 1, "dirty": 1}, check)])


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause != Cause.OK])
def test_faults_end_the_request(cause):
    def check(beat, more, rest):
        assert beat.cause == cause and beat.disposition == Disposition.OS
        assert (beat.addr, beat.pages, beat.read, beat.write) == (0x123456789, 0, 0, 0)
        assert beat.size == Size.PAGE_4K and beat.last and not more
    run([({"addr": 0x123456789, "pages": 9},
          {"cause": cause, "disposition": Disposition.OS, "pfn": 77, "read": 1, "write": 1,
           "size": Size.PAGE_2M}, check)])
