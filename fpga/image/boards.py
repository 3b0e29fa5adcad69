"""The table of boards, and what of an image depends on the board: pins, clock and reset."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from siommu.arch.config import ConfigError

from .image import Image

__all__ = ["BOARDS", "Board", "Pll", "Top", "pll"]

#: Limits of the ECP5's PLL (FPGA-DS-02012): kHz of the phase detector's input and of the VCO.
DETECTOR, VCO = (10_000, 400_000), (400_000, 800_000)


@dataclass(frozen=True)
class Pll:
    """A setting of the ECP5's PLL: out = in / ``divide`` * ``multiply``.

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


def pll(khz_in, khz_out):
    """The ``Pll`` whose output is nearest to ``khz_out``, and not above.

    Raises
    ------
    ConfigError
        There is none within 5 %.
    """
    best = None
    for divide in range(1, khz_in // DETECTOR[0] + 1):
        detector = khz_in // divide
        multiply = min(khz_out * divide // khz_in, 80)
        out = round(sum(VCO) / 2 / max(detector * multiply, 1))     # the VCO in its middle
        if khz_in % divide or not multiply or not 1 <= out <= 128 \
                or not VCO[0] <= detector * multiply * out <= VCO[1] or detector > DETECTOR[1]:
            continue
        if best is None or detector * multiply > best.khz:
            best = Pll(divide, multiply, out, detector * multiply)
    if best is None or best.khz < .95 * khz_out:
        raise ConfigError(f"the board's PLL makes no {khz_out / 1000:g} MHz from "
                          f"{khz_in / 1000:g} MHz; choose another frequency")
    return best


def _eight_leds(platform):
    return [platform.request("led", index, dir="-") for index in range(8)], ()


def _rgb_leds(platform):
    """Four LEDs of three colours: the eight lights, and what stays dark."""
    leds = [platform.request("rgb_led", index, dir="-") for index in range(4)]
    lights = (leds[0].g, leds[1].g, leds[1].b, leds[2].g, leds[2].r, leds[3].r, leds[0].b,
              leds[0].r)
    return lights, (leds[1].r, leds[2].b, leds[3].g, leds[3].b)


@dataclass(frozen=True)
class Board:
    """A board that an image is made for.

    Parameters
    ----------
    platform : type
        Of amaranth-boards.
    place : tuple of str
        What nextpnr is told of the device.
    khz_in, khz : int
        The board's oscillator, and the image's clock where nobody says another.
    log2 : int
        Bytes of the block RAM that is the core's memory.
    leds : callable
        From a platform to the pins of the eight LEDs, and of those that are left over.
    """

    platform: type
    place: tuple
    khz_in: int
    khz: int
    log2: int
    leds: Callable


BOARDS = {
    "ulx3s": Board(ULX3S_85F_Platform, ("--85k", "--package", "CABGA381", "--speed", "6"),
                   25_000, 50_000, 18, _eight_leds),
    "ecpix5": Board(ECPIX585Platform, ("--um5g-85k", "--package", "CABGA554", "--speed", "8"),
                    100_000, 50_000, 18, _rgb_leds),
}


class Top(Elaboratable):
    """An image on a board: its pins, and a clock from the PLL. The reset ends when that has locked.

    Parameters
    ----------
    board : Board
    setting : Pll
    config : ImageConfig
        With the clock that ``setting`` makes.
    """

    def __init__(self, board, setting, config):
        self._board, self._setting, self._config = board, setting, config

    def elaborate(self, platform):
        m = Module()
        self._clock(m, platform)
        m.submodules.image = image = Image(self._config)
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.d.comb += image.rx.eq(rx.i)
        lights, dark = self._board.leds(platform)
        outputs = {"tx": (uart.tx, image.tx),
                   **{f"led_{index}": (pin, image.leds[index])
                      for index, pin in enumerate(lights)},
                   **{f"dark_{index}": (pin, 0) for index, pin in enumerate(dark)}}
        for name, (pin, signal) in outputs.items():
            m.submodules[name] = buffer = io.Buffer("o", pin)
            m.d.comb += buffer.o.eq(signal)
        return m

    def _clock(self, m, platform):
        setting = self._setting
        m.submodules.pad = pad = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        clock, locked = Signal(name="clock"), Signal(name="locked")
        m.domains.sync = ClockDomain()
        m.d.comb += ClockSignal().eq(clock)
        m.submodules.pll = Instance(
            "EHXPLLL", a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2", p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA",
            p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=setting.out,
            p_CLKOP_CPHASE=setting.out // 2, p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP", p_CLKI_DIV=setting.divide, p_CLKFB_DIV=setting.multiply,
            i_RST=0, i_STDBY=0, i_CLKI=pad.i, i_CLKFB=clock, i_PHASESEL0=0, i_PHASESEL1=0,
            i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1, i_PLLWAKESYNC=0, i_ENCLKOP=0,
            o_CLKOP=clock, o_LOCK=locked)
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        # nextpnr derives the constraint of what comes out from the oscillator's and the setting.
