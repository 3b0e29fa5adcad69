"""Builds the device directory (§3.1) and the PASID directory with its contexts (§3.2)."""

from siommu.arch.formats import (
    Absent,
    ContextDeny,
    ContextRoot,
    DeviceWord0,
    DeviceWord1,
    DirectoryEntry,
    Disposition,
)
from siommu.arch.packing import pack

from .page_tables import ADDR, TableError, code, page_number

__all__ = ["DeviceDirectory", "PasidDirectory"]

PAGE = 4096


class DeviceDirectory:
    """The device directory (§3.1), for DEVICE < 2^``log2``.

    Parameters
    ----------
    memory : Memory
    log2 : int
        ``DDT_LOG2``, 0..16.

    Attributes
    ----------
    base : int
        ``DDT_BASE``.
    """

    def __init__(self, memory, log2=8):
        if not 0 <= log2 <= 16:
            raise TableError(f"the device directory's log2 is {log2}; choose 0 to 16")
        self.memory = memory
        self.log2 = log2
        self.base = memory.alloc_pages(max(1, (16 << log2) // PAGE))

    def entry_address(self, device):
        """Physical address of the 16-byte entry of ``device``."""
        if not 0 <= device < 1 << self.log2:
            raise TableError(f"device {device:#x} lies outside of a directory of "
                             f"2^{self.log2} entries")
        return self.base + 16 * device

    def set(self, device, *, devid=0, pasids=None, mem=True, sto=True, mem_bypass=False,
            sto_bypass=False, quiet=False):
        """Writes the entry of ``device``.

        ``pasids`` is its ``PasidDirectory`` (``None``: page 0, of use with bypass only); ``mem``
        and ``sto`` are MEM_EN and STO_EN; the others have the names of §3.1.
        """
        addr = self.entry_address(device)
        word = pack(DeviceWord0, v=1, mem_en=mem, sto_en=sto, mem_bypass=mem_bypass,
                    sto_bypass=sto_bypass, quiet=quiet,
                    pdt_levels=pasids.levels if pasids else 0,
                    pdt_pfn=page_number(pasids.base, "the PASID directory") if pasids else 0)
        # The valid bit comes last, so that a walk never sees half an entry.
        self.memory.write_u64(addr + 8, pack(DeviceWord1, devid=devid))
        self.memory.write_u64(addr, word)

    def remove(self, device):
        """Makes the entry of ``device`` invalid."""
        self.memory.write(self.entry_address(device), bytes(16))


class PasidDirectory:
    """A PASID directory and its contexts (§3.2).

    Parameters
    ----------
    memory : Memory
    levels : int
        ``PDT_LEVELS``: 0, 1 or 2 directory levels, for PASIDs of 7, 16 or 20 bits.

    Attributes
    ----------
    base : int
        Address of the top page, ``PDT_PFN`` · 4096.
    """

    def __init__(self, memory, levels=1):
        if levels not in (0, 1, 2):
            raise TableError(f"a PASID directory has 0, 1 or 2 levels, not {levels}")
        self.memory = memory
        self.levels = levels
        self.base = memory.alloc_pages()

    def _check(self, pasid):
        bits = (7, 16, 20)[self.levels]
        if not 0 <= pasid < 1 << bits:
            raise TableError(f"PASID {pasid:#x} is out of reach of {self.levels} directory levels "
                             f"({bits} bits)")

    def entry_address(self, pasid, level, *, create=False):
        """Address of the directory entry of ``pasid`` at ``level`` (1, 2), ``None`` if absent."""
        self._check(pasid)
        if not 1 <= level <= self.levels:
            raise TableError(f"this PASID directory has no level {level}")
        base = self.base
        for above in range(self.levels, level - 1, -1):
            addr = base + 8 * (pasid >> 16 if above == 2 else pasid >> 7 & 511)
            if above == level:
                return addr
            base = self._next(addr, create)
            if base is None:
                return None

    def _next(self, addr, create):
        entry = self.memory.read_u64(addr)
        if not entry & 1:
            if not create:
                return None
            entry = pack(DirectoryEntry, v=1, pfn=self.memory.alloc_pages() >> 12)
            self.memory.write_u64(addr, entry)
        return entry & ADDR

    def context_address(self, pasid, *, create=False):
        """Address of the 32-byte context of ``pasid``; ``None`` if its page does not exist."""
        self._check(pasid)
        base = self.base
        if self.levels:
            addr = self.entry_address(pasid, 1, create=create)
            base = self._next(addr, create) if addr is not None else None
        return None if base is None else base + 32 * (pasid & 127)

    def set(self, pasid, *, mem=None, sto=None, mem_deny=Disposition.DENY,
            sto_deny=Disposition.DENY, mem_absent=Absent.BY_ENTRY):
        """Writes the context of ``pasid``: its tables (``PageTable`` or ``None``), dispositions."""
        addr = self.context_address(pasid, create=True)

        if sto and sto.mem_fmt:
            raise TableError("a storage table has the format of §3.3, not that of RISC-V")

        def root(table):
            return pack(ContextRoot, v=1, l5=table.levels == 5 and not table.mem_fmt,
                        fmt=table.mem_fmt, root=table.root >> 12) if table else 0
        self.memory.write(addr, b"".join(word.to_bytes(8, "little") for word in (
            root(mem), root(sto),
            pack(ContextDeny, mem_deny=code(mem_deny), sto_deny=code(sto_deny),
                 mem_absent=code(mem_absent)), 0)))

    def remove(self, pasid):
        """Empties the context of ``pasid``, if it exists."""
        addr = self.context_address(pasid)
        if addr is not None:
            self.memory.write(addr, bytes(32))
