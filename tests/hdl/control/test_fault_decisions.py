"""The fault queue, decision by decision, against a model of ring, quota and errors, on a memory
that is slow and fails."""

from collections import deque

import pytest

from siommu.arch.config import Config
from siommu.arch.formats import FaultWord0
from siommu.arch.packing import pack
from siommu.bus.share import RECORDS_ID
from siommu.control.fault_queue import FaultQueue

from ...support.simulate import seeded, simulate

WIDTHS = {"cause": 4, "disposition": 2, "write": 1, "ft": 1, "level": 3, "device": 16,
          "pasid": 20, "tag": 8, "addr": 64, "entry": 53}
IN_WORD0 = ("cause", "disposition", "write", "ft", "level", "device", "pasid", "tag", "port")


class Bench:
    """A fault queue, its ports, its memory and its driver, cycle by cycle.

    Every decision is seen by ``recorded``, in the cycle after it: what must have come of it follows
    from the ring, the quota and earlier errors. ``accepted`` is what the ring must hold, oldest
    first.
    """

    def __init__(self, width, seed, **config):
        self.config = Config(port_depth=4, axi_data_width=width, **config)
        self.dut = FaultQueue(self.config)
        self.rng = seeded(seed)
        ports = self.config.ports
        self.now = 0
        self.waiting = deque()              # faults that are not decided about: (cycle, fields)
        self.unsettled = [0] * ports
        self.used = [0] * ports
        self.accepted = deque()             # (stamp, fields, slot): not read by the driver
        self.unwritten = deque()            # of them, not on the bus
        self.in_flight = deque()            # of them, not acknowledged
        self.due = deque()                  # (cycle, failed) of responses
        self.memory = {}
        self.head = self.tail = self.next = 0
        self.failed = self.broken = self.maybe = False
        self.enable, self.log2, self.quota, self.base = 0, 1, 0, 0
        self.address, self.beats = None, []             # of the burst
        self.seen = dict.fromkeys(("good", "overflow", "limited", "broken", "silent", "errors",
                                   "deep", "wraps"), 0)
        self.lost = self.counted = 0
        self.before = None                  # what counted in the cycle before
        self.begun = False                  # a record is on the bus from the next cycle on
        # what the bench does, as probabilities
        self.rates = {"fault": .3, "aw": .5, "w": .5, "b": .3, "error": .02, "read": .2,
                      "clear": .1, "quiet": .1}

    @property
    def size(self):
        return 1 << self.log2

    def turn(self, ctx, enable, *, log2=1, base=0, quota=0):
        """Turns the queue on, with an empty ring, or off."""
        if enable:
            self.log2, self.base, self.quota = log2, base, quota
            self.accepted.clear()
            self.head = self.tail = self.next = 0
            self.failed = self.broken = self.maybe = False
            self.used = [0] * self.config.ports
        self.enable = enable
        for name in ("enable", "log2", "base", "quota", "head", "failed"):
            ctx.set(getattr(self.dut.registers, name), getattr(self, name))

    async def drain(self, ctx):
        """Nothing new, until nothing is left."""
        rates, self.rates = self.rates, {**self.rates, "fault": 0}
        while self.waiting or self.in_flight:
            await self.cycle(ctx)
        for _ in range(4):
            await self.cycle(ctx)
        self.rates = rates

    async def cycle(self, ctx):
        """One clock cycle of everybody, with all checks."""
        dut, rng = self.dut, self.rng
        head = self.head            # by this is decided in the cycle of its write, too
        written = self._driver(ctx)
        fault = None
        ports = [port for port in range(self.config.ports) if self.unsettled[port] < 4]
        if ports and rng.random() < self.rates["fault"]:
            fault = {name: rng.getrandbits(bits) for name, bits in WIDTHS.items()}
            fault |= {"port": rng.choice(ports), "quiet": int(rng.random() < self.rates["quiet"])}
            ctx.set(dut.fault.payload, fault)
        ctx.set(dut.fault.valid, fault is not None)
        ctx.set(dut.cycles, self.now)
        self._decided(ctx)
        self._bus(ctx)
        if fault:
            self.waiting.append((self.now, fault))
            self.unsettled[fault["port"]] += 1
        response = None
        if self.due and self.due[0][0] <= self.now:
            response = self.due.popleft()[1]
            ctx.set(dut.b.payload, response)
        ctx.set(dut.b.valid, response is not None)
        self.before = (self.enable, head, list(self.used), written, self.broken,
                       self._lost_by(response))
        if written:
            self.used = [0] * self.config.ports
        good = response == 0 and not self.broken
        fails = response == 1 and not self.broken
        await ctx.tick()
        ctx.set(dut.registers.head_written, 0)
        self.now += 1
        assert (ctx.get(dut.registers.record), ctx.get(dut.registers.error)) == (good, fails)
        if response is not None:
            self._acknowledged(response)
        if self.enable:
            assert ctx.get(dut.registers.tail) == self.tail

    def _lost_by(self, response):
        return int(response is not None and (response == 1 or self.broken))

    def _driver(self, ctx):
        """Reads records and writes FQ_HEAD (then it is 1); clears FQ_ERROR."""
        dut, rng = self.dut, self.rng
        ctx.set(dut.registers.failed, self.failed)
        if self.failed and rng.random() < self.rates["clear"]:
            self.failed = False
            self.maybe = True       # recording goes on as soon as nothing is in flight
        if not self.enable or rng.random() >= self.rates["read"]:
            return 0
        for _ in range(rng.randint(0, (self.tail - self.head) % self.size)):
            self._read()
        ctx.set(dut.registers.head, self.head)
        ctx.set(dut.registers.head_written, 1)
        return 1

    def _read(self):
        """The record at the head is the oldest that was acknowledged."""
        stamp, fault, slot = self.accepted.popleft()
        assert slot == self.head
        place = (self.base << 12) + 32 * self.head
        words = [int.from_bytes(bytes(self.memory[place + 8 * word + byte] for byte in range(8)),
                                "little") for word in range(4)]
        assert words == [pack(FaultWord0, **{name: fault[name] for name in IN_WORD0}),
                         fault["addr"], fault["entry"], stamp]
        self.seen["good"] += 1
        self.head = (self.head + 1) % self.size
        self.seen["wraps"] += self.head == 0

    def _bus(self, ctx):
        """Takes the burst of a record; answers some time after all of it has come."""
        dut, rng, config = self.dut, self.rng, self.config
        size = min(config.axi_bytes, 32)
        ctx.set(dut.aw.ready, rng.random() < self.rates["aw"])
        ctx.set(dut.w.ready, rng.random() < self.rates["w"])
        if ctx.get(dut.aw.valid) and ctx.get(dut.aw.ready):
            assert self.address is None, "one burst at a time"
            payload = ctx.get(dut.aw.payload)
            assert (payload.id, payload.len, 1 << payload.size) == (
                RECORDS_ID, 32 // size - 1, size)
            self.address = payload.addr
            base, slot = self.unwritten[0]
            assert payload.addr == (base << 12) + 32 * slot
        if ctx.get(dut.w.valid) and ctx.get(dut.w.ready):
            payload = ctx.get(dut.w.payload)
            self.beats.append((payload.data, payload.strb))
            assert payload.last == (len(self.beats) == 32 // size)
        if self.address is None or len(self.beats) < 32 // size:
            return
        for number, (content, strb) in enumerate(self.beats):
            place = self.address + number * size
            lane = place % config.axi_bytes if size < config.axi_bytes else 0
            assert strb == ((1 << size) - 1) << lane, "these bytes and no others"
            for byte in range(size):
                self.memory[place + byte] = content >> 8 * (lane + byte) & 0xFF
        self.address, self.beats = None, []
        self.unwritten.popleft()
        due = self.now + 1
        while rng.random() > self.rates["b"] and due < self.now + 200:
            due += 1
        if self.due:
            due = max(due, self.due[-1][0] + 1)
        self.due.append((due, int(rng.random() < self.rates["error"])))

    def _acknowledged(self, failed):
        record = self.in_flight.popleft()
        self.lost += self._lost_by(failed)
        if failed and not self.broken:
            self.broken = self.failed = True
            self.seen["errors"] += 1
        if self.broken:
            self.accepted.remove(record)
        else:
            self.tail = (self.tail + 1) % self.size

    def _decided(self, ctx):
        """What was decided in the cycle before."""
        dut = self.dut
        if self.before is None:
            return
        if self.begun:
            assert ctx.get(dut.aw.valid) and ctx.get(dut.w.valid), "it is written"
            self.begun = False
        enable, head, used, written, broken, late = self.before
        registers = dut.registers
        recorded, overflow, limited = (ctx.get(signal) for signal in (
            dut.recorded, registers.overflow, registers.limited))
        self.counted += ctx.get(dut.lost)
        here = ctx.get(dut.lost) - late
        if not recorded:
            assert (here, overflow, limited) == (0, 0, 0)
            return
        since, fault = self.waiting.popleft()
        port = fault["port"]
        assert recorded == 1 << port and self.now - since > 3
        self.unsettled[port] -= 1
        if not enable or fault["quiet"]:
            assert (here, overflow, limited) == (0, 0, 0)
            self.seen["silent"] += 1
            return
        self.lost += here
        if here and not overflow and not limited:
            assert broken, "lost for nothing"
            self.seen["broken"] += 1
            return
        if broken:                  # not any more
            assert self.maybe and not self.failed and not self.in_flight
            self.broken = self.maybe = False
            self.next = self.tail
        spent = self.quota > 0 and used[port] >= self.quota
        full = (self.next + 1) % self.size == head
        assert (limited, overflow) == (spent, full and not spent)
        assert here == (limited or overflow)
        self.seen["limited"] += limited
        self.seen["overflow"] += overflow
        if here:
            return
        self.begun = True
        if not written:
            self.used[port] += 1
        record = (self.now - 1, fault, self.next)
        self.accepted.append(record)
        self.in_flight.append(record)
        self.unwritten.append((self.base, self.next))
        self.next = (self.next + 1) % self.size
        self.seen["deep"] += len(self.in_flight) > 2


@pytest.mark.parametrize("width", [64, 128, 256, 512])
def test_random_faults(width):
    """Rings of several sizes, with and without quota, faults faster and slower than the memory and
    the driver; at the end the driver has seen every record that was not counted as lost."""
    bench = Bench(width, f"fault_queue/{width}")
    rng = bench.rng

    async def run(ctx):
        for turn in range(15):
            bench.rates |= {"fault": rng.choice([.02, .3, 1]), "aw": rng.choice([.2, 1]),
                            "w": rng.choice([.2, 1]), "b": [.05, .3, 1][turn % 3],
                            "read": rng.choice([.01, .2]), "error": rng.choice([0, .05])}
            bench.turn(ctx, 1, log2=[1, 2, 3, 5, 9][turn % 5], quota=[0, 3, 0, 1][turn % 4],
                       base=rng.getrandbits(40 - turn))
            for _ in range(600):
                await bench.cycle(ctx)
            await bench.drain(ctx)
            while bench.head != bench.tail:
                bench._read()
            assert not bench.accepted
            assert bench.lost == bench.counted
            bench.turn(ctx, 0)
            for _ in range(40):                # all that come are silent
                await bench.cycle(ctx)
            await bench.drain(ctx)
    simulate(bench.dut, run, cycles=100_000)
    # one or two situations may be missing under another seed
    assert sum(map(bool, bench.seen.values())) >= len(bench.seen) - 2, bench.seen


def test_indexes_of_a_large_ring():
    """Records go beyond the first page of the ring, up to its end and round."""
    bench = Bench(64, "fault_queue/large", device_ports=1, cpu_port=False)
    bench.rates |= {"fault": 1, "aw": 1, "w": 1, "b": 1, "error": 0, "read": .3, "quiet": 0}

    async def run(ctx):
        bench.turn(ctx, 1, log2=9, base=0xFF_FFFF_FFF0)
        while not bench.seen["wraps"]:
            await bench.cycle(ctx)
        ctx.set(bench.dut.b.valid, 0)       # the clock goes on for a while
    simulate(bench.dut, run, cycles=20_000)
