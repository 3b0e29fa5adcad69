"""Software for a released register map runs on today's; what it would notice is noticed here."""

import pytest

from scripts.compatibility import HEAD, RELEASES, MapError, differences, main, version

FILES = sorted(RELEASES.glob("*.rdl"), key=version)
LAST = FILES[-1]


@pytest.mark.parametrize("base", FILES, ids=lambda path: path.stem)
def test_software_for_a_release_still_works(base):
    major, minor = version(base)
    assert base.name == f"siommu-{major}.{minor}.rdl"
    assert version(base) <= version(HEAD)
    assert differences(base) == []


def test_there_are_releases():
    assert RELEASES / "siommu-1.0.rdl" in FILES


#: What is planted into the map of the last release: name to (what stands there, what comes in its
#: place, what is said).
PLANTED = {
    "register moved": ("} CQ_TAIL @ 0x038;", "} CQ_TAIL @ 0x044;",
                       "CQ_TAIL: was at 0x038 and is at 0x044"),
    "register renamed": ("} CQ_TAIL @ 0x038;", "} CQ_END @ 0x038;",
                         "CQ_TAIL: there is no such register any more"),
    "field moved": ("storage CHECK_AD[2:2];", "storage CHECK_AD[3:3];",
                    "CTRL.CHECK_AD: was bits 2:2 and is 3:3"),
    "field narrower": ("""storage LOG2[4:0];
        LOG2->desc = "The directory""", """storage LOG2[3:0];
        LOG2->desc = "The directory""", "DDT_LOG2.LOG2: was bits 4:0 and is 3:0"),
    "field wider": ("shown INDEX[14:0];\n        INDEX->desc = \"Slot of",
                    "shown INDEX[15:0];\n        INDEX->desc = \"Slot of",
                    "CQ_HEAD.INDEX: was bits 14:0 and is 15:0"),
    "field renamed": ("CHECK_AD", "CHECK_FLAGS",
                      "CTRL.CHECK_AD: there is no such field any more"),
    "field removed": ("shown WALKS[1:1];\n        WALKS->desc = \"1: walks are in flight.\";", "",
                      "STATUS.WALKS: there is no such field any more"),
    "access narrower": ("index INDEX[14:0];\n        INDEX->desc = \"First slot without",
                        "shown INDEX[14:0];\n        INDEX->desc = \"First slot without",
                        "CQ_TAIL.INDEX: sw was rw and is r"),
    "access wider": ("shown REQUESTS[0:0];", "storage REQUESTS[0:0];",
                     "STATUS.REQUESTS: sw was r and is rw"),
    "cleared otherwise": ("event CQ_FENCE[2:2];", "storage CQ_FENCE[2:2];",
                          "CQ_STATUS.CQ_FENCE: onwrite was woclr and is None"),
    "another value after reset": ("fixed ID[31:0] = 0x53494F4D", "fixed ID[31:0] = 0x53494F4E",
                                  "ID.ID: reset was 0x53494f4d and is 0x53494f4e"),
    "another code": ("BYPASS = 2'd2", "BYPASS = 2'd3",
                     "CTRL.MODE: the code BYPASS was 2 and is 3"),
    "locked by somebody else": ('DDT_BASE_LOW->locked_by = "MODE"',
                                'DDT_BASE_LOW->locked_by = "CQ"',
                                "DDT_BASE_LOW: locked_by was MODE and is CQ"),
    "another limit": ("maximum = 16;", "maximum = 17;", "DDT_LOG2: maximum was 0x10 and is 0x11"),
    "another parameter": ('WALKS->parameter = "walks"', 'WALKS->parameter = "ports"',
                          "CAPS0.WALKS: parameter was walks and is ports"),
    # Those that software does not notice.
    "a new register": ("    ring_ctrl CQ_CTRL @ 0x03C;",
                       "    ring_ctrl NEW @ 0x078;\n    ring_ctrl CQ_CTRL @ 0x03C;", None),
    "a new field": ("storage CHECK_AD[2:2];", "storage CHECK_AD[2:2]; storage NEW[3:3];", None),
    "a new code": ("BYPASS = 2'd2", "NEW = 2'd3;\n    BYPASS = 2'd2", None),
    "other words": ("1: walks are in flight.", "1: some walks are in flight.", None),
    "a new minor version": ("fixed MINOR[15:0] = 1;", "fixed MINOR[15:0] = 9;", None),
    "another type": ("base_low", "base_of_low", None),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name, tmp_path, capsys):
    before, after, said = PLANTED[name]
    text = LAST.read_text()
    assert before in text
    head = tmp_path / "head.rdl"
    head.write_text(text.replace(before, after))
    found = differences(LAST, head)
    assert said in found if said else not found
    assert main([str(head)]) == bool(said)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith(f"siommu: {LAST.stem}: ")] == [
        f"siommu: {LAST.stem}: {text}" for text in found]


def test_another_major_version_may_differ(tmp_path, capsys):
    head = tmp_path / "head.rdl"
    head.write_text(LAST.read_text().replace(
        "fixed MAJOR[31:16] = 1;", "fixed MAJOR[31:16] = 2;").replace("CQ_TAIL @ 0x038",
                                                                      "CQ_TAIL @ 0x044"))
    assert main([str(head)]) == 0 and not capsys.readouterr().err


@pytest.mark.parametrize("content, why", [
    (None, "cannot be read: "), ("addrmap {", "cannot be read: "),
    ("addrmap siommu { reg { field {} a; } b; };", "has no field VERSION.MINOR")])
def test_what_cannot_be_read_is_one_sentence(content, why, tmp_path, capsys):
    head = tmp_path / "head.rdl"
    if content is not None:
        head.write_text(content)
    with pytest.raises(MapError):
        version(head)
    assert main([str(head)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"siommu: {head} {why}") and said.err.count("\n") == 1
    assert not said.out
