"""The judge of a core with caches: what it lets pass, and what stops the run."""

from types import SimpleNamespace

import pytest

from sim.memory import Memory
from sim.model.golden import Access, Beat, GoldenModel, merge_runs
from sim.model.lockstep import Difference, Lockstep, Scope, Settings
from sim.tables import DeviceDirectory, PageTable, PasidDirectory

PAGE = 4096
VA = 0x7000_0000_0000
DEVICE, PASID = 1, 3


class Rig:
    """A space with a page at VA, and a core that reads what a request needs when it is told to."""

    def __init__(self):
        self.memory = Memory()
        self.table = PageTable(self.memory, 4)
        self.pasids = PasidDirectory(self.memory, 0)
        self.pasids.set(PASID, mem=self.table)
        self.directory = DeviceDirectory(self.memory, 4)
        self.directory.set(DEVICE, devid=0, pasids=self.pasids)
        self.table.map(VA, 0x20_0000)
        self.golden = GoldenModel(self.memory, 1, 0, self.directory.base, self.directory.log2)
        self.judge = Lockstep()
        self.judge.configure(Settings(1, 0, self.directory.base, self.directory.log2), 0)

    def access(self, **fields):
        return Access(**{**dict(ft=0, write=0, device=DEVICE, pasid=PASID, addr=VA, pages=0),
                         **fields})

    def read(self, access, cycle):
        """The core reads all entries of ``access``."""
        words = []
        for answer in self.golden.translate(access):
            for addr in answer.trace:
                words += [SimpleNamespace(address=word, value=self.memory.read_u64(word),
                                          cycle=cycle, write=False, response=0)
                          for word in range(addr & -32, (addr & -32) + 32, 8)]
        self.judge.read(words)

    def beats(self, access):
        return merge_runs(access, self.golden.translate(access))

    def answer(self, access, asked, cycle, beats=None):
        beats = self.beats(access) if beats is None else beats
        self.judge.judge(access, asked, [(cycle, beat) for beat in beats])


@pytest.fixture
def rig():
    return Rig()


def test_right_answers_pass(rig):
    for access in (rig.access(), rig.access(addr=VA + PAGE), rig.access(pages=3),
                   rig.access(pasid=4), rig.access(device=99), rig.access(addr=1 << 60)):
        rig.read(access, 10)
        rig.answer(access, 10, 20)
    assert rig.judge.judged == 6


@pytest.mark.parametrize("change", [
    dict(addr=0x20_1000), dict(write=0), dict(size=1), dict(cause=7), dict(disposition=1),
    dict(tag=1), dict(last=0), dict(pages=1)])
def test_wrong_answers_stop(rig, change):
    access = rig.access()
    rig.read(access, 10)
    (beat,) = rig.beats(access)
    with pytest.raises(Difference) as caught:
        rig.answer(access, 10, 20, [Beat(**{**beat.__dict__, **change})])
    text = str(caught.value)
    assert "Request, at cycle 10" in text and "level 7" in text and "until 10" in text


def test_a_grant_of_what_was_never_read_stops(rig):
    access = rig.access()
    with pytest.raises(Difference, match="never read"):
        rig.answer(access, 10, 20)


def revoke(rig):
    """VA is read and granted at cycle 10, and unmapped; returns the access and the old beats."""
    access = rig.access()
    rig.read(access, 10)
    beats = rig.beats(access)
    rig.table.unmap(VA)
    return access, beats


