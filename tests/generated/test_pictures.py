"""The pictures tell what the core does, and nothing in them lies upon their words."""

import pytest

import siommu.core
from scripts.generate.drawing import Drawing
from scripts.generate.pictures import LATENCY, Miss
from sim.model.golden import Access

from ..hdl.test_core import Bench, tables
from ..support.simulate import Running


class FreshBench(Bench):
    """A bench with a core of its own: the shared one was made of parts that nobody kept."""

    def simulated(self, config):
        dut = siommu.core.Core(config)
        return dut, Running(dut)


def test_the_miss_is_the_core_s(monkeypatch):
    """Each cycle of a miss in the picture, on the idle core."""
    parts = {}
    for name in ("TableWalker", "TableLines", "Internal"):
        def made(config, name=name, kind=getattr(siommu.core, name)):
            return parts.setdefault(name, kind(config))
        monkeypatch.setattr(siommu.core, name, made)
    bench, seen = FreshBench(tables(), latency=(LATENCY, LATENCY)), {}

    async def scenario(ctx, bench):
        walker, lines, internal = (parts[name] for name in (
            "TableWalker", "TableLines", "Internal"))
        watched = {"start": walker.start.valid, "read": bench.dut.ar.valid,
                   "word": bench.dut.r.valid, "answer": bench.dut.responses[0].valid,
                   "over": walker.over.valid, "offer": lines.fill.valid,
                   "fill": internal.sent.valid}
        await bench.ask(ctx, Access(0, 0, 0, 0, 0x123, 0), rest=40)
        began, surroundings = bench.now, bench.surroundings

        def watch(ctx):
            surroundings(ctx)
            for name, signal in watched.items():
                if ctx.get(signal):
                    seen.setdefault(name, bench.now - began)

        bench.surroundings = watch
        await bench.ask(ctx, Access(0, 0, 0, 0, 8 << 12, 0), rest=40)

    bench.run(scenario, 2000)
    seen["fill"] -= 1           # it is seen in COMPARE, and drawn from ARBITRATE
    assert seen == {name: int(getattr(Miss, name)) for name in seen} and len(seen) == 7


def test_words_keep_clear_of_each_other():
    drawing = Drawing("a picture", 100, 40)
    drawing.text(10, 20, "word")
    drawing.text(50, 20, "beside")
    with pytest.raises(ValueError, match="'other' lies upon 'word'"):
        drawing.text(20, 24, "other")
    with pytest.raises(ValueError, match="'outside' leaves the picture"):
        drawing.text(80, 38, "outside")
    with pytest.raises(ValueError, match="'much too wide' is wider than its box"):
        drawing.box(40, 25, 20, 14, "much too wide", size=4)
