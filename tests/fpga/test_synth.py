"""The harness around the core, and what is read from the tools' reports."""

import hashlib
import json
import re

import pytest

from fpga import synth
from fpga.floorplan import GROUPS, block_ram_box, plan
from fpga.flow import harness_luts
from fpga.harness import harness_verilog, module_ports
from fpga.levels import deepest
from fpga.paths import describe, fmax, slow_registers, slowest_path
from fpga.plots import draw, points
from fpga.report import bars, parts, sections, synthesis_report, table
from fpga.synth import main, variants

VERILOG = """
module siommu(clk, rst, a, b, c);
  input clk;
  wire clk;
  input rst;
  input [6:0] a;
  output [9:0] b;
  output c;
  reg [3:0] x;
endmodule

module \\siommu.core (d);
  input d;
endmodule
"""


def test_ports_are_those_of_the_top_module():
    assert module_ports(VERILOG) == {"clk": ("input", 1), "rst": ("input", 1), "a": ("input", 7),
                                     "b": ("output", 10), "c": ("output", 1)}
    with pytest.raises(ValueError, match="does not hold the module"):
        module_ports("module other(a);\nendmodule\n")


def test_the_harness_connects_every_port_to_registers():
    text = harness_verilog(VERILOG)
    for port in ("clk", "rst", "a", "b", "c"):
        assert f".{port}(" in text
    assert "reg [10:0] fold_0" in text          # all output bits
    assert "reg [2:0] fold_1" in text and "fold_2" in text and "fold_3" not in text
    assert "(* keep" not in text


@pytest.mark.parametrize("name, words", [
    ("siommu.core.miss.queues.first[3]_TRELLIS_FF_Q_3", "register `first` of `core.miss.queues`"),
    ("siommu.core.miss.queues.links.0.5$DPRAM_COMB0", "memory `links` of `core.miss.queues`"),
    ("siommu.core.miss.queues.elements.0.3", "memory `elements` of `core.miss.queues`"),
    ("siommu.core.tlb.tag_31_TRELLIS_FF_Q_69", "register `tag_31` of `core.tlb`"),
    ("siommu.core.walker.ended_TRELLIS_FF_Q", "register `ended` of `core.walker`"),
    ("cpu_req_ft_TRELLIS_FF_Q", "register `cpu_req_ft` at a port (harness)")])
def test_names_of_cells_in_words(name, words):
    assert describe(name) == words


@pytest.mark.parametrize("count, rows, across", [
    (1, [70], 1), (22, [70, 82], 3), (58, [46, 70, 82], 5), (130, [22, 46, 70, 82], 9),
    (208, [22, 46, 70, 82], 13)])
def test_the_box_of_block_rams(count, rows, across):
    """Enough sites in as few rows and groups as make it square."""
    box = block_ram_box(count)
    assert count <= len(box) == len(set(box)) == 4 * len(rows) * across
    assert sorted({y for _, y, _ in box}) == rows
    assert all(x % 2 == (x - 2 * index) % 2 and x - 2 * index in GROUPS for x, _, index in box)


def test_a_box_may_be_too_large():
    with pytest.raises(ValueError, match="the device has 208 block RAMs; 209 are needed"):
        block_ram_box(209)


def cell(kind, **connections):
    return {"type": kind, "connections": connections}


def test_block_rams_lie_near_to_what_they_belong_to():
    """A chain of block RAMs with registers between them, which the order of their names mixes."""
    order = [3, 14, 0, 9, 6, 12, 1, 15, 10, 4, 8, 2, 13, 5, 11, 7]
    chain, cells = [f"ram_{number:02}" for number in order], {}
    for place, name in enumerate(chain):
        own, before = (range(100 * link, 100 * link + 20) for link in (place + 1, place))
        cells[name] = cell("DP16KD", DOA=list(own), ADA=[10_000 + bit for bit in before])
        cells |= {f"register_{bit}": cell("TRELLIS_FF", DI=[bit], Q=[bit + 10_000])
                  for bit in own}
    cells["lonely"] = cell("TRELLIS_FF", DI=["0"], Q=[77_777])
    design = {"modules": {"top": {"cells": cells}}}
    first = json.dumps(plan(design))
    assert json.dumps(plan(json.loads(first))) == first, "the same netlist, the same plan"
    places = {}
    for name, found in cells.items():
        if found["type"] == "DP16KD":
            place = re.fullmatch(r"X(\d+)/Y(\d+)/EBR(\d)", found["attributes"]["BEL"])
            places[name] = tuple(map(int, place.groups()))
        else:
            assert "attributes" not in found
    box = block_ram_box(16)
    assert sorted(places.values()) == sorted(box)

    def length(places):
        return sum(abs(places[one][axis] - places[two][axis])
                   for one, two in zip(chain, chain[1:]) for axis in (0, 1))
    assert length(places) < .85 * length(dict(zip(sorted(chain), box)))


