"""A command that cannot write leaves the old file or none, never a part, and says so in a line."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from siommu.generate.files import WriteError, command, whole, write_whole

ROOT = Path(__file__).resolve().parents[2]
OLD = "the old file\n"
GENERATE = [sys.executable, "-m", "siommu", "generate", "--preset", "small", "-o"]
BRIDGE = [sys.executable, "-m", "siommu", "bridge", "-o"]
#: Does not try to make the virtual environment that runs this test anew.
MAKE = ["make", "--no-print-directory", "-o", ".venv/.installed"]


def run(arguments, blocks=None, cwd=ROOT, **environment):
    """Runs a command that may write files of so many blocks of 512 bytes."""
    # What `make test` hands on to a make is not for this one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    limit = "" if blocks is None else f"ulimit -f {blocks}; "
    return subprocess.run(["sh", "-c", f'{limit}exec "$@"', "sh", *map(str, arguments)], cwd=cwd,
                          capture_output=True, text=True, check=False,
                          env={**environ, "PYTHONPATH": str(ROOT / "hdl"),
                               "PYTHONDONTWRITEBYTECODE": "1", **environment})


def leftovers(folder):
    """Everything below ``folder``, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# -- the helper ------------------------------------------------------------------------------------


def test_writes_text_and_bytes_into_new_folders(tmp_path):
    write_whole(tmp_path / "a" / "b" / "text", "¼\n")
    write_whole(str(tmp_path / "bytes"), b"\0\1")
    assert (tmp_path / "a" / "b" / "text").read_bytes() == "¼\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\0\1"
    assert leftovers(tmp_path) == ["a", "a/b", "a/b/text", "bytes"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_failure_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_text(OLD)
    with pytest.raises(error), whole(path) as scratch:
        assert scratch.name == "file"
        scratch.write_text("half of the new")
        raise error
    assert path.read_text() == OLD and leftovers(tmp_path) == ["file"]


def test_nothing_written_is_a_failure(tmp_path):
    with pytest.raises(WriteError, match=f"cannot write {tmp_path}/file: No such file"), \
            whole(tmp_path / "file"):
        pass
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_the_last_steps_can_fail(tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")
    path = tmp_path / "file"
    path.write_text(OLD)
    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.raises(WriteError, match=f"^cannot write {path}: No space left on device$"):
        write_whole(path, "new")
    assert path.read_text() == OLD and leftovers(tmp_path) == ["file"]


def test_links_and_permissions_stay(tmp_path):
    write_whole(tmp_path / "new", "")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").chmod(0o640)
    (tmp_path / "link").symlink_to("plain")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "plain").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o640


def test_a_pipe_is_written_straight(tmp_path):
    done = run([*BRIDGE, "/dev/stdout"])
    assert done.returncode == 0 and done.stdout.rstrip().endswith("endmodule")
    done = run([*BRIDGE, "/dev/full"])
    assert Path("/dev/full").is_char_device()
    assert (done.returncode, done.stderr) == (
        1, "siommu: cannot write /dev/full: No space left on device\n")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(WriteError, match="Is a directory"):
        write_whole(tmp_path, "text")


def test_a_command_says_one_sentence(tmp_path, capsys):
    @command
    def main(path):
        write_whole(path, "text")
        return 0
    assert main(tmp_path / "file") == 0
    assert main(tmp_path / "file" / "below") == 1
    assert capsys.readouterr().err == \
        f"siommu: cannot write {tmp_path}/file/below: Not a directory\n"


# -- the commands, under a limit -------------------------------------------------------------------


@pytest.mark.parametrize("blocks, old", [(0, None), (1, OLD), (2000, None), (2000, OLD)])
def test_verilog_under_a_limit(tmp_path, blocks, old):
    path = tmp_path / "siommu.v"
    if old:
        path.write_text(old)
    done = run([*GENERATE, path], blocks)
    sentence = "siommu: Yosys cannot make the Verilog: .*File too large.*" if blocks < 2 else \
        f"siommu: cannot write {path}: File too large"
    assert done.returncode == 1 and re.fullmatch(f"{sentence}\n", done.stderr)
    assert leftovers(tmp_path) == (["siommu.v"] if old else [])
    assert not old or path.read_text() == old


def test_make_verilog_generates_after_a_failure(tmp_path):
    """What failed is not up to date. The bridge has the same rule as the core, and is quicker."""
    core, path = tmp_path / "siommu.v", tmp_path / "bridge.v"
    done = run([*MAKE, "verilog", f"VERILOG={core}", f"BRIDGE={path}"], 2000)
    assert done.returncode and not leftovers(tmp_path)
    assert f"siommu: cannot write {core}: File too large\n" in done.stderr
    core.write_text("")                     # newer than its sources
    arguments = [*MAKE, "verilog", f"VERILOG={core}", f"BRIDGE={path}"]
    done = run(arguments, 400)
    assert done.returncode and leftovers(tmp_path) == ["siommu.v"]
    assert "File too large" in done.stderr    # whoever met the limit first
    done = run(arguments)
    assert done.returncode == 0 and f"siommu: generating {path}\n" in done.stdout
    text = path.read_text()
    assert text.rstrip().endswith("endmodule")
    # Old, and a new one cannot be written: the old one stays, and is still old.
    os.utime(path, (0, 0))
    assert run(arguments, 400).returncode and path.read_text() == text
    assert path.stat().st_mtime == 0
    done = run([*arguments, "--question"])
    assert done.returncode == 1


def test_a_recipe_that_fails_leaves_no_target(tmp_path):
    """Should a recipe ever write its target in place, make deletes the part."""
    (tmp_path / "Makefile").write_text(
        f"include {ROOT}/Makefile\npart:\n\t@echo half > $@; false\n")
    assert run(["make", "part"], cwd=tmp_path).returncode
    assert leftovers(tmp_path) == ["Makefile"]


def test_sources_in_packages_are_prerequisites(tmp_path):
    """A source in a folder below makes the Verilog stale."""
    package = tmp_path / "hdl" / "siommu" / "sub"
    package.mkdir(parents=True)
    (package / "part.py").write_text("")
    (package / "part.rdl").write_text("")
    (package / "part.txt").write_text("")
    (tmp_path / "Makefile").write_text(f"include {ROOT}/Makefile\nshow:\n\t@echo $(HDL)\n")
    assert sorted(run(["make", "-s", "show"], cwd=tmp_path).stdout.split()) == [
        "hdl/siommu/sub/part.py", "hdl/siommu/sub/part.rdl"]


@pytest.mark.parametrize("blocks", [1, 60, 100])
def test_generated_files_under_a_limit(tmp_path, blocks):
    """They come one after the other: each is whole, old or absent."""
    generated = ["hdl/include/siommu_regs.h", "hdl/include/siommu.h", "hdl/ipxact/siommu.xml",
                 "docs/registers.md", "docs/formats.md"]
    for name in generated[1:3]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(OLD)
    done = run([sys.executable, "-m", "scripts.generate", tmp_path], blocks)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"siommu: cannot write {tmp_path}/")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(tmp_path))
            assert name in generated
            assert path.read_text() in (OLD, (ROOT / name).read_text())


