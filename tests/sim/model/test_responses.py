"""The checker of §2.1 accepts every correct answer and refuses every broken one."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from sim.memory import Memory
from sim.model.golden import Access, Beat, GoldenModel, ResponseError, check_response, merge_runs
from sim.tables import DeviceDirectory, PageTable, PasidDirectory
from siommu.arch.formats import Mode, Size

from ...support.properties import holds_for

PAGE = 4096
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
    *[(broken(3, **{field: 1}), "must have pages = read = write = size = 0")
      for field in ("pages", "read", "write", "size")],
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


#: What a piece of the address space is: a page of its own, one behind the page before, a 2 MiB
#: leaf, nothing; whether it may be read, and written.
PIECES = st.lists(st.tuples(st.sampled_from(("apart", "behind", "behind", "large", "none")),
                            st.sampled_from((True, True, False)),
                            st.sampled_from((True, True, False))), min_size=1, max_size=12)
FIELDS = {"tag": 8, "last": 1, "cause": 6, "disposition": 2, "addr": 64, "pages": 8, "read": 1,
          "write": 1, "size": 2}


def answered(pieces, ft, write, start, pages):
    """A request from page ``start`` of the pieces on, and what the model says of its pages."""
    memory = Memory()
    devices, pasids, table = DeviceDirectory(memory), PasidDirectory(memory), PageTable(memory)
    addr, paddr = VA, 1 << 30
    for kind, may_read, may_write in pieces:
        step = 2 << 20 if kind == "large" else PAGE
        if kind == "large":
            addr, paddr = -(-addr // step) * step, -(-paddr // step) * step
        elif kind == "apart":
            paddr += PAGE
        if kind != "none":
            table.map(addr, paddr, size=Size.PAGE_2M if kind == "large" else Size.PAGE_4K,
                      read=may_read, write=may_write, devid=9 if ft else None)
        addr, paddr = addr + step, paddr + step
    pasids.set(1, **{"sto" if ft else "mem": table})
    devices.set(1, devid=9, pasids=pasids)
    access = Access(ft, write, 1, 1, VA + start, pages, 5)
    model = GoldenModel(memory, Mode.TRANSLATE, 0, devices.base, devices.log2)
    return access, model.translate(access)


def split(access, answers, beats, at):
    """The beats with every run ended at those of ``at``, page numbers, at which it may be: there
    another leaf begins."""
    pieces, page = [], 0
    for beat in beats:
        run = answers[page:page + beat.pages + 1]
        ends = [index for index in range(1, len(run))
                if page + index in at and run[index].leaf != run[index - 1].leaf]
        for first, end in zip([0, *ends], [*ends, len(run)]):
            pieces.append(beat if beat.cause else replace(
                beat, addr=run[first].addr, pages=end - first - 1, size=run[first].size.value,
                last=int(beat.last and end == len(run))))
        page += len(run)
    return pieces


REQUESTS = {"pieces": PIECES, "ft": st.integers(0, 1), "write": st.integers(0, 1),
            "start": st.integers(0, 12 * PAGE), "pages": st.integers(0, 255)}


@holds_for(examples=150, **REQUESTS, at=st.sets(st.integers(1, 255)))
def test_beats_cover_the_pages_once_and_in_order(pieces, ft, write, start, pages, at):
    """However the runs are split that may be: all pages up to the first fault, each once, in order
    and with its own address and rights; runs that are not split are as long as they can be."""
    access, answers = answered(pieces, ft, write, start, pages)
    faults = [index for index, answer in enumerate(answers) if not answer.granted]
    assert faults in ([], [len(answers) - 1]) and (faults or len(answers) == pages + 1)
    longest = merge_runs(access, answers)
    for beats in (longest, merge_runs(access, answers, merge=False),
                  split(access, answers, longest, at)):
        check_response(access, answers, beats)
        told = [((beat.addr & -PAGE) + PAGE * index if index else beat.addr, beat.read, beat.write)
                for beat in beats for index in range(beat.pages + 1)]
        assert told == [(answer.addr, answer.read, answer.write) for answer in answers]
        assert [beat.last for beat in beats] == [0] * (len(beats) - 1) + [1]
    for before, after in zip(longest, longest[1:]):
        assert after.cause or (before.read, before.write) != (after.read, after.write) or \
            (before.addr & -PAGE) + PAGE * (before.pages + 1) != after.addr


@holds_for(examples=150, **REQUESTS, at=st.sets(st.integers(1, 255)), of=st.integers(0, 255),
           change=st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(
               st.just(name), st.integers(1, (1 << FIELDS[name]) - 1))))
def test_one_change_of_a_beat_is_noticed(pieces, ft, write, start, pages, at, of, change):
    """Whatever a field of a correct beat is changed to, it is refused; so is a beat that is
    missing, comes twice, or has its neighbour's turn."""
    access, answers = answered(pieces, ft, write, start, pages)
    beats = split(access, answers, merge_runs(access, answers), at)
    index, (name, bits) = of % len(beats), change
    beat = beats[index]
    wrong = [[*beats[:index], *beats[index + 1:]], [*beats[:index], beat, *beats[index:]]]
    if index:
        wrong.append([*beats[:index - 1], beat, beats[index - 1], *beats[index + 1:]])
    if name != "size" or not beat.cause:            # §2.1 says nothing of a fault's size
        wrong.append([*beats[:index], replace(beat, **{name: getattr(beat, name) ^ bits}),
                      *beats[index + 1:]])
    for other in wrong:
        with pytest.raises(ResponseError):
            check_response(access, answers, other)
