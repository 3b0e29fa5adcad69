import pytest

from sim.demo import DemoFailed, run_demo
from sim.demo.__main__ import golden_world, main
from sim.device.ext4 import Ext4Image
from sim.model.golden import Beat
from sim.model.translators import GoldenTranslator, PassThrough
from siommu.arch.formats import Cause, Disposition


def test_demo_over_the_golden_model(tmp_path):
    lines = []
    world = golden_world(tmp_path, out=lines.append)
    result = world.scheduler.run(run_demo(world))
    assert [row[-1] for row in result["files"]] == ["ok"] * 7
    extents = {row[0]: row[2] for row in result["files"]}
    assert extents["/shared/fragmented.txt"] > 3
    assert {row[0]: row[4:6] for row in result["denied"]} == {
        "another process's file": ("NOT_PRESENT", "DENY"),
        "overwriting another process's file": ("NOT_PRESENT", "DENY"),
        "a write to a file opened for reading": ("WRITE_DENIED", "DENY"),
        "past the end of the file": ("NOT_PRESENT", "DENY"),
        "a foreign device": ("DEVICE_MISMATCH", "DENY"),
        "a buffer that is not mapped": ("NOT_PRESENT", "DENY"),
        "a buffer that devices may only read": ("WRITE_DENIED", "DENY"),
        "a buffer that is mapped on demand": ("NOT_PRESENT", "REMAP"),
        "into a hole": ("NOT_PRESENT", "OS"),
        "after close": ("NOT_PRESENT", "DENY"),
    }
    # Every refusal is in the operating system's fault log.
    logged = {(row[4], row[5], row[6], row[8], row[9]) for row in result["faults"]}
    assert logged >= {("alice", row[2] if row[3] == "blocks" else "write", *row[3:6])
                      for row in result["denied"]}
    assert {row[-1] for row in result["faults"]} == {"refused", "left to the kernel", "mapped"}
    phases = {each.label: each.counts for each in result["top"].intervals}
    assert list(phases) == ["reading", "writing", "misuse", "measure"]
    assert phases["misuse"]["faults"] >= 10 and phases["reading"]["invalidations"] >= 7
    assert result["counters"]["faults_lost"] == 0
    assert all(counts["fences"] for counts in phases.values())
    assert len(result["speed"]) == 2
    text = "\n".join(lines)
    for word in ("The fault log", "L1 %", "sha256", "DEVICE_MISMATCH", "without SIOMMU",
                 "e2fsck -fn"):
        assert word in text
    Ext4Image(tmp_path / "ext4.img").check()


class Careless(GoldenTranslator):
    """A SIOMMU that checks no permission."""

    async def translate(self, access):
        beats = await super().translate(access)
        if beats[0].cause == Cause.WRITE_DENIED.value:
            return [Beat(access.tag, 1, 0, 0, 0, access.pages, 1, 1, 0)]
        return beats


class Wrong(GoldenTranslator):
    """A SIOMMU that grants the neighbouring block."""

    async def translate(self, access):
        beats = await super().translate(access)
        return [Beat(**{**beat.__dict__, "addr": beat.addr + 4096 * access.ft}) for beat in beats]


class Vague(GoldenTranslator):
    """A SIOMMU that refuses for another reason."""

    async def translate(self, access):
        beats = await super().translate(access)
        return [Beat(**{**beat.__dict__, "disposition": Disposition.DENY.value})
                for beat in beats]


@pytest.mark.parametrize("broken, sentence", [
    (Careless, "did not refuse"), (Wrong, "does not read as its original"),
    (Vague, "sparse|refused|must be")])
def test_demo_notices_a_broken_core(tmp_path, broken, sentence):
    world = golden_world(tmp_path, out=lambda line: None)
    model, plane = world.translators[0].model, world.translators[0].plane
    world.translators = [broken(model, plane=plane, port=port) for port in range(2)]
    with pytest.raises((DemoFailed, PermissionError), match=sentence):
        world.scheduler.run(run_demo(world))


def test_without_a_siommu_nothing_works(tmp_path):
    world = golden_world(tmp_path, out=lambda line: None)
    world.translators = [PassThrough(), PassThrough()]
    with pytest.raises(OSError):
        world.scheduler.run(run_demo(world))


def test_demo_notices_a_missing_record(tmp_path):
    world = golden_world(tmp_path, out=lambda line: None)
    world.translators[0].plane.record = lambda access, answer, port: None
    with pytest.raises(DemoFailed, match="the fault queue has no record of it"):
        world.scheduler.run(run_demo(world))


def test_command_line(capsys, tmp_path):
    assert main(["--golden", "--seed", "4", "--top", "50000", "--folder", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("interval ") >= 2
    assert out.startswith("seed 4\n") and "the file system is clean" in out
    with pytest.raises(SystemExit):
        main([])
