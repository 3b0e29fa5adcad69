"""The command queue by itself: what it does for every command, in which order, and when it stops.

The bench plays ring, memory, caches and ports; ``done`` lists what the queue did.
"""

import pytest

from siommu.arch.config import Config
from siommu.arch.formats import CommandAddress, CommandWord0, FenceWord0, Opcode
from siommu.arch.packing import pack
from siommu.bus.share import FENCES_ID, READ_ID
from siommu.control.commands import CommandQueue
from siommu.pipeline.timetable import DRAIN

from .bench import QueueBench

SELECTORS = ("by_device", "by_pasid", "by_ft", "by_addr")
BASE = 0xFF_1234_5678


class Commands(QueueBench):
    """A queue in its environment, which takes some time for everything."""

    def __init__(self, seed, width=64, log2=3, base=BASE):
        config = Config(axi_data_width=width)
        super().__init__(CommandQueue(config), config, f"commands/{seed}",
                         ("illegal", "error", "fence"))
        self.log2, self.base = log2, base
        self.ring = {}              # slot -> words
        self.tail = 0
        self.done = []
        self.status = 0
        self.slow = .5              # of every handshake: it waits another cycle
        self.outdated = self.marked = 0     # cycles that they last
        self.fetches = 0
        self.ring_moves = False     # with a fetch from the old one on its way
        # the answer to a fetch: (beats, resp) and to a store
        self.fetch = lambda: (2, 0)
        self.store = lambda: 0
        self._answers = []
        self._invalidates, self._marks, self._prefetches = None, 0, False

    async def start(self):
        self.tail = 0
        self.set(log2=self.log2, base=self.base, enable=1, tail=0)
        await self.cycles(2)
        assert self.get("head") == 0

    def add(self, *commands):
        for words in commands:
            self.ring[self.tail] = words
            self.tail = (self.tail + 1) % (1 << self.log2)
        self.set(tail=self.tail)

    async def empty(self, limit=3000):
        """Until every command is done, or the queue has stopped."""
        for _ in range(limit):
            await self.cycle()
            if (not self.get("busy") and self.get("head") == self.tail) or self.status & 3:
                break
        else:
            raise AssertionError("the queue hangs")
        await self.cycles(8)

    def _now(self):
        return self.rng.random() >= self.slow

    def inputs(self):
        self.writes.rates = dict.fromkeys(("aw", "w", "b"), 1 - self.slow)
        self._fetches()
        self._caches()
        self._core()
        self.set(stopped=bool(self.status & 3))

    def outputs(self):
        for bit, name in enumerate(self.pulses):
            if self.pulses[name]:
                self.done.append((name,))
                self.status |= 1 << bit
        for name in ("invalidations", "fences", "prefetches"):
            if self.ctx.get(self.dut.completed[name]):
                self.done.append((name,))

    def took(self, address, content):
        """A burst is the store of one fence."""
        assert (address.id, address.len, address.size) == (FENCES_ID, 0, 2)
        assert not self.writes.pending, "the one before is answered"
        self.done.append(("store", address.addr, int.from_bytes(content, "little")))
        return self.store()

    def _fetches(self):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.r.valid, 0)
        if self._answers and self._now():
            ctx.set(dut.r.valid, 1)
            ctx.set(dut.r.payload, self._answers.pop(0))
        ctx.set(dut.ar.ready, self._now())
        if ctx.get(dut.ar.valid) and ctx.get(dut.ar.ready):
            payload = ctx.get(dut.ar.payload)
            assert (payload.id, payload.len, payload.size, payload.burst.value) == (
                READ_ID(self.config), 1, 3, 1)
            assert payload.addr % 16 == 0
            slot = (payload.addr - (self.base << 12)) // 16
            if self.ring_moves:
                slot = payload.addr // 16 % (1 << self.log2)
            else:
                assert slot == self.get("head"), "the command at the head"
            self.fetches += 1
            words = self.ring[slot]
            beats, resp = self.fetch()
            where = self.rng.randrange(beats)
            for beat in range(beats):
                lane = (payload.addr + 8 * beat) % self.config.axi_bytes
                garbage = self.rng.getrandbits(self.config.axi_data_width)
                garbage &= ~(0xFFFF_FFFF_FFFF_FFFF << 8 * lane)
                self._answers.append({
                    "data": garbage | words[beat % 2] << 8 * lane, "last": beat == beats - 1,
                    "id": READ_ID(self.config), "resp": resp if beat == where else 0})

    def _caches(self):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.invalidation.done, 0)
        if self._invalidates is not None:
            assert not ctx.get(dut.invalidation.start)
            assert ctx.get(dut.invalidation.request.as_value()) == self._invalidates
            if self.rng.random() < .2:
                ctx.set(dut.invalidation.done, 1)
                self._invalidates = None
        elif ctx.get(dut.invalidation.start):
            asked = ctx.get(dut.invalidation.request)
            fields = {name: asked[name] for name in (
                "context", *SELECTORS, "ft", "device", "pasid", "page", "n")}
            self.done.append(("invalidate", fields))
            self._invalidates = ctx.get(dut.invalidation.request.as_value())
        ctx.set(dut.invalidation.outdated, self.outdated > 0)
        self.outdated -= self.outdated > 0
        if ctx.get(dut.mark.set):
            self.done.append(("mark",))
            assert not self.outdated
            self._marks = self.marked
        ctx.set(dut.mark.remains, self._marks > 0)
        if self._marks:
            assert not ctx.get(dut.aw.valid), "old beats are still here"
            self._marks -= 1

    def _core(self):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.prefetched, 0)
        if self._prefetches and self.rng.random() < .2:
            ctx.set(dut.prefetched, 1)
            self._prefetches = False
        ctx.set(dut.prefetch.ready, self._now())
        if ctx.get(dut.prefetch.valid) and ctx.get(dut.prefetch.ready):
            assert not self._prefetches, "one at a time"
            asked = ctx.get(dut.prefetch.payload)
            self.done.append(("prefetch", asked.page, asked.n, asked.ft, asked.device,
                              asked.pasid))
            self._prefetches = True


