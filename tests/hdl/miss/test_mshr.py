"""The life of walk slots: who may join one, who is answered by it, and when it is free again."""

from siommu.arch.config import Config
from siommu.miss.mshr import WalkSlots

from ...support.simulate import one_bit_off, seeded, simulate

CONFIG = Config(device_ports=2, cpu_port=False, walks=2)
KEY = {"ft": 1, "write": 1, "device": 3, "pasid": 4, "page": 0x5678}


def run(scenario, config=CONFIG, cycles=1000):
    dut = WalkSlots(config)

    async def bench(ctx):
        await ctx.tick().repeat(3)      # the next free slots are sought ahead
        await scenario(ctx, dut)
    simulate(dut, bench, cycles=cycles)


async def pulse(ctx, dut, **values):
    for name, value in values.items():
        ctx.set(getattr(dut, name), value)
    await ctx.tick()
    for name in values:
        ctx.set(getattr(dut, name), {} if name in ("key", "lookup") else 0)


async def take(ctx, dut, **values):
    """Allocates the next slot for KEY; returns its number."""
    one_hot = ctx.get(dut.next_free)
    assert one_hot and not one_hot & one_hot - 1
    assert ctx.get(dut.any_free) and 1 << ctx.get(dut.next_index) == one_hot
    await pulse(ctx, dut, **{"allocate": 1, "key": KEY, "owned": 1, **values})
    await ctx.tick().repeat(3)          # the next one is known
    return one_hot.bit_length() - 1


async def matches(ctx, dut, strict=0, hopeless=0, **changes):
    """Slots that a look-up of KEY, changed, can join, and those of which it can have a fault."""
    await pulse(ctx, dut, lookup={**KEY, **changes})
    await pulse(ctx, dut, strict=strict, hopeless=hopeless)
    joinable = ctx.get(dut.joinable)
    assert ctx.get(dut.any_joinable) == bool(joinable)
    return joinable, joinable & ctx.get(dut.certain)


async def released(ctx, dut, cycles=12):
    """The port whose slot is released within some cycles, or None."""
    found = None
    for _ in range(cycles):
        await ctx.tick()
        if ctx.get(dut.released):
            assert found is None, "released twice"
            found = ctx.get(dut.released_port)
    return found


def test_life_of_a_granted_slot():
    async def scenario(ctx, dut):
        assert not ctx.get(dut.busy) and await matches(ctx, dut) == (0, 0)
        slot = await take(ctx, dut, port=1, way=3, asks_several=1)
        me, neighbour = 1 << slot, KEY["page"] ^ 7
        assert ctx.get(dut.busy) and not ctx.get(dut.settled) & me
        assert ctx.get(dut.owed) & ctx.get(dut.several) & me
        assert ctx.get(dut.ways[slot]) == 3
        assert await matches(ctx, dut) == (me, me)
        assert await matches(ctx, dut, page=neighbour) == (me, 0)
        assert await matches(ctx, dut, strict=1) == (me, me)
        assert await matches(ctx, dut, strict=1, page=neighbour) == (0, 0)
        assert (await matches(ctx, dut, strict=1, hopeless=1))[0] == 0
        ctx.set(dut.reading, me)
        await pulse(ctx, dut, anew=1, anew_slot=slot)
        assert await matches(ctx, dut) == (me, 0), "too late for its fault"
        assert await matches(ctx, dut, strict=1) == (0, 0)
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=1, granted_by_line=1)
        assert ctx.get(dut.by_line) & me
        assert await matches(ctx, dut) == (me, 0), "who joins now finds the grant soon"
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        assert not ctx.get(dut.owed) & me
        assert await released(ctx, dut) is None, "its grant cannot be found yet"
        await pulse(ctx, dut, filled=1, filled_slot=slot)
        assert ctx.get(dut.settled) & me and not ctx.get(dut.faulty) & me
        assert await matches(ctx, dut) == (0, 0)
        assert await released(ctx, dut) is None, "its line is not over"
        ctx.set(dut.reading, 0)
        assert await released(ctx, dut) == 1
        assert not ctx.get(dut.busy)
    run(scenario)


