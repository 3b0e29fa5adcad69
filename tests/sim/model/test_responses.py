"""The checker of §2.1 accepts every correct answer and refuses every broken one."""

import random
from dataclasses import replace

import pytest

from sim.memory import Memory
from sim.model.golden import Access, Beat, GoldenModel, ResponseError, check_response, merge_runs
from sim.tables import DeviceDirectory, PageTable, PasidDirectory
from siommu.arch.formats import Mode, Size

VA = 0x4000_0000


@pytest.fixture
def model():
    """Pages 0, 1 and 2 contiguous, 3 elsewhere, 4 read-only behind it, 5 to 7 absent; 2 MiB later
    a 2 MiB leaf."""
    memory = Memory()
    devices, pasids, table = DeviceDirectory(memory), PasidDirectory(memory), PageTable(memory)
    table.map(VA, 0x10000, 3)
    table.map(VA + 0x3000, 0x50000)
    table.map(VA + 0x4000, 0x51000, write=False)
    table.map(VA + 0x20_0000, 0x40_0000, size=Size.PAGE_2M)
    pasids.set(1, mem=table)
    devices.set(1, pasids=pasids)
    return GoldenModel(memory, Mode.TRANSLATE, 0, devices.base, devices.log2)


ACCESS = Access(0, 0, 1, 1, VA + 0x10, 5, tag=9)
BEATS = [Beat(9, 0, 0, 0, 0x10010, 2, 1, 1, 0), Beat(9, 0, 0, 0, 0x50000, 0, 1, 1, 0),
         Beat(9, 0, 0, 0, 0x51000, 0, 1, 0, 0), Beat(9, 1, 7, 0, VA + 0x5000, 0, 0, 0, 0)]
UNMERGED = [Beat(9, 0, 0, 0, 0x10010, 0, 1, 1, 0), Beat(9, 0, 0, 0, 0x11000, 1, 1, 1, 0),
            *BEATS[1:]]


def test_merged_and_unmerged_pages_are_right(model):
    answers = model.translate(ACCESS)
    assert merge_runs(ACCESS, answers) == BEATS
    check_response(ACCESS, answers, BEATS)
    check_response(ACCESS, answers, UNMERGED)
    check_response(ACCESS, answers, merge_runs(ACCESS, answers, merge=False))


def broken(index, **fields):
    return [*BEATS[:index], replace(BEATS[index], **fields), *BEATS[index + 1:]]


@pytest.mark.parametrize("beats, sentence", [
    ([], "cover 0 pages of 6"),
    (BEATS[:3], "cover 5 pages of 6"),
    (BEATS + [BEATS[3]], "after the request's end"),
    (BEATS[:1] + BEATS[2:], "grants page 3 read = 1, write = 0"),
    ([BEATS[1], BEATS[0], *BEATS[2:]], "translates page 0"),
    (broken(0, tag=8), "has tag 8"),
    (broken(3, tag=8), "has tag 8"),
    (broken(0, last=1), "has last = 1"),
    (broken(3, last=0), "must be the last beat"),
    (broken(0, cause=7), "refuses page 0 with NOT_PRESENT"),
    (broken(0, cause=77), "unknown cause 77"),
    (broken(0, addr=0x10000), "translates page 0 to 0x10000"),
    (broken(0, addr=0x11010), "translates page 0"),
    (broken(0, pages=1), "translates page 2 to 0x50000"),
    (broken(0, pages=3), "translates page 3"),
    (broken(0, pages=9), "covers 10 pages"),
    (broken(2, pages=1), "grants page 5, but it must be NOT_PRESENT"),
    (broken(0, read=0), "read = 0"),
    (broken(2, write=1), "write = 1"),
    ([BEATS[0], replace(BEATS[1], pages=1), BEATS[3]], "grants page 4 read = 1, write = 1"),
    (broken(0, size=1), "reports size 1"),
    (broken(0, disposition=1), "a grant and must have disposition 0"),
    (broken(3, cause=0), "answers page 5 with OK"),
    (broken(3, cause=8), "it must be NOT_PRESENT"),
    (broken(3, disposition=2), "disposition 2"),
    (broken(3, addr=VA + 0x5010), "fault address"),
    (broken(3, pages=1), "must have pages = read = write = 0"),
    (broken(3, read=1), "must have pages = read = write = 0"),
])
def test_broken_responses(model, beats, sentence):
    with pytest.raises(ResponseError, match=sentence):
        check_response(ACCESS, model.translate(ACCESS), beats)


def test_pages_of_one_leaf_must_be_merged(model):
    access = Access(0, 1, 1, 1, VA + 0x20_1000, 3)
    answers = model.translate(access)
    check_response(access, answers, [Beat(0, 1, 0, 0, 0x40_1000, 3, 1, 1, 1)])
    with pytest.raises(ResponseError, match="they must be one run"):
        check_response(access, answers, [Beat(0, 0, 0, 0, 0x40_1000, 1, 1, 1, 1),
                                         Beat(0, 1, 0, 0, 0x40_3000, 1, 1, 1, 1)])


def test_bypass_must_be_merged_but_may_end_at_the_wrap(model):
    model.mode = Mode.BYPASS
    access = Access(1, 1, 1, 1, 0x123, 255)
    answers = model.translate(access)
    check_response(access, answers, [Beat(0, 1, 0, 0, 0x123, 255, 1, 1, 3)])
    with pytest.raises(ResponseError, match="they must be one run"):
        check_response(access, answers, [Beat(0, 0, 0, 0, 0x123, 0, 1, 1, 3),
                                         Beat(0, 1, 0, 0, 0x1000, 254, 1, 1, 3)])
    access = Access(1, 1, 1, 1, (1 << 64) - 4096, 1)
    answers = model.translate(access)
    check_response(access, answers, [Beat(0, 0, 0, 0, (1 << 64) - 4096, 0, 1, 1, 3),
                                     Beat(0, 1, 0, 0, 0, 0, 1, 1, 3)])
    check_response(access, answers, [Beat(0, 1, 0, 0, (1 << 64) - 4096, 1, 1, 1, 3)])


@pytest.mark.parametrize("seed", range(20))
def test_random_answers_and_one_change(model, seed):
    """Every change of one field of a correct answer is noticed."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    access = Access(0, rng.randrange(2), 1, 1, VA + rng.randrange(0, 0x8000), rng.randrange(8), 5)
    if rng.randrange(3) == 0:
        access = replace(access, addr=VA + 0x20_0000 - 0x1000 * rng.randrange(1, 3))
    answers = model.translate(access)
    beats = merge_runs(access, answers, merge=rng.random() < 0.5)
    check_response(access, answers, beats)
    index = rng.randrange(len(beats))
    for name in ("tag", "last", "cause", "disposition", "addr", "pages", "read", "write", "size"):
        if name == "size" and beats[index].cause:
            continue                                    # §2.1 says nothing of it on a fault
        changed = list(beats)
        changed[index] = replace(beats[index], **{name: getattr(beats[index], name) ^ 1})
        with pytest.raises(ResponseError):
            check_response(access, answers, changed)
