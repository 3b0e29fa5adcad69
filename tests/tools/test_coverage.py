"""``make coverage``: files of Verilator's, modules, exceptions, what fails the run, the page."""

import re

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from siommu.arch.config import PRESETS
from siommu.generate.export import component_verilog, verilog
from siommu.lib.cover import cover, cover_meetings, cover_pairs, covering, covers
from tests.coverage import __main__ as coverage
from tests.coverage.exceptions import EXCEPTIONS, Explained
from tests.coverage.modules import measure, sources
from tests.coverage.page import page
from tests.coverage.points import CoverageError, Point, merged, points

VERILOG = """\
module top(clk, a);
  input clk;
  input a;
  reg b;
  always @* begin
    if (_n1) begin end
    b = 0;
    if (a) begin
      b = 1;
    end else if (clk) begin
      b = 2;
    end
  end
  part inner (
    .clk(clk)
  );
endmodule

module part(clk);
  input clk;
  always @(posedge clk) begin
    if (1'h1) begin
      cover (cover__walk__by_addr__is_over);
      cover (cover__walk__flush__is_over);
      cover__a <= clk;
    end
  end
endmodule
"""
DUMMY = Explained(r".*", r"if \(_n\d+\) begin end", "It is always 0.")


def key(kind, line, what, lines=""):
    fields = {"f": "top.v", "l": line, "n": 3, "t": kind, "page": f"v_{kind}/top", "o": what,
              **({"S": lines} if lines else {}), "h": "TOP.top"}
    return "C '" + "".join(f"\1{name}\2{value}" for name, value in fields.items()) + "'"


#: What a simulation counts.
COUNTS = {
    key("toggle", 3, "a:0->1"): 2, key("toggle", 3, "a:1->0"): 0,
    key("toggle", 4, "b[0]:0->1"): 0, key("toggle", 4, "b[0]:1->0"): 0,
    key("line", 5, "block", "5,7"): 9,
    key("branch", 6, "if", "6"): 0, key("branch", 6, "else"): 9,
    key("branch", 8, "if", "8-9"): 4, key("line", 10, "elsif", "10-11"): 0,
    key("branch", 22, "if", "22"): 5, key("branch", 22, "else"): 0,
    key("user", 23, "cover", "23"): 3, key("user", 24, "cover", "24"): 0,
    key("line", 21, "block", "21,25"): 5, key("toggle", 25, "cover___05Fa:0->1"): 0,
    key("toggle", 20, "clk___05Fa:0->1"): 0,
}


def written(path, counts):
    path.write_text("# SystemC::Coverage-3\n"
                    + "".join(f"{name} {count}\n" for name, count in counts.items()))
    return path


def measured(counts=COUNTS, exceptions=(DUMMY,)):
    return measure(VERILOG, points(counts), exceptions)


def test_counts_add_up(tmp_path):
    other = {name: 10 for name in COUNTS}
    total = merged([written(tmp_path / "one", COUNTS), written(tmp_path / "two", other)])
    assert total == {name: count + 10 for name, count in COUNTS.items()}
    found = {point.line: point for point in points(total) if point.kind == "branch"}
    assert found[8] == Point("branch", 8, "if", (8, 9), 14)


def test_files_that_are_wrong(tmp_path):
    whole = written(tmp_path / "whole", COUNTS)
    other = written(tmp_path / "other", dict(list(COUNTS.items())[1:]))
    with pytest.raises(CoverageError, match="other has other points"):
        merged([whole, other])
    cut = tmp_path / "cut"
    cut.write_text(whole.read_text()[:-1])
    with pytest.raises(CoverageError, match="cut is not whole"):
        merged([cut])
    cut.write_text("something else\n")
    with pytest.raises(CoverageError, match="cut is no coverage"):
        merged([cut])


def test_points_belong_to_modules():
    found = measured()
    top, part = found.modules                       # the worst one first
    assert (top.place, part.place) == ("top", "top.inner")
    assert (top.line.hit, top.line.all) == (4, 6)   # without the dummy
    assert top.missed == [(10, "end else if (clk) begin"), (11, "b = 2;")]
    assert (top.branch.hit, top.branch.all) == (1, 2)
    assert (top.toggle.hit, top.toggle.all) == (1, 4) and top.still == {"a": 1, "b": 2}
    assert (part.line.hit, part.line.all, part.branch.all) == (1, 1, 0)     # without covers
    assert part.still == {"clk__a": 1}
    assert (found.total.line.hit, found.total.line.all) == (5, 7)
    assert found.covers == {"walk: by addr, is over": 3, "walk: flush, is over": 0}
    assert found.used == {DUMMY: [("top", 6, "if (_n1) begin end")]}