def test_who_joins_in_the_last_cycle_keeps_the_slot():
    """The claim comes two cycles after the look-up: no release gets in between."""
    async def scenario(ctx, dut):
        slot = await take(ctx, dut, port=1)
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        ctx.set(dut.lookup, KEY)
        await ctx.tick()
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0)
        assert ctx.get(dut.joinable) == 1 << slot, "looked up while it was open"
        assert ctx.get(dut.settled) == 1 << slot
        await ctx.tick()
        assert ctx.get(dut.joinable) == 0
        await ctx.tick()
        await pulse(ctx, dut, join=1 << slot, join_port=0)
        assert await released(ctx, dut) is None
        await pulse(ctx, dut, leave=1 << slot)
        assert await released(ctx, dut) == 1
    run(scenario)


def test_the_slot_of_the_cycle_before():
    """What is allocated while it is looked up does not count, whatever stood there; ``newest``
    says so instead."""
    async def scenario(ctx, dut):
        me = ctx.get(dut.next_free)
        ctx.set(dut.key, KEY)                   # the next slot is made ready for it
        await ctx.tick()
        ctx.set(dut.lookup, KEY)
        await pulse(ctx, dut, allocate=1, owned=1, key={**KEY, "pasid": 5})
        await pulse(ctx, dut)
        assert ctx.get(dut.joinable) == 0 and not ctx.get(dut.any_joinable)
        assert await matches(ctx, dut) == (0, 0)
        assert await matches(ctx, dut, pasid=5) == (me, me)
        for page in (0, 1):
            another = ctx.get(dut.next_free)
            await pulse(ctx, dut, allocate=1, key={**KEY, "pasid": 6 + page})
            assert ctx.get(dut.taken) == another
            await pulse(ctx, dut, newest=1, newest_page=page)
            assert ctx.get(dut.joinable) == another and ctx.get(dut.any_joinable)
            assert bool(ctx.get(dut.certain) & another) == page
            await ctx.tick().repeat(3)
    run(scenario)


def test_an_owner_may_be_served_at_once():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut, port=1)
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0, served=1)
        assert await released(ctx, dut) == 1
    run(scenario)


def test_a_slot_is_kept_for_each_reason_alone():
    """Settled, its owner answered, nobody's claim, no burst: each of them must be so."""
    async def settle(ctx, dut, slot):
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0)

    async def answer(ctx, dut, slot):
        await pulse(ctx, dut, answered=1, answered_slot=slot)

    async def leave(ctx, dut, slot):
        await pulse(ctx, dut, leave=1 << slot)

    async def end(ctx, dut, slot):
        ctx.set(dut.reading, 0)

    async def scenario(ctx, dut):
        steps = (settle, answer, leave, end)
        for kept in steps:
            slot = await take(ctx, dut, port=1)
            ctx.set(dut.reading, 1 << slot)
            await pulse(ctx, dut, join=1 << slot, join_port=0)
            for step in steps:
                if step is not kept:
                    await step(ctx, dut, slot)
            assert await released(ctx, dut) is None, f"released without: {kept.__name__}"
            await kept(ctx, dut, slot)
            assert await released(ctx, dut) == 1
    run(scenario)


def test_a_look_ahead_owes_nobody():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut, owned=0)
        assert not ctx.get(dut.owed) >> slot & 1
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=1)
        await pulse(ctx, dut, filled=1, filled_slot=slot)
        assert await released(ctx, dut) == 0
    run(scenario)


def test_every_claim_counts():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut)
        for port in (0, 1, 0):
            await pulse(ctx, dut, join=1 << slot, join_port=port)
        await pulse(ctx, dut, join=1 << slot, leave=1 << slot)      # one comes, one goes
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        assert ctx.get(dut.overdue) == 0
        await pulse(ctx, dut, finished=1, finished_slot=slot)
        await ctx.tick()
        assert ctx.get(dut.overdue) == 0b11, "both ports have joiners of a settled slot"
        for left in (2, 1, 0):
            assert await released(ctx, dut) is None
            await pulse(ctx, dut, leave=1 << slot)
        assert await released(ctx, dut) == 0
        assert ctx.get(dut.overdue) == 0
    run(scenario)


def test_overdue_names_the_ports_that_joined():
    async def scenario(ctx, dut):
        for port in (0, 1):
            slot = await take(ctx, dut)
            await pulse(ctx, dut, join=1 << slot, join_port=port)
            await pulse(ctx, dut, finished=1, finished_slot=slot)
            await ctx.tick()
            assert ctx.get(dut.overdue) == 1 << port
            await pulse(ctx, dut, answered=1, answered_slot=slot, leave=1 << slot)
            assert await released(ctx, dut) == 0
    run(scenario)


