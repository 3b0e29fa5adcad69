"""`make linux` as a test: its table is green, and it is not when something does not hold. Skipped
where QEMU or the kernel is missing; `make test-linux` brings them.
"""

import pytest

from sim.qemu import packages, story
from tests.regression import simulator

from .booted import needs_packages


def test_the_story(capsys):
    needs_packages()
    story.tell(simulator.verilog())
    out = capsys.readouterr().out
    for step in story.STEPS:
        assert step in out
    assert "NOT_PRESENT DENY device 0x10" in out and "DEVICE_MISMATCH DENY device 0x18" in out


def told(**more):
    """The guest's output, every step with its checks; ``more`` replaces the lines of steps."""
    lines = []
    for name, checks in story.STEPS.items():
        lines += [f"== {name}", *more.get(name.replace(" ", "_"), ["pass: it"] * checks)]
    return "\n".join(["[    1.2] kernel words", *lines, ""])


def test_a_table_of_what_holds():
    rows = story.verdicts(story.steps(told(sqlite3=["pass: a"] * 4 + ["note: b", "note: c"])))
    assert [row[2] for row in rows] == ["ok"] * len(story.STEPS)
    assert ("sqlite3", 4, "ok", "b; c") in rows


@pytest.mark.parametrize("lines, verdict", [
    (["pass: a"] * 3, "1 not told"), ([], "4 not told"),
    (["pass: a"] * 4 + ["FAIL: b", "FAIL: c"], "b; c")])
def test_a_table_of_what_does_not(lines, verdict):
    rows = {row[0]: row for row in story.verdicts(story.steps(told(sqlite3=lines)))}
    assert rows["sqlite3"][2] == verdict and rows["probe"][2] == "ok"


def test_a_guest_that_stops_early():
    rows = story.verdicts(story.steps("== probe\npass: a\n"))
    assert all(row[2] != "ok" for row in rows)


def test_a_broken_image(tmp_path, monkeypatch):
    """What the host finds wrong fails the story, too."""
    needs_packages()
    made = story.Story(tmp_path, packages.find())
    good, failures = made.check_images()        # nobody has written what the script writes
    assert good == 2 and len(failures) == 2 and "/mnt/two/copy" in failures[1]
    with made.images[0].path.open("r+b") as image:
        image.seek(1024 + 0x50)                 # the superblock's copies do not agree
        image.write(bytes(64))
    _, failures = made.check_images()
    assert any("e2fsck of /mnt/one" in failure for failure in failures)
