"""The exported Verilog as Yosys sees it: processes and memories as cells, and all in one module."""

import re

__all__ = ["PREPARE", "WRITE", "behind_its_ports"]

#: Commands of Yosys in front of what looks at cells. Numbers in the names of cells follow from the
#: text. A table that is no memory of the source stays logic.
PREPARE = "read_verilog siommu.v; hierarchy -top siommu; proc -norom; memory_collect"
#: Commands behind ``flatten``; the file's name follows. A net of several drivers is split: where a
#: bit of it led to another one, Verilator would evaluate in circles, twenty times slower.
WRITE = "opt_clean; splitnets -driver; opt_clean; write_verilog -noattr"
_HEADER = re.compile(r"^module siommu\((.*?)\);\n", re.M | re.S)
_PORT = re.compile(r"^  (?:input|output) (?:\[\d+:0\] )?(\w+);\n", re.M)


def behind_its_ports(verilog):
    """The flattened design, a text, inside of a module of its ports: what is in the uppermost one,
    the test bench may look at, so that Verilator leaves all of it there, several times slower."""
    header, ports = _HEADER.search(verilog), list(_PORT.finditer(verilog))
    names = [port[1] for port in ports]
    if [name.strip() for name in header[1].split(",")] != names:
        raise ValueError("the header of siommu and its ports differ")
    outside = [header[0], *(port[0] for port in ports), "  flattened flattened (",
               ", ".join(f".{name}({name})" for name in names), ");\nendmodule\n"]
    return verilog.replace("module siommu(", "module flattened(", 1) + "".join(outside)
