"""Results of long runs: for how long they hold."""

from tests.support import kept
from tests.support.kept import Kept, digest_of_tests


def test_results_hold_while_what_they_rest_on_does(tmp_path):
    tests = {"figures": "1", None: "2"}

    def kept(before=(), folder="kept"):
        return Kept(tmp_path / folder, dict(before), lambda result: tests[result["noticed"]])
    assert kept().result("a", "verilog") is None
    kept().keep("a", "verilog", {"noticed": "figures"})
    kept().keep("b", "verilog", {"noticed": None})
    assert kept().result("a", "verilog")["noticed"] == "figures"
    assert kept().result("a", "another") is None and kept().result("c", "verilog") is None
    tests[None] = "changed"
    assert kept().result("a", "verilog") and kept().result("b", "verilog") is None
    tests["figures"] = "changed"
    assert kept().result("a", "verilog") is None


def test_results_that_came_with_the_tree(tmp_path):
    made = Kept(tmp_path / "there", {}, lambda result: "same").keep("a", "verilog", {"x": 1})
    here = Kept(tmp_path / "here", {"a": made}, lambda result: "same")
    assert here.result("a", "verilog") == made and here.result("a", "another") is None


def test_digests_of_tests():
    one, folder = (digest_of_tests([path]) for path in ("tests/tools/test_kept.py", "tests/tools"))
    assert one != digest_of_tests(["tests/tools/test_forms.py"]) and one != folder
    assert folder != digest_of_tests(["tests/tools", "sim"])


def test_records_count_for_the_tests_that_compare_with_them(tmp_path, monkeypatch):
    def digests():
        return [digest_of_tests([each]) for each in ("regression", "regression/pace.py",
                                                     "regression/runs.py")]

    (tmp_path / "regression" / "recorded").mkdir(parents=True)
    for name in ("pace.py", "runs.py", "recorded/small.json"):
        (tmp_path / "regression" / name).write_text("1")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    monkeypatch.setattr(kept, "RECORDED", {"regression/pace.py": "regression/recorded"})
    before = digests()
    (tmp_path / "regression" / "recorded" / "small.json").write_text("2")
    assert [one == other for one, other in zip(before, digests())] == [False, False, True]
