"""Submission and completion queues as the controller sees them."""

from .defs import CQE_BYTES, SQE_BYTES, Command

__all__ = ["CompletionQueue", "SubmissionQueue"]


class CompletionQueue:
    """A completion queue in host memory, at a physical address that the kernel gave."""

    def __init__(self, scheduler, memory, qid, base, size, vector=None):
        self.memory = memory
        self.qid = qid
        self.base = base
        self.size = size
        self.vector = vector
        self.users = 0                  # submission queues that complete here
        self._tail = 0
        self._head = 0
        self._phase = 1
        self._space = scheduler.event()

    def doorbell(self, head):
        """The host consumed up to ``head``. Returns whether that value is possible."""
        if head >= self.size or (head - self._head) % self.size > \
                (self._tail - self._head) % self.size:
            return False
        self._head = head
        self._space.set()
        return True

    def wake(self):
        """Makes those who wait for space look again (a queue is being deleted)."""
        self._space.set()

    async def post(self, alive, make):
        """Waits for a slot and writes ``make(phase)`` there; gives up once ``alive()`` is false.

        Returns whether it was written.
        """
        while (self._tail + 1) % self.size == self._head:
            if not alive():
                return False
            self._space.clear()
            await self._space.wait()
        if not alive():
            return False
        entry, slot = make(self._phase).pack(), self.base + CQE_BYTES * self._tail
        # The half with the phase bit comes last: a host on another processor may look at any time.
        self.memory.write(slot, entry[:8])
        self.memory.write(slot + 8, entry[8:])
        self._tail = (self._tail + 1) % self.size
        if self._tail == 0:
            self._phase ^= 1
        return True


class SubmissionQueue:
    """A submission queue in host memory, at a physical address that the kernel gave.

    ``direct`` and ``pasid`` were fixed by the kernel when it created the queue: the process that
    writes commands into it cannot change them.
    """

    def __init__(self, scheduler, memory, qid, base, size, completions, direct=False, pasid=0):
        self.memory = memory
        self.qid = qid
        self.base = base
        self.size = size
        self.completions = completions
        self.direct = direct
        self.pasid = pasid
        self.alive = True
        self.head = 0
        self.outstanding = 0            # fetched and not completed
        self._scheduler = scheduler
        self._tail = 0
        self._work = scheduler.event()

    def doorbell(self, tail):
        """The host wrote commands up to ``tail``. Returns whether that value is possible."""
        if tail >= self.size:
            return False
        self._tail = tail
        self._work.set()
        return True

    def stop(self):
        """Nothing more is fetched or completed."""
        self.alive = False
        self._work.set()
        self.completions.wake()

    def done(self):
        """One fetched command has been completed."""
        self.outstanding -= 1
        self._work.set()

    async def idle(self, cycles):
        """Waits until no fetched command is left, but no longer than ``cycles``; returns whether
        none is."""
        late = []

        async def give_up():
            await self._scheduler.delay(cycles)
            late.append(True)
            self._work.set()
        if self.outstanding:
            self._scheduler.start(give_up())
        while self.outstanding and not late:
            self._work.clear()
            await self._work.wait()
        return not self.outstanding

    async def next(self, limit):
        """The next command, ``None`` once the queue has stopped.

        Waits while ``limit`` commands are outstanding.

        Raises
        ------
        BusError
            The memory does not give the entry.
        """
        while self.alive and (self.head == self._tail or self.outstanding >= limit):
            self._work.clear()
            await self._work.wait()
        if not self.alive:
            return None
        command = Command.unpack(self.memory.read(self.base + SQE_BYTES * self.head, SQE_BYTES))
        self.head = (self.head + 1) % self.size
        self.outstanding += 1
        return command


