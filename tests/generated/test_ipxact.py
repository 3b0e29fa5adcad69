"""The IP-XACT description, read back."""

from xml.etree import ElementTree

from scripts.generate import ROOT
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
