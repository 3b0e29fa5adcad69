"""The kernel module and its library in a guest: a program reads and writes a file of an ext4 file
system through the RTL. Skipped where QEMU or the kernel is missing; `make test-linux` brings them.
"""

import re

import pytest

from sim.qemu import driver, packages

from .booted import boot, e2fsck, ext4, needs_packages

TESTS = driver.LINUX / "tests"
SCRIPT = """\
mkdir /small; mount -t ext4 /dev/nvme0n1 /mnt; mount -t ext4 /dev/nvme1n1 /small
mount -t debugfs none /sys/kernel/debug
dmesg -c > /dev/null; insmod /siommu.ko && ls /dev/siommu
/direct /mnt/data; echo "direct: status $?"
/refusals /mnt /small /tmp; echo "refusals: status $?"
echo "== spaces"; cat /sys/kernel/debug/siommu/spaces
echo "== files"; cat /sys/kernel/debug/siommu/files
echo "== counters"; cat /sys/kernel/debug/siommu/counters /sys/kernel/debug/siommu/faults
echo "== end"; rmmod siommu && echo "removed"; ls /dev/siommu
umount /mnt /small && echo unmounted
dmesg | sed 's/^/kernel: /'
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(text of the console, what e2fsck says of the image)"""
    needs_packages()
    folder = tmp_path_factory.mktemp("driver")
    disk = ext4(folder, {"data": bytes(range(251)) * 2000})
    (folder / "small").mkdir()
    small = ext4(folder / "small", {"readme": b"blocks of 1 KiB"}, 1024)
    refusals = driver.program(TESTS / "refusals.c", TESTS / "files.c")
    text = boot([disk, small], SCRIPT, lba_bytes=512, files={
        "siommu.ko": driver.module(packages.find()), "refusals": (refusals, 0o755),
        "direct": (driver.program(TESTS / "direct.c"), 0o755)})
    return text, e2fsck(folder, disk)


def test_every_check_passes(run):
    text, _ = run
    assert re.search(r"^pass: ", text, re.M) and not re.search(r"^FAIL", text, re.M), text
    assert "direct: status 0\n" in text and "refusals: status 0\n" in text, text


def test_nothing_is_left_behind(run):
    text, _ = run
    assert "== spaces\n== files\n== counters\n" in text
    assert "removed" in text and "unmounted" in text
    log = [line for line in text.splitlines() if line.startswith("kernel: ")]
    assert any("direct queues" in line for line in log)
    assert not [line for line in log if re.search(r"warning|bug|oops|leak|error|stopped", line,
                                                  re.I)], log


def test_the_core_did_it(run):
    counters = dict(re.findall(r"^(\w+) (\d+)$", run[0], re.M))
    assert int(counters["pages"]) > 300 and int(counters["walks"]) > 10
    assert int(counters["NOT_PRESENT"]) > 3 and int(counters["WRITE_DENIED"]) >= 1
    assert int(counters["fences"]) > 3 and int(counters["faults_lost"]) == 0


def test_the_file_system_is_clean(run):
    assert run[1].returncode == 0, run[1].stdout
