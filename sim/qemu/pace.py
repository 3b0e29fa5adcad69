"""What time is for the SSD and the core: none, the core's clock, or the guest's.

A pace moves the scheduler and the core. ``step`` does so between messages of QEMU, and says whether
it wants to go on at once; ``before_reply`` does so while the guest waits for its access to end.
"""

from .function import Function

__all__ = ["GuestTime", "Timed", "Untimed"]

CHUNK = 256                             #: cycles between two looks at the sockets
#: Of the HPET: it counts; a timer interrupts, by a message.
RUN, INTERRUPT, MESSAGE = 1 << 0, 1 << 2, 1 << 14
TICK_CYCLES = 2                         #: its 10 ns, in cycles of a core at 200 MHz


class Untimed:
    """The core is clocked only while something is under way in it, and the SSD's delays pass at
    once when it is idle: the fastest run.

    Parameters
    ----------
    scheduler : Scheduler
    core : LiveCore
    """

    def __init__(self, scheduler, core):
        self._scheduler = scheduler
        self._core = core

    def step(self):
        """Runs tasks and clock for a moment; returns whether more is to be done."""
        scheduler = self._scheduler
        scheduler.run_ready()
        due = scheduler.next_due
        cycles = self._clock(due)
        if cycles:
            scheduler.advance(scheduler.now + cycles)
        elif due is not None:
            scheduler.advance(due)
        scheduler.run_ready()
        return bool(cycles) or due is not None

    def _clock(self, due):
        """Clocks the core; returns the cycles."""
        return self._core.run(CHUNK)

    def before_reply(self, write):
        """An access of the guest, a ``write`` or a read, was carried out; next it is answered."""


class Timed(Untimed):
    """The core is clocked through every delay of the SSD, cycle by cycle, so that its counters tell
    of the SSD's latency."""

    def _clock(self, due):
        scheduler = self._scheduler
        if due is None:
            return super()._clock(due)
        cycles = max(1, min(due - scheduler.now, CHUNK))
        self._core.clock(cycles)
        return cycles


class Alarm(Function):
    """A PCI function whose BAR 0 QEMU's timer writes to when the time has come.

    Parameters
    ----------
    ring : callable
        Called then.
    """

    VENDOR, DEVICE, CLASS = 0x1D1D, 0x5454, 0x080200

    def __init__(self, ring, send):
        super().__init__(self.VENDOR, self.DEVICE, self.CLASS, {0: 4096}, 1, send)
        self._ring = ring

    @property
    def address(self):
        """Guest physical address of BAR 0; 0 while it has none."""
        base = self.config_read(0x10, 4) & -16
        return base if self.find(base) else 0

    def bar_read(self, number, offset, size):
        """There is nothing to read."""
        return 0

    def bar_write(self, number, offset, size, value):
        """The time has come."""
        self._ring()


class GuestTime(Untimed):
    """The SSD's time is the guest's, which counts its instructions (QEMU's ``-icount``).

    QEMU answers no question about the guest's time while the guest computes. But a timer of its
    HPET, which the guest leaves alone, runs on that time, and can write to an address: to the BAR
    of ``Alarm``. That access stops the guest at exactly the time that was set, so all that the SSD
    does happens at a time of the guest's, and every run is the same. What the guest begins by a
    doorbell sets the alarm to "now", whatever that is: the timer's count is right in the alarm.

    When the guest idles, QEMU goes on to the time of the next timer, whenever it looks; also while
    the guest stands still in the alarm. A second timer, the guard, prevents that: it is set to the
    same time, comes second, and so is due as long as the alarm rings.

    The core's cycles take the guest no time, and delay what the SSD does next.

    Parameters
    ----------
    scheduler : Scheduler
    core : LiveCore
    qtest : Qtest
    look : callable
        Sends the core's interrupts.
    """

    #: Registers of the HPET, where q35 has it. Two timers.
    CONFIG, COUNTER, TIMER, COMPARATOR, ROUTE, GUARD, GUARD_COMPARATOR = (
        0xFED0_0000 + offset for offset in (0x10, 0xF0, 0x100, 0x108, 0x110, 0x120, 0x128))

    def __init__(self, scheduler, core, qtest, look):
        super().__init__(scheduler, core)
        self._qtest = qtest
        self._look = look
        self._set = None                # the count at which the alarm rings; None: it is off
        self._rang = False              # the access that is about to be answered was the alarm's
        self._routed = 0                # the address that the timer writes to
        self.alarm = Alarm(self._ring, qtest.send)

    def step(self):
        """Between accesses nothing happens, once the guest's firmware has placed the alarm."""
        if not self.alarm.address:
            return super().step()
        return False

    def before_reply(self, write):
        """What a write has begun is done when the alarm rings, at once."""
        if write and self.alarm.address and not self._rang:
            self._arm(0)
        self._rang = False
        # An interrupt that is under way would come late: a guest that waits for it may meanwhile be
        # at its next timer.
        self._qtest.finish()

    def _ring(self):
        """The alarm: the guest stands still, at the time that the counter has."""
        scheduler = self._scheduler
        self._set, self._rang = None, True
        count = self._qtest.read(self.COUNTER)
        scheduler.advance(max(count * TICK_CYCLES, scheduler.now))
        self._work()
        if scheduler.next_due is not None:
            self._arm(-(-scheduler.next_due // TICK_CYCLES))

    def _work(self):
        """Everything that is to be done by now."""
        scheduler = self._scheduler
        cycles = True
        while cycles:
            scheduler.run_ready()
            cycles = self._core.run(CHUNK)
            scheduler.advance(scheduler.now + cycles)
            self._look()

    def _arm(self, count):
        """Sets the alarm to ``count``, unless it rings before. What is past rings at once."""
        if self._set is not None and self._set <= count:
            return
        if self._routed != self.alarm.address:
            self._routed = self.alarm.address
            self._qtest.write(self.ROUTE, self._routed << 32)
            self._qtest.write(self.TIMER, INTERRUPT | MESSAGE)
            self._qtest.write(self.GUARD, MESSAGE)
            self._qtest.write(self.CONFIG, RUN)
        self._set = count
        self._qtest.write(self.COMPARATOR, count)
        self._qtest.write(self.GUARD_COMPARATOR, count)     # last: see above
