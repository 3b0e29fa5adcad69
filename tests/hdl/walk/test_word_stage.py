"""From a beat to its word: which lane, what counts as an error, and what stays beside it."""

import pytest

from siommu.arch.config import Config
from siommu.walk.state import Table
from siommu.walk.word_stage import WordStage

from ...support.simulate import simulate

WIDTHS = pytest.mark.parametrize("width", [64, 128, 256, 512])


def run(scenario, width=64):
    dut = WordStage(Config(walks=4, axi_data_width=width))

    async def bench(ctx):
        ctx.set(dut.moves, 1)
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=100)


async def word_of(ctx, dut, *, beat, decides=1, **record):
    """The word of the next cycle."""
    ctx.set(dut.beat, beat)
    ctx.set(dut.record, record)
    ctx.set(dut.decides, decides)
    await ctx.tick()
    assert ctx.get(dut.word.valid) == decides
    return ctx.get(dut.word.payload)


def lanes(width):
    """A beat whose words hold their own number, plus 1."""
    return sum((lane + 1) << 64 * lane for lane in range(width // 64))


@WIDTHS
def test_the_lane_of_a_word(width):
    """By the address of the entry, and of an entry of several words by how many have come; of a
    line, by the address alone."""
    async def scenario(ctx, dut):
        for first in range(8):
            for number in range(4):
                for line in (0, 1):
                    word = await word_of(
                        ctx, dut, beat={"id": 2, "data": lanes(width)},
                        state={"table": Table.CONTEXT, "entry": 8 * first, "line": line},
                        progress={"word": number})
                    wanted = (first + (0 if line else number)) % (width // 64)
                    assert (word.slot, word.content) == (2, wanted + 1)
    run(scenario, width)


@WIDTHS
def test_errors(width):
    """SLVERR, DECERR; and a line whose first beat shows that its length is wrong."""
    whole = width == 512        # a line is one beat

    async def scenario(ctx, dut):
        leaf = {"table": Table.PAGE_TABLE, "level": 1}
        for resp, last, line, failed in (
                (0, 1, 0, 0), (1, 1, 0, 0), (2, 1, 0, 1), (3, 1, 0, 1),
                (0, whole, 1, 0), (0, not whole, 1, 1), (2, whole, 1, 1)):
            word = await word_of(ctx, dut, beat={"resp": resp, "last": last},
                                 state={**leaf, "line": line})
            assert word.says.failed == failed, (resp, last, line)
            # an error of a whole beat of a line may be a neighbour's: the word is read alone
            assert word.says.alone == bool(line and resp & 2 and width > 64)
    run(scenario, width)


def test_what_is_reserved_is_that_of_the_wanted_word():
    async def scenario(ctx, dut):
        for lane in range(2):
            for reserved in range(2):
                word = await word_of(
                    ctx, dut, beat={"data": 0x801 << 64 * reserved, "last": 1},
                    state={"table": Table.DIRECTORY_LOW, "entry": 8 * lane})
                assert word.says.reserved == (lane == reserved)
                assert word.says.invalid == (lane != reserved)
    run(scenario, width=128)


def test_what_stays_beside_it():
    async def scenario(ctx, dut):
        key = {"device": 0x1234, "page": 0x777}
        ctx.set(dut.bounds, {"base": 0x100, "outside": 0xF000})
        ctx.set(dut.stale, 1)
        word = await word_of(ctx, dut, beat={}, key=key, reach={"beyond_7": 1},
                             progress={"present": 1}, state={"devid": 9})
        assert (word.key.page, word.state.devid, word.progress.present) == (0x777, 9, 1)
        assert (word.reach.beyond_7, word.out_of_range, word.stale) == (1, 1, 1)
        assert word.device_entry == 0x100000 + 16 * 0x1234
        # a beat that stays for its turns keeps what stands beside it; it decides nothing more
        ctx.set(dut.moves, 0)
        word = await word_of(ctx, dut, beat={}, decides=0, key={"page": 5})
        assert word.key.page == 0x777
    run(scenario)
