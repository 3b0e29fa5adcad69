"""The register block against the declaration of the registers: every offset, every access type."""

import pytest

from siommu.arch.config import PRESETS, Config
from siommu.arch.register_map import COUNTERS, REGISTERS, existing, register, reset_value
from siommu.control.registers import RegisterBlock

from ...support.simulate import seeded, simulate

OKAY, SLVERR = 0, 2
ALL = 0xFFFF_FFFF
#: A register that locks others, and the registers that it locks.
LOCKS = {"MODE": "CTRL", "CQ": "CQ_CTRL", "FQ": "FQ_CTRL"}
#: Name of the index that a queue's enable clears, and its ring's size.
INDEXES = {"CQ_TAIL": ("CQ_CTRL", "CQ_LOG2"), "FQ_HEAD": ("FQ_CTRL", "FQ_LOG2")}


def at(name):
    return register(name).offset


def is_counter(entry):
    return 0x100 <= entry.offset < 0x100 + 8 * len(COUNTERS)


def self_clearing(entry):
    return sum(field.mask for field in entry.fields if field.access == "GO")


def stored(entry, config, value, rings):
    """What a RW register holds after ``value`` was written; ``rings`` are the rings' sizes."""
    value &= existing(entry, config) & ~self_clearing(entry)
    if entry.minimum is not None:
        value = max(value, entry.minimum)
    if entry.maximum is not None:
        value = min(value, entry.maximum)
    if entry.name in INDEXES:
        value %= 1 << rings[INDEXES[entry.name][1]]
    return value


async def begin(ctx, dut, offset, value, strb=0xF, order="both"):
    """A write up to the cycle in which it takes effect: the next one shows what it did."""
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


async def write(ctx, dut, offset, value, strb=0xF, order="both"):
    await begin(ctx, dut, offset, value, strb, order)
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


async def put(ctx, dut, name, value):
    assert await write(ctx, dut, at(name), value) == OKAY, name


async def get(ctx, dut, name):
    value, response = await read(ctx, dut, at(name))
    assert response == OKAY, name
    return value


def run(check, config=Config(), *, counters=True):
    """``check(ctx, dut)``, beside counters that answer at once with 0 (or none)."""
    dut = RegisterBlock(config)

    async def bench(ctx):
        ctx.set(dut.counters.done, counters)
        await check(ctx, dut)
    simulate(dut, bench, cycles=100_000)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_offset_after_reset(preset):
    """Reset values; everything that is no register reads 0 with SLVERR."""
    config = PRESETS[preset]

    async def check(ctx, dut):
        entries = {entry.offset: entry for entry in REGISTERS}
        for offset in (*range(0, 0x300, 4), 0x400, 0x800, 0xFFC):
            expected = (reset_value(entries[offset], config), OKAY) if offset in entries \
                else (0, SLVERR)
            assert await read(ctx, dut, offset) == expected, hex(offset)
    run(check, config)


@pytest.mark.parametrize("order", ["both", "address", "data"])
def test_write_access(order):
    """RW registers keep what exists of what is written, the others change in nothing; a write to
    a read-only register or to none answers SLVERR."""
    config = Config(device_ports=8)

    async def check(ctx, dut):
        rings = {"CQ_LOG2": 15, "FQ_LOG2": 15}
        for name, log2 in rings.items():
            await put(ctx, dut, name, log2)
        for entry in REGISTERS:
            if entry.name in LOCKS.values():
                continue                # they have tests of their own
            before, _ = await read(ctx, dut, entry.offset)
            for pattern in (ALL, 0x5555_5555, 0xAAAA_AAAA, 0, 9):
                response = await write(ctx, dut, entry.offset, pattern, order=order)
                assert response == (SLVERR if entry.access == "RO" else OKAY), entry.name
                wanted = stored(entry, config, pattern, rings) if entry.access == "RW" else before
                assert await read(ctx, dut, entry.offset) == (wanted, OKAY), entry.name
            if entry.name in rings:
                await put(ctx, dut, entry.name, 15)
        for offset in (0x024, 0x044, 0x074, 0x07C, 0x0A0, 0x0FC, 0x178, 0x1F4, 0x200, 0x800):
            assert await write(ctx, dut, offset, ALL, order=order) == SLVERR
            assert await read(ctx, dut, offset) == (0, SLVERR)
    run(check, config)


