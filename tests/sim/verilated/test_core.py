"""The core in the library: random worlds against the golden model, registers, bursts, limits."""

import ctypes
import random
from dataclasses import replace

import pytest

from sim.memory import BusError
from sim.model.golden import Access, GoldenModel, check_response
from sim.model.lockstep import Lockstep, Settings
from sim.model.worlds import Traffic, World
from sim.verilated import Core, CoreError, Region
from sim.verilated.build import BuildError, port_names

from .world import MappedWorld

PAGE = 4096
CTRL, STATUS, DDT_BASE, DDT_LOG2 = 0x10, 0x14, 0x18, 0x20
CQ_BASE, CQ_LOG2, CQ_TAIL, CQ_CTRL, CQ_STATUS, IRQ_ENABLE = 0x28, 0x30, 0x38, 0x3C, 0x40, 0x64


@pytest.fixture
def core(library):
    with Core(library) as made:
        yield made


def enable(core, base, log2, check_ad=0):
    """TRANSLATE with this device directory."""
    for offset, value in ((DDT_BASE, base & 0xFFFFFFFF), (DDT_BASE + 4, base >> 32),
                          (DDT_LOG2, log2), (CTRL, 1 | check_ad << 2)):
        assert core.write(offset, value) == 0


def settle(core):
    """Clocks until nothing is under way."""
    for _ in range(1000):
        if not core.run(10_000):
            return
    raise AssertionError("something is under way for ever")


def answers(core, pending):
    """(access, asked, [(cycle, beat)]) of the ``pending`` requests by (port, tag), all answered."""
    settle(core)
    beats = {}
    for port in range(core.ports):
        for cycle, beat in core.collect(port):
            beats.setdefault((port, beat.tag), []).append((cycle, beat))
    assert set(beats) == set(pending)
    return [(*pending[key], beats[key]) for key in pending]


def ask(core, accesses):
    """Submits ``accesses`` at all ports in turn, with tags of their own."""
    pending = {}
    for index, access in enumerate(accesses):
        access = replace(access, tag=index)
        pending[index % core.ports, index] = access, core.cycles
        core.submit(index % core.ports, access)
    return pending


@pytest.mark.parametrize("seed", [3, 5, 6, 8, 10, 11])      # these worlds grant something
def test_random_worlds(core, seed):
    """Every answer is the golden model's, by the rules of §2.1, and the judge agrees."""
    made = World(seed)
    mapped, rng = MappedWorld(made.memory), random.Random(seed)
    core.map(mapped.regions())
    core.set_latency(rng.choice((1, 20, 60)))
    core.record()
    enable(core, made.directory.base, made.directory.log2, made.check_ad)
    golden = GoldenModel(mapped, 1, made.check_ad, made.directory.base, made.directory.log2)
    judge = Lockstep()
    judge.configure(Settings(1, made.check_ad, made.directory.base, made.directory.log2), 0)
    traffic, granted = Traffic(made, rng), 0
    for _ in range(4):
        done = answers(core, ask(core, [traffic.access() for _ in range(200)]))
        judge.read(core.accesses())
        for access, asked, beats in done:
            check_response(access, golden.translate(access), [beat for _, beat in beats])
            judge.judge(access, asked, beats)
            granted += not beats[0][1].cause
    assert judge.judged == 800 and granted > 20


@pytest.mark.parametrize("seed", range(6))
def test_tables_change(core, seed):
    """Tables change under traffic, with and without a flush; every answer can be explained."""
    made = World(100 + seed)
    mapped, rng = MappedWorld(made.memory), random.Random(seed)
    core.map(mapped.regions())
    core.record()
    enable(core, made.directory.base, made.directory.log2, made.check_ad)
    judge, traffic = Lockstep(), Traffic(made, rng)
    settings = Settings(1, made.check_ad, made.directory.base, made.directory.log2)
    judge.configure(settings, 0)
    for turn in range(12):
        pending = ask(core, [traffic.access() for _ in range(100)])
        for _ in range(10):
            core.clock(rng.randrange(60))
            made.damage()
        done = answers(core, pending)
        judge.read(core.accesses())
        for access, asked, beats in done:
            judge.judge(access, asked, beats)
        if turn % 4 == 3:
            begin = core.cycles
            core.write(CTRL, 0)
            while core.read(STATUS)[0] & 3:
                pass
            judge.flushed(begin)
            core.write(CTRL, 1 | made.check_ad << 2)
    assert judge.judged == 1200


# -- registers, commands and memory ----------------------------------------------------------------

def memory(core, pages=4, base=0x1000_0000):
    """A mapped region; returns its bytes."""
    content = (ctypes.c_char * (PAGE * pages))()
    core.map([Region(base, len(content), ctypes.addressof(content))])
    core.keep = content
    return content


def test_registers_and_strobes(core):
    assert core.read(0) == (0x53494F4D, 0)
    assert core.read(0x20C) == (0, 2) and core.write(0, 1) == 2
    assert core.write(IRQ_ENABLE, 0x1FF, 0b0010) == 0 and core.read(IRQ_ENABLE) == (0x100, 0)
    core.reset()
    assert core.read(IRQ_ENABLE) == (0, 0)


