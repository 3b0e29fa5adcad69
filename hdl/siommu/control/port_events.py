"""What the counters (§7) hear of the ports."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGES_BITS, Cause

__all__ = ["PortEvents", "PortTap"]

#: A port, listened to: a request is ``asked`` for ``pages`` + 1, or has to wait (``stalls``); a
#: beat is ``answered``, with this ``cause``.
PortTap = wiring.Signature({
    "asked": Out(1),
    "pages": Out(PAGES_BITS),
    "stalls": Out(1),
    "answered": Out(1),
    "cause": Out(Cause),
})


class PortEvents(wiring.Component):
    """Adds the ports' events up. One cycle late, that of ``pages`` two.

    Parameters
    ----------
    config : Config

    Members
    -------
    ports : Array of In(PortTap)
    requests, pages, faults : Out
        How many there were.
    stall : Out(1)
        Some port's request had to wait.
    """

    def __init__(self, config: Config):
        self._ports = ports = config.ports
        super().__init__({
            "ports": In(PortTap).array(ports),
            "requests": Out(range(ports + 1)),
            "pages": Out(range((ports << PAGES_BITS) + 1)),
            "faults": Out(range(ports + 1)),
            "stall": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        asked, stalls, answered, faulty = (Signal(self._ports) for _ in range(4))
        pages = []
        for index, port in enumerate(self.ports):
            more = Signal(PAGES_BITS + 1, name=f"pages_{index}")
            m.d.sync += [
                asked[index].eq(port.asked), stalls[index].eq(port.stalls),
                answered[index].eq(port.answered), faulty[index].eq(port.cause != Cause.OK),
                more.eq(0),
            ]
            with m.If(port.asked):
                m.d.sync += more.eq(port.pages + 1)
            pages.append(more)
        m.d.sync += self.pages.eq(sum(pages))
        m.d.comb += [
            self.requests.eq(sum(asked[index] for index in range(self._ports))),
            self.faults.eq(sum((answered & faulty)[index] for index in range(self._ports))),
            self.stall.eq(stalls.any()),
        ]
        return m
