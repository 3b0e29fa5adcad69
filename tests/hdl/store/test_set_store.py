"""The set-associative store against a dictionary, with damaged rows, collisions and sweeps."""

import pytest
from amaranth.lib import data

from siommu.store.set_store import SetStore

from ...support.simulate import recorded_memories, seeded, simulate

KEY = data.StructLayout({"name": 10})
VALUE = data.StructLayout({"content": 12})
SETS = 4


def index(key, bits):
    return key.name[:bits]


def store(ways=2, sets=SETS, **options):
    return SetStore(key=KEY, value=VALUE, ways=ways, sets=sets, index=index, **options)


async def swept(ctx, dut):
    for _ in range(2 * SETS):
        await ctx.tick()
    assert not ctx.get(dut.sweeping)


async def write(ctx, dut, name, content, way=0, valid=1):
    for field, value in (("enable", 1), ("way", way), ("key", {"name": name}),
                         ("value", {"content": content}), ("valid", valid)):
        ctx.set(getattr(dut.write, field), value)
    await ctx.tick()
    ctx.set(dut.write.enable, 0)
    ctx.set(dut.write.key, {})
    await ctx.tick()


async def look_up(ctx, dut, name):
    """(matches, contents of the ways, place, errors)"""
    ctx.set(dut.look_up.key, {"name": name})
    await ctx.tick()
    ctx.set(dut.look_up.key, {"name": name ^ 1})
    await ctx.tick()
    values = ctx.get(dut.look_up.values)
    return (ctx.get(dut.look_up.match), [value.content for value in values],
            ctx.get(dut.look_up.place), ctx.get(dut.look_up.errors))


def test_finds_what_was_written():
    dut = store()

    async def bench(ctx):
        await swept(ctx, dut)
        await write(ctx, dut, 0x155, 77, way=1)
        match, values, place, errors = await look_up(ctx, dut, 0x155)
        assert (match, values[1], place, errors) == (0b10, 77, 1, 0)
        for bit in range(10):
            match, _, _, errors = await look_up(ctx, dut, 0x155 ^ 1 << bit)
            assert (match, errors) == (0, 0), f"bit {bit}"
        await write(ctx, dut, 0x155, 0, way=1, valid=0)
        assert (await look_up(ctx, dut, 0x155))[0] == 0

    simulate(dut, bench, cycles=300)


def test_place():
    """The key's own way, else a free one, else each in turn."""
    dut = store()

    async def bench(ctx):
        await swept(ctx, dut)
        await write(ctx, dut, 4, 1, way=0)
        assert (await look_up(ctx, dut, 4))[2] == 0 and (await look_up(ctx, dut, 8))[2] == 1
        await write(ctx, dut, 8, 2, way=1)
        assert (await look_up(ctx, dut, 8))[2] == 1
        places = []
        for _ in range(6):
            places.append((await look_up(ctx, dut, 12))[2])
            await ctx.tick()
        assert set(places) == {0, 1}

    simulate(dut, bench, cycles=300)


@pytest.mark.parametrize("ways", [1, 2, 4])
def test_random_traffic(ways):
    """A look-up in every cycle, writes and flushes among them. What matches was written before the
    look-up began, with that content, and not overwritten, emptied or flushed since; and where
    nothing was written meanwhile, it does match."""
    dut = store(ways)
    rng = seeded(f"sets/{ways}")
    hits = misses = collisions = 0

    async def bench(ctx):
        nonlocal hits, misses, collisions
        rows, history, sweep, before = {}, [], SETS, None
        names = [rng.getrandbits(10) for _ in range(12)]
        for cycle in range(3000):
            # the look-up of two cycles ago
            if len(history) > 1:
                name, held, _, calm = history[-2]
                match, values = ctx.get(dut.look_up.match), ctx.get(dut.look_up.values)
                flushed = history[-1][2] or history[-2][2]
                assert not ctx.get(dut.look_up.errors)
                for way in range(ways):
                    row = held.get((name % SETS, way))
                    if match >> way & 1:
                        hits += 1
                        assert row == (name, values[way].content) and not flushed
                    elif row and row[0] == name and not flushed:
                        assert not calm[way], "it is there, and nobody wrote just before"
                        collisions += 1
                    else:
                        misses += 1
            name = rng.choice(names)
            ctx.set(dut.look_up.key, {"name": name})
            flush = rng.random() < .01
            ctx.set(dut.flush, flush)
            writes = rng.random() < .4
            target, way, valid = rng.choice(names), rng.randrange(ways), rng.random() < .8
            content = rng.getrandbits(12)
            ctx.set(dut.write.enable, writes)
            for field, value in (("way", way), ("key", {"name": target}),
                                 ("value", {"content": content}), ("valid", valid)):
                ctx.set(getattr(dut.write, field), value)
            sweeping = bool(ctx.get(dut.sweeping))
            assert sweeping == (sweep > 0)
            calm = [before != (name % SETS, each) for each in range(ways)]
            before = (target % SETS, way) if writes else None
            # with the sweep, what is under way counts as flushed
            history.append((name, {} if sweeping else dict(rows), flush or sweeping, calm))
            if writes and not sweeping:
                rows[target % SETS, way] = (target, content) if valid else None
            if sweeping:
                sweep -= 1
            if flush:
                rows, sweep = {}, SETS
            await ctx.tick()

    simulate(dut, bench, cycles=4000)
    assert hits > 100 and misses > 100 and collisions > 5, (hits, misses, collisions)


