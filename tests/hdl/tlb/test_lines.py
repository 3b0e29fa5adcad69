"""The line buffer: runs and extents of random lines, and when they are written, against Python."""

import pytest
from amaranth import Module
from amaranth.lib import wiring

from siommu.arch.config import Config
from siommu.arch.formats import Size
from siommu.pipeline.sizes import LINE_PAGES, LINE_ROWS
from siommu.pipeline.timetable import Line
from siommu.tlb.lines import TableLines
from siommu.tlb.second_level import SecondLevelTlb, line_index

from ...support.simulate import seeded, simulate

CONFIG = Config(l2_entries=128)
SET_BITS = 2
NO_PFN = 1 << 40


def random_line(rng):
    """Eight pages (pfn, read, write, dirty), many of them contiguous and alike."""
    pages, rights = [], (1, 1, 1)
    pfn = rng.choice((rng.getrandbits(40), NO_PFN - 3))
    for _ in range(LINE_PAGES):
        if rng.random() < .3:
            rights = tuple(rng.choice(((1, 1, 1), (1, 0, 1), (1, 1, 0), (0, 1, 1), (0, 0, 1))))
        pfn = (pfn + 1) % NO_PFN if rng.random() < .8 else rng.getrandbits(40)
        pages.append((pfn, *rights))
    return pages


def follows(pages, index):
    """Whether page ``index`` + 1 is contiguous to ``index``, with equal rights that grant."""
    (pfn, *rights), (after, *others) = pages[index], pages[index + 1]
    return after == (pfn + 1) % NO_PFN and rights == others and any(rights[:2])


def extent(pages, index):
    count = 0
    while index + count < LINE_PAGES - 1 and follows(pages, index + count):
        count += 1
    return count


def first(pages, index):
    while index and follows(pages, index - 1):
        index -= 1
    return index


async def put(ctx, dut, slot, pages, order):
    """Writes a line to the buffer in halves of rows, in ``order``."""
    for index in order:
        both = [dict(zip(("pfn", "read", "write", "dirty"), pages[index]))] * 2
        ctx.set(dut.words, {"valid": 1, "slot": slot, "row": index >> 1,
                            "enable": 1 << (index & 1), "pages": both})
        await ctx.tick()
    ctx.set(dut.words.valid, 0)


