"""The wheel, in an environment that has nothing else of the project; and `siommu files`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from siommu.generate import installed
from siommu.generate.cli import main

ROOT = Path(__file__).resolve().parents[3]


def run(*words, folder, **environment):
    done = subprocess.run([sys.executable, *map(str, words)], cwd=folder, capture_output=True,
                          text=True, env={"PATH": os.environ["PATH"], **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A folder into which the wheel was installed, alone."""
    folder = tmp_path_factory.mktemp("wheel")
    # Setuptools leaves its work beside the sources: it gets a copy of them.
    for name in ("pyproject.toml", "README.md", "LICENSE", "hdl", "sim"):
        (folder / "source").mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", ROOT / name, folder / "source" / name], check=True)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder,
        folder / "source", folder=folder)
    (package,) = folder.glob("siommu-*.whl")
    run("-m", "venv", "--without-pip", folder / "empty", folder=folder)
    run(*pip, "--python", folder / "empty" / "bin" / "python", "install", "--no-deps", "--no-index",
        package, folder=folder)
    return folder / "empty"


def siommu(wheel, *words):
    """Runs the installed command. Other people's packages are those of this environment, which has
    the checkout's as well, so the installed ones come first."""
    site = next(wheel.glob("lib/python*/site-packages"))
    path = os.pathsep.join([str(site), *(entry for entry in sys.path if "site-packages" in entry)])
    done = subprocess.run([wheel / "bin" / "siommu", *words], cwd=wheel, capture_output=True,
                          text=True, env={"PATH": os.environ["PATH"], "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command, module", [
    (("generate", "--preset", "small"), "siommu"), (("bridge",), "siommu_axi_bridge")])
def test_the_installed_command_writes_verilog(wheel, command, module):
    siommu(wheel, *command, "--output", "out.v")
    assert re.search(rf"^module {module}\(", (wheel / "out.v").read_text(), re.M)


def test_the_installed_files_are_found(wheel):
    for name, (source, _) in installed.FILES.items():
        path = Path(siommu(wheel, "files", name).strip())
        assert path.is_relative_to(wheel) and path.read_bytes() == (ROOT / source).read_bytes()
    folder = Path(siommu(wheel, "files", "siommu.h").strip()).parent
    compiled = subprocess.run(["cc", "-fsyntax-only", "-x", "c", "-I", folder, "-"], text=True,
                              input="#include <siommu.h>\n", capture_output=True)
    assert compiled.returncode == 0, compiled.stderr


def test_files_of_a_checkout(capsys):
    assert main(["files"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(installed.FILES)
    assert lines[0].startswith(f"{ROOT / 'hdl/include/siommu.h'}  C header")


def test_a_file_that_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(installed, "CHECKOUT", tmp_path)
    monkeypatch.setattr(installed.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        main(["files", "siommu.xml"])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("siommu: siommu.xml is missing: neither ") and said.count("\n") == 1


def test_a_name_that_is_none(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["files", "siommu.c"])
    assert stop.value.code == 2 and "invalid choice" in capsys.readouterr().err
