"""What is kept by slot: who owns a walk, and one memory of keys for those who join and for the
lines."""

from siommu.arch.config import Config
from siommu.miss.slot_store import SlotStore

from ...support.simulate import seeded, simulate

CONFIG = Config(walks=4)


def test_a_line_reads_first_and_who_joined_is_told():
    """The key of a line's slot is always answered, that of a joined slot unless a line reads."""
    dut, rng = SlotStore(CONFIG), seeded("slot store/keys")
    seen = {"line": 0, "joined": 0}

    async def bench(ctx):
        pages = {}
        ctx.set(dut.owner_comes, 1)
        for number in range(400):
            place = number % (CONFIG.walk_slots + 1)
            ctx.set(dut.place, place)
            ctx.set(dut.operation, {"addr": number << 12})
            read = [slot for slot in pages if slot != place]
            line, joined = (rng.choice(read) if read else None for _ in range(2))
            reads = line is not None and rng.random() < .4
            ctx.set(dut.lines.reads, reads)
            ctx.set(dut.lines.coming, rng.getrandbits(3) if line is None else line)
            ctx.set(dut.joined_slot, joined or 0)
            await ctx.tick()
            pages[place] = number
            if reads:
                assert not ctx.get(dut.joined_known)
                assert ctx.get(dut.lines.key.page) == pages[line]
                seen["line"] += 1
            else:
                assert ctx.get(dut.joined_known)
                if joined is not None:
                    assert ctx.get(dut.joined_key.page) == pages[joined]
                    seen["joined"] += 1
    simulate(dut, bench, cycles=1000)
    assert min(seen.values()) > 100


def test_operations_pass_through_one_place():
    """An operation that owns no walk comes out behind its own, however many follow it through the
    place of those, and no place is written while it is read. An owner comes out when its walk
    ends."""
    dut, rng, passing = SlotStore(CONFIG), seeded("slot store/owners"), CONFIG.walk_slots
    seen = {"passes": 0, "owner": 0, "one place": 0}

    async def bench(ctx):
        owners, before = {}, (None, None)
        for number in range(600):
            owner = rng.choice(list(owners)) if owners and rng.random() < .3 else None
            ctx.set(dut.owner_comes, owner is not None)
            ctx.set(dut.owner_slot, owner or 0)
            free = [slot for slot in range(passing) if slot not in owners]
            place = rng.choice(free) if free and rng.random() < .2 else passing
            ctx.set(dut.place, place)
            ctx.set(dut.operation, {"addr": number << 12})
            await ctx.tick()
            if owner is not None:
                assert ctx.get(dut.kept.addr) == owners.pop(owner) << 12
                seen["owner"] += 1
            elif number:
                assert ctx.get(dut.kept.addr) == before[1] << 12
                seen["passes"] += 1
            seen["one place"] += place == before[0]
            if place != passing:
                owners[place] = number
            before = place, number
    simulate(dut, bench, cycles=1000)
    assert min(seen.values()) > 60, seen