def test_without_block_rams_there_is_no_plan():
    design = {"modules": {"top": {"cells": {"only": cell("TRELLIS_FF", DI=[2], Q=[3])}}}}
    assert plan(design)["modules"]["top"]["cells"] == {
        "only": cell("TRELLIS_FF", DI=[2], Q=[3])}


def step(kind, delay, cell, net=None):
    return {"type": kind, "delay": delay, "from": {"cell": cell}, "to": {"cell": cell},
            **({"net": net} if net else {})}


REPORT = {
    "fmax": {"clk": {"achieved": 125.0, "constraint": 200}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk", "path": []},
        {"from": "posedge clk", "to": "posedge clk", "path": [
            step("clk-to-q", .5, "siommu.core.a.x_TRELLIS_FF_Q"),
            step("routing", 1.5, "siommu.core.a.x_TRELLIS_FF_Q", "siommu.core.a.x"),
            step("logic", .25, "siommu.core.b.y_LUT4_Z"),
            step("routing", 1.0, "siommu.core.b.y_LUT4_Z", "siommu.core.b.y[2]"),
            step("setup", 0, "siommu.core.b.z_TRELLIS_FF_Q_1")]}],
    "detailed_net_timings": [
        {"event": "posedge clk", "endpoints": [
            {"cell": "siommu.core.b.z_TRELLIS_FF_Q_1", "delay": [1, 3.25], "event": "posedge clk"},
            {"cell": "siommu.core.b.z_TRELLIS_FF_Q_2", "delay": [1, 2.0], "event": "posedge clk"},
            {"cell": "siommu.core.a.w_TRELLIS_FF_Q", "delay": [1, 2.5], "event": "posedge clk"}]},
        {"event": "async", "endpoints": [
            {"cell": "siommu.core.a.w_TRELLIS_FF_Q", "delay": [1, 9], "event": "posedge clk"}]}],
}


def test_the_slowest_path():
    assert fmax(REPORT) == 125.0
    assert slowest_path(REPORT) == {
        "begin": "register `x` of `core.a`", "end": "register `z` of `core.b`", "ns": 3.25,
        "logic_ns": .75, "routing_ns": 2.5, "luts": 1, "modules": ["core.a", "core.b"]}


def test_slow_registers_count_their_bits():
    assert slow_registers(REPORT) == [(3.25, 2, "register `z` of `core.b`"),
                                      (2.5, 1, "register `w` of `core.a`")]


def test_levels_count_luts_in_a_row():
    """From a register through two LUTs and a multiplexer to another's data; its enable is nearer,
    and a block RAM begins late. A loop ends."""
    def cell(kind, output, **inputs):
        ports = {name: [bit] for name, bit in inputs.items()}
        return {"type": kind, "connections": {**ports, output[0]: [output[1]]},
                "port_directions": {**dict.fromkeys(ports, "input"), output[0]: "output"}}
    cells = {
        "siommu.core.first_TRELLIS_FF_Q": cell("TRELLIS_FF", ("Q", 1), DI=6),
        "near": cell("LUT4", ("Z", 2), A=1, B="0"), "far": cell("LUT4", ("Z", 3), A=1, C=2),
        "mux": cell("PFUMX", ("Z", 4), ALUT=3, BLUT=2, C0=1),
        "siommu.core.second_TRELLIS_FF_Q": cell("TRELLIS_FF", ("Q", 5), DI=4, CE=2),
        "one": cell("LUT4", ("Z", 6), A=7), "other": cell("LUT4", ("Z", 7), A=6, B=1),
        "ram": cell("DP16KD", ("DOA0", 8), CLKA=9), "behind": cell("LUT4", ("Z", 10), D=8),
        "siommu.core.third_TRELLIS_FF_Q": cell("TRELLIS_FF", ("Q", 11), DI=10),
    }
    found = {what: (length, inputs, chain) for length, inputs, what, chain in
             deepest({"modules": {"top": {"cells": cells}}})}
    assert found["register `second` of `core`"] == (
        2.2, 2, ["mux", "far", "near", "siommu.core.first_TRELLIS_FF_Q"])
    assert found["register `third` of `core`"] == (5, 1, ["behind", "ram"])
    assert found["register `first` of `core`"][1] == 1