def test_runs_and_extents():
    dut = TableLines(CONFIG)
    rng = seeded("lines/runs")
    keys, leaves, lines = {}, {}, {}
    skipped = 0

    async def bench(ctx):
        nonlocal skipped
        ctx.set(dut.fill.ready, 1)
        for round_ in range(150):
            # Some lines at once, so that they follow each other as closely as can be.
            slots = rng.sample(range(CONFIG.walk_slots), rng.randint(1, 4))
            for slot in slots:
                lines[slot] = random_line(rng)
                wanted = rng.choice([i for i in range(8) if any(lines[slot][i][1:3])] or [0])
                keys[slot] = {"ft": rng.getrandbits(1), "write": rng.getrandbits(1),
                              "device": rng.getrandbits(16), "pasid": rng.getrandbits(20),
                              "page": rng.getrandbits(49) << 3 | wanted}
                pfn, read, write, dirty = lines[slot][wanted]
                leaves[slot] = pfn, {"size": Size.PAGE_4K, "read": read, "write": write,
                                     "dirty": dirty}
                order = [(wanted + i) % 8 for i in range(8)]
                await put(ctx, dut, slot, lines[slot], order)
            pending = list(slots)
            done, rows, tags, coming = [], {}, [], None
            for cycle in range(60):
                ctx.set(dut.granted.valid, bool(pending))
                if pending:
                    ctx.set(dut.granted.payload, {"slot": pending.pop(0), "line": 1})
                ctx.set(dut.walk.way, ctx.get(dut.walk.slot) & 1)
                if coming is None:      # the memory answers others
                    ctx.set(dut.walk.key, {"page": rng.getrandbits(52)})
                elif coming in keys:    # from a memory with a clock
                    ctx.set(dut.walk.key, keys[coming])
                    ctx.set(dut.walk.pfn, leaves[coming][0])
                    ctx.set(dut.walk.rights, leaves[coming][1])
                coming = ctx.get(dut.walk.coming) if ctx.get(dut.walk.reads) else None
                tag, row = dut.second_fill.tag, dut.second_fill.row
                if ctx.get(row.valid):
                    content = ctx.get(row.payload)
                    behind = cycle - Line.FIRST_ROW + Line.TAG_OFF      # the tag that went off
                    (off,) = (tag for tag in tags if not tag[2]
                              and tag[0] in range(behind - LINE_ROWS + 1, behind + 1))
                    assert (content.way, content.set) == off[5:]
                    for half, page in enumerate(content.pages):
                        rows[off[1], 2 * content.number + half] = (
                            (page.pfn, page.read, page.write, page.dirty), page.extent)
                if ctx.get(tag.valid):
                    content = ctx.get(tag.payload)
                    tags.append((cycle, content.key.device, content.on,
                                 content.rights.readable, content.rights.writable,
                                 content.way, ctx.get(line_index(tag.payload.key, SET_BITS))))
                if ctx.get(dut.fill.valid):
                    done.append(ctx.get(dut.fill.payload))
                await ctx.tick()
            assert [fill.grant.slot for fill in done] == slots
            before = None
            for fill in done:
                pages, key = lines[fill.grant.slot], keys[fill.grant.slot]
                wanted = key["page"] & 7
                low, high = first(pages, wanted), wanted + extent(pages, wanted)
                translation = fill.grant.translation
                assert translation.mask == sum(1 << i for i in range(low, high + 1)), pages
                assert translation.last == high
                assert translation.base == (pages[wanted][0] - wanted) % NO_PFN
                # Right behind one that goes to the same place, a line is not kept.
                off, *on = [tag for tag in tags if tag[1] == key["device"]]
                assert off[2] == 0
                place = off[5:]
                if place == before:
                    assert not on and (key["device"], 0) not in rows
                    skipped += 1
                    before = None
                    continue
                before = place
                for index in range(LINE_PAGES):
                    assert rows[key["device"], index] == (pages[index], extent(pages, index))
                (on,) = on
                assert on[2] == 1
                assert on[3] == sum(page[1] << i for i, page in enumerate(pages))
                assert on[4] == sum((page[2] & page[3]) << i for i, page in enumerate(pages))
        assert skipped > 5

    simulate(dut, bench, cycles=40_000)


def test_a_line_of_before_a_flush_is_not_kept():
    """Stale at its beginning, it writes nothing; stale later, its tag stays off."""
    dut = TableLines(CONFIG)

    async def bench(ctx):
        ctx.set(dut.fill.ready, 1)
        ctx.set(dut.walk.rights, {"size": Size.PAGE_4K, "read": 1})
        for when in (None, 1, 2, 5, 9, 10):
            tags = []
            for cycle in range(20):
                ctx.set(dut.granted.valid, cycle == 0)
                ctx.set(dut.granted.payload, {"slot": 3, "line": 1})
                # the walk is taken up in cycle 2
                ctx.set(dut.stale, (when is not None and cycle > when) << 3)
                if ctx.get(dut.second_fill.tag.valid):
                    tags.append(ctx.get(dut.second_fill.tag.payload.on))
                await ctx.tick()
            assert tags == {None: [0, 1], 1: []}.get(when, [0]), when
            ctx.set(dut.stale, 0)

    simulate(dut, bench, cycles=400)


class Filled(wiring.Component):
    """The lines and the second level that they fill."""

    def __init__(self):
        self.lines, self.second = TableLines(CONFIG), SecondLevelTlb(CONFIG)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lines, m.submodules.second = self.lines, self.second
        wiring.connect(m, self.lines.second_fill, self.second.fill)
        return m


