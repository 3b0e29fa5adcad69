"""The core with the bridge on its port ``dev0``: Verilog that joins both, made from their ports.

The other ports of the core keep their names; so do those of the device in front of the bridge. The
bridge's side to memory is called ``d_axi``. What passes between the two is led out as ``mmu_*``,
for the watch.
"""

import re

from siommu.generate.files import write_whole

from .. import simulator

__all__ = ["TOP", "sources"]

TOP = "bridge_system"


def _ports(text, module):
    """(direction, range, name) of every port of a module."""
    body = re.search(rf"^module {module}\((.*?)^endmodule", text, re.S | re.M).group(1)
    return re.findall(r"^  (input|output)((?: \[\d+:0\])?) (\w+);$", body, re.M)


def _text(core, bridge):
    ports, connections = [], {"siommu": [], "siommu_axi_bridge": []}
    for module, text in (("siommu", core), ("siommu_axi_bridge", bridge)):
        for direction, span, name in _ports(text, module):
            outside = name
            if module == "siommu":
                outside = re.sub("^dev0_", "mmu_", name)
            elif name.startswith("m_axi_"):
                outside = name.replace("m_axi_", "d_axi_")
            connections[module].append(f".{name}({outside})")
            if outside.startswith("mmu_") and module == "siommu":
                continue                    # declared with the bridge
            if outside.startswith("mmu_"):
                direction = "output"
            port = f"{direction} wire{span} {outside}"
            if port not in ports:           # clk and rst are those of both
                ports.append(port)
    instances = "\n".join(f"{module} {module}_inside (\n    {', '.join(pins)}\n);"
                          for module, pins in connections.items())
    return f"module {TOP} (\n    " + ",\n    ".join(ports) + f"\n);\n{instances}\nendmodule\n"


def sources(config):
    """Verilog files of the system with the core ``config`` and the bridge ``default``."""
    core = simulator.verilog(config, checked=False if config == "default" else None)
    bridge = simulator.bridge_verilog()
    text = _text(core.read_text(), bridge.read_text())
    joined = simulator.BUILD / "verilog" / f"{TOP}-{config}.v"
    if not joined.exists() or joined.read_text() != text:
        write_whole(joined, text)
    return [core, bridge, joined]
