"""The models on cocotb's time, without the core: the top level is a clock."""

from tests.regression import simulator

CLOCK = "module siommu(input wire clk);\nendmodule\n"
NAMES = ["tasks_and_time", "errors_reach_who_waits", "the_whole_demo"]


def test_models_run_under_cocotb(tmp_path, monkeypatch):
    source = tmp_path / "clock" / "siommu.v"
    source.parent.mkdir()
    source.write_text(CLOCK)
    monkeypatch.setenv("SIOMMU_VERILOG", str(source))
    results, _ = simulator.run("tests.support.cocotb_runs", NAMES)
    assert results == dict.fromkeys(NAMES)
