"""When a walk is over: with its last word, or with its line; and which slots read until then."""

import pytest

from siommu.arch.config import Config
from siommu.walk.walk_ends import WalkEnds

from ...support.simulate import simulate


class Driver:
    """Tells of words and reads, a cycle at a time."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def cycle(self, **told):
        """One cycle, with a ``beat`` (fields), ``asked`` (a slot), ``decides``, ``reads``,
        ``finishes``; returns the slot that is over in it and whether with a line, or None."""
        ctx, dut = self.ctx, self.dut
        beat, asked = told.get("beat"), told.get("asked")
        ctx.set(dut.beat.valid, beat is not None)
        ctx.set(dut.beat.payload, beat or {})
        ctx.set(dut.asked.valid, asked is not None)
        ctx.set(dut.asked.payload.slot, asked or 0)
        for name in ("decides", "reads", "finishes"):
            ctx.set(getattr(dut, name), told.get(name, 0))
        over = ctx.get(dut.over.payload)
        found = (over.slot, over.line) if ctx.get(dut.over.valid) else None
        await ctx.tick()
        return found

    @property
    def reading(self):
        return self.ctx.get(self.dut.reading)


def run(scenario, width=64):
    dut = WalkEnds(Config(walks=4, axi_data_width=width))

    async def bench(ctx):
        await scenario(Driver(ctx, dut))
    simulate(dut, bench, cycles=100)


def test_an_entry_ends_its_walk():
    async def scenario(driver):
        assert await driver.cycle(asked=2) is None
        assert driver.reading == 4
        await driver.cycle(beat={"slot": 2, "ends": 1}, decides=1, finishes=1)
        assert await driver.cycle() is None and driver.reading == 0
        assert await driver.cycle() == (2, 0)
        assert await driver.cycle() is None
    run(scenario)


def test_an_entry_that_leads_on_does_not():
    async def scenario(driver):
        await driver.cycle(asked=2)
        await driver.cycle(beat={"slot": 2, "ends": 1}, decides=1, reads=1)
        await driver.cycle(asked=2)
        for _ in range(3):
            assert await driver.cycle() is None and driver.reading == 4
    run(scenario)


@pytest.mark.parametrize("last, complete", [(7, 1), (6, 0), (8, 0), (15, 0)])
def test_a_line_ends_with_its_last_beat(last, complete):
    """Of any length; only a line of eight words is complete."""
    async def scenario(driver):
        await driver.cycle(asked=1)
        for number in range(last + 1):
            beat = {"slot": 1, "of_line": 1, "count": number, "ends": number == last}
            first = number == 0
            assert await driver.cycle(beat=beat, decides=first, finishes=first) is None
            assert driver.reading == 2
        await driver.cycle()
        assert await driver.cycle() == (1, complete) and driver.reading == 0
    run(scenario)


@pytest.mark.parametrize("width, beats", [(64, 8), (512, 1)])
def test_a_line_that_leads_on_is_skipped(width, beats):
    """Its rest ends no walk; the entry behind it does."""
    async def scenario(driver):
        await driver.cycle(asked=1)
        for number in range(beats):
            first = number == 0
            await driver.cycle(
                beat={"slot": 1, "of_line": 1, "count": number, "ends": number == beats - 1},
                decides=first, reads=first, asked=1 if number == 1 else None)
        if beats == 1:
            await driver.cycle(asked=1)
        for _ in range(3):
            assert await driver.cycle() is None and driver.reading == 2
        await driver.cycle(beat={"slot": 1, "ends": 1}, decides=1, finishes=1)
        await driver.cycle()
        assert await driver.cycle() == (1, 0) and driver.reading == 0
        # and the walk's next line counts again
        await driver.cycle(asked=1)
        await driver.cycle(beat={"slot": 1, "of_line": 1, "count": beats - 1, "ends": 1})
        await driver.cycle()
        assert await driver.cycle() == (1, 1)
    run(scenario, width)
