"""LEDs that can be seen: what lasts a cycle is shown for a while."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from siommu.arch.formats import Mode

__all__ = ["LEDS", "Lights"]

#: What each LED says, from the first.
LEDS = ("life", "translates", "bypass", "granted", "refused", "fault", "link", "damage")


class Lights(wiring.Component):
    """Drives LEDs.

    Parameters
    ----------
    bits : int
        An event is shown for 2^``bits`` cycles; ``life`` is on as long, and off as long.

    Members
    -------
    mode : In(2)
        CTRL.MODE.
    granted, refused, link, damage : In(1)
        Something happened in this cycle: a beat that grants, or does not; a frame; a damaged one.
    fault : In(1)
        The core's interrupt for faults.
    leds : Out(8)
        In the order of ``LEDS``.
    """

    def __init__(self, bits):
        self._bits = bits
        super().__init__({"mode": In(2), "granted": In(1), "refused": In(1), "link": In(1),
                          "damage": In(1), "fault": In(1), "leds": Out(len(LEDS))})

    def elaborate(self, platform):
        m = Module()
        life = Signal(self._bits + 1)
        m.d.sync += life.eq(life + 1)
        shown = {"life": life[-1], "translates": self.mode == Mode.TRANSLATE.value,
                 "bypass": self.mode == Mode.BYPASS.value, "fault": self.fault}
        for name in ("granted", "refused", "link", "damage"):
            left = Signal(self._bits + 1, name=f"{name}_left")
            m.d.sync += left.eq(Mux(getattr(self, name), 1 << self._bits, left - (left != 0)))
            shown[name] = left != 0
        m.d.comb += [self.leds[index].eq(shown[name]) for index, name in enumerate(LEDS)]
        return m
