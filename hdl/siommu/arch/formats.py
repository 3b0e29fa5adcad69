"""The formats of the architecture, each declared once.

Everything that crosses a boundary of the core is declared here: the request and response of a
port (§2.1), the table entries in main memory (§3), causes and dispositions (§5), commands (§6). The
RTL, the generated files and most of the tests read these declarations. An error here would be
invisible to all of them, so two places do not: the golden model takes nothing from here but the
values of the enumerations, and writes the positions of bits out once more, and
``tests/hdl/arch/test_formats.py`` pins each declaration with literal hex vectors.

Structs have no gaps: bits that the specification calls reserved or ignored are named fields.
"""

from amaranth.lib import data, enum

__all__ = [
    "PAGE_SHIFT", "PAGE_BYTES", "TABLE_ENTRIES", "INDEX_BITS", "ENTRY_BYTES", "DDT_ENTRY_BYTES",
    "CONTEXT_BYTES", "ADDR_BITS", "PFN_BITS", "VPN_BITS", "DEVICE_BITS", "PASID_BITS", "DEVID_BITS",
    "TAG_BITS", "PAGES_BITS", "MAX_LEVEL",
    "Absent", "Cause", "Disposition", "Size", "Mode", "TableFormat", "Request", "Response",
    "DeviceWord0", "DeviceWord1", "DirectoryEntry", "ContextRoot", "ContextDeny", "TableEntry",
    "RiscvEntry", "COMMAND_BYTES", "RECORD_BYTES", "PREFETCH_MAX_N", "Opcode", "CommandWord0",
    "FenceWord0", "CommandAddress", "FaultWord0",
]

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
INDEX_BITS = 9                      #: index bits of one table level
TABLE_ENTRIES = 1 << INDEX_BITS
ENTRY_BYTES = 8                     #: a page-table or PASID-directory entry
DDT_ENTRY_BYTES = 16                #: a device directory entry (§3.1)
CONTEXT_BYTES = 32                  #: a PASID context (§3.2)
COMMAND_BYTES = 16                  #: a command (§6)
RECORD_BYTES = 32                   #: a fault record (§5.1)
PREFETCH_MAX_N = 8                  #: a PREFETCH is for at most 2^8 pages (§6)
ADDR_BITS = 64
PFN_BITS = 40                       #: physical page number: address bits 51:12
VPN_BITS = 45                       #: virtual page number of a 5-level table: address bits 56:12
DEVICE_BITS = 16
PASID_BITS = 20
DEVID_BITS = 10
TAG_BITS = 8
PAGES_BITS = 8
MAX_LEVEL = 5


class Cause(enum.Enum, shape=8):
    """Why a page was not granted (§5). ``OK`` is a grant."""

    OK = 0
    CORE_OFF = 1
    DEVICE_INVALID = 2
    FT_DISABLED = 3
    PASID_INVALID = 4
    TABLE_ABSENT = 5
    NON_CANONICAL = 6
    NOT_PRESENT = 7
    FT_MISMATCH = 8
    DEVICE_MISMATCH = 9
    READ_DENIED = 10
    WRITE_DENIED = 11
    SUPERVISOR = 12
    ENTRY_RESERVED = 13
    TABLE_ERROR = 14
    ACCESS_FLAG = 15


class Disposition(enum.Enum, shape=2):
    """How software wants a fault handled (§5). The encoding 3 is reported as ``DENY``."""

    DENY = 0
    OS = 1
    REMAP = 2


class Absent(enum.Enum, shape=2):
    """What a context says of absent entries of its memory table (§3.2): NOT_PRESENT has this
    disposition whatever the entry says, unless it is left to the entry."""

    BY_ENTRY = 0
    OS = 1
    REMAP = 2
    DENY = 3


class Size(enum.Enum, shape=2):
    """The mapping behind a run's first page (§2.1, ``rsp_size``)."""

    PAGE_4K = 0
    PAGE_2M = 1
    PAGE_1G = 2
    BYPASS = 3


class Mode(enum.Enum, shape=2):
    """``CTRL.MODE`` (§7). The encoding 3 acts as ``ABORT``."""

    ABORT = 0
    TRANSLATE = 1
    BYPASS = 2


class Request(data.Struct):
    """The payload of a request port ``P_req_*`` (§2.1)."""

    ft: 1
    write: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    addr: ADDR_BITS
    pages: PAGES_BITS
    tag: TAG_BITS


class Response(data.Struct):
    """The payload of a response port ``P_rsp_*`` (§2.1)."""

    tag: TAG_BITS
    last: 1
    cause: Cause
    disposition: Disposition
    addr: ADDR_BITS
    pages: PAGES_BITS
    read: 1
    write: 1
    size: Size


