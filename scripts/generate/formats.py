"""What the generated files tell of ``siommu.arch.formats``, by kind."""

import re

from amaranth.lib import data

from siommu.arch import formats
from siommu.arch.packing import field_mask
from siommu.arch.register_map import Field

__all__ = ["CONSTANTS", "ENUMS", "WORDS", "members", "named", "others", "snake", "text"]

#: Numbers that software needs.
CONSTANTS = ("PAGE_SHIFT", "PAGE_BYTES", "INDEX_BITS", "TABLE_ENTRIES", "ENTRY_BYTES",
             "DDT_ENTRY_BYTES", "CONTEXT_BYTES", "MAX_LEVEL", "DEVICE_BITS", "PASID_BITS",
             "DEVID_BITS", "COMMAND_BYTES", "RECORD_BYTES", "PREFETCH_MAX_N")

ENUMS = (formats.Cause, formats.Disposition, formats.Absent, formats.Size, formats.Mode,
         formats.Opcode, formats.TableFormat)

#: The words in memory, by the section that specifies them.
WORDS = {
    "3.1 Device directory": (formats.DeviceWord0, formats.DeviceWord1),
    "3.2 PASID directory and contexts": (formats.DirectoryEntry, formats.ContextRoot,
                                         formats.ContextDeny),
    "3.3 Page tables": (formats.TableEntry,),
    "3.4 RISC-V page tables": (formats.RiscvEntry,),
    "5.1 Fault records": (formats.FaultWord0,),
    "6 Commands": (formats.CommandWord0, formats.FenceWord0, formats.CommandAddress),
}

# Names of bits without a meaning begin so (see siommu.arch.formats).
_OTHERS = ("reserved", "ignored", "zero")


def members(struct):
    """The fields of ``struct`` from bit 0 upwards."""
    return [Field(name, field.offset + field.width - 1, field.offset)
            for name, field in data.Layout.cast(struct)]


def named(struct):
    """The fields of ``struct`` that mean something."""
    return [member for member in members(struct) if not member.name.startswith(_OTHERS)]


def others(struct):
    """Kind (``"reserved"``, …) to the mask of all bits of ``struct`` that are of that kind."""
    masks = {kind: field_mask(struct, kind) for kind in _OTHERS}
    return {kind: mask for kind, mask in masks.items() if mask}


def snake(name):
    """``DeviceWord0`` as ``device_word0``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def text(documented):
    """The docstring of ``documented`` as Markdown: paragraphs in one line each."""
    paragraphs = re.split(r"\n\s*\n", documented.__doc__.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("``", "`")