def test_lines_that_follow_each_other_do_not_mix():
    """Lines are filled as fast as can be, into few sets and ways, while all are looked up: no line
    is answered with another one's pages."""
    rng = seeded("lines/mix")
    dut = Filled()
    lines, second = dut.lines, dut.second
    slots = range(8)
    space = {"ft": 1, "device": 5, "pasid": 3}
    numbers = [0x2_9876_5400 | rng.getrandbits(8) for _ in slots]
    pages = [[(0x100 * slot + 2 * index + 1, 1, 1, 1) for index in range(LINE_PAGES)]
             for slot in slots]

    async def bench(ctx):
        while ctx.get(second.sweeping):
            await ctx.tick()
        for slot in slots:
            await put(ctx, lines, slot, pages[slot], range(LINE_PAGES))
        ctx.set(lines.fill.ready, 1)
        ctx.set(lines.walk.rights, {"read": 1, "write": 1, "dirty": 1})
        asked, hits, began = [], [], {slot: -99 for slot in slots}
        for now in range(12_000):
            # A slot is granted again when its line has been gone through. Now and then there is
            # a pause, in which everything is looked up as it was left.
            slot = rng.choice(slots)
            granted = now % 300 < 200 and now - began[slot] > 60
            if granted:
                began[slot] = now
            ctx.set(lines.granted.valid, granted)
            ctx.set(lines.granted.payload, {"slot": slot, "line": 1})
            slot = ctx.get(lines.walk.slot)
            ctx.set(lines.walk.key, {**space, "page": numbers[slot % 8] << 3})
            ctx.set(lines.walk.way, rng.randrange(2))
            asked.append((rng.choice(slots), rng.randrange(LINE_PAGES)))
            key = {**space, "line": numbers[asked[-1][0]], "canonical": 1}
            ctx.set(second.look_up.key, key)
            if now > 1:
                ctx.set(second.look_up.compared, {**key, "line": numbers[asked[-3][0]]})
                ctx.set(second.look_up.page, asked[-3][1])
            hits.append(now > 5 and ctx.get(second.look_up.hit))
            if now > 5 and hits[-3]:
                line, page = asked[-6]
                assert not ctx.get(second.look_up.damaged)
                assert ctx.get(second.look_up.outcome).pfn == pages[line][page][0], \
                    f"cycle {now}: page {page} of line {line}"
            await ctx.tick()
        for row, _ in asked[-2:]:       # the last ones pass
            ctx.set(second.look_up.compared, {**key, "line": numbers[row]})
            await ctx.tick()
        ctx.set(second.look_up.compared, key)
        assert sum(hits) > 1000, sum(hits)

    simulate(dut, bench, cycles=13_000)


def test_every_cycle_of_the_timetable():
    """When a line's tag, rows, run and fill come, counted from its beginning, and how soon another
    one may begin."""
    dut = TableLines(CONFIG)

    async def bench(ctx):
        ctx.set(dut.fill.ready, 1)
        ctx.set(dut.walk.rights, {"size": Size.PAGE_4K, "read": 1})
        seen = {}
        for cycle in range(40):
            ctx.set(dut.granted.valid, cycle < 3)
            ctx.set(dut.granted.payload, {"slot": cycle + 1, "line": 1})
            ctx.set(dut.walk.key, {"page": ctx.get(dut.walk.slot) << 8})
            for name, signal in (("tag", dut.second_fill.tag.valid),
                                 ("row", dut.second_fill.row.valid),
                                 ("measured", dut.measured.valid), ("fill", dut.fill.valid)):
                if ctx.get(signal):
                    seen.setdefault(name, []).append(cycle)
            await ctx.tick()
        began = seen["measured"][0] - Line.RUN
        assert seen["tag"][0] == began + Line.TAG_OFF and began + Line.TAG_ON in seen["tag"]
        assert seen["row"][:LINE_ROWS] == [began + Line.FIRST_ROW + row for row in range(LINE_ROWS)]
        assert seen["fill"][0] == began + Line.FILL
        assert seen["measured"] == [began + Line.RUN + Line.PITCH * index for index in range(3)]

    simulate(dut, bench, cycles=60)


@pytest.mark.parametrize("taken", [True, False])
def test_a_fill_is_taken_before_the_next_one(taken):
    """The contract: a fill that waits when the next one comes is told of."""
    dut = TableLines(CONFIG)

    async def bench(ctx):
        for cycle in range(30):
            ctx.set(dut.fill.ready, taken)
            ctx.set(dut.granted.valid, cycle < 2)
            ctx.set(dut.granted.payload, {"slot": cycle + 1, "line": 1})
            await ctx.tick()

    if taken:
        simulate(dut, bench, cycles=60)
    else:
        with pytest.raises(AssertionError, match="taken before the next one comes"):
            simulate(dut, bench, cycles=60)


def test_each_slot_ends_one_walk():
    """The contract: more ended walks than there are slots are told of."""
    dut = TableLines(CONFIG)

    async def bench(ctx):
        ctx.set(dut.fill.ready, 1)
        ctx.set(dut.granted.valid, 1)
        for _ in range(2 * CONFIG.walk_slots):
            await ctx.tick()

    with pytest.raises(AssertionError, match="ends one walk at a time"):
        simulate(dut, bench, cycles=200)
