"""What notices a planted fault: what is run, and for how long a result holds."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests import mutants
from tests.mutations import MUTATIONS
from tests.support.kept import Kept

UNIT, ITEM = "tests/hdl/tlb/test_lines.py::test_a", "tests/regression/test_regression.py::" \
    "test_regression[runs-default-bypass/ft=0]"


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """Tries a fault whose Verilog is ``verilog``, where the product's is "right"; returns what was
    found and the groups of tests that were run."""
    product = tmp_path / "product.v"
    product.write_text("right")
    monkeypatch.setattr(mutants.simulator, "verilog", lambda: product)

    def trial(verilog, name="tag-without-ft"):
        def write(tree, path, *words):
            path.parent.mkdir(exist_ok=True)
            path.write_text(verilog)
            return path
        run = []

        def failure(arguments, environment, hint):
            run.append("regression" if environment else "unit")
            return ITEM if environment else UNIT
        monkeypatch.setattr(mutants, "verilog_of", write)
        monkeypatch.setattr(mutants, "_first_failure", failure)
        monkeypatch.setattr(mutants, "tests_of", lambda result: "tests")
        return mutants.noticed(name, Kept(tmp_path / "kept", {}, mutants.tests_of)), run
    return trial


def test_both_groups_are_tried_and_the_result_is_kept(tried):
    found, run = tried("wrong")
    assert (found["unit"], found["regression"], run) == (UNIT, ITEM, ["unit", "regression"])
    assert tried("wrong") == (found, [])
    assert tried("wrong in another way")[1] == ["unit", "regression"]


def test_the_regression_cannot_notice_what_its_verilog_does_not_show(tried):
    found, run = tried("right")
    assert (found["unit"], found["regression"], run) == (UNIT, None, ["unit"])


def test_a_result_rests_on_the_text_of_the_module(tried, monkeypatch):
    """Faults of options that are off change the module alone."""
    before, _ = tried("right")
    mutation = MUTATIONS["tag-without-ft"]
    monkeypatch.setitem(MUTATIONS, "tag-without-ft",
                        replace(mutation, new=f"{mutation.new}  # changed"))
    after, run = tried("right")
    assert run == ["unit"] and after["inputs"] != before["inputs"]


def test_what_a_result_rests_on(monkeypatch):
    monkeypatch.setattr(mutants, "digest_of_tests", list)
    paths = [mutants.tests_of({"unit": unit, "regression": item}) for unit, item in (
        (UNIT, ITEM), (UNIT, None), (None, ITEM))]
    assert paths == [["tests/hdl/tlb/test_lines.py", "tests/regression/runs.py"],
                     ["tests/hdl/tlb/test_lines.py", "tests/regression", "sim"],
                     ["tests/hdl", "tests/regression/runs.py"]]
    assert all((Path(__file__).parents[2] / path).exists() for path in paths[1])


def test_the_test_that_noticed_before_is_found_wherever_it_is(monkeypatch):
    """It may be in the file of another module."""
    name, run = "test_every_bit_of_the_key_counts", []
    assert mutants._tests_named(name) == ["-k", name, "tests/hdl/miss/test_walk_slots.py"]
    assert mutants._tests_named("") == mutants._tests_named("test_of_nothing") == []
    monkeypatch.setattr(mutants, "_run", lambda arguments, *rest: run.append(arguments))
    mutants._first_failure(["all"], {}, [])
    mutants._first_failure(["all"], {}, ["named"])
    assert run == [["all"], ["named"], ["all"]]
