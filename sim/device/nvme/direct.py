"""Direct queues for user programs: a face of the SSD's own, beside the NVMe controller's.

A *direct* queue holds commands that a user program wrote; their addresses are virtual, and the
SIOMMU translates them for the PASID that the kernel fixed when it made the queue. NVMe's own Create
commands go through the admin queue, which belongs to the operating system's NVMe driver. A second
driver, one for direct queues, has no part in that; so the SSD offers these registers in a BAR of
their own. They need nothing of the NVMe driver's, but that it has enabled the controller.

Page 0, 32-bit registers:

====== ======= ====================================================================================
0x00   RO      ID, 0x31514453 ("SDQ1")
0x04   RO      VERSION, 1
0x08   RO      QUEUES, number of direct queues
0x0C   RO      LIMIT, entries of a ring at most
0x10   RW      INDEX, the queue that the next command is for, from 0
0x14   RW      PASID, 19:0
0x18   RW      SQ_LOW, 0x1C SQ_HIGH: physical address of the submission ring, page aligned
0x20   RW      CQ_LOW, 0x24 CQ_HIGH: of the completion ring, page aligned and zeroed
0x28   RW      ENTRIES: 15:0 of the submission ring minus 1, 31:16 of the completion ring minus 1
0x2C   RW      VECTOR: 15:0 MSI-X vector, 31 enable; without, completions are polled for
0x30   WO      COMMAND: 1 CREATE, 2 DELETE, 3 DRAIN. Ignored while STATUS is busy
0x34   RO      STATUS: 31 busy; 15:0 the NVMe status (SCT << 8 | SC) of the last command, 0 success
0x38   RO      STATE: 0 the queue INDEX exists
====== ======= ====================================================================================

Page 1 + INDEX is the doorbell page of a queue, to be mapped into one process: offset 0 is the tail
of the submission ring, offset 8 the head of the completion ring. A doorbell of a queue that does
not exist, or a value that cannot be, does nothing (``Controller.bad_doorbells`` counts it).

CREATE makes both rings of the queue. DELETE ends it: nothing more is fetched, what is in execution
ends within a bounded time, and no byte moves for it once STATUS is not busy. DRAIN completes when
no command of PASID that was fetched before is in execution; a driver needs it, after the FENCE that
revokes a right, before it gives the memory or the blocks to somebody else. The buffers of commands
are registered with the SIOMMU, by its tables, and not with the SSD. A reset of the controller
(CC.EN = 0) deletes all direct queues: STATE reads 0, and doorbells do nothing.
"""

from .defs import PAGE, Status
from .queues import CompletionQueue, SubmissionQueue
from .transfer import CommandError

__all__ = ["DirectQueues"]

ID, VERSION = 0x31514453, 1
CREATE, DELETE, DRAIN = 1, 2, 3
BUSY = 1 << 31
PASID_MASK = (1 << 20) - 1
INDEX, PASID, SQ, CQ, ENTRIES, VECTOR, COMMAND, STATUS, STATE = (
    0x10, 0x14, 0x18, 0x20, 0x28, 0x2C, 0x30, 0x34, 0x38)


