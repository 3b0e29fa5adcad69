"""The set-associative store against a dictionary, with damaged rows, collisions and sweeps."""

import pytest
from amaranth.lib import data

from siommu.sets import SetStore

from .simulate import recorded_memories, seeded, simulate

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
    for field, value in (("write", 1), ("write_way", way), ("write_key", {"name": name}),
                         ("write_value", {"content": content}), ("write_valid", valid)):
        ctx.set(getattr(dut, field), value)
    await ctx.tick()
    ctx.set(dut.write, 0)
    ctx.set(dut.write_key, {})
    await ctx.tick()


async def look_up(ctx, dut, name):
    """(matches, contents of the ways, place, errors)"""
    ctx.set(dut.key, {"name": name})
    await ctx.tick()
    ctx.set(dut.key, {"name": name ^ 1})
    await ctx.tick()
    values = ctx.get(dut.values)
    found = (ctx.get(dut.match), [value.content for value in values], ctx.get(dut.place),
             ctx.get(dut.errors))
    return found


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


@pytest.mark.parametrize("block_ram", [False, True])
@pytest.mark.parametrize("ways", [1, 2, 4])
def test_random_traffic(ways, block_ram):
    """A look-up in every cycle, writes and flushes among them. What matches was written before the
    look-up began, with that content, and not overwritten, emptied or flushed since; and where
    nothing was written meanwhile, it does match."""
    dut, rng = store(ways, block_ram=block_ram), seeded(f"sets/{ways}")
    hits = misses = collisions = 0

    async def bench(ctx):
        nonlocal hits, misses, collisions
        rows, history, sweep, before = {}, [], SETS, None
        names = [rng.getrandbits(10) for _ in range(12)]
        for cycle in range(3000):
            # the look-up of two cycles ago
            if len(history) > 1:
                name, held, _, calm = history[-2]
                match, values = ctx.get(dut.match), ctx.get(dut.values)
                flushed = history[-1][2] or history[-2][2]
                assert not ctx.get(dut.errors)
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
            ctx.set(dut.key, {"name": name})
            flush = rng.random() < .01
            ctx.set(dut.flush, flush)
            writes = rng.random() < .4
            target, way, valid = rng.choice(names), rng.randrange(ways), rng.random() < .8
            content = rng.getrandbits(12)
            ctx.set(dut.write, writes)
            for field, value in (("write_way", way), ("write_key", {"name": target}),
                                 ("write_value", {"content": content}), ("write_valid", valid)):
                ctx.set(getattr(dut, field), value)
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
        shape = data.Layout.cast(row.shape())
        sound = ctx.get(row).as_bits()
        assert shape.size == 10 + 12 + 1 + 2, "two parity bits"
        for bit in range(shape.size):
            ctx.set(row, shape.from_bits(sound ^ 1 << bit))
            match, _, _, errors = await look_up(ctx, dut, name)
            assert (match, errors) == (0, 0b10), f"bit {bit}"
        ctx.set(row, shape.from_bits(sound))
        match, values, _, errors = await look_up(ctx, dut, name)
        assert (match, values[1], errors) == (0b10, content, 0)

    simulate(dut, bench, cycles=400)


@pytest.mark.parametrize("block_ram", [False, True])
def test_scan(block_ram):
    """A scan drops from its set exactly what agrees with the key in the bits that are not ignored,
    while look-ups and writes of other sets go on."""
    ways = 4
    dut, rng = store(ways, block_ram=block_ram), seeded(f"sets/scan/{block_ram}")

    async def bench(ctx):
        await swept(ctx, dut)
        kept = gone = 0
        for _ in range(100):
            rows = {}
            for way in range(ways):
                for at in range(SETS):
                    rows[at, way] = at | rng.getrandbits(3) << 7 | rng.getrandbits(1) << 2
                    await write(ctx, dut, rows[at, way], rng.getrandbits(12), way=way)
            target, natural = rng.choice(list(rows.values())), rng.getrandbits(1)
            at = target % SETS if natural else rng.randrange(SETS)
            ignored = rng.getrandbits(5) | (0 if natural else 1)
            looked = sum(3 << 2 * pair for pair in range(5) if not ignored >> pair & 1)
            for name, value in (("scan", 1), ("scan_natural", natural), ("scan_set", at),
                                ("ignored", ignored), ("key", {"name": target})):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            ctx.set(dut.scan, 0)
            cycles = 0
            while ctx.get(dut.scanning):
                cycles += 1
                assert cycles < 10
                await ctx.tick()
            await ctx.tick().repeat(2)
            for (where, way), name in rows.items():
                found = (await look_up(ctx, dut, name))[0] >> way & 1
                covered = where == at and not (name ^ target) & looked
                assert found == (not covered), (hex(name), hex(target), bin(ignored), where, at)
                kept, gone = kept + found, gone + covered
        assert kept > 100 and gone > 100, (kept, gone)

    simulate(dut, bench)
