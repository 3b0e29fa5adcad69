"""``siommu.h``: the frame in ``siommu.h.in`` with what follows from the declarations filled in."""

import re
from pathlib import Path

from siommu.arch import formats
from siommu.arch.register_map import REGISTERS, register
from siommu.generate.files import write_whole

from .formats import CONSTANTS, ENUMS, WORDS, named, others, snake, text

__all__ = ["write"]

FRAME = Path(__file__).with_name("siommu.h.in")


def _defines(rows):
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"#define {name:{width}} {value}" for name, value in rows)


def _comment(content):
    """A comment of as many lines as ``content`` needs."""
    lines, line = [], ""
    for word in content.replace("`", "").split():
        if line and len(line) + len(word) > 92:
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    if len(lines) == 1:
        return f"/*{line} */"
    return "/*\n" + "\n".join(f" *{line}" for line in lines) + "\n */"


def _registers():
    return _defines([(f"SIOMMU_REG_{entry.name}", f"0x{entry.offset:03X}u")
                     for entry in REGISTERS])


def _constants():
    rows = [(f"SIOMMU_{name}", f"{getattr(formats, name)}u") for name in CONSTANTS]
    per_page = formats.PAGE_BYTES // formats.CONTEXT_BYTES
    rows.append(("SIOMMU_CONTEXT_INDEX_BITS", f"{per_page.bit_length() - 1}u"))
    for name in ("DDT_LOG2", "CQ_LOG2", "FQ_LOG2"):
        for limit in ("minimum", "maximum"):
            value = getattr(register(name), limit)
            if value is not None:
                rows.append((f"SIOMMU_{name}_{limit[:3].upper()}", f"{value}u"))
    return _defines(rows)


def _enum(enum):
    name = enum.__name__.lower()
    width = max(len(member.name) for member in enum)
    values = "\n".join(f"\tSIOMMU_{name.upper()}_{member.name:{width}} = {member.value},"
                       for member in enum)
    return f"{_comment(text(enum))}\nenum siommu_{name} {{\n{values}\n}};"


def _names(enum):
    """A function from the value of ``enum`` to its name."""
    name = enum.__name__.lower()
    cases = "\n".join(f'\tcase SIOMMU_{name.upper()}_{member.name}:\n\t\treturn "{member.name}";'
                      for member in enum)
    return (f"/* The name, or \"?\" for a number that is none. */\n"
            f"static inline const char *siommu_{name}_name(unsigned {name})\n{{\n"
            f"\tswitch ({name}) {{\n{cases}\n\tdefault:\n\t\treturn \"?\";\n\t}}\n}}")


def _type(member):
    if member.width == 1:
        return "bool"
    return next(f"uint{bits}_t" for bits in (8, 16, 32, 64) if member.width <= bits)


def _word(struct):
    """Masks, struct, encoder and decoder of one word."""
    name = f"siommu_{snake(struct.__name__)}"
    rows = []
    for member in named(struct):
        prefix = f"{name}_{member.name}".upper()
        rows += [(f"{prefix}_SHIFT", member.low), (f"{prefix}_MASK", f"UINT64_C({member.mask:#x})")]
    rows += [(f"{name}_{kind}_MASK".upper(), f"UINT64_C({mask:#x})")
             for kind, mask in others(struct).items()]
    content, encode, decode = [], [], []
    for member in named(struct):
        field = f"{snake(struct.__name__)}_{member.name}".upper()
        content.append(f"\t{_type(member)} {member.name};")
        encode.append(f"SIOMMU_FIELD_PREP({field}, fields.{member.name})")
        decode.append(f"\tfields.{member.name} = ({_type(member)})SIOMMU_FIELD_GET({field}, word);")
    return "\n".join([
        _comment(text(struct)), _defines(rows), "",
        f"struct {name}_fields {{", *content, "};", "",
        f"static inline uint64_t {name}_encode(struct {name}_fields fields)", "{",
        "\treturn " + " |\n\t       ".join(encode) + ";", "}", "",
        f"static inline struct {name}_fields {name}_decode(uint64_t word)", "{",
        f"\tstruct {name}_fields fields;", "", *decode, "\treturn fields;", "}"])


def _words():
    return "\n\n".join("\n\n".join([f"/* §{section} */", *map(_word, structs)])
                       for section, structs in WORDS.items())


def _selectors():
    word = f"SIOMMU_{snake(formats.CommandWord0.__name__)}".upper()
    return _defines([(f"SIOMMU_{member.name}".upper(), f"{word}_{member.name}_MASK".upper())
                     for member in named(formats.CommandWord0) if member.name.startswith("by_")])


def write(path):
    """Writes the header."""
    parts = {
        "registers": _registers(),
        "constants": _constants(),
        "enums": "\n\n".join(map(_enum, ENUMS)),
        "names": "\n\n".join(map(_names, (formats.Cause, formats.Disposition))),
        "words": _words(),
        "selectors": _selectors(),
    }
    content = re.sub(r"^@(\w+)@$", lambda match: parts[match[1]], FRAME.read_text(),
                     flags=re.MULTILINE)
    write_whole(path, content)
