import re
from types import SimpleNamespace

import pytest

from siommu.arch.config import PRESETS, Config
from siommu.arch.formats import Mode
from siommu.arch.register_map import (
    COUNTERS,
    ID,
    REGISTERS,
    VERSION,
    Field,
    Register,
    existing,
    register,
    reset_value,
    root,
)

from ...support import literals

PINS = pytest.mark.parametrize("offset, name, access, locked, reset, fields", literals.PINS,
                               ids=[pin[1] for pin in literals.PINS])


def test_nothing_else():
    """Exactly the registers of the specification, by offset."""
    assert [(entry.offset, entry.name) for entry in REGISTERS] == [
        (offset, name) for offset, name, *_ in literals.PINS]
    assert COUNTERS == literals.COUNTERS
    assert (ID, VERSION) == (0x53494F4D, 0x0001_0001)


@PINS
def test_register(offset, name, access, locked, reset, fields):
    entry = register(name)
    assert (entry.offset, entry.access, entry.locked) == (offset, access, locked)
    assert {field.name: field.mask for field in entry.fields} == fields
    assert entry.mask == sum(fields.values())
    assert reset_value(entry, Config()) == reset
    for field in entry.fields:
        expected = "GO" if (name, field.name) in literals.SELF_CLEARING else access
        assert field.access == expected, field.name


@PINS
def test_is_documented(offset, name, access, locked, reset, fields):
    entry = register(name)
    for text in (entry.description, *(field.description for field in entry.fields)):
        assert re.fullmatch(r"[A-Z0-9].*\.", text, flags=re.DOTALL), text
        assert "  " not in text


def test_limits():
    limits = {entry.name: (entry.minimum, entry.maximum) for entry in REGISTERS
              if (entry.minimum, entry.maximum) != (None, None)}
    assert limits == {"DDT_LOG2": (None, 16), "CQ_LOG2": (1, 15), "FQ_LOG2": (1, 15)}


@pytest.mark.parametrize("preset, caps0, caps1, ports", [
    ("small", 0x0008_0221, 0, 0x01),
    ("default", 0x0010_0872, 0x400, 0x07),
    ("large", 0x0020_1074, 0x1000, 0x1F),
])
def test_what_depends_on_the_configuration(preset, caps0, caps1, ports):
    config = PRESETS[preset]
    assert reset_value(register("CAPS0"), config) == caps0
    assert reset_value(register("CAPS1"), config) == caps1
    assert reset_value(register("PORT_ENABLE"), config) == ports
    assert existing(register("PORT_ENABLE"), config) == ports
    assert existing(register("PORT_STATUS"), config) == ports
    for entry in REGISTERS:
        if not entry.name.startswith("PORT_"):
            assert existing(entry, config) == entry.mask
        if not entry.name.startswith(("PORT_", "CAPS")):
            assert reset_value(entry, config) == reset_value(entry, Config())


def test_all_nine_ports():
    config = Config(device_ports=8)
    assert reset_value(register("PORT_ENABLE"), config) == 0x1FF
    assert reset_value(register("CAPS0"), config) & 0x1F == 0x18


def test_parameter_that_does_not_fit():
    config = SimpleNamespace(ports=3, device_ports=2, cpu_port=True, walks=256, tlb_entries=32,
                             riscv_tables=True)
    with pytest.raises(ValueError, match="^CAPS0.WALKS has 8 bits, and walks is 256$"):
        reset_value(register("CAPS0"), config)


def test_unknown_names():
    with pytest.raises(KeyError, match="there is no register 'CQ'"):
        register("CQ")
    with pytest.raises(KeyError, match="CTRL has no field 'GO'"):
        register("CTRL").field("GO")


def test_modes_are_those_of_the_formats():
    encode = root().top.get_child_by_name("CTRL").get_child_by_name("MODE").get_property("encode")
    assert {value.name: value.value for value in encode} == {mode.name: mode.value for mode in Mode}


def test_compiled_once():
    assert root() is root()


def test_declarations_are_values():
    field = Field("LOG2", 4, 0)
    assert (field.width, field.mask, field.access, field.reset) == (5, 0x1F, "RW", 0)
    entry = Register("X", 0, "RW", (field,))
    assert entry == Register("X", 0, "RW", (Field("LOG2", 4, 0),))
    with pytest.raises(AttributeError):
        entry.offset = 4