def test_the_harness_s_luts_are_those_before_its_registers():
    def cell(kind, output, **inputs):
        pins = {**inputs, **output}
        return {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()},
                "port_directions": {pin: "output" if pin in output else "input" for pin in pins}}
    design = {"modules": {"top": {"cells": {
        "core": cell("LUT4", {"Z": 1}, A=9), "first": cell("TRELLIS_FF", {"Q": 2}, DI=1),
        "xor": cell("LUT4", {"Z": 3}, A=2), "second": cell("TRELLIS_FF", {"Q": 4}, DI=3),
        "wire": cell("TRELLIS_FF", {"Q": 5}, DI=4)},
        "netnames": {"fold_0": {"bits": [2]}, "fold_1": {"bits": [4]}, "fold_2": {"bits": [5]}}}}}
    assert harness_luts(design) == 1


def results(**change):
    run = {"speed": 8, "seed": 1, "fmax": 160.0, "luts": 7000, "path": slowest_path(REPORT)}
    cells = dict(zip(("LUT4", "carry", "FF", "LUT RAM", "block RAM"), (4500, 100, 2500, 200, 4)))
    return {"small": {"config": {}, "harness_luts": 1100, "core": cells, "parts": {
        "siommu": dict.fromkeys(cells, 0), "siommu.control": cells, "siommu.control.core": cells,
        "siommu.control.core.tlb": cells, "siommu.control.core.tlb.plru": cells,
        "siommu.control.core.dev0_ingress": cells, "siommu.control.core.cpu_ingress": cells,
        "siommu.control.counters": cells},
        "runs": [run, {**run, "seed": 2, "fmax": 190.0}, {**run, "seed": 3, "fmax": 185.0}],
        **change}}


def test_bars_take_the_median_and_leave_the_harness_out():
    rows = bars(results())
    assert [(row[0], row[3], row[4]) for row in rows] == [
        (11, "185.0 MHz", "PASS"), (12, "5900", "PASS"), (12, 2500, "PASS")]
    large = results()["small"]
    large["runs"] = [{**run, "luts": 9000} for run in large["runs"]]
    assert [row[4] for row in bars({"small": large})] == ["PASS", "MISS", "PASS"]
    assert bars({}) == []


def test_a_plain_flow_has_bars():
    rows = bars({"default": {"plain": {"fmax": 144.9, "cells": 17_000}}})
    assert [(row[0], row[3], row[4]) for row in rows] == [
        (11, "144.9 MHz", "MISS"), (12, 17_000, "PASS")]


def test_parts_hold_what_is_inside_of_them():
    rows = {row[0]: row[1] for row in parts(results()["small"]["parts"])}
    assert rows == {"`core.tlb`": 9000, "`core: all ingress`": 9000, "`core`": 4500,
                    "`control`": 4500, "`counters`": 4500, "sum": 31500}


def test_the_report_holds_every_configuration():
    data = {"tools": "tools 1", "freq": "200 MHz", "results": results()}
    data["results"]["small"]["xilinx"] = {"LUT": 100, "LUT RAM": 20, "FF": 300, "BRAM36": 1.5}
    text = synthesis_report(json.loads(json.dumps(data)))
    assert "| `small` | 4500 | 100 | 2500 | 200 | 4 | 5900 | 8 | 185.0 | 160.0, 185.0, 190.0 |" \
        in text
    assert "What each part of `small` costs" in text
    assert "| `small` | 100 | 20 | 300 | 1.5 |" in text


