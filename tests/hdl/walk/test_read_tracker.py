"""Which beats are whose: bursts of several slots, lines and their rest, and answers to nothing."""

import pytest

from siommu.arch.config import Config
from siommu.pipeline.sizes import LINE_PAGES
from siommu.walk.read_tracker import ReadTracker

from ...support.simulate import seeded, simulate

SLOT = 2


class Driver:
    """Asks for reads and offers beats, a cycle at a time."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def ask(self, slot=SLOT, first=1):
        ctx, asked = self.ctx, self.dut.asked
        ctx.set(asked.payload, {"slot": slot, "first": first})
        ctx.set(asked.valid, 1)
        await ctx.tick()
        ctx.set(asked.valid, 0)

    async def begin(self, slot=SLOT):
        """A start is offered for a cycle in which no beat comes."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.starting, 1)
        ctx.set(dut.starting_slot, slot)
        await ctx.tick()
        ctx.set(dut.starting, 0)

    async def beat(self, data=0, *, slot=SLOT, last=0, line=0, resp=0):
        """Offers a beat until it is taken. Returns whether it has a word to be decided, whether it
        keeps starts away, and the beat of the cycle after it (None if it is of no read)."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.r.payload, {"id": slot, "data": data, "resp": resp, "last": last})
        ctx.set(dut.r.valid, 1)
        ctx.set(dut.line, line)
        while not ctx.get(dut.r.ready):
            assert not ctx.get(dut.decides) and not ctx.get(dut.occupied)
            await ctx.tick()
        decides, occupied = ctx.get(dut.decides), ctx.get(dut.occupied)
        await ctx.tick()
        ctx.set(dut.r.valid, 0)
        beat = ctx.get(dut.beat.payload) if ctx.get(dut.beat.valid) else None
        return decides, occupied, beat


def run(scenario, *, width=64, walks=4):
    dut = ReadTracker(Config(walks=walks, axi_data_width=width))

    async def bench(ctx):
        await scenario(Driver(ctx, dut))
    simulate(dut, bench, cycles=4000)


def test_words_of_an_entry():
    """Every word of a read that was asked for is decided; what comes behind its last one is not."""
    async def scenario(driver):
        await driver.begin()
        assert await driver.beat(1, last=1) == (0, 1, None), "no read"
        await driver.ask()
        for word in range(4):
            decides, occupied, beat = await driver.beat(word, last=word == 3, resp=word)
            assert (decides, occupied) == (1, 1)
            assert (beat.slot, beat.data, beat.of_line, beat.ends, beat.error) == (
                SLOT, word, 0, word == 3, word >> 1)
        assert await driver.beat(9, last=1) == (0, 1, None)
        await driver.ask(first=0)       # what came unasked is not counted
        assert (await driver.beat(7, last=1))[0]
    run(scenario)


def test_slots_interleave():
    async def scenario(driver):
        for slot in (0, 1, 3):
            await driver.begin(slot)
            await driver.ask(slot)
        for word, slot in enumerate((3, 0, 3, 1, 0)):
            last = word in (2, 3, 4)
            decides, _, beat = await driver.beat(word, slot=slot, last=last)
            assert decides and (beat.slot, beat.data, beat.ends) == (slot, word, last)
        for slot in range(4):
            assert await driver.beat(slot=slot, last=1) == (0, 1, None)
    run(scenario)


def test_of_a_line_the_first_word_is_decided():
    """Its neighbours pass with their number and keep no start away, but for the last one."""
    async def scenario(driver):
        for _ in range(2):
            await driver.begin()
            await driver.ask()
            for number in range(8):
                decides, occupied, beat = await driver.beat(number, last=number == 7, line=1)
                assert decides == (number == 0)
                assert occupied == (number in (0, 7))
                assert (beat.of_line, beat.count, beat.ends) == (1, number, number == 7)
    run(scenario)


def test_the_rest_of_a_line_comes_before_the_next_read():
    """The first word of a line led to another read: of two reads under way, each ends once."""
    async def scenario(driver):
        await driver.begin()
        await driver.ask()
        assert (await driver.beat(0, line=1))[0]
        await driver.ask(first=0)
        for number in range(1, 8):      # the state is that of the next read already
            decides, _, beat = await driver.beat(number, last=number == 7, line=0)
            assert not decides and beat.of_line and beat.count == number
        decides, _, beat = await driver.beat(0x77, last=0)
        assert decides and not beat.of_line and beat.count == 0
        assert (await driver.beat(0x78, last=1))[0]
        assert await driver.beat(0x79, last=1) == (0, 1, None)
    run(scenario)


def test_the_number_of_a_long_line_stays_high():
    """A burst that is too long is never taken for a whole line again."""
    async def scenario(driver):
        await driver.begin()
        await driver.ask()
        for number in range(20):
            _, _, beat = await driver.beat(number, last=number == 19, line=1)
            assert beat.count == min(number, 15)
    run(scenario)


@pytest.mark.parametrize("width", [128, 256, 512])
def test_a_beat_of_a_line_takes_its_turns(width):
    """Two of its words pass in each cycle, and no other beat is taken before the last of them;
    that of an entry passes at once."""
    turns, beats = width // 128, LINE_PAGES * 64 // width

    async def scenario(driver):
        ctx, dut = driver.ctx, driver.dut
        await driver.begin()
        await driver.ask()
        for number in range(beats):
            last = number == beats - 1
            await driver.beat(number, last=last, line=1)
            for turn in range(turns):
                beat = ctx.get(dut.beat.payload)
                assert ctx.get(dut.beat.valid)
                assert (beat.data, beat.count, beat.turn) == (number, number, turn)
                assert beat.ends == (last and turn == turns - 1)
                assert ctx.get(dut.r.ready) == (turn == turns - 1)
                if turn < turns - 1:
                    await ctx.tick()
        await ctx.tick()
        assert not ctx.get(dut.beat.valid)
        await driver.ask()
        await driver.beat(5, last=1)
        assert ctx.get(dut.r.ready) and ctx.get(dut.beat.payload).ends
    run(scenario, width=width)


def test_a_new_walk_forgets_the_line_of_the_one_before():
    """A reset in the middle of a line leaves its mark in the RAM; the start of a walk clears it."""
    async def scenario(driver):
        await driver.begin()
        await driver.ask()
        await driver.beat(0, line=1)
        await driver.begin()            # as after a reset
        await driver.ask()
        decides, _, beat = await driver.beat(1, last=1)
        assert decides and not beat.of_line
    run(scenario)


def test_random_bursts():
    """Against a list of what was asked for, with lines, entries and answers that no read led to."""
    rng = seeded("walk/read_tracker")

    async def scenario(driver):
        under_way, decided, strange = {}, 0, 0
        for slot in range(4):
            await driver.begin(slot)
        for _ in range(1200):
            slot = rng.randrange(4)
            if slot not in under_way and rng.random() < .5:
                await driver.ask(slot, first=rng.getrandbits(1))
                under_way[slot] = [0, rng.choice([1, 2, 4, 8]), rng.getrandbits(1)]
                continue
            if slot not in under_way:
                assert await driver.beat(slot=slot, last=1) == (0, 1, None)
                strange += 1
                continue
            number, length, line = under_way[slot]
            last = number == length - 1
            decides, _, beat = await driver.beat(number, slot=slot, last=last, line=line)
            assert decides == (number == 0 or not line)
            assert (beat.slot, beat.data, beat.of_line, beat.ends) == (slot, number, line, last)
            if line:
                assert beat.count == number
            under_way[slot][0] += 1
            decided += decides
            if last:
                del under_way[slot]
        assert decided > 200 and strange > 50
    run(scenario)
