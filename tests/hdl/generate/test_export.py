import re

import pytest
from amaranth.lib import data

from siommu.arch.config import PRESETS, BridgeConfig, Config
from siommu.arch.formats import Request, Response
from siommu.generate.cli import main
from siommu.generate.export import bridge_verilog, verilog
from tests.support.exported import exported

CHANNEL = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos", "region",
           "valid", "ready")


def ports(text, module="siommu"):
    """Direction and width of every port of a module."""
    body = re.search(rf"^module {module}\((.*?)^endmodule", text, re.S | re.M).group(1)
    found = {}
    for direction, high, name in re.findall(
            r"^  (input|output)(?: \[(\d+):0\])? (\w+);$", body, re.M):
        found[name] = (direction, int(high or 0) + 1)
    return found


@pytest.fixture(scope="module")
def default():
    return exported()


def test_ports_are_those_of_the_specification(default):
    expected = {"clk": ("input", 1), "rst": ("input", 1)}
    for port in ("dev0", "dev1", "cpu"):
        expected |= {f"{port}_req_valid": ("input", 1), f"{port}_req_ready": ("output", 1),
                     f"{port}_rsp_valid": ("output", 1), f"{port}_rsp_ready": ("input", 1)}
        for name, width in (("ft", 1), ("write", 1), ("device", 16), ("pasid", 20), ("addr", 64),
                            ("pages", 8), ("tag", 8)):
            expected[f"{port}_req_{name}"] = ("input", width)
        for name, width in (("tag", 8), ("last", 1), ("cause", 8), ("disposition", 2),
                            ("addr", 64), ("pages", 8), ("read", 1), ("write", 1), ("size", 2)):
            expected[f"{port}_rsp_{name}"] = ("output", width)
    widths = (4, 64, 8, 3, 2, 1, 4, 3, 4, 4, 1)
    for channel in ("aw", "ar"):
        for name, width in zip(CHANNEL, widths):
            expected[f"m_axi_{channel}{name}"] = ("output", width)
        expected[f"m_axi_{channel}ready"] = ("input", 1)
    for names, direction in (
            ({"wdata": 64, "wstrb": 8, "wlast": 1, "wvalid": 1, "bready": 1, "rready": 1},
             "output"),
            ({"wready": 1, "bid": 4, "bresp": 2, "bvalid": 1, "rid": 4, "rdata": 64, "rresp": 2,
              "rlast": 1, "rvalid": 1}, "input")):
        expected |= {f"m_axi_{name}": (direction, width) for name, width in names.items()}
    for names, direction in (
            ({"awaddr": 12, "awprot": 3, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1,
              "bready": 1, "araddr": 12, "arprot": 3, "arvalid": 1, "rready": 1}, "input"),
            ({"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32,
              "rresp": 2, "rvalid": 1}, "output")):
        expected |= {f"s_axil_{name}": (direction, width) for name, width in names.items()}
    expected |= {f"irq_{name}": ("output", 1) for name in ("command", "fault", "counter")}
    assert ports(default) == expected
    assert len(data.Layout.cast(Request).members) == 7
    assert len(data.Layout.cast(Response).members) == 9


def test_configurations_change_the_ports():
    found = ports(verilog(Config(device_ports=8, cpu_port=False, walks=16, axi_data_width=512,
                                 port_depth=4, tlb_entries=8, l2_entries=0, walk_entries=8)))
    assert "dev7_req_valid" in found and "cpu_req_valid" not in found
    assert found["m_axi_rdata"] == ("input", 512) and found["m_axi_wstrb"] == ("output", 64)
    assert found["m_axi_arid"] == ("output", 5)


@pytest.mark.parametrize("width, ids", [(64, 4), (512, 16)])
def test_ports_of_the_bridge(width, ids):
    expected = {"clk": ("input", 1), "rst": ("input", 1), "fault": ("output", 1)}
    forth = {f"req_{name}": bits for name, bits in (
        ("ft", 1), ("write", 1), ("device", 16), ("pasid", 20), ("addr", 64), ("pages", 8),
        ("tag", 8), ("valid", 1))} | {"rsp_ready": 1}
    back = {f"rsp_{name}": bits for name, bits in (
        ("tag", 8), ("last", 1), ("cause", 8), ("disposition", 2), ("addr", 64), ("pages", 8),
        ("read", 1), ("write", 1), ("size", 2), ("valid", 1))} | {"req_ready": 1}
    expected |= {f"mmu_{name}": ("output", bits) for name, bits in forth.items()}
    expected |= {f"mmu_{name}": ("input", bits) for name, bits in back.items()}
    forth = {f"{channel}{name}": bits for channel in ("aw", "ar") for name, bits in
             zip(CHANNEL, (ids, 64, 8, 3, 2, 1, 4, 3, 4, 4, 1))}
    forth |= {"wdata": width, "wstrb": width // 8, "wlast": 1, "wvalid": 1, "bready": 1,
              "rready": 1}
    back = {"awready": 1, "arready": 1, "wready": 1, "bid": ids, "bresp": 2, "bvalid": 1,
            "rid": ids, "rdata": width, "rresp": 2, "rlast": 1, "rvalid": 1}
    for side, out, into in (("m", "output", "input"), ("s", "input", "output")):
        expected |= {f"{side}_axi_{name}": (out, bits) for name, bits in forth.items()}
        expected |= {f"{side}_axi_{name}": (into, bits) for name, bits in back.items()}
    expected |= {f"s_axi_{channel}user": ("input", 36) for channel in ("aw", "ar")}
    text = bridge_verilog(BridgeConfig(data_width=width, id_width=ids))
    assert ports(text, "siommu_axi_bridge") == expected
    assert "\\" not in text and "$" not in text
    assert all(name.startswith("siommu_axi_bridge")
               for name in re.findall(r"^module (\w+)", text, re.M))