def test_read_only_registers_show_what_they_are_shown():
    """And of it, only bits that exist."""
    config = Config(device_ports=1, cpu_port=False)

    async def check(ctx, dut):
        rng = seeded("registers/shown")
        for entry in REGISTERS:
            if entry.access == "RO" and entry.name in dict(dut.shown.shape()):
                for value in (ALL, 0, rng.getrandbits(32)):
                    ctx.set(dut.shown[entry.name], value)
                    assert await get(ctx, dut, entry.name) == value & existing(entry, config)
                ctx.set(dut.shown[entry.name], 0)
        assert {entry.name for entry in REGISTERS if entry.access == "RO"
                and not is_counter(entry)} == {
            *dict(dut.shown.shape()), "ID", "VERSION", "CAPS0", "CAPS1"}
    run(check, config)


def test_content_is_what_is_stored():
    async def check(ctx, dut):
        await put(ctx, dut, "CQ_LOG2", 15)
        await put(ctx, dut, "FQ_LOG2", 15)
        rng = seeded("registers/content")
        names = [entry.name for entry in REGISTERS if entry.access == "RW"
                 and entry.name not in LOCKS.values()]
        for _ in range(60):
            name = rng.choice(names)
            await put(ctx, dut, name, rng.getrandbits(32))
            content = ctx.get(dut.content)
            assert content[name] == await get(ctx, dut, name), name
    run(check)


def test_strobes():
    """Bytes that are not strobed stay: of stored ones, of limits, and of bits to be cleared."""
    async def check(ctx, dut):
        rng = seeded("registers/strobes")
        names = ("DDT_BASE_LOW", "DBG_ADDR_HIGH", "IRQ_ENABLE", "FQ_QUOTA")
        held = dict.fromkeys(names, 0)
        for _ in range(80):
            name = rng.choice(names)
            value, strb = rng.getrandbits(32), rng.getrandbits(4)
            mask = sum(0xFF << 8 * i for i in range(4) if strb >> i & 1)
            held[name] = (held[name] & ~mask | value & mask) & register(name).mask
            assert await write(ctx, dut, at(name), value, strb) == OKAY
            assert await get(ctx, dut, name) == held[name]
        ctx.set(dut.events.COUNTER_OVERFLOW, ALL)
        await ctx.tick()
        ctx.set(dut.events.COUNTER_OVERFLOW, 0)
        assert await write(ctx, dut, at("COUNTER_OVERFLOW"), ALL, 0b0010) == OKAY
        assert await get(ctx, dut, "COUNTER_OVERFLOW") == 0x00FF
        await put(ctx, dut, "DDT_LOG2", 5)
        assert await write(ctx, dut, at("DDT_LOG2"), ALL, 0b1110) == OKAY
        assert await get(ctx, dut, "DDT_LOG2") == 5
        for name, strb in (("DBG_CTRL", 0b1110), ("COUNTER_CTRL", 0b1110)):
            await begin(ctx, dut, at(name), ALL, strb)
            await ctx.tick()
            assert not ctx.get(dut.starts.goes) and not ctx.get(dut.starts.clears)
            await ctx.tick()
    run(check)


def test_limits():
    """What is beyond a limit is stored as the limit."""
    async def check(ctx, dut):
        for name, low, high in (("DDT_LOG2", 0, 16), ("CQ_LOG2", 1, 15), ("FQ_LOG2", 1, 15)):
            for value in range(64):
                await put(ctx, dut, name, value)
                assert await get(ctx, dut, name) == min(max(value % 32, low), high), value
    run(check)


@pytest.mark.parametrize("user, value", [
    *(("MODE", mode) for mode in range(4)), *(("MODE", 4 | mode) for mode in range(4)),
    ("CQ", 0), ("CQ", 1), ("FQ", 0), ("FQ", 1)])