def test_the_demo_under_a_limit(tmp_path):
    if not shutil.which("mke2fs", path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
        pytest.skip("needs e2fsprogs")
    for blocks, sentence in (
            (1, f"siommu: cannot write {tmp_path}/files/home/alice/notes.txt: File too large\n"),
            (12000, "the demo failed: mke2fs was ended: File size limit exceeded\n")):
        done = run([sys.executable, "-m", "sim.demo", "--golden", "--folder", tmp_path], blocks)
        assert (done.returncode, done.stderr) == (1, sentence)
        assert not (tmp_path / "ext4.img").exists()
        assert not [name for name in leftovers(tmp_path) if "/." in f"/{name}"]


@pytest.mark.parametrize("script, error", [
    ("echo half > $lock; exit 1", ""), ("yes | head -c 9000 > $lock", "")])
def test_the_lock_under_a_limit(tmp_path, script, error):
    """pip-compile is a stub here that writes to what --output-file names."""
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text(OLD)
    tool = tmp_path / "venv" / "bin" / "pip-compile"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\nwhile [ "$1" != --output-file ]; do shift; done; lock=$2\n'
                    f'test "$lock" != requirements.lock || exit 7\n{script}\n')
    tool.chmod(0o755)
    arguments = ["make", "-f", ROOT / "Makefile", "lock", "VENV=venv"]
    assert run(arguments, 4, cwd=tmp_path).returncode
    assert (tmp_path / "requirements.lock").read_text() == OLD
    assert leftovers(tmp_path) == ["pyproject.toml", "requirements.lock", "venv", "venv/bin",
                                   "venv/bin/pip-compile"]
    if "exit" not in script:
        assert run(arguments, cwd=tmp_path).returncode == 0
        assert len((tmp_path / "requirements.lock").read_text()) == 9000


# -- a full disk -----------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [None, OLD])
def test_verilog_on_a_full_disk(tmp_path, old):
    """In a mount namespace of its own, so that nothing stays mounted."""
    root = ["--user", "--map-root-user"] * (os.getuid() != 0)
    inside = ["unshare", "--mount", *root, "sh", "-c"]
    mount = f"mount -t tmpfs -o size=256k none {tmp_path}"
    if not shutil.which("unshare") or subprocess.run([*inside, mount], capture_output=True,
                                                     check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    path = tmp_path / "siommu.v"
    before = f"printf '{OLD}' > {path}" if old else ":"
    done = run([*inside, f"{mount} && {{ {before}; }} && "
                         f"{{ {shlex.join([*GENERATE, str(path)])}; "
                         f"status=$?; ls -A {tmp_path}; cat {path} 2>/dev/null; exit $status; }}"])
    assert (done.returncode, done.stderr) == (
        1, f"siommu: cannot write {path}: No space left on device\n")
    assert done.stdout == ("siommu.v\n" + OLD if old else "")
