"""Debian's unmodified kernel in QEMU: its own NVMe driver on the emulated SSD, nvme-cli, ext4, and
the core's registers. Skipped where QEMU or the kernel is missing; `make test-linux` brings them.
"""

import os
import re
import subprocess

import pytest

from sim.qemu import machine
from sim.verilated import build_library
from siommu.arch.config import Config
from tests.regression import simulator

from .booted import MEGABYTE, boot, digest, ext4, needs_packages, sections, tool

PAGE = 4096
LIBRARY_TAR = bytes(range(256)) * 1111

#: Every section begins with a line "== name", so that its output is found.
SCRIPT = """\
sect() { echo "== $1"; }
sect partitions; cat /proc/partitions
sect disk; sha256sum < /dev/nvme0n1
sect files; mount -t ext4 /dev/nvme0n1 /mnt && sha256sum /mnt/deep/library.tar
sect written; dd if=/dev/urandom of=/mnt/fresh bs=4096 count=700 2>/dev/null; sync
echo 3 > /proc/sys/vm/drop_caches; sha256sum /mnt/fresh; rm /mnt/gone; umount /mnt
for name in list "id-ctrl /dev/nvme0" "id-ns /dev/nvme0n1" "smart-log /dev/nvme0" \\
        "error-log /dev/nvme0" "fw-log /dev/nvme0" "get-log /dev/nvme0 -i 5 -l 64" \\
        "ns-descs /dev/nvme0n1" "list-ns /dev/nvme0" "list-ctrl /dev/nvme0" \\
        "format /dev/nvme0n1 --force" "reset /dev/nvme0"; do
    sect "nvme $name"; nvme $name; echo "status $?"
done
for feature in 1 2 4 5 7 8 9 10 11; do
    sect "feature $feature"; nvme get-feature /dev/nvme0 -f $feature; echo "status $?"
done
sect coalescing; nvme set-feature /dev/nvme0 -f 8 --value=0x203; nvme get-feature /dev/nvme0 -f 8
sect again; sha256sum < /dev/nvme0n1
function=/sys/bus/pci/devices/0000:00:01.0
sect function; cat $function/vendor $function/device $function/class
echo 1 > $function/enable
base=$(head -n 1 $function/resource | cut -d ' ' -f 1)
reg() { devmem $(printf '%#x' $((base + $1))) 32 $2; }
sect registers; reg 0; reg 4; reg 8; reg 12
# A translation by hand, with the core in BYPASS: the address comes back.
sect bypass; reg 0x10 2; reg 0x80 0x12345678; reg 0x84 0x9; reg 0x90 1; reg 0x90; reg 0x94
reg 0x98; reg 0x9C
# And with no tables, in a space of one device: memory says no.
sect refused; reg 0x10 0; reg 0x20 0; reg 0x88 5; reg 0x10 1; reg 0x90 1; reg 0x90; reg 0x94
sect interrupts; grep nvme /proc/interrupts
sect log; dmesg | sed 's/^/kernel: /' | grep -i -E 'nvme|ext4|error'
# Of a device that a driver has, the kernel lets no program read the BARs.
function=/sys/bus/pci/devices/0000:00:02.0
echo 0000:00:02.0 > $function/driver/unbind
echo 1 > $function/enable
base=$(sed -n 3p $function/resource | cut -d ' ' -f 1)
# Direct queues: identity, number, limit; DRAIN of a PASID that has no command ends at once.
sect direct; reg 0; reg 8; reg 12; reg 0x14 77; reg 0x30 3; reg 0x34; reg 0x38
"""


class Run:
    """One boot: the image before and after, and the output by sections."""

    def __init__(self, folder):
        self.folder = folder
        self.disk = ext4(folder, {"deep/library.tar": LIBRARY_TAR, "gone": b"to be removed"})
        self.before = bytes(self.disk)
        self.sections = sections(boot(self.disk, SCRIPT))

    def words(self, section):
        """The words of a section's output."""
        return self.sections[section].split()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("linux"))


def test_the_namespace_appears(run):
    assert "nvme0n1" in run.words("partitions") and str(32 * 1024) in run.words("partitions")


def test_blocks_are_those_of_the_image(run):
    assert run.words("disk")[0] == digest(run.before)


def test_files_are_those_of_the_image(run):
    assert run.words("files")[0] == digest(LIBRARY_TAR)


