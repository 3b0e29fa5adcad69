"""The fault queue against a model: which faults are recorded, where, and what becomes of others."""

from collections import deque

import pytest

from siommu.arch.config import Config
from siommu.arch.formats import FaultWord0
from siommu.arch.packing import unpack
from siommu.control.fault_queue import FaultQueue

from ...support.simulate import seeded, simulate

BASE, LOG2, RING = 0xABCDE, 2, 4
FIELDS = {"cause": 4, "disposition": 2, "write": 1, "ft": 1, "level": 3, "device": 16, "pasid": 20,
          "tag": 8}


class Bench:
    """Faults in, a memory with random stalls, and a model that follows the decisions."""

    def __init__(self, ctx, dut, config, rng):
        self.ctx, self.dut, self.config, self.rng = ctx, dut, config, rng
        self.memory = {}                    # by byte address: the record's words
        self.told, self.recorded = deque(), [0] * config.ports
        self.faults = [0] * config.ports
        self.lost = self.overflows = self.errors = self.records = self.limits = 0
        self.written, self.answers = [], deque()        # addresses; errors to be answered
        self.fails = lambda: False
        self.answering = True
        self._burst, self._beats, self._aw = [], 0, None
        ctx.set(dut.registers.base, BASE)
        ctx.set(dut.registers.log2, LOG2)

    def fault(self, port=None, quiet=0, **fields):
        rng = self.rng
        content = {name: rng.getrandbits(width) for name, width in FIELDS.items()}
        content |= {"addr": rng.getrandbits(64), "entry": rng.getrandbits(53), "quiet": quiet,
                    "port": rng.randrange(self.config.ports) if port is None else port, **fields}
        return content

    async def tick(self, fault=None):
        """One cycle, in which ``fault`` comes."""
        ctx, dut, rng = self.ctx, self.dut, self.rng
        ctx.set(dut.fault.valid, fault is not None)
        if fault is not None:
            ctx.set(dut.fault.payload, fault)
            self.told.append(fault)
            self.faults[fault["port"]] += 1
        ctx.set(dut.aw.ready, self._aw is None and rng.random() < .6)
        ctx.set(dut.w.ready, rng.random() < .6)
        if ctx.get(dut.aw.valid) and ctx.get(dut.aw.ready):
            self._aw = ctx.get(dut.aw.payload)
        if ctx.get(dut.w.valid) and ctx.get(dut.w.ready):
            self._burst.append(ctx.get(dut.w.payload))
        if self._aw is not None and len(self._burst) == self._aw.len + 1:
            self._store()
        answers = self.answering and self.answers and rng.random() < .3
        ctx.set(dut.b.valid, bool(answers))
        if answers:
            ctx.set(dut.b.payload, self.answers.popleft())
        await ctx.tick()
        registers = dut.registers
        for name, pulse in (("overflows", registers.overflow), ("errors", registers.error),
                            ("records", registers.record), ("limits", registers.limited),
                            ("lost", dut.lost)):
            setattr(self, name, getattr(self, name) + ctx.get(pulse))
        settled = ctx.get(dut.recorded)
        for port in range(self.config.ports):
            self.recorded[port] += settled >> port & 1
        assert bin(settled).count("1") <= 1
        ctx.set(dut.registers.head_written, 0)

    def _store(self):
        size = 1 << self._aw.size
        assert (self._aw.len + 1) * size == 32, "a burst is a record"
        assert self._aw.addr % 32 == 0
        assert [beat.last for beat in self._burst] == [0] * self._aw.len + [1]
        content, width = b"", self.config.axi_data_width // 8
        for beat in self._burst:
            lane = (self._aw.addr + len(content)) % width
            assert beat.strb == ((1 << size) - 1) << lane, "the record's bytes alone"
            content += beat.data.to_bytes(width, "little")[lane:lane + size]
        failed = self.fails()
        self.answers.append(failed)
        self.written.append(self._aw.addr)
        if not failed:
            self.memory[self._aw.addr] = [int.from_bytes(content[at:at + 8], "little")
                                          for at in range(0, 32, 8)]
        self._burst, self._aw = [], None

    async def rest(self, cycles=120):
        for _ in range(cycles):
            await self.tick()

    def head(self, value):
        self.ctx.set(self.dut.registers.head, value % RING)
        self.ctx.set(self.dut.registers.head_written, 1)

    def at(self, index):
        return self.memory[(BASE << 12) + 32 * (index % RING)]

    def check(self, index, fault):
        """The record in the ring at ``index`` is that of ``fault``."""
        words = self.at(index)
        assert {name: value for name, value in unpack(FaultWord0, words[0]).items() if value} == {
            name: fault[name] for name in (*FIELDS, "port") if fault[name]}
        assert words[1:3] == [fault["addr"], fault["entry"]]
        return words[3]


