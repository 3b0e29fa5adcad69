"""The library as a C program sees it, of other configurations, with waves; and when it fails."""

import os
import subprocess
from pathlib import Path

import pytest

from sim.model.golden import GoldenModel, check_response
from sim.model.worlds import Traffic, World
from sim.verilated import BuildError, Core, build, build_library
from tests.regression import simulator

from .test_core import answers, ask, enable
from .world import MappedWorld

SOURCES = Path(build.__file__).parent
WIDE = "edge"
PROGRAM = """\
#include <stdio.h>
#include <string.h>
#include "siommu_sim.h"

int main(void) {
    static uint64_t memory[512];
    const siommu_sim_region region = {0x1000, sizeof memory, memory};
    const siommu_sim_request request = {0x1234, 3, 0, 0, 0, 0, 9};
    siommu_sim_beat beat;
    uint32_t value = 0;
    siommu_sim *sim = siommu_sim_create();
    if (!sim || siommu_sim_map(sim, &region, 1)) return 1;
    if (siommu_sim_read(sim, 0, &value) || value != 0x53494F4D) return 2;
    if (siommu_sim_write(sim, 0x18, 0x1000, 15) || siommu_sim_write(sim, 0x10, 1, 15)) return 3;
    memory[0] = 1 | 2 | 8; /* device 0: valid, MEM_EN, MEM_BYPASS */
    if (siommu_sim_submit(sim, 0, &request)) return 4;
    while (siommu_sim_run(sim, 100) > 0) {}
    if (siommu_sim_collect(sim, 0, &beat, 1) != 1 || beat.address != 0x1234 || beat.tag != 9)
        return 5;
    if (siommu_sim_submit(sim, 99, &request) != -1 || !strlen(siommu_sim_error(sim))) return 6;
    printf("%llu cycles\\n", (unsigned long long)siommu_sim_cycles(sim));
    siommu_sim_destroy(sim);
    return 0;
}
"""


def test_a_program_in_plain_c(library, tmp_path):
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    compiler = os.environ.get("CXX", "g++")
    subprocess.run([compiler, "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    f"-I{SOURCES}", str(source), "-x", "none", str(library),
                    f"-Wl,-rpath,{library.parent}", "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.endswith("cycles\n")


def test_one_device_port_and_a_wide_bus(tmp_path):
    """Another number of ports, 256 bits of data; and waves."""
    library = build_library(simulator.verilog(WIDE), waves=True)
    made = World(3)
    mapped = MappedWorld(made.memory)
    golden = GoldenModel(mapped, 1, made.check_ad, made.directory.base, made.directory.log2,
                         riscv_tables=True)
    with Core(library) as core:
        assert core.ports == 2
        core.map(mapped.regions())
        core.trace(tmp_path / "waves.vcd")
        enable(core, made.directory.base, made.directory.log2, made.check_ad)
        traffic = Traffic(made, made.rng)
        for access, _, beats in answers(core, ask(core, [traffic.access() for _ in range(60)])):
            check_response(access, golden.translate(access), [beat for _, beat in beats])
        core.trace(None)
    text = (tmp_path / "waves.vcd").read_text()
    assert "dev0_rsp_valid" in text and text.count("\n#") > 100


def test_waves_that_cannot_be_written(tmp_path):
    library = build_library(simulator.verilog(WIDE), waves=True)
    with Core(library) as core, pytest.raises(RuntimeError, match="cannot write waves to"):
        core.trace(tmp_path / "nowhere" / "waves.vcd")


# -- building --------------------------------------------------------------------------------------

def test_a_library_is_made_once(tmp_path, monkeypatch):
    source = tmp_path / "siommu.v"
    source.write_text("module siommu(dev0_req_valid);\n")
    ran = []

    def run(command, folder):
        ran.append(Path(command[0]).name)
        (folder / build.LIBRARY).write_bytes(b"")
    monkeypatch.setattr(build, "run_tool", run)
    first = build_library(source, build=tmp_path / "build")
    assert len(ran) == 3 and build_library(source, build=tmp_path / "build") == first
    assert len(ran) == 3
    source.write_text("module siommu(dev0_req_valid, cpu_req_valid);\n")
    assert build_library(source, build=tmp_path / "build") != first
    assert (first.parent / "port_list.h").read_text() == "SIOMMU_PORT(dev0)\n"


def test_verilog_that_is_none(tmp_path):
    source = tmp_path / "siommu.v"
    source.write_text("module siommu(input dev0_req_valid);\n  nonsense\nendmodule\n")
    for _ in range(2):                      # what failed is not found made the second time
        with pytest.raises(BuildError, match=r"failed \(status 1\):(.|\n)*nonsense|syntax error"):
            build_library(source, build=tmp_path / "build")
    assert not [path for path in (tmp_path / "build" / "verilated").iterdir() if path.is_dir()]


def test_a_missing_compiler(tmp_path, monkeypatch):
    with pytest.raises(BuildError, match="no-such-compiler is missing"):
        build.run_tool(["no-such-compiler"], tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        build_library(tmp_path / "siommu.v")
