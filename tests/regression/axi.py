"""The memory behind ``m_axi_``: an AXI4 slave that answers late, out of order, or with an error.

It also checks what the core asks for: stable payloads, legal bursts, none across 4 KiB.
"""

import random
from collections import deque

from sim.memory import BusError

from .wires import bit, reader, writer

__all__ = ["AxiError", "TableMemory"]

PAGE = 4096
FIXED, INCR, WRAP = 0, 1, 2
OKAY, EXOKAY, SLVERR, DECERR = 0, 1, 2, 3


class AxiError(AssertionError):
    """The core broke a rule of AXI4. The message names cycle and rule."""


class _Burst:
    __slots__ = ("id", "addr", "ready", "beats", "size")

    def __init__(self, id_, addr, size, ready, beats):
        self.id = id_
        self.addr = addr
        self.size = size
        self.ready = ready
        self.beats = beats


def burst_addresses(addr, length, size, kind):
    """Start addresses of the beats of a burst of ``length`` beats of ``2**size`` bytes."""
    step = 1 << size
    aligned = addr & -step
    if kind == FIXED:
        return [addr] * length
    if kind == WRAP:
        total = length * step
        low = aligned // total * total
        return [low + (aligned - low + index * step) % total for index in range(length)]
    return [addr] + [aligned + index * step for index in range(1, length)]


