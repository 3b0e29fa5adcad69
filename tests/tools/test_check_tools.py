"""What is missing is installed where that may be done, else the last line is the one to type.

All programs that the script finds are stubs, or links into a folder that is the whole PATH.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "check_tools.sh"
TYPE = "siommu: on Debian 12 type: sudo apt-get install "
#: What the script itself calls, and nothing else.
BASE = ("sh", "dirname", "tail", "cat", "chmod")
APT = """\
echo "apt-get $*, frontend ${{DEBIAN_FRONTEND:-none}}" >> {log}
case $1 in
update) {update} ;;
install) {install} ;;
esac
"""


class Host:
    """A host with a PATH of its own.

    Parameters
    ----------
    folder : Path
    uid : int
        What ``id -u`` says.
    tools : sequence of str
        Programs that are there.
    """

    def __init__(self, folder, uid, tools=()):
        self.bin, self.log = folder / "bin", folder / "log"
        self.bin.mkdir()
        for name in BASE:
            (self.bin / name).symlink_to(shutil.which(name))
        self.stub("id", f"echo {uid}")
        for name in tools:
            self.stub(name)

    def stub(self, name, text=":"):
        """Puts a program of one shell text on the PATH."""
        (self.bin / name).write_text(f"#!{shutil.which('sh')}\n{text}\n")
        (self.bin / name).chmod(0o755)

    def apt(self, installs=(), update=":", install=":"):
        """Puts an apt-get there; ``installs`` are programs that it brings."""
        makes = "; ".join(f"echo '#!{shutil.which('sh')}' > {self.bin}/{name}; "
                          f"chmod 755 {self.bin}/{name}" for name in installs) or ":"
        self.stub("apt-get", APT.format(log=self.log, update=update, install=f"{makes}; {install}"))

    def calls(self):
        """What apt-get was called with."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def check(self, *needs, script=SCRIPT, **environment):
        """Runs the script; (status, lines of standard error). Nothing goes to standard output."""
        done = subprocess.run([self.bin / "sh", script, *needs], cwd=ROOT, capture_output=True,
                              text=True, check=False, env={"PATH": str(self.bin), **environment})
        assert not done.stdout
        return done.returncode, done.stderr.splitlines()


E2FSPROGS = ("mke2fs", "debugfs", "e2fsck")
INSTALLED = [
    "apt-get update -qq, frontend noninteractive",
    "apt-get install -y -qq --no-install-recommends {}, frontend noninteractive"]


@pytest.fixture(name="script")
def fixture_script(tmp_path):
    """The script without the folders where this host's e2fsprogs are."""
    text = SCRIPT.read_text()
    assert ":/usr/sbin:/sbin" in text
    (tmp_path / "script").write_text(text.replace(":/usr/sbin:/sbin", ""))
    return tmp_path / "script"


def test_nothing_is_missing(tmp_path, script):
    host = Host(tmp_path, 0, ("g++", *E2FSPROGS))
    host.apt()
    assert host.check("compiler", "e2fsprogs", script=script) == (0, [])
    assert not host.calls()


def test_root_installs_and_says_so(tmp_path, script):
    host = Host(tmp_path, 0)
    host.apt(installs=("g++", *E2FSPROGS))
    assert host.check("compiler", "e2fsprogs", script=script) == (0, [
        "siommu: installing g++ e2fsprogs with apt-get (SIOMMU_INSTALL=no prevents that)"])
    assert host.calls() == [line.format("g++ e2fsprogs") for line in INSTALLED]


@pytest.mark.parametrize("why", ["no root", "opt-out", "no apt-get"])
def test_others_get_the_line_to_type(tmp_path, script, why):
    host = Host(tmp_path, 1000 if why == "no root" else 0)
    if why != "no apt-get":
        host.apt(installs=("g++", *E2FSPROGS))
    environment = {"SIOMMU_INSTALL": "no"} if why == "opt-out" else {}
    status, lines = host.check("compiler", "e2fsprogs", script=script, **environment)
    assert status == 1 and not host.calls()
    assert lines == [
        "siommu: A C++ compiler is missing (looked for g++; set CXX to use another).",
        "siommu: mke2fs is missing.", TYPE + "g++ e2fsprogs"]


@pytest.mark.parametrize("part", ["update", "install"])
def test_apt_fails(tmp_path, script, part):
    """Without a network, for instance."""
    host = Host(tmp_path, 0)
    host.apt(**{part: 'echo "Reading"; echo "E: no network" >&2; exit 100'})
    status, lines = host.check("e2fsprogs", script=script)
    assert status == 1 and len(host.calls()) == (1 if part == "update" else 2)
    assert lines[1:] == ["siommu: mke2fs is missing.",
                         "siommu: apt-get could not install it: E: no network", TYPE + "e2fsprogs"]


def test_what_is_still_missing_afterwards_is_said(tmp_path, script):
    host = Host(tmp_path, 0, ("g++",))
    host.apt(installs=("mke2fs",))
    status, lines = host.check("compiler", "e2fsprogs", script=script)
    assert status == 1
    assert lines[1:] == ["siommu: debugfs is missing.", TYPE + "e2fsprogs"]


