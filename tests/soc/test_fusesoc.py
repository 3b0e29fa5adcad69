"""The core in a flow of FuseSoC: linted, simulated, and refused with a sentence."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))


@pytest.fixture
def fusesoc(tmp_path):
    """A function that runs a target; returns FuseSoC's process. The user's own folders stay as they
    are."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("verilator", f'exec "{sys.executable}" "{ROOT}/scripts/verilator" "$@"'),
                       ("python3", f'exec "{sys.executable}" "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    cores = tmp_path / "cores"
    cores.mkdir()
    for name in ("scripts", "tests/soc"):       # not the environment and the builds
        (cores / name).parent.mkdir(parents=True, exist_ok=True)
        (cores / name).symlink_to(ROOT / name)
    # The smallest preset: `make lint` lints them all.
    text = (ROOT / "siommu.core").read_text()
    assert "preset: default" in text
    (cores / "siommu.core").write_text(text.replace("preset: default", "preset: small"))
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path),
                   "XDG_DATA_HOME": str(tmp_path), "MAKEFLAGS": "",
                   "PATH": f"{tools}:{os.environ['PATH']}",
                   "PYTHONPATH": os.pathsep.join([str(ROOT / "hdl"), str(ROOT)])}

    def run(*words, core="siommu:ip:siommu"):
        return subprocess.run([SCRIPTS / "fusesoc", "--cores-root", cores, "run", *words,
                               f"--work-root={tmp_path / 'work'}", core], cwd=tmp_path,
                              env=environment, capture_output=True, text=True)
    run.cores, run.work = cores, tmp_path / "work"
    return run


def test_lint(fusesoc):
    done = fusesoc("--target=lint")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "%Warning" not in said and list(fusesoc.work.rglob("siommu.v"))


def test_simulation(fusesoc):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is missing: sudo apt-get install iverilog")
    done = fusesoc("--target=sim")
    assert done.returncode == 0 and "PASS" in done.stdout, done.stdout + done.stderr


def test_core_and_bridge_are_set_up(fusesoc):
    done = fusesoc("--target=with_bridge", "--setup", "--tool=icarus")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in fusesoc.work.rglob("*.v")} >= {"siommu.v", "siommu_axi_bridge.v"}


def test_a_parameter_that_cannot_be(fusesoc):
    text = (ROOT / "siommu.core").read_text().replace("preset: default", "axi_data_width: 65")
    (fusesoc.cores / "siommu.core").write_text(text)
    done = fusesoc("--target=lint")
    assert done.returncode != 0 and "siommu: axi_data_width is 65" in done.stdout + done.stderr


def test_a_module_that_there_is_not(fusesoc):
    text = (ROOT / "siommu.core").read_text().replace("module: siommu\n", "module: mmu\n")
    (fusesoc.cores / "siommu.core").write_text(text)
    done = fusesoc("--target=lint")
    assert done.returncode != 0 and "siommu: there is no module mmu" in done.stdout + done.stderr
