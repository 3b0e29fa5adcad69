"""The table of boards, and what of an image depends on the board: pins, clock and reset."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import ClockDomain, ClockSignal, Elaboratable, Module
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth_boards.arty_a7 import ArtyA7_35Platform
from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from .families import ECP5, XILINX, Family
from .image import Image

__all__ = ["BOARDS", "Board", "Top"]

def _eight_leds(platform):
    return [platform.request("led", index, dir="-") for index in range(8)], ()


def _rgb_leds(platform):
    """Four LEDs of three colours: the eight lights, and what stays dark."""
    leds = [platform.request("rgb_led", index, dir="-") for index in range(4)]
    lights = (leds[0].g, leds[1].g, leds[1].b, leds[2].g, leds[2].r, leds[3].r, leds[0].b,
              leds[0].r)
    return lights, (leds[1].r, leds[2].b, leds[3].g, leds[3].b)


def _mixed_leds(platform):
    """Four plain LEDs and four of three colours: the eight lights, and what stays dark."""
    plain = [platform.request("led", index, dir="-") for index in range(4)]
    rgb = [platform.request("rgb_led", index, dir="-") for index in range(4)]
    lights = (*plain, rgb[0].r, rgb[1].r, rgb[2].b, rgb[3].r)
    return lights, [pin for led, lit in zip(rgb, "rrbr") for pin in
                    (getattr(led, colour) for colour in "rgb" if colour != lit)]


@dataclass(frozen=True)
class Board:
    """A board that an image is made for.

    Parameters
    ----------
    platform : type
        Of amaranth-boards.
    family : Family
    device : tuple of str
        What the family's tools are told of the device.
    khz_in, khz : int
        The board's oscillator, and the image's clock where nobody says another.
    log2 : int
        Bytes of the block RAM that is the core's memory.
    leds : callable
        From a platform to the pins of the eight lights, and of the LEDs that are left over.
    """

    platform: type
    family: Family
    device: tuple
    khz_in: int
    khz: int
    log2: int
    leds: Callable


BOARDS = {
    "ulx3s": Board(ULX3S_85F_Platform, ECP5, ("--85k", "--package", "CABGA381", "--speed", "6"),
                   25_000, 50_000, 18, _eight_leds),
    "ecpix5": Board(ECPIX585Platform, ECP5, ("--um5g-85k", "--package", "CABGA554", "--speed", "8"),
                    100_000, 50_000, 18, _rgb_leds),
    "arty_a7": Board(ArtyA7_35Platform, XILINX, ("xc7a35ticsg324-1L",), 100_000, 50_000, 17,
                     _mixed_leds),
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
        m.submodules.pad = pad = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        m.domains.sync = ClockDomain()
        clock, locked = self._board.family.pll.build(m, self._setting, self._board.khz_in, pad.i)
        m.d.comb += ClockSignal().eq(clock)
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        # The tools derive the constraint of the clock from the oscillator's and the setting.
