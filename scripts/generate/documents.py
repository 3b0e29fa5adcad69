"""``docs/registers.md`` and ``docs/formats.md``.

The registers do not go through PeakRDL's Markdown exporter: it knows neither locks and limits nor
what depends on the configuration, and splits every field off into a section of its own.
"""

import textwrap

from amaranth.lib import data

from siommu.arch import formats
from siommu.arch.register_map import COUNTERS, REGISTERS, register, root
from siommu.generate.files import write_whole

from .formats import ENUMS, WORDS, members, named, snake, text

__all__ = ["write_registers", "write_formats"]

_LOCKS = {
    "MODE": "Written only while CTRL.MODE is ABORT.",
    "CQ": "Written only while CQ_CTRL.ENABLE is 0.",
    "FQ": "Written only while FQ_CTRL.ENABLE is 0.",
}

_ACCESS = """\
| access | meaning |
|---|---|
| RW | read and write |
| RO | read only; a write answers SLVERR |
| RW1C | reads give the bit, writing 1 clears it, writing 0 does nothing |
| GO | writing 1 starts something, the core clears the bit when it is done; writing 0 does nothing |
"""


def _prose(content):
    """Paragraphs, broken into lines."""
    return "\n\n".join(textwrap.fill(paragraph, 100, break_long_words=False,
                                     break_on_hyphens=False)
                       for paragraph in content.split("\n\n"))


def _bits(field):
    return f"{field.high}:{field.low}" if field.high != field.low else str(field.low)


def _table(*rows):
    head, *rest = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rest])


def _groups():
    """The registers; words of one 64-bit value together."""
    groups = []
    for entry in REGISTERS:
        if entry.name.endswith("_HIGH") and groups[-1][0].name == entry.name[:-4] + "LOW":
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _title(entry):
    return root().top.get_child_by_name(entry.name).get_property("name")


def _reset(field):
    if field.parameter is not None:
        return f"`{field.parameter}`"
    if field.per_port and field.reset:
        return "1 for each port"
    return f"0x{field.reset:X}" if field.reset > 9 else str(field.reset)


def _values(field_node):
    """The values that a field's enumeration names, as text."""
    encode = field_node.get_property("encode")
    if encode is None:
        return ""
    return "".join(f" {value.value} {value.name}: {value.rdl_desc}" for value in encode)


def _section(group):
    first, tail = group[0], group[1:]
    name = first.name[:-4] if tail else first.name
    offsets = ", ".join(f"0x{entry.offset:03X}" for entry in group)
    title = _title(first).removesuffix(", low word")
    lines = [f"### {offsets} {name}", "", _prose(f"{title}. {first.description}")]
    if first.locked is not None:
        lines += ["", _LOCKS[first.locked]]
    rows = [("register",) * bool(tail) + ("bits", "field", "access", "reset", "meaning")]
    for entry in group:
        node = root().top.get_child_by_name(entry.name)
        for field in entry.fields:
            meaning = field.description + _values(node.get_child_by_name(field.name))
            rows.append((entry.name,) * bool(tail)
                        + (_bits(field), field.name, field.access, _reset(field), meaning))
    return "\n".join([*lines, "", _table(*rows)])


def _counters():
    rows = [("offset", "counter", "bit of COUNTER_OVERFLOW", "counts")]
    overflow = register("COUNTER_OVERFLOW")
    for name in COUNTERS:
        low = register(f"{name.upper()}_LOW")
        bit = overflow.field(name.upper()).low
        rows.append((f"0x{low.offset:03X}", name, bit, low.description))
    low, high = register(f"{COUNTERS[0].upper()}_LOW"), register(f"{COUNTERS[0].upper()}_HIGH")
    return "\n".join([
        "### Counters", "",
        _prose("64 bits each, read only, 0 at reset: the low word at the offset below (NAME_LOW), "
               "the high word 4 bytes behind it (NAME_HIGH)."), "",
        f"- Low word: {low.field('COUNT').description}",
        f"- High word: {high.field('COUNT').description}", "", _table(*rows)])


