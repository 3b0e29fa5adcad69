"""Builds RISC-V page tables (§3.4): Sv39, Sv48 and Sv57, for memory."""

from siommu.arch.formats import RiscvEntry, TableFormat
from siommu.arch.packing import pack

from .page_tables import PAGE, PageTable, TableError, code

__all__ = ["NAPOT_PAGES", "RiscvTable"]

NAPOT_PAGES = 16        #: pages of 4 KiB that one NAPOT mapping of 64 KiB has
NAPOT_LOW = 8           #: what the lowest four bits of its page number say
FORMATS = {3: TableFormat.SV39, 4: TableFormat.SV48, 5: TableFormat.SV57}


class RiscvTable(PageTable):
    """A memory table in the format of a RISC-V process.

    Parameters
    ----------
    memory : Memory
    levels : int
        3 (Sv39), 4 (Sv48) or 5 (Sv57).
    """

    entry_struct = RiscvEntry

    def __init__(self, memory, levels=4):
        if levels not in FORMATS:
            raise TableError(f"a RISC-V table has 3, 4 or 5 levels, not {levels}")
        self._begin(memory, levels)

    @property
    def mem_fmt(self):
        """What a context says of its format (§3.2)."""
        return FORMATS[self.levels].value

    @property
    def leaf_levels(self):
        """Levels that may have leaves: all of them."""
        return tuple(range(1, self.levels + 1))

    def _is_leaf(self, entry):
        return entry & 0b1110 != 0

    def _pointer(self, page):
        return pack(RiscvEntry, v=1, pfn=page >> 12)

    def target(self, entry):
        """The table that an entry points to."""
        return (entry >> 10 & (1 << 40) - 1) << 12

    def map(self, vaddr, paddr, n_pages=1, *, size=0, read=True, write=True, execute=False,
            user=True, accessed=True, dirty=True, napot=False, devid=None):
        """Maps ``n_pages`` leaves from ``vaddr`` to ``paddr``; see ``PageTable.map``.

        Parameters
        ----------
        size : Size or int
            The level of each leaf, less one: 3 and 4 are 512 GiB and 256 TiB.
        execute : bool
            Bit X. Of a leaf without any right it is set in any case, since without it the entry
            would be a pointer; a leaf with W has R, since without it the entry is reserved.
        napot : bool
            Of 4 KiB pages: each aligned 64 KiB of them, in both spaces, is one NAPOT mapping. The
            others are mapped as usual.
        devid : None
            There are no leaves for storage.

        Raises
        ------
        TableError
            As ``PageTable.map``.
        """
        level = code(size) + 1
        if level not in self.leaf_levels:
            raise TableError(f"Sv{9 * self.levels + 12} has no leaves of level {level}")
        if devid is not None:
            raise TableError("a RISC-V table has no leaves for storage")
        fields = dict(v=1, r=read or write, w=write, x=execute or not (read or write), u=user,
                      a=accessed, d=dirty)
        end = paddr + n_pages * PAGE
        together = napot and level == 1 and (vaddr ^ paddr) % (NAPOT_PAGES * PAGE) == 0

        def leaf(page):
            first = page // PAGE // NAPOT_PAGES * NAPOT_PAGES
            if together and paddr <= first * PAGE and (first + NAPOT_PAGES) * PAGE <= end:
                return pack(RiscvEntry, **fields, n=1, pfn=first | NAPOT_LOW)
            return pack(RiscvEntry, **fields, pfn=page // PAGE)
        self._map_leaves(vaddr, paddr, n_pages, level, leaf)

    def attach(self, vaddr, file_table, **rights):
        """A RISC-V table maps no files.

        Raises
        ------
        TableError
            In any case.
        """
        raise TableError("a RISC-V table has no leaves for storage")
