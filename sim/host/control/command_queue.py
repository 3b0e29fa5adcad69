"""The driver's side of the command queue (§6)."""

from siommu.arch.formats import COMMAND_BYTES

from ...memory import BusError
from ...time.scheduler import Lock
from .commands import Command, fence
from .offsets import CqStatus, Reg, bit, irq_bits

__all__ = ["CommandQueue", "CommandQueueError", "FenceTimeout"]

PAGE = 4096
STOPPED = CqStatus.ILLEGAL | CqStatus.ERROR
BUSY = bit("STATUS", "COMMANDS")
WRAP = 1 << 32


class CommandQueueError(RuntimeError):
    """The core stopped at a command, which has not been done.

    Attributes
    ----------
    index : int
        CQ_HEAD, the slot of the command.
    command : Command or None
        What is in that slot; ``None`` where the memory does not say.
    status : CqStatus
        ILLEGAL, ERROR or both.
    """

    def __init__(self, index, command, status):
        why = "is illegal" if status & CqStatus.ILLEGAL else \
            "could not be fetched, or its store failed"
        super().__init__(f"the command queue stopped at index {index}: "
                         f"{command or 'the command there'} {why}")
        self.index = index
        self.command = command
        self.status = status


class FenceTimeout(TimeoutError):
    """A fence did not complete in time; ``ports`` are the numbers of the ports that are busy."""

    def __init__(self, looks, ports):
        super().__init__(f"a fence has not completed after {looks} looks; ports with requests in "
                         f"flight: {', '.join(map(str, ports)) or 'none'}. A port whose device "
                         f"takes no beats must be disabled (PORT_ENABLE)")
        self.ports = ports


