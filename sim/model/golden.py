"""The golden model: §4 of the specification, step by step.

The steps are quoted word for word from docs/specification.md, each with its section, above the
lines that do them. ``tests/docs/test_quotes.py`` looks the quotations up.

The model shares with the RTL the names of causes and sizes and nothing else: bit positions and
reserved masks are written out here once more, from §3, so that a slip in the declarations shows.

What §4 says of RISC-V tables alone (§3.4) stands in :mod:`sim.model.golden_riscv`.
"""

from siommu.arch.formats import Cause, Disposition, Mode, Size

from .golden_riscv import walk_riscv
from .responses import Access, Beat, PageAnswer, ResponseError, check_response, merge_runs
from .steps import PAGE, WRAP, Fault, Walk, bit, bits, disposition, only

__all__ = ["Access", "Beat", "PageAnswer", "GoldenModel", "ResponseError", "check_response",
           "expected_record", "merge_runs"]

LEVEL_PASID = 6         # fault record levels that are no page table level (§5.1)
LEVEL_DEVICE = 7
BYPASS = "bypass"


def expected_record(access, answer, port):
    """Words 0 to 2 of the fault record (§5.1) for ``answer``, a fault of a page of ``access``.

    Whether there is a record at all is another matter: see ``PageAnswer.quiet``, and CORE_OFF.
    ``port`` is the number of the port that asked.
    """
    # §5.1: "7:0 cause; 9:8 disposition; 10 write; 11 FT; 14:12 level; 31:16 device; 51:32 pasid;
    # 59:52 tag; 63:60 port"
    word0 = (answer.cause.value | answer.disposition.value << 8 | access.write << 10
             | access.ft << 11 | answer.level << 12 | access.device << 16 | access.pasid << 32
             | access.tag << 52 | port << 60)
    return word0, answer.addr, answer.entry_addr


