"""The SIOMMU as a part of another design in Amaranth: its ports are typed interfaces."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .arch.config import Config
from .arch.formats import Request, Response
from .bus.axi import Axi4, AxiLite
from .control_plane import ControlPlane

__all__ = ["RequestPort", "SiommuComponent"]


class RequestPort(wiring.Signature):
    """A request port (§2.1) from the side of the device that asks.

    Members
    -------
    req : Out(stream.Signature(Request)), rsp : In(stream.Signature(Response))
    """

    def __init__(self):
        super().__init__({"req": Out(stream.Signature(Request)),
                          "rsp": In(stream.Signature(Response))})


class SiommuComponent(wiring.Component):
    """The whole core, to be joined with ``connect``. What its ports do is in §2.

    ``Siommu`` is the same behind the flat names of the Verilog module.

    Parameters
    ----------
    config : Config

    Members
    -------
    P : In(RequestPort)
        For every port P of ``config.port_names``: ``dev0``, ..., ``cpu``.
    m_axi : Out(Axi4), s_axil : In(AxiLite)
        To memory, and the registers.
    irq_command, irq_fault, irq_counter : Out(1); with ``fail_stop``, irq_damage : Out(1)
    """

    def __init__(self, config: Config = Config()):
        self._config = config
        super().__init__({
            **{name: In(RequestPort()) for name in config.port_names},
            "m_axi": Out(Axi4(config.axi_id_width, config.axi_data_width)),
            "s_axil": In(AxiLite()),
            **{name: Out(1) for name in config.interrupts},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = ControlPlane(self._config)
        for index, name in enumerate(self._config.port_names):
            port = getattr(self, name)
            connect(m, flipped(port.req), control.requests[index])
            connect(m, control.responses[index], flipped(port.rsp))
        for name in ("ar", "aw", "w"):
            connect(m, getattr(control, name), flipped(getattr(self.m_axi, name)))
            connect(m, flipped(getattr(self.s_axil, name)), getattr(control, f"axil_{name}"))
        for name in ("r", "b"):
            connect(m, flipped(getattr(self.m_axi, name)), getattr(control, name))
            connect(m, getattr(control, f"axil_{name}"), flipped(getattr(self.s_axil, name)))
        m.d.comb += [getattr(self, name).eq(getattr(control, name))
                     for name in self._config.interrupts]
        return m
