"""Guest memory, interrupt messages, the first file system, and packages that are missing."""

import os
import socket
import subprocess

import pytest

from sim.memory import BusError
from sim.qemu import machine, packages, story
from sim.qemu.__main__ import main
from sim.qemu.guest_memory import GuestMemory
from sim.qemu.initramfs import Archive
from sim.qemu.packages import MissingPackage
from sim.qemu.protocol import ProtocolError, Section
from sim.qemu.qtest import Qtest

PAGE = 4096


@pytest.fixture
def file(tmp_path):
    with (tmp_path / "ram").open("w+b") as made:
        made.truncate(16 * PAGE)
        yield made


def section(file, address, pages, offset):
    return Section(address, pages * PAGE, offset * PAGE, os.dup(file.fileno()))


# -- guest memory ----------------------------------------------------------------------------------

def test_sections_of_one_file(file):
    regions = []
    memory = GuestMemory(regions.append)
    memory.update([section(file, 0, 4, 0), section(file, 4 * PAGE, 2, 8)])
    memory.write(4 * PAGE - 3, b"abcdef")                   # from one section into the next
    assert memory.read(4 * PAGE - 3, 6) == b"abcdef"
    assert os.pread(file.fileno(), 3, 4 * PAGE - 3) == b"abc"
    assert os.pread(file.fileno(), 3, 8 * PAGE) == b"def"
    memory.write(8, (0x1122334455667788).to_bytes(8, "little"))
    assert memory.read_u64(8) == 0x1122334455667788
    assert [(each.address, each.size) for each in regions[0]] == [(0, 4 * PAGE),
                                                                  (4 * PAGE, 2 * PAGE)]
    assert regions[0][1].host - regions[0][0].host == 8 * PAGE
    memory.close()


def test_a_file_is_mapped_once_and_its_descriptors_are_closed(file):
    memory = GuestMemory()
    before = len(os.listdir("/proc/self/fd"))
    for turn in range(20):
        memory.update([section(file, turn * PAGE, 1, 0)])
    # The mapping holds a descriptor of its own.
    assert len(os.listdir("/proc/self/fd")) == before + 1 and len(memory._files) == 1
    with pytest.raises(BusError):
        memory.read(0, 1)                                   # the map before is gone
    memory.close()


def test_bus_errors_store_nothing(file):
    memory = GuestMemory()
    memory.update([section(file, 0, 1, 0)])
    with pytest.raises(BusError) as caught:
        memory.write(PAGE - 2, b"abcd")
    assert caught.value.addr == PAGE and memory.read(PAGE - 2, 2) == b"\0\0"
    memory.close()


@pytest.mark.parametrize("pages, offset", [(17, 0), (4, 14), (0, 0)])
def test_a_section_outside_of_its_file(file, pages, offset):
    with pytest.raises(ProtocolError, match="more than the file has"):
        GuestMemory().update([section(file, 0, pages, offset)])


# -- interrupt messages ----------------------------------------------------------------------------

def test_qtest(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "qtest"))
        server.listen()
        client = Qtest(tmp_path / "qtest")
        peer, _ = server.accept()
        client.send(0xFEE0_0000, 0x4021)
        assert peer.recv(100) == b"writel 0xfee00000 0x4021\n"
        assert client.drain()                               # nothing is there
        peer.sendall(b"OK\nOK\nO")
        assert client.drain()
        peer.sendall(b"K\nFAIL Unknown command\n")
        with pytest.raises(ProtocolError, match="FAIL Unknown command"):
            client.drain()
        peer.close()
        assert not client.drain()
        client.close()


def test_no_qtest_socket(tmp_path):
    with pytest.raises(FileNotFoundError):
        Qtest(tmp_path / "qtest")


# -- the first file system -------------------------------------------------------------------------

def test_cpio_by_hand():
    archive = Archive()
    archive.file("a", b"xyz", 0o600)
    data = archive.pack()
    assert data.startswith(b"070701" b"00000001" b"00008180" b"00000000" b"00000000" b"00000001"
                           b"00000000" b"00000003" b"00000000" b"00000000" b"00000000" b"00000000"
                           b"00000002" b"00000000" b"a\0xyz\0")
    assert b"TRAILER!!!" in data and len(data) % 4 == 0


def test_cpio_read_by_busybox_or_cpio(tmp_path):
    archive = Archive()
    archive.file("usr/bin/tool", b"content" * 100, 0o755)
    archive.link("usr/lib", "bin")
    archive.folder("usr/bin")
    reader = next((words for words in (["cpio"], ["busybox", "cpio"])
                   if subprocess.run(["sh", "-c", f"command -v {words[0]}"],
                                     capture_output=True).returncode == 0), None)
    if reader is None:
        pytest.skip("neither cpio nor busybox is installed")
    subprocess.run([*reader, "-idm"], input=archive.pack(), cwd=tmp_path, check=True,
                   capture_output=True)
    tool = tmp_path / "usr" / "bin" / "tool"
    assert tool.read_bytes() == b"content" * 100 and tool.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "usr" / "lib" / "tool").exists()