class GoldenModel:
    """§4 over a memory. Has no cache: every page reads every entry.

    The parameters are plain attributes, to be changed at any time.

    Parameters
    ----------
    memory : Memory
        Anything with ``read_u64(addr)`` that raises ``BusError``.
    mode : Mode or int
        ``CTRL.MODE`` (§7); 3 acts as ABORT.
    check_ad : int
        ``CTRL.CHECK_AD``.
    ddt_base, ddt_log2 : int
        The registers of these names.
    riscv_tables : bool
        Whether the core has RISC-V tables (CAPS0 bit 6).
    """

    def __init__(self, memory, mode=Mode.ABORT, check_ad=0, ddt_base=0, ddt_log2=0,
                 riscv_tables=True):
        self.memory = memory
        self.mode = mode
        self.check_ad = check_ad
        self.ddt_base = ddt_base
        self.ddt_log2 = ddt_log2
        self.riscv_tables = riscv_tables

    def translate(self, access):
        """The answers for the pages of ``access`` in order, up to and including the first fault."""
        answers = []
        for k in range(access.pages + 1):
            answers.append(self.translate_page(access, k))
            if not answers[-1].granted:
                break
        return answers

    def translate_page(self, access, k):
        """The answer for page ``k`` of ``access`` on its own, whatever the pages before it say."""
        # §4: "Page *k* of a request is the page of `addr + 4096·k` (mod 2^64)."
        addr = access.addr + PAGE * k & WRAP
        if k:
            addr &= ~(PAGE - 1)
        walk = self._begin(access, addr)
        try:
            out, read, write, size, leaf = self._translate(access, addr, walk)
        except Fault as fault:
            return PageAnswer(fault.cause, fault.disposition, addr, 0, 0, Size.PAGE_4K,
                              walk.level, walk.entry_addr, None, tuple(walk.trace), walk.quiet,
                              walk.table_format)
        return PageAnswer(Cause.OK, Disposition.DENY, out, read, write, size,
                          walk.level, walk.entry_addr, leaf, tuple(walk.trace),
                          table_format=walk.table_format)

    def _begin(self, access, addr):
        """Who reads the entries for a page. A model of a core with caches has another reader."""
        return Walk(self.memory)

    def _translate(self, access, addr, walk):
        untranslated = addr, 1, 1, Size.BYPASS, BYPASS
        mode = getattr(self.mode, "value", self.mode)
        # §7: "3 acts as ABORT"
        # §4.1: "`CTRL.MODE` = 0 (ABORT) → CORE_OFF."
        if mode in (0, 3):
            raise Fault(Cause.CORE_OFF)
        # §4.1: "MODE = 2 (BYPASS) → granted, address unchanged, read = write = 1, size 3."
        if mode == 2:
            return untranslated
        # §4.1: "MODE = 1 goes on."
        device = self._device(access, walk)
        # §4.2: "Its BYPASS bit → granted as in step 1."
        if bit(device[0], 4 if access.ft else 3):
            return untranslated
        context = self._context(access, device, walk)
        return self._walk_table(access, addr, context, bits(device[1], 9, 0), walk)

    def _device(self, access, walk):
        # §4.2: "DEVICE ≥ 2^DDT_LOG2 → DEVICE_INVALID."
        if access.device >= 1 << self.ddt_log2:
            raise Fault(Cause.DEVICE_INVALID)
        # §4.2: "Read the device entry."
        # §3.1: "`DDT_BASE` + 16 × DEVICE"
        device = walk.read(LEVEL_DEVICE, self.ddt_base + 16 * access.device, 2)
        # §4.2: "V = 0 → DEVICE_INVALID."
        if not bit(device[0], 0):
            raise Fault(Cause.DEVICE_INVALID)
        # §3.1: "faults of this device are answered but not recorded (nor counted as lost)"
        # It counts from here on: of an entry that is not valid, or could not be read, no bit says
        # anything.
        walk.quiet = bit(device[0], 5)
        # §4.2: "A reserved bit → ENTRY_RESERVED."
        # §3.1: "0, 1 or 2 directory levels above the contexts; 3 is reserved"
        if (not only(device[0], (7, 0), (51, 12)) or not only(device[1], (9, 0))
                or bits(device[0], 7, 6) == 3):
            raise Fault(Cause.ENTRY_RESERVED)
        # §4.2: "The request's FT not enabled → FT_DISABLED."
        if not bit(device[0], 2 if access.ft else 1):
            raise Fault(Cause.FT_DISABLED)
        return device

    def _context(self, access, device, walk):
        levels = bits(device[0], 7, 6)
        base = bits(device[0], 51, 12) << 12
        # §4.3: "PASID out of reach → PASID_INVALID."
        if access.pasid >= 1 << (7, 16, 20)[levels]:
            walk.nowhere()
            raise Fault(Cause.PASID_INVALID)
        # §3.2: "With PDT_LEVELS = 1, PASID[15:7] indexes one page of 512 directory entries; with 2,
        # PASID[19:16] indexes a page whose first 16 entries point to such pages."
        for level in range(levels, 0, -1):
            index = bits(access.pasid, 19, 16) if level == 2 else bits(access.pasid, 15, 7)
            (entry,) = walk.read(LEVEL_PASID, base + 8 * index, 1)
            # §4.3: "Walk the directory: V = 0 → PASID_INVALID;"
            if not bit(entry, 0):
                raise Fault(Cause.PASID_INVALID)
            # §4.3: "reserved bits → ENTRY_RESERVED."
            if not only(entry, (0, 0), (51, 12)):
                raise Fault(Cause.ENTRY_RESERVED)
            base = bits(entry, 51, 12) << 12
        # §3.2: "A context is 32 bytes; 128 of them fill a page, indexed by PASID[6:0]."
        context = walk.read(LEVEL_PASID, base + 32 * bits(access.pasid, 6, 0), 4)
        # §4.3: "Read the context: reserved bits → ENTRY_RESERVED;"
        if self._reserved_in_context(context):
            raise Fault(Cause.ENTRY_RESERVED)
        # §4.3: "absent → PASID_INVALID or TABLE_ABSENT."
        # §3.2: "A context with MEM_V = 0 and STO_V = 0 is PASID_INVALID; one whose needed root
        # alone is absent is TABLE_ABSENT."
        if not bit(context[0], 0) and not bit(context[1], 0):
            raise Fault(Cause.PASID_INVALID)
        if not bit(context[1 if access.ft else 0], 0):
            raise Fault(Cause.TABLE_ABSENT)
        return context

    def _reserved_in_context(self, context):
        mem_v, mem_l5, mem_fmt = bit(context[0], 0), bit(context[0], 1), bits(context[0], 3, 2)
        # §3.2: "In a core without RISC-V tables a MEM_FMT ≠ 0 always does."
        if mem_fmt and not self.riscv_tables:
            return True
        # §3.2: "with MEM_V = 1, MEM_FMT ≠ 0 beside MEM_L5 = 1 counts as a reserved bit, for
        # requests of either FT."
        # §3.2: "With MEM_V = 0, MEM_L5, MEM_FMT and MEM_ABSENT are ignored;"
        if mem_v and mem_fmt and mem_l5:
            return True
        # §3.2: "All other bits are reserved."
        # So the storage root has no format: its bits 3:2 are.
        return (not only(context[0], (3, 0), (51, 12)) or not only(context[1], (1, 0), (51, 12))
                or not only(context[2], (5, 0)) or context[3] != 0)

    def _walk_table(self, access, addr, context, devid, walk):
        # §3.2: "format of the memory table: 0 = §3.3; 1 = Sv39, 2 = Sv48, 3 = Sv57 (§3.4)."
        if not access.ft and bits(context[0], 3, 2):
            return walk_riscv(access, addr, context, self.check_ad, walk)
        root = context[1 if access.ft else 0]
        # §5: "READ_DENIED and WRITE_DENIED from the context"
        deny = disposition(bits(context[2], 3, 2) if access.ft else bits(context[2], 1, 0))
        # §3.2: "disposition of NOT_PRESENT, FT = 0. 0 = that of the entry; 1 = OS, 2 = REMAP
        # whatever the entry says; 3 = DENY."
        absent = 0 if access.ft else bits(context[2], 5, 4)
        depth = 5 if bit(root, 1) else 4
        # §4.4: "The address is not canonical for the table's depth (bits 63:38, 63:47 or 63:56, for
        # 3, 4 or 5 levels, not all equal) → NON_CANONICAL."
        # No table of this format has 3 levels.
        sign = addr >> (56 if depth == 5 else 47)
        if sign not in (0, WRAP >> (56 if depth == 5 else 47)):
            walk.nowhere()
            raise Fault(Cause.NON_CANONICAL)
        # §4.5: "From the root down, at each level:"
        base, no_read, writable = bits(root, 51, 12) << 12, 0, 1
        for level in range(depth, 0, -1):
            # §3.3: "level *k* is indexed by address bits `12+9(k-1)+8 : 12+9(k-1)`"
            shift = 12 + 9 * (level - 1)
            entry_addr = base + 8 * bits(addr, shift + 8, shift)
            (entry,) = walk.read(level, entry_addr, 1)
            # §4.5: "P = 0 (V = 0) → NOT_PRESENT."
            # §3.3: "If 0, bits 2:1 are the entry's disposition (§5) and every other bit is
            # software's"
            # §5: "NOT_PRESENT takes it from bits 2:1 of the entry, in either format, unless
            # MEM_ABSENT says otherwise;"
            if not bit(entry, 0):
                raise Fault(Cause.NOT_PRESENT, disposition(absent or bits(entry, 2, 1)))
            # §4.5: "A reserved bit → ENTRY_RESERVED."
            # §3.3: "at level 2 or 3: this is a leaf (2 MiB, 1 GiB). At levels 4 and 5 reserved. At
            # level 1 ignored"
            # §3.3: "In a 2 MiB (1 GiB) leaf bits 20:13 (29:13) are reserved and bit 12 is ignored"
            large = bit(entry, 7) and level > 1
            if large and (level >= 4 or bits(entry, shift - 1, 13)):
                raise Fault(Cause.ENTRY_RESERVED)
            # §4.5: "U = 0 → SUPERVISOR."
            if not bit(entry, 2):
                raise Fault(Cause.SUPERVISOR)
            # §4.5: "CHECK_AD and A = 0 → ACCESS_FLAG."
            # §5: "ACCESS_FLAG is REMAP"
            if self.check_ad and not bit(entry, 5):
                raise Fault(Cause.ACCESS_FLAG, Disposition.REMAP)
            # §3.3: "writes allowed (AND over all levels)"
            writable &= bit(entry, 1)
            # §3.3: "no read (OR over all levels), looked at for FT = 1 only"
            no_read |= bit(entry, 9) & access.ft
            # §4.5: "Leaf? go to 6, else descend."
            if level == 1 or large:
                break
            base = bits(entry, 51, 12) << 12
        # §4.6: "Leaf: FT differs → FT_MISMATCH."
        if bit(entry, 10) != access.ft:
            raise Fault(Cause.FT_MISMATCH)
        # §4.6: "FT = 1 and DEVID differs → DEVICE_MISMATCH."
        if access.ft and bits(entry, 61, 52) != devid:
            raise Fault(Cause.DEVICE_MISMATCH)
        # §4.6: "A read with NR set anywhere on the path (FT = 1 only) → READ_DENIED."
        if not access.write and no_read:
            raise Fault(Cause.READ_DENIED, deny)
        # §4.6: "A write with W = 0 anywhere on the path → WRITE_DENIED."
        if access.write and not writable:
            raise Fault(Cause.WRITE_DENIED, deny)
        # §4.6: "CHECK_AD and a write and D = 0 → ACCESS_FLAG."
        if self.check_ad and access.write and not bit(entry, 6):
            raise Fault(Cause.ACCESS_FLAG, Disposition.REMAP)
        # §4.7: "Granted: `PFN · 4096 + offset`, with the offset of the leaf's size; read = not NR,
        # write = W over the path."
        # Below the leaf's size only the offset counts: bit 12 of a large leaf is ignored, the bits
        # above it are 0.
        target = bits(entry, 51, shift) << shift | bits(addr, shift - 1, 0)
        return target, 1 - no_read, writable, Size(level - 1), entry_addr & WRAP
