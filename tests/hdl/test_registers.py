import pytest

from siommu.config import Config
from siommu.register_map import REGISTERS, existing, register, reset_value
from siommu.registers import RegisterBlock, counter_words

from .simulate import seeded, simulate

OKAY, SLVERR = 0, 2
CONFIG = Config()


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


def offset(name):
    return register(name).offset


def test_every_offset_after_reset():
    """Reset values; everything that is no register reads 0 with SLVERR."""
    async def check(ctx, dut):
        entries = {entry.offset: entry for entry in REGISTERS}
        for at in range(0, 0x1000, 4):
            entry = entries.get(at)
            if entry is not None and entry.name in counter_words():
                continue
            expected = (0, SLVERR) if entry is None else (reset_value(entry, CONFIG), OKAY)
            if entry is not None and entry.name in ("STATUS", "PORT_STATUS"):
                expected = (0, OKAY)
            assert await read(ctx, dut, at) == expected, hex(at)
    run(check)


@pytest.mark.parametrize("order", ["both", "address", "data"])
def test_write_access(order):
    """RW registers keep what exists, within their limits; all others answer SLVERR."""
    async def check(ctx, dut):
        for entry in REGISTERS:
            if entry.name in counter_words() or entry.access != "RW":
                response = await write(ctx, dut, entry.offset, 0xFFFF_FFFF, order=order)
                assert response == (OKAY if entry.access == "RW1C" else SLVERR), entry.name
                continue
            # MODE and the queues' ENABLE lock others, an index needs a ring
            value = 0xFFFF_FFFC if entry.name in ("CTRL", "CQ_CTRL", "FQ_CTRL") else 0xFFFF_FFFF
            assert await write(ctx, dut, entry.offset, value, order=order) == OKAY, entry.name
            kept = sum(field.mask for field in entry.fields if field.access == "RW")
            expected = value & kept & existing(entry, CONFIG)
            if entry.name.endswith("LOG2"):
                expected = 16 if entry.name == "DDT_LOG2" else 15
            assert await read(ctx, dut, entry.offset) == (expected, OKAY), entry.name
        assert await write(ctx, dut, 0x800, 1, order=order) == SLVERR
    run(check)


def test_strobes():
    async def check(ctx, dut):
        low = offset("DDT_BASE_LOW")
        rng = seeded("registers/strobes")
        expected = 0
        for _ in range(40):
            value, strb = rng.getrandbits(32), rng.getrandbits(4)
            mask = sum(0xFF << 8 * i for i in range(4) if strb >> i & 1)
            expected = (expected & ~mask | value & mask) & 0xFFFF_F000
            assert await write(ctx, dut, low, value, strb) == OKAY
            assert await read(ctx, dut, low) == (expected, OKAY)
            assert ctx.get(dut.content.DDT_BASE_LOW) == expected
    run(check)


@pytest.mark.parametrize("user, control, on", [
    ("MODE", "CTRL", 1), ("MODE", "CTRL", 2), ("CQ", "CQ_CTRL", 1), ("FQ", "FQ_CTRL", 1)])
def test_locks(user, control, on):
    """Registers of a user that is on refuse writes and keep their values; all others do not."""
    async def check(ctx, dut):
        locked = [entry for entry in REGISTERS if entry.locked]
        for value in (0x5000, 0x9003):
            for state in (on, 0):
                assert await write(ctx, dut, offset(control), state) == OKAY
                for entry in locked:
                    before, _ = await read(ctx, dut, entry.offset)
                    refused = state and entry.locked == user
                    assert await write(ctx, dut, entry.offset, value) == (
                        SLVERR if refused else OKAY), entry.name
                    if refused:
                        assert await read(ctx, dut, entry.offset) == (before, OKAY)
        assert await write(ctx, dut, offset("CTRL"), 3) == OKAY
        assert await write(ctx, dut, offset("DDT_LOG2"), 7) == OKAY, "3 acts as ABORT"
    run(check)


def test_limits_and_indexes():
    """DDT_LOG2 is at most 16, a ring's 1 to 15; indexes count modulo the ring, from 0 on when its
    queue is turned on."""
    async def check(ctx, dut):
        for value in range(32):
            for name, wanted in (("DDT_LOG2", min(value, 16)),
                                 ("CQ_LOG2", min(max(value, 1), 15)),
                                 ("FQ_LOG2", min(max(value, 1), 15))):
                assert await write(ctx, dut, offset(name), value) == OKAY
                assert (await read(ctx, dut, offset(name)))[0] == wanted
        for queue, name in (("CQ", "CQ_TAIL"), ("FQ", "FQ_HEAD")):
            for log2 in (1, 7, 15):
                await write(ctx, dut, offset(f"{queue}_LOG2"), log2)
                await write(ctx, dut, offset(name), 0x1_FFFF)
                assert (await read(ctx, dut, offset(name)))[0] == (1 << log2) - 1
            await write(ctx, dut, offset(f"{queue}_CTRL"), 1)
            assert (await read(ctx, dut, offset(name)))[0] == 0
            await write(ctx, dut, offset(name), 3)
            await write(ctx, dut, offset(f"{queue}_CTRL"), 1)
            assert (await read(ctx, dut, offset(name)))[0] == 3
    run(check)