# -- what is missing -------------------------------------------------------------------------------

@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A host without QEMU and with an empty folder of packages."""
    monkeypatch.setattr(packages, "FOLDER", tmp_path / "packages")
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    return tmp_path / "packages"


def test_a_missing_kernel(bare):
    with pytest.raises(MissingPackage, match="cloud kernel is missing .*make test-linux"):
        packages.find()


def test_a_missing_qemu(bare):
    (bare / "guest" / "boot").mkdir(parents=True)
    (bare / "guest" / "boot" / "vmlinuz-6").touch()
    with pytest.raises(MissingPackage, match="apt-get install qemu-system-x86"):
        packages.find()
    (bare / "host" / "usr" / "bin").mkdir(parents=True)
    (bare / "host" / "usr" / "bin" / "qemu-system-x86_64").touch()
    with pytest.raises(MissingPackage, match="headers of Debian's cloud kernel 6 are missing"):
        packages.find()
    (bare / "headers" / "usr" / "src" / "linux-headers-6").mkdir(parents=True)
    found = packages.find()
    assert found.kernel.name == "vmlinuz-6" and "LD_LIBRARY_PATH" in found.environment


def test_a_download_that_may_not_be(bare, monkeypatch, capsys):
    monkeypatch.setenv("SIOMMU_INSTALL", "no")
    assert main(["fetch"]) == 1
    assert "SIOMMU_INSTALL=no forbids" in capsys.readouterr().err
    monkeypatch.delenv("SIOMMU_INSTALL")
    with pytest.raises(MissingPackage, match="apt-get is missing"):
        packages.fetch()


def test_a_download_that_fails(bare, monkeypatch):
    monkeypatch.setattr(packages.shutil, "which", lambda name: "/bin/true")

    def failing(command, **_):
        return subprocess.CompletedProcess(command, 100, "", "E: no network\n")
    monkeypatch.setattr(packages.subprocess, "run", failing)
    with pytest.raises(MissingPackage, match="apt-cache depends failed: E: no network"):
        packages.fetch()
    assert not [path for path in bare.iterdir() if path.is_dir()]


@pytest.mark.parametrize("program, sentence", [
    ("exit 3", "QEMU ended with status 3 before it began"),
    ("sleep 100", "made no qtest socket within 0.1 s")])
def test_a_qemu_that_does_not_start(tmp_path, monkeypatch, program, sentence):
    (tmp_path / "qemu").write_text(f"#!/bin/sh\nexec sh -c '{program}'\n")
    (tmp_path / "qemu").chmod(0o755)
    found = packages.Packages((str(tmp_path / "qemu"),), {}, tmp_path / "vmlinuz", tmp_path,
                              tmp_path)
    monkeypatch.setattr(packages, "find", lambda: found)
    monkeypatch.setattr(machine.guest, "image", lambda *_: b"")
    monkeypatch.setattr(machine, "QTEST_SECONDS", .1 if "sleep" in program else 20)
    with (tmp_path / "out").open("wb") as console, \
            pytest.raises(machine.MachineError, match=sentence):
        machine.run(machine.Machine(None, [bytearray(PAGE)], "", console=console))


# -- the command -----------------------------------------------------------------------------------

@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host on which nothing is missing, and nothing is started."""
    found = packages.Packages(("/bin/true",), {}, tmp_path / "vmlinuz", tmp_path,
                              tmp_path / "headers")
    monkeypatch.setattr(packages, "find", lambda: found)
    monkeypatch.setattr(packages, "fetch", lambda: None)
    return tmp_path


@pytest.mark.parametrize("words, sentence", [
    (["--kernel", "bzImage"], "--kernel and --headers go together"),
    (["--headers", "tree"], "--kernel and --headers go together"),
    (["--kernel", "nowhere", "--headers", "tree"], "nowhere does not exist")])
def test_a_kernel_of_ones_own_that_is_not_there(host, capsys, words, sentence):
    for command in ("run", "story"):
        assert main([command, *words]) == 1
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1


def test_an_image_that_is_not_there(host, monkeypatch, capsys):
    monkeypatch.setattr("sim.qemu.__main__.build_library", lambda verilog: None)
    monkeypatch.setattr("sim.qemu.story.guest_files", lambda found: {})
    assert main(["run", "--image", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_a_story_that_does_not_hold(host, monkeypatch, capsys):
    def tell(*_):
        raise story.StoryFailed("not all of the story holds; see the table")
    monkeypatch.setattr(story, "tell", tell)
    assert main(["story"]) == 1
    assert capsys.readouterr().err == "siommu: not all of the story holds; see the table\n"
