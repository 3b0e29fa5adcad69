"""The second-level TLB: hits and rights of every page, damage, and lines replaced under way."""

import pytest
from amaranth.lib import data
from amaranth.utils import exact_log2

from siommu.arch.config import Config
from siommu.pipeline.keys import LineKey
from siommu.pipeline.sizes import LINE_ROWS as ROWS
from siommu.pipeline.timetable import ROW_AFTER_TAG, Line
from siommu.tlb.second_level import SecondLevelTlb, line_index, line_sets

from ...support.simulate import one_bit_off, recorded_memories, seeded, simulate

CONFIG = Config(l2_entries=128)
KEY = {"ft": 1, "device": 0x1234, "pasid": 0x54321, "line": 0x2_9876_5432, "canonical": 1}
PAGES = [(0x10 + 3 * index, index & 1, index >> 1 & 1, 1, index % 3) for index in range(8)]
FIELDS = ("pfn", "read", "write", "dirty", "extent")


def rights(pages):
    return {"readable": sum(page[1] << i for i, page in enumerate(pages)),
            "writable": sum((page[2] & page[3]) << i for i, page in enumerate(pages))}


def set_of(ctx, line):
    """The set of a line."""
    key = data.View(LineKey, LineKey.const(line).as_value())
    return ctx.get(line_index(key, exact_log2(line_sets(CONFIG))))


async def cycle(ctx, dut, cycle, line, pages, way):
    """Cycle ``cycle`` of a fill, as ``TableLines`` times it."""
    off, on, row = cycle == Line.TAG_OFF, cycle == Line.TAG_ON, cycle - Line.FIRST_ROW
    ctx.set(dut.fill.tag.valid, off or on)
    ctx.set(dut.fill.tag.payload, {"on": on, "way": way, "key": line, "rights": rights(pages)})
    ctx.set(dut.fill.row.valid, 0 <= row < ROWS)
    if 0 <= row < ROWS:
        ctx.set(dut.fill.row.payload, {
            "way": way, "set": set_of(ctx, line), "number": row,
            "pages": [dict(zip(FIELDS, page)) for page in pages[2 * row:2 * row + 2]]})


async def fill(ctx, dut, line=KEY, pages=PAGES, way=2):
    for number in range(Line.TAG_ON + 2):
        await cycle(ctx, dut, number, line, pages, way)
        await ctx.tick()


async def look_up(ctx, dut, line=KEY, page=0, write=0, flush=None):
    """(outcome fields or None, damaged)"""
    for number in range(3):
        ctx.set(dut.flush, number == flush)
        ctx.set(dut.look_up.key, line if number == 0 else {})
        ctx.set(dut.look_up.compared, line if number == 2 else {})
        ctx.set(dut.look_up.page, page if number == 2 else ~page & 7)
        ctx.set(dut.look_up.write, write if number == 2 else 1 - write)
        await ctx.tick()
    ctx.set(dut.flush, 0)
    ctx.set(dut.look_up.compared, {})
    hit = ctx.get(dut.look_up.hit)
    await ctx.tick().repeat(2)
    outcome = ctx.get(dut.look_up.outcome)
    allowed = outcome.rights
    found = outcome.pfn, allowed.read, allowed.write, allowed.dirty, outcome.extent
    return (found if hit else None), ctx.get(dut.look_up.damaged)


def run(scenario, cycles=6000):
    dut = SecondLevelTlb(CONFIG)

    async def bench(ctx):
        await ctx.tick().repeat(10)
        assert not ctx.get(dut.sweeping)
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=cycles)


def test_pages_and_rights():
    async def scenario(ctx, dut):
        for way in range(4):
            await fill(ctx, dut, way=way)
            for page in range(8):
                for write in (0, 1):
                    found, _ = await look_up(ctx, dut, page=page, write=write)
                    allowed = PAGES[page][2] if write else PAGES[page][1]
                    assert found == (PAGES[page] if allowed else None), (page, write)
        clean = [(*page[:3], 0, page[4]) for page in PAGES]
        await fill(ctx, dut, pages=clean)
        ways = [await look_up(ctx, dut, page=3, write=write) for write in (0, 1)]
        assert ways[0][0] is not None, "D matters to a write alone"
    run(scenario)


def test_every_field_of_the_key_counts():
    async def scenario(ctx, dut):
        pages = [(index, 1, 1, 1, 0) for index in range(8)]
        await fill(ctx, dut, pages=pages)
        assert (await look_up(ctx, dut, page=5))[0] == (5, 1, 1, 1, 0)
        for field, bit, key in one_bit_off(KEY, (
                ("ft", 1), ("device", 16), ("pasid", 20), ("line", 42), ("canonical", 1))):
            found, _ = await look_up(ctx, dut, key)
            assert found is None, f"{field} bit {bit}"
    run(scenario)


def test_a_flush_drops_lines_and_look_ups():
    async def scenario(ctx, dut):
        for flush in (0, 1, 2):
            await fill(ctx, dut)
            assert (await look_up(ctx, dut, page=1))[0] is not None
            assert (await look_up(ctx, dut, page=1, flush=flush))[0] is None
            for _ in range(4):
                assert (await look_up(ctx, dut, page=1))[0] is None
    run(scenario)


