"""From a configuration to Verilog text."""

import re

from amaranth.back import verilog as _verilog
from amaranth.hdl import Const, Fragment, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig, Config
from ..bridge.top import SiommuAxiBridge
from ..lib.contract import contracts
from ..lib.cover import covers
from ..top import Siommu
from .names import plain_names, source_names

__all__ = ["bridge_verilog", "component_verilog", "plain_verilog", "verilog"]

_DIRECTIONS = {In: PortDirection.Input, Out: PortDirection.Output}
#: Yosys's dummy that each ``always @*`` reads, so that the block runs once at time 0.
_TRIGGER = re.compile(r"^(  reg )(\\\$auto\$verilog_backend\S+ ) = 0;$", re.M)
#: A block that Yosys gives no dummy, because it is a single statement.
_SINGLE = re.compile(r"^  always @\*\n    (.*;)\n", re.M)
_MODULE = re.compile(r"^module .*?^endmodule$", re.M | re.S)
#: A field of no bits, which a configuration without it has: Verilog has no such wire.
_EMPTY = re.compile(r"^  (?:wire|reg) \[-1:0\] .*;\n", re.M)


def verilog(config: Config, checked: bool = False, covered: bool = False) -> str:
    """Verilog of the module ``siommu``: the same bytes for the same configuration.

    Source locations are left out, so that the text does not depend on where it was made. All names
    are plain identifiers (see :func:`.names.plain_names`), which every tool takes.

    ``checked``: with the contracts between modules as assertions, which are SystemVerilog.
    ``covered``: with the named covers, which are SystemVerilog as well.

    A combinational block whose inputs never change must still run once. Yosys makes a dummy with
    an initial value for it to wait for; SystemVerilog simulators set initial values before any
    block waits, and would leave its outputs unknown. So the dummy is assigned in an ``initial``
    block instead, without blocking: after every block waits.
    """
    return component_verilog(Siommu(config), "siommu", checked, covered)


def bridge_verilog(config: BridgeConfig, checked: bool = False) -> str:
    """Verilog of the module ``siommu_axi_bridge`` (§9), made as :func:`verilog` makes the core."""
    return component_verilog(SiommuAxiBridge(config), "siommu_axi_bridge", checked)


def component_verilog(component, name: str, checked: bool = False, covered: bool = False) -> str:
    """Verilog of any component as the module ``name``, made as :func:`verilog` makes the core: of a
    design that has a SIOMMU in it, for instance.

    A port is called after its member; one of an interface after both, ``dev0__req__valid``.
    """
    with source_names(), contracts(checked), covers(covered):
        fragment = Fragment.get(component, None)
    ports = {"__".join(map(str, path)): (Value.cast(port), _DIRECTIONS[member.flow])
             for path, member, port in component.signature.flatten(component)
             if not isinstance(Value.cast(port), Const)}    # those say nothing
    text = _verilog.convert(fragment, name=name, emit_src=False, strip_internal_attrs=True,
                            ports=ports)
    return plain_verilog(text)


def plain_verilog(text: str) -> str:
    """``text``, Verilog as Yosys writes it for Amaranth, as tools of all kinds take it: with plain
    names, blocks that run once, and without wires of no bits."""
    text = _MODULE.sub(lambda module: _with_dummies(module[0]), text)
    return plain_names(_EMPTY.sub("", _TRIGGER.sub(r"\1\2;\n  initial \2<= 0;", text)))


def _with_dummies(module):
    """The text of a module, each of whose combinational blocks reads the dummy."""
    if not _SINGLE.search(module):
        return module
    if not _TRIGGER.search(module):
        header, end, rest = module.partition(");\n")
        module = f"{header}{end}  reg \\$auto$verilog_backend.none = 0;\n{rest}"
    dummy = _TRIGGER.search(module)[2]
    return _SINGLE.sub(lambda block: f"  always @* begin\n    if ({dummy}) begin end\n"
                                     f"    {block[1]}\n  end\n", module)
