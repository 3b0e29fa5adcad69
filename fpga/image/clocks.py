"""The clock of an image: the settings of a PLL, and the PLLs of two families."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import Instance, Signal

from siommu.arch.config import ConfigError

__all__ = ["ECP5", "XILINX", "Pll", "PllKind"]


@dataclass(frozen=True)
class Pll:
    """A setting of a PLL: out = in / ``divide`` * ``multiply``.

    Parameters
    ----------
    divide, multiply : int
    out : int
        The VCO runs so many times faster than the output.
    khz : int
        What comes out.
    """

    divide: int
    multiply: int
    out: int
    khz: int


@dataclass(frozen=True)
class PllKind:
    """What the PLL of a family can do, and how it is built.

    Parameters
    ----------
    detector, vco : tuple of int
        Limits in kHz of the phase detector's input, and of the VCO.
    multiply : int
        The largest ``multiply``.
    outs : tuple of int
        What ``out`` may be.
    loop : int
        The largest product of ``multiply`` and ``out``, where the loop counts both.
    build : callable
        (Module, Pll, kHz of the oscillator, its signal) -> clock, locked.
    """

    detector: tuple
    vco: tuple
    multiply: int
    outs: tuple
    loop: int
    build: Callable

    def _settings(self, khz_in, khz_out):
        """Settings whose output is at most ``khz_out``."""
        for divide in range(1, khz_in // self.detector[0] + 1):
            detector = khz_in // divide
            multiply = min(khz_out * divide // khz_in, self.multiply)
            khz = detector * multiply
            outs = [out for out in self.outs if self.vco[0] <= khz * out <= self.vco[1]
                    and multiply * out <= self.loop]
            if khz_in % divide == 0 and multiply and outs and detector <= self.detector[1]:
                # The VCO in its middle.
                yield Pll(divide, multiply,
                          min(outs, key=lambda out: abs(2 * khz * out - sum(self.vco))), khz)

    def setting(self, khz_in, khz_out):
        """The ``Pll`` whose output is nearest to ``khz_out``, and not above.

        Raises
        ------
        ConfigError
            There is none within 5 %.
        """
        best = max(self._settings(khz_in, khz_out), key=lambda pll: (pll.khz, -pll.divide),
                   default=None)
        if best is None or best.khz < .95 * khz_out:
            raise ConfigError(f"the board's PLL makes no {khz_out / 1000:g} MHz from "
                              f"{khz_in / 1000:g} MHz; choose another frequency")
        return best


def _ecp5(m, setting, khz_in, oscillator):
    clock, locked = Signal(name="clock"), Signal(name="locked")
    m.submodules.pll = Instance(
        "EHXPLLL", a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2", p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA",
        p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=setting.out,
        p_CLKOP_CPHASE=setting.out // 2, p_CLKOP_FPHASE=0,
        p_FEEDBK_PATH="CLKOP", p_CLKI_DIV=setting.divide, p_CLKFB_DIV=setting.multiply,
        i_RST=0, i_STDBY=0, i_CLKI=oscillator, i_CLKFB=clock, i_PHASESEL0=0, i_PHASESEL1=0,
        i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1, i_PLLWAKESYNC=0, i_ENCLKOP=0,
        o_CLKOP=clock, o_LOCK=locked)
    return clock, locked


def _xilinx(m, setting, khz_in, oscillator):
    made, clock, locked = Signal(name="made"), Signal(name="clock"), Signal(name="locked")
    loop = Signal(name="loop")
    m.submodules.pll = Instance(
        "PLLE2_BASE", p_CLKIN1_PERIOD=round(1e6 / khz_in, 3), p_DIVCLK_DIVIDE=setting.divide,
        p_CLKFBOUT_MULT=setting.multiply * setting.out, p_CLKOUT0_DIVIDE=setting.out,
        i_CLKIN1=oscillator, i_CLKFBIN=loop, i_RST=0, i_PWRDWN=0,
        o_CLKFBOUT=loop, o_CLKOUT0=made, o_LOCKED=locked)
    m.submodules.global_clock = Instance("BUFG", i_I=made, o_O=clock)
    return clock, locked


#: FPGA-DS-02012.
ECP5 = PllKind((10_000, 400_000), (400_000, 800_000), 80, tuple(range(1, 129)), 80 * 128, _ecp5)
#: DS181, the slowest of the grades: 1L. The loop counts ``multiply`` and ``out`` in one.
XILINX = PllKind((19_000, 450_000), (800_000, 1_600_000), 64, tuple(range(1, 129)), 64, _xilinx)
