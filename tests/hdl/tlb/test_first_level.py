"""The TLB against a model that keeps every fill ever made and says what must not be answered."""

import pytest
from hypothesis import strategies as st

from siommu.arch.config import Config
from siommu.arch.formats import Size
from siommu.pipeline.sizes import LINE_PAGES
from siommu.pipeline.timetable import FILL_SPACING
from siommu.tlb.first_level import FirstLevelTlb

from ...support.properties import holds_for
from ...support.simulate import Running, seeded, simulate

SPAN = {Size.PAGE_4K: 1, Size.PAGE_2M: 1 << 9, Size.PAGE_1G: 1 << 18}
KEY = {"ft": 1, "device": 7, "pasid": 0x12345, "vpn": 0x1_2345_6789, "canonical": 1}
NO_PFN = 1 << 40


def rights(size=Size.PAGE_4K, read=1, write=1, dirty=1):
    return {"size": size, "read": read, "write": write, "dirty": dirty}


def small(key, pfn, allowed=None, first=None, last=None):
    """A translation of the pages ``first`` to ``last`` of the line of ``key`` (its own page alone),
    whose own page is at ``pfn``."""
    page = key["vpn"] % LINE_PAGES
    first, last = page if first is None else first, page if last is None else last
    return {"rights": allowed or rights(), "base": (pfn - page) % NO_PFN, "last": last,
            "mask": sum(1 << index for index in range(first, last + 1))}


def large(pfn, size, **allowed):
    return {"rights": rights(size, **allowed), "base": pfn, "mask": 0xFF, "last": 7}


def set_key(ctx, dut, key):
    """Both copies of the key."""
    ctx.set(dut.look_up.key, key)
    ctx.set(dut.look_up.far_key, key)


async def fill(ctx, dut, key, translation, commit=1):
    """A fill, and the cycles until every look-up sees it."""
    set_key(ctx, dut, key)
    ctx.set(dut.fill.translation, translation)
    ctx.set(dut.fill.valid, 1)
    await ctx.tick()
    ctx.set(dut.fill.valid, 0)
    ctx.set(dut.fill.translation, {})
    ctx.set(dut.fill.commit, commit)
    await ctx.tick().repeat(5)


async def look_up(ctx, dut, key, write=0):
    """(page, extent, size, read, write), or None for a miss."""
    set_key(ctx, dut, key)
    ctx.set(dut.look_up.write, write)
    await ctx.tick()
    set_key(ctx, dut, {})
    await ctx.tick()
    outcome = ctx.get(dut.look_up.outcome)
    allowed = outcome.rights
    return (outcome.pfn, outcome.extent, allowed.size, allowed.read, allowed.write) \
        if ctx.get(dut.look_up.hit) else None


def test_every_field_of_the_key_counts():
    dut = FirstLevelTlb(Config(tlb_entries=4))

    async def bench(ctx):
        await fill(ctx, dut, KEY, small(KEY, 0xABCDE))
        assert await look_up(ctx, dut, KEY) == (0xABCDE, 0, Size.PAGE_4K, 1, 1)
        for other, text in others(KEY):
            assert await look_up(ctx, dut, other) is None, f"{text} is ignored"

    simulate(dut, bench)


def test_far_entries():
    """Half of the entries are compared with a key of their own: in all of its fields, too."""
    dut = FirstLevelTlb(Config(tlb_entries=32))
    keys = [KEY | {"pasid": 1 << 12 | number} for number in range(31)]    # one is free

    async def bench(ctx):
        for number, key in enumerate(keys):
            await fill(ctx, dut, key, small(key, 0x1000 + number))
        for number, key in enumerate(keys):
            assert await look_up(ctx, dut, key) == (0x1000 + number, 0, Size.PAGE_4K, 1, 1)
        for number in (15, 16, 30):
            for other, text in others(keys[number]):
                if other not in keys:
                    assert await look_up(ctx, dut, other) is None, f"{number}: {text} is ignored"
        # A fill that is of everything drops what it overlaps, near and far.
        await fill(ctx, dut, KEY | {"pasid": 1 << 12 | 20}, large(0x8000, Size.PAGE_2M))
        for number, key in enumerate(keys):
            size = (await look_up(ctx, dut, key))[2]
            assert size == (Size.PAGE_2M if number == 20 else Size.PAGE_4K)
        neighbour = keys[20] | {"vpn": KEY["vpn"] ^ 8}
        assert (await look_up(ctx, dut, neighbour))[2] == Size.PAGE_2M

    simulate(dut, bench)


