"""Numbers and layouts of NVMe (base specification 1.4, NVM command set) that the models use."""

import struct
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Register", "Admin", "Io", "Status", "StatusType", "Identify", "Feature", "LogPage",
           "Command", "Completion", "SQE_BYTES", "CQE_BYTES", "PAGE", "DIRECT", "fault_word",
           "read_fault"]

SQE_BYTES = 64
CQE_BYTES = 16
PAGE = 4096                             #: CC.MPS = 0 is the only memory page size offered
DIRECT = 1 << 31                        #: Create I/O SQ, CDW13: the queue is direct


class Register(IntEnum):
    """Offsets of the controller registers."""

    CAP = 0x00
    VS = 0x08
    INTMS = 0x0C
    INTMC = 0x10
    CC = 0x14
    CSTS = 0x1C
    NSSR = 0x20
    AQA = 0x24
    ASQ = 0x28
    ACQ = 0x30
    DOORBELLS = 0x1000


class Admin(IntEnum):
    """Opcodes of the admin queue."""

    DELETE_SQ = 0x00
    CREATE_SQ = 0x01
    GET_LOG_PAGE = 0x02
    DELETE_CQ = 0x04
    CREATE_CQ = 0x05
    IDENTIFY = 0x06
    ABORT = 0x08
    SET_FEATURES = 0x09
    GET_FEATURES = 0x0A
    ASYNC_EVENT = 0x0C
    #: Vendor specific. Completes once every I/O command of PASID CDW10[19:0] that was fetched
    #: before it has completed; the driver needs it before it reuses revoked blocks or pages.
    DRAIN_PASID = 0xC0


class Io(IntEnum):
    """Opcodes of the I/O queues."""

    FLUSH = 0x00
    WRITE = 0x01
    READ = 0x02


class Identify(IntEnum):
    """CNS values."""

    NAMESPACE = 0x00
    CONTROLLER = 0x01
    ACTIVE_NAMESPACES = 0x02
    DESCRIPTORS = 0x03
    ATTACHED_CONTROLLERS = 0x12
    CONTROLLERS = 0x13


class Feature(IntEnum):
    """Feature identifiers."""

    ARBITRATION = 0x01
    POWER_MANAGEMENT = 0x02
    TEMPERATURE_THRESHOLD = 0x04
    ERROR_RECOVERY = 0x05
    NUMBER_OF_QUEUES = 0x07
    INTERRUPT_COALESCING = 0x08
    VECTOR_CONFIGURATION = 0x09
    WRITE_ATOMICITY = 0x0A
    ASYNC_EVENTS = 0x0B


class LogPage(IntEnum):
    """Log identifiers."""

    ERRORS = 0x01
    HEALTH = 0x02
    FIRMWARE = 0x03
    EFFECTS = 0x05


class StatusType(IntEnum):
    """SCT of a completion."""

    GENERIC = 0
    COMMAND = 1
    MEDIA = 2
    #: Vendor specific: the SIOMMU refused; SC is the cause (§5).
    SIOMMU = 7


class Status(IntEnum):
    """Status codes: SCT << 8 | SC."""

    SUCCESS = 0x000
    INVALID_OPCODE = 0x001
    INVALID_FIELD = 0x002
    ID_CONFLICT = 0x003
    DATA_TRANSFER_ERROR = 0x004
    INTERNAL_ERROR = 0x006
    ABORT_REQUESTED = 0x007
    ABORTED_SQ_DELETED = 0x008
    INVALID_NAMESPACE = 0x00B
    COMMAND_SEQUENCE_ERROR = 0x00C
    PRP_OFFSET_INVALID = 0x013
    LBA_OUT_OF_RANGE = 0x080
    CQ_INVALID = 0x100
    INVALID_QUEUE_ID = 0x101
    INVALID_QUEUE_SIZE = 0x102
    TOO_MANY_EVENTS = 0x105
    INVALID_INTERRUPT_VECTOR = 0x108
    INVALID_LOG_PAGE = 0x109
    INVALID_QUEUE_DELETION = 0x10C
    FEATURE_NOT_SAVEABLE = 0x10D


_SQE = struct.Struct("<BBHIIIQQQIIIIII")
_CQE = struct.Struct("<IIHHHH")
assert _SQE.size == SQE_BYTES and _CQE.size == CQE_BYTES


@dataclass(frozen=True)
class Command:
    """A 64-byte submission queue entry. ``flags`` holds FUSE (1:0) and PSDT (7:6)."""

    opcode: int
    cid: int = 0
    nsid: int = 0
    prp1: int = 0
    prp2: int = 0
    cdw10: int = 0
    cdw11: int = 0
    cdw12: int = 0
    cdw13: int = 0
    cdw14: int = 0
    cdw15: int = 0
    flags: int = 0
    mptr: int = 0

    def pack(self):
        """The 64 bytes."""
        return _SQE.pack(self.opcode, self.flags, self.cid, self.nsid, 0, 0, self.mptr, self.prp1,
                         self.prp2, self.cdw10, self.cdw11, self.cdw12, self.cdw13, self.cdw14,
                         self.cdw15)

    @classmethod
    def unpack(cls, data):
        """The command in 64 bytes."""
        (opcode, flags, cid, nsid, _, _, mptr, prp1, prp2, *cdws) = _SQE.unpack(data)
        return cls(opcode, cid, nsid, prp1, prp2, *cdws, flags=flags, mptr=mptr)

    @property
    def slba(self):
        """Starting LBA of a Read or Write."""
        return self.cdw11 << 32 | self.cdw10

    @property
    def blocks(self):
        """Number of logical blocks of a Read or Write (NLB counts from zero)."""
        return (self.cdw12 & 0xFFFF) + 1


@dataclass(frozen=True)
class Completion:
    """A 16-byte completion queue entry. ``status`` is SCT << 8 | SC."""

    cid: int
    status: int
    dw0: int = 0
    sq_head: int = 0
    sqid: int = 0
    phase: int = 0
    dnr: int = 0

    def pack(self):
        """The 16 bytes."""
        return _CQE.pack(self.dw0, 0, self.sq_head, self.sqid, self.cid,
                         self.phase | self.status << 1 | self.dnr << 15)

    @classmethod
    def unpack(cls, data):
        """The completion in 16 bytes."""
        dw0, _, sq_head, sqid, cid, word = _CQE.unpack(data)
        return cls(cid, word >> 1 & 0x7FF, dw0, sq_head, sqid, word & 1, word >> 15)

    @property
    def status_type(self):
        """SCT."""
        return self.status >> 8

    @property
    def status_code(self):
        """SC."""
        return self.status & 0xFF

    @property
    def ok(self):
        """Whether the command succeeded."""
        return self.status == Status.SUCCESS


def fault_word(cause, disposition, ft):
    """DW0 of a completion with status type SIOMMU: 7:0 cause, 9:8 disposition, 10 FT."""
    return cause | disposition << 8 | ft << 10


def read_fault(completion):
    """(cause, disposition, ft) of a completion that the SIOMMU caused, ``None`` of another."""
    if completion.status_type != StatusType.SIOMMU:
        return None
    return completion.dw0 & 0xFF, completion.dw0 >> 8 & 3, completion.dw0 >> 10 & 1
