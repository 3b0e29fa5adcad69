"""Requests and responses of a port as values, and the rules of §2.1 for a request's beats."""

from dataclasses import dataclass

from siommu.arch.formats import Cause, Disposition, Size

__all__ = ["Access", "Beat", "PageAnswer", "ResponseError", "check_response", "merge_runs"]

PAGE = 4096
WRAP = (1 << 64) - 1


@dataclass(frozen=True)
class Access:
    """A request as a port sees it (§2.1). ``pages`` is minus one: 0..255 stand for 1..256."""

    ft: int
    write: int
    device: int
    pasid: int
    addr: int
    pages: int
    tag: int = 0


@dataclass(frozen=True)
class Beat:
    """One response beat (§2.1), all fields as integers."""

    tag: int
    last: int
    cause: int
    disposition: int
    addr: int
    pages: int
    read: int
    write: int
    size: int


@dataclass(frozen=True)
class PageAnswer:
    """What §4 says of one page.

    Parameters
    ----------
    cause, disposition : Cause, Disposition
        ``Cause.OK`` is a grant.
    addr : int
        Granted: the translated byte address, page aligned but on a request's first page. Fault:
        the faulting input address (§2.1).
    read, write : int
        Effective permissions, 0 on a fault.
    size : Size
        Mapping size of a grant, ``PAGE_4K`` on a fault.
    level, entry_addr : int
        The entry at which §4 ended, as a fault record has them (§5.1); both 0 where none was read.
    leaf : hashable
        Granted: the address of the leaf entry, or ``"bypass"``. Pages with the same leaf must be
        merged. ``None`` on a fault.
    trace : tuple of int
        Physical addresses of all entries read, in order.
    quiet : int
        Fault: 1 if it is not to be recorded, because the device entry was read, is valid and has
        QUIET (§3.1). 0 of a grant.
    table_format : int
        MEM_FMT of the table that was walked (§3.2); 0 where none was.
    """

    cause: Cause
    disposition: Disposition
    addr: int
    read: int
    write: int
    size: Size
    level: int
    entry_addr: int
    leaf: object
    trace: tuple
    quiet: int = 0
    table_format: int = 0

    @property
    def granted(self):
        """Whether the access may go on."""
        return self.cause is Cause.OK


def _contiguous(before, after):
    """Whether the page of ``after`` physically follows the page of ``before``."""
    return (before.addr & ~(PAGE - 1)) + PAGE == after.addr


def merge_runs(access, answers, merge=True):
    """The beats of the best possible core: the longest runs that §2.1 allows.

    ``merge=False`` gives the fewest merges it allows: the pages of one leaf only.
    """
    beats = []
    first = 0
    for index, answer in enumerate(answers):
        last = index == len(answers) - 1
        if not answer.granted:
            beats.append(Beat(access.tag, 1, answer.cause.value, answer.disposition.value,
                              answer.addr, 0, 0, 0, 0))
            break
        joined = not last and answers[index + 1].granted and _may_merge(answer, answers[index + 1])
        if joined and (merge or answers[index + 1].leaf == answer.leaf):
            continue
        head = answers[first]
        beats.append(Beat(access.tag, int(last), 0, 0, head.addr, index - first, head.read,
                          head.write, head.size.value))
        first = index + 1
    return beats


def _may_merge(before, after):
    return (_contiguous(before, after)
            and (before.read, before.write) == (after.read, after.write))


class ResponseError(AssertionError):
    """The beats of a request break a rule of §2.1. The message says which and where."""


def check_response(access, answers, beats):
    """Checks the beats of one request, in order of arrival, against §2.1 (a) to (c).

    Parameters
    ----------
    access : Access
    answers : list of PageAnswer
        ``GoldenModel.translate(access)``.
    beats : list
        Objects with the attributes of ``Beat``; values are integers.

    Raises
    ------
    ResponseError
        With the rule that is broken, and the request.
    """
    def fail(sentence):
        raise ResponseError(f"{sentence}. Request: {access}. Beats: {list(beats)}")

    page = 0
    for index, beat in enumerate(beats):
        where = f"beat {index}"
        if page == len(answers):
            fail(f"{where} comes after the request's end")
        answer = answers[page]
        if beat.tag != access.tag:
            fail(f"{where} has tag {beat.tag}, the request {access.tag}")
        if not answer.granted:
            _check_fault(fail, where, page, answer, beat)
            page += 1
            continue
        if beat.cause:
            fail(f"{where} refuses page {page} with {_cause(beat.cause)}, "
                 f"but it must be granted")
        end = page + beat.pages + 1
        if end > len(answers):
            fail(f"{where} covers {beat.pages + 1} pages from page {page} on, "
                 f"but only {len(answers)} belong to the request")
        _check_run(fail, where, page, answers[page:end], beat)
        if end < len(answers) and answers[end].granted and \
                answers[end].leaf == answers[end - 1].leaf and \
                _may_merge(answers[end - 1], answers[end]):
            fail(f"{where} ends at page {end - 1}, but the leaf behind it also maps page {end}: "
                 f"they must be one run")
        page = end
        if beat.last != int(page == len(answers)):
            fail(f"{where} has last = {beat.last} and ends with page {page - 1} "
                 f"of {len(answers)}")
    if page != len(answers):
        fail(f"the beats cover {page} pages of {len(answers)}")


def _cause(code):
    return Cause(code).name if code < len(Cause) else f"the unknown cause {code}"


def _check_fault(fail, where, page, answer, beat):
    if beat.cause != answer.cause.value:
        fail(f"{where} answers page {page} with {_cause(beat.cause)}, "
             f"but it must be {answer.cause.name}")
    if beat.disposition != answer.disposition.value:
        fail(f"{where} has the disposition {beat.disposition} for {answer.cause.name}, "
             f"but it must be {answer.disposition.name}")
    if beat.addr != answer.addr:
        fail(f"{where} reports the fault address {beat.addr:#x}, but it must be {answer.addr:#x}")
    if beat.pages or beat.read or beat.write or beat.size:
        fail(f"{where} is a fault and must have pages = read = write = size = 0")
    if beat.last != 1:
        fail(f"{where} is a fault and must be the last beat")


def _check_run(fail, where, page, run, beat):
    for offset, answer in enumerate(run):
        if not answer.granted:
            fail(f"{where} grants page {page + offset}, but it must be {answer.cause.name}")
        if (beat.read, beat.write) != (answer.read, answer.write):
            fail(f"{where} grants page {page + offset} read = {beat.read}, write = {beat.write}, "
                 f"but it must be read = {answer.read}, write = {answer.write}")
        address = beat.addr if not offset else (beat.addr & ~(PAGE - 1)) + PAGE * offset & WRAP
        if address != answer.addr:
            fail(f"{where} translates page {page + offset} to {address:#x}, "
                 f"but it must be {answer.addr:#x}")
    if beat.disposition:
        fail(f"{where} is a grant and must have disposition 0")
    if beat.size != run[0].size.value:
        fail(f"{where} reports size {beat.size}, but the mapping behind its first page "
             f"is {run[0].size.name}")