def others(key):
    """The keys that differ from one in a bit, and which."""
    for field, bits in (("ft", 1), ("device", 16), ("pasid", 20), ("vpn", 45), ("canonical", 1)):
        for bit in range(bits):
            yield key | {field: key[field] ^ 1 << bit}, f"{field} bit {bit}"


def test_part_of_a_line():
    """An entry answers for the pages of its mask alone, each at its place, with what follows it."""
    dut = FirstLevelTlb(Config(tlb_entries=4))

    async def bench(ctx):
        for first in range(LINE_PAGES):
            for last in range(first, LINE_PAGES):
                wanted = (first + last) // 2
                key = dict(KEY, vpn=(KEY["vpn"] & ~7) | wanted)
                pfn = 2 if last & 1 else 0xFF_FFFF_FFFE     # the page numbers may wrap round
                await fill(ctx, dut, key, small(key, pfn, first=first, last=last))
                for page in range(LINE_PAGES):
                    found = await look_up(ctx, dut, dict(key, vpn=(key["vpn"] & ~7) | page))
                    expected = ((pfn + page - wanted) % NO_PFN, last - page, Size.PAGE_4K, 1, 1)
                    assert found == (expected if first <= page <= last else None)

    simulate(dut, bench)


def test_parts_of_a_line_stand_side_by_side():
    """What overlaps a fill goes, what does not stays; of one line and of other lines."""
    dut = FirstLevelTlb(Config(tlb_entries=8))
    line = KEY["vpn"] & ~7

    async def bench(ctx):
        def at(page):
            return dict(KEY, vpn=line + page)

        async def found():
            return [await look_up(ctx, dut, at(page)) is not None for page in range(9)]

        await fill(ctx, dut, at(0), small(at(0), 10, first=0, last=2))
        await fill(ctx, dut, at(5), small(at(5), 15, first=4, last=7))
        await fill(ctx, dut, at(8), small(at(8), 30))
        assert await found() == [1, 1, 1, 0, 1, 1, 1, 1, 1]
        await fill(ctx, dut, at(3), small(at(3), 99))
        assert await found() == [1] * 9
        await fill(ctx, dut, at(3), small(at(3), 100, first=2, last=3))    # the first one goes
        assert await found() == [0, 0, 1, 1, 1, 1, 1, 1, 1]
        assert (await look_up(ctx, dut, at(2)))[0] == 99
        await fill(ctx, dut, at(7), small(at(7), 7))                        # the second one
        assert await found() == [0, 0, 1, 1, 0, 0, 0, 1, 1]
        await fill(ctx, dut, at(0), large(0x200, Size.PAGE_2M))             # all of them
        assert await found() == [1] * 9
        assert (await look_up(ctx, dut, at(3)))[2] == Size.PAGE_2M
        await fill(ctx, dut, at(6), small(at(6), 6))                        # the 2 MiB
        assert await found() == [0, 0, 0, 0, 0, 0, 1, 0, 0]

    simulate(dut, bench)


def test_sizes():
    dut = FirstLevelTlb(Config(tlb_entries=8))

    async def bench(ctx):
        for size, ignored in ((Size.PAGE_2M, 9), (Size.PAGE_1G, 18)):
            await fill(ctx, dut, KEY, large(0x40000, size))
            for bit in range(45):
                other = dict(KEY, vpn=KEY["vpn"] ^ 1 << bit)
                found = await look_up(ctx, dut, other)
                assert (found is not None) == (bit < ignored)
                assert found is None or found[0] >> ignored == 0x40000 >> ignored
        await fill(ctx, dut, dict(KEY, ft=0), large(0, Size.BYPASS))
        for change, hit in (({"vpn": 1}, True), ({"pasid": 1}, True), ({"canonical": 0}, True),
                            ({"device": 1}, False), ({"ft": 1}, False)):
            found = await look_up(ctx, dut, {**KEY, "ft": 0, "vpn": 5, **change})
            assert (found is not None) == hit, change

    simulate(dut, bench)


def test_rights():
    """An entry that does not allow what is asked is a miss: a fault never comes from here."""
    dut = FirstLevelTlb(Config(tlb_entries=2))

    async def bench(ctx):
        for read, write, dirty in ((1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 0, 0), (1, 1, 1)):
            await fill(ctx, dut, KEY, small(KEY, 3, rights(read=read, write=write, dirty=dirty)))
            assert (await look_up(ctx, dut, KEY) is not None) == bool(read)
            assert (await look_up(ctx, dut, KEY, 1) is not None) == bool(write and dirty)

    simulate(dut, bench)


