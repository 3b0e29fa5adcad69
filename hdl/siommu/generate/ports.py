# amaranth: UnusedElaboratable=no
"""The Verilog modules by their configurations: names, and ports as their components declare them.
"""

from dataclasses import dataclass

from amaranth.lib import wiring

from ..arch.config import BridgeConfig
from ..bridge.top import SiommuAxiBridge
from ..top import Siommu

__all__ = ["Port", "module_of", "ports_of"]


@dataclass(frozen=True)
class Port:
    """A port of a module.

    Parameters
    ----------
    name : str
    direction : "in" or "out"
    width : int
    """

    name: str
    direction: str
    width: int


def module_of(config):
    """The name of the module that is made of a ``Config`` or a ``BridgeConfig``."""
    return "siommu_axi_bridge" if isinstance(config, BridgeConfig) else "siommu"


def ports_of(config):
    """The ports of that module, clock and reset first."""
    component = SiommuAxiBridge if isinstance(config, BridgeConfig) else Siommu
    return [Port("clk", "in", 1), Port("rst", "in", 1), *(
        Port(name, "in" if member.flow == wiring.In else "out", member.shape)
        for name, member in component(config).signature.members.items())]