def test_how_it_grows(tmp_path):
    """The points of a sweep in order; those that were not placed are left out."""
    known = {f"walks-{walks}": results()["small"] for walks in (16, 1, 8)}
    known["walks-1"] = {**known["walks-1"], "core": {**known["walks-1"]["core"], "LUT4": 1000}}
    known["walks-4"] = results(runs=[])["small"]
    assert points(known, "walks") == [(1, 2400, 2500, 185.0), (8, 5900, 2500, 185.0),
                                      (16, 5900, 2500, 185.0)]
    assert draw(known, tmp_path / "plot.svg")
    first = (tmp_path / "plot.svg").read_bytes()
    assert b"walks in flight" in first and b"first-level" not in first
    assert draw(known, tmp_path / "plot.svg") and (tmp_path / "plot.svg").read_bytes() == first
    assert not draw(results(), tmp_path / "none.svg") and not (tmp_path / "none.svg").exists()
    data = {"tools": "tools 1", "freq": "200 MHz", "results": known}
    assert "![Size and frequency over parameters](there.svg)" in sections(data, "##", "there.svg")


def test_tables_align_columns_of_numbers():
    assert table(("a", "b"), [("x", 1), ("y", "–")]) == \
        ["| a | b |", "|---|--:|", "| x | 1 |", "| y | – |"]


def test_variants_differ_from_the_default_in_one_parameter():
    known = variants()
    assert {"small", "default", "large", "l1-16", "l1-64", "walks-1", "walks-16"} <= set(known)
    assert known["l1-64"] == known["default"].with_(tlb_entries=64)
    assert known["ports-4"].ports == 4 and not known["riscv-0"].riscv_tables


def bench(monkeypatch, known, *arguments, only="small"):
    """A ``Bench`` of `small`, whose Verilog is of one letter, where ``known`` was measured."""
    options = synth.parser().parse_args(["--only", only, "--seeds", "2", *arguments])
    monkeypatch.setattr(synth, "verilog", lambda config: "v")
    monkeypatch.setattr(synth, "measured", lambda: known)
    return synth.Bench(options)


def test_what_was_measured_before_is_not_measured_again(monkeypatch):
    known = results(sha256=hashlib.sha256(b"v").hexdigest())
    known["small"]["runs"].pop(1)
    assert [text for text, _ in bench(monkeypatch, known).jobs()] == \
        ["small: placing and routing, speed 8, seed 2", "small: for Xilinx"]
    everything = [text for text, _ in bench(monkeypatch, {}).jobs()]
    assert len(everything) == 5
    for again in ({}, ["--again"]), ({"sha256": "of another"}, []), ({}, ["--paths", "3"]), \
            ({}, ["--freq", "100"]):
        stale = {"small": {**known["small"], **again[0]}}
        assert [text for text, _ in bench(monkeypatch, stale, *again[1]).jobs()] == everything


def test_a_report_is_written_when_nothing_is_left_to_measure(monkeypatch, tmp_path, capsys):
    known = results(sha256=hashlib.sha256(b"v").hexdigest())
    done = bench(monkeypatch, known)
    monkeypatch.setattr(done, "jobs", list)
    monkeypatch.setattr(synth.tools, "BUILD", tmp_path)
    assert not done.run() and (tmp_path / "synth.md").exists()
    assert "--again measures it anew" in capsys.readouterr().out


def test_a_size_alone_is_kept_too(monkeypatch):
    monkeypatch.setattr(synth.flow, "core_size", lambda config: {"LUT4": 1})
    first = bench(monkeypatch, {})
    dict(first.jobs())["small: size"]()
    assert "small: size" not in dict(bench(monkeypatch, first.results).jobs())
    del first.results["small"]["sha256"]        # nobody knows what it was measured on
    assert "small: size" in dict(bench(monkeypatch, first.results).jobs())


def test_what_cannot_be_routed_is_placed_if_it_is_asked_for(monkeypatch):
    (name,) = synth.UNROUTED
    sweep, _, _ = name.partition("-")
    for only, placed in ((sweep, False), (name, True)):
        texts = [text for text, _ in bench(monkeypatch, {}, only=only).jobs()]
        assert f"{name}: size" in texts
        assert (f"{name}: placing and routing, speed 8, seed 1" in texts) == placed


def test_another_recipe_measured_something_else(tmp_path, monkeypatch):
    path = tmp_path / "synth.json"
    assert synth.measured(path) == {}
    path.write_text(json.dumps({"recipe": synth.recipe(), "results": results()}))
    assert synth.measured(path).keys() == {"small"}
    monkeypatch.setattr(synth, "recipe", lambda: "another")
    assert synth.measured(path) == {}


def test_an_unknown_configuration_is_named():
    with pytest.raises(SystemExit, match="no configuration 'tiny'"):
        main(["--only", "tiny"])