def run(check, config=Config(axi_data_width=64), seed="fault_queue"):
    dut, rng = FaultQueue(config), seeded(seed)

    async def bench(ctx):
        each = Bench(ctx, dut, config, rng)
        await check(ctx, dut, each)
        assert each.recorded == each.faults, "each port is told once for each of its faults"
    simulate(dut, bench, cycles=60_000)


@pytest.mark.parametrize("width", [64, 512])
def test_records(width):
    """Every fault's record, in order, at its place; FQ_TAIL follows the responses; the stamp is the
    counter's at the decision."""
    async def check(ctx, dut, each):
        ctx.set(dut.registers.enable, 1)
        await each.rest(3)
        done = 0
        for turn in range(25):
            faults = [each.fault() for _ in range(each.rng.randint(1, RING - 1))]
            ctx.set(dut.cycles, before := each.rng.getrandbits(63) + (turn << 58) % (1 << 63))
            for fault in faults:
                await each.tick(fault)
            await each.rest(150)
            for fault in faults:
                assert each.check(done, fault) == before
                done += 1
            assert ctx.get(dut.registers.tail) == done % RING
            assert each.records == done == len(each.written)
            each.head(done)
            await each.tick()
        assert (each.lost, each.overflows, each.errors, each.limits) == (0, 0, 0, 0)
    run(check, Config(axi_data_width=width), f"fault_queue/{width}")


def test_full_ring():
    """A ring is full at one slot less than its size; what comes then is lost, counted, and the
    bit is set once for each; what comes when there is room again is recorded."""
    async def check(ctx, dut, each):
        ctx.set(dut.registers.enable, 1)
        await each.rest(3)
        for turn in range(4):
            faults = [each.fault() for _ in range(RING + 2)]
            for fault in faults:
                await each.tick(fault)
            await each.rest(250)
            for index, fault in enumerate(faults[:RING - 1]):
                each.check((RING - 1) * turn + index, fault)
            assert each.lost == each.overflows == 3 * (turn + 1)
            assert each.records == (RING - 1) * (turn + 1)
            each.head((RING - 1) * (turn + 1))
            await each.tick()
    run(check)


def test_quota():
    """So many records of each port between two writes of FQ_HEAD; the others' are not affected; a
    write of FQ_HEAD begins anew, and so does a quota of 0."""
    async def check(ctx, dut, each):
        ctx.set(dut.registers.enable, 1)
        ctx.set(dut.registers.quota, 1)
        await each.rest(3)
        records = 0
        for turn in range(6):
            faults = [each.fault(port=port) for port in (0, 0, 1, 0, 1)]
            for fault in faults:
                await each.tick(fault)
            await each.rest(200)
            each.check(records, faults[0])
            each.check(records + 1, faults[2])
            records += 2
            assert each.limits == each.lost == 3 * (turn + 1)
            assert each.records == records and not each.overflows
            each.head(records)
            await each.tick()
        ctx.set(dut.registers.quota, 0)
        for _ in range(3):
            await each.tick(each.fault(port=2))
        await each.rest(200)
        assert each.records == records + 3
    run(check)


def test_turning_on_gives_quotas_anew():
    """Whoever takes the queue over sees the first fault of every port, even if the queue was off
    for one cycle only, and records of before are on their way."""
    async def check(ctx, dut, each):
        ctx.set(dut.registers.quota, 2)
        for pause in (1, 2, 30):
            ctx.set(dut.registers.enable, 1)
            await each.rest(30)
            faults = [each.fault(port=port) for port in (0, 0, 0, 1, 1, 2)]
            records, limits = each.records, each.limits
            for fault in faults:
                await each.tick(fault)
            await each.rest(200)
            assert each.limits == limits + 1 and each.records == records + 3    # full at three
            ctx.set(dut.registers.head, 0)
            ctx.set(dut.registers.enable, 0)
            for _ in range(pause):
                await each.tick()
    run(check)


def test_quiet_and_disabled():
    """Neither leaves a record nor counts as lost, and the port is told all the same."""
    async def check(ctx, dut, each):
        for _ in range(5):
            await each.tick(each.fault())
        await each.rest(80)
        ctx.set(dut.registers.enable, 1)
        await each.rest(3)
        for _ in range(5):
            await each.tick(each.fault(quiet=1))
        await each.rest(80)
        assert not each.written and not each.lost
        await each.tick(fault := each.fault())
        await each.rest(80)
        each.check(0, fault)
        assert each.records == 1
        ctx.set(dut.registers.enable, 0)
        await each.tick(each.fault())
        await each.rest(80)
        assert each.records == 1 and ctx.get(dut.registers.tail) == 1
        ctx.set(dut.registers.enable, 1)
        await each.tick()
        assert ctx.get(dut.registers.tail) == 0, "turning it on clears it"
        ctx.set(dut.registers.head, 0)
        await each.rest(10)
        await each.tick(fault := each.fault())
        await each.rest(80)
        each.check(0, fault)
    run(check)


