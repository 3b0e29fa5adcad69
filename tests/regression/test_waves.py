"""The GTKWave save file: every signal it shows exists, and every enum has its filter."""

import os
import subprocess
import sys

import pytest

from siommu.arch.config import Config
from tests.support.exported import exported

from . import simulator
from .waves import FILTERS, declared_signals, groups, save_file


@pytest.fixture(scope="module")
def text():
    return exported()


def test_every_signal_exists(text, tmp_path):
    saved = save_file(Config(), text, tmp_path / "dump.fst", tmp_path / "filters")
    shown = [line for line in saved.splitlines() if line.startswith("siommu.")]
    assert len(shown) == sum(len(signals) for _, _, signals in groups(Config())) > 100
    assert "siommu.dev0_rsp_cause[7:0]" in shown
    assert f"@2022\n^1 {tmp_path}/filters/cause.txt\nsiommu.dev0_rsp_cause[7:0]" in saved


def test_filters_name_values(text, tmp_path):
    save_file(Config(), text, tmp_path / "dump.fst", tmp_path)
    assert set(FILTERS) == {path.stem for path in tmp_path.glob("*.txt")}
    assert "0D ENTRY_RESERVED\n" in (tmp_path / "cause.txt").read_text()
    assert (tmp_path / "disposition.txt").read_text() == "0 DENY\n1 OS\n2 REMAP\n"
    assert "4 PAGE_TABLE\n" in (tmp_path / "table.txt").read_text()


def test_a_signal_that_is_gone_is_reported(text, tmp_path):
    without = text.replace("key__ft", "key__gone")
    assert without != text
    with pytest.raises(KeyError, match="no signal siommu.control.core.tlb.look_up__key__ft"):
        save_file(Config(), without, tmp_path / "dump.fst", tmp_path)


def test_declared_signals():
    assert declared_signals(
        "module top(a);\n  input a;\n  wire a;\n  top_sub sub (\n    .b(a)\n  );\nendmodule\n"
        "module top_sub(b);\n  output [7:0] b;\n  reg [7:0] b = 8'h00;\n  wire b__low;\n"
        "endmodule\n") == {"top.a": 1, "top.sub.b": 8, "top.sub.b__low": 1}


def test_finds_a_test_that_has_seeds():
    """In a process of its own, in which nobody chose seeds before."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("SEED", "SEEDS", "SIOMMU_SEEDS")}
    found = subprocess.run(
        [sys.executable, "-c", "from tests.regression.waves import _find\n"
                               "print(*_find('records_are_the_oracles'))"],
        cwd=simulator.ROOT, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "tests.regression.faults records_are_the_oracles/seed=0\n"
