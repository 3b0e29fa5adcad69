"""Whether software for a released register map works on today's: ``make lint`` asks.

``hdl/releases`` keeps ``siommu.rdl`` as each release had it. What is new may come beside what was
there; nothing that was there may move, change its name, or behave otherwise. A map of another major
version is not compared: that number says that it cannot be.
"""

import argparse
import sys
from pathlib import Path

from systemrdl import RDLCompileError, RDLCompiler
from systemrdl.messages import MessagePrinter, Severity

from siommu.generate.files import command

__all__ = ["HEAD", "RELEASES", "MapError", "differences", "main", "version"]

ROOT = Path(__file__).resolve().parents[1]
HEAD = ROOT / "hdl" / "siommu" / "arch" / "siommu.rdl"
RELEASES = ROOT / "hdl" / "releases"

#: What software notices of a register and of a field, beside their places; the last ones are
#: properties of our own.
OF_REGISTERS = ("regwidth", "accesswidth", "locked_by", "minimum", "maximum")
OF_FIELDS = ("sw", "onread", "onwrite", "singlepulse", "reset", "parameter", "per_port")
#: The field that counts releases may differ in its value.
COUNT = ("VERSION", "MINOR")


class MapError(ValueError):
    """A file is no register map. The message says which, and why."""


class _Messages(MessagePrinter):
    """Keeps the first error; the compiler's exception names none."""

    def __init__(self):
        self.error = None

    def print_message(self, severity, text, src_ref):
        """Takes note of a message."""
        if severity >= Severity.ERROR and self.error is None:
            self.error = text


def _top(path):
    """The address map of the file ``path``."""
    messages = _Messages()
    compiler = RDLCompiler(message_printer=messages)
    try:
        compiler.compile_file(str(path))
        top = compiler.elaborate().top
    except (RDLCompileError, FileNotFoundError) as error:
        raise MapError(f"{path} cannot be read: {messages.error or error}") from error
    if top.find_by_path(".".join(COUNT)) is None:
        raise MapError(f"{path} has no field {'.'.join(COUNT)}")
    return top


def _version(top):
    return tuple(top.find_by_path(f"VERSION.{name}").get_property("reset")
                 for name in ("MAJOR", "MINOR"))


def version(path):
    """(major, minor) of the register map in the file ``path``.

    Raises
    ------
    MapError
    """
    return _version(_top(path))


def _properties(place, old, new, names):
    for name in names:
        before, after = old.get_property(name), new.get_property(name)
        if before != after:
            yield f"{place}: {name} was {_word(before)} and is {_word(after)}"


def _word(value):
    """A value of SystemRDL as people write it."""
    return hex(value) if type(value) is int else getattr(value, "name", value)


def _codes(place, old, new):
    """Differences between the named values of a field; new names may come."""
    before, after = ({code.name: code.value for code in node.get_property("encode") or ()}
                     for node in (old, new))
    for name, value in before.items():
        if after.get(name) != value:
            yield f"{place}: the code {name} was {value} and is {after.get(name)}"


def _field(place, old, new):
    if new is None:
        yield f"{place}: there is no such field any more"
        return
    if (old.high, old.low) != (new.high, new.low):
        yield f"{place}: was bits {old.high}:{old.low} and is {new.high}:{new.low}"
    counts = tuple(place.split(".")) == COUNT
    yield from _properties(place, old, new, [name for name in OF_FIELDS
                                             if not (counts and name == "reset")])
    yield from _codes(place, old, new)


def _register(old, new):
    place = old.inst_name
    if new is None:
        yield f"{place}: there is no such register any more"
        return
    if old.absolute_address != new.absolute_address:
        yield f"{place}: was at {old.absolute_address:#05x} and is at {new.absolute_address:#05x}"
    yield from _properties(place, old, new, OF_REGISTERS)
    for field in old.fields():
        yield from _field(f"{place}.{field.inst_name}", field,
                          new.get_child_by_name(field.inst_name))


def differences(base, head=HEAD):
    """Sentences: what software for the map in the file ``base`` finds otherwise in ``head``. None
    if the major version is another one.

    Raises
    ------
    MapError
    """
    base, head = _top(base), _top(head)
    if _version(base)[0] != _version(head)[0]:
        return []
    return [text for register in base.registers()
            for text in _register(register, head.get_child_by_name(register.inst_name))]


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.compatibility",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("head", nargs="?", type=Path, default=HEAD,
                        help="the map to compare with the released ones (today's)")
    head = parser.parse_args(arguments).head
    try:
        found = [f"{base.stem}: {text}" for base in sorted(RELEASES.glob("*.rdl"))
                 for text in differences(base, head)]
    except MapError as error:
        found = [str(error)]
    for text in found:
        print(f"siommu: {text}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