@pytest.mark.parametrize("off", [1, 2, 5, 60])
def test_turned_off_with_records_on_the_way(off):
    """Off for ``off`` cycles while two writes are under way, and on again with another ring: the
    indexes begin at 0, no answer of before moves them, and what comes is in the new ring."""
    async def check(ctx, dut, each):
        for turn in range(3):
            ctx.set(dut.registers.enable, 1)
            ctx.set(dut.registers.base, BASE + 1)
            ctx.set(dut.registers.head, 0)
            each.answering = False
            await each.rest(5)
            for _ in range(2):
                await each.tick(each.fault())
            await each.rest(60)
            assert len(each.answers) == 2
            ctx.set(dut.registers.enable, 0)
            each.answering = turn == 1      # now, or when it is on again
            await each.rest(off)
            ctx.set(dut.registers.enable, 1)
            ctx.set(dut.registers.base, BASE)
            await each.tick()
            before = each.records
            assert ctx.get(dut.registers.tail) == 0
            each.answering = True
            await each.tick(fault := each.fault())
            await each.rest(120)
            assert ctx.get(dut.registers.tail) == 1 and each.records == before + 1
            each.check(0, fault)
            ctx.set(dut.registers.enable, 0)
            await each.rest(60)
        assert not each.lost
    run(check)


@pytest.mark.parametrize("failing", range(3))
def test_write_error(failing):
    """A write error with several records on the way: what was written before counts, what came
    after is lost, until software has seen it; then the ring goes on where FQ_TAIL stands."""
    async def check(ctx, dut, each):
        ctx.set(dut.registers.enable, 1)
        each.answering = False
        await each.rest(3)
        number = 0

        def fails():
            nonlocal number
            number += 1
            return number == failing + 1
        each.fails = fails
        faults = [each.fault() for _ in range(3)]
        for fault in faults:
            await each.tick(fault)
        await each.rest(150)
        assert len(each.written) == 3
        each.answering = True
        for _ in range(100):
            await each.tick()
            if each.errors:
                ctx.set(dut.registers.failed, 1)
        assert each.errors == 1 and each.records == failing
        assert ctx.get(dut.registers.tail) == failing
        assert each.lost == 3 - failing
        for _ in range(4):
            await each.tick(each.fault())
        await each.rest(100)
        assert each.lost == 7 - failing and not each.overflows
        ctx.set(dut.registers.failed, 0)
        await each.rest(10)
        await each.tick(fault := each.fault())
        await each.rest(100)
        if failing < 3:
            each.check(failing, fault)
        assert ctx.get(dut.registers.tail) == failing + 1 and each.records == failing + 1
        assert each.errors == 1
    run(check, seed=f"fault_queue/error/{failing}")


def test_random():
    """Faults, heads, quotas, errors and slow memory at random: every fault is recorded, lost, quiet
    or came while off, exactly one of them, and each port's records are in its order."""
    async def check(ctx, dut, each):
        rng = each.rng
        each.fails = lambda: rng.random() < .05
        ctx.set(dut.registers.enable, 1)
        await each.rest(4)
        head = quiet = 0
        waiting = failed = 0
        seen, sent = [[] for _ in range(each.config.ports)], [[] for _ in range(each.config.ports)]
        for cycle in range(6000):
            fault = None
            open_ = sum(each.faults) - sum(each.recorded)
            if open_ < each.config.port_depth and rng.random() < .08:
                fault = each.fault(quiet=int(rng.random() < .1))
                quiet += fault["quiet"]
                sent[fault["port"]].append(fault["addr"])
            if rng.random() < .03:
                tail = ctx.get(dut.registers.tail)
                while head != tail:
                    word, addr = each.at(head)[:2]
                    seen[unpack(FaultWord0, word)["port"]].append(addr)
                    head = (head + 1) % RING
                each.head(head)
            if rng.random() < .01:
                ctx.set(dut.registers.quota, rng.choice((0, 0, 1, 2)))
            each.answering = rng.random() < .9
            errors = each.errors
            await each.tick(fault)
            failed = failed or each.errors > errors
            ctx.set(dut.registers.failed, failed)
            if failed:
                waiting += 1
                if waiting > 30 and rng.random() < .1:
                    failed, waiting = 0, 0
        each.answering = True
        ctx.set(dut.registers.quota, 0)
        for _ in range(600):
            await each.tick()
        assert each.records + each.lost + quiet == sum(each.faults)
        assert each.errors > 3 and each.limits > 10 and each.overflows > 3 and each.records > 100
        for mine, all_ in zip(seen, sent):
            rest = iter(all_)
            assert all(addr in rest for addr in mine), "in order"
    run(check)