def test_flush_and_commit():
    dut = FirstLevelTlb(Config(tlb_entries=4))

    async def bench(ctx):
        await fill(ctx, dut, KEY, small(KEY, 9), commit=0)
        assert await look_up(ctx, dut, KEY) is None
        await fill(ctx, dut, KEY, small(KEY, 9))
        ctx.set(dut.flush, 1)
        await ctx.tick()
        ctx.set(dut.flush, 0)
        assert await look_up(ctx, dut, KEY) is None

    simulate(dut, bench)


@pytest.mark.parametrize("first", ["fill", "drop"])
@pytest.mark.parametrize("second", ["fill", "drop"])
@pytest.mark.parametrize("distance", range(1, FILL_SPACING + 1))
def test_fills_and_drops_keep_their_distance(first, second, distance):
    """The contract: what comes sooner than the tags of the one before have settled is told of."""
    dut = FirstLevelTlb(Config(tlb_entries=2))

    async def bench(ctx):
        for cycle in range(FILL_SPACING + 2):
            for name in ("fill", "drop"):
                ctx.set(getattr(dut, name).valid,
                        (cycle == 0 and name == first) or (cycle == distance and name == second))
            await ctx.tick()

    if distance < FILL_SPACING:
        with pytest.raises(AssertionError, match=f"are {FILL_SPACING} cycles apart"):
            simulate(dut, bench)
    else:
        simulate(dut, bench)


def test_a_fill_is_no_drop():
    dut = FirstLevelTlb(Config(tlb_entries=2))

    async def bench(ctx):
        ctx.set(dut.fill.valid, 1)
        ctx.set(dut.drop.valid, 1)
        await ctx.tick()

    with pytest.raises(AssertionError, match="is no drop"):
        simulate(dut, bench)


def test_keeps_what_is_used():
    dut = FirstLevelTlb(Config(tlb_entries=4))

    async def bench(ctx):
        for page in range(0, 160, 8):
            key = dict(KEY, vpn=page)
            await fill(ctx, dut, key, small(key, page))
            assert page < 8 or await look_up(ctx, dut, dict(KEY, vpn=0)) is not None, page

    simulate(dut, bench)


def test_random_traffic_with_fills_and_flushes():
    """Look-ups in every cycle, fills and flushes among them. A hit must be what the newest fill
    that covers the key said, one that had taken effect when the look-up compared, or the one
    before that when the fill was under way. At most one entry ever matches."""
    dut = FirstLevelTlb(Config(tlb_entries=4))
    rng = seeded("tlb")
    fills = []      # (cycle of the tag write, key, translation), newest last
    asked = {}      # compare cycle -> (key, write)
    flushes = []
    covers = {"hit": 0, "overlap": 0, "flush": 0, "part": 0, "neighbour": 0}

    def covered(entry, key):
        _, other, translation = entry
        size = translation["rights"]["size"]
        if any(other[field] != key[field] for field in ("ft", "device", "pasid")):
            return False
        if size == Size.PAGE_4K:
            return (other["vpn"] >> 3 == key["vpn"] >> 3
                    and translation["mask"] >> key["vpn"] % 8 & 1)
        return other["vpn"] // SPAN[size] == key["vpn"] // SPAN[size]

    def flushed_before(cycle):
        return max((f for f in flushes if f < cycle), default=-1)

    def check(ctx, key, write, compared):
        newest = next((f for f in reversed(fills) if f[0] < compared and covered(f, key)), None)
        assert newest is not None and newest[0] > flushed_before(compared), \
            "a hit for what was not filled, or after a flush"
        outcome, translation = ctx.get(dut.look_up.outcome), newest[2]
        allowed = translation["rights"]
        assert (outcome.rights.size, outcome.rights.read, outcome.rights.write,
                outcome.rights.dirty) == tuple(allowed.values())
        assert allowed["write"] & allowed["dirty"] if write else allowed["read"]
        page = key["vpn"] % 8
        if allowed["size"] == Size.PAGE_4K:
            assert outcome.pfn == (translation["base"] + page) % NO_PFN
            assert outcome.extent == translation["last"] - page
            covers["part"] += translation["mask"] != 0xFF
            covers["neighbour"] += newest[1]["vpn"] != key["vpn"]
        else:
            span = SPAN[allowed["size"]]
            assert outcome.pfn // span == translation["base"] // span

    async def bench(ctx):
        pending, last_fill = None, -9
        for cycle in range(6000):
            # the look-up that compared two cycles ago
            count = bin(ctx.get(dut.matches)).count("1")
            if cycle - 1 in asked:
                assert count <= 1, "two entries match"
            if cycle - 2 in asked and ctx.get(dut.look_up.hit):
                covers["hit"] += 1
                check(ctx, *asked[cycle - 2], cycle - 2)
            key = {"ft": rng.getrandbits(1), "device": rng.randrange(2), "pasid": rng.randrange(2),
                   "vpn": rng.choice([0, 1, 2, 5, 7, 8, 511, 512, 513, 1 << 18]), "canonical": 1}
            ctx.set(dut.look_up.key, key)
            ctx.set(dut.flush, 0)
            ctx.set(dut.fill.commit, 1)
            begins = cycle - last_fill >= FILL_SPACING and rng.random() < .3
            ctx.set(dut.fill.valid, begins)
            if begins:
                last_fill = cycle
                size = rng.choice([Size.PAGE_4K, *SPAN])
                allowed = rights(size, *(rng.getrandbits(1) for _ in range(3)))
                page = key["vpn"] % 8
                translation = small(
                    key, rng.getrandbits(40), allowed, first=rng.randint(0, page),
                    last=rng.randint(page, 7)) if size == Size.PAGE_4K else {
                        **large(rng.getrandbits(31) << 9, size), "rights": allowed}
                ctx.set(dut.fill.translation, translation)
                covers["overlap"] += any(covered(f, key) for f in fills)
                pending = (key, translation)
            else:
                write = rng.getrandbits(1)
                ctx.set(dut.look_up.write, write)
                asked[cycle] = (key, write)
            if last_fill == cycle - 2:
                fills.append((cycle, *pending))
            if rng.random() < .01:
                covers["flush"] += 1
                flushes.append(cycle)
                ctx.set(dut.flush, 1)
            await ctx.tick()

    simulate(dut, bench)
    assert all(covers.values()), covers


