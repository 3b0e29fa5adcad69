"""The engine: items to their units, answers in order, frames that come twice, what is refused."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fpga.image.answer import FrameSender
from fpga.image.board_unit import BoardUnit
from fpga.image.engine import Engine, frames_of
from fpga.image.lights import LEDS, Lights
from fpga.image.memory_unit import MemoryUnit
from fpga.image.ram import Ram
from fpga.image.receive import FrameReceiver
from fpga.image.register_unit import RegisterUnit
from fpga.image.request_unit import BEATS, RequestUnit
from sim.board.protocol import (
    ANSWER_SYNC,
    HEAD_BYTES,
    OPERATIONS,
    REQUEST_SYNC,
    RESET_MAGIC,
    Reply,
    Status,
    crc,
    frame,
)
from siommu.arch.formats import Mode

from ...support.simulate import seeded, simulate


class Bench(wiring.Component):
    """Receiver, engine and sender without a UART, with all units but the requests'."""

    def __init__(self):
        super().__init__({"byte": In(8), "valid": In(1), "out": Out(8), "out_valid": Out(1),
                          "reset": Out(1)})
        self.registers = RegisterUnit(patience=50)
        self.requests = RequestUnit(2, depth=4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.receive = receive = FrameReceiver(40)
        m.submodules.answer = answer = FrameSender()
        m.submodules.engine = engine = Engine()
        m.submodules.board = board = BoardUnit(13, 2, 8, 25_000)
        m.submodules.memory = memory = MemoryUnit()
        m.submodules.ram = ram = Ram(4, 13)
        m.submodules.registers, m.submodules.requests = self.registers, self.requests
        wiring.connect(m, memory.host, ram.host)
        for job, unit in zip(engine.jobs, (board, memory, self.registers, self.requests)):
            wiring.connect(m, job, unit.job)
        m.d.comb += [
            receive.bytes.payload.eq(self.byte), receive.bytes.valid.eq(self.valid),
            receive.quiet.eq(1), answer.bytes.ready.eq(1), self.out.eq(answer.bytes.payload),
            self.out_valid.eq(answer.bytes.valid), self.reset.eq(board.reset),
            *frames_of(receive, engine, answer),
        ]
        return m


async def exchange(ctx, dut, data):
    """The answer to a frame's bytes: (sequence, status, payload)."""
    for byte in data:
        ctx.set(dut.byte, byte)
        ctx.set(dut.valid, 1)
        await ctx.tick()
        ctx.set(dut.valid, 0)
        await ctx.tick()
    found = b""
    while len(found) < HEAD_BYTES + 2 or len(found) < HEAD_BYTES + found[1] + 2:
        if ctx.get(dut.out_valid):
            found += bytes((ctx.get(dut.out),))
        await ctx.tick()
    await ctx.tick()
    assert found[0] == ANSWER_SYNC and found[-2:] == crc(found[1:-2]).to_bytes(2, "big")
    return found[2], found[3], found[4:-2]


def ask(sequence, name, payload):
    return frame(REQUEST_SYNC, sequence, OPERATIONS[name].code, payload)


def word(address, value=None):
    return address.to_bytes(4, "little") + (b"" if value is None else value.to_bytes(8, "little"))


def test_memory():
    rng = seeded("engine/memory")
    dut = Bench()

    async def bench(ctx):
        values = {8 * rng.randrange(1024): rng.getrandbits(64) for _ in range(21)}
        payload = b"".join(word(*pair) for pair in values.items())
        assert await exchange(ctx, dut, ask(1, "WRITE", payload)) == (1, 0, bytes(len(values)))
        answer = await exchange(ctx, dut, ask(2, "READ", b"".join(map(word, values))))
        assert answer == (2, 0, b"".join(b"\0" + value.to_bytes(8, "little")
                                         for value in values.values()))
        beyond = await exchange(ctx, dut, ask(3, "READ", word(1 << 13) + word(0)))
        assert beyond[2][0] == Reply.DECERR and beyond[2][9] == Reply.OKAY
        fill = word(64) + (7).to_bytes(3, "little") + b"\1" + bytes(8)      # 8 poisoned words
        assert await exchange(ctx, dut, ask(4, "FILL", fill)) == (4, 0, b"\0")
        for address, reply in ((56, Reply.OKAY), (64, Reply.SLVERR), (120, Reply.SLVERR),
                               (128, Reply.OKAY)):
            assert (await exchange(ctx, dut, ask(0, "READ", word(address))))[2][0] == reply
        fill = word(0) + (1023).to_bytes(3, "little") + b"\0" + (5).to_bytes(8, "little")
        assert await exchange(ctx, dut, ask(5, "FILL", fill)) == (5, 0, b"\0")
        assert (await exchange(ctx, dut, ask(0, "READ", word(8184))))[2] == b"\0\5" + bytes(7)
        fill = word(8) + (1023).to_bytes(3, "little") + b"\0" + bytes(8)    # a word too long
        assert await exchange(ctx, dut, ask(6, "FILL", fill)) == (6, 0, bytes((Reply.DECERR,)))
    simulate(dut, bench, cycles=60_000)


def test_a_frame_that_comes_twice_is_executed_once():
    dut = Bench()

    async def bench(ctx):
        request = bytes(17)
        first = await exchange(ctx, dut, ask(1, "SUBMIT", 3 * request))
        assert first == (1, 0, bytes(3))
        assert await exchange(ctx, dut, ask(1, "SUBMIT", 3 * request)) == first
        damaged = bytearray(ask(1, "SUBMIT", 3 * request))
        damaged[9] ^= 1
        assert await exchange(ctx, dut, damaged) == (0, Status.BAD_CRC, b"")
        assert await exchange(ctx, dut, ask(1, "SUBMIT", 3 * request)) == first
        again = await exchange(ctx, dut, ask(2, "SUBMIT", 3 * request))
        # Four wait in the queue of four, and one may stand in the register behind it.
        assert again[2] in (bytes((0, Reply.FULL, Reply.FULL)), bytes((0, 0, Reply.FULL)))
        assert (await exchange(ctx, dut, ask(0, "SUBMIT", b"\2" + bytes(16))))[2] == \
            bytes((Reply.NO_PORT,))
    simulate(dut, bench, cycles=10_000)


def test_what_is_refused():
    dut = Bench()

    async def bench(ctx):
        assert await exchange(ctx, dut, frame(REQUEST_SYNC, 1, 0b1111, b"x")) == \
            (1, Status.BAD_OPERATION, b"")
        assert await exchange(ctx, dut, frame(REQUEST_SYNC, 2, 0x10, b"x")) == \
            (2, Status.BAD_OPERATION, b"")
        assert await exchange(ctx, dut, ask(3, "READ", bytes(3))) == (3, Status.BAD_LENGTH, b"")
        many = await exchange(ctx, dut, ask(4, "READ", bytes(4 * 29)))
        assert many[:2] == (4, Status.BAD_LENGTH) and len(many[2]) == 28 * 9
        assert await exchange(ctx, dut, ask(5, "READ", b"")) == (5, 0, b"")
        cut = ask(6, "READ", word(0))[:-3]
        assert await exchange(ctx, dut, cut) == (0, Status.CUT, b"")
        assert (await exchange(ctx, dut, ask(7, "READ", word(0))))[:2] == (7, 0)
    simulate(dut, bench, cycles=10_000)


def test_info_and_reset():
    dut, resets = Bench(), []

    async def watch(ctx):
        for _ in range(400):
            resets.append(ctx.get(dut.reset))
            await ctx.tick()

    async def bench(ctx):
        info = await exchange(ctx, dut, ask(0, "INFO", b"\0"))
        assert info == (0, 0, bytes((1, 13, 2, 8)) + (25_000).to_bytes(4, "little"))
        assert (await exchange(ctx, dut, ask(1, "RESET", b"x")))[2] == bytes((Reply.SLVERR,))
        assert sum(resets) == 0
        assert (await exchange(ctx, dut, ask(2, "RESET", bytes((RESET_MAGIC,)))))[2] == b"\0"
        assert sum(resets) == 16
    simulate(dut, bench, watch, cycles=1000)


def test_registers():
    dut = Bench()
    axil = dut.registers.axil

    async def core(ctx):
        """Registers that hold what is written, and answer after a while."""
        held = {}
        for _ in range(3):
            while not ctx.get(axil.aw.valid):
                await ctx.tick()
            offset = ctx.get(axil.aw.payload)
            ctx.set(axil.aw.ready, 1)
            await ctx.tick()
            ctx.set(axil.aw.ready, 0)
            assert not ctx.get(axil.aw.valid) and ctx.get(axil.w.valid)
            held[offset] = ctx.get(axil.w.payload.data), ctx.get(axil.w.payload.strb)
            ctx.set(axil.w.ready, 1)
            await ctx.tick()
            ctx.set(axil.w.ready, 0)
            ctx.set(axil.b.payload, 2 if offset == 0x18 else 0)
            ctx.set(axil.b.valid, 1)
            await ctx.tick()
            ctx.set(axil.b.valid, 0)
        while not ctx.get(axil.ar.valid):
            await ctx.tick()
        offset = ctx.get(axil.ar.payload)
        ctx.set(axil.ar.ready, 1)
        await ctx.tick()
        ctx.set(axil.ar.ready, 0)
        value, strobe = held[offset]
        ctx.set(axil.r.payload, {"data": value | strobe, "resp": 0})
        ctx.set(axil.r.valid, 1)
        await ctx.tick()
        ctx.set(axil.r.valid, 0)

    async def bench(ctx):
        def write(offset, value, strobe=15):
            return offset.to_bytes(2, "little") + bytes((strobe,)) + value.to_bytes(4, "little")
        assert await exchange(ctx, dut, ask(1, "REGISTER_WRITE", write(0x68, 0x12345670, 3))) \
            == (1, 0, b"\0")
        assert ctx.get(dut.registers.mode) == 0
        answer = await exchange(ctx, dut, ask(2, "REGISTER_WRITE", write(0x18, 5) + write(0x10, 6)))
        assert answer == (2, 0, bytes((Reply.SLVERR, Reply.OKAY)))
        assert ctx.get(dut.registers.mode) == Mode.BYPASS.value
        answer = await exchange(ctx, dut, ask(3, "REGISTER_READ", b"\x68\0"))
        assert answer == (3, 0, b"\0" + (0x12345673).to_bytes(4, "little"))
        # From here on nobody answers.
        assert (await exchange(ctx, dut, ask(4, "REGISTER_READ", b"\0\0")))[2][0] == Reply.HUNG
        assert (await exchange(ctx, dut, ask(5, "REGISTER_WRITE", write(0, 0))))[2][0] == Reply.HUNG
    simulate(dut, core, bench, cycles=5000)


def test_requests_and_beats():
    rng = seeded("engine/requests")
    dut = Bench()
    requests, responses = dut.requests.requests, dut.requests.responses
    seen = []

    async def ports(ctx):
        for port in (0, 1):
            ctx.set(requests[port].ready, 1)
        while len(seen) < 4:
            for port in (0, 1):
                if ctx.get(requests[port].valid):
                    seen.append((port, ctx.get(requests[port].payload)))
            await ctx.tick()

    async def bench(ctx):
        sent = [(rng.randrange(2), rng.randrange(4), rng.getrandbits(16), rng.getrandbits(20),
                 rng.getrandbits(64), rng.randrange(256), tag) for tag in range(4)]
        payload = b"".join(bytes((port, flags)) + device.to_bytes(2, "little")
                           + pasid.to_bytes(3, "little") + addr.to_bytes(8, "little")
                           + bytes((pages, tag))
                           for port, flags, device, pasid, addr, pages, tag in sent)
        assert await exchange(ctx, dut, ask(1, "SUBMIT", payload)) == (1, 0, bytes(4))
        await ctx.tick().repeat(10)
        for (port, got), (there, flags, device, pasid, addr, pages, tag) in zip(seen, sent,
                                                                                strict=True):
            assert (port, got.ft, got.write, got.device, got.pasid, got.addr, got.pages, got.tag) \
                == (there, flags & 1, flags >> 1, device, pasid, addr, pages, tag)
        assert await exchange(ctx, dut, ask(2, "COLLECT", b"\0")) == (2, 0, bytes(14))
        for port, cause in ((1, 0), (0, 7)):
            ctx.set(responses[port].payload, {
                "tag": 9, "last": 1, "cause": cause, "disposition": 2, "addr": 0x1122334455667788,
                "pages": 200, "read": 0, "write": 1, "size": 3})
            ctx.set(responses[port].valid, 1)
            assert ctx.get(responses[port].ready)
            assert ctx.get(dut.requests.granted) == (cause == 0)
            assert ctx.get(dut.requests.refused) == (cause == 7)
            await ctx.tick()
            ctx.set(responses[port].valid, 0)
        beats = [bytes((1, port, 9, cause, 1 | 1 << 2 | 2 << 3 | 3 << 5, 200))
                 + (0x1122334455667788).to_bytes(8, "little") for port, cause in ((1, 0), (0, 7))]
        answer = await exchange(ctx, dut, ask(3, "COLLECT", bytes(3)))
        assert answer == (3, 0, b"".join(beats) + bytes(14))
        ctx.set(responses[0].valid, 1)
        taken = 0
        while ctx.get(responses[0].ready) and taken <= BEATS + 2:
            taken += 1
            await ctx.tick()
        assert BEATS <= taken <= BEATS + 2, "a full queue lets the core wait"
    simulate(dut, ports, bench, cycles=5000)


def test_lights():
    dut = Lights(3)

    async def bench(ctx):
        def lit():
            leds = ctx.get(dut.leds)
            return {name for index, name in enumerate(LEDS) if leds >> index & 1} - {"life"}
        assert lit() == set()
        ctx.set(dut.mode, Mode.TRANSLATE.value)
        ctx.set(dut.refused, 1)
        await ctx.tick()
        ctx.set(dut.refused, 0)
        for _ in range(8):
            assert lit() == {"translates", "refused"}
            await ctx.tick()
        assert lit() == {"translates"}
        ctx.set(dut.mode, Mode.BYPASS.value)
        ctx.set(dut.fault, 1)
        await ctx.tick()
        assert lit() == {"bypass", "fault"}
        life = []
        for _ in range(32):
            life.append(ctx.get(dut.leds) & 1)
            await ctx.tick()
        assert sum(life) == 16 and sum(a != b for a, b in zip(life, life[1:])) in (3, 4)
    simulate(dut, bench, cycles=200)
