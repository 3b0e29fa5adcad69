"""Lines of the exported Verilog that no test can execute, each with its reason.

An exception that explains nothing any more fails ``make coverage``: then the line is gone, or a
test executes it.
"""

import re
from dataclasses import dataclass

__all__ = ["EXCEPTIONS", "Explained"]


@dataclass(frozen=True)
class Explained:
    """Why lines are not executed.

    Attributes
    ----------
    module : str
        Regular expression for the whole place of the module, below ``siommu``.
    text : str
        Regular expression for the whole line, without the space around it.
    reason : str
    """

    module: str
    text: str
    reason: str

    def explains(self, place, line):
        """Whether it is about this line of the module at ``place``."""
        return bool(re.fullmatch(self.module, place) and re.fullmatch(self.text, line.strip()))


_NARROW = ("The bus of `default` has 64 bits, and so a word in each beat; a wider one, as that of "
           "`edge`, leads here.")

EXCEPTIONS = (
    Explained(
        r".*", r"if \(_n\d+\) begin end",
        "A combinational block reads a register that is always 0, so that it runs once at time 0 "
        "(`generate/export.py`). What hangs on it does nothing."),
    Explained(
        r"siommu\.control\.core\.miss\.rest_stage",
        r"if \(again\) begin|operation__next\[11\] = 1'h1;",
        "A row of the second level has wrong parity: a bit of the block RAM has flipped. The unit "
        "tests of the second level and of the miss unit flip bits; no port can."),
    Explained(
        r"siommu\.control\.core\.walker\.decision\.word_2",
        r"if \(word\[76\]\) begin|following\[(5:3|60:8|75|76)\] = word\[[\d:]+\];",
        f"An entry is read again, alone, because a beat that it shares had a bus error. {_NARROW}"),
    Explained(
        r"siommu\.control\.core\.walker\.tracker",
        r"end else begin|turn__next = _n\d+\[0\];",
        f"A beat of a line waits until all of its words have passed. {_NARROW}"),
    Explained(
        r"siommu\.control\.core\.lines\.first_fill",
        r"end else begin|fill__payload__next\[(109:102|112:110)\] = \w+(\[47:45\])?;",
        "A leaf of 4 KiB is cached without its line: it was read alone, which a bus of 64 bits "
        "never leads to, or memory ended the burst early, which AXI4 forbids."),
)