def covered(invalidation, key, size):
    """Whether the pages of ``key``, mapped with ``size``, have one in common with those asked for,
    in an address space that is asked for."""
    by = {name: invalidation[f"by_{name}"] for name in ("ft", "device", "pasid", "addr")}
    if any(by[name] and key[name] != invalidation[name] for name in ("ft", "device")):
        return False
    if by["pasid"] and key["pasid"] != invalidation["pasid"] and size != Size.BYPASS:
        return False
    if not by["addr"] or size == Size.BYPASS:
        return True
    bits = max(invalidation["n"], {Size.PAGE_4K: 0, Size.PAGE_2M: 9, Size.PAGE_1G: 18}[size])
    return key["vpn"] >> bits == (invalidation["page"] & (1 << 45) - 1) >> bits


def test_each_gib_of_a_larger_leaf_goes_with_any_page_of_it():
    """Of a leaf that is larger than 1 GiB (§3.4) one GiB each is kept. A look-up finds that one; an
    invalidation of any page drops them all, and neither a leaf of 1 GiB nor another space's."""
    dut = FirstLevelTlb(Config(tlb_entries=8))
    part, gib = 1 << 16, 1 << 18
    base = {**KEY, "ft": 0, "vpn": 5 << 27}
    held = [({**base, "vpn": base["vpn"] + 3 * gib}, 3),
            ({**base, "vpn": base["vpn"] + 4 * gib}, 4), ({**base, "vpn": 9 << 27}, 0),
            ({**base, "vpn": base["vpn"] + 3 * gib, "pasid": 2}, 3)]

    async def found(ctx):
        return [await look_up(ctx, dut, {**key, "vpn": key["vpn"] + 77}) is not None
                for key, _ in held]

    async def bench(ctx):
        for index, (key, number) in enumerate(held):
            bits = 0 if index == 2 else part | (index == 1) << 17
            await fill(ctx, dut, key, large(number * gib | bits, Size.PAGE_1G))
        assert await found(ctx) == [True] * 4
        for other in (2, 5):
            assert await look_up(ctx, dut, {**base, "vpn": base["vpn"] + other * gib}) is None
        ctx.set(dut.drop.invalidation, {
            "by_device": 1, "by_pasid": 1, "by_ft": 1, "by_addr": 1, "ft": 0, "device": 7,
            "pasid": KEY["pasid"], "page": base["vpn"] + 200 * gib + 5, "n": 0})
        ctx.set(dut.look_up.key, {**base, "vpn": base["vpn"] + 200 * gib + 5})
        ctx.set(dut.drop.valid, 1)
        await ctx.tick()
        ctx.set(dut.drop.valid, 0)
        await ctx.tick().repeat(4)
        assert await found(ctx) == [False, False, True, True]
    simulate(dut, bench)