def test_bridge_command(capsys, tmp_path):
    output = tmp_path / "sub" / "bridge.v"
    assert main(["bridge", "--data-width", "128", "--id-width", "1", "--outstanding", "3",
                 "--output", str(output)]) == 0
    assert "BridgeConfig(data_width=128, id_width=1, outstanding=3)" in capsys.readouterr().err
    assert output.read_text() == bridge_verilog(BridgeConfig(128, 1, 3))
    with pytest.raises(SystemExit) as stop:
        main(["bridge", "--outstanding", "99", "--output", str(tmp_path / "x.v")])
    assert stop.value.code == 2 and not (tmp_path / "x.v").exists()
    assert capsys.readouterr().err == \
        "siommu: outstanding is 99; choose a number from 1 to 32\n"


def test_same_bytes_in_another_process(default):
    """``default`` is another process's, which hashes differently."""
    assert verilog(Config()) == default


def test_every_combinational_block_runs_once(default):
    """Whatever its simulator thinks of declarations with a value (see ``export.verilog``)."""
    dummies = 0
    for module in default.split("\nendmodule"):
        for dummy in set(re.findall(r"if \((\w+)\) begin end", module)):
            assert f"  reg {dummy};\n  initial {dummy} <= 0;" in module
            dummies += 1
    assert dummies > 10
    blocks = re.findall(r"^  always @\*.*\n.*", default, re.M)
    assert len(blocks) > 500
    assert not [block for block in blocks
                if not re.fullmatch(r"  always @\* begin\n    if \(\w+\) begin end", block)]


def test_names_are_plain_words_of_the_source(default):
    assert "\\" not in default and "$" not in re.sub(r"\$signed\(", "", default)
    declared = re.findall(r"^  (?:wire|reg)(?: signed)?(?: \[\d+:0\])? (\w+)", default, re.M)
    registers = re.findall(r"^  reg(?: \[\d+:0\])? (\w+) = ", default, re.M)
    unnamed = [name for name in registers if re.match(r"_n\d", name)]
    assert len(unnamed) < 20 and len(registers) > 1000      # some of a loop share a variable
    assert len(declared) > 10000 and all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in declared)


def test_no_paths_in_the_output(default):
    assert "/" not in re.sub(r"//.*|/\*.*?\*/|\(\*.*?\*\)", "", default)
    assert ".py" not in default


def test_help_offers_every_parameter(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["generate", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in ("--preset", "--output", "--device-ports", "--cpu-port", "--port-depth",
                   "--tlb-entries", "--device-entries", "--context-entries", "--walks",
                   "--axi-data-width"):
        assert option in text
    for preset in PRESETS:
        assert preset in text


def test_refuses_the_impossible_with_a_sentence(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["generate", "--walks", "99", "-o", str(tmp_path / "x.v")])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "siommu: walks is 99; choose a number from 1 to 16\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words, file", [
    (["generate", "--walks", "4"], "siommu.v"), (["generate", "--checked"], "siommu.v"),
    (["bridge", "--id-width", "2"], "siommu_axi_bridge.v")])
def test_the_file_of_the_default_configuration_gets_no_other(words, file, capsys, tmp_path,
                                                             monkeypatch):
    """`make verilog` would call it up to date."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"siommu: build/{file} is the file of the default " \
        "configuration; choose another one for this with --output\n"
    assert not list(tmp_path.iterdir())


def test_cannot_write(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["generate", "--preset", "small", "-o", str(tmp_path / "file" / "x.v")]) == 1
    assert capsys.readouterr().err == \
        f"siommu: cannot write {tmp_path}/file/x.v: Not a directory\n"


def test_presets(tmp_path, capsys):
    output = tmp_path / "sub" / "small.v"
    assert main(["generate", "--preset", "small", "--tlb-entries", "4", "-o", str(output)]) == 0
    assert "tlb_entries=4" in capsys.readouterr().err
    assert "dev1_req_valid" not in ports(output.read_text())