def test_events():
    """Bits are set by events and cleared by writing 1; an event in the same cycle wins."""
    async def check(ctx, dut):
        for name, bits in (("CQ_STATUS", 7), ("FQ_STATUS", 15), ("COUNTER_OVERFLOW", 0x7FFF)):
            ctx.set(dut.events[name], 0xFFFF_FFFF)
            await ctx.tick()
            ctx.set(dut.events[name], 0)
            assert (await read(ctx, dut, offset(name)))[0] == bits
            await write(ctx, dut, offset(name), 2)
            assert (await read(ctx, dut, offset(name)))[0] == bits & ~2
            await write(ctx, dut, offset(name), 0xFF, strb=0b1110)
            assert (await read(ctx, dut, offset(name)))[0] == bits & ~2, "that byte is not written"
            ctx.set(dut.events[name], 4)
            await write(ctx, dut, offset(name), 0xFFFF_FFFF)
            ctx.set(dut.events[name], 0)
            assert (await read(ctx, dut, offset(name)))[0] == 4
    run(check)


def test_pulses():
    """Each write that starts something is one pulse, and no other write is."""
    async def check(ctx, dut):
        names = ("goes", "clears", "head_written")
        for name, value, pulse in (
                ("DBG_CTRL", 1, "goes"), ("DBG_CTRL", 7, "goes"), ("DBG_CTRL", 6, None),
                ("COUNTER_CTRL", 2, "clears"), ("COUNTER_CTRL", 1, None),
                ("FQ_HEAD", 0, "head_written"), ("CQ_TAIL", 1, None)):
            seen = dict.fromkeys(names, 0)
            ctx.set(dut.b.ready, 1)
            for channel, payload in (("aw", offset(name)), ("w", {"data": value, "strb": 15})):
                ctx.set(getattr(dut, channel).payload, payload)
                ctx.set(getattr(dut, channel).valid, 1)
            for _ in range(6):
                await ctx.tick()
                ctx.set(dut.aw.valid, 0)
                ctx.set(dut.w.valid, 0)
                for each in names:
                    seen[each] += ctx.get(getattr(dut, each))
            assert seen == {each: int(each == pulse) for each in names}, name
        assert (await read(ctx, dut, offset("DBG_CTRL")))[0] == 6
        ctx.set(dut.busy, 1)
        assert (await read(ctx, dut, offset("DBG_CTRL")))[0] == 7
        assert (await read(ctx, dut, offset("COUNTER_CTRL")))[0] == 1
    run(check)


def test_counters_are_waited_for():
    async def check(ctx, dut):
        for name, (number, high) in counter_words().items():
            ctx.set(dut.r.ready, 1)
            ctx.set(dut.ar.payload, offset(name))
            ctx.set(dut.ar.valid, 1)
            await ctx.tick()
            ctx.set(dut.ar.payload, 0)
            assert ctx.get(dut.ask) and ctx.get(dut.index) == number
            assert ctx.get(dut.high) == high
            for _ in range(number + 1):
                await ctx.tick()
                assert not ctx.get(dut.ask) and not ctx.get(dut.r.valid)
                assert not ctx.get(dut.ar.ready)
            ctx.set(dut.done, 1)
            ctx.set(dut.value, 0x1234_5600 + number)
            await ctx.tick()
            ctx.set(dut.done, 0)
            ctx.set(dut.ar.valid, 0)
            assert ctx.get(dut.r.valid)
            assert ctx.get(dut.r.payload.data) == 0x1234_5600 + number
            assert ctx.get(dut.r.payload.resp).value == OKAY
            await ctx.tick()
    run(check)


def test_shown():
    async def check(ctx, dut):
        for name, value in (("STATUS", 5), ("PORT_STATUS", 0b101), ("CQ_HEAD", 0x7FFF),
                            ("FQ_TAIL", 0x4321), ("DBG_RESULT", 0x3F0F & ~0x3000),
                            ("DBG_PHYS_LOW", 0xDEAD_BEEF), ("DBG_PHYS_HIGH", 0xFFFF_0001)):
            ctx.set(dut.shown[name], value)
            assert await read(ctx, dut, offset(name)) == (value, OKAY), name
            assert await write(ctx, dut, offset(name), 0) == SLVERR
        ctx.set(dut.shown.PORT_STATUS, 0xFFFF_FFFF)
        assert (await read(ctx, dut, offset("PORT_STATUS")))[0] == 7
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
