"""Memories that are watched: a flipped bit is told if the word is used, and nothing else is."""

import pytest
from amaranth import Fragment, Module, Signal
from amaranth.lib import fifo, memory

from siommu.lib.clocked_ram import ClockedRam
from siommu.lib.watch import WATCH_CYCLES, watch, watch_clocked, watch_queue, watching

from ...support.simulate import recorded_memories, seeded, simulate

WIDTH, DEPTH, CYCLES = 21, 8, 4000


class Watched:
    """A memory of the kind ``kind``, and what is seen of it from outside."""

    def __init__(self, kind, written=False):
        self.m, self.counts, self.clocked = Module(), Signal(), kind != "comb"
        self.in_luts = kind == "clocked"
        if kind in ("clocked", "block"):
            self.m.submodules.ram = ram = ClockedRam(WIDTH, DEPTH, registered=kind == "block")
            self.write, self.write_address, self.word = ram.write, ram.write_address, ram.word
            self.address, self.stays, self.answer = ram.address, ram.stays, ram.answer
        else:
            self.m.submodules.ram = ram = memory.Memory(shape=WIDTH, depth=DEPTH, init=[])
            write = ram.write_port()
            read = ram.read_port(domain="comb" if kind == "comb" else "sync")
            self.write, self.write_address, self.word = write.en, write.addr, write.data
            self.address, self.stays, self.answer = read.addr, None, read.data
        with watching() as damaged:
            if kind in ("clocked", "block"):
                watch_clocked(self.m, "watch", ram, counts=self.counts, written=written)
            else:
                watch(self.m, "watch", write, read, counts=self.counts, written=written)
        (self.damaged,) = damaged


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("kind", ["comb", "sync", "clocked", "block"])
def test_a_flip_is_told_when_its_word_is_used(kind, written, monkeypatch):
    """Random reads, writes and flips: ``damaged`` comes two cycles behind each use of a word with
    an odd number of wrong bits, and at no other time. A word that was not written since the reset
    may be anything, where that is said."""
    memories = recorded_memories(monkeypatch)
    dut, rng = Watched(kind, written), seeded(f"watch/{kind}/{written}")

    async def bench(ctx):
        data = memories[0].data
        meant = [None if written else 0] * DEPTH        # what was written to each word
        if written:
            for row in range(DEPTH):
                ctx.set(data[row], rng.getrandbits(WIDTH))
        due, seen = [False] * WATCH_CYCLES, 0
        held, captured = 0, meant[0]        # the word that was read, and what it was meant to be
        for _ in range(CYCLES):
            if rng.random() < .2:
                row = rng.randrange(DEPTH)
                ctx.set(data[row], ctx.get(data[row]) ^ 1 << rng.randrange(WIDTH))
            writes, row, address = rng.random() < .4, rng.randrange(DEPTH), rng.randrange(DEPTH)
            word, counts = rng.getrandbits(WIDTH), rng.random() < .6
            stays = dut.stays is not None and rng.random() < .2
            for signal, value in ((dut.write, writes), (dut.write_address, row), (dut.word, word),
                                  (dut.address, address), (dut.counts, counts),
                                  *([(dut.stays, stays)] if dut.stays is not None else [])):
                ctx.set(signal, value)
            assert ctx.get(dut.damaged) == due[0]
            seen += due.pop(0)
            # A LUT RAM is read in the cycle of the answer, a block RAM in that of the address.
            meaning = captured if dut.clocked else meant[address]
            if dut.in_luts and meaning is not None:
                meaning = meant[held]
            due.append(counts and meaning is not None
                       and bool((ctx.get(dut.answer) ^ meaning).bit_count() % 2))
            if not stays:
                held, captured = address, meant[address]
                if writes and row == address and not dut.in_luts:
                    captured = None         # nobody may use it
            await ctx.tick()
            if writes:
                meant[row] = word
        assert seen > 100

    simulate(dut.m, bench)


def test_a_flip_in_a_queue_is_told(monkeypatch):
    """Each entry of a queue of Amaranth has its parity beside it."""
    memories, rng = recorded_memories(monkeypatch), seeded("watch/queue")
    m = Module()
    m.submodules.queue = queue = fifo.SyncFIFO(width=WIDTH, depth=DEPTH)
    with watching() as damaged:
        watch_queue(m, "watch", queue)

    async def bench(ctx):
        held, was_due, seen = [], False, 0
        for _ in range(CYCLES):
            pushes, pops = rng.random() < .5, rng.random() < .5
            word = rng.getrandbits(WIDTH)
            ctx.set(queue.w_en, pushes)
            ctx.set(queue.w_data, word)
            ctx.set(queue.r_en, pops)
            if rng.random() < .1:
                row = memories[0].data[rng.randrange(DEPTH)]
                ctx.set(row, ctx.get(row) ^ 1 << rng.randrange(WIDTH))
            some, room = ctx.get(queue.r_rdy), ctx.get(queue.w_rdy)
            assert ctx.get(damaged[0]) == was_due
            was_due = bool(some) and bool((ctx.get(queue.r_data) ^ held[0]).bit_count() % 2)
            seen += was_due
            await ctx.tick()
            if pushes and room:
                held.append(word)
            if pops and some:
                held.pop(0)
        assert seen > 50

    simulate(m, bench)


def test_nothing_is_there_unless_somebody_listens():
    """Without ``watching`` a memory has nothing beside it."""
    m = Module()
    m.submodules.ram = ram = ClockedRam(WIDTH, DEPTH)
    m.submodules.queue = queue = fifo.SyncFIFO(width=WIDTH, depth=DEPTH)
    watch_clocked(m, "watch", ram)
    watch_queue(m, "watch_queue", queue)
    names = [name for _, name, _ in Fragment.get(m, None).subfragments]
    assert names == ["ram", "queue"]