def test_what_the_guest_writes_is_in_the_image(run):
    image = run.folder / "after"
    image.write_bytes(run.disk)
    tool("e2fsck", "-fn", str(image))
    fresh = tool("debugfs", "-R", "cat /fresh", str(image))
    assert len(fresh) == 700 * PAGE and digest(fresh) == run.words("written")[0]
    names = tool("debugfs", "-R", "ls -p /", str(image)).decode()
    assert "/fresh/" in names and "/gone/" not in names
    assert run.words("again")[0] == digest(run.disk)


@pytest.mark.parametrize("name, expected", [
    ("list", r"/dev/nvme0n1 .* SIOMMU emulated SSD .*4 KiB \+  0 B"),
    ("id-ctrl /dev/nvme0", r"(?s)sn +: 0010 .*ver +: 0x10400.*cntrltype : 1.*subnqn +: nqn\.2014"),
    ("id-ns /dev/nvme0n1", r"nsze +: 0x2000"),
    ("smart-log /dev/nvme0", r"(?s)300 Kelvin.*host_read_commands\s*: [1-9]"),
    ("error-log /dev/nvme0", "Error Log Entries for device:nvme0 entries:64"),
    ("fw-log /dev/nvme0", "afi  : 0x1"),
    ("get-log /dev/nvme0 -i 5 -l 64", "0000: 01 00 00 00 01 00 00 00"),
    ("ns-descs /dev/nvme0n1", r"uuid +: [0-9a-f]{8}-"),
    ("list-ns /dev/nvme0", r"\[   0\]:0x1"),
    ("list-ctrl /dev/nvme0", r"\[   0\]:0x1"),
    ("reset /dev/nvme0", ""),
])
def test_nvme_cli(run, name, expected):
    text = run.sections[f"nvme {name}"]
    assert re.search(expected, text) and "status 0" in text, text


def test_format_is_refused(run):
    text = run.sections["nvme format /dev/nvme0n1 --force"]
    assert "Invalid Command Opcode" in text and "status 1" in text


@pytest.mark.parametrize("feature", [1, 2, 4, 5, 7, 8, 9, 10, 11])
def test_features(run, feature):
    assert "Current value" in run.sections[f"feature {feature}"]
    assert "status 0" in run.sections[f"feature {feature}"]


def test_a_feature_is_kept(run):
    assert "Current value:0x00000203" in run.sections["coalescing"]


def test_the_registers_of_the_core(run):
    assert run.words("function") == ["0x1d1d", "0x494d", "0x080600"]
    found = [int(word, 16) for word in run.words("registers")]
    assert found[0] == 0x53494F4D and found[1] >> 16 == 1
    config = Config()
    assert found[2] & 0x3F == 0x32
    assert (found[2] >> 16, found[3]) == (config.tlb_entries, config.l2_entries)


def test_translations_by_hand(run):
    busy, result, low, high = (int(word, 16) for word in run.words("bypass"))
    assert (busy & 1, result & 0xFF, low, high) == (0, 0, 0x12345678, 9)
    busy, result = (int(word, 16) for word in run.words("refused"))
    assert (busy & 1, result & 0xFF) == (0, 2)              # DEVICE_INVALID


def test_the_face_of_direct_queues(run):
    found = [int(word, 16) for word in run.words("direct")[:5]]
    assert found == [0x31514453, 31, 1024, 0, 0]


def test_interrupts_come(run):
    lines = run.sections["interrupts"].splitlines()
    assert any("nvme0q0" in line for line in lines)
    assert any(int(line.split()[1]) > 10 for line in lines if "nvme0q1" in line)


def test_the_kernel_has_nothing_to_complain_of(run):
    log = run.sections["log"]
    assert "EXT4-fs (nvme0n1): mounted" in log
    assert not re.search("nvme.*(missing|failed|timeout|down|invalid)", log), log


def test_timed_and_with_small_blocks():
    """The core's clock runs through every delay of the SSD; 512-byte blocks."""
    disk = bytearray(os.urandom(2 * MEGABYTE))
    wanted = digest(disk)
    text = boot(disk, "sha256sum < /dev/nvme0n1\n", pace="timed", lba_bytes=512)
    assert wanted in text


def test_a_guest_that_does_not_end(tmp_path):
    """It is ended, and no QEMU stays behind."""
    needs_packages()
    library = build_library(simulator.verilog())
    with (tmp_path / "console").open("wb") as console, \
            pytest.raises(machine.MachineError, match="did not power off within 4 s"):
        machine.run(machine.Machine(library, [bytearray(MEGABYTE)], "sleep 1000\n", seconds=4,
                                    console=console))
    found = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], text=True,
                           capture_output=True).stdout
    assert "qemu" not in found