def test_a_fence_is_stored_and_raises_the_line(core):
    content, base = memory(core), 0x1000_0000
    fence = 3 | 1 << 8 | 1 << 9 | 0xCAFE_F00D << 32
    content[0:16] = fence.to_bytes(8, "little") + (base + PAGE + 4).to_bytes(8, "little")
    content[PAGE:PAGE + 8] = b"\xAA" * 8
    core.record()
    for offset, value in ((CQ_BASE, base), (CQ_LOG2, 2), (IRQ_ENABLE, 4), (CQ_CTRL, 1),
                          (CQ_TAIL, 1)):
        assert core.write(offset, value) == 0
    settle(core)
    assert content[PAGE:PAGE + 8] == b"\xAA" * 4 + (0xCAFE_F00D).to_bytes(4, "little")
    assert core.interrupts == 1
    core.write(CQ_STATUS, 4)
    assert core.interrupts == 0
    found = core.accesses()
    assert [word.address for word in found if not word.write][:2] == [base, base + 8]
    (store,) = [word for word in found if word.write]
    assert (store.address, store.strobe, store.value >> 32) == (base + PAGE, 0xF0, 0xCAFE_F00D)


def test_bursts_wrap(core):
    """A leaf in the middle of its line: the needed entry comes first, and is the right one."""
    content, base = memory(core, 6), 0x1000_0000

    def put(page, index, value):
        offset = page * PAGE + 8 * index
        content[offset:offset + 8] = value.to_bytes(8, "little")
    put(0, 0, 1 | 2 | base + PAGE)                          # device 0: MEM_EN, contexts at page 1
    put(1, 0, 1 | base + 2 * PAGE)                          # context 0: MEM_V
    for level_page in (2, 3, 4):
        put(level_page, 0, base + (level_page + 1) * PAGE | 7)
    for index in range(8):
        put(5, index, (index + 1) * 0x10_0000 | 7)
    core.record()
    enable(core, base, 0)
    for index in (5, 2, 7, 0):
        core.write(CTRL, 0)
        core.write(CTRL, 1)
        settle(core)
        core.accesses()
        done = answers(core, ask(core, [Access(0, 0, 0, 0, index * PAGE, 0)]))
        assert done[0][2][0][1].addr == (index + 1) * 0x10_0000
        leaf = [word.address for word in core.accesses() if word.address >= base + 5 * PAGE]
        assert leaf[0] == base + 5 * PAGE + 8 * index
        assert all(word - leaf[0] & -64 == 0 or word // 64 == leaf[0] // 64 for word in leaf)


@pytest.mark.parametrize("latency", [1, 50])
def test_latency(core, latency):
    """A table read takes that many cycles more."""
    memory(core)
    core.set_latency(latency)
    enable(core, 0x1000_0000, 0)
    begin = core.cycles
    ((_, _, beats),) = answers(core, ask(core, [Access(0, 0, 0, 0, 0, 0)]))
    assert latency < beats[0][0] - begin < latency + 40


def test_no_memory_is_a_table_error(core):
    enable(core, 0x7000_0000, 4)
    ((_, _, beats),) = answers(core, ask(core, [Access(0, 0, 0, 0, 0, 0)]))
    assert beats[0][1].cause == 14


def test_forgotten_requests(core):
    """A disabled port's requests are gone, and what comes after is answered."""
    core.write(0x68, 0)
    core.submit(0, Access(0, 0, 0, 0, 0, 0))
    core.forget(0)
    settle(core)
    core.write(0x68, 7)
    assert len(answers(core, ask(core, [Access(0, 0, 0, 0, 0, 0)]))) == 1


def test_time_stands_still_while_nothing_is_under_way(core):
    settle(core)
    before = core.cycles
    assert core.run(1000) == 0 and core.cycles == before
    core.clock(17)
    assert core.cycles == before + 17


# -- errors ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, sentence", [
    (lambda core: core.submit(3, Access(0, 0, 0, 0, 0, 0)), "the core has no such port"),
    (lambda core: core.collect(3), "the core has no such port"),
    (lambda core: core.map([Region(4, 8, 8)]), "not aligned to 8 bytes"),
    (lambda core: core.map([Region(0, 0, 8)]), "is empty"),
    (lambda core: core.set_latency(0), "at least one cycle"),
    (lambda core: core.trace("waves.vcd"), "built without waves"),
])
def test_refused_calls(core, call, sentence):
    with pytest.raises(CoreError, match=sentence):
        call(core)


def test_a_closed_core_says_so(library):
    core = Core(library)
    core.close()
    core.close()
    with pytest.raises(CoreError, match="has been closed"):
        core.clock(1)


def test_two_cores_share_nothing(library):
    with Core(library) as one, Core(library) as other:
        one.write(IRQ_ENABLE, 1)
        assert other.read(IRQ_ENABLE)[0] == 0


def test_port_names():
    text = "module siommu(clk, cpu_req_valid, dev1_req_valid, dev0_req_valid);\nendmodule\n"
    assert port_names(text) == ["dev0", "dev1", "cpu"]
    with pytest.raises(BuildError, match="no module named siommu"):
        port_names("module other(clk);")
    with pytest.raises(BuildError, match="no port like dev0"):
        port_names("module siommu(clk);")


def test_the_mapped_world_has_bus_errors():
    made = World(0)
    mapped = MappedWorld(made.memory)
    with pytest.raises(BusError):
        mapped.read_u64(0xFFFF_FFFF_F000)
