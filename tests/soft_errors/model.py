"""The exported Verilog with flips in its memories.

``+memory=n`` chooses the nth memory, ``+period=n`` how many cycles are between two events: a bit,
which is drawn, flips in several words, which are drawn too, if possible among those that are not 0
and so were used; at the next event it flips back, unless the word was written meanwhile, so that
there is one wrong bit in a word at most. ``+verilator+seed`` chooses the draws.
"""

import re
from dataclasses import dataclass

from fpga import tools

from ..support.flattened import PREPARE, WRITE, behind_its_ports

__all__ = ["Memory", "with_flips"]

_SCRIPT = f"{PREPARE}; flatten; {WRITE} flat.v"
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
  integer flip_bit_{number};
{words_declared}
  always @(posedge clk) if (flipped_memory == {number} && flip_now) begin
    if (~flip_held) flip_bit_{number} = $urandom % {width};
{words_flipped}
  end
"""
_DECLARED = """\
  reg [{bits}:0] flip_word_{number}_{word};
  integer flip_at_{number}_{word}, flip_tries_{number}_{word};"""
_FLIPPED = """\
    if (flip_held) begin
      if ({name}[flip_at_{number}_{word}] == flip_word_{number}_{word})
        {name}[flip_at_{number}_{word}][flip_bit_{number}]
          <= ~{name}[flip_at_{number}_{word}][flip_bit_{number}];
    end else begin
      flip_at_{number}_{word} = {first} + $urandom % {share};
      flip_tries_{number}_{word} = 0;
      while (flip_tries_{number}_{word} < {share} && {name}[flip_at_{number}_{word}] == 0) begin
        flip_at_{number}_{word} = {first} + $urandom % {share};
        flip_tries_{number}_{word} = flip_tries_{number}_{word} + 1;
      end
      {name}[flip_at_{number}_{word}][flip_bit_{number}]
        <= ~{name}[flip_at_{number}_{word}][flip_bit_{number}];
      flip_word_{number}_{word} = {name}[flip_at_{number}_{word}];
      flip_word_{number}_{word}[flip_bit_{number}]
        = ~flip_word_{number}_{word}[flip_bit_{number}];
    end"""
SHARES = 16         #: words of a memory that flip at once: one of each 16th of it


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
        blocks.append(_flip(number, f"{name} ", bits, last + 1))    # an escaped name's end: a space
    body, end, rest = text.rpartition("endmodule")
    return behind_its_ports(body + "".join(blocks) + end + rest), memories


def _flip(number, name, bits, words):
    """The statements that flip bits of one memory."""
    count = min(words, SHARES)
    share = words // count
    each = [{"number": number, "name": name, "bits": bits, "word": word, "first": word * share,
             "share": share} for word in range(count)]
    return _FLIP.format(
        number=number, width=bits + 1,
        words_declared="\n".join(_DECLARED.format(**fields) for fields in each),
        words_flipped="\n".join(_FLIPPED.format(**fields) for fields in each))
