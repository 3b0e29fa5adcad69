"""The fault queue in situations: which faults are recorded, where, and what becomes of others."""

import pytest

from siommu.arch.formats import FaultWord0
from siommu.arch.packing import unpack

from .bench import FaultBench

BASE, LOG2, RING = 0xABCDE, 2, 4


def at(each, index):
    """The words at ``index`` of the ring."""
    return each.record(BASE, index % RING)


def check(each, index, fault):
    """The record at ``index`` is that of ``fault``; returns its stamp."""
    words = at(each, index)
    assert words[:3] == each.words(fault, 0)[:3]
    return words[3]


def run(situation, seed="situation", **config):
    each = FaultBench(seed, **config)

    async def bench():
        each.set(base=BASE, log2=LOG2)
        await situation(each)
        assert each.recorded == each.faults, "each port is told once for each of its faults"
    each.run(bench, cycles=60_000)


async def turn_on(each, cycles=3, **registers):
    each.set(enable=1, **registers)
    await each.cycles(cycles)


@pytest.mark.parametrize("width", [64, 512])
def test_records(width):
    """Every fault's record, in order, at its place; FQ_TAIL follows the responses; the stamp is the
    counter's at the decision."""
    async def situation(each):
        await turn_on(each)
        done = 0
        for turn in range(25):
            faults = [each.fault() for _ in range(each.rng.randint(1, RING - 1))]
            before = each.rng.getrandbits(63) + (turn << 58) % (1 << 63)
            each.ctx.set(each.dut.cycles, before)
            await each.tell(*faults)
            await each.cycles(150)
            for fault in faults:
                assert check(each, done, fault) == before
                done += 1
            assert each.get("tail") == done % RING
            assert each.counts.record == done == each.written
            each.write_head(done % RING)
            await each.cycle()
        assert (each.lost, each.counts.overflow, each.counts.error, each.counts.limited) == (
            0, 0, 0, 0)
    run(situation, f"records/{width}", width=width)


def test_full_ring():
    """A ring is full at one slot less than its size; what comes then is lost, counted, and the
    bit is set once for each; what comes when there is room again is recorded."""
    async def situation(each):
        await turn_on(each)
        for turn in range(4):
            faults = [each.fault() for _ in range(RING + 2)]
            await each.tell(*faults)
            await each.cycles(250)
            for index, fault in enumerate(faults[:RING - 1]):
                check(each, (RING - 1) * turn + index, fault)
            assert each.lost == each.counts.overflow == 3 * (turn + 1)
            assert each.counts.record == (RING - 1) * (turn + 1)
            each.write_head((RING - 1) * (turn + 1) % RING)
            await each.cycle()
    run(situation)


def test_quota():
    """So many records of each port between two writes of FQ_HEAD; the others' are not affected; a
    write of FQ_HEAD begins anew, and so does a quota of 0."""
    async def situation(each):
        await turn_on(each, quota=1)
        records = 0
        for turn in range(6):
            faults = [each.fault(port=port) for port in (0, 0, 1, 0, 1)]
            await each.tell(*faults)
            await each.cycles(200)
            check(each, records, faults[0])
            check(each, records + 1, faults[2])
            records += 2
            assert each.counts.limited == each.lost == 3 * (turn + 1)
            assert each.counts.record == records and not each.counts.overflow
            each.write_head(records % RING)
            await each.cycle()
        each.set(quota=0)
        await each.tell(*[each.fault(port=2) for _ in range(3)])
        await each.cycles(200)
        assert each.counts.record == records + 3
    run(situation)


def test_turning_on_gives_quotas_anew():
    """Whoever takes the queue over sees the first fault of every port, even if the queue was off
    for one cycle only, and records of before are on their way."""
    async def situation(each):
        each.set(quota=2)
        for pause in (1, 2, 30):
            await turn_on(each, 30)
            faults = [each.fault(port=port) for port in (0, 0, 0, 1, 1, 2)]
            records, limits = each.counts.record, each.counts.limited
            await each.tell(*faults)
            await each.cycles(200)
            assert each.counts.limited == limits + 1
            assert each.counts.record == records + 3        # full at three
            each.set(head=0, enable=0)
            await each.cycles(pause)
    run(situation)


