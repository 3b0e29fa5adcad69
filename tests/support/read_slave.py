"""The memory's side of the AXI read channels, for the walker and the core."""

from sim.memory import BusError

__all__ = ["ReadSlave"]

INCR, WRAP = 1, 2


class ReadSlave:
    """Answers the reads of ``dut`` (its ``ar`` and ``r``) from ``memory``.

    What a burst brings is what the memory held when its address was taken: nothing younger can
    hide a stale value. Bursts of one id are answered in order.

    Parameters
    ----------
    dut
        Has ``ar`` and ``r``.
    memory
        Anything with ``read_u64(addr)`` that raises ``BusError``.
    width : int
        Bits of a beat.
    rng : random.Random or None
        Idle cycles on both channels, and bursts of different ids out of order and interleaved; None
        for a memory that is always ready, in order, a beat a cycle.
    latency : (int, int)
        Cycles from the address to the first beat: at least, at most.
    beats : callable or None
        How many beats are sent of the burst with this ``ar`` payload, the last one marked.

    Attributes
    ----------
    bursts : list of (id, addr, length, size, burst)
    taken : int
        Beats that were handed over.
    """

    def __init__(self, dut, memory, *, width=64, rng=None, latency=(1, 8), beats=None):
        self.dut, self.memory, self.rng, self.width = dut, memory, rng, width
        self.latency, self.beats = latency, beats or (lambda address: address.len + 1)
        self.bursts, self.taken = [], 0
        self._pending = []          # [id, ready at, [(data, resp)…]]
        self._offered = False

    def _beat(self, addr, size):
        """Data and response of the beat of 2 ** ``size`` bytes at ``addr``; noise beside it."""
        content = self.rng.getrandbits(self.width) if self.rng else (1 << self.width) - 1
        resp = 0
        for word in range(addr >> size << size, (addr >> size) + 1 << size, 8):
            try:
                value = self.memory.read_u64(word)
            except BusError:
                resp = self.rng.choice([2, 3]) if self.rng else 2
                continue
            lane = word % (self.width // 8) * 8
            content = content & ~((1 << 64) - 1 << lane) | value << lane
        return content, resp

    def _take(self, now):
        address = self._address
        count, size = address.len + 1, address.size
        span = count << size
        assert 3 <= size and 1 << size <= self.width // 8
        assert address.addr % (1 << size) == 0, "unaligned"
        if address.burst.value == WRAP:
            assert count in (2, 4, 8, 16)
            base = address.addr // span * span
        else:
            assert address.burst.value == INCR
            base = address.addr
            assert base >> 12 == base + span - 1 >> 12, "a burst crosses 4 KiB"
        self.bursts.append((address.id, address.addr, count, size, address.burst.value))
        contents = [self._beat(base + (address.addr - base + (index << size)) % span, size)
                    for index in range(count)]
        sent = self.beats(address)
        contents = (contents + [((1 << self.width) - 1, 0)] * max(sent - count, 0))[:sent]
        latency = self.rng.randint(*self.latency) if self.rng else self.latency[0]
        self._pending.append([address.id, now + latency, contents])

    def cycle(self, ctx, now):
        """What happens in cycle ``now``; to be called once in each."""
        dut, rng = self.dut, self.rng
        ctx.set(dut.ar.ready, 1 if rng is None else rng.random() < .8)
        if ctx.get(dut.ar.valid) and ctx.get(dut.ar.ready):
            self._address = ctx.get(dut.ar.payload)
            self._take(now)
        if not self._offered:
            first = {}
            for entry in self._pending:
                first.setdefault(entry[0], entry)
            ripe = [entry for entry in first.values() if entry[1] <= now]
            if ripe and (rng is None or rng.random() < .8):
                self._entry = entry = rng.choice(ripe) if rng else ripe[0]
                content, resp = entry[2][0]
                ctx.set(dut.r.payload, {"id": entry[0], "data": content, "resp": resp,
                                        "last": len(entry[2]) == 1})
                self._offered = True
        ctx.set(dut.r.valid, self._offered)
        if self._offered and ctx.get(dut.r.ready):
            self._offered = False
            self.taken += 1
            self._entry[2].pop(0)
            if not self._entry[2]:
                self._pending.remove(self._entry)
