"""Where requests enter (§2.1). No input of a port reaches an output of any port combinationally."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..arch.formats import Request
from ..lib.contract import require
from ..lib.queues import PairQueue

__all__ = ["SOFTWARE_DEPTH", "Ingress", "PortIngress", "SoftwareIngress"]

SOFTWARE_DEPTH = 2      #: requests that software has outstanding, at most: see ``SoftwarePort``


class Ingress(wiring.Signature):
    """The entrance of one port.

    Members
    -------
    port : In(stream.Signature(Request))
        ``P_req_*``.
    requests : Out(stream.Signature(Request))
        To the arbiter.
    stays : Out(1)
        A request will be offered in the next cycle even if one is taken in this one.
    enable : In(1)
        ``PORT_ENABLE`` (§7): a disabled port accepts nothing.
    retired : In(1)
        The last beat of a request has left the port.
    active : Out(1)
        Requests are outstanding (``PORT_STATUS``).
    """

    def __init__(self):
        super().__init__({
            "port": In(stream.Signature(Request)),
            "requests": Out(stream.Signature(Request)),
            "stays": Out(1),
            "enable": In(1),
            "retired": In(1),
            "active": Out(1),
        })


class PortIngress(wiring.Component):
    """Takes requests from one port and keeps account of those that are not answered.

    ``port`` is ready while it is enabled, fewer than two requests wait here, and fewer than
    ``depth`` are outstanding; ``ready`` comes from registers. Latency: a request is offered on
    ``requests`` in the cycle after its handshake.

    Parameters
    ----------
    depth : int
        Requests that may be outstanding.

    Members
    -------
    Those of :class:`Ingress`.
    """

    def __init__(self, depth):
        self._depth = depth
        super().__init__(Ingress())

    def elaborate(self, platform):
        m = Module()
        m.submodules.waiting = waiting = PairQueue(Request)
        open_, taken, full = Signal(), Signal(), Signal()
        outstanding = _outstanding(m, self, self._depth)
        m.d.comb += [
            open_.eq(self.enable & ~full),
            self.port.ready.eq(open_ & waiting.w.ready),
            waiting.w.valid.eq(open_ & self.port.valid),
            waiting.w.payload.eq(self.port.payload),
            taken.eq(self.port.valid & self.port.ready),
            self.stays.eq(waiting.stays),
        ]
        connect(m, waiting.r, flipped(self.requests))
        # What will be left is compared before it is known whether a request comes.
        with m.If(taken):
            m.d.sync += full.eq((outstanding == self._depth - 1) & ~self.retired)
        with m.Elif(self.retired):
            m.d.sync += full.eq(0)
        return m


class SoftwareIngress(wiring.Component):
    """The entrance of software's requests, which come from registers and are few: they need not
    wait here. ``port.ready`` is combinational from ``requests.ready``.

    Members
    -------
    Those of :class:`Ingress`. Software's port is always enabled.
    """

    def __init__(self):
        super().__init__(Ingress())

    def elaborate(self, platform):
        m = Module()
        connect(m, flipped(self.port), flipped(self.requests))
        _outstanding(m, self, SOFTWARE_DEPTH)
        return m


def _outstanding(m, ingress, depth):
    """How many requests are not answered: a register."""
    outstanding, port = Signal(range(depth + 1), name="outstanding"), ingress.port
    m.d.comb += ingress.active.eq(outstanding.any())
    m.d.sync += outstanding.eq(outstanding + (port.valid & port.ready) - ingress.retired)
    require(m, ~ingress.retired | outstanding.any(),
            "a port's request is outstanding until its last beat has left")
    return outstanding