def command(opcode, page=0, offset=0, **fields):
    return (pack(CommandWord0, **fields) | getattr(opcode, "value", opcode),
            pack(CommandAddress, page=page, offset=offset))


def fence(address=0, **fields):
    return pack(FenceWord0, opcode=Opcode.FENCE, **fields), address


def operands(rng):
    return {**{name: rng.getrandbits(1) for name in (*SELECTORS, "ft")},
            "device": rng.getrandbits(16), "pasid": rng.getrandbits(20)}


def invalidated(context, page, n, fields):
    return ("invalidate", {"context": context, "page": page, "n": n, **fields})


@pytest.mark.parametrize("width", [64, 128, 256, 512])
def test_every_command(width):
    """Each legal command, with random operands and bits that mean nothing, does what it says, once,
    and the head moves on; round the ring."""
    bench = Commands(f"every/{width}", width)
    rng = bench.rng

    async def run():
        await bench.start()
        for _ in range(120):
            fields, n, page = operands(rng), rng.randrange(9), rng.getrandbits(52)
            noise = rng.choice([0, 0xFC00_0000_0000_E000])
            kind = rng.choice(list(Opcode))
            bench.done.clear()
            bench.status = 0
            if kind is Opcode.INVAL_TLB:
                n = rng.choice([0, 3, 9, 18, 51, 52, 63])
                if fields["by_addr"]:
                    page = page >> n << n
                words = command(kind, page, n=n, **fields)
                expected = [invalidated(0, page, n, fields), ("invalidations",)]
            elif kind is Opcode.INVAL_CONTEXT:
                words = command(kind, page, rng.getrandbits(12), n=n, **fields)
                fields |= {"by_ft": 0, "by_addr": 0}
                expected = [invalidated(1, page, n, fields), ("invalidations",)]
            elif kind is Opcode.FENCE:
                stores, signals = rng.getrandbits(1), rng.getrandbits(1)
                address = rng.getrandbits(62) << 2 if stores else rng.getrandbits(64)
                number = rng.getrandbits(32)
                noise = rng.choice([0, 0xFFFF_FC00])
                words = fence(address, store=stores, signal=signals, data=number)
                expected = [("mark",), *[("store", address, number)] * stores,
                            *[("fence",)] * signals, ("fences",)]
            else:
                page = page >> n << n
                words = command(kind, page, n=n, **fields)
                expected = [("prefetch", page, n, fields["ft"], fields["device"],
                             fields["pasid"]), ("prefetches",)]
            bench.add((words[0] | noise, words[1]))
            await bench.empty()
            assert bench.done == expected, (kind, words)
            assert bench.get("head") == bench.tail
        assert bench.fetches == 120
    bench.run(run, cycles=100_000)


