"""Streams of the bridge's parts, driven and read in Amaranth's simulator."""

from amaranth import Module, Signal

__all__ = ["burst", "clocked", "collect", "feed", "take"]


def burst(**fields):
    """A header as :func:`siommu.bridge.channels.Address` has it: one beat of 8 bytes, INCR, unless
    ``fields`` says otherwise."""
    return {"id": 0, "addr": 0, "len": 0, "size": 3, "burst": 1, "lock": 0, "cache": 0, "prot": 0,
            "qos": 0, "region": 0, **fields}


def clocked(dut):
    """A design with ``dut``, a part without registers, in it, for the simulator needs a clock."""
    m = Module()
    m.submodules.dut = dut
    cycle = Signal()
    m.d.sync += cycle.eq(~cycle)
    return m


async def feed(ctx, stream, payloads, pause=lambda: 0):
    """Offers ``payloads`` one after the other, with ``pause()`` cycles before each."""
    for payload in payloads:
        for _ in range(pause()):
            await ctx.tick()
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        while not (await ctx.tick().sample(stream.ready))[-1]:
            pass
        ctx.set(stream.valid, 0)


async def take(ctx, stream, look=lambda payload: payload):
    """Waits for one payload of ``stream``, of which ``look`` says what counts."""
    ctx.set(stream.ready, 1)
    while True:
        *_, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        if valid:
            ctx.set(stream.ready, 0)
            return look(payload)


async def collect(ctx, stream, count, found, look=lambda payload: payload, ready=lambda: 1):
    """Adds ``count`` payloads of ``stream`` to the list ``found``; ``ready()`` says in each cycle
    whether it takes one. An offer that changes or goes before it is taken fails."""
    held = None
    while len(found) < count:
        takes = ready()
        ctx.set(stream.ready, takes)
        *_, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        seen = look(payload) if valid else None
        assert held is None or seen == held, f"offered {held}, then {seen}"
        held = None if takes else seen
        if valid and takes:
            found.append(seen)
    ctx.set(stream.ready, 0)
