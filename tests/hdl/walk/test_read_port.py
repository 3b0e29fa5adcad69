"""The read address channel: the shape of each burst, and offers that stay until they are taken."""

import pytest

from siommu.arch.config import Config
from siommu.walk.read_port import ReadPort
from siommu.walk.state import Table

from ...support.simulate import seeded, simulate

INCR, WRAP = 1, 2


def run(scenario, width=64):
    dut = ReadPort(Config(walks=4, axi_data_width=width))

    async def bench(ctx):
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=3000)


def ask(ctx, dut, slot, **state):
    ctx.set(dut.asked.payload, {"slot": slot, "state": state})
    ctx.set(dut.asked.valid, 1)


def offer(ctx, dut):
    address = ctx.get(dut.ar.payload)
    return (address.id, address.addr, address.len, address.size, address.burst.value)


@pytest.mark.parametrize("table, words", [
    (Table.DEVICE, 2), (Table.DIRECTORY_HIGH, 1), (Table.DIRECTORY_LOW, 1), (Table.CONTEXT, 4),
    (Table.PAGE_TABLE, 1)])
@pytest.mark.parametrize("width", [64, 512])
def test_words_of_an_entry(table, words, width):
    """Beats of 8 bytes on every bus, in the cycle in which they are asked for."""
    async def scenario(ctx, dut):
        ask(ctx, dut, 3, table=table, entry=0x1F_FFFF_FFFF_FFE8)
        assert ctx.get(dut.ar.valid)
        assert offer(ctx, dut) == (3, 0x1F_FFFF_FFFF_FFE8, words - 1, 3, INCR)
    run(scenario, width)


@pytest.mark.parametrize("width, addr, length, size, burst", [
    (64, 0x1238, 7, 3, WRAP), (128, 0x1230, 3, 4, WRAP), (256, 0x1220, 1, 5, WRAP),
    (512, 0x1200, 0, 6, INCR)])
def test_a_line(width, addr, length, size, burst):
    """64 bytes, from the beat on that holds the leaf."""
    async def scenario(ctx, dut):
        ask(ctx, dut, 1, table=Table.PAGE_TABLE, level=1, line=1, entry=0x1238)
        assert offer(ctx, dut) == (1, addr, length, size, burst)
    run(scenario, width)


def test_offers_stay_and_keep_their_order():
    rng = seeded("walk/read_port")

    async def scenario(ctx, dut):
        waiting, offered, taken = [], None, 0
        for number in range(600):
            asks = len(waiting) < 4 and rng.random() < .5
            ctx.set(dut.asked.valid, 0)
            if asks:
                ask(ctx, dut, number % 5, table=Table.PAGE_TABLE, entry=8 * number)
                waiting.append((number % 5, 8 * number, 0, 3, INCR))
            ctx.set(dut.ar.ready, rng.random() < .4)
            assert ctx.get(dut.ar.valid) == bool(waiting)
            if waiting:
                assert offer(ctx, dut) == waiting[0]
                assert offered in (None, waiting[0]), "an offer was withdrawn"
                offered = waiting[0]
                if ctx.get(dut.ar.ready):
                    waiting.pop(0)
                    offered, taken = None, taken + 1
            await ctx.tick()
        assert taken > 150
    run(scenario)
