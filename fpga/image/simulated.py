"""The board without the board: the image on Verilator, its UART's pins behind a pseudo-terminal.

``python -m fpga.image.simulated`` says which terminal, and goes on until it is interrupted. The
host's tool does not see that there is no board.
"""

import argparse
import contextlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tty
from pathlib import Path

from sim.folders import digest, once
from sim.verilated.build import MAKE, BuildError, verilate
from siommu.arch.config import PRESETS, ConfigError
from siommu.generate.files import command, write_whole

from .config import ImageConfig
from .export import image_verilog

__all__ = ["SIMULATED", "SimulatedBoard", "build_program", "main", "with_loops"]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("simulated.cpp")
#: The line is as fast as it can be: a bit of 4 cycles.
SIMULATED = {"khz": 50_000, "baud": 12_500_000}
VERILATOR = ["--cc", "--exe", "--top-module", "image", "--prefix", "Vimage", "-O3", "-Wno-fatal",
             "-Wno-lint", "-Wno-style", "--output-split", "100000", "-CFLAGS", "-std=c++20"]


#: The first rows of a memory, while they begin as 0.
_ZEROS = re.compile(r"^( +)(\w+)\[0\] = (\d+'\w0+);\n(?:\1\2\[\d+\] = \3;\n)+", re.M)


def with_loops(text):
    """The Verilog ``text`` with rows of memories that begin as 0 cleared in loops. Each of these
    statements would become one of C++: half of the time that the board takes to build."""
    return _ZEROS.sub(lambda rows: f"{rows[1]}for (int row = 0; row < {rows[0].count(chr(10))}; "
                                   f"row = row + 1) {rows[2]}[row] = {rows[3]};\n", text)


def build_program(config, build=ROOT / "build"):
    """Path of the program that simulates an image, made if it is not there (about a minute).

    Raises
    ------
    BuildError
        Verilator or the compiler failed.
    WriteError
        The folder cannot be written.
    """
    text, compiler = with_loops(image_verilog(config)), os.environ.get("CXX", "g++")
    key = digest(text, SOURCE.read_bytes(), VERILATOR, MAKE, compiler,
                 importlib.metadata.version("verilator"))
    folder = Path(build) / "board" / f"simulated-{key}"
    once(folder, lambda scratch: _make(text, scratch, compiler))
    return folder / "Vimage"


def _make(text, folder, compiler):
    write_whole(folder / "image.v", text)
    verilate("the simulated board", VERILATOR, [folder / "image.v", SOURCE], folder, ["Vimage"],
             compiler)


class SimulatedBoard:
    """A running simulation; a context manager.

    Parameters
    ----------
    config : ImageConfig

    Attributes
    ----------
    port : str
        The terminal to open.
    """

    def __init__(self, config, build=ROOT / "build"):
        program = build_program(config, build)
        master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        try:
            self._process = subprocess.Popen([program, str(master), str(config.divider)],
                                             pass_fds=(master,), stdin=subprocess.DEVNULL)
        except BaseException:
            os.close(self._slave)
            raise
        finally:
            os.close(master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def wait(self):
        """Waits until the simulation ends by itself."""
        self._process.wait()

    def close(self):
        """Ends the simulation."""
        self._process.terminate()
        self._process.wait()
        os.close(self._slave)


@command
def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fpga.image.simulated",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="small",
                        help="the core's configuration (small)")
    options = parser.parse_args(arguments)
    try:
        config = ImageConfig(PRESETS[options.preset], **SIMULATED)
        with SimulatedBoard(config) as board, contextlib.suppress(KeyboardInterrupt):
            print(f"siommu: a simulated board is at {board.port}; Ctrl-C ends it", flush=True)
            board.wait()
    except (ConfigError, BuildError) as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
