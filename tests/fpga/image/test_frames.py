"""Frames that are whole, damaged, cut, and amid noise; and answers."""

from fpga.image.answer import FrameSender
from fpga.image.receive import FrameReceiver
from sim.board.protocol import ANSWER_SYNC, REQUEST_SYNC, Status, crc, frame

from ...support.simulate import seeded, simulate

PATIENCE = 40


async def feed(ctx, dut, data, gap=2):
    """Sends bytes, with a gap between two."""
    for byte in data:
        ctx.set(dut.bytes.payload, byte)
        ctx.set(dut.bytes.valid, 1)
        await ctx.tick()
        ctx.set(dut.bytes.valid, 0)
        await ctx.tick().repeat(gap)


async def take(ctx, dut, rng, limit=2 * PATIENCE):
    """What the receiver hands on: (status, sequence, operation, payload), or None."""
    for _ in range(limit):
        if ctx.get(dut.frame):
            break
        await ctx.tick()
    else:
        return None
    payload = b""
    while ctx.get(dut.payload.valid):
        ready = rng.randrange(2)
        ctx.set(dut.payload.ready, ready)
        if ready:
            payload += bytes((ctx.get(dut.payload.payload),))
        await ctx.tick()
    ctx.set(dut.payload.ready, 0)
    found = ctx.get(dut.status), ctx.get(dut.sequence), ctx.get(dut.operation), payload
    ctx.set(dut.done, 1)
    await ctx.tick()
    ctx.set(dut.done, 0)
    return found


def test_whole_frames():
    rng = seeded("frames/whole")
    dut = FrameReceiver(PATIENCE)

    async def bench(ctx):
        ctx.set(dut.quiet, 1)
        for length in (0, 1, 2, 255, *(rng.randrange(256) for _ in range(10))):
            payload, sequence, operation = rng.randbytes(length), rng.randrange(256), 0b0110
            noise = bytes(byte for byte in rng.randbytes(rng.randrange(4)) if byte != REQUEST_SYNC)
            await feed(ctx, dut, noise + frame(REQUEST_SYNC, sequence, operation, payload))
            assert await take(ctx, dut, rng) == (Status.OK, sequence, operation, payload)
    simulate(dut, bench, cycles=30_000)


def test_every_damaged_bit_is_found():
    rng = seeded("frames/damage")
    whole = frame(REQUEST_SYNC, 7, 0b0100, b"\x10\x00\x00\x00")
    dut = FrameReceiver(PATIENCE)

    async def bench(ctx):
        ctx.set(dut.quiet, 1)
        for bit in range(8 * len(whole)):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            await feed(ctx, dut, damaged)
            found = await take(ctx, dut, rng)
            if bit < 8:
                assert found is None                # no SYNC, no frame
            else:
                assert found[0] in (Status.BAD_CRC, Status.CUT) and found[3] == b""
            await ctx.tick().repeat(2)
            await feed(ctx, dut, whole)             # and the next one arrives
            while (found := await take(ctx, dut, rng))[0] != Status.OK:
                await ctx.tick().repeat(PATIENCE)   # a rest of the damaged one was in its way
                await feed(ctx, dut, whole)
            assert found == (Status.OK, 7, 0b0100, whole[4:8])
    simulate(dut, bench, cycles=100_000)


def test_a_lost_byte_is_no_hang():
    rng = seeded("frames/lost")
    whole = frame(REQUEST_SYNC, 7, 0b0001, bytes(range(20)))
    dut = FrameReceiver(PATIENCE)

    async def bench(ctx):
        ctx.set(dut.quiet, 1)
        for lost in range(1, len(whole)):
            await feed(ctx, dut, whole[:lost] + whole[lost + 1:])
            found = await take(ctx, dut, rng)
            assert found[0] in (Status.CUT, Status.BAD_CRC), lost
            await ctx.tick().repeat(2 * PATIENCE)
            while ctx.get(dut.frame):               # a rest that looks like a frame
                await take(ctx, dut, rng)
            await feed(ctx, dut, whole)
            assert await take(ctx, dut, rng) == (Status.OK, 7, 1, whole[4:24])
    simulate(dut, bench, cycles=100_000)


def test_a_slow_byte_is_no_silence():
    """While a byte is on the line, the line is not quiet."""
    rng = seeded("frames/slow")
    dut = FrameReceiver(PATIENCE)

    async def bench(ctx):
        ctx.set(dut.quiet, 0)
        await feed(ctx, dut, frame(REQUEST_SYNC, 1, 2, b"ab"), gap=2 * PATIENCE)
        assert await take(ctx, dut, rng) == (Status.OK, 1, 2, b"ab")
    simulate(dut, bench, cycles=2000)


def test_answers():
    rng = seeded("frames/answers")
    dut = FrameSender()

    async def sent(ctx, sequence, status):
        ctx.set(dut.sequence, sequence)
        ctx.set(dut.status, status)
        ctx.set(dut.send, 1)
        await ctx.tick()
        ctx.set(dut.send, 0)
        data = b""
        while True:
            ready = rng.random() < .3
            ctx.set(dut.bytes.ready, ready)
            over = ctx.get(dut.sent)
            if ready and ctx.get(dut.bytes.valid):
                data += bytes((ctx.get(dut.bytes.payload),))
            await ctx.tick()
            if over:
                ctx.set(dut.bytes.ready, 0)
                return data

    async def bench(ctx):
        for length in (0, 1, 255, *(rng.randrange(256) for _ in range(8))):
            ctx.set(dut.fresh, 1)
            await ctx.tick()
            ctx.set(dut.fresh, 0)
            payload = rng.randbytes(length)
            for byte in payload:
                ctx.set(dut.payload.payload, byte)
                ctx.set(dut.payload.valid, 1)
                await ctx.tick()
                ctx.set(dut.payload.valid, 0)
            assert ctx.get(dut.room) == 255 - length
            expected = frame(ANSWER_SYNC, 9, 0, payload)
            assert await sent(ctx, 9, 0) == expected
            ctx.set(dut.empty, 1)
            assert await sent(ctx, 0, Status.CUT) == frame(ANSWER_SYNC, 0, Status.CUT, b"")
            ctx.set(dut.empty, 0)
            assert await sent(ctx, 9, 0) == expected, "it is kept"
    simulate(dut, bench, cycles=60_000)


def test_the_crc_is_the_one_that_is_documented():
    assert crc(b"123456789") == 0x29B1              # the check value of CRC-16/IBM-3740
    assert frame(REQUEST_SYNC, 1, 4, b"789") == bytes.fromhex("a5030104373839") + \
        crc(bytes.fromhex("030104373839")).to_bytes(2, "big")
