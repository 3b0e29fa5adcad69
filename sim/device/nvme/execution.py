"""The execution of commands: from the submission queue to the completion."""

from ...memory import BusError
from .defs import PAGE, Completion, Io, Status
from .transfer import CommandError, block_extents, gather_prps

__all__ = ["Execution"]


class _Running:
    """A command in execution. ``ended`` is set when it is over or was given up; from then on it
    moves no byte."""

    def __init__(self, scheduler, queue, command):
        self.queue = queue
        self.command = command
        self.ended = scheduler.event()
        self.outcome = None             # (status, DW0, DNR)

    def end(self, status, dw0=0, dnr=0):
        if self.outcome is None:
            self.outcome = status, dw0, dnr
            self.ended.set()

    def check(self):
        """A command that was given up, or whose queue or controller is gone, moves no byte."""
        if self.outcome is not None or not self.queue.alive:
            raise CommandError(Status.ABORTED_SQ_DELETED)


class Execution:
    """Executes the commands of a controller's queues.

    Parameters
    ----------
    controller : Controller
    """

    def __init__(self, controller):
        self._controller = controller
        self._scheduler = controller.scheduler
        self._running = set()

    async def serve(self, queue):
        """Fetches and starts the commands of ``queue`` until it stops."""
        while True:
            try:
                command = await queue.next(self._controller.COMMANDS)
            except BusError:
                self._controller.fail()
                return
            if command is None:
                return
            self._scheduler.start(self._run(queue, command, queue.head))

    async def drain(self, pasid):
        """Returns when the I/O commands of ``pasid`` that are in execution now are over."""
        for running in [each for each in self._running
                        if each.queue.qid and each.queue.pasid == pasid]:
            await running.ended.wait()

    def abort(self, qid, cid):
        """Ends a command with ABORT_REQUESTED; returns whether there was one."""
        for running in self._running:
            if (running.queue.qid, running.command.cid) == (qid, cid) and running.queue.alive \
                    and running.outcome is None:
                running.end(Status.ABORT_REQUESTED)
                self._controller.events.withdraw(running.command)
                return True
        return False

    def abandon(self, queue):
        """Gives up the commands of a queue that was deleted."""
        for running in [each for each in self._running if each.queue is queue]:
            running.end(Status.ABORTED_SQ_DELETED)

    async def _run(self, queue, command, head):
        controller = self._controller
        running = _Running(self._scheduler, queue, command)
        self._running.add(running)
        self._scheduler.start(self._execute(running))
        await running.ended.wait()
        self._running.discard(running)
        status, dw0, dnr = running.outcome
        if status:
            controller.errors.add(command, queue.qid, status, dnr)
        try:
            posted = await queue.completions.post(lambda: queue.alive, lambda phase: Completion(
                command.cid, int(status), dw0, head, queue.qid, phase, dnr))
        except BusError:
            controller.fail()
            posted = False
        queue.done()
        if posted and controller.interrupt is not None and queue.completions.vector is not None:
            controller.interrupts.posted(queue.completions.vector, controller.interrupt)

    async def _execute(self, running):
        try:
            if not running.queue.qid:
                running.end(Status.SUCCESS,
                            await self._controller.execute_admin(running.command))
                return
            await self._scheduler.delay(self._controller.media.latency.command)
            await self._io(running)
            running.end(Status.SUCCESS)
        except CommandError as error:
            running.end(error.status, error.dw0, error.dnr)

    # -- I/O commands --------------------------------------------------------------------------

    async def _io(self, running):
        controller, command = self._controller, running.command
        if command.flags:                               # neither fused commands nor SGLs
            raise CommandError(Status.INVALID_FIELD)
        namespaces = controller.media.namespaces
        if command.opcode == Io.FLUSH:
            # Writes are in the media when they complete; nothing is left to flush.
            if command.nsid not in namespaces and command.nsid != 0xFFFFFFFF:
                raise CommandError(Status.INVALID_NAMESPACE)
            return
        if command.opcode not in (Io.READ, Io.WRITE):
            raise CommandError(Status.INVALID_OPCODE)
        namespace = namespaces.get(command.nsid)
        if namespace is None:
            raise CommandError(Status.INVALID_NAMESPACE)
        length = command.blocks * namespace.lba_bytes
        if length > PAGE << controller.mdts:
            raise CommandError(Status.INVALID_FIELD)
        await self._transfer(running, namespace, length)
        controller.usage.count(command.opcode == Io.WRITE, length)

    async def _transfer(self, running, namespace, length):
        controller, queue, command = self._controller, running.queue, running.command
        read = command.opcode == Io.READ
        # Both questions are on their way at the same time, and both must be answered with a
        # grant for all of it before the first byte moves.
        questions = [self._scheduler.start(_outcome(question)) for question in (
            block_extents(controller.client, queue, namespace, command),
            gather_prps(controller.client, queue, controller.memory, command, length, write=read))]
        answers = [await question for question in questions]
        for answer in answers:
            if isinstance(answer, CommandError):
                raise answer
        running.check()
        blocks, pages = answers
        try:
            if read:
                await self._wait_media(blocks, write=False)
                running.check()
                self._scatter(pages, b"".join(controller.media.read(namespace, *extent)
                                              for extent in blocks))
            else:
                data = b"".join(controller.memory.read(*extent) for extent in pages)
                await self._wait_media(blocks, write=True)
                running.check()
                for pba, part in blocks:
                    controller.media.write(namespace, pba, data[:part])
                    data = data[part:]
        except BusError:
            raise CommandError(Status.DATA_TRANSFER_ERROR, dnr=0) from None

    async def _wait_media(self, blocks, write):
        now = self._scheduler.now
        await self._scheduler.delay(self._controller.media.schedule(now, blocks, write) - now)

    def _scatter(self, pages, data):
        done = 0
        for addr, part in pages:
            self._controller.memory.write(addr, data[done:done + part])
            done += part


async def _outcome(question):
    """The result or the ``CommandError`` of a coroutine, as a value."""
    try:
        return await question
    except CommandError as error:
        return error
