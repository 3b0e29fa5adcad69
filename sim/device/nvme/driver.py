"""The host's side of NVMe: queue pairs, and a driver that brings a controller up."""

from .defs import (
    CQE_BYTES,
    DIRECT,
    PAGE,
    SQE_BYTES,
    Admin,
    Command,
    Completion,
    Feature,
    Identify,
    Register,
    Status,
)

__all__ = ["AdminError", "Driver", "QueuePair", "prp_pages"]


class AdminError(RuntimeError):
    """The controller refused an admin command. ``status`` is SCT << 8 | SC."""

    def __init__(self, command, status):
        def name(kind, code):
            return kind(code).name if code in list(kind) else f"{code:#x}"
        super().__init__(f"admin command {name(Admin, command.opcode)} failed with "
                         f"{name(Status, status)}")
        self.status = status


def prp_pages(addr, length):
    """Page addresses of a buffer after its first page, as PRP2 or a PRP list needs them."""
    return list(range(addr - addr % PAGE + PAGE, addr + length, PAGE))


class QueuePair:
    """A submission and a completion ring in host memory, with their doorbells.

    Any number of tasks may ``submit`` at once. Completions are found by polling the phase bit, as
    a user library does that must not enter the kernel.

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
    controller : Controller
        Only its doorbells are written.
    qid, entries : int
    sq, cq : int
        Physical addresses of the rings; both are cleared.
    poll : int
        Cycles between two looks at the completion ring; may be changed at any time.
    """

    def __init__(self, scheduler, memory, controller, qid, entries, sq, cq, poll=8):
        self.qid = qid
        self.entries = entries
        self.sq = sq
        self.cq = cq
        self._scheduler = scheduler
        self._memory = memory
        self._controller = controller
        self.poll = poll
        self._tail = 0
        self._sq_head = 0
        self._cq_head = 0
        self._phase = 1
        self._waiting = {}              # cid -> event
        self._done = {}                 # cid -> Completion
        self._cids = list(range(entries - 1))
        self._room = scheduler.event()
        self._polling = False
        memory.write(sq, bytes(SQE_BYTES * entries))
        memory.write(cq, bytes(CQE_BYTES * entries))

    async def submit(self, command):
        """Sends ``command`` (its CID is chosen here) and returns its ``Completion``."""
        while not self._cids:
            self._room.clear()
            await self._room.wait()
        cid = self._cids.pop(0)
        event = self._waiting[cid] = self._scheduler.event()
        data = Command(**{**command.__dict__, "cid": cid}).pack()
        self._memory.write(self.sq + SQE_BYTES * self._tail, data)
        self._tail = (self._tail + 1) % self.entries
        self._controller.write_register(self._controller.doorbell_offset(self.qid), self._tail)
        if not self._polling:
            self._polling = True
            self._scheduler.start(self._poll_completions())
        await event.wait()
        self._cids.append(cid)
        self._room.set()
        return self._done.pop(cid)

    async def _poll_completions(self):
        while self._waiting:
            entry = self._memory.read(self.cq + CQE_BYTES * self._cq_head, CQE_BYTES)
            completion = Completion.unpack(entry)
            if completion.phase != self._phase:
                await self._scheduler.delay(self.poll)
                continue
            self._cq_head = (self._cq_head + 1) % self.entries
            if self._cq_head == 0:
                self._phase ^= 1
            self._controller.write_register(self._controller.doorbell_offset(self.qid, True),
                                            self._cq_head)
            self._done[completion.cid] = completion
            self._waiting.pop(completion.cid).set()
        self._polling = False

    def abandon(self):
        """Ends the waiting for completions that will never come (the queue was deleted)."""
        for cid, event in list(self._waiting.items()):
            self._done[cid] = Completion(cid, int(Status.ABORTED_SQ_DELETED))
            event.set()
        self._waiting.clear()


