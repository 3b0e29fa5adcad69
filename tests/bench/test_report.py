"""Reports: verdicts, numbers, tables, plots."""

import pytest

from .document import insert
from .plan import FIGURES, MEASURES, plan
from .plots import draw
from .report import bench_report, line, number, passed, sort_key, summary


def record(figure=3, measured=40, bar=None, atmost=True, **other):
    return {"figure": figure, "what": "a miss", "measured": measured, "unit": "cycles", "bar": bar,
            "atmost": atmost, "note": "", "config": "default", **other}


@pytest.mark.parametrize("measured, bar, atmost, verdict", [
    (12, 12, True, True), (12.1, 12, True, False), (.99, .99, False, True),
    (.989, .99, False, False), (5, None, True, None)])
def test_a_bar_is_met_or_missed(measured, bar, atmost, verdict):
    assert passed(record(measured=measured, bar=bar, atmost=atmost)) is verdict


@pytest.mark.parametrize("value, text", [
    (5, "5"), (4029.0, "4029"), (.0643, "0.0643"), (.9899, "0.990"), (1.2345, "1.234"),
    (5.952, "5.95"), (99.234, "99.2")])
def test_numbers_have_the_digits_they_deserve(value, text):
    assert number(value) == text


def test_a_line_says_bar_and_verdict():
    assert line(record(bar=13, measured=21)) == "figure 3: a miss: 21 cycles (bar ≤ 13): MISS"
    assert line(record(note="4 reads")) == "figure 3: a miss: 40 cycles; 4 reads"


def test_the_report_tells_the_missed_from_the_met():
    records = [record(bar=13), record(measured=10, bar=13), record(4, 7, bar=8),
               record("hits", 5)]
    assert summary(records) == [("3", FIGURES["3"], 1, 1, "MISS"),
                                ("4", FIGURES["4"], 1, 0, "PASS")]
    text = bench_report({"records": records, "only": None, "failures": ["it broke"],
                         "configs": {"default": "Config()"}}, [("a.svg", "A plot")])
    assert "| a miss | ≤ 13 | 40 cycles | MISS | `default` |  |" in text
    assert "## Figure 4" in text and "## Other hits" in text and "![A plot](a.svg)" in text
    assert "- it broke" in text


def test_records_are_sorted_as_the_figures_are_listed():
    records = [record("hits"), record(10), record(2), record(2, config="default+walks=1")]
    ordered = sorted(reversed(records), key=sort_key)
    assert [(each["figure"], each["config"]) for each in ordered] == \
        [(2, "default"), (2, "default+walks=1"), (10, "default"), ("hits", "default")]


def test_every_figure_has_a_measurement():
    everything = [test for simulation in plan() for test in simulation.tests]
    assert set(MEASURES) <= set(everything) and "ssds" in everything
    assert {figure for figures in MEASURES.values() for figure in figures} | \
        {"10", "working set", "bridge"} == set(FIGURES)
    assert [simulation.tests for simulation in plan(["7"])] == [["merging"]]
    with pytest.raises(ValueError, match="no figure '70'"):
        plan(["70"])


def test_plots_need_their_figure_only(tmp_path):
    pytest.importorskip("matplotlib")
    drawn = draw([record(x=latency, series="warm") for latency in (1, 100)], tmp_path)
    assert [name for name, _ in drawn] == ["latency.svg"]
    assert "<svg" in (tmp_path / "latency.svg").read_text()


def test_results_go_between_the_markers():
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert insert(text, "x", ["new", "lines"]) == "a\n<!-- x -->\nnew\nlines\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="no markers"):
        insert(text, "y", [])
