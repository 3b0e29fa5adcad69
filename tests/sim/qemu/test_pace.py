"""The guest's time, with a model of QEMU's timer in place of QEMU."""

import pytest

from sim.qemu.pace import GuestTime, Timed, Untimed
from sim.time.scheduler import Scheduler

BAR = 0xFEB0_0000


class Hpet:
    """In place of ``Qtest``: the counter and two timers. ``run`` is the guest's computing."""

    def __init__(self):
        self.count, self.registers, self.due = 0, {}, {}
        self.finished = 0

    def read(self, address):
        assert address == GuestTime.COUNTER
        return self.count

    def write(self, address, value):
        self.registers[address] = value
        if address in (GuestTime.COMPARATOR, GuestTime.GUARD_COMPARATOR):
            self.due[address] = max(value, self.count)

    def send(self, address, data):
        raise AssertionError("the alarm has no interrupts")

    def finish(self):
        self.finished += 1

    def run(self, pace, until):
        """The guest computes until the counter has that value, or the alarm rings."""
        at = self.due.get(GuestTime.COMPARATOR)
        if at is None or at > until:
            self.count = until
            return False
        self.count = at
        del self.due[GuestTime.COMPARATOR]
        # While the alarm rings the guard must be due: QEMU would go on to its next timer.
        assert self.due[GuestTime.GUARD_COMPARATOR] <= self.count
        write(pace)
        return True


class Core:
    """In place of ``LiveCore``: busy for some cycles."""

    def __init__(self):
        self.busy = self.clocked = 0

    def run(self, limit):
        cycles = min(self.busy, limit)
        self.busy -= cycles
        self.clocked += cycles
        return cycles

    def clock(self, cycles):
        self.busy -= min(self.busy, cycles)
        self.clocked += cycles


@pytest.fixture
def parts():
    scheduler, core, hpet, looks = Scheduler(), Core(), Hpet(), []
    pace = GuestTime(scheduler, core, hpet, lambda: looks.append(scheduler.now))
    return scheduler, core, hpet, pace


def place(pace):
    """The firmware gives the alarm its address."""
    pace.alarm.config_write(0x10, BAR, 4)
    pace.alarm.config_write(4, 6, 2)


def write(pace, address=BAR):
    """The guest (or the timer) writes to the alarm."""
    pace.alarm.access(address, 4, 0)
    pace.before_reply(True)


def test_before_the_firmware_time_passes_at_once(parts):
    scheduler, _, hpet, pace = parts
    task = scheduler.start(scheduler.delay(1000))
    assert pace.step() and task.done() and scheduler.now == 1000
    pace.before_reply(True)
    assert not hpet.registers


def test_what_a_write_begins_happens_in_the_guests_time(parts):
    scheduler, core, hpet, pace = parts
    place(pace)
    hpet.count = 5000
    times = []

    async def command():
        times.append(scheduler.now)
        await scheduler.delay(801)
        times.append(scheduler.now)
    scheduler.start(command())
    assert not pace.step() and not times            # not between accesses
    pace.before_reply(False)
    assert not hpet.due                             # a read begins nothing
    pace.before_reply(True)
    assert hpet.registers[GuestTime.ROUTE] == BAR << 32
    assert hpet.run(pace, 6000) and hpet.count == 5000
    assert times == [10_000]                        # a count is two cycles
    assert not hpet.run(pace, 5400) and times == [10_000]
    assert hpet.run(pace, 6000) and hpet.count == 5401
    assert times == [10_000, 10_801]
    assert not hpet.run(pace, 1 << 40)              # nothing else is due


def test_the_cores_cycles_delay_what_comes_next(parts):
    scheduler, core, hpet, pace = parts
    place(pace)
    core.busy = 300

    async def command():
        await scheduler.delay(100)
        core.busy += 40
        await scheduler.delay(500)
    scheduler.start(command())
    pace.before_reply(True)
    assert hpet.run(pace, 0) and core.clocked == 340
    assert hpet.run(pace, 10_000) and hpet.count == 300


def test_an_alarm_that_is_set_stays_unless_another_is_earlier(parts):
    scheduler, _, hpet, pace = parts
    place(pace)
    scheduler.start(scheduler.delay(4000))
    pace.before_reply(True)
    hpet.run(pace, 0)
    assert hpet.due[GuestTime.COMPARATOR] == 2000
    hpet.run(pace, 100)
    scheduler.start(scheduler.delay(200))
    pace.before_reply(True)
    assert hpet.run(pace, 100)
    assert hpet.due[GuestTime.COMPARATOR] == 200
    assert hpet.run(pace, 5000) and hpet.count == 200
    assert hpet.run(pace, 5000) and hpet.count == 2000


def test_every_answer_waits_for_what_was_sent(parts):
    _, _, hpet, pace = parts
    for write in (False, True):
        before = hpet.finished
        pace.before_reply(write)
        assert hpet.finished > before


@pytest.mark.parametrize("kind, cycles", [(Untimed, 30), (Timed, 256)])
def test_the_other_paces(kind, cycles):
    scheduler, core = Scheduler(), Core()
    pace, task = kind(scheduler, core), scheduler.start(scheduler.delay(1000))
    core.busy = 30
    assert pace.step() and core.clocked == cycles
    while not task.done():
        assert pace.step()
    assert scheduler.now >= 1000 and (core.clocked >= 1000) == (kind is Timed)
