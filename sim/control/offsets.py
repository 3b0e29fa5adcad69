"""Register offsets and status bits (§7), as the driver and the model of the control plane use
them.

This is the one place in ``sim`` that holds them.
"""

from enum import IntEnum, IntFlag

__all__ = ["Reg", "CqStatus", "FqStatus", "IRQ_COUNTER", "COUNTERS", "COUNTER_BASE"]


class Reg(IntEnum):
    """Byte offsets. Of 64-bit registers this is the low word; the high word is at + 4."""

    ID = 0x000
    VERSION = 0x004
    CAPS0 = 0x008
    CAPS1 = 0x00C
    CTRL = 0x010
    STATUS = 0x014
    DDT_BASE = 0x018
    DDT_LOG2 = 0x020
    CQ_BASE = 0x028
    CQ_LOG2 = 0x030
    CQ_HEAD = 0x034
    CQ_TAIL = 0x038
    CQ_CTRL = 0x03C
    CQ_STATUS = 0x040
    FQ_BASE = 0x048
    FQ_LOG2 = 0x050
    FQ_HEAD = 0x054
    FQ_TAIL = 0x058
    FQ_CTRL = 0x05C
    FQ_STATUS = 0x060
    IRQ_ENABLE = 0x064
    PORT_ENABLE = 0x068
    PORT_STATUS = 0x06C
    FQ_QUOTA = 0x070
    DBG_ADDR = 0x080
    DBG_SOURCE = 0x088
    DBG_PASID = 0x08C
    DBG_CTRL = 0x090
    DBG_RESULT = 0x094
    DBG_PHYS = 0x098
    COUNTER_CTRL = 0x1F8
    COUNTER_OVERFLOW = 0x1FC


class CqStatus(IntFlag):
    """Bits of CQ_STATUS, and of IRQ_ENABLE[2:0]."""

    ILLEGAL = 1
    ERROR = 2
    FENCE = 4


class FqStatus(IntFlag):
    """Bits of FQ_STATUS; IRQ_ENABLE[7:4] has the same, shifted by 4."""

    OVERFLOW = 1
    ERROR = 2
    RECORD = 4
    LIMITED = 8


IRQ_COUNTER = 1 << 8                    #: IRQ_ENABLE: a counter has overflowed

COUNTER_BASE = 0x100
#: The counters in the order of their offsets, 8 bytes apart.
COUNTERS = ("cycles", "requests", "pages", "l1_hits", "l2_hits", "misses", "walks", "table_reads",
            "faults", "faults_lost", "invalidations", "fences", "prefetches", "miss_cycles",
            "stall_cycles")
