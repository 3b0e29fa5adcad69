from sim.host.control import COUNTERS, FaultRecord
from sim.host.kernel.faults import FaultEntry
from sim.host.top import Interval, Top, fault_log, watch
from sim.time.scheduler import Scheduler
from siommu.arch.formats import Cause, Disposition


def snapshot(**values):
    return {**dict.fromkeys(COUNTERS, 0), **values}


def test_rendering():
    top = Top()
    top.begin(snapshot(cycles=1000, requests=5, stall_cycles=7))
    top.end("reading", snapshot(cycles=21_000, requests=405, pages=1600, l1_hits=300, l2_hits=40,
                                misses=60, miss_cycles=2430, walks=80, table_reads=123, faults=2,
                                faults_lost=1, invalidations=4, fences=3, prefetches=9,
                                stall_cycles=107))
    top.end("idle", snapshot(cycles=21_000, requests=405, pages=1600, l1_hits=300, l2_hits=40,
                             misses=60, miss_cycles=2430, walks=80, table_reads=123, faults=2,
                             faults_lost=1, invalidations=4, fences=3, prefetches=9,
                             stall_cycles=107))
    assert [line.split() for line in top.lines()[2:]] == [
        ["reading", "20000", "400", "20.0", "1600", "75.0", "10.0", "60", "40.5", "80", "123", "2",
         "1", "4", "3", "9", "0.5"],
        ["idle", "0", "0", "-", "0", "-", "-", "0", "-", "0", "0", "0", "0", "0", "0", "0", "-"]]
    assert top.head()[0].split("  ")[0] == "interval"
    assert len({len(line) for line in top.lines()}) == 1        # all columns are aligned


def test_a_counter_may_wrap():
    before, after = snapshot(pages=(1 << 64) - 2), snapshot(pages=5)
    assert Interval.between("", before, after).counts["pages"] == 7


def test_watch():
    scheduler, lines = Scheduler(), []

    async def counters():
        return snapshot(cycles=scheduler.now, requests=scheduler.now // 10)

    async def work():
        scheduler.start(watch(scheduler, counters, 100, lines.append))
        await scheduler.delay(2550)
    scheduler.run(work())
    heads = [index for index, line in enumerate(lines) if line.startswith("interval")]
    assert heads == [0, 22] and len(lines) == 25 + 4
    assert lines[2].split()[:4] == ["100", "100", "10", "100.0"]


def test_fault_log():
    record = FaultRecord(Cause.NOT_PRESENT, Disposition.OS, 0, 1, 1, 0x100, 7, 3, 2, 0x1234,
                         0x5008, 99)
    nowhere = FaultRecord(Cause.NON_CANONICAL, Disposition.DENY, 1, 0, 0, 0x100, 8, 3, 0, 1 << 60,
                          0, 100)
    rows = fault_log([FaultEntry(record, "alice", "left to the kernel"),
                      FaultEntry(nowhere, "-", "refused")])
    assert rows == [
        (99, 2, "0100", 7, "alice", "read", "blocks", "0x1234", "NOT_PRESENT", "OS", "1", "0x5008",
         "left to the kernel"),
        (100, 0, "0100", 8, "-", "write", "memory", "0x1000000000000000", "NON_CANONICAL", "DENY",
         "-", "-", "refused")]
    assert len(rows[0]) == len(fault_log.head)