def test_locks(user, value):
    """Registers are locked while their user is on, and no other is."""
    async def check(ctx, dut):
        locks = [entry for entry in REGISTERS if entry.locked]
        assert {entry.locked for entry in locks} == set(LOCKS)
        for entry in locks:
            await put(ctx, dut, entry.name, 0x1234_5005)
        await put(ctx, dut, LOCKS[user], value)
        assert await get(ctx, dut, LOCKS[user]) == value
        on = value & 3 in (1, 2) if user == "MODE" else value == 1
        for entry in locks:
            before = await get(ctx, dut, entry.name)
            closed = on and entry.locked == user
            for pattern in (ALL, 0, before ^ 1):
                response = await write(ctx, dut, entry.offset, pattern)
                assert response == (SLVERR if closed else OKAY), entry.name
                wanted = before if closed else stored(entry, Config(), pattern, {})
                assert await get(ctx, dut, entry.name) == wanted, entry.name
        await put(ctx, dut, LOCKS[user], 0)
        for entry in locks:
            await put(ctx, dut, entry.name, 2)
    run(check)


@pytest.mark.parametrize("index", INDEXES)
def test_indexes(index):
    """An index counts modulo the ring's size. Turning the queue on clears it; writing the enable
    once more, or turning the queue off, does not."""
    enable, size = INDEXES[index]

    async def check(ctx, dut):
        for log2 in range(1, 16):
            await put(ctx, dut, size, log2)
            for value in (ALL, 0, 0x5A5A, 1 << log2, (1 << log2) - 1):
                await put(ctx, dut, index, value)
                assert await get(ctx, dut, index) == value % (1 << log2), (log2, value)
        other = next(name for name in INDEXES if name != index)
        await put(ctx, dut, INDEXES[other][1], 15)
        await put(ctx, dut, other, 77)
        await put(ctx, dut, enable, 1)
        assert await get(ctx, dut, index) == 0
        assert await get(ctx, dut, other) == 77
        await put(ctx, dut, index, 5)
        await put(ctx, dut, enable, 1)
        assert await get(ctx, dut, index) == 5
        await put(ctx, dut, enable, 0)
        assert await get(ctx, dut, index) == 5
        await put(ctx, dut, enable, 0)
        assert await write(ctx, dut, at(enable), 1, 0b1110) == OKAY
        assert await get(ctx, dut, index) == 5
        await put(ctx, dut, enable, 1)
        assert await get(ctx, dut, index) == 0
    run(check)


def test_events():
    """Each bit is set by its event and cleared by writing 1; an event of the same cycle counts."""
    async def check(ctx, dut):
        rng = seeded("registers/events")
        for entry in REGISTERS:
            if entry.access != "RW1C":
                continue
            events, bits = dut.events[entry.name], existing(entry, Config())
            held = 0
            for _ in range(25):
                setting, clearing = rng.getrandbits(32), rng.getrandbits(32)
                ctx.set(events, setting)
                await ctx.tick()
                ctx.set(events, 0)
                held |= setting & bits
                assert ctx.get(dut.content)[entry.name] == held
                again = rng.getrandbits(32) & rng.getrandbits(32)
                await begin(ctx, dut, entry.offset, clearing)
                ctx.set(events, again)          # the cycle in which the write happens
                await ctx.tick()
                ctx.set(events, 0)
                held = held & ~clearing | again & bits
                assert ctx.get(dut.content)[entry.name] == held
                assert ctx.get(dut.b.valid) and ctx.get(dut.b.payload).value == OKAY
                assert await get(ctx, dut, entry.name) == held
    run(check)