def test_illegal():
    """Opcodes that are none, and misaligned addresses, stop the queue at the command; it is fetched
    again when the bit is cleared, and not before."""
    bench = Commands("illegal")
    bench.slow = .1
    good = fence()
    bad = [command(opcode) for opcode in (0, 5, 6, 7, 8, 16, 128, 255, 0x81, 0x41, 0x21, 0x11)]
    bad += [command(Opcode.INVAL_TLB, by_addr=1, offset=1 << bit) for bit in range(12)]
    bad += [command(Opcode.INVAL_TLB, 1 << n - 1, by_addr=1, n=n) for n in (1, 2, 9, 33, 52)]
    bad += [command(Opcode.INVAL_TLB, 1, by_addr=1, n=n) for n in (1, 52, 53, 63)]
    bad += [command(Opcode.PREFETCH, n=n) for n in (9, 10, 16, 32, 63)]
    bad += [command(Opcode.PREFETCH, offset=1 << bit) for bit in range(12)]
    bad += [command(Opcode.PREFETCH, 1 << n - 1, n=n) for n in range(1, 9)]
    bad += [fence(address, store=1) for address in (1, 2, 3)]

    async def run():
        await bench.start()
        for words in bad:
            slot = bench.tail
            bench.add(words)
            await bench.empty()
            assert bench.done == [("illegal",)], [hex(word) for word in words]
            fetches = bench.fetches
            await bench.cycles(30)
            assert (bench.fetches, bench.get("head")) == (fetches, slot)
            bench.status = 0
            await bench.empty()
            assert bench.done == [("illegal",)] * 2, "it is looked at again"
            bench.ring[slot] = good
            bench.status = 0
            await bench.empty()
            assert bench.done == [("illegal",)] * 2 + [("mark",), ("fences",)]
            bench.done.clear()
    bench.run(run, cycles=100_000)


@pytest.mark.parametrize("width", [64, 512])
def test_errors_of_the_bus(width):
    """A failed fetch, on either beat, one of another length, and a failed store: CQ_ERROR, and the
    command is fetched again when that is cleared."""
    bench = Commands(f"errors/{width}", width)
    rng = bench.rng

    async def run():
        await bench.start()
        for number in range(40):
            fails = rng.choice([(2, 2), (2, 3), (1, 0), (3, 0), (4, 0), (5, 0), (3, 2)])
            in_store = rng.random() < .3
            answers = [fails, (2, rng.choice([0, 1]))]
            bench.fetch = (lambda: (2, 0)) if in_store else lambda: answers.pop(0)
            verdicts = [1, 0]
            bench.store = (lambda: verdicts.pop(0)) if in_store else lambda: 0
            slot = bench.tail
            bench.add(fence(8 * number, store=1, signal=1, data=number))
            await bench.empty()
            failed = [("mark",), ("store", 8 * number, number)] * in_store
            assert bench.done == [*failed, ("error",)], fails
            assert bench.get("head") == slot and bench.status == 2
            bench.done.clear()
            bench.status = 0
            await bench.empty()
            assert bench.done == [("mark",), ("store", 8 * number, number), ("fence",),
                                  ("fences",)]
            bench.done.clear()
            bench.status = 0
    bench.run(run, cycles=100_000)


