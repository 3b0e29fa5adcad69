"""The life of walk slots: who may join one, who is answered by it, and when it is free again."""

import pytest
from amaranth import Elaboratable, Module

from siommu.arch.config import Config
from siommu.miss.walk_slots import WalkSlots

from ...support.simulate import one_bit_off, seeded, simulate

CONFIG = Config(device_ports=2, cpu_port=False, walks=2)
KEY = {"ft": 1, "write": 1, "device": 3, "pasid": 4, "page": 0x5678}


class Stages(Elaboratable):
    """The slots behind the stages of the pipeline: an operation in COMPARE is in SELECT a cycle
    later, then in MATCH, then in ACT."""

    def __init__(self, slots):
        self.slots = slots

    def elaborate(self, platform):
        m = Module()
        m.submodules.slots = slots = self.slots
        m.d.sync += [slots.in_select.eq(slots.in_compare), slots.in_match.eq(slots.in_select),
                     slots.in_act.eq(slots.in_match)]
        return m


def run(scenario, config=CONFIG, cycles=1000):
    dut = WalkSlots(config)

    async def bench(ctx):
        await ctx.tick().repeat(3)      # the next free slots are sought ahead
        await scenario(ctx, dut)
    simulate(Stages(dut), bench, cycles=cycles)


def operation(page=None, **fields):
    """An operation for KEY, changed."""
    fields = {**KEY, **fields}
    page = fields.pop("page") if page is None else page
    fields.pop("page", None)
    return {**fields, "addr": page << 12}


def signals(dut):
    """What a test drives, by the names of events."""
    taking, ended, claims = dut.taking, dut.ended, dut.claims
    return {
        "takes": dut.takes, "owned": taking.owned, "port": taking.port,
        "way": taking.way, "multi_page": taking.multi_page, "look_up": dut.in_compare,
        "restarted": dut.restarted.valid, "restarted_slot": dut.restarted.slot,
        "finished": ended.valid, "finished_slot": ended.slot, "granted": ended.granted,
        "from_line": ended.from_line, "served": ended.served, "filled": dut.filled.valid,
        "filled_slot": dut.filled.slot, "answered": dut.answered.valid,
        "answered_slot": dut.answered.slot, "join": claims.join, "join_port": claims.join_port,
        "leave": claims.leave, "flush": dut.flush,
    }


async def pulse(ctx, dut, key=None, **values):
    """Drives ``values`` for a cycle, in which the operation ``key`` is in ACT."""
    known = signals(dut)
    if key is not None:
        await pulse(ctx, dut, look_up=key)
        await ctx.tick().repeat(2)
    for name, value in values.items():
        ctx.set(known[name], value)
    await ctx.tick()
    for name in values:
        ctx.set(known[name], {} if name == "look_up" else 0)


async def take(ctx, dut, **values):
    """Takes the next slot for KEY; returns its number."""
    slot = ctx.get(dut.next_index)
    assert ctx.get(dut.any_free) and slot < dut_slots(dut)
    await pulse(ctx, dut, **{"takes": 1, "key": operation(), "owned": 1, **values})
    await ctx.tick().repeat(3)          # the next one is known
    return slot


def dut_slots(dut):
    return len(dut.states.settled)


async def matches(ctx, dut, strict=0, hopeless=0, **changes):
    """Slots that a look-up of KEY, changed, can join, and those of which it can have a fault."""
    await pulse(ctx, dut, look_up=operation(**changes, tries=3 if hopeless else strict))
    await pulse(ctx, dut)
    await pulse(ctx, dut)
    joinable = ctx.get(dut.joinable)
    assert ctx.get(dut.any_joinable) == bool(joinable)
    return joinable, joinable & ctx.get(dut.certain)


async def released(ctx, dut, cycles=12):
    """The port whose slot is released within some cycles, or None."""
    found = None
    for _ in range(cycles):
        await ctx.tick()
        if ctx.get(dut.returned.valid):
            assert found is None, "released twice"
            found = ctx.get(dut.returned.payload)
    return found


