"""The IP-XACT component (IEEE 1685-2014): registers from their declaration, and beside them the bus
interfaces and ports of the module of the preset `default`.

AXI4 and AXI4-Lite are Arm's definitions. For clock, reset and interrupts no neutral definitions are
published; the ones that most tools know are AMD's.
"""

from xml.etree import ElementTree

from peakrdl_ipxact.exporter import IPXACTExporter

from siommu import Config
from siommu.arch.register_map import register, root
from siommu.generate.files import whole
from siommu.generate.ports import ports_of

__all__ = ["INTERFACES", "write"]

NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
AMBA, SIGNAL = ("amba.com", "AMBA4"), ("xilinx.com", "signal")
AXI4, AXI4_LITE = (*AMBA, "AXI4", "r0p0_0"), (*AMBA, "AXI4-Lite", "r0p0_0")
CLOCK, RESET, INTERRUPT = ((*SIGNAL, name, "1.0") for name in ("clock", "reset", "interrupt"))

#: Name to (type, "master" or "slave", prefix of the ports or the one port, logical name of that).
INTERFACES = {
    "m_axi": (AXI4, "master", "m_axi_", None),
    "s_axil": (AXI4_LITE, "slave", "s_axil_", None),
    "clk": (CLOCK, "slave", "clk", "CLK"),
    "rst": (RESET, "slave", "rst", "RST"),
    "irq_command": (INTERRUPT, "master", "irq_command", "INTERRUPT"),
    "irq_fault": (INTERRUPT, "master", "irq_fault", "INTERRUPT"),
    "irq_counter": (INTERRUPT, "master", "irq_counter", "INTERRUPT"),
}
#: Parameters of an interface: the reset is active high; the clock is that of both buses.
PARAMETERS = {"rst": {"POLARITY": "ACTIVE_HIGH"}, "clk": {"ASSOCIATED_BUSIF": "m_axi:s_axil",
                                                          "ASSOCIATED_RESET": "rst"},
              **{name: {"SENSITIVITY": "LEVEL_HIGH"} for name in INTERFACES if "irq" in name}}


def _add(parent, tag, text=None, **attributes):
    node = ElementTree.SubElement(parent, f"{{{NAMESPACE}}}{tag}", attributes)
    node.text = text
    return node


def _interface(parent, name, ports):
    kind, role, prefix, logical = INTERFACES[name]
    node = _add(parent, "busInterface")
    _add(node, "name", name)
    vendor, library, bus, version = kind
    _add(node, "busType", vendor=vendor, library=library, name=bus, version=version)
    abstraction = _add(_add(node, "abstractionTypes"), "abstractionType")
    _add(abstraction, "abstractionRef", vendor=vendor, library=library, name=f"{bus}_rtl",
         version=version)
    maps = _add(abstraction, "portMaps")
    for port in (each.name for each in ports):
        if port == prefix or logical is None and port.startswith(prefix):
            entry = _add(maps, "portMap")
            _add(_add(entry, "logicalPort"), "name",
                 logical or port.removeprefix(prefix).upper())
            _add(_add(entry, "physicalPort"), "name", port)
    side = _add(node, role)
    if bus == "AXI4-Lite":
        _add(side, "memoryMapRef", memoryMapRef="siommu_mmap")
    if name in PARAMETERS:
        parameters = _add(node, "parameters")
        for key, value in PARAMETERS[name].items():
            parameter = _add(parameters, "parameter", parameterId=f"{name}_{key}")
            _add(parameter, "name", key)
            _add(parameter, "value", value)


def _model(component, ports):
    model = _add(component, "model")
    view = _add(_add(model, "views"), "view")
    _add(view, "name", "verilog")
    _add(view, "componentInstantiationRef", "siommu")
    instance = _add(_add(model, "instantiations"), "componentInstantiation")
    _add(instance, "name", "siommu")
    _add(instance, "language", "Verilog")
    _add(instance, "moduleName", "siommu")
    parent = _add(model, "ports")
    for each in ports:
        port = _add(parent, "port")
        _add(port, "name", each.name)
        wire = _add(port, "wire")
        _add(wire, "direction", each.direction)
        if each.width > 1:
            vector = _add(_add(wire, "vectors"), "vector")
            _add(vector, "left", str(each.width - 1))
            _add(vector, "right", "0")


def write(path):
    """Writes the component to ``path``."""
    version = register("VERSION")
    exporter = IPXACTExporter(
        vendor="siommu", library="siommu",
        version=f"{version.field('MAJOR').reset}.{version.field('MINOR').reset}")
    ports = ports_of(Config())
    with whole(path) as scratch:
        exporter.export(root().top, str(scratch))
        ElementTree.register_namespace("ipxact", NAMESPACE)
        tree = ElementTree.parse(scratch)
        component = tree.getroot()
        interfaces = ElementTree.Element(f"{{{NAMESPACE}}}busInterfaces")
        for name in INTERFACES:
            _interface(interfaces, name, ports)
        maps = component.find(f"{{{NAMESPACE}}}memoryMaps")
        component.insert(list(component).index(maps), interfaces)
        _model(component, ports)
        ElementTree.indent(tree)
        tree.write(scratch, encoding="UTF-8", xml_declaration=True)
