import pytest
from amaranth.hdl import Module, Mux, Signal

from siommu.arch.config import Config
from siommu.arch.formats import Cause, Disposition, Size
from siommu.lib.structs import assign
from siommu.pipeline.operation import Operation
from siommu.pipeline.sizes import LINE_BITS
from siommu.response.resolve import Lengths, Resolver, ends_by, lengths, mapped, rest_of

from ...support.simulate import seeded, simulate

SPAN = {Size.PAGE_4K: 1, Size.PAGE_2M: 512, Size.PAGE_1G: 512 * 512}
WRAP = 1 << 64


def run(cases):
    """Drive ``cases`` of (operation, outcome) and hand what came out to ``check``."""
    m = Module()
    m.submodules.dut = dut = Resolver(Config())
    rest = Signal(Operation)
    rest_of(m, rest, dut.operation, Mux(dut.more, dut.beat.pages, 0), dut.more)
    m.d.comb += assign(dut.lengths, lengths(dut.operation))
    m.d.comb += assign(dut.mapped, mapped(dut.outcome))
    m.d.comb += dut.short.eq(dut.operation.pages[:LINE_BITS] <= dut.outcome.extent)
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for operation, outcome, check in cases:
            ctx.set(dut.operation, operation)
            ctx.set(dut.outcome, outcome)
            await ctx.delay(1e-9)
            check(ctx.get(dut.beat), ctx.get(dut.more), ctx.get(rest))
    simulate(m, bench)


def test_runs_that_end_in_their_line():
    """From every page, for up to eight pages, against every last page of a run behind it."""
    m = Module()
    operation, known, last, ends = Signal(Operation), Signal(Lengths), Signal(LINE_BITS), Signal()
    m.d.comb += [*assign(known, lengths(operation)), ends.eq(ends_by(known, last))]
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for page in range(8):
            for pages in range(8):
                ctx.set(operation, {"addr": 0xF_FFF0_0ABC + (page << 12), "pages": pages})
                for end in range(page, 8):
                    ctx.set(last, end)
                    await ctx.delay(1e-9)
                    assert ctx.get(ends) == (page + pages <= end)
    simulate(m, bench)


def test_grants():
    """Address, length and rights of the run, and what is left, for mappings of every size; of
    4 KiB pages, contiguous neighbours that the outcome knows of belong to the run."""
    rng = seeded("resolve")
    cases = []
    for _ in range(600):
        size = rng.choice(list(SPAN))
        span = SPAN[size]
        extent = rng.randrange(8)    # has no meaning but for 4 KiB
        addr, pages, pfn = rng.getrandbits(64), rng.choice([0, 1, 6, 7, 255, rng.randrange(256)]), \
            rng.getrandbits(40)
        if size == Size.PAGE_1G and rng.random() < .5:
            pfn &= ~(1 << 17)   # else it is a part of a larger leaf, and the next GiB follows
        if rng.random() < .5:  # near the mapping's end
            end = (addr >> 12) // span * span + span
            addr = ((end - rng.randint(1, min(span, 300))) << 12 | addr & 0xfff) % WRAP
        rights = tuple(rng.getrandbits(1) for _ in range(2))

        def check(beat, more, rest, addr=addr, pages=pages, pfn=pfn, span=span, size=size,
                  extent=extent, rights=rights):
            left = span - (addr >> 12) % span if size != Size.PAGE_4K else extent + 1
            if size == Size.PAGE_1G and pfn >> 17 & 1:
                left = 256
            expected = min(left, pages + 1)
            base = pfn // span * span << 12
            assert beat.cause == Cause.OK and beat.disposition == Disposition.DENY
            assert beat.addr == base + addr % (span << 12)
            assert beat.pages == expected - 1
            assert (beat.read, beat.write, beat.size, beat.tag) == (*rights, size, 0x5A)
            assert more == (expected != pages + 1) and beat.last == (not more)
            if more:
                assert rest.addr == ((addr >> 12) + expected << 12) % WRAP
                assert rest.pages == pages - expected
                assert (rest.port, rest.tag, rest.ft, rest.write) == (3, 0x5A, 1, 0)
                assert (rest.device, rest.pasid) == (0xBEEF, 0xABCDE)
                # a new beginning: nothing of the passes before it
                assert not (rest.reserved or rest.claims or rest.in_time or rest.tries
                            or rest.skip_second_level or rest.speculative)
            else:       # it is left as it is
                assert (rest.addr, rest.pages, rest.slot, rest.tries) == (addr, pages, 5, 2)
                assert rest.reserved and rest.claims and rest.in_time and rest.skip_second_level

        cases.append((
            {"port": 3, "tag": 0x5A, "ft": 1, "device": 0xBEEF, "pasid": 0xABCDE, "reserved": 1,
             "claims": 1, "in_time": 1, "tries": 2, "skip_second_level": 1, "slot": 5,
             "addr": addr, "pages": pages},
            {"cause": Cause.OK, "pfn": pfn, "extent": extent,
             "rights": {"size": size, "read": rights[0], "write": rights[1], "dirty": 1}}, check))
    run(cases)


def test_bypass_is_one_run():
    def check(beat, more, rest):
        assert (beat.addr, beat.pages, beat.size, more) == (0xFFFF_FFFF_FFFF_F123, 255,
                                                            Size.BYPASS, 0)
        assert beat.last and beat.read and beat.write
    run([({"addr": 0xFFFF_FFFF_FFFF_F123, "pages": 255},
          {"rights": {"size": Size.BYPASS, "read": 1, "write": 1, "dirty": 1}}, check)])


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause != Cause.OK])
def test_faults_end_the_request(cause):
    def check(beat, more, rest):
        assert beat.cause == cause and beat.disposition == Disposition.OS
        assert (beat.addr, beat.pages, beat.read, beat.write) == (0x123456789, 0, 0, 0)
        assert beat.size == Size.PAGE_4K and beat.last and not more
    run([({"addr": 0x123456789, "pages": 9},
          {"cause": cause, "disposition": Disposition.OS, "pfn": 77, "extent": 3,
           "rights": {"size": Size.PAGE_2M, "read": 1, "write": 1}}, check)])
