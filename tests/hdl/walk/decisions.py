"""One decision of a walk, from literal words: for the tests of its two cycles."""

from amaranth.hdl import Module, Signal

from siommu.arch.config import Config
from siommu.arch.formats import Disposition
from siommu.lib.structs import assign
from siommu.pipeline.keys import WalkKey
from siommu.pipeline.sizes import ENTRY_ADDR_BITS
from siommu.pipeline.tables import reach
from siommu.walk.decode import WordDecoder
from siommu.walk.directory import device_entry, out_of_range
from siommu.walk.start import StartStep, start_facts
from siommu.walk.state import (
    EntryProgress,
    WalkState,
    next_read,
    reserved_bits,
    words_minus_one,
)
from siommu.walk.step import WordStep

from ...support.simulate import simulate
from ...support.soup import known_of, reach_of

__all__ = ["LEAF", "check_end", "check_read", "decide"]

LEAF = 0x0050_0000_0800_0067        # P W U A D, block or page 0x8000, DEVID 5
OUTPUTS = "read", "restart", "finish"
CONFIG = Config()


def decide(*, ddt_log2=16, check_ad=0, start=0, last=1, error=0, word=0, before=(), gathered=None,
           state=None, walk=None, config=CONFIG):
    """The outputs of the step for these inputs, as a dictionary: of a start, or of a word, behind
    the words ``before`` of the same entry (each alone or with its error)."""
    m, found = Module(), {}
    key, base, first = Signal(WalkKey), Signal(40), Signal(ENTRY_ADDR_BITS)
    m.submodules.facts, m.submodules.word = facts, dut = WordDecoder(config), WordStep(config)
    m.submodules.begin = begin = StartStep(config)
    of, following, size = begin if start else dut, Signal(WalkState(config)), Signal(2)
    rejected = out_of_range(key, 0xFFFF << ddt_log2 & 0xFFFF)
    gathered_before = Signal(EntryProgress(config))
    m.d.comb += [
        facts.key.eq(key), dut.check_ad.eq(facts.check_ad),
        *assign(dut.word, {"key": key, "says": facts.says, "state": facts.state,
                           "content": facts.word, "progress": gathered_before,
                           "out_of_range": rejected}),
        *assign(facts.reserved, reserved_bits(facts.word, config)),
        *assign(dut.word.reach, reach(key, config)),
        begin.out_of_range.eq(rejected), first.eq(device_entry(key, base)),
        *assign(begin.facts, start_facts(begin.walk)),
        *assign(following, next_read(of.following, of.restart, first)),
        size.eq(words_minus_one(following.table)),
    ]
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        ctx.set(base, 0x100)
        ctx.set(key, (walk or {}).get("key", {}))
        ctx.set(begin.walk, known_of(**(walk or {}), reach=reach_of((walk or {}).get("key", {}))))
        ctx.set(facts.state, state or {})
        ctx.set(facts.check_ad, check_ad)
        ctx.set(gathered_before, gathered or {})
        for content in before:
            content, broken = content if isinstance(content, tuple) else (content, 0)
            ctx.set(facts.word, content)
            ctx.set(facts.error, broken)
            await ctx.delay(1e-9)
            assert not ctx.get(dut.read) and not ctx.get(dut.finish)
            ctx.set(gathered_before, ctx.get(dut.progress))
        for name, value in (("word", word), ("error", error), ("last", last)):
            ctx.set(getattr(facts, name), value)
        await ctx.delay(1e-9)
        for name in OUTPUTS:
            found[name] = ctx.get(getattr(of, name))
        found["following"], found["words_minus_one"] = ctx.get(following), ctx.get(size)
        found["entry"] = found["following"].entry
        found["outcome"], found["gathers"] = ctx.get(dut.outcome), ctx.get(dut.progress)
        for name in ("device", "context", "region"):
            found[f"{name}_fill"] = ctx.get(getattr(dut, name).valid)
            found[name] = ctx.get(getattr(dut, name).payload)
    simulate(m, bench)
    return found


def check_end(found, cause, level, entry, disposition=Disposition.DENY):
    outcome = found["outcome"]
    assert found["finish"] and not found["read"]
    assert (outcome.cause, outcome.disposition) == (cause, disposition)
    assert (outcome.level, outcome.entry) == (level, entry)


def check_read(found, entry, words, line=False, restart=False):
    assert found["read"] and not found["finish"]
    assert found["entry"] == entry
    assert found["words_minus_one"] == words - 1
    assert (found["following"].line, found["restart"]) == (line, restart)