def test_quiet_and_disabled():
    """Neither leaves a record nor counts as lost, and the port is told all the same."""
    async def situation(each):
        await each.tell(*[each.fault() for _ in range(5)])
        await each.cycles(80)
        await turn_on(each)
        await each.tell(*[each.fault(quiet=1) for _ in range(5)])
        await each.cycles(80)
        assert not each.written and not each.lost
        await each.cycle(fault := each.fault())
        await each.cycles(80)
        check(each, 0, fault)
        assert each.counts.record == 1
        each.set(enable=0)
        await each.cycle(each.fault())
        await each.cycles(80)
        assert each.counts.record == 1 and each.get("tail") == 1
        await turn_on(each, 1)
        assert each.get("tail") == 0, "turning it on clears it"
        each.set(head=0)
        await each.cycles(10)
        await each.cycle(fault := each.fault())
        await each.cycles(80)
        check(each, 0, fault)
    run(situation)


@pytest.mark.parametrize("off", [1, 2, 5, 60])
def test_turned_off_with_records_on_the_way(off):
    """Off for ``off`` cycles while two writes are under way, and on again with another ring: the
    indexes begin at 0, no answer of before moves them, and what comes is in the new ring."""
    async def situation(each):
        for turn in range(3):
            each.writes.answering = False
            await turn_on(each, 5, base=BASE + 1, head=0)
            await each.tell(each.fault(), each.fault())
            await each.cycles(60)
            assert len(each.writes.pending) == 2
            each.set(enable=0)
            each.writes.answering = turn == 1      # now, or when it is on again
            await each.cycles(off)
            await turn_on(each, 1, base=BASE)
            before = each.counts.record
            assert each.get("tail") == 0
            each.writes.answering = True
            await each.cycle(fault := each.fault())
            await each.cycles(120)
            assert each.get("tail") == 1 and each.counts.record == before + 1
            check(each, 0, fault)
            each.set(enable=0)
            await each.cycles(60)
        assert not each.lost
    run(situation)


@pytest.mark.parametrize("failing", range(3))
def test_write_error(failing):
    """A write error with several records on the way: what was written before counts, what came
    after is lost, until software has seen it; then the ring goes on where FQ_TAIL stands."""
    async def situation(each):
        each.writes.answering = False
        await turn_on(each)
        each.failed = lambda: each.written == failing + 1
        await each.tell(*[each.fault() for _ in range(3)])
        await each.cycles(150)
        assert each.written == 3
        each.writes.answering = True
        for _ in range(100):
            await each.cycle()
            if each.counts.error:
                each.set(failed=1)
        assert each.counts.error == 1 and each.counts.record == failing
        assert each.get("tail") == failing
        assert each.lost == 3 - failing
        await each.tell(*[each.fault() for _ in range(4)])
        await each.cycles(100)
        assert each.lost == 7 - failing and not each.counts.overflow
        each.set(failed=0)
        await each.cycles(10)
        await each.cycle(fault := each.fault())
        await each.cycles(100)
        if failing < 3:
            check(each, failing, fault)
        assert each.get("tail") == failing + 1 and each.counts.record == failing + 1
        assert each.counts.error == 1
    run(situation, seed=f"error/{failing}")


def test_random():
    """Faults, heads, quotas, errors and slow memory at random: every fault is recorded, lost, quiet
    or came while off, exactly one of them, and each port's records are in its order."""
    async def situation(each):
        rng = each.rng
        each.failed = lambda: rng.random() < .05
        await turn_on(each, 4)
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
                tail = each.get("tail")
                while head != tail:
                    word, addr = at(each, head)[:2]
                    seen[unpack(FaultWord0, word)["port"]].append(addr)
                    head = (head + 1) % RING
                each.write_head(head)
            if rng.random() < .01:
                each.set(quota=rng.choice((0, 0, 1, 2)))
            each.writes.answering = rng.random() < .9
            errors = each.counts.error
            await each.cycle(fault)
            failed = failed or each.counts.error > errors
            each.set(failed=failed)
            if failed:
                waiting += 1
                if waiting > 30 and rng.random() < .1:
                    failed, waiting = 0, 0
        each.writes.answering = True
        each.set(quota=0)
        await each.cycles(600)
        assert each.counts.record + each.lost + quiet == sum(each.faults)
        assert each.counts.error > 3 and each.counts.limited > 10
        assert each.counts.overflow > 3 and each.counts.record > 100
        for mine, all_ in zip(seen, sent):
            rest = iter(all_)
            assert all(addr in rest for addr in mine), "in order"
    run(situation)