class Driver:
    """Brings a controller up and manages its queues.

    Parameters
    ----------
    scheduler : Scheduler
    memory : Memory
        Rings and data pages are allocated here.
    controller : Controller
    entries : int
        Entries of every ring.
    poll : int
        Cycles between two looks at a completion ring.
    """

    def __init__(self, scheduler, memory, controller, entries=64, poll=8):
        self._scheduler = scheduler
        self._memory = memory
        self.controller = controller
        self._entries = entries
        self._poll = poll
        self._admin = None
        self._free_qids = []
        self.namespaces = {}            # nsid -> (blocks, LBA bytes)
        self.max_transfer = 0           # bytes

    def _pair(self, qid):
        ring = -(-SQE_BYTES * self._entries // PAGE)
        return QueuePair(self._scheduler, self._memory, self.controller, qid, self._entries,
                         self._memory.alloc_pages(ring), self._memory.alloc_pages(ring),
                         self._poll)

    async def start(self):
        """The usual start: disable, admin queue, enable, wait for ready, Identify, queue count."""
        controller = self.controller
        controller.write_register(Register.CC, 0)
        await self._wait_ready(0)
        self._admin = self._pair(0)
        controller.write_register(Register.AQA, (self._entries - 1) * 0x10001)
        controller.write_register(Register.ASQ, self._admin.sq, 8)
        controller.write_register(Register.ACQ, self._admin.cq, 8)
        controller.write_register(Register.CC, 1 | 6 << 16 | 4 << 20)
        await self._wait_ready(1)
        identity = await self.identify(Identify.CONTROLLER)
        self.max_transfer = PAGE << identity[77] if identity[77] else 1 << 27
        active = await self.identify(Identify.ACTIVE_NAMESPACES)
        for index in range(0, PAGE, 4):
            nsid = int.from_bytes(active[index:index + 4], "little")
            if not nsid:
                break
            data = await self.identify(Identify.NAMESPACE, nsid)
            lba_format = int.from_bytes(data[128 + 4 * (data[26] & 15):][:4], "little")
            self.namespaces[nsid] = (int.from_bytes(data[:8], "little"),
                                     1 << (lba_format >> 16 & 0xFF))
        granted = await self.admin(Command(Admin.SET_FEATURES, cdw10=Feature.NUMBER_OF_QUEUES,
                                           cdw11=0x00FF00FF))
        self._free_qids = list(range(1, min(granted & 0xFFFF, granted >> 16) + 2))

    async def _wait_ready(self, ready):
        for _ in range(1000):
            status = self.controller.read_register(Register.CSTS)
            if status & 2:
                raise RuntimeError("the controller reports a fatal error (CSTS.CFS)")
            if status & 1 == ready:
                return
            await self._scheduler.delay(self._poll)
        raise TimeoutError(f"the controller does not reach CSTS.RDY = {ready}")

    async def admin(self, command):
        """Executes an admin command and returns DW0.

        Raises
        ------
        AdminError
            It failed.
        """
        completion = await self._admin.submit(command)
        if not completion.ok:
            raise AdminError(command, completion.status)
        return completion.dw0

    async def identify(self, kind, nsid=0):
        """The 4096 bytes of Identify with CNS ``kind``."""
        page = self._memory.alloc_pages()
        try:
            await self.admin(Command(Admin.IDENTIFY, nsid=nsid, prp1=page, cdw10=int(kind)))
            return self._memory.read(page, PAGE)
        finally:
            self._memory.free(page)

    async def create_queue(self, pasid=0, direct=False):
        """A new I/O queue pair, bound to ``pasid``; direct, or the kernel's."""
        if not self._free_qids:
            raise RuntimeError("the controller has no I/O queue left")
        qid = self._free_qids.pop(0)
        pair = self._pair(qid)
        size = qid | self._entries - 1 << 16
        await self.admin(Command(Admin.CREATE_CQ, prp1=pair.cq, cdw10=size, cdw11=1))
        await self.admin(Command(Admin.CREATE_SQ, prp1=pair.sq, cdw10=size, cdw11=qid << 16 | 1,
                                 cdw13=pasid | (DIRECT if direct else 0)))
        return pair

    async def delete_queue(self, pair):
        """Deletes an I/O queue pair; commands still in it end as aborted."""
        await self.admin(Command(Admin.DELETE_SQ, cdw10=pair.qid))
        await self.admin(Command(Admin.DELETE_CQ, cdw10=pair.qid))
        pair.abandon()
        ring = -(-SQE_BYTES * self._entries // PAGE)
        self._memory.free(pair.sq, ring)
        self._memory.free(pair.cq, ring)
        self._free_qids.append(pair.qid)

    async def drain(self, pasid):
        """Returns when no I/O command of ``pasid`` that was fetched before is in execution."""
        await self.admin(Command(Admin.DRAIN_PASID, cdw10=pasid))
