from siommu.bridge.write_gate import DEPTH, WriteGate

from ...support.simulate import seeded, simulate
from .bench import collect, feed


def beats(number, count, last=None):
    return [{"data": number << 8 | beat, "strb": beat % 256,
             "last": beat == count - 1 if last is None else last} for beat in range(count)]


def run(bursts, rng, data, ready=.7, address=.5, decide=.5):
    """Lets ``bursts``, (length, granted) each, pass; returns what memory saw, in its order:
    addresses as ("aw", number), beats as (data, last)."""
    dut, seen, drained = WriteGate(64), [], []

    async def release(ctx):
        for number, (length, granted) in enumerate(bursts):
            while rng.random() > decide:
                await ctx.tick()
            ctx.set(dut.passes.payload, {"len": length - 1, "granted": granted})
            # As Release does: no offer without room, and then it stands.
            while not ctx.get(dut.room):
                await ctx.tick()
            if granted:
                seen.append(("aw", number))
                ctx.set(dut.offers.payload, length - 1)
                ctx.set(dut.offers.valid, 1)
                while rng.random() > address:
                    await ctx.tick()
            ctx.set(dut.passes.valid, 1)
            await ctx.tick()
            ctx.set(dut.passes.valid, 0)
            ctx.set(dut.offers.valid, 0)

    async def device(ctx):
        await feed(ctx, dut.data, data, lambda: rng.choice((0, 0, 3)))

    async def memory(ctx):
        expected = sum(length for length, granted in bursts if granted)
        found = []
        while len(found) < expected:
            takes = rng.random() < ready
            ctx.set(dut.w.ready, takes)
            *_, valid, beat, room = await ctx.tick().sample(dut.w.valid, dut.w.payload, dut.room)
            if valid and takes:
                found.append(beat)
                seen.append((beat.data, beat.last))
        for _ in range(600):            # nothing may come behind
            *_, valid = await ctx.tick().sample(dut.w.valid)
            assert not valid

    async def counting(ctx):
        while len(drained) < sum(not granted for _, granted in bursts):
            if (await ctx.tick().sample(dut.drained))[-1]:
                drained.append(1)
    simulate(dut, release, device, memory, counting, cycles=30000)
    return seen


def test_only_granted_data_pass_and_never_before_their_address():
    for ready, address, decide in ((.7, .5, .5), (1, .05, 1), (.1, 1, 1), (1, 1, .1)):
        rng = seeded(f"test_only_granted_{ready}_{address}")
        bursts = [(rng.choice((1, 1, 2, 5, 256 if number == 7 else 3)), rng.random() < .6)
                  for number in range(60)]
        data = [beat for number, (length, _) in enumerate(bursts) for beat in beats(number, length)]
        seen = run(bursts, rng, data, ready, address, decide)
        addressed = set()
        for kind in seen:
            if kind[0] == "aw":
                addressed.add(kind[1])
            else:
                assert kind[0] >> 8 in addressed, "data before their address"
        assert [kind for kind in seen if kind[0] != "aw"] == [
            (number << 8 | beat, beat == length - 1)
            for number, (length, granted) in enumerate(bursts) if granted
            for beat in range(length)]


def test_a_wrong_wlast_changes_nothing_in_memory():
    rng = seeded("test_a_wrong_wlast")
    bursts = [(3, 1), (2, 0), (4, 1)]
    for last in (0, 1):
        seen = run(bursts, rng, beats(0, 9, last))
        assert [kind[1] for kind in seen if kind[0] != "aw"] == [0, 0, 1, 0, 0, 0, 1]


def test_room_for_so_many():
    dut = WriteGate(64)

    async def testbench(ctx):
        ctx.set(dut.passes.valid, 1)
        ctx.set(dut.passes.payload, {"len": 0, "granted": 1})
        for _ in range(DEPTH):
            assert ctx.get(dut.room)
            await ctx.tick()
        assert not ctx.get(dut.room)
        ctx.set(dut.passes.valid, 0)
        found = []
        ctx.set(dut.data.valid, 1)
        await collect(ctx, dut.w, 1, found)
        await ctx.tick()
        assert ctx.get(dut.room)
    simulate(dut, testbench)