def write_registers(path):
    """The register reference."""
    counters = {f"{name.upper()}_LOW" for name in COUNTERS}
    top = root().top
    overview = [("offset", "register", "access", "title")]
    sections = []
    for group in _groups():
        first = group[0]
        if first.name in counters:
            if first.name == min(counters, key=lambda name: register(name).offset):
                sections.append(_counters())
                last = max(register(name).offset for name in counters) + 4
                overview.append((f"0x{first.offset:03X} … 0x{last:03X}", "[counters](#counters)",
                                 "RO", "64-bit counters"))
            continue
        name = first.name[:-4] if group[1:] else first.name
        overview.append((", ".join(f"0x{entry.offset:03X}" for entry in group), name,
                         first.access + (", locked" if first.locked else ""),
                         _title(first).removesuffix(", low word")))
        sections.append(_section(group))
    description = "\n\n".join(" ".join(paragraph.split())
                              for paragraph in top.get_property("desc").split("\n\n"))
    write_whole(path, "\n".join([
        "<!-- `make generate` writes this file from hdl/siommu/arch/siommu.rdl. "
        "Do not edit it. -->",
        "", "# Registers", "", _prose(description), "", _prose(
            "[specification.md](specification.md) says how software uses them; "
            "[formats.md](formats.md) lists causes, dispositions and all formats in memory. For "
            "programs there are `hdl/include/siommu.h` and, in IP-XACT, `hdl/ipxact/siommu.xml`."),
        "", _ACCESS, _prose(
            "A register is *locked* while its user is on: a write then answers SLVERR and changes "
            "nothing. A reset value in `code` is that parameter of the configuration "
            "([configuration.md](configuration.md))."), "",
        "## Overview", "", _table(*overview), "", "## Reference", "",
        "\n\n".join(sections), ""]))


def _word(struct):
    rows = [("bits", "field")]
    meaningful = named(struct)
    rows += [(_bits(member), f"`{member.name}`" if member in meaningful
              else f"*{member.name.split('_')[0]}*") for member in members(struct)]
    name = snake(struct.__name__)
    return "\n".join([f"### {struct.__name__}", "", _prose(text(struct)), "",
                      f"In C: `siommu_{name}_encode`, `siommu_{name}_decode`, "
                      f"`SIOMMU_{name.upper()}_*`.", "", _table(*rows)])


def _enum(enum):
    rows = [("value", "name")] + [(member.value, member.name) for member in enum]
    return "\n".join([f"### {enum.__name__}", "", _prose(text(enum)), "",
                      f"In C: `enum siommu_{enum.__name__.lower()}`.", "", _table(*rows)])


def _port(struct):
    rows = [("signal", "width")]
    rows += [(f"`{name}`", field.width) for name, field in data.Layout.cast(struct)]
    return "\n".join([f"### {struct.__name__}", "", _prose(text(struct)), "", _table(*rows)])


def write_formats(path):
    """The reference of everything in ``siommu.arch.formats``."""
    sections = []
    for section, structs in WORDS.items():
        sections += [f"## §{section}", *map(_word, structs)]
    sections += ["## Encodings", *map(_enum, ENUMS)]
    sections += ["## Ports", *map(_port, (formats.Request, formats.Response))]
    write_whole(path, "\n".join([
        "<!-- `make generate` writes this file from hdl/siommu/arch/formats.py. "
        "Do not edit it. -->",
        "", "# Formats", "", _prose(
            "Bit positions of everything that crosses the boundary of the core. What the fields "
            "mean is in [specification.md](specification.md), by the same section numbers and, in "
            "capitals, the same names. For C programs there is `hdl/include/siommu.h`.\n\n"
            "Words are 64 bits, little-endian in memory. *Reserved* bits must be 0, *ignored* bits "
            "may hold anything, *zero* bits are written as 0 by the core."), "",
        "\n\n".join(sections), ""]))