class DirectQueues:
    """The registers and doorbells above, over a controller.

    Parameters
    ----------
    controller : Controller
        Runs the queues; their numbers follow those of its own.
    queues : int
        Direct queues at most.

    Attributes
    ----------
    bytes : int
        Size of the register space.
    """

    def __init__(self, controller, queues=31):
        self._controller = controller
        self._queues = queues
        self._words = dict.fromkeys(range(INDEX, COMMAND, 4), 0)
        self._status = 0
        self.bytes = PAGE * (1 + queues)

    def _qid(self, index):
        return self._controller.queues + 1 + index

    def read_register(self, offset, size=4):
        """Reads 4 or 8 bytes; narrower reads get a part of 4. Doorbells and gaps read as 0."""
        if size == 8:
            return self.read_register(offset) | self.read_register(offset + 4) << 32
        word = offset & ~3
        value = {0x00: ID, 0x04: VERSION, 0x08: self._queues,
                 0x0C: self._controller.QUEUE_ENTRIES, STATUS: self._status,
                 STATE: int(self._qid(self._words[INDEX]) in self._controller.sqs),
                 **self._words}.get(word, 0)
        return value >> 8 * (offset & 3) & ((1 << 8 * size) - 1)

    def write_register(self, offset, value, size=4):
        """Writes 4 or 8 bytes. What is read-only or nowhere stays as it is."""
        if size == 8:
            self.write_register(offset, value & 0xFFFFFFFF)
            self.write_register(offset + 4, value >> 32)
        elif offset >= PAGE:
            self._ring(offset // PAGE - 1, offset % PAGE, value)
        elif self._status & BUSY:
            return                      # the registers are the command's until it is over
        elif offset == COMMAND:
            self._status = BUSY
            self._controller.scheduler.start(self._command(value))
        elif offset in self._words:
            self._words[offset] = value

    def _ring(self, index, offset, value):
        queues = {0: self._controller.sqs, 8: self._controller.cqs}.get(offset, {})
        queue = queues.get(self._qid(index))
        events = self._controller.events
        if queue is None:
            self._controller.bad_doorbell(events.BAD_REGISTER)
        elif not queue.doorbell(value & 0xFFFF):
            self._controller.bad_doorbell(events.BAD_VALUE)

    async def _command(self, opcode):
        work = {CREATE: self._create, DELETE: self._delete, DRAIN: self._drain}.get(opcode)
        try:
            if work is None:
                raise CommandError(Status.INVALID_OPCODE)
            await work()
            self._status = int(Status.SUCCESS)
        except CommandError as error:
            self._status = int(error.status)

    async def _create(self):
        controller, words = self._controller, self._words
        qid, (sq, cq) = self._qid(words[INDEX]), (
            words[low] | words[low + 4] << 32 for low in (SQ, CQ))
        if not controller.ready:
            raise CommandError(Status.COMMAND_SEQUENCE_ERROR)
        if words[INDEX] >= self._queues or qid in controller.sqs or qid in controller.cqs:
            raise CommandError(Status.INVALID_QUEUE_ID)
        sizes = [(words[ENTRIES] >> shift & 0xFFFF) + 1 for shift in (0, 16)]
        if not all(2 <= entries <= controller.QUEUE_ENTRIES for entries in sizes):
            raise CommandError(Status.INVALID_QUEUE_SIZE)
        if sq % PAGE or cq % PAGE:
            raise CommandError(Status.PRP_OFFSET_INVALID)
        if words[PASID] > PASID_MASK or words[VECTOR] & 0x7FFF0000:
            raise CommandError(Status.INVALID_FIELD)
        vector = words[VECTOR] & 0xFFFF if words[VECTOR] >> 31 else None
        if vector is not None and vector > controller.queues:
            raise CommandError(Status.INVALID_INTERRUPT_VECTOR)
        completions = CompletionQueue(controller.scheduler, controller.memory, qid, cq, sizes[1],
                                      vector)
        controller.cqs[qid] = completions
        controller.add_queue(SubmissionQueue(controller.scheduler, controller.memory, qid, sq,
                                             sizes[0], completions, direct=True,
                                             pasid=words[PASID]))

    async def _delete(self):
        qid = self._qid(self._words[INDEX])
        queue = self._controller.sqs.get(qid)
        if queue is None or self._words[INDEX] >= self._queues:
            raise CommandError(Status.INVALID_QUEUE_ID)
        await self._controller.remove_queue(queue)
        if self._controller.cqs.get(qid) is queue.completions:
            del self._controller.cqs[qid]

    async def _drain(self):
        if self._words[PASID] > PASID_MASK:
            raise CommandError(Status.INVALID_FIELD)
        await self._controller.drain(self._words[PASID])