def test_pulses():
    """``goes``, ``clears`` and ``head_written`` are raised for one cycle by the write that asks
    for it, and by no other."""
    async def check(ctx, dut):
        names = {entry.name: entry for entry in REGISTERS if entry.access != "RO"}
        expected = {("DBG_CTRL", 7): "goes", ("DBG_CTRL", 1): "goes", ("COUNTER_CTRL", 3): "clears",
                    ("COUNTER_CTRL", 2): "clears"}
        expected |= {("FQ_HEAD", value): "head_written" for value in range(8)}
        for name, entry in names.items():
            for value in range(8):
                await begin(ctx, dut, entry.offset, value)
                seen = dict.fromkeys(("goes", "clears", "head_written"), 0)
                for _ in range(5):
                    await ctx.tick()
                    for pulse in seen:
                        seen[pulse] += ctx.get(dut.starts[pulse])
                wanted = expected.get((name, value))
                if name == "DBG_CTRL" and value & 1:
                    wanted = "goes"
                if name == "COUNTER_CTRL" and value & 2:
                    wanted = "clears"
                assert seen == {pulse: int(pulse == wanted) for pulse in seen}, (name, value)
                await put(ctx, dut, "CTRL", 0)
        assert await get(ctx, dut, "COUNTER_CTRL") == 1, "it clears itself"
    run(check)


def test_go_reads_busy():
    async def check(ctx, dut):
        for value in (1, 7, 0, 6):
            await put(ctx, dut, "DBG_CTRL", value)
            for busy in (0, 1):
                ctx.set(dut.busy, busy)
                assert await get(ctx, dut, "DBG_CTRL") == value & 6 | busy
            ctx.set(dut.busy, 0)
    run(check)


def test_flush():
    """Writing ABORT empties the caches, whatever the mode was; so does a change of CHECK_AD. A
    write without the strobe of the first byte in a running core does not."""
    async def check(ctx, dut):
        async def flushes(value, expected, strb=0xF):
            await begin(ctx, dut, at("CTRL"), value, strb)
            seen = 0
            for _ in range(6):
                await ctx.tick()
                seen += ctx.get(dut.starts.flush)
            assert seen == expected, f"CTRL = {value}"

        for value, expected in ((1, 0), (0, 1), (0, 1), (1, 0), (3, 1), (2, 0), (1, 0), (5, 1),
                                (5, 0), (1, 1)):
            await flushes(value, expected)
        await flushes(0, 0, 0b1110)
        assert await get(ctx, dut, "CTRL") == 1
    run(check)


def test_counters_are_asked():
    """A read of a counter's word asks once, waits for ``done`` and answers its value; meanwhile no
    other read is taken, and writes go on."""
    async def check(ctx, dut):
        rng = seeded("registers/counters")
        ctx.set(dut.r.ready, 1)
        for number, name in enumerate(COUNTERS):
            for high in (0, 1):
                ctx.set(dut.ar.payload, at(f"{name.upper()}_{'HIGH' if high else 'LOW'}"))
                ctx.set(dut.ar.valid, 1)
                assert ctx.get(dut.ar.ready)
                await ctx.tick()
                ctx.set(dut.ar.valid, 0)
                assert ctx.get(dut.counters.ask)
                assert (ctx.get(dut.counters.index), ctx.get(dut.counters.high)) == (number, high)
                for _ in range(rng.randrange(12)):
                    await ctx.tick()
                    assert not ctx.get(dut.counters.ask), "once"
                    assert not ctx.get(dut.r.valid) and not ctx.get(dut.ar.ready)
                await put(ctx, dut, "DBG_PASID", number)
                assert not ctx.get(dut.r.valid)
                value = rng.getrandbits(32)
                ctx.set(dut.counters.done, 1)
                ctx.set(dut.counters.value, value)
                await ctx.tick()
                ctx.set(dut.counters.done, 0)
                ctx.set(dut.counters.value, 0)
                assert ctx.get(dut.r.valid)
                assert ctx.get(dut.r.payload.data) == value
                assert ctx.get(dut.r.payload.resp).value == OKAY
                await ctx.tick()
                assert not ctx.get(dut.r.valid) and ctx.get(dut.ar.ready)
        assert await get(ctx, dut, "DBG_PASID") == len(COUNTERS) - 1
    run(check, counters=False)


def test_waits_for_the_responses_to_be_taken():
    async def check(ctx, dut):
        ctx.set(dut.b.ready, 0)
        for _ in range(2):
            ctx.set(dut.aw.payload, at("DDT_BASE_LOW"))
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
