"""One operation a cycle goes in: which one, and what the first level's far half compares."""

from siommu.arch.config import Config
from siommu.pipeline.keys import tlb_key
from siommu.request.arbiter import Arbiter

from ...support.simulate import seeded, simulate

CONFIG = Config(device_ports=2, tlb_entries=32)     #: two banks of entries


def test_every_request_goes_in_once_and_in_order():
    """Ports that always have a request take turns. Each comes to COMPARE a cycle after it was
    taken, its key twice; the page of the core's own side comes to the caches, too."""
    dut, rng = Arbiter(CONFIG), seeded("arbiter")
    ports = CONFIG.requesters

    async def bench(ctx):
        sent, offered, taken, own = 0, [None] * ports, [], 0
        waits = [0] * ports
        for port in range(ports):
            ctx.set(dut.ports[port].admits, 1)
            ctx.set(dut.ports[port].admits_another, 1)
        begins = False
        for cycle in range(600):
            busy = cycle < 300              # all ports have a request at all times
            for port in range(ports):
                if offered[port] is None and (busy or rng.random() < .4):
                    sent += 1
                    offered[port] = {
                        "ft": rng.getrandbits(1), "device": rng.getrandbits(16),
                        "pasid": rng.getrandbits(20), "addr": rng.getrandbits(64),
                        "write": rng.getrandbits(1), "pages": 0, "tag": sent % 256}
                    ctx.set(dut.ports[port].request.payload, offered[port])
                ctx.set(dut.ports[port].request.valid, offered[port] is not None)
            comes, page = begins, {"ft": 1, "device": cycle, "pasid": 3, "addr": cycle << 12}
            begins = rng.random() < .1
            ctx.set(dut.internal.begins, begins)
            ctx.set(dut.internal.comes, comes)
            ctx.set(dut.internal.operation, page)
            ready = [port for port in range(ports) if offered[port] is not None
                     and ctx.get(dut.ports[port].request.ready)]
            assert len(ready) <= 1 and not (ready and comes), "one operation a cycle"
            await ctx.tick()
            operation = dut.operation
            assert ctx.get(dut.valid) == bool(ready)
            if ready or comes:
                wanted = page if comes else offered[ready[0]]
                for name, value in wanted.items():
                    if name in ("ft", "device", "pasid") or ready:
                        assert ctx.get(operation[name]) == value, name
                assert ctx.get(operation.addr) >> 12 == wanted["addr"] >> 12
                near = tlb_key(operation, operation.addr[12:])
                for name, value in near.items():
                    assert ctx.get(dut.far_key[name]) == ctx.get(value), f"far {name}"
                own += comes
            for port in range(ports):
                waits[port] = 0 if port in ready or offered[port] is None or comes \
                    else waits[port] + 1
                assert waits[port] <= ports + 1, "it does not get its turn"
            for port in ready:
                assert ctx.get(operation.port) == port
                taken.append(port)
                offered[port] = None
        assert own > 30 and len(taken) > 350
        shares = [taken[:200].count(port) for port in range(ports)]
        assert max(shares) - min(shares) <= 2, shares
    simulate(dut, bench, cycles=1000)
