"""How random mutants are drawn, kept, compared and reported."""

import json
import shutil
import subprocess

import pytest

from fpga import tools
from tests.random_mutants import __main__ as command
from tests.random_mutants import equivalence, report, trial
from tests.random_mutants.__main__ import Run
from tests.random_mutants.equivalence import equivalent
from tests.random_mutants.model import mutated
from tests.random_mutants.sample import Mutant, candidates, draw
from tests.support.kept import Kept

#: ``dead`` is 0, whatever comes; of ``wide`` one bit is used.
VERILOG = """\
module siommu(clk, rst, a, b, q, p);
  input clk;
  wire clk;
  input rst;
  wire rst;
  input [3:0] a;
  wire [3:0] a;
  input [3:0] b;
  wire [3:0] b;
  output [3:0] q;
  wire [3:0] q;
  output p;
  wire p;
  core core (
    .clk(clk),
    .a(a),
    .b(b),
    .q(q),
    .p(p)
  );
endmodule

module core (clk, a, b, q, p);
  input clk;
  wire clk;
  input [3:0] a;
  wire [3:0] a;
  input [3:0] b;
  wire [3:0] b;
  output [3:0] q;
  reg [3:0] q;
  output p;
  wire p;
  wire dead;
  assign dead = (a == b) & (a != b);
  wire [3:0] wide;
  assign wide = ~ a;
  assign p = q[0] ^ dead ^ wide[0];
  always @(posedge clk)
    q <= a & b;
endmodule
"""


def mutant(cell, port="Y", mode="const0", bit=0, more=""):
    return Mutant(f"mutate -mode {mode} -module siommu -cell {cell} -port {port} -portbit {bit}"
                  f"{more} -src siommu.v:7.1-7.3 -src siommu.v:9.1-9.5")


@pytest.mark.parametrize("cell, place, kind", [
    (r"$flatten\control.\core.\tlb.\tags.$and$siommu.v:6$1", "control.core.tlb.tags",
     "control.core.tlb.tags"),
    (r"$flatten\control.\core.\dev1_egress.\queue.$not$siommu.v:6$1",
     "control.core.dev1_egress.queue", "control.core.port_egress.queue"),
    (r"$flatten\control.\core.\miss.\slots.\slot_12.$procmux$7", "control.core.miss.slots.slot_12",
     "control.core.miss.slots.slot"),
    (r"control.core.miss.starts.starts.entries", "control.core.miss.starts.starts",
     "control.core.miss.starts.starts"),
    (r"$flatten\control.\core.\tlb.\ram.\words.$procdff$7", "control.core.tlb.ram.words",
     "control.core.tlb.ram"),
    (r"$and$siommu.v:6$1", "", "")])
def test_where_a_mutant_is(cell, place, kind):
    found = mutant(cell)
    assert (found.place, found.kind, found.line) == (place, kind, 9)


def test_draws_one_of_each_kind_and_the_others_by_size():
    many = [mutant(rf"$flatten\tlb.$and$siommu.v:6${index}") for index in range(900)]
    few = [mutant(rf"$flatten\walker.$and$siommu.v:6${index}") for index in range(100)]
    alone = [mutant(r"$flatten\arbiter.$and$siommu.v:6$1")]
    drawn = draw([*many, *few, *alone], 102, 3)
    kinds = [each.kind for each in drawn]
    assert len(set(drawn)) == 102 and kinds.count("arbiter") == 1
    assert 80 < kinds.count("tlb") < 98
    assert drawn == draw([*many, *few, *alone], 102, 3) != draw([*many, *few, *alone], 102, 4)
    with pytest.raises(ValueError, match="draw 3 mutants at least"):
        draw([*many, *few, *alone], 2, 3)


@pytest.fixture(scope="module")
def listed():
    return candidates(VERILOG, 1)


def test_what_yosys_lists(listed):
    """No clock, no port of a memory that is constant; each has a place, a line and a bit."""
    assert listed and {each.port for each in listed} <= {"A", "B", "D", "Q", "Y"}
    assert {each.place for each in listed} == {"core"}
    lines = VERILOG.splitlines()
    assert {lines[each.line - 1].split()[0] for each in listed} == {"assign", "always", "q"}


