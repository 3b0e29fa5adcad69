"""The first level that is measured beside the product's: it is a TLB, too."""

import pytest

from fpga.shapes import ROWS, SetsAndEntries
from siommu.arch.config import Config
from siommu.arch.formats import Size

from ..support.simulate import seeded, simulate

SIZES = {Size.PAGE_4K: 0, Size.PAGE_2M: 9, Size.PAGE_1G: 18}     #: page bits


@pytest.mark.parametrize("ways", [1, 2])
def test_random_fills_look_ups_and_drops(ways):
    """What was filled last is found, unless something else took its place; and nothing else is."""
    dut, rng = SetsAndEntries(Config(), ways), seeded(f"shapes/{ways}")
    seen = {"hit": 0, "miss": 0, "large": 0}

    async def bench(ctx):
        held = []                   # (size, pasid, page, base): no two of them overlap

        def key(pasid, page):
            return {"ft": 0, "device": 1, "pasid": pasid, "vpn": page, "canonical": 1}

        def overlapped(bits, pasid, page):
            return [entry for entry in held if entry[1] == pasid and
                    entry[2] >> max(bits, SIZES[entry[0]]) == page >> max(bits, SIZES[entry[0]])]

        async def change(what, rows):
            ctx.set(what.valid, 1)
            for row in range(rows):
                ctx.set(dut.row, row)
                await ctx.tick()
            ctx.set(what.valid, 0)
            await ctx.tick().repeat(6)

        async def look_up(pasid, page):
            ctx.set(dut.look_up.key, key(pasid, page))
            await ctx.tick().repeat(2)
            if ctx.get(dut.look_up.hit):
                return ctx.get(dut.look_up.outcome.pfn)
            return None

        ctx.set(dut.fill.commit, 1)
        for _ in range(700):
            pasid, page = rng.randrange(2), rng.getrandbits(6) | rng.getrandbits(2) << 8 \
                | rng.getrandbits(1) << 18
            what = rng.random()
            if what < .35:
                size = rng.choice([Size.PAGE_4K] * 6 + [Size.PAGE_2M, Size.PAGE_1G])
                base = rng.getrandbits(20) << 18
                mask = 0xFF if SIZES[size] else 1 << page % 8
                for entry in overlapped(SIZES[size], pasid, page):
                    held.remove(entry)
                held.append((size, pasid, page, base))
                ctx.set(dut.look_up.key, key(pasid, page))
                ctx.set(dut.fill.translation, {
                    "base": base, "mask": mask, "last": page % 8,
                    "rights": {"size": size.value, "read": 1, "write": 1, "dirty": 1}})
                await change(dut.fill, ROWS if SIZES[size] else 1)
                assert await look_up(pasid, page) is not None, "what was filled is there"
            elif what < .4:
                bits = rng.choice([3, 9, 18])
                held[:] = [entry for entry in held if entry not in overlapped(bits, pasid, page)]
                ctx.set(dut.look_up.key, key(pasid, page))
                ctx.set(dut.drop.invalidation, {
                    "by_device": 1, "by_pasid": 1, "by_ft": 1, "by_addr": 1, "n": bits,
                    "device": 1, "pasid": pasid, "page": page})
                await change(dut.drop, ROWS)
            found = await look_up(pasid, page)
            entries = overlapped(0, pasid, page)
            if found is None:
                seen["miss"] += 1
            else:
                (entry,) = entries
                bits = SIZES[entry[0]]
                offset = page % 8 if not bits else 0
                assert found >> max(bits, 3) == (entry[3] + offset) >> max(bits, 3)
                seen["hit"], seen["large"] = seen["hit"] + 1, seen["large"] + bool(bits)
    simulate(dut, bench, cycles=60_000)
    assert min(seen.values()) > 30 and seen["hit"] > 200, seen
