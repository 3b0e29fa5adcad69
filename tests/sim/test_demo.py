import pytest

from siommu.formats import Cause, Disposition
from sim.demo import DemoFailed, run_demo
from sim.demo.__main__ import golden_world, main
from sim.ext4 import Ext4Image
from sim.golden import Beat
from sim.translators import GoldenTranslator, PassThrough


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
    assert len(result["speed"]) == 2
    text = "\n".join(lines)
    for word in ("sha256", "DEVICE_MISMATCH", "without SIOMMU", "e2fsck -fn"):
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
    model = world.translators[0].model
    world.translators = [broken(model), broken(model)]
    with pytest.raises((DemoFailed, PermissionError), match=sentence):
        world.scheduler.run(run_demo(world))


def test_without_a_siommu_nothing_works(tmp_path):
    world = golden_world(tmp_path, out=lambda line: None)
    world.translators = [PassThrough(), PassThrough()]
    with pytest.raises(OSError):
        world.scheduler.run(run_demo(world))


def test_command_line(capsys, tmp_path):
    assert main(["--golden", "--seed", "4", "--folder", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 4\n") and "the file system is clean" in out
    with pytest.raises(SystemExit):
        main([])