def test_what_fails(monkeypatch):
    """Each by itself: an empty cover of either kind, too few lines, an exception without a line."""
    full = {name: count or 1 for name, count in COUNTS.items()}
    assert coverage.wrong(measured(full, ()), {"grant": 1}) == []
    assert coverage.wrong(measured(full, ()), {"grant": 0}) == ["the cover “grant” is empty"]
    assert coverage.wrong(measured(full), {}) == [
        r"the exception of if \(_n\d+\) begin end in .* explains nothing: take it away"]
    wrong = coverage.wrong(measured(), {})
    assert wrong == ["the cover “walk: flush, is over” is empty",
                     "71.43 % of what is counted by line was seen, less than 100 %",
                     "50.00 % of what is counted by branch was seen, less than 99 %"]
    monkeypatch.setattr(coverage, "LIMITS", {"line": 71.4, "branch": 50.0})
    assert coverage.wrong(measured(), {}) == wrong[:1]


def test_an_exception_explains_whole_lines_of_its_modules():
    assert DUMMY.explains("siommu.core", "    if (_n12) begin end")
    assert not DUMMY.explains("siommu.core", "    if (_n12) begin end x")
    assert not Explained("siommu", "a", "").explains("siommu.core", "a")
    assert all(each.reason.endswith(".") for each in EXCEPTIONS)


def test_the_command(tmp_path, monkeypatch, capsys):
    """It adds up what simulations left, once; the page is whole; its status says what is wrong."""
    runs = tmp_path / "runs" / "registers-default"
    runs.mkdir(parents=True)
    written(runs / "coverage.dat", COUNTS)
    (runs / "covers.json").write_text('{"request stalled": 3}')
    (tmp_path / "top.v").write_text(VERILOG)
    monkeypatch.setattr(coverage, "FOLDER", tmp_path)
    monkeypatch.setattr(coverage, "COVERS", ("request stalled",))
    monkeypatch.setattr(coverage, "_sources", lambda: {"top": "siommu.top"}.get)
    monkeypatch.setattr(coverage.simulator, "verilog", lambda config: tmp_path / "top.v")
    monkeypatch.setenv("SIOMMU_COVERAGE", "")       # it sets it
    for _ in range(2):
        assert coverage.main(["--report"]) == 1
        assert "walk: flush, is over” is empty" in capsys.readouterr().out
        assert not (runs / "coverage.dat").exists()
    text = (tmp_path / "index.html").read_text()
    assert "    10  end else if (clk) begin" in text and "siommu.top" in text
    assert re.search(r'class="bad">\s*<td>walk: flush, is over</td><td class="number">0<', text)


def test_without_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(coverage, "FOLDER", tmp_path)
    monkeypatch.setenv("SIOMMU_COVERAGE", "")
    with pytest.raises(SystemExit):
        coverage.main(["--report"])
    assert "there is no coverage.dat" in capsys.readouterr().err


def test_text_of_the_design_is_no_markup():
    text = page(measured(), date="", config="<b>", commit="", simulations=1, limits={}, wrong=[],
                source=str, tables={"<i>": {"a < b": 1}})
    assert "<b>" not in text and "<i>" not in text and "a &lt; b" in text


class Covered(wiring.Component):
    """A module with covers."""

    a: In(1)
    b: In(1)
    c: In(1)
    both: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.both.eq(self.a & self.b)
        cover(m, self.a & self.c, "unit", "a_and_c")
        cover_pairs(m, "stage", {"a": self.a, "b": self.b, "c": self.c})
        cover_meetings(m, "walk", {"a": self.a}, {"b": self.b, "c": self.c})
        if covering():
            only_here = Signal()
            m.d.sync += only_here.eq(self.a)
        return m


def test_covers_are_exported_on_request():
    """Their names are in the Verilog; without the request, nothing of them is."""
    text = component_verilog(Covered(), "covered", covered=True)
    assert sorted(re.findall(r"cover \(cover__(\w+)\);", text)) == [
        "stage__a__b", "stage__a__c", "stage__b__c", "unit__a_and_c", "walk__a__b", "walk__a__c"]
    assert "only_here" in text
    bare = component_verilog(Covered(), "covered")
    assert "cover_" not in bare and "only_here" not in bare
    with covers(True):
        assert covering()
    assert not covering()


def test_the_core_with_covers_is_the_core():
    """Every line of code of the product is there, but for numbers of names."""
    def statements(text):
        return {re.sub(r"\b_n\d+", "_n", line) for line in text.splitlines()
                if re.match(r"\s+(if|end|case|\w+__next)", line)}
    product, covered = (verilog(PRESETS["small"], covered=on) for on in (False, True))
    assert "cover (" not in product and statements(product) <= statements(covered)


def test_a_module_has_its_source():
    assert sources(Covered(), "top") == {"top": __name__}