def test_a_fence_waits():
    """For walks that are outdated, then for what they answer to stand in the queues, then for
    those beats to leave; only then the store."""
    bench = Commands("fence")
    bench.slow = 0

    async def run():
        await bench.start()
        for outdated in (0, 50):
            for marked in (0, 70):
                bench.outdated, bench.marked = outdated + 20 * bool(outdated), marked
                began = cycles = 0
                bench.done.clear()
                bench.add(fence(0x1000, store=1, data=5))
                when = {}
                while ("fences",) not in bench.done:
                    await bench.cycle()
                    cycles += 1
                    for event in bench.done:
                        when.setdefault(event[0], cycles)
                    assert cycles < 500
                assert when["mark"] - began >= outdated + DRAIN - 2
                assert when["store"] - when["mark"] >= marked
                await bench.cycles(5)
    bench.run(run, cycles=10_000)


@pytest.mark.parametrize("log2", [1, 2, 8, 9, 10])
def test_indexes(log2):
    """Commands are fetched from every slot of the ring, in order, and the head goes round."""
    bench = Commands(f"indexes/{log2}", log2=log2)
    bench.slow = 0

    async def run():
        await bench.start()
        total = 0
        while total < (1 << log2) + 3:
            count = min((1 << log2) - 1, 20)
            bench.add(*[command(Opcode.INVAL_TLB, page=total + number)
                        for number in range(count)])
            await bench.empty()
            pages = [event[1]["page"] for event in bench.done if event[0] == "invalidate"]
            assert pages == list(range(total, total + count))
            bench.done.clear()
            total += count
            assert bench.get("head") == total % (1 << log2)
    bench.run(run, cycles=200_000)


def test_turned_off_under_way():
    """Whenever the queue is turned off, what is under way is finished and counts for nothing: no
    status bit, and the head of the queue that is turned on again, at once or later, is 0."""
    bench = Commands("off")
    bench.ring_moves, rng = True, bench.rng
    commands = [fence(0x40, store=1, signal=1), command(Opcode.INVAL_TLB), command(77),
                command(Opcode.PREFETCH, n=2), command(Opcode.INVAL_CONTEXT)] * 2
    commands.remove(command(77))

    async def run():
        bench.set(log2=bench.log2)
        for _ in range(150):
            bench.tail = bench.status = 0
            bench.base = rng.getrandbits(39)
            bench.set(base=bench.base, tail=0, enable=1)
            await bench.cycles(2)
            assert bench.get("head") == 0
            for _ in range(rng.choice([0, 200])):       # the old one may still be under way
                await bench.cycle()
                assert not bench.status and bench.get("head") == 0
            bench.fetch = lambda: (2, 2 * (rng.random() < .1))
            bench.store = lambda: rng.getrandbits(1)
            bench.add(*[rng.choice(commands) for _ in range(3)])
            await bench.cycles(rng.randrange(90))
            bench.set(enable=0)
            await bench.cycles(2)
            head = bench.get("head")
            bench.status = 0
            wait = rng.choice([0, 1, 5, 200])
            for _ in range(wait):
                await bench.cycle()
                assert bench.get("head") == head
            if wait == 200:
                assert not bench.get("busy")
            assert not bench.status
        bench.fetch, bench.store = lambda: (2, 0), lambda: 0
        await bench.cycles(300)
        bench.status = 0
        await bench.start()
        bench.done.clear()
        bench.add(fence(0x80, store=1, data=3))
        await bench.empty()
        assert bench.done == [("mark",), ("store", 0x80, 3), ("fences",)]
    bench.run(run, cycles=100_000)
