"""The words of lines on their way to the line buffer: which row they go to, and what an error on
one of them leaves."""

import pytest

from siommu.arch.config import Config
from siommu.walk.neighbours import Neighbours

from ...support.simulate import simulate

GRANTED = 0x8067        # P W U A D, page 8


def run(scenario, width=64):
    dut = Neighbours(Config(walks=4, axi_data_width=width))

    async def bench(ctx):
        ctx.set(dut.state, {"write": 1, "level": 1, "line": 1})
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=200)


async def passed(ctx, dut, *, slot=1, of_line=1, valid=1, **fields):
    """One beat; what is on ``words`` two cycles later, as (slot, row, enable, pages), or None."""
    ctx.set(dut.beat.valid, valid)
    ctx.set(dut.beat.payload, {"slot": slot, "of_line": of_line, **fields})
    await ctx.tick()
    ctx.set(dut.beat.valid, 0)
    await ctx.tick()
    words = ctx.get(dut.words)
    return (words.slot, words.row, words.enable, words.pages) if words.valid else None


@pytest.mark.parametrize("width", [64, 128, 256, 512])
@pytest.mark.parametrize("wanted", range(8))
def test_every_word_goes_to_its_place(width, wanted):
    """A burst begins with the beat that holds the wanted word, and wraps."""
    per_beat = width // 64

    async def scenario(ctx, dut):
        ctx.set(dut.state.entry, 0x1000 + 8 * wanted)
        seen = {}
        for count in range(8 // per_beat):
            first = (wanted // per_beat + count) * per_beat % 8
            data = sum((0x100 + first + lane << 12 | 0x67) << 64 * lane
                       for lane in range(per_beat))
            for turn in range(max(per_beat // 2, 1)):
                slot, row, enable, pages = await passed(ctx, dut, slot=3, data=data, count=count,
                                                        turn=turn)
                assert slot == 3
                for half in (0, 1):
                    if enable >> half & 1:
                        seen.setdefault(2 * row + half, []).append(pages[half].pfn)
                        assert pages[half].read and pages[half].write
        assert seen == {number: [0x100 + number] for number in range(8)}
    run(scenario, width)


@pytest.mark.parametrize("width", [64, 128, 256, 512])
@pytest.mark.parametrize("line", [0, 1])
def test_each_page_of_a_napot_mapping_is_its_own(width, line):
    """Both lines of a group of 64 KiB, the same entry sixteen times (§3.4)."""
    per_beat = width // 64

    async def scenario(ctx, dut):
        ctx.set(dut.state.entry_format, 1)
        ctx.set(dut.state.entry, 0x7_1380 + 64 * line + 8 * 5)
        word = 1 << 63 | (0x3210 << 4 | 8) << 10 | 0xD7
        seen = {}
        for count in range(8 // per_beat):
            for turn in range(max(per_beat // 2, 1)):
                _, row, enable, pages = await passed(
                    ctx, dut, data=sum(word << 64 * lane for lane in range(per_beat)),
                    count=count, turn=turn)
                seen.update({2 * row + half: pages[half].pfn for half in (0, 1)
                             if enable >> half & 1})
                assert all(pages[half].read & pages[half].write for half in (0, 1))
        assert seen == {number: 0x3_2100 + 8 * line + number for number in range(8)}
    run(scenario, width)


def test_an_error_takes_the_rights():
    async def scenario(ctx, dut):
        for error in (0, 1, 0):
            *_, enable, pages = await passed(ctx, dut, data=GRANTED, error=error)
            assert enable == 1
            assert (pages[0].pfn, pages[0].read, pages[0].write) == (8, 1 - error, 1 - error)
    run(scenario)


def test_rights_of_the_levels_above():
    async def scenario(ctx, dut):
        ctx.set(dut.ft, 1)
        ctx.set(dut.state.devid, 5)
        for write, no_read, word, rights in (
                (1, 0, 0x50_0000_0000_8467, (1, 1)), (0, 0, 0x50_0000_0000_8467, (1, 0)),
                (1, 1, 0x50_0000_0000_8467, (0, 1)), (1, 0, 0x40_0000_0000_8467, (0, 0)),
                (1, 0, 0x50_0000_0000_8067, (0, 0)), (1, 0, 0x50_0000_0000_8667, (0, 1))):
            ctx.set(dut.state.write, write)
            ctx.set(dut.state.no_read, no_read)
            *_, pages = await passed(ctx, dut, data=word)
            assert (pages[0].read, pages[0].write) == rights, hex(word)
    run(scenario)


def test_entries_of_other_tables_do_not_pass():
    async def scenario(ctx, dut):
        assert await passed(ctx, dut, data=GRANTED, of_line=0) is None
        assert await passed(ctx, dut, data=GRANTED, valid=0) is None
    run(scenario)
