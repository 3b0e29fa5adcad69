"""The bridge as a whole: latency, throughput, and the output ``fault``. Its traffic is looked at in
``tests/regression/bridge``."""

from siommu.arch.config import BridgeConfig
from siommu.bridge.bridge import AxiBridge

from ...support.simulate import simulate
from .bench import burst, feed

HIT = 5         #: cycles from a request to its response, as of a hit of the core


def siommu(dut, asked, refuses=lambda addr: False):
    """A testbench that answers every request after HIT cycles with the page 2^20 pages above."""
    async def run(ctx, cycles):
        due = []
        ctx.set(dut.request.ready, 1)
        for cycle in range(cycles):
            coming = [one for one in due if one[0] == cycle]
            ctx.set(dut.response.valid, bool(coming))
            for _, addr, tag in coming:
                refused = refuses(addr)
                ctx.set(dut.response.payload, {
                    "tag": tag, "last": 1, "cause": 7 * refused, "disposition": 0,
                    "addr": addr if refused else addr + (1 << 32), "pages": 0,
                    "read": not refused, "write": not refused, "size": 0})
            *_, valid, request = await ctx.tick().sample(dut.request.valid, dut.request.payload)
            if valid:
                asked.append((cycle, request.write, request.addr))
                due.append((cycle + HIT, request.addr, request.tag))
    return run


class World:
    """The bridge between a device that waits for nothing and a memory that never does. Cycles of
    handshakes, by channel."""

    def __init__(self, config=BridgeConfig(), refuses=lambda addr: False):
        self.dut, self.asked = AxiBridge(config), []
        self.siommu = siommu(self.dut, self.asked, refuses)
        self.seen = {name: [] for name in ("s_ar", "s_aw", "m_ar", "m_aw", "m_w", "s_r", "s_b",
                                           "fault")}

    def run(self, reads, writes, cycles):
        dut = self.dut

        async def device(ctx, name, count):
            await feed(ctx, getattr(dut, name), [
                {"address": burst(addr=n << 12 | 8), "device": 1, "pasid": 2}
                for n in range(count)])

        async def ar(ctx):
            await device(ctx, "s_ar", reads)

        async def aw(ctx):
            await device(ctx, "s_aw", writes)

        async def w(ctx):
            await feed(ctx, dut.s_w, [{"data": n, "strb": 255, "last": 1} for n in range(writes)])

        async def memory(ctx):
            for one in (dut.m_ar, dut.m_aw, dut.m_w, dut.s_r, dut.s_b):
                ctx.set(one.ready, 1)
            due, written = [], 0
            for _ in range(cycles):     # data come in the cycle behind their address
                ctx.set(dut.m_r.valid, bool(due))
                ctx.set(dut.m_r.payload, {"id": 0, "data": due.pop(0) if due else 0, "resp": 0,
                                          "last": 1})
                ctx.set(dut.m_b.valid, written > 0)
                written = 0
                *_, valid, address, wrote = await ctx.tick().sample(
                    dut.m_ar.valid, dut.m_ar.payload.addr, dut.m_w.valid)
                if valid:
                    due.append(address)
                written += wrote

        async def watch(ctx):
            names = [name for name in self.seen if name != "fault"]
            streams = [getattr(dut, name) for name in names]
            for cycle in range(cycles):
                _, _, fault, *values = await ctx.tick().sample(
                    dut.fault, *(s.valid & s.ready for s in streams),
                    *(s.payload for s in streams))
                for name, moved, payload in zip(names, values, values[len(names):]):
                    if moved:
                        self.seen[name].append((cycle, payload))
                if fault:
                    self.seen["fault"].append(cycle)

        async def translate(ctx):
            await self.siommu(ctx, cycles)
        simulate(dut, ar, aw, w, memory, watch, translate, cycles=cycles + 10)
        return self.seen


def cycles_of(seen, name):
    return [cycle for cycle, _ in seen[name]]


def test_added_latency():
    """The translation's, and two cycles to memory; one more on the way back."""
    for write, address, to_memory, answer in ((0, "s_ar", "m_ar", "s_r"),
                                              (1, "s_aw", "m_aw", "s_b")):
        seen = World().run(reads=1 - write, writes=write, cycles=40)
        (start,), (there,) = cycles_of(seen, address), cycles_of(seen, to_memory)
        assert there - start == HIT + 2
        assert cycles_of(seen, answer) == [there + 2]       # memory takes one of the two
        assert seen[to_memory][0][1].addr == 1 << 32 | 8 and not seen["fault"]
        if write:
            assert cycles_of(seen, "m_w") == [there]
        else:
            assert seen["s_r"][0][1].data == 1 << 32 | 8


def test_a_burst_every_cycle():
    count = 300
    for reads, writes, names in ((count, 0, ("m_ar", "s_r")), (0, count, ("m_aw", "m_w", "s_b"))):
        seen = World().run(reads, writes, cycles=count + 40)
        for name in names:
            moved = cycles_of(seen, name)
            assert len(moved) == count and moved[-1] - moved[0] == count - 1, name


def test_both_directions_share_the_request_port():
    count = 200
    world = World()
    seen = world.run(count, count, cycles=2 * count + 60)
    assert [cycle for cycle, *_ in world.asked] == list(range(1, 2 * count + 1))
    for name in ("m_ar", "m_aw", "s_r", "s_b"):
        moved = cycles_of(seen, name)
        assert len(moved) == count and moved[-1] - moved[0] <= 2 * count


def test_requests_ask_for_what_the_burst_does():
    world = World()
    world.run(3, 5, cycles=80)
    assert sorted((write, addr) for _, write, addr in world.asked) == [
        (0, n << 12 | 8) for n in range(3)] + [(1, n << 12 | 8) for n in range(5)]


def test_refused_bursts():
    """Every second page is refused: answered with SLVERR, counted by ``fault``, and memory sees
    nothing of it."""
    count = 40
    seen = World(refuses=lambda addr: addr >> 12 & 1).run(count, count, cycles=400)
    for name in ("m_ar", "m_aw"):
        assert [payload.addr for _, payload in seen[name]] == [
            1 << 32 | n << 12 | 8 for n in range(0, count, 2)]
    assert [beat.data for _, beat in seen["m_w"]] == list(range(0, count, 2))
    assert [beat.resp for _, beat in seen["s_r"]] == [0, 2] * (count // 2)
    assert [beat.data for _, beat in seen["s_r"]][1::2] == [0] * (count // 2)
    assert [answer.resp for _, answer in seen["s_b"]] == [0, 2] * (count // 2)
    assert len(seen["fault"]) == count
