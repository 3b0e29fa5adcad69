"""The exported Verilog with flips in its memories.

``+memory=n`` chooses the nth memory, ``+period=n`` how many cycles are between two events: a bit of
a word, both drawn, flips; at the next event it flips back, unless the word was written meanwhile,
so that there is one wrong bit at most. ``+verilator+seed`` chooses the draws.
"""

import re
from dataclasses import dataclass

from fpga import tools

from ..support.flattened import PREPARE

__all__ = ["Memory", "with_flips"]

_SCRIPT = f"{PREPARE}; flatten; opt_clean; write_verilog -noattr flat.v"
_MEMORY = re.compile(r"^  reg \[(\d+):0\] (\\\S+) +\[(\d+):0\];$", re.M)
_EVENTS = """\
  reg [31:0] flipped_memory, flip_period, flip_count, flips;
  reg flip_now, flip_held;
  initial begin
    if (!$value$plusargs("memory=%d", flipped_memory)) flipped_memory = 0;
    if (!$value$plusargs("period=%d", flip_period)) flip_period = 50;
    flip_count = 0; flips = 0; flip_now = 0; flip_held = 0;
  end
  always @(posedge clk) begin
    flip_now <= flip_count == 0;
    flip_count <= flip_count == 0 ? flip_period - 1 : flip_count - 1;
    if (flip_now) flip_held <= ~flip_held;
    if (flip_now && ~flip_held) flips <= flips + 1;
  end
  final $display("siommu: %0d flips", flips);
"""
# One bit is written, so that whatever else is written in that cycle counts.
_FLIP = """\
  reg [{bits}:0] flip_word_{number};
  integer flip_at_{number}, flip_bit_{number};
  always @(posedge clk) if (flipped_memory == {number} && flip_now) begin
    if (flip_held) begin
      if ({name}[flip_at_{number}] == flip_word_{number})
        {name}[flip_at_{number}][flip_bit_{number}]
          <= ~{name}[flip_at_{number}][flip_bit_{number}];
    end else begin
      flip_at_{number} = $urandom % {words};
      flip_bit_{number} = $urandom % {width};
      {name}[flip_at_{number}][flip_bit_{number}] <= ~{name}[flip_at_{number}][flip_bit_{number}];
      flip_word_{number} = {name}[flip_at_{number}];
      flip_word_{number}[flip_bit_{number}] = ~flip_word_{number}[flip_bit_{number}];
    end
  end
"""


@dataclass(frozen=True)
class Memory:
    """A memory of the design: its place, such as ``control.core.tlb.hits.ram_0``, its words and
    their width."""

    place: str
    words: int
    width: int


def with_flips(verilog):
    """The text ``verilog`` flattened, with flips; and its memories, the first of them number 1."""
    made = tools.yosys(_SCRIPT, {"siommu.v": verilog}, ["flat.v"])
    text = (made / "flat.v").read_text()
    memories, blocks = [], [_EVENTS]
    for number, found in enumerate(_MEMORY.finditer(text), 1):
        bits, name, last = int(found[1]), found[2], int(found[3])
        memories.append(Memory(name[1:].removesuffix(".words"), last + 1, bits + 1))
        blocks.append(_FLIP.format(number=number, bits=bits, width=bits + 1, words=last + 1,
                                   name=f"{name} "))      # an escaped name ends with a space
    body, end, rest = text.rpartition("endmodule")
    return body + "".join(blocks) + end + rest, memories
