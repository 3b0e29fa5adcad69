"""Time and tasks of the simulated world: a discrete-event scheduler in pure Python.

The models (SSD, operating system, applications) are coroutines that use only what is public
here, so that they run on this scheduler with the golden model, and unchanged under cocotb with
the RTL (``cocotb_scheduler.CocotbScheduler`` has the same methods).
"""

from collections import deque
from heapq import heappop, heappush

__all__ = ["Deadlock", "Event", "Lock", "Scheduler", "Task"]


class Deadlock(RuntimeError):
    """Nothing can ever happen again, but a task still waits."""


class _Suspend:
    """Hands the running task to ``register``, which resumes it later."""

    def __init__(self, register):
        self.register = register

    def __await__(self):
        return (yield self)


class Task:
    """A started coroutine. ``await task`` gives its result or raises its exception."""

    def __init__(self, scheduler, coroutine):
        self._scheduler = scheduler
        self._coroutine = coroutine
        self._waiters = []
        self._begun = False
        self._finished = False
        self._result = None
        self._error = None

    def done(self):
        """Whether the coroutine has ended."""
        return self._finished

    def _step(self):
        self._begun = True
        try:
            suspend = self._coroutine.send(None)
        except StopIteration as stop:
            self._finish(stop.value, None)
        except Exception as error:
            self._finish(None, error)
        else:
            suspend.register(self)

    def _finish(self, result, error):
        self._finished, self._result, self._error = True, result, error
        if error is not None and not self._waiters:
            # Nobody waits for it: the error must not get lost.
            self._scheduler._failed.append(self)
        for waiter in self._waiters:
            self._scheduler._ready.append(waiter)
        self._waiters = []

    def __await__(self):
        if not self._finished:
            yield _Suspend(self._waiters.append)
        if self._error is not None:
            if self in self._scheduler._failed:
                self._scheduler._failed.remove(self)
            raise self._error
        return self._result


class Event:
    """A flag that tasks wait for. It stays set until ``clear()``."""

    def __init__(self, scheduler):
        self._scheduler = scheduler
        self._waiters = []
        self._set = False

    def set(self):
        """Sets the flag and resumes every task that waits."""
        self._set = True
        self._scheduler._ready.extend(self._waiters)
        self._waiters = []

    def clear(self):
        """Clears the flag."""
        self._set = False

    def is_set(self):
        """Whether the flag is set."""
        return self._set

    async def wait(self):
        """Returns once the flag is set, at once if it is."""
        if not self._set:
            await _Suspend(self._waiters.append)


class Lock:
    """Mutual exclusion between tasks (``async with``), on any scheduler."""

    def __init__(self, scheduler):
        self._held = False
        self._freed = scheduler.event()

    async def __aenter__(self):
        while self._held:
            self._freed.clear()
            await self._freed.wait()
        self._held = True

    async def __aexit__(self, *_):
        self._held = False
        self._freed.set()


class Scheduler:
    """Discrete-event scheduler. Time is counted in clock cycles of the core.

    Tasks that are ready in the same cycle run in the order in which they became ready, so every
    run of the same program is the same.
    """

    def __init__(self):
        self._now = 0
        self._ready = deque()
        self._later = []
        self._order = 0
        self._failed = []

    @property
    def now(self):
        """Cycles since the start."""
        return self._now

    async def delay(self, cycles):
        """Returns after ``cycles`` cycles; 0 returns at once."""
        if cycles > 0:
            await _Suspend(lambda task: self._at(self._now + int(cycles), task))

    def _at(self, time, task):
        self._order += 1
        heappush(self._later, (time, self._order, task))

    def start(self, coroutine):
        """Starts a coroutine; it takes its first step when the running task suspends.

        Returns a ``Task``. The exception of a task that nobody awaits ends ``run``.
        """
        task = Task(self, coroutine)
        self._ready.append(task)
        return task

    def event(self):
        """A new ``Event``, not set."""
        return Event(self)

    @property
    def next_due(self):
        """The cycle at which the next delay ends; ``None`` when no task waits for time."""
        return self._later[0][0] if self._later else None

    def run_ready(self):
        """Runs what is ready in this cycle, for an owner who keeps the time (``advance``).

        Raises the exception of a task that nobody awaits.
        """
        while self._ready:
            task = self._ready.popleft()
            if task is not None:
                task._step()
            if self._failed:
                raise self._failed.pop(0)._error

    def advance(self, to):
        """Sets the time to cycle ``to``; the tasks whose delays end by then become ready, and each
        of them runs in the cycle in which its delay ends."""
        while self._later and self._later[0][0] <= to:
            self._now, _, task = heappop(self._later)
            self._ready.append(task)
            if not self._later or self._later[0][0] > self._now:
                self.run_ready()
        self._now = max(self._now, to)

    def run(self, coroutine):
        """Runs ``coroutine`` to its end and returns its result. Other tasks may then still wait;
        those that it started last have taken their first step.

        Raises
        ------
        Deadlock
            It waits for something that cannot happen any more.
        """
        main = Task(self, coroutine)
        main._waiters = [None]              # its error is raised below, not collected
        self._ready.append(main)
        while not main._finished:
            if self._ready:
                task = self._ready.popleft()
                if task is not None:
                    task._step()
            elif self._failed:
                raise self._failed.pop(0)._error
            elif self._later:
                self._now, _, task = heappop(self._later)
                self._ready.append(task)
            else:
                coroutine.close()
                raise Deadlock(f"every task waits, and nothing is due after cycle {self._now}")
        while (task := next((task for task in self._ready
                             if task is not None and not task._begun), None)) is not None:
            self._ready.remove(task)
            task._step()
        if main._error is not None:
            raise main._error
        if self._failed:
            raise self._failed.pop(0)._error
        return main._result
