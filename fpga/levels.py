"""``python -m fpga.levels default``: where the longest chains of logic end, before anything is
placed.

Placing and routing takes a quarter of an hour, and where it is slow depends on the seed; this takes
two minutes, and shows what the design is to blame for. What is faster than the slowest chain is
made smaller by the mapper, up to that one's length: so the longest ones are those to begin with.
"""

import argparse
import json
import sys
from collections import defaultdict

from . import flow, paths
from .synth import variants

__all__ = ["deepest", "main"]

#: Lengths of a step, in LUTs with the wire in front of them, by cell and input.
_STEPS = {
    "LUT4": {port: 1 for port in "ABCD"},
    "PFUMX": {"ALUT": .2, "BLUT": .2, "C0": 1},
    "L6MUX21": {"D0": .2, "D1": .2, "SD": 1},
    "CCU2C": {"CIN": .1, **{f"{port}{half}": 1.2 for port in "ABCD" for half in (0, 1)}},
    "TRELLIS_DPR16X4": {"RAD": 1},
}
#: Where chains begin late: how late, by cell.
_BEGINS = {"DP16KD": 4}
#: Where they end: inputs of such cells.
_ENDS = {"TRELLIS_FF": ("DI", "CE", "LSR"), "TRELLIS_DPR16X4": ("DI", "WAD", "WRE")}


def deepest(design):
    """The longest chains of a netlist.

    Parameters
    ----------
    design : dict
        Yosys's JSON of a netlist for the ECP5, with the module ``top``.

    Returns
    -------
    list of (float, int, str, list of str)
        LUTs in a row; how many inputs the register or memory has (of data, enables, resets); the
        register in words; the cells of its longest chain, the last one first. The longest chain
        comes first.
    """
    cells = design["modules"]["top"]["cells"]
    drivers = {bit: name for name, cell in cells.items()
               for port, bits in cell["connections"].items()
               if cell["port_directions"].get(port) == "output" for bit in bits}
    known = {}

    def arrival(bit):
        """When a bit is there, and the bit that it waits for."""
        waiting = [bit]
        while waiting:
            bit = waiting[-1]
            cell = cells[drivers[bit]]
            inputs = [(other, length) for port, length in _STEPS.get(cell["type"], {}).items()
                      for other in cell["connections"].get(port, ()) if other in drivers]
            known.setdefault(bit, (0, None))        # ends a walk around a loop
            ahead = [other for other, _ in inputs if other not in known]
            if ahead:
                waiting += ahead
                continue
            known[bit] = max([(_BEGINS.get(cell["type"], 0), None),
                              *((known[other][0] + length, other) for other, length in inputs)],
                             key=lambda found: found[0])
            waiting.pop()
        return known[bit]

    ends = defaultdict(list)
    for name, cell in cells.items():
        ports = _ENDS.get(cell["type"], ())
        if cell["type"] == "DP16KD":
            ports = [port for port, direction in cell["port_directions"].items()
                     if direction == "input" and not port.startswith("CLK")]
        for port in ports:
            for bit in cell["connections"].get(port, ()):
                if bit in drivers:
                    ends[paths.describe(name)].append((arrival(bit)[0], bit))
    found = []
    for what, each in ends.items():
        length, bit = max(each, key=lambda end: end[0])
        chain = []
        while bit is not None and drivers[bit] not in chain:
            chain.append(drivers[bit])
            bit = arrival(bit)[1]
        found.append((length, len(each), what, chain))
    return sorted(found, key=lambda end: (-end[0], end[2]))


def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fpga.levels",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=variants(), help="a preset or a point of a sweep")
    parser.add_argument("--count", type=int, default=30, metavar="N", help="registers (30)")
    parser.add_argument("--chains", action="store_true", help="with the cells of their chains")
    options = parser.parse_args(arguments)
    made = flow.netlist(variants()[options.name])
    for length, inputs, what, chain in deepest(json.loads(made.path.read_text()))[:options.count]:
        print(f"{length:5.1f} LUTs to {inputs} input(s) of {what}")
        if options.chains:
            print("".join(f"          {cell}\n" for cell in chain), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