def test_damaged_rows_and_tags(monkeypatch):
    """Whatever bit of a row flips is noticed, and of a tag it is a miss and an error."""
    made = recorded_memories(monkeypatch)

    def flipped(ctx, row, bit):
        ctx.set(row, ctx.get(row) ^ 1 << bit)

    async def scenario(ctx, dut):
        pages = [(index, 1, 1, 1, 0) for index in range(8)]
        await fill(ctx, dut, pages=pages)
        rows = max(made, key=lambda ram: ram.data.depth)
        tags = [ram for ram in made if ram is not rows]
        used = [number for number in range(rows.data.depth) if ctx.get(rows.data[number])]
        assert len(used) == ROWS
        row = rows.data[used[1]]
        for bit in range(len(row)):
            flipped(ctx, row, bit)
            assert (await look_up(ctx, dut, page=2))[1], f"bit {bit} of a row"
            assert not (await look_up(ctx, dut, page=4))[1], "the next row is sound"
            flipped(ctx, row, bit)
        assert await look_up(ctx, dut, page=2) == (pages[2], 0)
        tag = next(tags[2].data[number] for number in range(tags[2].data.depth)
                   if ctx.get(tags[2].data[number]))
        for bit in range(0, len(tag), 3):
            flipped(ctx, tag, bit)
            assert (await look_up(ctx, dut, page=2))[0] is None, f"bit {bit} of a tag"
            flipped(ctx, tag, bit)
        assert (await look_up(ctx, dut, page=2))[0] == pages[2]
    run(scenario)


def test_lines_are_replaced_under_continuous_look_ups():
    """A line makes room for another one of its set, and way, while both are looked up in every
    cycle: an old tag is never answered with new data, nor a new tag with old."""
    rng = seeded("second_level/replace")

    async def scenario(ctx, dut):
        # the set of a line is a hash; lines that differ by what folds to 0 share it
        first, second = dict(KEY, line=0x40), dict(KEY, line=0x40 ^ 0b0101)
        await fill(ctx, dut, first, [(1, 1, 1, 1, 0)] * 8, 1)
        await fill(ctx, dut, second, [(1, 1, 1, 1, 0)] * 8, 1)
        assert (await look_up(ctx, dut, first))[0] is None, "they share a set"
        asked, hits = [], {0x40: 0, second["line"]: 0}
        number, version = 99, 0
        for now in range(4000):
            if number > 12:
                number, version = 0, version + 1
                target = first if version & 1 else second
                pages = [(version << 8 | (target["line"] & 0xF) << 4 | index, 1, 1, 1, 0)
                         for index in range(8)]
            await cycle(ctx, dut, number, target, pages, 1)
            number += 1
            line, page = rng.choice((first, second)), rng.randrange(8)
            ctx.set(dut.look_up.key, line)
            asked.append((line, page))
            if len(asked) > 2:
                ctx.set(dut.look_up.compared, asked[-3][0])
                ctx.set(dut.look_up.page, asked[-3][1])
            if len(asked) > 8:
                line, page = asked[-6]
                if hit_of[now - 2]:
                    pfn = ctx.get(dut.look_up.outcome).pfn
                    hits[line["line"]] += 1
                    assert not ctx.get(dut.look_up.damaged)
                    assert pfn & 0xF == page and pfn >> 4 & 0xF == line["line"] & 0xF, \
                        "the data of the other line"
            hit_of[now] = ctx.get(dut.look_up.hit)
            await ctx.tick()
        for line in (asked[-2][0], asked[-1][0], {}):       # the last ones pass
            ctx.set(dut.look_up.key, {})
            ctx.set(dut.look_up.compared, line)
            await ctx.tick()
        assert all(count > 50 for count in hits.values()), hits

    hit_of = {}
    run(scenario, cycles=5000)


@pytest.mark.parametrize("distance", range(ROW_AFTER_TAG + 1))
def test_a_row_keeps_its_distance_from_the_tag(distance):
    """The contract: rows that come too early behind the tag that goes off are told of."""
    async def scenario(ctx, dut):
        row = {"way": 1, "set": set_of(ctx, KEY), "number": ROWS - 1}
        for number in range(ROW_AFTER_TAG + 2):
            ctx.set(dut.fill.tag.valid, number == 0)
            ctx.set(dut.fill.tag.payload, {"way": 1, "key": KEY})
            ctx.set(dut.fill.row.valid, number == distance)
            ctx.set(dut.fill.row.payload, row)
            await ctx.tick()

    if distance < ROW_AFTER_TAG:
        with pytest.raises(AssertionError, match=f"{ROW_AFTER_TAG} cycles behind its tag"):
            run(scenario)
    else:
        run(scenario)


def test_a_row_is_not_overwritten_under_a_look_up():
    """The contract: a row that is written in the cycle in which a hit reads it, because its tag was
    never taken off, is told of."""
    async def scenario(ctx, dut):
        await fill(ctx, dut, way=0)
        for number in range(6):
            ctx.set(dut.look_up.key, KEY)
            ctx.set(dut.look_up.compared, KEY if number > 1 else {})
            ctx.set(dut.look_up.page, 7)
            ctx.set(dut.fill.row.valid, number == 4)
            ctx.set(dut.fill.row.payload, {"way": 0, "set": set_of(ctx, KEY), "number": 3})
            await ctx.tick()

    with pytest.raises(AssertionError, match="overwritten while a look-up reads it"):
        run(scenario)