def test_damaged_rows_are_no_match(monkeypatch):
    """Every bit of a row, flipped: a miss, and an error; the key's bits and the parity's too."""
    made = recorded_memories(monkeypatch)
    dut = store()

    async def bench(ctx):
        await swept(ctx, dut)
        name, content = 0x2A5, 0x5A5
        await write(ctx, dut, name, content, way=1)
        await ctx.tick()
        row = made[1].data[name % SETS]
        sound = ctx.get(row)
        assert len(row) == 10 + 12 + 1 + 2, "two parity bits"
        for bit in range(len(row)):
            ctx.set(row, sound ^ 1 << bit)
            match, _, _, errors = await look_up(ctx, dut, name)
            assert (match, errors) == (0, 0b10), f"bit {bit}"
        ctx.set(row, sound)
        match, values, _, errors = await look_up(ctx, dut, name)
        assert (match, values[1], errors) == (0b10, content, 0)

    simulate(dut, bench, cycles=400)


def test_scans():
    """A scan drops from its set what agrees but for the ignored pairs of bits, and nothing else;
    under look-ups and writes that go on."""
    rng = seeded("sets/scans")
    dut = store()

    async def bench(ctx):
        await swept(ctx, dut)
        dropped = kept = 0
        for _ in range(150):
            held = {}
            for _ in range(6):
                name, way = rng.choice([name for name in range(1, 1000) if name not in held]), \
                    rng.randrange(2)
                held = {key: value for key, value in held.items()
                        if (key % SETS, value) != (name % SETS, way)}
                held[name] = way
                await write(ctx, dut, name, 1, way=way)
            target, ignored = rng.choice([*held, rng.getrandbits(10)]), rng.getrandbits(5)
            natural = rng.randrange(2)
            scanned = target % SETS if natural else rng.randrange(SETS)
            ctx.set(dut.ignored, ignored)
            ctx.set(dut.look_up.key, {"name": target})
            ctx.set(dut.scan.valid, 1)
            ctx.set(dut.scan.natural, natural)
            ctx.set(dut.scan.set, scanned if not natural else rng.randrange(SETS))
            await ctx.tick()
            ctx.set(dut.scan.valid, 0)
            busy = rng.randrange(4)         # a write of another set, beside it
            other = next(name for name in range(1023, 1000, -1) if name % SETS != scanned)
            for cycle in range(12):
                if cycle < 2:
                    assert ctx.get(dut.scan.busy)
                ctx.set(dut.write.enable, cycle == busy)
                ctx.set(dut.write.way, 0)
                ctx.set(dut.write.key, {"name": other})
                ctx.set(dut.write.value, {"content": 5})
                ctx.set(dut.write.valid, 1)
                await ctx.tick()
            ctx.set(dut.write.enable, 0)
            assert not ctx.get(dut.scan.busy)
            if busy < 12:
                held = {key: value for key, value in held.items()
                        if (key % SETS, value) != (other % SETS, 0)}
                held[other] = 0
            mask = sum(3 << 2 * pair for pair in range(5) if not ignored >> pair & 1)
            for name, way in held.items():
                gone = name % SETS == scanned and not (name ^ target) & mask
                match, *_ = await look_up(ctx, dut, name)
                assert match == (0 if gone else 1 << way), (hex(name), hex(target), bin(ignored))
                dropped, kept = dropped + gone, kept + (not gone)
            ctx.set(dut.flush, 1)
            await ctx.tick()
            ctx.set(dut.flush, 0)
            await swept(ctx, dut)
        assert dropped > 50 and kept > 200, (dropped, kept)

    simulate(dut, bench, cycles=30_000)


@pytest.mark.parametrize("distance", [1, 2, 3, 4])
def test_one_scan_at_a_time(distance):
    """The contract: a scan that begins while another one is under way is told of."""
    dut = store()

    async def bench(ctx):
        await swept(ctx, dut)
        await write(ctx, dut, 4, 1)
        ctx.set(dut.look_up.key, {"name": 4})
        ctx.set(dut.scan.natural, 1)
        for cycle in range(6):
            ctx.set(dut.scan.valid, cycle in (0, distance))
            await ctx.tick()

    if distance < 4:
        with pytest.raises(AssertionError, match="begins when no other is under way"):
            simulate(dut, bench, cycles=60)
    else:
        simulate(dut, bench, cycles=60)


@pytest.mark.parametrize("changes", [0, 1, 2, 3, 4])
def test_what_a_scan_ignores_stays(changes):
    """The contract: what is ignored may change with a scan, or behind it, and not in between."""
    dut = store()

    async def bench(ctx):
        await swept(ctx, dut)
        await write(ctx, dut, 4, 1)
        ctx.set(dut.look_up.key, {"name": 4})
        ctx.set(dut.scan.natural, 1)
        for cycle in range(6):
            ctx.set(dut.scan.valid, cycle == 0)
            ctx.set(dut.ignored, 1 if cycle >= changes else 2)
            await ctx.tick()

    if 1 <= changes < 4:
        with pytest.raises(AssertionError, match="stays while the scan is under way"):
            simulate(dut, bench, cycles=60)
    else:
        simulate(dut, bench, cycles=60)