def test_life_of_a_granted_slot():
    async def scenario(ctx, dut):
        assert not ctx.get(dut.states.busy) and await matches(ctx, dut) == (0, 0)
        slot = await take(ctx, dut, port=1, way=3, multi_page=1)
        me, neighbour = 1 << slot, KEY["page"] ^ 7
        assert ctx.get(dut.states.busy) and not ctx.get(dut.states.settled) & me
        assert ctx.get(dut.states.owner_waiting) & ctx.get(dut.states.multi_page) & me
        assert ctx.get(dut.states.ways[slot]) == 3
        assert await matches(ctx, dut) == (me, me)
        assert await matches(ctx, dut, page=neighbour) == (me, 0)
        assert await matches(ctx, dut, strict=1) == (me, me)
        assert await matches(ctx, dut, strict=1, page=neighbour) == (0, 0)
        assert (await matches(ctx, dut, strict=1, hopeless=1))[0] == 0
        ctx.set(dut.reading, me)
        await pulse(ctx, dut, restarted=1, restarted_slot=slot)
        assert await matches(ctx, dut) == (me, 0), "too late for its fault"
        assert await matches(ctx, dut, strict=1) == (0, 0)
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=1, from_line=1)
        assert ctx.get(dut.states.from_line) & me
        assert await matches(ctx, dut) == (me, 0), "who joins now finds the grant soon"
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        assert not ctx.get(dut.states.owner_waiting) & me
        assert await released(ctx, dut) is None, "its grant cannot be found yet"
        await pulse(ctx, dut, filled=1, filled_slot=slot)
        assert ctx.get(dut.states.settled) & me and not ctx.get(dut.states.faulty) & me
        assert await matches(ctx, dut) == (0, 0)
        assert await released(ctx, dut) is None, "its line is not over"
        ctx.set(dut.reading, 0)
        assert await released(ctx, dut) == 1
        assert not ctx.get(dut.states.busy)
    run(scenario)


def test_who_joins_in_the_last_cycle_keeps_the_slot():
    """The claim comes two cycles after the look-up: no release gets in between."""
    async def scenario(ctx, dut):
        slot = await take(ctx, dut, port=1)
        ctx.set(dut.in_compare, operation())
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        await ctx.tick()
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0)
        assert ctx.get(dut.joinable) == 1 << slot, "looked up while it was open"
        assert ctx.get(dut.states.settled) == 1 << slot
        await ctx.tick()
        assert ctx.get(dut.joinable) == 0
        await ctx.tick()
        await pulse(ctx, dut, join=1 << slot, join_port=0)
        assert await released(ctx, dut) is None
        await pulse(ctx, dut, leave=1 << slot)
        assert await released(ctx, dut) == 1
    run(scenario)


def test_a_slot_that_is_taken_meanwhile():
    """An operation can join the slot that one of the two before it takes, although it was compared
    before that; what stood there earlier does not count. Of a speculative walk no fault is
    certain, and an operation that failed once does not join it."""
    async def scenario(ctx, dut):
        await take(ctx, dut, key=operation(pasid=9))
        for distance in (1, 2):
            for same_page in (0, 1):
                for speculative in (0, 1):
                    for strict in (0, 1):
                        slot = ctx.get(dut.next_index)
                        follower = operation(KEY["page"] ^ (0 if same_page else 5),
                                             pasid=10 + slot, tries=strict)
                        other = operation(pasid=99)
                        first = operation(pasid=10 + slot, speculative=speculative)
                        # in COMPARE, SELECT, MATCH, ACT; one cycle after the other
                        line = [other] * 4 + [first] + [other] * (distance - 1) + [follower] \
                            + [other] * 4
                        for now in range(len(line) - 3):
                            ctx.set(dut.in_compare, line[now + 3])
                            ctx.set(dut.takes, now == 4)
                            ctx.set(dut.taking.owned, not speculative)
                            if now == 4 + distance:
                                certain = same_page and not speculative
                                joins = certain or not strict
                                mine = 1 << slot
                                case = distance, same_page, speculative, strict
                                assert ctx.get(dut.joinable) == mine * joins, case
                                assert ctx.get(dut.any_joinable) == joins
                                if joins:
                                    assert ctx.get(dut.certain) == mine * certain, case
                            await ctx.tick()
                        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0, served=1)
                        await ctx.tick().repeat(12)
    run(scenario, cycles=2000)


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


def test_a_look_ahead_has_no_owner():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut, owned=0)
        assert not ctx.get(dut.states.owner_waiting) >> slot & 1
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
        assert ctx.get(dut.claims.overdue) == 0
        await pulse(ctx, dut, finished=1, finished_slot=slot)
        await ctx.tick()
        assert ctx.get(dut.claims.overdue) == 0b11, "both ports have joiners of a settled slot"
        for left in (2, 1, 0):
            assert await released(ctx, dut) is None
            await pulse(ctx, dut, leave=1 << slot)
        assert await released(ctx, dut) == 0
        assert ctx.get(dut.claims.overdue) == 0
    run(scenario)


def test_overdue_names_the_ports_that_joined():
    async def scenario(ctx, dut):
        for port in (0, 1):
            slot = await take(ctx, dut)
            await pulse(ctx, dut, join=1 << slot, join_port=port)
            await pulse(ctx, dut, finished=1, finished_slot=slot)
            await ctx.tick()
            assert ctx.get(dut.claims.overdue) == 1 << port
            await pulse(ctx, dut, answered=1, answered_slot=slot, leave=1 << slot)
            assert await released(ctx, dut) == 0
    run(scenario)