def test_python_is_missing(tmp_path, script):
    host = Host(tmp_path, 1000)
    assert host.check("python", "e2fsprogs", script=script, PYTHON="python3") == (1, [
        "siommu: Python 3.11 is missing (looked for python3).", "siommu: mke2fs is missing.",
        TYPE + "python3 python3-venv e2fsprogs"])


def test_root_installs_python(tmp_path):
    host = Host(tmp_path, 0)
    host.apt(installs=("python3",))
    assert host.check("python", PYTHON="python3") == (0, [
        "siommu: installing python3 python3-venv with apt-get (SIOMMU_INSTALL=no prevents that)"])


@pytest.mark.parametrize("named", ["python3", "{0}/python3", "/usr/bin/python3"])
def test_venv_is_missing(tmp_path, named):
    """make names the interpreter by its path. Only of Debian's is venv a package."""
    host = Host(tmp_path, 1000)
    host.stub("python3", 'case $2 in *venv*) exit 1 ;; esac')
    script, lines = SCRIPT, ["siommu: Python's venv module is missing.", TYPE + "python3-venv"]
    if named == "{0}/python3":
        lines.pop()
    elif named.startswith("/usr/bin"):
        named, script = "{0}/python3", tmp_path / "script"
        script.write_text(SCRIPT.read_text().replace("/usr/bin/*", f"{host.bin}/*"))
    assert host.check("python", script=script, PYTHON=named.format(host.bin)) == (1, lines)


def test_another_python_is_not_mended(tmp_path):
    """Installing Debian's would not change which one is taken."""
    host = Host(tmp_path, 0)
    host.apt()
    host.stub("python3", 'case $1 in -V) echo Python 3.13.0 ;; *) exit 1 ;; esac')
    assert host.check("python", PYTHON="python3") == (1, [
        "siommu: python3 is Python 3.13.0, but Python 3.11 is needed (make PYTHON=...)."])
    assert host.check("python", PYTHON="/opt/python") == (1, [
        "siommu: Python 3.11 is missing (looked for /opt/python)."])
    assert not host.calls()


def test_a_compiler_that_was_chosen_is_not_mended(tmp_path):
    host = Host(tmp_path, 0)
    host.apt()
    status, lines = host.check("compiler", CXX="other++")
    assert status == 1 and not host.calls()
    assert lines == ["siommu: A C++ compiler is missing (looked for other++; set CXX to use "
                     "another)."]


def test_an_old_compiler(tmp_path):
    host = Host(tmp_path, 1000)
    host.stub("g++", "exit 1")
    assert host.check("compiler")[1] == [
        "siommu: g++ cannot compile a C++20 program; set CXX to use another compiler.",
        TYPE + "g++"]


def test_an_unknown_need(tmp_path):
    assert Host(tmp_path, 0).check("pyton") == (2, ["check_tools.sh: unknown need 'pyton'"])


def test_make_stops_with_the_line_to_type(tmp_path):
    """A target that needs a tool ends there, and says it last."""
    host = Host(tmp_path, 1000)
    for name in ("make", "find", "sed"):
        (host.bin / name).symlink_to(shutil.which(name))
    done = subprocess.run([host.bin / "make", "-o", ".venv/.installed", "bench", "CXX=none++"],
                          cwd=ROOT, capture_output=True, text=True, check=False,
                          env={"PATH": str(host.bin), "PYTHON": "python3"})
    assert done.returncode == 2 and not done.stdout
    assert "looked for none++" in done.stderr and "Traceback" not in done.stderr


def test_ci_has_no_list_of_packages():
    text = (ROOT / ".ci" / "run").read_text()
    assert "apt" not in text and os.access(ROOT / ".ci" / "run", os.X_OK)


def test_what_is_only_wished_for(tmp_path):
    """Root gets the tools that some tests use; others go on without, and nothing is said."""
    host = Host(tmp_path, 0)
    host.apt(installs=("iverilog", "vcd2fst", "ghdl", "riscv64-unknown-elf-gcc"))
    packages = "iverilog gtkwave ghdl-mcode gcc-riscv64-unknown-elf"
    assert host.check("tools") == (0, [
        f"siommu: installing {packages} with apt-get (SIOMMU_INSTALL=no prevents that)"])
    assert host.calls() == [line.format(packages) for line in INSTALLED]
    assert host.check("tools") == (0, []), "they are there now"


@pytest.mark.parametrize(("need", "tool", "package"), [
    ("riscv", "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf"),
    ("abc", "berkeley-abc", "berkeley-abc")])
def test_what_one_target_cannot_do_without(tmp_path, need, tool, package):
    host = Host(tmp_path, 1000)
    assert host.check(need) == (1, [f"siommu: {tool} is missing.", TYPE + package])
    host.stub(tool)
    assert host.check(need) == (0, [])


def test_a_wish_that_cannot_be_met_stops_nothing(tmp_path):
    host = Host(tmp_path, 0)
    host.apt(install="exit 1")
    status, lines = host.check("tools")
    assert status == 0 and lines[-1].endswith("the tests that need it are skipped")


def test_a_user_without_the_tools_goes_on(tmp_path):
    host = Host(tmp_path, 1000)
    host.apt()
    assert host.check("tools") == (0, []) and not host.calls()