def test_a_stale_grant_passes_until_a_fence(rig):
    access, beats = revoke(rig)
    rig.answer(access, 30, 40, beats)
    rig.judge.invalidated(Scope(pasid=PASID, ft=0, page=VA // PAGE), 50)
    with pytest.raises(Difference, match="page tables read since cycle 50"):
        rig.answer(access, 60, 70, beats)


@pytest.mark.parametrize("scope", [
    Scope(), Scope(device=DEVICE), Scope(pasid=PASID), Scope(ft=0), Scope(page=VA // PAGE),
    Scope(page=VA // PAGE, log2=9), Scope(DEVICE, PASID, 0, VA // PAGE),
    Scope(device=DEVICE, context=True), Scope(pasid=PASID, context=True), Scope(context=True)])
def test_scopes_that_cover(rig, scope):
    access, beats = revoke(rig)
    rig.judge.invalidated(scope, 50)
    with pytest.raises(Difference):
        rig.answer(access, 60, 70, beats)


@pytest.mark.parametrize("scope", [
    Scope(device=2), Scope(pasid=4), Scope(ft=1), Scope(page=VA // PAGE + 1),
    Scope(page=0, log2=9), Scope(DEVICE, 4, 0, VA // PAGE), Scope(pasid=4, context=True)])
def test_scopes_that_do_not(rig, scope):
    access, beats = revoke(rig)
    rig.judge.invalidated(scope, 50)
    rig.answer(access, 60, 70, beats)


def test_contexts_outlive_an_inval_tlb(rig):
    """INVAL_TLB drops translations, INVAL_CONTEXT what led to them as well."""
    access = rig.access()
    rig.read(access, 10)
    beats = rig.beats(access)
    rig.pasids.remove(PASID)
    rig.judge.invalidated(Scope(), 50)
    table = [addr for addr in rig.judge._words if addr >= rig.table.root]
    rig.judge.read([SimpleNamespace(address=addr, value=rig.memory.read_u64(addr), cycle=55,
                                    write=False, response=0) for addr in table])
    rig.answer(access, 60, 70, beats)
    rig.judge.invalidated(Scope(context=True), 80)
    with pytest.raises(Difference):
        rig.answer(access, 90, 95, beats)


def test_a_fault_must_rest_on_a_read_after_the_request(rig):
    access = rig.access(addr=VA + PAGE)
    rig.read(access, 10)
    beats = rig.beats(access)
    with pytest.raises(Difference, match="a fault on what was read since 20"):
        rig.answer(access, 20, 30, beats)
    rig.read(access, 25)
    rig.answer(access, 20, 30, beats)


def test_words_that_change_between_two_reads(rig):
    """Either value explains an answer; none that was never there does."""
    access = rig.access()
    for target, cycle in ((0x20_0000, 10), (0x30_0000, 12), (0x40_0000, 14)):
        rig.table.unmap(VA)
        rig.table.map(VA, target)
        rig.read(access, cycle)
    (beat,) = rig.beats(access)
    for target in (0x20_0000, 0x30_0000, 0x40_0000):
        rig.answer(access, 5, 20, [Beat(**{**beat.__dict__, "addr": target})])
    with pytest.raises(Difference):
        rig.answer(access, 5, 20, [Beat(**{**beat.__dict__, "addr": 0x50_0000})])


def test_settings_hold_from_their_cycle_on(rig):
    access = rig.access()
    off = [Beat(0, 1, 1, 0, VA, 0, 0, 0, 0)]
    bypass = [Beat(0, 1, 0, 0, VA, 0, 1, 1, 3)]
    rig.judge.configure(Settings(0), 100)
    rig.judge.configure(Settings(2), 200)
    rig.answer(access, 150, 160, off)
    rig.answer(access, 150, 210, bypass)
    for asked, until, beats in ((210, 220, off), (150, 160, bypass)):
        with pytest.raises(Difference):
            rig.answer(access, asked, until, beats)


def test_a_flush_and_a_reset_forget_everything(rig):
    access, beats = revoke(rig)
    rig.judge.flushed(50)
    with pytest.raises(Difference):
        rig.answer(access, 60, 70, beats)
    rig.judge.reset(80)
    rig.answer(access, 90, 95, [Beat(0, 1, 1, 0, VA, 0, 0, 0, 0)])


def test_bus_errors(rig):
    access = rig.access()
    rig.judge.read([SimpleNamespace(address=rig.directory.base + 16 * DEVICE, value=0, cycle=10,
                                    write=False, response=3)])
    rig.answer(access, 5, 20, [Beat(0, 1, 14, 0, VA, 0, 0, 0, 0)])