class CommandQueue:
    """A ring of commands, and fences that tell how far the core is.

    Any number of tasks may use it at once. Every fence of ``fence`` stores a number of its own,
    counted up, into one word of memory.

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
        The ring and the word are allocated there by ``start``.
    platform : Platform
    interrupts : InterruptEnable
    log2 : int
        CQ_LOG2, 1..15.
    poll : int
        Cycles between two looks at the word or at CQ_HEAD.
    polls : int
        Looks at the word, or at a CQ_HEAD that does not move, until the core counts as hung.

    Attributes
    ----------
    base, word : int
        Addresses of the ring and of the fences' word.
    """

    def __init__(self, scheduler, memory, platform, interrupts, *, log2=6, poll=8, polls=10_000):
        self.base = self.word = None
        self.slots = 1 << log2
        self._scheduler = scheduler
        self._memory = memory
        self._platform = platform
        self._enable = interrupts
        self._log2 = log2
        self._poll = poll
        self._polls = polls
        self._tail = 0
        self._free = 0                  # slots that are free for certain
        self._posting = Lock(scheduler)
        self._number = 0
        self._pending = {}              # number of a fence that is waited for -> its error
        self._news = scheduler.event()
        self._interrupts = 0            # how many irq_command has brought

    @property
    def pages(self):
        """Addresses of the memory pages that the queue lives in."""
        ring = range(self.base, self.base + self.slots * COMMAND_BYTES, PAGE)
        return {*ring, self.word}

    async def start(self):
        """Sets the queue up, empty, and switches it on. The core must not be at work on it."""
        read, write = self._platform.read, self._platform.write
        first = self.base is None
        if first:
            self.base = self._memory.alloc_pages(max(1, self.slots * COMMAND_BYTES // PAGE))
            self.word = self._memory.alloc_pages()
        # BASE and LOG2 may be written only while the queue is off, and it is off once the command
        # that it was executing is over.
        await write(Reg.CQ_CTRL, 0)
        for _ in range(self._polls):
            if not await read(Reg.STATUS) & BUSY:
                break
            await self._scheduler.delay(self._poll)
        else:
            raise TimeoutError("the command queue is off, and STATUS says it is still busy")
        await write(Reg.CQ_BASE_LOW, self.base % WRAP)
        await write(Reg.CQ_BASE_HIGH, self.base // WRAP)
        await write(Reg.CQ_LOG2, self._log2)
        await write(Reg.CQ_STATUS, int(STOPPED | CqStatus.FENCE))
        await write(Reg.CQ_CTRL, 1)
        self._tail, self._free = 0, self.slots - 1
        if self._platform.wait_interrupt is not None:
            await self._enable.switch(irq_bits(STOPPED | CqStatus.FENCE), True)
            if first:
                self._scheduler.start(self._serve_interrupts())

    # -- posting -------------------------------------------------------------------------------

    async def submit(self, *commands):
        """Puts commands into the ring, in order, waiting for room; does not wait for their end.

        Raises
        ------
        CommandQueueError
            The ring is full and the core has stopped.
        TimeoutError
            The ring is full and stays so.
        """
        async with self._posting:
            await self._put(commands)

    async def fence(self, *commands, interrupt=False):
        """Submits ``commands`` and a fence behind them; returns once the fence has completed.

        All go into the ring at once. ``interrupt``: the fence raises CQ_FENCE, and its end is
        awaited by interrupt, without limit of time; else by polling.

        Raises
        ------
        CommandQueueError
            The core stopped before the fence: its promise does not hold.
        FenceTimeout
            The fence did not complete. It is still in the queue.
        """
        if interrupt and self._platform.wait_interrupt is None:
            raise ValueError("this platform has no interrupts; poll for the fence")
        async with self._posting:
            self._number = number = (self._number + 1) % WRAP
            self._pending[number] = None
            try:
                await self._put([*commands, *fence(self.word, number, interrupt)])
            except BaseException:
                del self._pending[number]
                raise
        try:
            await (self._interrupted(number) if interrupt else self._polled(number))
            if self._pending[number] is not None:
                raise self._pending[number]
        finally:
            del self._pending[number]

    async def _put(self, commands):
        for command in commands:
            if not self._free:
                await self._publish()
                await self._wait_room()
            self._memory.write(self.base + COMMAND_BYTES * self._tail, command.pack())
            self._tail = (self._tail + 1) % self.slots
            self._free -= 1
        await self._publish()

    async def _publish(self):
        await self._platform.write(Reg.CQ_TAIL, self._tail)

    async def _wait_room(self):
        """A ring is full at one slot less than its size: HEAD = TAIL means empty."""
        for _ in range(self._polls):
            head = await self._platform.read(Reg.CQ_HEAD)
            self._free = (head - self._tail - 1) % self.slots
            if self._free:
                return
            await self.check()
            await self._scheduler.delay(self._poll)
        raise TimeoutError(f"the command queue is full, and CQ_HEAD stays at {head} over "
                           f"{self._polls} looks")

    # -- completion ----------------------------------------------------------------------------

    def _passed(self, number):
        stored = int.from_bytes(self._memory.read(self.word, 4), "little")
        return (stored - number) % WRAP < WRAP // 2

    async def _polled(self, number):
        for _ in range(self._polls):
            if self._passed(number):
                return
            await self.check()
            await self._scheduler.delay(self._poll)
        busy = await self._platform.read(Reg.PORT_STATUS)
        raise FenceTimeout(self._polls, [port for port in range(busy.bit_length())
                                         if busy >> port & 1])

    async def _interrupted(self, number):
        while True:
            seen = self._interrupts
            if self._passed(number):
                return
            await self.check()
            while self._interrupts == seen:
                self._news.clear()
                await self._news.wait()

    async def _serve_interrupts(self):
        read, write = self._platform.read, self._platform.write
        while True:
            await self._platform.wait_interrupt("command")
            status = await read(Reg.CQ_STATUS)
            if status & CqStatus.FENCE:
                await write(Reg.CQ_STATUS, int(CqStatus.FENCE))
            if status & STOPPED:
                # The bits stay until ``resume``; the line must not.
                await self._enable.switch(irq_bits(STOPPED), False)
            self._interrupts += 1
            self._news.set()

    # -- errors --------------------------------------------------------------------------------

    async def check(self):
        """Raises ``CommandQueueError`` if the core has stopped."""
        status = await self._platform.read(Reg.CQ_STATUS) & STOPPED
        if status:
            raise await self._error(CqStatus(status))

    async def _error(self, status):
        index = await self._platform.read(Reg.CQ_HEAD)
        try:
            command = Command.unpack(self._memory.read(self.base + COMMAND_BYTES * index,
                                                       COMMAND_BYTES))
        except BusError:                # the reason why the core stopped, perhaps
            command = None
        return CommandQueueError(index, command, status)

    async def resume(self, retry=False):
        """Makes the core go on where it has stopped; does nothing if it has not.

        With ``retry`` it executes the command again (a bus error may be gone). Without, a fence
        that does nothing takes the command's place: it is never done, and everyone who waits for
        a fence behind it gets a ``CommandQueueError``.
        """
        status = CqStatus(await self._platform.read(Reg.CQ_STATUS) & STOPPED)
        if not status:
            return
        if not retry:
            error = await self._error(status)
            for number, known in self._pending.items():
                if known is None and not self._passed(number):
                    self._pending[number] = error
            self._memory.write(self.base + COMMAND_BYTES * error.index, fence()[0].pack())
        await self._platform.write(Reg.CQ_STATUS, int(status))
        if self._platform.wait_interrupt is not None:
            await self._enable.switch(irq_bits(STOPPED), True)
