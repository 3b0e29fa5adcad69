"""The shared channels: offers stand, nobody starves, answers find who asked."""

from siommu.arch.config import Config
from siommu.bus.share import FENCES_ID, READ_ID, RECORDS_ID, ReadShare, WriteShare

from ...support.simulate import seeded, simulate

CONFIG = Config()


def test_reads():
    """Both get through a busy bus, in their order, unchanged; answers go by their id."""
    rng = seeded("axi_share/reads")
    dut = ReadShare(CONFIG)

    async def bench(ctx):
        pending = {"walker": 0, "commands": 0}
        sent, got = {"walker": [], "commands": []}, {"walker": [], "commands": []}
        held = None
        for now in range(3000):
            for name in pending:
                ar = getattr(dut, f"{name}_ar")
                if not pending[name] and rng.random() < (.9 if name == "walker" else .2):
                    pending[name] = now + 1
                    ctx.set(ar.payload, {"id": READ_ID(CONFIG) if name == "commands" else 3,
                                         "addr": now << 4})
                ctx.set(ar.valid, bool(pending[name]))
            ctx.set(dut.ar.ready, rng.random() < .6)
            if ctx.get(dut.ar.valid):
                offer = ctx.get(dut.ar.payload)
                assert held in (None, offer.as_bits()), "the offer changed"
                held = offer.as_bits()
                if ctx.get(dut.ar.ready):
                    held = None
                    name = "commands" if offer.id == READ_ID(CONFIG) else "walker"
                    got[name].append(offer.addr)
            else:
                assert held is None, "the offer was withdrawn"
            for name in pending:
                ar = getattr(dut, f"{name}_ar")
                if pending[name] and ctx.get(ar.ready):
                    sent[name].append(pending[name] - 1 << 4)
                    assert now - pending[name] < 40, f"{name} waits"
                    pending[name] = 0
            identity = rng.choice((3, READ_ID(CONFIG)))
            ctx.set(dut.r.valid, 1)
            ctx.set(dut.r.payload, {"id": identity, "data": now})
            walker_ready = rng.randrange(2)
            ctx.set(dut.walker_r.ready, walker_ready)
            ours = identity == READ_ID(CONFIG)
            assert ctx.get(dut.commands_r.valid) == ours
            assert ctx.get(dut.walker_r.valid) == (not ours)
            assert ctx.get(dut.r.ready) == (ours or walker_ready)
            await ctx.tick()
        assert got == sent and all(len(each) > 200 for each in got.values())

    simulate(dut, bench, cycles=3100)


def test_writes():
    """Bursts of both never mix; address and data are taken in any order; responses by their id."""
    rng = seeded("axi_share/writes")
    dut = WriteShare(CONFIG)
    beats = {"records": 4, "fences": 1}
    ids = {"records": RECORDS_ID, "fences": FENCES_ID}
    left = {"records": [], "fences": []}        # what stands on the bus of each: (number, beat)
    addresses, data = [], []

    async def client(ctx, name):
        for number in range(60):
            aw, w = getattr(dut, f"{name}_aw"), getattr(dut, f"{name}_w")
            ctx.set(aw.payload, {"id": ids[name], "addr": number, "len": beats[name] - 1})
            ctx.set(aw.valid, 1)
            ctx.set(w.valid, 1)
            addressed, beat = False, 0
            while not addressed or beat < beats[name]:
                ctx.set(w.payload, {"data": number << 8 | beat, "last": beat == beats[name] - 1})
                await ctx.delay(1e-9)
                taken = ctx.get(aw.valid) and ctx.get(aw.ready)
                moved = ctx.get(w.valid) and ctx.get(w.ready)
                await ctx.tick()
                if taken:
                    addressed = True
                    ctx.set(aw.valid, 0)
                if moved:
                    beat += 1
                    if beat == beats[name]:
                        ctx.set(w.valid, 0)
            left[name].append(number)
            await ctx.tick().repeat(rng.randrange(1, 6))

    async def bus(ctx):
        for _ in range(3000):
            ctx.set(dut.aw.ready, rng.randrange(2))
            ctx.set(dut.w.ready, rng.randrange(2))
            identity, failed = rng.choice((RECORDS_ID, FENCES_ID)), rng.randrange(2)
            ctx.set(dut.b.valid, 1)
            ctx.set(dut.b.payload, {"id": identity, "resp": failed << 1})
            await ctx.delay(2e-9)
            assert ctx.get(dut.records_b.valid) == (identity == RECORDS_ID)
            assert ctx.get(dut.fences_b.valid) == (identity == FENCES_ID)
            assert ctx.get(dut.records_b.payload) == failed
            if ctx.get(dut.aw.valid) and ctx.get(dut.aw.ready):
                payload = ctx.get(dut.aw.payload)
                addresses.append((payload.id, payload.addr))
            if ctx.get(dut.w.valid) and ctx.get(dut.w.ready):
                data.append((ctx.get(dut.w.payload.data), ctx.get(dut.w.payload.last)))
            await ctx.tick()

    async def records(ctx):
        await client(ctx, "records")

    async def fences(ctx):
        await client(ctx, "fences")
    simulate(dut, bus, records, fences, cycles=3100)
    assert left == {"records": list(range(60)), "fences": list(range(60))}
    stream = iter(data)
    for identity, number in addresses:          # the data follow in the order of the addresses
        count = beats["records" if identity == RECORDS_ID else "fences"]
        assert [next(stream) for _ in range(count)] == [
            (number << 8 | beat, beat == count - 1) for beat in range(count)]
    assert next(stream, None) is None and len(addresses) == 120
