"""The driver's side of the fault queue (§5.1)."""

from dataclasses import dataclass

from siommu.arch.formats import RECORD_BYTES, Cause, Disposition, FaultWord0
from siommu.arch.packing import pack, unpack

from .offsets import FqStatus, Reg, irq_bits

__all__ = ["FaultQueue", "FaultRecord"]

PAGE = 4096
LIMITED = FqStatus.OVERFLOW | FqStatus.LIMITED
ALL = LIMITED | FqStatus.ERROR | FqStatus.RECORD


@dataclass(frozen=True)
class FaultRecord:
    """A fault record (§5.1).

    Parameters
    ----------
    cause, disposition : Cause, Disposition
    write, ft : int
        As in the request.
    level : int
        1..5 page table, 6 PASID directory or context, 7 device directory, 0 none.
    device, pasid, tag, port : int
        Who asked.
    addr : int
        The faulting input address.
    entry : int
        Address of the table entry that decided, 0 where none did.
    cycles : int
        When.
    """

    cause: Cause
    disposition: Disposition
    write: int
    ft: int
    level: int
    device: int
    pasid: int
    tag: int
    port: int
    addr: int
    entry: int
    cycles: int = 0

    @classmethod
    def unpack(cls, data):
        """The record in 32 bytes.

        Raises
        ------
        ValueError
            A bit is set that the format does not have.
        """
        words = [int.from_bytes(data[index:index + 8], "little") for index in range(0, 32, 8)]
        fields = unpack(FaultWord0, words[0])
        if fields.pop("zero_15"):
            raise ValueError(f"word 0 of a fault record is {words[0]:#018x}: bit 15 must be 0")
        fields.update(cause=Cause(fields["cause"]), disposition=Disposition(fields["disposition"]))
        return cls(**fields, addr=words[1], entry=words[2], cycles=words[3])

    def pack(self):
        """The 32 bytes in memory."""
        word0 = pack(FaultWord0, **{name: getattr(self, name) for name in (
            "cause", "disposition", "write", "ft", "level", "device", "pasid", "tag", "port")})
        return b"".join(word.to_bytes(8, "little")
                        for word in (word0, self.addr, self.entry, self.cycles))


class FaultQueue:
    """A ring of fault records. One task may read it.

    Parameters
    ----------
    memory : Memory
        The ring is allocated there by ``start``.
    platform : Platform
    interrupts : InterruptEnable
    log2 : int
        FQ_LOG2, 1..15.
    quota : int
        FQ_QUOTA: records that one port may add between two calls of ``drain``; 0 is no limit.

    Attributes
    ----------
    base : int
        Address of the ring.
    overflows, limits, errors : int
        How often FQ_OVERFLOW, FQ_LIMITED and FQ_ERROR were found set. How many records are
        missing is in the counter ``faults_lost``.
    """

    def __init__(self, memory, platform, interrupts, *, log2=6, quota=0):
        self.base = None
        self.slots = 1 << log2
        self.overflows = self.limits = self.errors = 0
        self._memory = memory
        self._platform = platform
        self._enable = interrupts
        self._log2 = log2
        self._quota = quota
        self._head = 0

    @property
    def pages(self):
        """Addresses of the memory pages that the queue lives in."""
        return set(range(self.base, self.base + self.slots * RECORD_BYTES, PAGE))

    async def start(self):
        """Sets the queue up, empty, and switches it on."""
        write = self._platform.write
        if self.base is None:
            self.base = self._memory.alloc_pages(max(1, self.slots * RECORD_BYTES // PAGE))
        await write(Reg.FQ_CTRL, 0)
        await write(Reg.FQ_BASE_LOW, self.base & 0xFFFFFFFF)
        await write(Reg.FQ_BASE_HIGH, self.base >> 32)
        await write(Reg.FQ_LOG2, self._log2)
        await write(Reg.FQ_QUOTA, self._quota)
        await write(Reg.FQ_STATUS, int(ALL))
        await write(Reg.FQ_CTRL, 1)
        self._head = 0
        if self._platform.wait_interrupt is not None:
            await self._enable.switch(irq_bits(ALL), True)

    async def drain(self):
        """The records that have come since, oldest first. Their slots are free again.

        Recording goes on if it had stopped: FQ_ERROR is cleared, a full ring has room, and every
        port has its quota anew.
        """
        read, write = self._platform.read, self._platform.write
        # First the bits, then the tail: a record that comes after raises the interrupt again.
        status = await read(Reg.FQ_STATUS)
        if status & ~FqStatus.ERROR:
            await write(Reg.FQ_STATUS, status & ~int(FqStatus.ERROR))
        tail = await read(Reg.FQ_TAIL)
        records = []
        while self._head != tail:
            records.append(FaultRecord.unpack(
                self._memory.read(self.base + RECORD_BYTES * self._head, RECORD_BYTES)))
            self._head = (self._head + 1) % self.slots
        if records or status & LIMITED:
            await write(Reg.FQ_HEAD, self._head)
        if status & FqStatus.ERROR:
            await write(Reg.FQ_STATUS, int(FqStatus.ERROR))
        self.overflows += bool(status & FqStatus.OVERFLOW)
        self.limits += bool(status & FqStatus.LIMITED)
        self.errors += bool(status & FqStatus.ERROR)
        return records

    async def wait(self):
        """Waits for the fault interrupt, then drains. May return nothing (a lost record)."""
        await self._platform.wait_interrupt("fault")
        return await self.drain()
