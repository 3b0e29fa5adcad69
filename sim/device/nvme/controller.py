"""The emulated controller: registers, doorbells, queues, and the execution of I/O commands."""

from ...memory import BusError
from .admin import AdminCommands
from .defs import PAGE, Completion, Io, Register, Status
from .queues import CompletionQueue, SubmissionQueue
from .transfer import CommandError, TranslationClient, block_extents, gather_prps

__all__ = ["Controller"]

RDY, CFS = 1 << 0, 1 << 1
SHUTDOWN_DONE = 2 << 2
READY_CYCLES = 10


class Controller:
    """An NVMe controller over some media, in front of the SIOMMU.

    The driver talks to it as to a real one: registers and doorbells (``read_register``,
    ``write_register``), queues, commands and completions in main memory. Two things are vendor
    specific, as NVMe has no word for them.

    *Create I/O Submission Queue*: CDW13 bit 31 makes the queue direct, CDW13 bits 19:0 are its
    PASID. Rings lie at physical addresses that the kernel chose. *Completions*: a command that
    the SIOMMU refused has status code type 7h, the cause as status code, and DW0 = cause |
    disposition << 8 | FT << 10. Besides, the admin command C0h drains a PASID (``defs.Admin``).

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
        Main memory.
    media : Media
        Blocks, namespaces and latency.
    translator
        ``async translate(access) -> beats``; of no use to kernel queues.
    device : int
        Requester id (PCIe bus/device/function).
    depth : int
        Translation requests outstanding at most.
    queues : int
        I/O queue pairs at most.
    mdts : int
        Largest transfer is 2^mdts pages.
    doorbell_log2 : int
        CAP.DSTRD: doorbells are 4 << DSTRD bytes apart. The default gives each one a page of its
        own, which the kernel can map into one process.
    interrupt : callable or None
        Called with the vector when a completion was posted to a queue with interrupts enabled.
    """

    QUEUE_ENTRIES = 1024                #: CAP.MQES + 1
    COMMANDS = 64                       #: commands of one queue in execution at most

    def __init__(self, scheduler, memory, media, translator, device, *, depth=32, queues=32,
                 mdts=11, doorbell_log2=10, interrupt=None):
        self.scheduler = scheduler
        self.memory = memory
        self.media = media
        self.device = device
        self.queues = queues
        self.mdts = mdts
        self.interrupt = interrupt
        self.bad_doorbells = 0          # doorbell writes with an impossible value
        self.client = TranslationClient(translator, scheduler, device, depth)
        self.sqs = {}
        self.cqs = {}
        self._stride = 4 << doorbell_log2
        self._regs = {Register.CAP: (self.QUEUE_ENTRIES - 1 | 1 << 16 | 1 << 24
                                     | doorbell_log2 << 32 | 1 << 37),
                      Register.VS: 0x00010400, Register.CC: 0, Register.CSTS: 0,
                      Register.AQA: 0, Register.ASQ: 0, Register.ACQ: 0}
        self._admin = AdminCommands(self)
        self._moving = {}               # pasid -> events of the commands in execution
        self._epoch = 0                 # counts resets

    # -- registers -----------------------------------------------------------------------------

    def doorbell_offset(self, qid, completion=False):
        """Register offset of a queue's tail (or, ``completion``, head) doorbell."""
        return Register.DOORBELLS + (2 * qid + int(completion)) * self._stride

    def read_register(self, offset, size=4):
        """Reads 4 or 8 bytes of the register file. Doorbells and gaps read as 0."""
        for register, value in self._regs.items():
            if register <= offset < register + 8 and (register in (Register.CAP, Register.ASQ,
                                                                   Register.ACQ)
                                                      or offset == register):
                return value >> 8 * (offset - register) & ((1 << 8 * size) - 1)
        return 0

    def write_register(self, offset, value, size=4):
        """Writes 4 or 8 bytes of the register file. Writes to what is read-only do nothing."""
        if size == 8:
            self.write_register(offset, value & 0xFFFFFFFF)
            self.write_register(offset + 4, value >> 32)
        elif offset >= Register.DOORBELLS:
            self._ring(offset - Register.DOORBELLS, value)
        elif offset == Register.CC:
            self._configure(value)
        elif offset == Register.AQA:
            self._regs[Register.AQA] = value & 0x0FFF0FFF
        else:
            for register in (Register.ASQ, Register.ACQ):
                if offset in (register, register + 4):
                    shift = 8 * (offset - register)
                    old = self._regs[register] & ~(0xFFFFFFFF << shift)
                    self._regs[register] = (old | value << shift) & ~(PAGE - 1)

    def _configure(self, value):
        was = self._regs[Register.CC]
        self._regs[Register.CC] = value
        if value & 1 and not was & 1:
            self.scheduler.start(self._enable(self._epoch))
        elif was & 1 and not value & 1:
            self._reset()
        if value >> 14 & 3 and not was >> 14 & 3:
            self._regs[Register.CSTS] |= SHUTDOWN_DONE

    async def _enable(self, epoch):
        await self.scheduler.delay(READY_CYCLES)
        if epoch != self._epoch:
            return
        aqa, cc = self._regs[Register.AQA], self._regs[Register.CC]
        sq_size, cq_size = (aqa & 0xFFF) + 1, (aqa >> 16 & 0xFFF) + 1
        # Only the NVM command set, 4 KiB pages and round robin are offered.
        if cc >> 4 & 0x3FF or min(sq_size, cq_size) < 2:
            self._regs[Register.CSTS] |= CFS
            return
        self.cqs[0] = CompletionQueue(self.scheduler, self.memory, 0, self._regs[Register.ACQ],
                                      cq_size, vector=0)
        self.add_queue(SubmissionQueue(self.scheduler, self.memory, 0, self._regs[Register.ASQ],
                                       sq_size, self.cqs[0]))
        self._regs[Register.CSTS] |= RDY

    def _reset(self):
        self._epoch += 1
        for queue in self.sqs.values():
            queue.stop()
        self.sqs.clear()
        self.cqs.clear()
        self._regs[Register.CSTS] = 0

    def _ring(self, offset, value):
        index, rest = divmod(offset, self._stride)
        queue = (self.cqs if index % 2 else self.sqs).get(index // 2)
        if rest or queue is None or not queue.doorbell(value & 0xFFFF):
            self.bad_doorbells += 1

    @property
    def entry_sizes_ok(self):
        """Whether CC.IOSQES and CC.IOCQES are the 64 and 16 bytes that I/O queues need."""
        return self._regs[Register.CC] >> 16 & 0xFF == 0x46

    # -- queues --------------------------------------------------------------------------------

    def add_queue(self, queue):
        """Starts to serve a submission queue."""
        queue.completions.users += 1
        self.sqs[queue.qid] = queue
        self.scheduler.start(self._serve(queue))

    async def remove_queue(self, queue):
        """Deletes a submission queue, once the commands that it has in execution are over."""
        del self.sqs[queue.qid]
        queue.stop()
        await queue.idle()
        queue.completions.users -= 1

    async def drain(self, pasid):
        """Returns when the I/O commands of ``pasid`` that are in execution now are over."""
        for event in list(self._moving.get(pasid, ())):
            await event.wait()

    async def _serve(self, queue):
        while True:
            try:
                command = await queue.next(self.COMMANDS)
            except BusError:
                self._regs[Register.CSTS] |= CFS        # a controller fatal status
                return
            if command is None:
                return
            self.scheduler.start(self._run(queue, command, queue.head))

    async def _run(self, queue, command, head):
        status, dw0, dnr = await self._execute(queue, command)
        try:
            posted = await queue.completions.post(lambda: queue.alive, lambda phase: Completion(
                command.cid, int(status), dw0, head, queue.qid, phase, dnr))
        except BusError:
            self._regs[Register.CSTS] |= CFS
            posted = False
        queue.done()
        if posted and self.interrupt is not None and queue.completions.vector is not None:
            self.interrupt(queue.completions.vector)

    async def _execute(self, queue, command):
        over = self.scheduler.event()
        if queue.qid:
            self._moving.setdefault(queue.pasid, set()).add(over)
        try:
            if not queue.qid:
                return Status.SUCCESS, await self._admin.execute(command), 0
            await self.scheduler.delay(self.media.latency.command)
            await self._io(queue, command)
            return Status.SUCCESS, 0, 0
        except CommandError as error:
            return error.status, error.dw0, error.dnr
        finally:
            over.set()
            if queue.qid:
                self._moving[queue.pasid].discard(over)

    # -- I/O commands --------------------------------------------------------------------------

    async def _io(self, queue, command):
        if command.flags:                               # neither fused commands nor SGLs
            raise CommandError(Status.INVALID_FIELD)
        if command.opcode == Io.FLUSH:
            # Writes are in the media when they complete; nothing is left to flush.
            if command.nsid not in self.media.namespaces and command.nsid != 0xFFFFFFFF:
                raise CommandError(Status.INVALID_NAMESPACE)
            return
        if command.opcode not in (Io.READ, Io.WRITE):
            raise CommandError(Status.INVALID_OPCODE)
        namespace = self.media.namespaces.get(command.nsid)
        if namespace is None:
            raise CommandError(Status.INVALID_NAMESPACE)
        length = command.blocks * namespace.lba_bytes
        if length > PAGE << self.mdts:
            raise CommandError(Status.INVALID_FIELD)
        await self._transfer(queue, namespace, command, length)

    async def _transfer(self, queue, namespace, command, length):
        read = command.opcode == Io.READ
        # Both questions are on their way at the same time, and both must be answered with a
        # grant for all of it before the first byte moves.
        questions = [self.scheduler.start(_outcome(question)) for question in (
            block_extents(self.client, queue, namespace, command),
            gather_prps(self.client, queue, self.memory, command, length, write=read))]
        answers = [await question for question in questions]
        for answer in answers:
            if isinstance(answer, CommandError):
                raise answer
        blocks, pages = answers
        try:
            if read:
                await self._wait_media(blocks, write=False)
                self._check_alive(queue)
                self._scatter(pages, b"".join(self.media.read(namespace, *extent)
                                              for extent in blocks))
            else:
                data = b"".join(self.memory.read(*extent) for extent in pages)
                await self._wait_media(blocks, write=True)
                self._check_alive(queue)
                for pba, part in blocks:
                    self.media.write(namespace, pba, data[:part])
                    data = data[part:]
        except BusError:
            raise CommandError(Status.DATA_TRANSFER_ERROR, dnr=0) from None

    async def _wait_media(self, blocks, write):
        now = self.scheduler.now
        await self.scheduler.delay(self.media.schedule(now, blocks, write) - now)

    @staticmethod
    def _check_alive(queue):
        """A controller that was reset, or lost the queue, moves no byte any more."""
        if not queue.alive:
            raise CommandError(Status.ABORTED_SQ_DELETED)

    def _scatter(self, pages, data):
        done = 0
        for addr, part in pages:
            self.memory.write(addr, data[done:done + part])
            done += part


async def _outcome(question):
    """The result or the ``CommandError`` of a coroutine, as a value."""
    try:
        return await question
    except CommandError as error:
        return error