def test_a_fault_is_settled_at_once():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut)
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0)
        assert ctx.get(dut.faulty) == 1 << slot and ctx.get(dut.settled) >> slot & 1
        assert await matches(ctx, dut) == (0, 0), "a fault is not to be joined"
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        assert await released(ctx, dut) == 0
        # the next life of the slot knows nothing of it
        for _ in range(CONFIG.walk_slots):
            slot = await take(ctx, dut)
        everyone = (1 << CONFIG.walk_slots) - 1
        assert ctx.get(dut.faulty) == 0 and await matches(ctx, dut) == (everyone, everyone)
        assert ctx.get(dut.next_free) == 0 and not ctx.get(dut.any_free)
    run(scenario)


def test_flush_makes_walks_stale():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut)
        await pulse(ctx, dut, flush=1)
        assert ctx.get(dut.stale) >> slot & 1
        assert (await matches(ctx, dut))[0] == 0
        # one that is allocated in the cycle of a flush reads the tables after it
        one_hot = ctx.get(dut.next_free)
        await pulse(ctx, dut, flush=1, allocate=1, key=KEY)
        assert (await matches(ctx, dut))[0] == one_hot and not ctx.get(dut.stale) & one_hot
        # the stale one still ends as any other
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=1)
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        await pulse(ctx, dut, filled=1, filled_slot=slot)
        assert await released(ctx, dut) == 0
    run(scenario)


def test_every_bit_of_the_key_counts():
    async def scenario(ctx, dut):
        await take(ctx, dut)
        for field, bit, key in one_bit_off(KEY, (
                ("ft", 1), ("write", 1), ("device", 16), ("pasid", 20), ("page", 52))):
            joinable, certain = await matches(ctx, dut, **key)
            neighbour = field == "page" and bit < 3
            assert certain == 0 and bool(joinable) == neighbour, f"{field} bit {bit}"
    run(scenario)


def test_random_lives():
    """No slot is given out twice, none is lost, and each is released once, with its port."""
    config = Config(device_ports=3, walks=3)
    rng = seeded("walk_slots")

    async def scenario(ctx, dut):
        lives, gone, taken = {}, 0, 0       # slot -> what it still waits for
        free_again = [0] * 4                # slots released and not yet given out again, by port
        for cycle in range(3000):
            pulses = {"allocate": 0, "finished": 0, "filled": 0, "answered": 0, "leave": 0,
                      "join": 0}
            free = ctx.get(dut.next_free)
            if ctx.get(dut.released):
                free_again[ctx.get(dut.released_port)] += 1
            if free and rng.random() < .3:
                slot = free.bit_length() - 1
                assert free == 1 << slot
                if slot in lives:
                    before = lives.pop(slot)
                    assert not before["todo"] and not before["claims"], "in use"
                    free_again[before["port"]] -= 1
                    gone += 1
                    assert free_again[before["port"]] >= 0, "not said to be released"
                lives[slot] = {"port": rng.randrange(4), "claims": 0,
                               "todo": ["finished", "answered", "filled"]}
                pulses |= {"allocate": 1, "owned": 1, "key": KEY, "port": lives[slot]["port"]}
                taken += 1
            for slot, life in lives.items():
                if 1 << slot == free and pulses["allocate"]:
                    continue
                if life["todo"] and rng.random() < .2 and not pulses[life["todo"][0]]:
                    step = life["todo"].pop(0)
                    pulses |= {step: 1, f"{step}_slot": slot}
                    if step == "finished":
                        pulses["granted"] = 1
                elif life["claims"] and rng.random() < .2 and not pulses["leave"]:
                    pulses["leave"] = 1 << slot
                    life["claims"] -= 1
                elif "filled" in life["todo"] and rng.random() < .1 and not pulses["join"]:
                    pulses |= {"join": 1 << slot, "join_port": rng.randrange(4)}
                    life["claims"] += 1
            for name, value in pulses.items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
        assert taken > 200 and gone + len(lives) == taken
        done = sum(not life["todo"] and not life["claims"] for life in lives.values())
        assert sum(free_again) <= done

    run(scenario, config, cycles=4000)
