"""The admin commands of the emulated controller."""

from ...memory import BusError
from .defs import DIRECT, PAGE, Admin, Status
from .identify import identify_data
from .logs import log_data
from .queues import CompletionQueue, SubmissionQueue
from .transfer import CommandError, gather_prps

__all__ = ["AdminCommands"]

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
            Admin.GET_LOG_PAGE: self._log,
            Admin.SET_FEATURES: self._set_features,
            Admin.GET_FEATURES: self._get_features,
            Admin.ASYNC_EVENT: self._async_event,
            Admin.ABORT: self._abort,
            Admin.DRAIN_PASID: self._drain,
        }

    async def execute(self, command):
        """Executes a command; returns its result. A ``CommandError`` holds a failure's status."""
        handler = self._handlers.get(command.opcode)
        if handler is None:
            raise CommandError(Status.INVALID_OPCODE)
        return await handler(command) or 0

    # -- data to the host ----------------------------------------------------------------------

    async def _identify(self, command):
        await self._store(command, identify_data(self._controller, command))

    async def _log(self, command):
        data = log_data(self._controller, command)
        await self._store(command, data)
        self._controller.events.has_read(command)

    async def _store(self, command, data):
        controller = self._controller
        pages = await gather_prps(controller.client, controller.sqs[0], controller.memory, command,
                                  len(data), write=True)
        try:
            for addr, part in pages:
                controller.memory.write(addr, data[:part])
                data = data[part:]
        except BusError:
            raise CommandError(Status.DATA_TRANSFER_ERROR, dnr=0) from None

    # -- queues --------------------------------------------------------------------------------

    def _ring(self, command, known):
        """Checks what both Create commands have in common; returns (qid, base, size)."""
        controller = self._controller
        qid, size = command.cdw10 & 0xFFFF, (command.cdw10 >> 16) + 1
        if not 1 <= qid <= controller.features.queues or qid in known:
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
        if completions is None or not 0 < completions.qid <= controller.queues:
            raise CommandError(Status.CQ_INVALID)
        if command.cdw13 & ~(DIRECT | PASID_MASK):
            raise CommandError(Status.INVALID_FIELD)
        controller.add_queue(SubmissionQueue(
            controller.scheduler, controller.memory, qid, base, size, completions,
            direct=bool(command.cdw13 & DIRECT), pasid=command.cdw13 & PASID_MASK))

    async def _delete_sq(self, command):
        queue = self._controller.sqs.get(command.cdw10 & 0xFFFF)
        if queue is None or not 0 < queue.qid <= self._controller.queues:
            raise CommandError(Status.INVALID_QUEUE_ID)
        await self._controller.remove_queue(queue)

    async def _delete_cq(self, command):
        queue = self._controller.cqs.get(command.cdw10 & 0xFFFF)
        if queue is None or not 0 < queue.qid <= self._controller.queues:
            raise CommandError(Status.INVALID_QUEUE_ID)
        if queue.users:
            raise CommandError(Status.INVALID_QUEUE_DELETION)
        del self._controller.cqs[queue.qid]

    # -- the rest ------------------------------------------------------------------------------

    async def _get_features(self, command):
        return self._controller.features.get(command)

    async def _set_features(self, command):
        return self._controller.features.set(command)

    async def _async_event(self, command):
        return await self._controller.events.request(command)

    async def _abort(self, command):
        # DW0 bit 0: the command was not aborted.
        return int(not self._controller.abort(command.cdw10 & 0xFFFF, command.cdw10 >> 16))

    async def _drain(self, command):
        if command.cdw10 & ~PASID_MASK:
            raise CommandError(Status.INVALID_FIELD)
        await self._controller.drain(command.cdw10)
