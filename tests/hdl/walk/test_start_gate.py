"""How many walks are in flight, and when there is room for another one."""

import pytest

from siommu.arch.config import Config
from siommu.walk.start_gate import StartGate

from ...support.simulate import seeded, simulate
from ...support.soup import known_of


@pytest.mark.parametrize("walks", [1, 2, 5])
def test_as_many_as_configured(walks):
    """A walk that ended, or was refused, makes room two cycles later: its end is counted in a
    register, and the room is one more."""
    dut, rng = StartGate(Config(walks=walks)), seeded(f"start_gate/{walks}")

    async def bench(ctx):
        active, freed, taken = 0, 0, False
        full = most = 0
        for number in range(600):
            offered, occupied = rng.random() < .8, rng.random() < .2
            ended = int(active > 0 and rng.random() < .3)
            refused = int(active > ended and rng.random() < .2)
            ctx.set(dut.start.valid, offered)
            ctx.set(dut.start.payload, {"slot": number % 4, "key": {"page": number}})
            for signal, value in ((dut.occupied, occupied), (dut.ended, ended),
                                  (dut.refused, refused)):
                ctx.set(signal, value)
            assert ctx.get(dut.begun.valid) == taken
            if taken:
                assert ctx.get(dut.begun.payload).walk.key.page == number - 1
            known = active + freed      # those that ended in the cycle before count still
            assert ctx.get(dut.start.ready) == (not occupied and known < walks)
            full += known == walks
            taken = bool(offered and ctx.get(dut.start.ready))
            active += taken - ended - refused
            freed = ended + refused
            most = max(most, active)
            await ctx.tick()
        assert most == walks and full > 50
    simulate(dut, bench, cycles=700)


def test_what_is_known_of_a_start():
    """Facts come with the start that they are of."""
    dut = StartGate(Config(walks=8))

    async def bench(ctx):
        device = {"mem_en": 1, "levels": 1}
        reach = {"canonical": 6, "beyond_16": 1}
        for start, facts in (
                ({}, {"no_region": 1, "within": 1}),
                ({"region_hit": 1, "context_hit": 1, "device_hit": 1, "device": device},
                 {"within": 1}),
                ({"context_hit": 1, "context": {"paging": {"l5": 1}}, "reach": reach},
                 {"no_region": 1, "context": 2, "canonical": 6, "within": 1}),
                ({"context_hit": 1, "context": {"paging": {"fmt": 1}}, "reach": reach},
                 {"no_region": 1, "context": 4, "canonical": 6, "within": 1}),
                ({"context_hit": 1, "context": {"paging": {"fmt": 2}}, "reach": reach},
                 {"no_region": 1, "context": 1, "canonical": 6, "within": 1}),
                ({"context_hit": 1, "context": {"paging": {"fmt": 3}}, "reach": reach},
                 {"no_region": 1, "context": 2, "canonical": 6, "within": 1}),
                ({"device_hit": 1, "device": device, "reach": reach},
                 {"no_region": 1, "device": 1, "canonical": 6})):
            ctx.set(dut.start.valid, 1)
            ctx.set(dut.start.payload, known_of(**start))
            assert ctx.get(dut.start.ready)
            await ctx.tick()
            found = ctx.get(dut.begun.payload).facts
            assert {name: getattr(found, name) for name, _ in found.shape()
                    if getattr(found, name)} == facts
    simulate(dut, bench, cycles=10)