class TableMemory:
    """An AXI4 slave over a ``sim.memory.Memory``.

    Read data is taken from the memory when the address is accepted: the core gets values as old
    as the bus allows. Byte lanes that a beat does not address carry random bits. Reads of one id
    come back in order, those of different ids in any.

    Parameters
    ----------
    dut
        The simulated core.
    memory : Memory
    data_width : int
        Bits of the data bus.
    rng : random.Random
    clock : callable
        Returns the current cycle.
    prefix : str
        Of the signals.
    fixed : bool
        Whether FIXED bursts are allowed. The core has none.

    Attributes (to be changed at any time)
    ----------
    latency : (int, int)
        Cycles from an accepted address to its first data, lowest and highest.
    max_reads : int
        Addresses accepted and not yet answered.
    interleave : bool
        Beats of different ids may alternate.
    accept_rate, data_rate : float
        Probability that a cycle accepts an address; that a cycle offers data it has.
    error_rate : float
        Probability that a read beat (or a write burst) is answered with an error.
    hold : callable or None
        Reads whose address it returns true for are not answered for the time being.

    Counters
    --------
    reads, beats : int
        Read bursts and beats. ``busiest``: most reads in flight at once. ``reordered``: bursts
        that began before an older one of another id.
    injected : dict
        Word address to the cycles in which a random error was handed over for it.
    log : list or None
        When a list, gets ``(cycle, addr, beats)`` of every read.
    """

    def __init__(self, dut, memory, data_width, rng, clock, prefix="m_axi", fixed=False):
        self.prefix, self.fixed = prefix, fixed
        self.memory = memory
        self.bytes = data_width // 8
        self.rng = rng
        self.latency = (1, 1)
        self.max_reads = 64
        self.interleave = False
        self.accept_rate = self.data_rate = 1.0
        self.error_rate = 0.0
        self.hold = None
        self.log = None
        self.reads = self.beats = self.busiest = self.reordered = self.writes = self.errors = 0
        self._clock = clock
        self._garbage = random.Random(rng.random())

        def channel(name, fields):
            return {field: reader(getattr(dut, f"{prefix}_{name}{field}")) for field in fields}
        self._ar = channel("ar", ("id", "addr", "len", "size", "burst"))
        self._aw = channel("aw", ("id", "addr", "len", "size", "burst"))
        self._w = channel("w", ("data", "strb", "last"))
        self._is = {name: bit(getattr(dut, f"{prefix}_{name}")) for name in
                    ("arvalid", "rready", "awvalid", "wvalid", "bready")}
        self._drive = {name: writer(getattr(dut, f"{prefix}_{name}")) for name in
                       ("arready", "rvalid", "rid", "rdata", "rresp", "rlast",
                        "awready", "wready", "bvalid", "bid", "bresp")}
        self.reset()

    @property
    def in_flight(self):
        """Read bursts accepted and not completely answered."""
        return self._count

    def holding(self, addr):
        """Whether a read of ``addr`` was accepted and waits for its answer."""
        return any(addr in words for queue in self._queues.values() for burst in queue
                   for words, *_ in burst.beats)

    def reset(self):
        """Forgets everything; to be called while the core is held in reset."""
        self._queues = {}               # id -> bursts in order
        self._count = 0
        self._current = None            # the burst whose beat is offered, or that goes on
        self._offering = False
        self._arready = self._awready = self._wready = False
        self._held = {}                 # channel -> payload that was not taken
        self._write_bursts, self._write_data, self._answers = deque(), [], deque()
        self._bvalid = False
        self.injected = {}
        for drive in self._drive.values():
            drive(0)

    def step(self):
        """One clock cycle: looks at the values before the edge, drives those after it."""
        self._step_address()
        self._step_data()
        self._step_write()

    def _fail(self, sentence):
        raise AxiError(f"{self.prefix}, cycle {self._clock()}: {sentence}")

    def _sample(self, name, valid, fields, taken):
        """The payload of a channel if it is valid; checks that it stays until it is taken."""
        before = self._held.get(name)
        if not valid:
            if before is not None:
                self._fail(f"{name.upper()}VALID fell before the handshake")
            return None
        payload = {field: read() for field, read in fields.items()}
        if before is not None and payload != before:
            self._fail(f"{name.upper()} changed from {before} to {payload} before the handshake")
        self._held[name] = None if taken else payload
        return payload if taken else None

    def _check(self, name, addr, length, size, kind):
        step = 1 << size
        if step > self.bytes:
            self._fail(f"{name}SIZE of {step} bytes on a bus of {self.bytes}")
        if kind == INCR:
            if (addr & -step) // PAGE != ((addr & -step) + length * step - 1) // PAGE:
                self._fail(f"an INCR burst of {length} x {step} bytes at {addr:#x} crosses 4 KiB")
        elif kind == WRAP:
            if length not in (2, 4, 8, 16) or addr % step:
                self._fail(f"a WRAP burst of {length} beats of {step} bytes at {addr:#x}")
        elif kind != FIXED or not self.fixed or length > 16:
            self._fail(f"{name}BURST is {kind}; the core reads tables with INCR or WRAP")

    # -- reads ---------------------------------------------------------------------------------

    def _step_address(self):
        valid = self._is["arvalid"]()
        if valid or self._held.get("ar"):
            got = self._sample("ar", valid, self._ar, self._arready)
            if got:
                self._accept(got)
        self._arready = self._count < self.max_reads and \
            (self.accept_rate >= 1.0 or self.rng.random() < self.accept_rate)
        self._drive["arready"](int(self._arready))

    def _accept(self, got):
        addr, length, size = got["addr"], got["len"] + 1, got["size"]
        self._check("AR", addr, length, size, got["burst"])
        now = self._clock()
        beats = [self._fetch(start, size)
                 for start in burst_addresses(addr, length, size, got["burst"])]
        burst = _Burst(got["id"], addr, size, now + self.rng.randint(*self.latency) - 1,
                       deque(beats))
        self._queues.setdefault(burst.id, deque()).append(burst)
        self._count += 1
        self.busiest = max(self.busiest, self._count)
        self.reads += 1
        self.beats += length
        if self.log is not None:
            self.log.append((now, addr, length))

    def _fetch(self, start, size):
        """(word addresses, data, response) of one beat."""
        end = (start | ((1 << size) - 1)) + 1
        lane = start % self.bytes
        words = range(start & -8, end, 8)
        data = self._garbage.getrandbits(8 * self.bytes)
        try:
            content = int.from_bytes(self.memory.read(start, end - start), "little")
        except BusError:
            return words, data, self.rng.choice((SLVERR, DECERR)), False
        if self.error_rate and self.rng.random() < self.error_rate:
            return words, data, self.rng.choice((SLVERR, DECERR)), True
        mask = ((1 << 8 * (end - start)) - 1) << 8 * lane
        return words, data & ~mask | content << 8 * lane, OKAY, False

    def _step_data(self):
        if self._offering:
            if not self._is["rready"]():
                return
            self._handed_over()
        burst = self._choose()
        if burst is None or (self.data_rate < 1.0 and self.rng.random() >= self.data_rate):
            self._offering = False
            self._drive["rvalid"](0)
            return
        _, data, response, _ = burst.beats[0]
        drive = self._drive
        drive["rid"](burst.id)
        drive["rdata"](data)
        drive["rresp"](response)
        drive["rlast"](int(len(burst.beats) == 1))
        drive["rvalid"](1)
        self._current, self._offering = burst, True

    def _handed_over(self):
        burst = self._current
        words, _, response, injected = burst.beats.popleft()
        if response:
            self.errors += 1
        if injected:
            for word in words:
                self.injected.setdefault(word, []).append(self._clock())
        if not burst.beats:
            queue = self._queues[burst.id]
            queue.popleft()
            if not queue:
                del self._queues[burst.id]
            self._count -= 1
            self._current = None

    def _choose(self):
        if self._current is not None and not self.interleave:
            return self._current
        if not self._queues:
            return None
        now = self._clock()
        ready = [queue[0] for queue in self._queues.values() if queue[0].ready <= now
                 and not (self.hold and self.hold(queue[0].addr))]
        if not ready:
            return None
        chosen = self.rng.choice(ready)
        if chosen is not next(iter(self._queues.values()))[0]:
            self.reordered += 1
        return chosen

    # -- writes --------------------------------------------------------------------------------

    def _step_write(self):
        valid = self._is["awvalid"]()
        if valid or self._held.get("aw"):
            got = self._sample("aw", valid, self._aw, self._awready)
            if got:
                self._check("AW", got["addr"], got["len"] + 1, got["size"], got["burst"])
                self._write_bursts.append(got)
        valid = self._is["wvalid"]()
        if valid or self._held.get("w"):
            got = self._sample("w", valid, self._w, self._wready)
            if got:
                self._write_data.append(got)
        if self._write_bursts and len(self._write_data) > self._write_bursts[0]["len"]:
            self._store(self._write_bursts.popleft())
        if self._answers:
            self._step_answer()
        rate, ready = self.accept_rate, self.rng.random
        self._awready = rate >= 1.0 or ready() < rate
        self._wready = rate >= 1.0 or ready() < rate
        self._drive["awready"](int(self._awready))
        self._drive["wready"](int(self._wready))

    def _step_answer(self):
        """The answers to writes, of which there is one at least."""
        if self._bvalid and self._is["bready"]():
            self._answers.popleft()
            self._bvalid = False
        if not self._bvalid and self._answers and self._answers[0][0] <= self._clock():
            _, id_, response = self._answers[0]
            self._drive["bid"](id_)
            self._drive["bresp"](response)
            self._bvalid = True
        self._drive["bvalid"](int(self._bvalid))

    def _store(self, burst):
        length = burst["len"] + 1
        beats, self._write_data = self._write_data[:length], self._write_data[length:]
        response = OKAY
        if self.error_rate and self.rng.random() < self.error_rate:
            response = SLVERR
        starts = burst_addresses(burst["addr"], length, burst["size"], burst["burst"])
        for index, (start, beat) in enumerate(zip(starts, beats)):
            if beat["last"] != int(index == length - 1):
                self._fail(f"WLAST is {beat['last']} on beat {index + 1} of {length}")
            if response == OKAY:
                response = self._store_beat(start, 1 << burst["size"], beat)
        self.writes += 1
        self._answers.append((self._clock() + self.rng.randint(*self.latency), burst["id"],
                              response))

    def _store_beat(self, start, step, beat):
        base = start & -self.bytes
        for lane in range(self.bytes):
            if beat["strb"] >> lane & 1:
                if not start <= base + lane < (start & -step) + step:
                    self._fail(f"WSTRB {beat['strb']:#x} lies outside of the beat at {start:#x}")
                try:
                    self.memory.write(base + lane, bytes([beat["data"] >> 8 * lane & 255]))
                except BusError:
                    return SLVERR
        return OKAY
