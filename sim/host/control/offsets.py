"""Register offsets and status bits (§7), by name, from the declaration of the registers."""

from enum import IntEnum, IntFlag

from siommu.arch.register_map import COUNTERS, REGISTERS, register

__all__ = ["COUNTERS", "COUNTER_BASE", "CqStatus", "FqStatus", "Reg", "bit", "irq_bits"]

#: Byte offsets. A 64-bit register is a pair: ``DDT_BASE_LOW``, ``DDT_BASE_HIGH``.
Reg = IntEnum("Reg", {entry.name: entry.offset for entry in REGISTERS})

#: The counters are 8 bytes apart, in the order of ``COUNTERS``.
COUNTER_BASE = Reg.CYCLES_LOW


def _flags(name, prefix):
    return IntFlag(name, {field.name.removeprefix(prefix): field.mask
                          for field in register(f"{prefix}STATUS").fields})


#: Bits of CQ_STATUS: ILLEGAL, ERROR, FENCE.
CqStatus = _flags("CqStatus", "CQ_")
#: Bits of FQ_STATUS: OVERFLOW, ERROR, RECORD, LIMITED.
FqStatus = _flags("FqStatus", "FQ_")


def bit(name, field):
    """The mask of a field of the register ``name``."""
    return register(name).field(field).mask


def irq_bits(status):
    """The bits of IRQ_ENABLE for members of ``CqStatus`` or ``FqStatus``."""
    prefix = "CQ_" if isinstance(status, CqStatus) else "FQ_"
    return sum(bit("IRQ_ENABLE", prefix + flag.name) for flag in type(status) if flag in status)
