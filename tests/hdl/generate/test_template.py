"""Instantiation templates: they fit the modules that are exported, by the tools' own judgement."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from siommu.arch.config import PRESETS, BridgeConfig, Config
from siommu.generate.cli import main
from siommu.generate.export import bridge_verilog, verilog
from siommu.generate.template import template

from .test_export import ports

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = [PRESETS["small"].with_(device_ports=2, port_depth=4, axi_data_width=256, walks=1),
           BridgeConfig(), BridgeConfig(data_width=128, id_width=1)]
NAMES = ["core", "bridge", "bridge of one id"]


@pytest.fixture(scope="module", params=CONFIGS, ids=NAMES)
def exported(request, tmp_path_factory):
    """A configuration, the name of its module, and the exported Verilog."""
    bridge = isinstance(request.param, BridgeConfig)
    text = (bridge_verilog if bridge else verilog)(request.param)
    path = tmp_path_factory.mktemp("exported") / "module.v"
    path.write_text(text)
    return request.param, "siommu_axi_bridge" if bridge else "siommu", path


def wrapper_ports(text, module):
    """Direction and width of every port in the head of the Verilog wrapper."""
    head = re.search(rf"^module {module}_wrapper \(\n(.*?)^\);", text, re.S | re.M)[1]
    return {name: (direction, int(high or 0) + 1) for direction, high, name in re.findall(
        r"^    (input|output) +wire +(?:\[(\d+):0\] )?(\w+),?$", head, re.M)}


def lint(*files, top):
    return subprocess.run([sys.executable, ROOT / "scripts/verilator", "--lint-only", "-Wall",
                           "--top-module", top, ROOT / "scripts/siommu.vlt", *files],
                          capture_output=True, text=True)


def test_verilog(exported, tmp_path):
    config, module, path = exported
    text = template(config, "verilog")
    (tmp_path / "wrapper.v").write_text(text)
    done = lint(path, tmp_path / "wrapper.v", top=f"{module}_wrapper")
    assert done.returncode == 0 and not done.stderr, done.stderr
    found = ports(path.read_text(), module)
    assert wrapper_ports(text, module) == found
    # Every warning is on: one bit less, or a port less, is noticed. (The ports alone are quicker.)
    (tmp_path / "ports.v").write_text(
        f"/* verilator lint_off UNDRIVEN */ module {module} (" + ", ".join(
            f"{direction} wire [{width - 1}:0] {name}"
            for name, (direction, width) in found.items()) + "); endmodule\n")

    def status(planted):
        (tmp_path / "wrapper.v").write_text(planted)
        done = lint(tmp_path / "ports.v", tmp_path / "wrapper.v", top=f"{module}_wrapper")
        return done.returncode
    assert status(text) == 0
    for planted in (text.replace("[63:0]", "[62:0]", 1),
                    re.sub(r"^    \.\w+_rvalid\(.*\n", "", text, flags=re.M)):
        assert planted != text and status(planted) != 0


def vhdl_entity(module, found):
    """An entity with the ports of the exported Verilog, for the component to be bound to."""
    lines = []
    for name, (direction, width) in found.items():
        kind = f"std_logic_vector({width - 1} downto 0)" if width > 1 else "std_logic"
        lines.append(f"{name} : {direction.removesuffix('put')} {kind}")
    return (f"library ieee;\nuse ieee.std_logic_1164.all;\nentity {module} is port (\n"
            + ";\n".join(lines) + f");\nend;\narchitecture none of {module} is begin end;\n")


@pytest.mark.parametrize("standard", ["93c", "08"])
def test_vhdl(exported, standard, tmp_path):
    if not shutil.which("ghdl"):
        pytest.skip("ghdl is missing: sudo apt-get install ghdl-mcode")
    config, module, path = exported
    text = template(config, "vhdl")

    def ghdl(entity, wrapper):
        (tmp_path / "module.vhd").write_text(entity)
        (tmp_path / "wrapper.vhd").write_text(wrapper)
        said = ""
        for words in (("-a", "module.vhd"), ("-a", "wrapper.vhd"),
                      ("--elab-run", f"{module}_wrapper", "--stop-time=0ns")):
            options = [f"--std={standard}", *["-Werror"] * (words[0] == "-a")]
            command, *rest = words
            done = subprocess.run(["ghdl", command, *options, *rest], cwd=tmp_path,
                                  capture_output=True, text=True)
            said += done.stdout + done.stderr
            if done.returncode:
                return said
        return said

    found = ports(path.read_text(), module)
    assert ghdl(vhdl_entity(module, found), text) == ""
    for name, change in (("m_axi_rdata", ("input", 32)), ("m_axi_rvalid", ("output", 1))):
        assert ghdl(vhdl_entity(module, {**found, name: change}), text)
    missing = {name: port for name, port in found.items() if name != "m_axi_rvalid"}
    assert ghdl(vhdl_entity(module, missing), text)


def test_every_group_has_a_comment(exported):
    config, _, _ = exported
    for language, sign in (("verilog", "//"), ("vhdl", "--")):
        comments = re.findall(rf"^ +{sign} (.*)$", template(config, language), re.M)
        groups = set(comments)
        assert len(comments) == len(groups) * (2 if language == "verilog" else 3)
        assert any(text.startswith("AXI4 master") for text in groups)


@pytest.mark.parametrize("words, config, language, name", [
    ((), Config(), "verilog", "siommu_wrapper.v"),
    (("--preset", "small", "--walks", "3"), PRESETS["small"].with_(walks=3), "vhdl",
     "siommu_wrapper.vhd"),
    (("--module", "bridge", "--id-width", "7"), BridgeConfig(id_width=7), "verilog",
     "siommu_axi_bridge_wrapper.v")])
def test_command(words, config, language, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["template", "--language", language, *words]) == 0
    assert (tmp_path / "build" / name).read_text() == template(config, language)
    assert f"siommu: wrote build/{name} " in capsys.readouterr().err
    assert main(["template", "--language", language, *words, "-o", "other"]) == 0
    assert (tmp_path / "other").read_text() == template(config, language)


@pytest.mark.parametrize("words, sentence", [
    (("--module", "bridge", "--walks", "3"),
     "the bridge has no option --walks; choose among --data-width, --id-width, --outstanding"),
    (("--module", "bridge", "--preset", "small"),
     "the bridge has no option --preset; choose among --data-width, --id-width, --outstanding"),
    (("--id-width", "3"), "the core has no option --id-width; choose among --device-ports, "),
    (("--walks", "99"), "walks is 99; choose a number from 1 to 16"),
    (("--module", "bridge", "--id-width", "99"), "id_width is 99; choose a number from 1 to 16")])
def test_refuses_the_impossible_with_a_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["template", "--language", "vhdl", *words])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith(f"siommu: {sentence}") and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
