import pytest

from siommu.config import Config
from siommu.registers import REGISTERS, RegisterBlock, register

from .simulate import seeded, simulate

OKAY, SLVERR = 0, 2
CONFIG = Config()
RESET = {"ID": 0x53494F4D, "VERSION": 0x0001_0000, "CAPS0": 0x0020_0832, "CAPS1": 1024,
         "CTRL": 0, "STATUS": 0, "DDT_BASE_LOW": 0, "DDT_BASE_HIGH": 0, "DDT_LOG2": 0,
         "PORT_ENABLE": 7, "PORT_STATUS": 0}


async def write(ctx, dut, offset, value, strb=0xF, order="both"):
    ctx.set(dut.b.ready, 1)
    for step in {"both": ["aw+w"], "address": ["aw", "w"], "data": ["w", "aw"]}[order]:
        for channel, payload in (("aw", offset), ("w", {"data": value, "strb": strb})):
            if channel in step.split("+"):
                ctx.set(getattr(dut, channel).payload, payload)
                ctx.set(getattr(dut, channel).valid, 1)
                assert ctx.get(getattr(dut, channel).ready)
        await ctx.tick()
        ctx.set(dut.aw.valid, 0)
        ctx.set(dut.w.valid, 0)
    while not ctx.get(dut.b.valid):
        await ctx.tick()
    response = ctx.get(dut.b.payload).value
    await ctx.tick()
    return response


async def read(ctx, dut, offset):
    ctx.set(dut.ar.payload, offset)
    ctx.set(dut.ar.valid, 1)
    ctx.set(dut.r.ready, 1)
    await ctx.tick()
    ctx.set(dut.ar.valid, 0)
    while not ctx.get(dut.r.valid):
        await ctx.tick()
    content = ctx.get(dut.r.payload)
    await ctx.tick()
    return content.data, content.resp.value


def run(*steps):
    dut = RegisterBlock(CONFIG)

    async def bench(ctx):
        for step in steps:
            await step(ctx, dut)
    simulate(dut, bench, cycles=100_000)


def test_every_offset_after_reset():
    """Reset values; everything that is no register reads 0 with SLVERR."""
    async def check(ctx, dut):
        names = {entry.offset: entry.name for entry in REGISTERS}
        assert set(names.values()) == set(RESET)
        for offset in range(0, 0x1000, 4):
            expected = (RESET[names[offset]], OKAY) if offset in names else (0, SLVERR)
            assert await read(ctx, dut, offset) == expected, hex(offset)
    run(check)


def test_offsets():
    assert {entry.name: entry.offset for entry in REGISTERS} == {
        "ID": 0x000, "VERSION": 0x004, "CAPS0": 0x008, "CAPS1": 0x00C, "CTRL": 0x010,
        "STATUS": 0x014, "DDT_BASE_LOW": 0x018, "DDT_BASE_HIGH": 0x01C, "DDT_LOG2": 0x020,
        "PORT_ENABLE": 0x068, "PORT_STATUS": 0x06C}


@pytest.mark.parametrize("order", ["both", "address", "data"])
def test_write_access(order):
    async def check(ctx, dut):
        for entry in REGISTERS:
            writable = entry.mask if entry.access == "RW" else 0
            if entry.name == "PORT_ENABLE":
                writable = 0b111
            if entry.name == "CTRL":
                writable = 0b100        # MODE has a test of its own: it locks others
            pattern = 0xFFFF_FFFC if entry.name == "CTRL" else 0xFFFF_FFFF
            before = RESET[entry.name]
            response = await write(ctx, dut, entry.offset, pattern, order=order)
            assert response == (OKAY if entry.access == "RW" else SLVERR), entry.name
            expected = before & ~writable | pattern & writable
            if entry.name == "DDT_LOG2":
                expected = 16           # "at most 16"
            assert await read(ctx, dut, entry.offset) == (expected, OKAY), entry.name
        assert await write(ctx, dut, 0x800, 1, order=order) == SLVERR
    run(check)


def test_strobes():
    async def check(ctx, dut):
        low = register("DDT_BASE_LOW").offset
        rng = seeded("registers/strobes")
        expected = 0
        for _ in range(40):
            value, strb = rng.getrandbits(32), rng.getrandbits(4)
            mask = sum(0xFF << 8 * i for i in range(4) if strb >> i & 1)
            expected = (expected & ~mask | value & mask) & 0xFFFF_F000
            assert await write(ctx, dut, low, value, strb) == OKAY
            assert await read(ctx, dut, low) == (expected, OKAY)
            assert ctx.get(dut.ddt_base) == expected >> 12
    run(check)


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_table_base_is_locked_while_on(mode):
    async def check(ctx, dut):
        assert await write(ctx, dut, 0x018, 0x1234_5000) == OKAY
        assert await write(ctx, dut, 0x010, mode) == OKAY
        assert ctx.get(dut.mode) == mode
        off = mode in (0, 3)
        for offset, value in ((0x018, 0xFFFF_F000), (0x01C, 0xF_FFFF), (0x020, 9)):
            before, _ = await read(ctx, dut, offset)
            assert await write(ctx, dut, offset, value) == (OKAY if off else SLVERR)
            assert await read(ctx, dut, offset) == (value if off else before, OKAY)
        assert await write(ctx, dut, 0x010, 0) == OKAY
        assert await write(ctx, dut, 0x020, 7) == OKAY
    run(check)


def test_flush():
    """Writing ABORT empties the caches, whatever the mode was; so does a change of CHECK_AD."""
    async def check(ctx, dut):
        async def put(value, expected):
            ctx.set(dut.b.ready, 1)
            ctx.set(dut.aw.payload, 0x010)
            ctx.set(dut.w.payload, {"data": value, "strb": 0xF})
            ctx.set(dut.aw.valid, 1)
            ctx.set(dut.w.valid, 1)
            seen = 0
            for _ in range(6):
                await ctx.tick()
                ctx.set(dut.aw.valid, 0)
                ctx.set(dut.w.valid, 0)
                seen += ctx.get(dut.flush)
            assert seen == expected, f"CTRL = {value}"

        for value, expected in ((1, 0), (0, 1), (0, 1), (1, 0), (3, 1), (2, 0), (1, 0), (5, 1),
                                (5, 0), (1, 1)):
            await put(value, expected)
    run(check)


def test_status():
    async def check(ctx, dut):
        ctx.set(dut.requests, 1)
        assert (await read(ctx, dut, 0x014))[0] == 1
        ctx.set(dut.requests, 0)
        ctx.set(dut.walks, 1)
        ctx.set(dut.port_active, 0b101)
        assert (await read(ctx, dut, 0x014))[0] == 2
        assert (await read(ctx, dut, 0x06C))[0] == 0b101
    run(check)


def test_waits_for_the_responses_to_be_taken():
    async def check(ctx, dut):
        ctx.set(dut.b.ready, 0)
        for _ in range(2):
            ctx.set(dut.aw.payload, 0x018)
            ctx.set(dut.w.payload, {"data": 0x1000, "strb": 0xF})
            ctx.set(dut.aw.valid, 1)
            ctx.set(dut.w.valid, 1)
            await ctx.tick().repeat(5)
            assert ctx.get(dut.b.valid)
        ctx.set(dut.aw.valid, 0)
        ctx.set(dut.w.valid, 0)
        await ctx.tick().repeat(5)
        ctx.set(dut.b.ready, 1)
        taken = 0
        for _ in range(10):
            taken += ctx.get(dut.b.valid)
            await ctx.tick()
        assert taken == 2
    run(check)
