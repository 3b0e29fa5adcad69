"""How many records each port may add to the fault queue (FQ_QUOTA, §5.1)."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..pipeline.sizes import PORT_BITS

__all__ = ["QUOTA_BITS", "RecordQuota"]

QUOTA_BITS = 16     #: of FQ_QUOTA


class RecordQuota(wiring.Component):
    """Counts the records that each port has added, up to 2^16.

    Parameters
    ----------
    config : Config

    Members
    -------
    port : In(PORT_BITS), ports : Out(ports)
        The port of the fault that is to be decided about; the same, one-hot.
    adds : In(1)
        A record of it is added.
    renews : In(1)
        Every port may add ``quota`` records again.
    quota : In(QUOTA_BITS)
        0: there is no limit.
    spent : Out(1)
        In the second cycle behind the port: it may add no more.
    """

    def __init__(self, config: Config):
        self._ports = config.ports
        super().__init__({
            "port": In(PORT_BITS),
            "ports": Out(config.ports),
            "adds": In(1),
            "renews": In(1),
            "quota": In(QUOTA_BITS),
            "spent": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        added, of_port = Signal(QUOTA_BITS + 1), 0
        for number, chosen in enumerate(self.ports):
            used = Signal(len(added), name=f"used_{number}")
            m.d.comb += chosen.eq((self.port == number) if self._ports > 1 else 1)
            with m.If(self.adds & chosen & ~used[-1]):
                m.d.sync += used.eq(used + 1)
            with m.If(self.renews):
                m.d.sync += used.eq(0)
            of_port = of_port | (used & chosen.replicate(len(used)))
        m.d.sync += [added.eq(of_port),
                     self.spent.eq((added >= self.quota) & self.quota.any())]
        return m
