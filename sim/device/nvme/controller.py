"""The emulated controller: registers, doorbells and queues."""

from .admin import AdminCommands
from .defs import PAGE, LogPage, Register
from .execution import Execution
from .features import Features
from .interrupts import Interrupts
from .logs import AsyncEvents, ErrorLog, Usage
from .queues import CompletionQueue, SubmissionQueue
from .transfer import TranslationClient

__all__ = ["Controller"]

RDY, CFS = 1 << 0, 1 << 1
SHUTDOWN_DONE = 2 << 2
RESET_OCCURRED = 1 << 4                 #: CSTS.NSSRO, cleared by writing 1
RESET_SUBSYSTEM = 0x4E564D65            #: "NVMe", what NSSR wants to be written
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
    DELETE_CYCLES = 200_000             #: until Delete SQ gives up what hangs: 1 ms at 200 MHz

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
                                     | doorbell_log2 << 32 | 1 << 36 | 1 << 37),
                      Register.VS: 0x00010400, Register.CC: 0, Register.CSTS: 0,
                      Register.AQA: 0, Register.ASQ: 0, Register.ACQ: 0}
        self._admin = AdminCommands(self)
        self._execution = Execution(self)
        self.features = Features(self)
        self.interrupts = Interrupts(scheduler, self.features)
        self.errors = ErrorLog()
        self.usage = Usage()
        self.events = AsyncEvents(scheduler)
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
        elif offset == Register.NSSR:
            if value == RESET_SUBSYSTEM:
                self._configure(0)
                self._regs[Register.CSTS] = RESET_OCCURRED
        elif offset == Register.AQA:
            self._regs[Register.AQA] = value & 0x0FFF0FFF
        elif offset == Register.CSTS:
            self._regs[Register.CSTS] &= ~(value & RESET_OCCURRED)
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
            self._execution.abandon(queue)
        self.sqs.clear()
        self.cqs.clear()
        self.events.reset()
        self.features.reset()
        self.interrupts.reset()
        self._regs[Register.CSTS] = 0

    def _ring(self, offset, value):
        index, rest = divmod(offset, self._stride)
        qid = index // 2
        queue = (self.cqs if index % 2 else self.sqs).get(qid) if qid <= self.queues else None
        if rest or queue is None:
            self.bad_doorbell(self.events.BAD_REGISTER)
        elif not queue.doorbell(value & 0xFFFF):
            self.bad_doorbell(self.events.BAD_VALUE)

    @property
    def ready(self):
        """Whether CSTS.RDY is 1."""
        return bool(self._regs[Register.CSTS] & RDY)

    @property
    def entry_sizes_ok(self):
        """Whether CC.IOSQES and CC.IOCQES are the 64 and 16 bytes that I/O queues need."""
        return self._regs[Register.CC] >> 16 & 0xFF == 0x46

    # -- queues --------------------------------------------------------------------------------

    def add_queue(self, queue):
        """Starts to serve a submission queue."""
        queue.completions.users += 1
        self.sqs[queue.qid] = queue
        self.scheduler.start(self._execution.serve(queue))

    async def remove_queue(self, queue):
        """Deletes a submission queue, once the commands that it has in execution are over. Those
        that hang are given up after ``DELETE_CYCLES``: they move no byte any more."""
        del self.sqs[queue.qid]
        queue.stop()
        if not await queue.idle(self.DELETE_CYCLES):
            self._execution.abandon(queue)
        queue.completions.users -= 1

    async def drain(self, pasid):
        """Returns when the I/O commands of ``pasid`` that are in execution now are over."""
        await self._execution.drain(pasid)

    def abort(self, qid, cid):
        """Ends a command in execution with ABORT_REQUESTED; returns whether there was one."""
        return self._execution.abort(qid, cid)

    def fail(self):
        """The controller cannot go on: CSTS.CFS."""
        self._regs[Register.CSTS] |= CFS

    def bad_doorbell(self, information):
        """A doorbell was rung in vain; ``information`` is of ``AsyncEvents``."""
        self.bad_doorbells += 1
        self.events.post(0, information, LogPage.ERRORS)

    async def execute_admin(self, command):
        """Executes a command of the admin queue; returns DW0."""
        return await self._admin.execute(command)
