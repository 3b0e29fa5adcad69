"""The UART against senders and receivers of bits whose clocks are off."""

import pytest

from fpga.image.uart import Receiver, Transmitter

from ...support.simulate import seeded, simulate

DIVIDER = 16


def bits_of(byte):
    """The line's levels for a byte: start, 8 bits, stop."""
    return [0, *(byte >> index & 1 for index in range(8)), 1]


async def received(ctx, dut, cycles, into):
    """Collects bytes for so many cycles."""
    for _ in range(cycles):
        await ctx.tick()
        if ctx.get(dut.bytes.valid):
            into.append(ctx.get(dut.bytes.payload))


@pytest.mark.parametrize("bit", [DIVIDER * .96, DIVIDER, DIVIDER * 1.04])
@pytest.mark.parametrize("gap", [0, 7])
def test_receives_what_is_a_little_off(bit, gap):
    rng = seeded("uart/receives")
    sent, got = [rng.randrange(256) for _ in range(40)] + [0, 255, 0x55], []
    dut = Receiver(DIVIDER)

    async def bench(ctx):
        time = passed = 0
        for byte in sent:
            for level in bits_of(byte):
                ctx.set(dut.rx, level)
                time += bit
                cycles, passed = int(time) - passed, int(time)
                await received(ctx, dut, cycles, got)
            await received(ctx, dut, gap, got)      # the line rests
        await received(ctx, dut, 2 * DIVIDER, got)
        assert got == sent
        assert ctx.get(dut.quiet)
    simulate(dut, bench, cycles=200_000)


def test_the_shortest_bit():
    sent, got, dut = [0x00, 0xA5, 0xFF, 0x5A], [], Receiver(4)

    async def bench(ctx):
        for byte in sent:
            for level in bits_of(byte):
                ctx.set(dut.rx, level)
                await received(ctx, dut, 4, got)
        await received(ctx, dut, 8, got)
        assert got == sent
    simulate(dut, bench, cycles=1000)


def test_spikes_and_breaks_are_no_bytes():
    got, dut = [], Receiver(DIVIDER)

    async def bench(ctx):
        ctx.set(dut.rx, 0)
        await received(ctx, dut, 3, got)            # a spike
        ctx.set(dut.rx, 1)
        await received(ctx, dut, 12 * DIVIDER, got)
        assert got == []
        ctx.set(dut.rx, 0)                          # a line that is held: no stop bit
        await received(ctx, dut, 10 * DIVIDER, got)
        assert not ctx.get(dut.quiet)
        ctx.set(dut.rx, 1)
        await received(ctx, dut, 12 * DIVIDER, got)
        assert 0 not in got
        got.clear()
        for level in bits_of(0xC3):
            ctx.set(dut.rx, level)
            await received(ctx, dut, DIVIDER, got)
        await received(ctx, dut, DIVIDER, got)
        assert got == [0xC3]
    simulate(dut, bench, cycles=2000)


def test_transmits():
    rng = seeded("uart/transmits")
    sent = [rng.randrange(256) for _ in range(20)]
    dut = Transmitter(DIVIDER)
    levels = []

    async def send(ctx):
        for byte in sent:
            ctx.set(dut.bytes.payload, byte)
            ctx.set(dut.bytes.valid, 1)
            while not ctx.get(dut.bytes.ready):
                await ctx.tick()
            await ctx.tick()
            ctx.set(dut.bytes.valid, 0)
            if rng.random() < .3:
                await ctx.tick().repeat(rng.randrange(1, 30))

    async def listen(ctx):
        got = []
        assert ctx.get(dut.tx) == 1
        while len(got) < len(sent):
            while ctx.get(dut.tx):
                await ctx.tick()
            await ctx.tick().repeat(DIVIDER // 2)
            for bit in range(10):
                levels.append(ctx.get(dut.tx))
                if bit < 9:
                    await ctx.tick().repeat(DIVIDER)
            assert levels[0] == 0 and levels[9] == 1
            got.append(sum(level << index for index, level in enumerate(levels[1:9])))
            levels.clear()
            await ctx.tick().repeat(DIVIDER // 2 - 1)
        assert got == sent
    simulate(dut, send, listen, cycles=10_000)