def test_a_fault_is_settled_at_once():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut)
        await pulse(ctx, dut, finished=1, finished_slot=slot, granted=0)
        assert ctx.get(dut.states.faulty) == 1 << slot and ctx.get(dut.states.settled) >> slot & 1
        assert await matches(ctx, dut) == (0, 0), "a fault is not to be joined"
        await pulse(ctx, dut, answered=1, answered_slot=slot)
        assert await released(ctx, dut) == 0
        # the next life of the slot knows nothing of it
        for _ in range(CONFIG.walk_slots):
            slot = await take(ctx, dut)
        everyone = (1 << CONFIG.walk_slots) - 1
        assert ctx.get(dut.states.faulty) == 0 and await matches(ctx, dut) == (everyone, everyone)
        assert ctx.get(dut.next_index) == CONFIG.walk_slots and not ctx.get(dut.any_free)
    run(scenario)


def test_flush_makes_walks_stale():
    async def scenario(ctx, dut):
        slot = await take(ctx, dut)
        await pulse(ctx, dut, flush=1)
        assert ctx.get(dut.states.stale) >> slot & 1
        assert (await matches(ctx, dut))[0] == 0
        # one that is allocated in the cycle of a flush reads the tables after it
        one_hot = 1 << ctx.get(dut.next_index)
        await pulse(ctx, dut, flush=1, takes=1, owned=1, key=operation())
        assert (await matches(ctx, dut))[0] == one_hot and not ctx.get(dut.states.stale) & one_hot
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


@pytest.mark.parametrize("broken, sentence", [
    ({"join": 1}, "joins a slot that is in use"), ({"leave": 1}, "leaves that had a claim")])
def test_contracts(broken, sentence):
    """Claims on a slot that is free, and ends of claims that never were, are noticed."""
    async def scenario(ctx, dut):
        await pulse(ctx, dut, **broken)
        await ctx.tick()
    with pytest.raises(AssertionError, match=sentence):
        run(scenario)


def test_random_lives():
    """No slot is given out twice, none is lost, and each is released once, with its port."""
    config = Config(device_ports=3, walks=3)
    rng = seeded("walk_slots")

    async def scenario(ctx, dut):
        lives, gone, taken = {}, 0, 0       # slot -> what it still waits for
        free_again = [0] * 4                # slots released and not yet given out again, by port
        for cycle in range(3000):
            pulses = {"takes": 0, "finished": 0, "filled": 0, "answered": 0, "leave": 0,
                      "join": 0}
            free = 1 << ctx.get(dut.next_index) if ctx.get(dut.any_free) else 0
            if ctx.get(dut.returned.valid):
                free_again[ctx.get(dut.returned.payload)] += 1
            if free and rng.random() < .3:
                slot = free.bit_length() - 1
                if slot in lives:
                    before = lives.pop(slot)
                    assert not before["todo"] and not before["claims"], "in use"
                    free_again[before["port"]] -= 1
                    gone += 1
                    assert free_again[before["port"]] >= 0, "not said to be released"
                lives[slot] = {"port": rng.randrange(4), "claims": 0,
                               "todo": ["finished", "answered", "filled"]}
                pulses |= {"takes": 1, "owned": 1, "port": lives[slot]["port"]}
                taken += 1
            for slot, life in lives.items():
                if 1 << slot == free and pulses["takes"]:
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
                ctx.set(signals(dut)[name], value)
            await ctx.tick()
        for name in pulses:                 # the clock goes on
            ctx.set(signals(dut)[name], 0)
        assert taken > 200 and gone + len(lives) == taken
        done = sum(not life["todo"] and not life["claims"] for life in lives.values())
        assert sum(free_again) <= done, "released while it is in use, or twice"
        for slot, life in lives.items():    # what they wait for comes
            for _ in range(life["claims"]):
                await pulse(ctx, dut, leave=1 << slot)
            for step in life["todo"]:
                await pulse(ctx, dut, **{step: 1, f"{step}_slot": slot, "granted": 1})
        await ctx.tick().repeat(20)
        free = set()                        # and all are free
        for _ in range(config.walk_slots):
            assert ctx.get(dut.any_free), f"lost but for {free}"
            free.add(ctx.get(dut.next_index))
            await pulse(ctx, dut, takes=1)
            await ctx.tick().repeat(3)
        assert free == set(range(config.walk_slots)) and not ctx.get(dut.any_free)

    run(scenario, config, cycles=4000)
