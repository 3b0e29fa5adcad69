import pytest

from siommu.lib.plru import TreePlru

from ...support.simulate import seeded, simulate


class Reference:
    """The textbook tree: every node points to the half that was not used last."""

    def __init__(self, entries):
        self.older = [0] * entries  # heap order: the children of i are 2i and 2i + 1
        self.entries = entries

    def touch(self, entry):
        node, size = 1, self.entries // 2
        while size:
            upper = entry // size & 1
            self.older[node] = 1 - upper
            node, size = 2 * node + upper, size // 2

    def victim(self):
        node = 1
        while node < self.entries:
            node = 2 * node + self.older[node]
        return node - self.entries


@pytest.mark.parametrize("entries", [2, 4, 32])
def test_follows_the_tree(entries):
    dut, reference = TreePlru(entries), Reference(entries)
    rng = seeded(f"plru/{entries}")

    async def bench(ctx):
        for _ in range(300):
            assert ctx.get(dut.victim) == reference.victim()
            touch, entry = rng.random() < .7, rng.randrange(entries)
            ctx.set(dut.touch, touch)
            ctx.set(dut.touched, entry)
            if touch:
                reference.touch(entry)
            await ctx.tick()

    simulate(dut, bench)


def test_replacing_the_victim_visits_everybody():
    dut = TreePlru(8)

    async def bench(ctx):
        seen = set()
        ctx.set(dut.touch, 1)
        for _ in range(8):
            victim = ctx.get(dut.victim)
            seen.add(victim)
            ctx.set(dut.touched, victim)
            await ctx.tick()
        assert seen == set(range(8))

    simulate(dut, bench)
