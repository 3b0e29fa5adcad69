"""Unmodified programs of Debian in a guest, with the preload library: they read and write their
files directly, and everything is as without it. Skipped where QEMU or the kernel is missing;
`make test-linux` brings them.
"""

import re

import pytest

from sim.qemu import driver, packages

from .booted import boot, digest, e2fsck, ext4, needs_packages, sections

DATA = bytes(range(253)) * 4000
ROWS = 3000
SCRIPT = f"""\
mount -t ext4 /dev/nvme0n1 /mnt; mkdir -p /dev/shm /tmp
insmod /siommu.ko
with() {{
    echo "== $1"; shift
    SIOMMU_PRELOAD_COUNTS=1 LD_PRELOAD=/preload.so "$@"; echo "status $?"
}}
with sum /debian/sha256sum /mnt/data
with dd /debian/dd if=/mnt/data of=/mnt/by_dd bs=10000
with cp /debian/cp /mnt/data /mnt/by_cp
with over /debian/dd if=/mnt/data of=/mnt/data bs=4096 count=20 skip=100 seek=3 conv=notrunc
with cut /debian/truncate -s 5000 /mnt/by_cp
with gone /debian/rm /mnt/by_dd
with insert /debian/sqlite3 /mnt/base "create table rows(n integer primary key, word text);
    with recursive count(n) as (select 1 union all select n + 1 from count where n < {ROWS})
    insert into rows select n, 'word ' || n from count; select count(*) from rows;"
with query /debian/sqlite3 /mnt/base "select sum(n), max(length(word)) from rows;
    update rows set word = 'other' where n % 7 = 0; delete from rows where n > {ROWS - 100};
    select count(*) from rows where word = 'other'; vacuum; PRAGMA integrity_check;"
echo "== kernel"; sha256sum /mnt/data /mnt/by_cp; /debian/sqlite3 /mnt/base "PRAGMA integrity_check"
ls /mnt
echo "== end"; rmmod siommu && umount /mnt && echo "all given back"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(output by sections, what e2fsck says of the image)"""
    needs_packages()
    folder = tmp_path_factory.mktemp("preload")
    disk, found = ext4(folder, {"data": DATA}), packages.find()
    programs = {f"debian/{name}": ((found.guest / place / name).read_bytes(), 0o755)
                for place, names in (("bin", ("dd", "cp", "rm")),
                                     ("usr/bin", ("sha256sum", "truncate", "sqlite3")))
                for name in names}
    text = boot(disk, SCRIPT, files={
        "siommu.ko": driver.module(found), "preload.so": (driver.preload(), 0o755), **programs})
    return sections(text), e2fsck(folder, disk)


def direct(section):
    """Commands that went directly; the program ended well."""
    assert section.endswith("status 0\n"), section
    return int(re.search(r"^siommu: direct (\d+),", section, re.M)[1])


def test_checksums(run):
    assert direct(run[0]["sum"]) > 5
    assert run[0]["sum"].split()[0] == digest(DATA)


def test_copies(run):
    for name in ("dd", "cp"):
        assert direct(run[0][name]) > 5, run[0][name]


def test_writing_over_and_cutting(run):
    """What was written directly is what the kernel reads; a file that is attached can be cut and
    removed by the program that has it."""
    assert direct(run[0]["over"]) >= 20
    after = bytearray(DATA)
    for block in range(20):             # each is read when those before it are written
        after[(3 + block) * 4096:(4 + block) * 4096] = \
            after[(100 + block) * 4096:(101 + block) * 4096]
    sums = run[0]["kernel"].split()
    assert sums[0] == digest(after) and sums[2] == digest(DATA[:5000])
    assert "by_dd" not in sums
    for name in ("cut", "gone"):
        assert run[0][name].endswith("status 0\n")


def test_a_database(run):
    assert direct(run[0]["insert"]) > 5 and f"{ROWS}\n" in run[0]["insert"]
    query = run[0]["query"]
    assert direct(query) > 20
    assert f"{ROWS * (ROWS + 1) // 2}|9\n{(ROWS - 100) // 7}\nok\n" in query, query
    assert "ok\n" in run[0]["kernel"]


def test_nothing_is_left_behind(run):
    sections, checked = run
    assert "all given back" in sections["end"]
    assert checked.returncode == 0, checked.stdout
