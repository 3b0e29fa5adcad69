"""The admin commands of the emulated controller."""

from ...memory import BusError
from .defs import DIRECT, PAGE, Admin, Feature, Identify, Status
from .queues import CompletionQueue, SubmissionQueue
from .transfer import CommandError

__all__ = ["AdminCommands"]

MODEL = "SIOMMU emulated SSD"
PASID_MASK = (1 << 20) - 1


class AdminCommands:
    """Executes admin commands for ``controller``.

    ``execute`` returns DW0 of the completion. The admin queue is the kernel's: its PRPs are
    physical addresses.
    """

    def __init__(self, controller):
        self._controller = controller
        self._handlers = {
            Admin.IDENTIFY: self._identify,
            Admin.CREATE_CQ: self._create_cq,
            Admin.CREATE_SQ: self._create_sq,
            Admin.DELETE_CQ: self._delete_cq,
            Admin.DELETE_SQ: self._delete_sq,
            Admin.SET_FEATURES: self._features,
            Admin.GET_FEATURES: self._features,
            Admin.ABORT: self._abort,
            Admin.DRAIN_PASID: self._drain,
        }

    async def execute(self, command):
        """Executes a command; returns its result. A ``CommandError`` holds a failure's status."""
        handler = self._handlers.get(command.opcode)
        if handler is None:
            raise CommandError(Status.INVALID_OPCODE)
        return await handler(command) or 0

    # -- Identify ------------------------------------------------------------------------------

    async def _identify(self, command):
        page = bytearray(PAGE)
        namespaces = self._controller.media.namespaces
        kind = command.cdw10 & 0xFF
        if kind == Identify.CONTROLLER:
            self._identify_controller(page)
        elif kind == Identify.NAMESPACE:
            if command.nsid not in namespaces:
                raise CommandError(Status.INVALID_NAMESPACE)
            self._identify_namespace(page, namespaces[command.nsid])
        elif kind == Identify.ACTIVE_NAMESPACES:
            if command.nsid >= 0xFFFFFFFE:
                raise CommandError(Status.INVALID_NAMESPACE)
            above = [nsid for nsid in sorted(namespaces) if nsid > command.nsid]
            for index, nsid in enumerate(above[:PAGE // 4]):
                page[4 * index:4 * index + 4] = nsid.to_bytes(4, "little")
        else:
            raise CommandError(Status.INVALID_FIELD)
        self._store(command, bytes(page))

    def _identify_controller(self, page):
        page[0:2] = page[2:4] = (0x1D1D).to_bytes(2, "little")
        page[4:24] = f"{self._controller.device:04X}".ljust(20).encode()
        page[24:64] = MODEL.ljust(40).encode()
        page[64:72] = b"1.0     "
        page[77] = self._controller.mdts
        page[80:84] = (0x00010400).to_bytes(4, "little")
        page[512] = 0x66                                # SQES, CQES: exactly 64 and 16 bytes
        page[513] = 0x44
        page[516:520] = len(self._controller.media.namespaces).to_bytes(4, "little")

    @staticmethod
    def _identify_namespace(page, namespace):
        for offset in (0, 8, 16):                       # NSZE, NCAP, NUSE
            page[offset:offset + 8] = namespace.blocks.to_bytes(8, "little")
        page[130] = namespace.lba_bytes.bit_length() - 1        # LBAF0.LBADS, the one in use

    def _store(self, command, data):
        # PRP1 may have an offset, then PRP2 is the second page; there is never a list.
        first = PAGE - command.prp1 % PAGE
        if command.prp1 % 4 or (first < len(data) and command.prp2 % PAGE):
            raise CommandError(Status.PRP_OFFSET_INVALID)
        try:
            self._controller.memory.write(command.prp1, data[:first])
            self._controller.memory.write(command.prp2, data[first:])
        except BusError:
            raise CommandError(Status.DATA_TRANSFER_ERROR, dnr=0) from None

    # -- queues --------------------------------------------------------------------------------

    def _ring(self, command, known):
        """Checks what both Create commands have in common; returns (qid, base, size)."""
        controller = self._controller
        qid, size = command.cdw10 & 0xFFFF, (command.cdw10 >> 16) + 1
        if not 1 <= qid <= controller.queues or qid in known:
            raise CommandError(Status.INVALID_QUEUE_ID)
        if not 2 <= size <= controller.QUEUE_ENTRIES:
            raise CommandError(Status.INVALID_QUEUE_SIZE)
        if not command.cdw11 & 1 or not controller.entry_sizes_ok:      # CAP.CQR: contiguous only
            raise CommandError(Status.INVALID_FIELD)
        if command.prp1 % PAGE:
            raise CommandError(Status.PRP_OFFSET_INVALID)
        return qid, command.prp1, size

    async def _create_cq(self, command):
        controller = self._controller
        qid, base, size = self._ring(command, controller.cqs)
        vector = command.cdw11 >> 16
        if vector > controller.queues:
            raise CommandError(Status.INVALID_INTERRUPT_VECTOR)
        # The phase bits of a new ring must be 0; the driver clears the ring before (NVMe 4.6).
        controller.cqs[qid] = CompletionQueue(controller.scheduler, controller.memory, qid, base,
                                              size, vector if command.cdw11 & 2 else None)

    async def _create_sq(self, command):
        controller = self._controller
        qid, base, size = self._ring(command, controller.sqs)
        completions = controller.cqs.get(command.cdw11 >> 16)
        if completions is None or not completions.qid:
            raise CommandError(Status.CQ_INVALID)
        if command.cdw13 & ~(DIRECT | PASID_MASK):
            raise CommandError(Status.INVALID_FIELD)
        controller.add_queue(SubmissionQueue(
            controller.scheduler, controller.memory, qid, base, size, completions,
            direct=bool(command.cdw13 & DIRECT), pasid=command.cdw13 & PASID_MASK))

    async def _delete_sq(self, command):
        queue = self._controller.sqs.get(command.cdw10 & 0xFFFF)
        if queue is None or not queue.qid:
            raise CommandError(Status.INVALID_QUEUE_ID)
        await self._controller.remove_queue(queue)

    async def _delete_cq(self, command):
        queue = self._controller.cqs.get(command.cdw10 & 0xFFFF)
        if queue is None or not queue.qid:
            raise CommandError(Status.INVALID_QUEUE_ID)
        if queue.users:
            raise CommandError(Status.INVALID_QUEUE_DELETION)
        del self._controller.cqs[queue.qid]

    # -- the rest ------------------------------------------------------------------------------

    async def _features(self, command):
        if command.cdw10 & 0xFF != Feature.NUMBER_OF_QUEUES:
            raise CommandError(Status.INVALID_FIELD)
        if command.opcode == Admin.SET_FEATURES and 0xFFFF in (command.cdw11 & 0xFFFF,
                                                               command.cdw11 >> 16):
            raise CommandError(Status.INVALID_FIELD)
        # What there is, whatever was asked for; both counts are minus one.
        return (self._controller.queues - 1) * 0x10001

    async def _abort(self, command):
        return 1                                        # DW0 bit 0: the command was not aborted

    async def _drain(self, command):
        if command.cdw10 & ~PASID_MASK:
            raise CommandError(Status.INVALID_FIELD)
        await self._controller.drain(command.cdw10)
