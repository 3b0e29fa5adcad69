"""What the steps of the golden model have in common: bits of words, faults, reads of entries."""

from siommu.arch.formats import Cause, Disposition

from ..memory import BusError

__all__ = ["Fault", "PAGE", "WRAP", "Walk", "bit", "bits", "disposition", "only"]

PAGE = 4096
WRAP = (1 << 64) - 1


def bit(value, index):
    """Bit ``index`` of ``value``."""
    return value >> index & 1


def bits(value, high, low):
    """Bits ``high`` to ``low`` of ``value``, both included."""
    return value >> low & ((1 << (high - low + 1)) - 1)


def only(value, *fields):
    """Whether ``value`` has no bit set outside of ``fields``, (high, low) pairs."""
    for high, low in fields:
        value &= ~(((1 << (high - low + 1)) - 1) << low)
    return value == 0


def disposition(code):
    """The disposition ``code`` of a table, as it is reported."""
    # §5: "3 is reported as 0"
    return Disposition(code if code != 3 else 0)


class Fault(Exception):
    """A step of §4 has failed."""

    def __init__(self, cause, disposition=Disposition.DENY):
        super().__init__(cause.name)
        self.cause = cause
        self.disposition = disposition


class Walk:
    """The entry that is being looked at, and all that were."""

    table_format = 0        #: MEM_FMT of the table that is walked (§3.2)

    def __init__(self, memory):
        self.memory = memory
        self.level = 0
        self.entry_addr = 0
        self.trace = []
        self.quiet = 0

    def read(self, level, addr, words):
        """The words of the entry at ``addr``."""
        # §5.1: "Level and word 2 describe the entry at which §4 ended"
        self.level, self.entry_addr = level, addr & WRAP
        self.trace.append(self.entry_addr)
        try:
            return [self.memory.read_u64(addr + 8 * index & WRAP) for index in range(words)]
        except BusError:
            # §4: "Any table read that the memory answers with SLVERR or DECERR → TABLE_ERROR."
            raise Fault(Cause.TABLE_ERROR) from None

    def nowhere(self):
        """No entry was read that decides."""
        # §5.1: "both are 0 where none was read"
        self.level = self.entry_addr = 0