class DeviceWord0(data.Struct):
    """Word 0 of a device directory entry (§3.1)."""

    v: 1
    mem_en: 1
    sto_en: 1
    mem_bypass: 1
    sto_bypass: 1
    quiet: 1
    pdt_levels: 2
    reserved_11_8: 4
    pdt_pfn: PFN_BITS
    reserved_63_52: 12


class DeviceWord1(data.Struct):
    """Word 1 of a device directory entry (§3.1)."""

    devid: DEVID_BITS
    reserved_63_10: 54


class DirectoryEntry(data.Struct):
    """An entry of the PASID directory (§3.2)."""

    v: 1
    reserved_11_1: 11
    pfn: PFN_BITS
    reserved_63_52: 12


class TableFormat(enum.Enum, shape=2):
    """The format of a memory table (§3.2, MEM_FMT)."""

    X86 = 0
    SV39 = 1
    SV48 = 2
    SV57 = 3


class ContextRoot(data.Struct):
    """Word 0 (memory table) or word 1 (storage table) of a PASID context (§3.2). ``fmt``, a
    ``TableFormat``, is reserved in word 1, and in word 0 of a core without RISC-V tables."""

    v: 1
    l5: 1
    fmt: 2
    reserved_11_4: 8
    root: PFN_BITS
    reserved_63_52: 12


class ContextDeny(data.Struct):
    """Word 2 of a PASID context: dispositions of permission faults, and of what is absent from the
    memory table, an ``Absent`` (§3.2)."""

    mem_deny: 2
    sto_deny: 2
    mem_absent: 2
    reserved_63_6: 58


class TableEntry(data.Struct):
    """An entry of a page table, memory or file (§3.3).

    With ``p`` = 0 the bits of ``w`` and ``u`` are the entry's disposition and all others are
    software's. ``pfn`` of a 2 MiB (1 GiB) leaf has its low 9 (18) bits reserved, but for bit 0,
    which is ignored.
    """

    p: 1
    w: 1
    u: 1
    ignored_4_3: 2
    a: 1
    d: 1
    ps: 1
    ignored_8: 1
    nr: 1
    ft: 1
    ignored_11: 1
    pfn: PFN_BITS
    devid: DEVID_BITS
    ignored_63_62: 2


class RiscvEntry(data.Struct):
    """An entry of a RISC-V page table, Sv39, Sv48 or Sv57 (§3.4). With ``v`` = 0 the bits of ``r``
    and ``w`` are the entry's disposition and all others are software's. With ``r``, ``w`` and
    ``x`` = 0 it points to the next table."""

    v: 1
    r: 1
    w: 1
    x: 1
    u: 1
    ignored_5: 1
    a: 1
    d: 1
    ignored_9_8: 2
    pfn: PFN_BITS
    reserved_60_50: 11
    pbmt: 2
    n: 1


class Opcode(enum.Enum, shape=8):
    """What a command asks for (§6). Any other value is illegal."""

    INVAL_TLB = 1
    INVAL_CONTEXT = 2
    FENCE = 3
    PREFETCH = 4


class CommandWord0(data.Struct):
    """Word 0 of INVAL_TLB, INVAL_CONTEXT and PREFETCH (§6).

    The ``by_`` bits select what an INVAL goes by: only what agrees with all selected operands is
    dropped. ``n``: the command is for 2^n pages. INVAL_CONTEXT has no FT, address and ``n``,
    PREFETCH no selectors; they are ignored there.
    """

    opcode: Opcode
    by_device: 1
    by_pasid: 1
    by_ft: 1
    by_addr: 1
    ft: 1
    ignored_15_13: 3
    device: DEVICE_BITS
    pasid: PASID_BITS
    n: 6
    ignored_63_58: 6


class FenceWord0(data.Struct):
    """Word 0 of FENCE (§6): ``store`` writes ``data`` to the address in word 1, ``signal`` raises
    CQ_FENCE."""

    opcode: Opcode
    store: 1
    signal: 1
    ignored_31_10: 22
    data: 32


class CommandAddress(data.Struct):
    """Word 1 of a command (§6). ``offset`` is 0 but for the address of a fence's store."""

    offset: 12
    page: 52


class FaultWord0(data.Struct):
    """Word 0 of a fault record (§5.1). ``level`` is 1 to 5 for a page table, 6 for the PASID
    directory or a context, 7 for the device directory, 0 where no entry decided.

    Word 1 is the faulting input address, word 2 the address of the entry that ended the walk, word
    3 the value of the counter ``cycles``.
    """

    cause: Cause
    disposition: Disposition
    write: 1
    ft: 1
    level: 3
    zero_15: 1
    device: DEVICE_BITS
    pasid: PASID_BITS
    tag: TAG_BITS
    port: 4
