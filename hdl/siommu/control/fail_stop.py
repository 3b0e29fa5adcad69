"""What stops the core when a word of its memories is damaged (``fail_stop``)."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..lib.watch import STOP_CYCLES, WATCH_CYCLES

__all__ = ["FailStop"]

REGISTERS = 2       #: from ``damaged`` to ``stop``

if REGISTERS != STOP_CYCLES - WATCH_CYCLES:
    raise ValueError(f"a damaged word is told {WATCH_CYCLES} cycles after it was read, and stops "
                     f"the core {REGISTERS} later; STOP_CYCLES is {STOP_CYCLES}")


class FailStop(wiring.Component):
    """Stays set from the first damaged word on, until a reset.

    Parameters
    ----------
    damaged : list of Signal
        Of every memory that is watched (:func:`siommu.lib.watch.watching`).

    Members
    -------
    stop : Out(1)
        A register.
    """

    def __init__(self, damaged):
        self._damaged = damaged
        super().__init__({"stop": Out(1)})

    def elaborate(self, platform):
        m = Module()
        any_damaged = Signal()
        m.d.sync += any_damaged.eq(Cat(self._damaged).any())
        with m.If(any_damaged):
            m.d.sync += self.stop.eq(1)
        return m
