"""The TLB against a model that keeps every fill ever made and says what must not be answered."""

from siommu.config import Config
from siommu.formats import Size
from siommu.tlb import Tlb

from .simulate import seeded, simulate

SPAN = {Size.PAGE_4K: 1, Size.PAGE_2M: 1 << 9, Size.PAGE_1G: 1 << 18}
KEY = {"ft": 1, "device": 7, "pasid": 0x12345, "vpn": 0x1_2345_6789, "canonical": 1}


def rights(size=Size.PAGE_4K, read=1, write=1, dirty=1):
    return {"size": size, "read": read, "write": write, "dirty": dirty}


async def fill(ctx, dut, key, allowed, pfn, commit=1):
    """A fill with its page at the right time, and the cycles until every look-up sees it."""
    ctx.set(dut.key, key)
    ctx.set(dut.rights, allowed)
    ctx.set(dut.fill, 1)
    await ctx.tick()
    ctx.set(dut.fill, 0)
    ctx.set(dut.commit, commit)
    await ctx.tick().repeat(2)
    ctx.set(dut.page, pfn)
    await ctx.tick().repeat(3)


async def look_up(ctx, dut, key, write=0):
    ctx.set(dut.key, key)
    ctx.set(dut.write, write)
    await ctx.tick()
    ctx.set(dut.key, {})
    await ctx.tick()
    outcome = ctx.get(dut.outcome)
    return (outcome.pfn, outcome.size, outcome.read, outcome.write) if ctx.get(dut.hit) else None


def test_every_field_of_the_key_counts():
    dut = Tlb(Config(tlb_entries=4))

    async def bench(ctx):
        await fill(ctx, dut, KEY, rights(), 0xABCDE)
        assert await look_up(ctx, dut, KEY) == (0xABCDE, Size.PAGE_4K, 1, 1)
        for field, bits in (("ft", 1), ("device", 16), ("pasid", 20), ("vpn", 45),
                            ("canonical", 1)):
            for bit in range(bits):
                other = dict(KEY)
                other[field] ^= 1 << bit
                assert await look_up(ctx, dut, other) is None, f"{field} bit {bit} is ignored"

    simulate(dut, bench)


def test_sizes():
    dut = Tlb(Config(tlb_entries=8))

    async def bench(ctx):
        for size, ignored in ((Size.PAGE_2M, 9), (Size.PAGE_1G, 18)):
            await fill(ctx, dut, KEY, rights(size), 0x40000)
            for bit in range(45):
                other = dict(KEY, vpn=KEY["vpn"] ^ 1 << bit)
                assert (await look_up(ctx, dut, other) is not None) == (bit < ignored)
        await fill(ctx, dut, dict(KEY, ft=0), rights(Size.BYPASS), 0)
        for change, hit in (({"vpn": 1}, True), ({"pasid": 1}, True), ({"canonical": 0}, True),
                            ({"device": 1}, False), ({"ft": 1}, False)):
            found = await look_up(ctx, dut, {**KEY, "ft": 0, "vpn": 5, **change})
            assert (found is not None) == hit, change

    simulate(dut, bench)


def test_rights():
    """An entry that does not allow what is asked is a miss: a fault never comes from here."""
    dut = Tlb(Config(tlb_entries=2))

    async def bench(ctx):
        for read, write, dirty in ((1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 0, 0), (1, 1, 1)):
            await fill(ctx, dut, KEY, rights(read=read, write=write, dirty=dirty), 3)
            assert (await look_up(ctx, dut, KEY) is not None) == bool(read)
            assert (await look_up(ctx, dut, KEY, 1) is not None) == bool(write and dirty)

    simulate(dut, bench)


def test_flush_and_commit():
    dut = Tlb(Config(tlb_entries=4))

    async def bench(ctx):
        await fill(ctx, dut, KEY, rights(), 9, commit=0)
        assert await look_up(ctx, dut, KEY) is None
        await fill(ctx, dut, KEY, rights(), 9)
        ctx.set(dut.flush, 1)
        await ctx.tick()
        ctx.set(dut.flush, 0)
        assert await look_up(ctx, dut, KEY) is None

    simulate(dut, bench)


def test_keeps_what_is_used():
    dut = Tlb(Config(tlb_entries=4))

    async def bench(ctx):
        for page in range(20):
            await fill(ctx, dut, dict(KEY, vpn=page), rights(), page)
            assert page < 1 or await look_up(ctx, dut, dict(KEY, vpn=0)) is not None, page

    simulate(dut, bench)


def test_random_traffic_with_fills_and_flushes():
    """Look-ups in every cycle, fills and flushes among them. A hit must be what the newest fill
    that covers the key said, one that had taken effect when the look-up compared, or the one
    before that when the fill was under way. At most one entry ever matches."""
    dut = Tlb(Config(tlb_entries=4))
    rng = seeded("tlb")
    fills = []      # (cycle of the tag write, key, rights, pfn), newest last
    asked = {}      # compare cycle -> (key, write)
    covers = {"hit": 0, "overlap": 0, "flush": 0}

    def covered(entry, key):
        _, other, allowed, _ = entry
        span = SPAN[allowed["size"]]
        return (all(other[f] == key[f] for f in ("ft", "device", "pasid"))
                and other["vpn"] // span == key["vpn"] // span)

    async def bench(ctx):
        pending, last_fill = None, -9
        for cycle in range(6000):
            # the look-up that compared two cycles ago
            count = bin(ctx.get(dut.matches)).count("1")
            if cycle - 1 in asked:
                assert count <= 1, "two entries match"
            if cycle - 2 in asked and ctx.get(dut.hit):
                covers["hit"] += 1
                key, write = asked[cycle - 2]
                newest = next((f for f in reversed(fills)
                               if f[0] < cycle - 2 and covered(f, key)), None)
                assert newest is not None and newest[0] > flushed_before(cycle - 2), \
                    "a hit for what was not filled, or after a flush"
                outcome = ctx.get(dut.outcome)
                assert (outcome.pfn, outcome.size) == (newest[3], newest[2]["size"])
                assert newest[2]["write"] & newest[2]["dirty"] if write else newest[2]["read"]
            key = {"ft": rng.getrandbits(1), "device": rng.randrange(2), "pasid": rng.randrange(2),
                   "vpn": rng.choice([0, 1, 2, 511, 512, 513, 1 << 18]), "canonical": 1}
            ctx.set(dut.key, key)
            ctx.set(dut.flush, 0)
            ctx.set(dut.commit, 1)
            begins = cycle - last_fill >= 3 and rng.random() < .3
            ctx.set(dut.fill, begins)
            if pending and pending[0] == cycle - 3:
                ctx.set(dut.page, pending[3])
            if begins:
                last_fill = cycle
                allowed = rights(rng.choice(list(SPAN)), *(rng.getrandbits(1) for _ in range(3)))
                ctx.set(dut.rights, allowed)
                covers["overlap"] += any(covered(f, key) for f in fills)
                pending = (cycle, key, allowed, rng.getrandbits(40))
            else:
                write = rng.getrandbits(1)
                ctx.set(dut.write, write)
                asked[cycle] = (key, write)
            if last_fill == cycle - 2:
                fills.append((cycle, *pending[1:]))
            if rng.random() < .01:
                covers["flush"] += 1
                flushes.append(cycle)
                ctx.set(dut.flush, 1)
            await ctx.tick()

    flushes = []

    def flushed_before(cycle):
        return max((f for f in flushes if f < cycle), default=-1)

    simulate(dut, bench)
    assert all(covers.values()), covers
