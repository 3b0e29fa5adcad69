"""The fault handler: an interrupt, records from the fault queue, and what each of them asks for."""

from collections import Counter, deque
from dataclasses import dataclass

from siommu.arch.formats import Disposition

from ..control import FaultRecord

__all__ = ["FaultEntry", "FaultHandler"]

PAGE = 4096
AROUND = 16                             #: pages mapped for one fault, aligned to as many
KEPT = 1000                             #: entries of the log


@dataclass(frozen=True)
class FaultEntry:
    """A line of the fault log.

    Parameters
    ----------
    record : FaultRecord
    process : str
        Name of the process, or ``"-"`` if the PASID is nobody's.
    outcome : str
        ``"refused"``, ``"left to the kernel"``, ``"mapped"``, or ``"no such memory"``.
    """

    record: FaultRecord
    process: str
    outcome: str


class FaultHandler:
    """Handles recorded faults by disposition.

    DENY is noted for the process. OS is noted as well: the device's owner will come and ask for
    the transfer. REMAP maps the page, and its neighbours in the same buffer, if the process has
    such memory. The device got its answer long ago, so nobody waits for the handler but a user
    library that wants to try again.

    Parameters
    ----------
    kernel : Kernel
    queue : FaultQueue

    Attributes
    ----------
    log : deque of FaultEntry
        The last ones.
    outcomes : Counter
        How often each outcome was.
    """

    def __init__(self, kernel, queue):
        self.kernel = kernel
        self.queue = queue
        self.log = deque(maxlen=KEPT)
        self.outcomes = Counter()

    async def run(self):
        """Handles faults for ever."""
        while True:
            for record in await self.queue.wait():
                self.handle(record)

    def handle(self, record):
        """Does what one record asks for."""
        process = self.kernel.processes.get(record.pasid)
        outcome = "refused"
        if record.disposition is Disposition.OS:
            outcome = "left to the kernel"
        elif record.disposition is Disposition.REMAP:
            outcome = self._remap(process, record)
        entry = FaultEntry(record, process.name if process else "-", outcome)
        self.log.append(entry)
        self.outcomes[outcome] += 1
        if process is not None:
            process.faults.append(entry)

    def _remap(self, process, record):
        """A record is a message from a device: nothing in it is believed but through tables."""
        if process is None or record.ft:
            return "no such memory"
        try:
            buffer = process.find(record.addr, 1)
        except OSError:
            return "no such memory"
        page = (record.addr - buffer.vaddr) // PAGE
        first = page - page % AROUND
        process.map_pages(buffer, range(first, min(first + AROUND, len(buffer.frames))))
        process.remaps += 1
        return "mapped"
