"""The memory's side of the AXI write channels, for the queues in memory."""

from collections import deque

__all__ = ["WriteSlave"]


class WriteSlave:
    """Takes the bursts of ``dut`` (its ``aw`` and ``w``, in either order), checks how they are
    formed, and answers each on ``b``, in their order, from the cycle after its last beat on.

    Parameters
    ----------
    dut
        Has ``aw``, ``w`` and ``b``.
    width : int
        Bits of a beat.
    rng : random.Random
    took : callable
        Is called with the payload of a burst's address and the bytes that came, when all of it has
        come; returns the payload of its answer. If that is not 0, the memory stays as it is.

    Attributes
    ----------
    rates : dict
        For ``aw``, ``w``, ``b``: how probable it is in a cycle that the channel is ready, that an
        answer comes.
    answering : bool
        False: no answer comes, however long.
    pending : deque
        Answers that have not come.
    """

    def __init__(self, dut, width, rng, took):
        self.dut, self.rng, self._width, self._took = dut, rng, width // 8, took
        self.rates, self.answering = {"aw": .6, "w": .6, "b": .3}, True
        self.pending, self._bytes = deque(), {}
        self._address, self._beats = None, []

    def read(self, addr, length):
        """``length`` bytes from ``addr`` on, all of which were written."""
        return bytes(self._bytes[addr + index] for index in range(length))

    def cycle(self, ctx):
        """What happens in a cycle; to be called once in each, before the clock's edge. Returns the
        answer that comes in it, or None."""
        dut = self.dut
        answer = None
        if self.pending and self.answering and self.rng.random() < self.rates["b"]:
            answer = self.pending.popleft()
            ctx.set(dut.b.payload, answer)
        ctx.set(dut.b.valid, answer is not None)
        if (payload := self._taken(ctx, "aw")) is not None:
            assert self._address is None, "one burst at a time"
            self._address = payload
        if (payload := self._taken(ctx, "w")) is not None:
            self._beats.append(payload)
        if self._address is not None and len(self._beats) == self._address.len + 1:
            self._store()
        return answer

    def _taken(self, ctx, name):
        """What is handed over on a channel in this cycle."""
        channel = getattr(self.dut, name)
        ready = self.rng.random() < self.rates[name]
        ctx.set(channel.ready, ready)
        return ctx.get(channel.payload) if ready and ctx.get(channel.valid) else None

    def _store(self):
        """All of a burst has come."""
        address, beats, content = self._address, self._beats, b""
        size = 1 << address.size
        assert address.addr % size == 0, "unaligned"
        assert [beat.last for beat in beats] == [0] * address.len + [1]
        for beat in beats:
            lane = (address.addr + len(content)) % self._width
            assert beat.strb == ((1 << size) - 1) << lane, "these bytes and no others"
            content += (beat.data >> 8 * lane & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        answer = self._took(address, content)
        if not answer:
            self._bytes.update(enumerate(content, address.addr))
        self.pending.append(answer)
        self._address, self._beats = None, []
