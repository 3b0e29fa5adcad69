"""The data path of the controller: addresses of a Read or Write, and the question for them.

A *kernel* queue belongs to the operating system: its SLBAs count from the namespace's start, its
PRPs are physical, and nothing is asked. In a *direct* queue every SLBA is a virtual block address
(SLBA · LBA size is its byte address) and every PRP entry and PRP list pointer a virtual memory
address; the translator is asked for all of them before a byte of data moves. A PRP list is itself
read through a grant.
"""

from ...memory import BusError
from ...model.golden import Access
from .defs import PAGE, Io, Status, StatusType, fault_word

__all__ = ["CommandError", "TranslationClient", "gather_prps", "block_extents"]

REQUEST_PAGES = 256                     #: pages of one request at most (§2.1)
WRAP = (1 << 64) - 1


class CommandError(Exception):
    """The command ends with ``status`` (SCT << 8 | SC) and DW0 ``dw0``."""

    def __init__(self, status, dw0=0, dnr=1):
        super().__init__(f"status {status:#05x}, DW0 {dw0:#x}")
        self.status = status
        self.dw0 = dw0
        self.dnr = dnr


class TranslationClient:
    """Asks the translator for byte ranges: splits them into requests, gathers the runs.

    Parameters
    ----------
    translator
        ``async translate(access) -> beats``.
    scheduler : Scheduler
    device : int
        Requester id of this SSD.
    depth : int
        Requests outstanding at most (1..256); each has a tag of its own.
    """

    def __init__(self, translator, scheduler, device, depth=32):
        if not 1 <= depth <= 256:
            raise ValueError(f"depth is {depth}; tags allow 1 to 256")
        self._translator = translator
        self._scheduler = scheduler
        self._device = device
        self._tags = list(range(depth))
        self._free = scheduler.event()

    async def ask(self, ft, write, pasid, ranges):
        """Translates ``ranges``, (address, length) pairs in bytes, in parallel.

        Returns the (physical address, length) extents in the order of the bytes.

        Raises
        ------
        CommandError
            The first range that is not granted in full.
        """
        tasks = [self._scheduler.start(self._request(ft, write, pasid, addr, length))
                 for start, total in ranges for addr, length in _requests(start, total)]
        # All are awaited before the first fault counts: none is left behind in the core.
        results = [await task for task in tasks]
        extents = []
        for result in results:
            if isinstance(result, CommandError):
                raise result
            for addr, length in result:
                if extents and sum(extents[-1]) == addr:
                    extents[-1] = extents[-1][0], extents[-1][1] + length
                else:
                    extents.append((addr, length))
        return extents

    async def _request(self, ft, write, pasid, addr, length):
        while not self._tags:
            self._free.clear()
            await self._free.wait()
        tag = self._tags.pop(0)
        pages = (addr % PAGE + length - 1) // PAGE
        access = Access(ft, write, self._device, pasid, addr, pages, tag)
        try:
            return _extents(access, length, await self._translator.translate(access))
        except CommandError as error:
            return error
        finally:
            self._tags.append(tag)
            self._free.set()


def _requests(addr, length):
    """Splits a byte range into ranges of at most 256 pages."""
    while length:
        part = min(length, REQUEST_PAGES * PAGE - addr % PAGE)
        yield addr, part
        addr = addr + part & WRAP
        length -= part


def _extents(access, length, beats):
    """The granted extents of a request of ``length`` bytes, which must cover all of them."""
    extents = []
    for index, beat in enumerate(beats):
        if beat.tag != access.tag or beat.last != int(index == len(beats) - 1):
            raise CommandError(Status.INTERNAL_ERROR)
        if beat.cause:
            raise CommandError(StatusType.SIOMMU << 8 | beat.cause,
                               fault_word(beat.cause, beat.disposition, access.ft),
                               int(beat.disposition == 0))
        if not (beat.write if access.write else beat.read):
            raise CommandError(Status.INTERNAL_ERROR)
        part = min(length, (beat.pages + 1) * PAGE - beat.addr % PAGE)
        extents.append((beat.addr, part))
        length -= part
    if length:
        raise CommandError(Status.INTERNAL_ERROR)
    return extents


async def block_extents(client, queue, namespace, command):
    """The (byte address, length) extents on the device that a Read or Write touches."""
    start = command.slba * namespace.lba_bytes
    length = command.blocks * namespace.lba_bytes
    if not queue.direct:
        if command.slba + command.blocks > namespace.blocks:
            raise CommandError(Status.LBA_OUT_OF_RANGE)
        return [(namespace.start + start, length)]
    if start + length > 1 << 64:
        raise CommandError(Status.LBA_OUT_OF_RANGE)
    extents = await client.ask(1, int(command.opcode == Io.WRITE), queue.pasid, [(start, length)])
    # The namespaces share the DEVID: a grant for another one's blocks is not for this command.
    if not all(namespace.holds(pba, part) for pba, part in extents):
        raise CommandError(Status.LBA_OUT_OF_RANGE)
    return extents


async def gather_prps(client, queue, memory, command, length, write):
    """The physical (address, length) extents of main memory that PRP1 and PRP2 describe.

    ``write``: the SSD writes that memory (a Read command).
    """
    ranges = []

    def add(addr, part):
        if ranges and sum(ranges[-1]) == addr:
            ranges[-1] = ranges[-1][0], ranges[-1][1] + part
        else:
            ranges.append((addr, part))

    if command.prp1 % 4:
        raise CommandError(Status.PRP_OFFSET_INVALID)
    part = min(length, PAGE - command.prp1 % PAGE)
    add(command.prp1, part)
    length -= part
    if 0 < length <= PAGE:
        if command.prp2 % PAGE:
            raise CommandError(Status.PRP_OFFSET_INVALID)
        add(command.prp2, length)
    elif length:
        pointer = command.prp2
        if pointer % 8:
            raise CommandError(Status.PRP_OFFSET_INVALID)
        while length:
            # The last entry of a list page points to the next page, if more entries are needed.
            needed = -(-length // PAGE)
            room = (PAGE - pointer % PAGE) // 8
            entries = await _read_list(client, queue, memory, pointer, min(needed, room))
            pointer = entries.pop() if needed > room else None
            if any(entry % PAGE for entry in entries) or (pointer or 0) % PAGE:
                raise CommandError(Status.PRP_OFFSET_INVALID)
            for entry in entries:
                part = min(length, PAGE)
                add(entry, part)
                length -= part
    if not queue.direct:
        return ranges
    return await client.ask(0, int(write), queue.pasid, ranges)


async def _read_list(client, queue, memory, pointer, count):
    extents = [(pointer, 8 * count)]
    if queue.direct:
        extents = await client.ask(0, 0, queue.pasid, extents)
    try:
        data = b"".join(memory.read(addr, length) for addr, length in extents)
    except BusError:
        raise CommandError(Status.DATA_TRANSFER_ERROR, dnr=0) from None
    return [int.from_bytes(data[index:index + 8], "little") for index in range(0, len(data), 8)]
