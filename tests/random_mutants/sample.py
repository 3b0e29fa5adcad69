"""Draws mutants from all those that Yosys can make of a design, over all of its modules by size."""

import random
import re
from collections import defaultdict
from dataclasses import dataclass

from fpga import tools

from ..support.flattened import PREPARE

__all__ = ["Mutant", "candidates", "draw"]

LISTED = 30_000         #: mutants that Yosys lists, spread over cells, wires and lines of Verilog
#: Not logic: clocks, whose change is a race in a simulation, and what of a memory is constant, for
#: a register beside it has the read address.
_NO_LOGIC = frozenset(("CLK", "RD_CLK", "WR_CLK", "RD_EN", "RD_ARST", "RD_SRST"))


@dataclass(frozen=True)
class Mutant:
    """A change of one bit of one port of one cell.

    Attributes
    ----------
    command : str
        Of Yosys, for the flattened design.
    """

    command: str

    def _option(self, name):
        found = re.search(rf" -{name} (\S+)", self.command)
        return found[1] if found else ""

    @property
    def mode(self):
        """``inv``, ``const0``, ``const1``; ``cnot0``, ``cnot1``: inverted while another bit of the
        cell is 0 or 1."""
        return self._option("mode")

    @property
    def port(self):
        """Port of the cell."""
        return self._option("port")

    @property
    def bit(self):
        """Bit of the port."""
        return int(self._option("portbit"))

    @property
    def control(self):
        """Bit of the cell that a ``cnot`` looks at."""
        return int(self._option("ctrlbit"))

    @property
    def line(self):
        """Line of the Verilog that the cell stands for, from 1; 0 if there is none."""
        found = re.findall(r" -src siommu\.v:(\d+)", self.command)
        return int(found[-1]) if found else 0

    @property
    def place(self):
        """Place of the module in the design, such as ``control.core.tlb.tags``."""
        cell = self._option("cell").removeprefix("$flatten").replace("\\", "")
        return cell.partition("$")[0].removesuffix(".") if "$" in cell else cell.rpartition(".")[0]

    @property
    def kind(self):
        """What is alike of a place: one module that is there several times, of which ports and
        slots have one each."""
        place = re.sub(r"\b(?:dev\d+|cpu)_", "port_", self.place.removesuffix(".words"))
        return re.sub(r"_?\d+(?=\.|$)", "", place)

    @property
    def cell(self):
        """Name of the cell in its module."""
        cell = self._option("cell").removeprefix("$flatten").replace("\\", "")
        return cell[cell.index("$"):] if "$" in cell else cell.rpartition(".")[2]

    def __str__(self):
        return f"{self.place}: {self.mode} at line {self.line}, {self.port}[{self.bit}]"


def candidates(verilog, seed):
    """The mutants that Yosys lists of exported Verilog, a text."""
    folder = tools.yosys(f"{PREPARE}; flatten; opt_clean; "
                         f"mutate -list {LISTED} -seed {seed} -o list.txt",
                         {"siommu.v": verilog}, ["list.txt"])
    found = [Mutant(line) for line in (folder / "list.txt").read_text().splitlines()]
    return [mutant for mutant in found if mutant.port not in _NO_LOGIC]


def draw(listed, count, seed):
    """``count`` of the listed mutants: one of each kind of module, the others by how many there
    are of it.

    Raises
    ------
    ValueError
        There are more kinds than ``count``, or fewer mutants.
    """
    kinds, rng = defaultdict(list), random.Random(seed)
    for mutant in listed:
        kinds[mutant.kind].append(mutant)
    if not len(kinds) <= count <= len(listed):
        raise ValueError(f"draw {len(kinds)} mutants at least, one of each module, and "
                         f"{len(listed)} at most")
    chosen = [rng.choice(each) for each in kinds.values()]
    rest = sorted(set(listed) - set(chosen), key=lambda mutant: mutant.command)
    chosen += rng.sample(rest, count - len(chosen))
    return sorted(chosen, key=lambda mutant: mutant.command)