def outputs(listed, text, mode):
    """Mutants of a mode at the outputs of what a line with ``text`` says."""
    return [each for each in listed if text in VERILOG.splitlines()[each.line - 1]
            and each.port == "Y" and each.mode == mode]


def test_a_solver_that_takes_too_long_shows_nothing(listed, monkeypatch, tmp_path):
    monkeypatch.setattr(equivalence, "LIMIT", .01)
    monkeypatch.setattr(tools, "BUILD", tmp_path)
    assert not equivalent(VERILOG, outputs(listed, "dead", "const0")[0])
    assert not [*tmp_path.iterdir()]


def test_mutants_that_change_nothing(listed):
    assert equivalent(VERILOG, outputs(listed, "dead", "const0")[0])
    assert {each.bit: equivalent(VERILOG, each) for each in outputs(listed, "~ a", "inv")} == \
        {0: False, 1: True, 2: True, 3: True}
    assert not equivalent(VERILOG, outputs(listed, "a & b", "inv")[0])
    stuck = next((each for each in listed if each.port == "Q"), None)
    assert stuck is None or not equivalent(VERILOG, stuck)


def test_a_model_has_all_mutants_and_no_new_port(listed, tmp_path):
    text = mutated(VERILOG, listed[:5])
    assert text.count("mutsel ==") == 5 and "input [2:0] mutsel" not in text
    if shutil.which("iverilog"):
        (tmp_path / "model.v").write_text(text)
        subprocess.run(["iverilog", "-g2012", "-o", tmp_path / "model", tmp_path / "model.v"],
                       check=True)


def test_what_a_result_rests_on(monkeypatch):
    monkeypatch.setattr(trial, "digest_of_tests", list)
    assert [trial.tests_of({"noticed": noticed, "equivalent": same}) for noticed, same in (
        ("figures.single_misses", False), ("runs", False), (None, False), (None, True))] == \
        [["tests/regression/figures.py"], ["tests/regression/runs.py"],
         ["tests/regression", "sim"], ""]


def test_that_the_model_passes_without_mutants_is_kept(monkeypatch, tmp_path, capsys):
    def run():
        made = Run.__new__(Run)
        made.kept = Kept(tmp_path, {}, trial.tests_of)
        made.sha256, made.model = "a", lambda: "model"
        return made

    monkeypatch.setenv("SIOMMU_RUNS", "")
    said = ["figures.hits", None]
    monkeypatch.setattr(command, "first_failure", lambda model, number: said.pop(0))
    assert not run().sound() and "figures.hits fails without" in capsys.readouterr().err
    assert run().sound() and run().sound() and not said


def data(noticed, equivalent, alive):
    each = {"kind": "tlb", "verilog": "assign a = b | c;", "equivalent": False, "noticed": None}
    results = {f"n{index}": {**each, "noticed": "runs.test", "name": f"n{index}"}
               for index in range(noticed)}
    results |= {f"e{index}": {**each, "equivalent": True, "name": f"e{index}"}
                for index in range(equivalent)}
    results |= {f"s{index}": {**each, "name": f"s{index}"} for index in range(alive)}
    return json.loads(json.dumps({"date": "2026-01-01", "sha256": 64 * "a", "seed": 1,
                                  "results": results}))


def test_the_summary_wants_a_rate_and_a_reason_for_each_survivor(monkeypatch):
    lines, good = report.summary(data(96, 3, 0))
    assert good and "96 noticed, 3 shown to change nothing" in lines[0]
    lines, good = report.summary(data(96, 3, 1))
    assert not good and "| s0 | `assign a = b \\| c;` | **not explained** |" in lines
    monkeypatch.setattr(report, "EXPLAINED", {"s0": "It is right."})
    lines, good = report.summary(data(96, 3, 1))
    assert good and "100.0 %" in lines[0] and lines[-1].endswith("| It is right. |")
    monkeypatch.setattr(report, "RATE", 1.1)
    assert not report.summary(data(96, 3, 1))[1]


def test_an_explanation_of_what_a_test_notices_is_wrong(monkeypatch):
    monkeypatch.setattr(report, "EXPLAINED", {"n7": "Nobody can see it."})
    lines, good = report.summary(data(96, 3, 0))
    assert not good and any("n7 is explained" in each for each in lines)
