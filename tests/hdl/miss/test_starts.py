"""Starts of walks: their order, and what they bring of what the caches know."""

from collections import deque

import pytest

from siommu.arch.config import Config
from siommu.miss.starts import StartQueue

from ...support.simulate import seeded, simulate

CONFIG = Config(walks=4)
KINDS = "region", "context", "device"


def upper_of(rng):
    """What the caches answer, each with a page number and a DEVID of its own."""
    upper = {f"{kind}_hit": rng.getrandbits(1) for kind in KINDS}
    for kind, pfn in zip(KINDS, ("table", "root", "pfn")):
        upper[kind] = {pfn: rng.getrandbits(40), "devid": rng.getrandbits(10)}
    upper["region"].update(entry_format=rng.getrandbits(1), write=rng.getrandbits(1),
                           no_read=rng.getrandbits(1))
    upper["context"].update(paging={"fmt": rng.getrandbits(2)}, deny=rng.getrandbits(2))
    upper["device"].update(mem_en=rng.getrandbits(1), sto_bypass=rng.getrandbits(1),
                           levels=rng.randrange(3))
    return upper


def check_known(start, upper):
    """``start`` has the innermost hit of ``upper``, and nothing else; of none, no hit."""
    kind = next((kind for kind in KINDS if upper and upper[f"{kind}_hit"]), None)
    assert [name for name in KINDS if getattr(start, f"{name}_hit")] == ([kind] if kind else [])
    if kind is not None:
        found = start.known[kind]
        for name, value in upper[kind].items():
            if name == "paging":
                assert found.paging.fmt == value["fmt"]
            else:
                assert found[name] == value, (kind, name)


@pytest.mark.parametrize("flushes", [False, True])
def test_starts_bring_the_innermost_that_is_known(flushes):
    """In the order in which their slots were taken; what the caches answered in the cycle of a
    flush, or in the one before, is not trusted."""
    dut, rng = StartQueue(CONFIG), seeded(f"starts/{flushes}")

    async def bench(ctx):
        waiting, before, untrusted, several = deque(), False, 0, 0
        for number in range(600):
            takes = len(waiting) < CONFIG.walk_slots and rng.random() < .4
            flush, upper = flushes and rng.random() < .1, upper_of(rng)
            ctx.set(dut.takes, takes)
            ctx.set(dut.slot, number % CONFIG.walk_slots)
            ctx.set(dut.in_act, {"addr": number << 12, "pasid": number})
            ctx.set(dut.upper, upper)
            ctx.set(dut.flush, flush)
            ready = rng.random() < .5
            ctx.set(dut.start.ready, ready)
            if ctx.get(dut.start.valid):
                start, (key, slot, known) = ctx.get(dut.start.payload), waiting[0]
                assert (start.key.page, start.key.pasid, start.slot) == (key, key, slot)
                check_known(start, known)
                if ready:
                    waiting.popleft()
            if takes:
                trusted = not flush and not before
                untrusted += not trusted
                several += sum(upper[f"{kind}_hit"] for kind in KINDS) > 1
                waiting.append((number, number % CONFIG.walk_slots, upper if trusted else None))
            before = flush
            await ctx.tick()
        assert several > 50 and (untrusted > 10) == flushes

    simulate(dut, bench)


@pytest.mark.parametrize("selected", ["ft", "device", "pasid"])
def test_an_invalidation_covers_what_the_caches_know(selected):
    """While one is under way, what they know of its address spaces is not trusted."""
    dut, rng = StartQueue(CONFIG), seeded(f"starts/{selected}")

    async def bench(ctx):
        ctx.set(dut.start.ready, 1)
        covered = 0
        for _ in range(300):
            asked, of = ({name: rng.getrandbits(1) for name in ("ft", "device", "pasid")}
                         for _ in range(2))
            active, upper = rng.getrandbits(1), upper_of(rng)
            ctx.set(dut.distrust.active, active)
            ctx.set(dut.distrust.covered, {**of, f"by_{selected}": 1})
            ctx.set(dut.in_match, asked)
            await ctx.tick()
            ctx.set(dut.takes, 1)
            ctx.set(dut.upper, upper)
            await ctx.tick()
            ctx.set(dut.takes, 0)
            while not ctx.get(dut.start.valid):
                await ctx.tick()
            hidden = active and asked[selected] == of[selected]
            covered += hidden
            check_known(ctx.get(dut.start.payload), None if hidden else upper)
            await ctx.tick()
        assert covered > 20

    simulate(dut, bench)
