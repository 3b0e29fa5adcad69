"""The registers (§7) as ``siommu.rdl`` declares them.

The file is compiled once, when this module is imported. :data:`REGISTERS` is what came out; RTL
and tests read it. ``root()`` is the compiler's own tree, from which C header, IP-XACT and
documentation are made (``make generate``).
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from systemrdl import RDLCompiler
from systemrdl.node import FieldNode
from systemrdl.rdltypes import OnWriteType

from .config import Config

__all__ = ["SOURCE", "Field", "Register", "REGISTERS", "COUNTERS", "ID", "VERSION",
           "DDT_LOG2_MAX", "register", "reset_value", "existing", "root"]

#: The declaration.
SOURCE = Path(__file__).with_name("siommu.rdl")


@dataclass(frozen=True)
class Field:
    """Bits ``high`` to ``low`` of a register.

    Parameters
    ----------
    name : str
    high, low : int
        First and last bit, both included.
    reset : int
        Value after reset, where the configuration does not decide (see :func:`reset_value`).
    access : str
        ``"RW"``; ``"RO"``; ``"RW1C"``, where writing 1 clears a bit; or ``"GO"``, where writing 1
        starts something and the core clears the bit when it is done.
    description : str
    parameter : str or None
        Parameter of the configuration that the field shows instead of ``reset``.
    per_port : bool
        Bit *i* belongs to port *i*, and exists if the port does.
    """

    name: str
    high: int
    low: int
    reset: int = 0
    access: str = "RW"
    description: str = ""
    parameter: str | None = None
    per_port: bool = False

    @property
    def width(self):
        """Number of bits."""
        return self.high - self.low + 1

    @property
    def mask(self):
        """The field's bits in the register."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """A register of 32 bits.

    Parameters
    ----------
    name : str
    offset : int
        In bytes.
    access : str
        ``"RO"`` or ``"RW1C"`` if all fields are; else ``"RW"``.
    fields : tuple of Field
        From bit 0 upwards.
    locked : None, "MODE", "CQ" or "FQ"
        Who must be off for a write to be accepted: the translation (MODE is ABORT), the command
        queue or the fault queue.
    minimum, maximum : int or None
        A smaller (larger) number that is written is stored as this.
    description : str
    """

    name: str
    offset: int
    access: str
    fields: tuple
    locked: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    description: str = ""

    @property
    def mask(self):
        """The bits that exist, with all ports; all others read 0."""
        return sum(field.mask for field in self.fields)

    def field(self, name):
        """The field called ``name``.

        Raises
        ------
        KeyError
            There is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}")


@functools.cache
def root():
    """The root of the compiled SystemRDL tree; its ``top`` is the address map."""
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate()


def _text(description):
    """A description with its paragraphs in one line each, without the indentation of the source."""
    paragraphs = re.split(r"\n\s*\n", (description or "").strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _field_access(node: FieldNode):
    if not node.is_sw_writable:
        return "RO"
    return {OnWriteType.woclr: "RW1C", OnWriteType.woset: "GO"}.get(
        node.get_property("onwrite"), "RW")


def _field(node):
    return Field(node.inst_name, node.high, node.low, node.get_property("reset") or 0,
                 _field_access(node), _text(node.get_property("desc")),
                 node.get_property("parameter"), bool(node.get_property("per_port")))


def _register(node):
    fields = tuple(sorted((_field(field) for field in node.fields()), key=lambda field: field.low))
    kinds = {field.access for field in fields}
    access = kinds.pop() if kinds in ({"RO"}, {"RW1C"}) else "RW"
    return Register(node.inst_name, node.absolute_address, access, fields,
                    node.get_property("locked_by"), node.get_property("minimum"),
                    node.get_property("maximum"), _text(node.get_property("desc")))


#: Every register, by ascending offset.
REGISTERS = tuple(sorted((_register(node) for node in root().top.registers()),
                         key=lambda entry: entry.offset))

_BY_NAME = {entry.name: entry for entry in REGISTERS}


def register(name):
    """The register called ``name``.

    Raises
    ------
    KeyError
        There is none.
    """
    if name not in _BY_NAME:
        raise KeyError(f"there is no register {name!r}")
    return _BY_NAME[name]


#: Names of the counters, in the order of their registers and of the bits of COUNTER_OVERFLOW.
COUNTERS = tuple(field.name.lower() for field in register("COUNTER_OVERFLOW").fields)


def existing(entry, config: Config):
    """The bits of the register ``entry`` that a core of this configuration has."""
    ports = (1 << config.ports) - 1
    mask = 0
    for field in entry.fields:
        mask |= field.mask & (ports << field.low if field.per_port else ~0)
    return mask


def reset_value(entry, config: Config):
    """What the register ``entry`` reads after reset, and always if it is a constant.

    Raises
    ------
    ValueError
        A parameter of the configuration does not fit into the field that shows it.
    """
    value = 0
    for field in entry.fields:
        content = field.reset
        if field.parameter is not None:
            content = int(getattr(config, field.parameter))
            if content >> field.width:
                raise ValueError(f"{entry.name}.{field.name} has {field.width} bits, "
                                 f"and {field.parameter} is {content}")
        value |= content << field.low
    return value & existing(entry, config)


ID = register("ID").field("ID").reset
VERSION = reset_value(register("VERSION"), Config())
DDT_LOG2_MAX = register("DDT_LOG2").maximum