#: Pages that share a line, 2 MiB, 1 GiB with another one, or nothing.
NEAR = [0, 1, 7, 8, 16, 1 << 6, 1 << 9, 1 << 12, 1 << 17, 1 << 18, 1 << 20, 1 << 44]
#: Most of them are in one address space, where ranges decide.
KEYS = st.builds(
    lambda near, **fields: dict(KEY, vpn=KEY["vpn"] ^ near, **fields), near=st.sampled_from(NEAR),
    ft=st.sampled_from((1, 1, 1, 0)), device=st.sampled_from((7, 7, 7, 8)),
    pasid=st.sampled_from((1, 1, 1, 2)))
ENTRIES = st.lists(st.tuples(KEYS, st.sampled_from((
    Size.PAGE_4K, Size.PAGE_4K, Size.PAGE_2M, Size.PAGE_1G, Size.BYPASS))), min_size=1, max_size=6)
SELECTORS = ("by_ft", "by_device", "by_pasid", "by_addr")


#: Every size beside the target, in another line and in another space: no chance decides here.
BESIDE = [(dict(KEY, vpn=KEY["vpn"] ^ near, **other), size) for near, size, other in (
    (0, Size.PAGE_4K, {}), (8, Size.PAGE_4K, {}), (1 << 6, Size.PAGE_4K, {"pasid": 2}),
    (1 << 9, Size.PAGE_2M, {}), (1 << 18, Size.PAGE_1G, {}), (0, Size.BYPASS, {"device": 8}))]


def invalidation(key, n, selectors):
    """An invalidation of the 2^``n`` pages around that of ``key``, with a bit for each selector."""
    return {"context": 0, "ft": key["ft"], "device": key["device"], "pasid": key["pasid"], "n": n,
            "page": key["vpn"] >> n << n,
            **{name: selectors >> bit & 1 for bit, name in enumerate(SELECTORS)}}


def may_be_dropped(wanted, key, size):
    """Whether ``covered`` by what the hardware makes of a range: the first of line, 2 MiB, 1 GiB,
    everything that holds it."""
    rounded = next(bits for bits in (3, 9, 18, 52) if bits >= wanted["n"])
    return covered({**wanted, "n": rounded}, key, size)


@pytest.fixture(scope="module")
def tlb():
    """A first level, and the simulation that it runs in."""
    dut = FirstLevelTlb(Config(tlb_entries=8))
    return dut, Running(dut)


@holds_for(examples=100, entries=ENTRIES, target=KEYS, of_entry=st.integers(0, 8),
           selectors=st.integers(0, 15),
           always=[{"entries": BESIDE, "target": KEY, "of_entry": 6, "selectors": selectors}
                   for selectors in range(16)])
def test_invalidations(tlb, entries, target, of_entry, selectors):
    """Whatever the entries are, and whatever is invalidated, in ranges that grow: what is covered
    is gone, and what is not covered even by the rounded range is there."""
    dut, run = tlb
    if of_entry < len(entries):     # what is there is more often looked for
        target = entries[of_entry][0]

    async def drop(ctx, wanted):
        ctx.set(dut.drop.invalidation, wanted)
        ctx.set(dut.look_up.key, dict(target, vpn=wanted["page"] & (1 << 45) - 1))
        ctx.set(dut.drop.valid, 1)
        await ctx.tick()
        ctx.set(dut.drop.valid, 0)
        await ctx.tick().repeat(4)

    async def remaining(ctx, held):
        """Those of the entries that are there themselves, and not one that overlaps them."""
        found = [(await look_up(ctx, dut, key), number, key, size) for number, key, size in held]
        return [(number, key, size) for answer, number, key, size in found
                if answer is not None and (answer[0] >> 20, answer[2]) == (number, size)]

    async def bench(ctx):
        ctx.set(dut.flush, 1)
        await ctx.tick()
        ctx.set(dut.flush, 0)
        for number, (key, size) in enumerate(entries):
            # Above bit 19 the page tells whose it is, whatever the size.
            await fill(ctx, dut, key, small(key, number << 20) if size == Size.PAGE_4K
                       else large(number << 20, size))
        held = await remaining(ctx, [(number, *entry) for number, entry in enumerate(entries)])
        assert held, "the newest one is there"
        for n in (0, 1, 2, 3, 4, 8, 9, 10, 17, 18, 19, 30, 45, 52):
            wanted = invalidation(target, n, selectors)
            await drop(ctx, wanted)
            left = await remaining(ctx, held)
            for number, key, size in held:
                if covered(wanted, key, size):
                    assert (number, key, size) not in left, (wanted, key, size)
                elif not may_be_dropped(wanted, key, size):
                    assert (number, key, size) in left, (wanted, key, size)
            held = left
    run(bench)
