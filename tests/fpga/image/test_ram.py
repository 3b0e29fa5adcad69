"""The block RAM against a model: bursts of both kinds, strobes, poison, what is not there, and the
host beside them."""

from fpga.image.ram import Ram
from siommu.bus.axi import Burst, Resp

from ...support.simulate import seeded, simulate

LOG2 = 13                   # 8 KiB: 1,024 words
WORDS = 1 << LOG2 - 3
ALL = (1 << 64) - 1


def burst(rng, outside=.1):
    """A random read: (address, length minus one, kind), and the addresses of its beats."""
    length = rng.choice((0, 1, 3, 7, 15, rng.randrange(64)))
    kind = rng.choice((Burst.INCR, Burst.WRAP))
    if kind is Burst.WRAP:
        length = rng.choice((1, 3, 7, 15))
    word = rng.randrange(2 * WORDS if rng.random() < outside else WORDS)
    if kind is Burst.INCR:
        word = min(word, (word | 511) - length)     # not across 4 KiB
    high = 1 << 40 if rng.random() < outside else 0
    size = length + 1
    places = [(word // size * size + (word + beat) % size if kind is Burst.WRAP else word + beat)
              for beat in range(size)]
    return (8 * word | high, length, kind), [place + (high >> 3) for place in places]


class Model:
    def __init__(self):
        self.words, self.poisoned = [0] * WORDS, [0] * WORDS

    def read(self, place):
        """(data or None, response)"""
        if place >= WORDS:
            return None, Resp.DECERR.value
        if self.poisoned[place]:
            return None, Resp.SLVERR.value
        return self.words[place], Resp.OKAY.value

    def write(self, place, value, strobe, poison=0):
        if place < WORDS:
            for lane in range(8):
                if strobe >> lane & 1:
                    mask = 0xFF << 8 * lane
                    self.words[place] = self.words[place] & ~mask | value & mask
                    bit = 1 << lane
                    self.poisoned[place] = self.poisoned[place] & ~bit | bit * poison


async def pause(ctx, cycles):
    for _ in range(cycles):
        await ctx.tick()


async def host(ctx, dut, **fields):
    """One access of the host: (data, response)."""
    for name, value in fields.items():
        ctx.set(getattr(dut.host, name), value)
    ctx.set(dut.host.valid, 1)
    while not ctx.get(dut.host.ready):
        await ctx.tick()
    await ctx.tick()
    ctx.set(dut.host.valid, 0)
    return ctx.get(dut.host.read), ctx.get(dut.host.resp)


async def read(ctx, dut, rng, identity, request):
    """The beats of a read: (data, response)."""
    address, length, kind = request
    ctx.set(dut.ar.payload, {"id": identity, "addr": address, "len": length, "size": 3,
                             "burst": kind})
    ctx.set(dut.ar.valid, 1)
    while not ctx.get(dut.ar.ready):
        await ctx.tick()
    await ctx.tick()
    ctx.set(dut.ar.valid, 0)
    beats = []
    while len(beats) <= length:
        ready = rng.random() < .7
        ctx.set(dut.r.ready, ready)
        if ready and ctx.get(dut.r.valid):
            beat = ctx.get(dut.r.payload)
            assert beat.id == identity and beat.last == (len(beats) == length)
            beats.append((beat.data, beat.resp))
        await ctx.tick()
    ctx.set(dut.r.ready, 0)
    return beats


async def write(ctx, dut, rng, identity, address, beats):
    """Writes (value, strobe) beats; the response."""
    ctx.set(dut.aw.payload, {"id": identity, "addr": address, "len": len(beats) - 1, "size": 3})
    ctx.set(dut.aw.valid, 1)
    while not ctx.get(dut.aw.ready):
        await ctx.tick()
    await ctx.tick()
    ctx.set(dut.aw.valid, 0)
    for index, (value, strobe) in enumerate(beats):
        await pause(ctx, rng.choice((0, 0, 2)))
        ctx.set(dut.w.payload, {"data": value, "strb": strobe, "last": index == len(beats) - 1})
        ctx.set(dut.w.valid, 1)
        while not ctx.get(dut.w.ready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(dut.w.valid, 0)
    while not ctx.get(dut.b.valid):
        await ctx.tick()
    answer = ctx.get(dut.b.payload)
    await pause(ctx, rng.randrange(3))
    ctx.set(dut.b.ready, 1)
    await ctx.tick()
    ctx.set(dut.b.ready, 0)
    assert answer.id == identity
    return answer.resp


def agrees(found, expected):
    """Whether a beat is the model's; of a refused one the data does not matter."""
    return found[1] == expected[1] and expected[0] in (None, found[0])


def test_everything_in_turn():
    """Bus and host, one after the other."""
    rng = seeded("ram/turn")
    dut, model = Ram(4, LOG2), Model()

    async def bench(ctx):
        seen = set()
        for _ in range(400):
            identity, what = rng.randrange(16), rng.random()
            if what < .4:
                request, places = burst(rng)
                beats = await read(ctx, dut, rng, identity, request)
                assert all(agrees(beat, model.read(place))
                           for beat, place in zip(beats, places, strict=True)), request
                seen |= {(request[2], beat[1]) for beat in beats}
            elif what < .7:
                (address, length, _), _ = burst(rng)
                length = min(length, 511 - (address >> 3) % 512)    # INCR: not across 4 KiB
                beats = [(rng.getrandbits(64), rng.choice((0xFF, 0x0F, 0xF0, rng.randrange(256))))
                         for _ in range(length + 1)]
                resp = await write(ctx, dut, rng, identity, address, beats)
                assert resp == (Resp.DECERR.value if address >= 8 * WORDS else 0)
                for index, beat in enumerate(beats):
                    model.write((address >> 3) + index, *beat)
            elif what < .9:
                place = rng.randrange(WORDS + 50)
                value, poison = rng.getrandbits(64), int(rng.random() < .2)
                _, resp = await host(ctx, dut, write=1, addr=place, data=value, poison=poison)
                assert resp == (Resp.DECERR.value if place >= WORDS else 0)
                model.write(place, value, 0xFF, poison)
            else:
                place = rng.randrange(WORDS + 50)
                assert agrees(await host(ctx, dut, write=0, addr=place, poison=0),
                              model.read(place))
        for place in range(WORDS):
            assert agrees(await host(ctx, dut, write=0, addr=place), model.read(place))
        assert {resp for _, resp in seen} == {0, Resp.SLVERR.value, Resp.DECERR.value}
        assert len(seen) == 6
    simulate(dut, bench, cycles=60_000)


def test_all_at_once():
    """Reads, writes and the host at the same time, each in a part of its own."""
    rng = seeded("ram/once")
    dut, model = Ram(4, LOG2), Model()
    third = WORDS // 4

    async def reader(ctx):
        for _ in range(150):
            word = rng.randrange(third - 16) // 8 * 8
            beats = await read(ctx, dut, rng, 3, (8 * word, 7, Burst.WRAP))
            assert [beat[0] for beat in beats] == [~(word + beat) & ALL for beat in range(8)]

    async def writer(ctx):
        for _ in range(100):
            word = third + rng.randrange(third - 4)
            beats = [(rng.getrandbits(64), 0xFF) for _ in range(4)]
            if word // 512 != (word + 3) // 512:
                continue
            assert await write(ctx, dut, rng, 1, 8 * word, beats) == 0
            for index, beat in enumerate(beats):
                model.write(word + index, *beat)

    async def hosts(ctx):
        for _ in range(200):
            word = 2 * third + rng.randrange(third)
            if rng.random() < .5:
                value = rng.getrandbits(64)
                await host(ctx, dut, write=1, addr=word, data=value)
                model.write(word, value, 0xFF)
            else:
                assert await host(ctx, dut, write=0, addr=word) == model.read(word)
            await pause(ctx, rng.randrange(4))

    async def bench(ctx):
        for word in range(third):
            await host(ctx, dut, write=1, addr=word, data=~word & ALL)
        started[0] = True

    started = [False]

    def after(part):
        async def run(ctx):
            while not started[0]:
                await ctx.tick()
            await part(ctx)
        run.__name__ = part.__name__
        return run

    async def last(ctx):
        await bench(ctx)
        await hosts(ctx)
        await ctx.tick().repeat(6000)               # the others have ended
        for word in range(third, 3 * third):
            assert await host(ctx, dut, write=0, addr=word) == model.read(word)
    # In the order in which READY follows from what another one does in the same cycle.
    simulate(dut, after(reader), last, after(writer), cycles=20_000)
