"""The golden model: §4 of the specification, step by step, and the rules of §2.1 for responses.

The model shares with the RTL the names of causes and sizes and nothing else: bit positions and
reserved masks are written out here once more, from §3, so that a slip in the declarations shows.
"""

from dataclasses import dataclass

from siommu.formats import Cause, Disposition, Mode, Size

from .memory import BusError

__all__ = ["Access", "Beat", "PageAnswer", "GoldenModel", "ResponseError", "check_response",
           "merge_runs"]

PAGE = 4096
WRAP = (1 << 64) - 1
LEVEL_PASID = 6         # fault record levels that are no page table level (§5.1)
LEVEL_DEVICE = 7
BYPASS = "bypass"


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

    @property
    def granted(self):
        return self.cause is Cause.OK


def _bit(value, index):
    return value >> index & 1


def _bits(value, high, low):
    return value >> low & ((1 << (high - low + 1)) - 1)


def _only(value, *fields):
    """Whether ``value`` has no bit set outside of ``fields``, (high, low) pairs."""
    for high, low in fields:
        value &= ~(((1 << (high - low + 1)) - 1) << low)
    return value == 0


def _disposition(code):
    """§5: the disposition 3 is reported as 0."""
    return Disposition(code if code != 3 else 0)


class _Fault(Exception):
    def __init__(self, cause, disposition=Disposition.DENY):
        super().__init__(cause.name)
        self.cause = cause
        self.disposition = disposition


class _Walk:
    """The entry that is being looked at, and all that were."""

    def __init__(self, memory):
        self.memory = memory
        self.level = 0
        self.entry_addr = 0
        self.trace = []

    def read(self, level, addr, words):
        self.level, self.entry_addr = level, addr & WRAP
        self.trace.append(self.entry_addr)
        try:
            return [self.memory.read_u64(addr + 8 * index & WRAP) for index in range(words)]
        except BusError:
            # "Any table read that the memory answers with SLVERR or DECERR → TABLE_ERROR."
            raise _Fault(Cause.TABLE_ERROR) from None

    def nowhere(self):
        """§5.1: level and address are 0 where the step looks at no entry."""
        self.level = self.entry_addr = 0


class GoldenModel:
    """§4 over a memory. Has no cache: every page reads every entry.

    Parameters (plain attributes, to be changed at any time)
    ----------
    memory : Memory
        Anything with ``read_u64(addr)`` that raises ``BusError``.
    mode : Mode or int
        ``CTRL.MODE`` (§7); 3 acts as ABORT.
    check_ad : int
        ``CTRL.CHECK_AD``.
    ddt_base, ddt_log2 : int
        The registers of these names.
    """

    def __init__(self, memory, mode=Mode.ABORT, check_ad=0, ddt_base=0, ddt_log2=0):
        self.memory = memory
        self.mode = mode
        self.check_ad = check_ad
        self.ddt_base = ddt_base
        self.ddt_log2 = ddt_log2

    def translate(self, access):
        """The answers for the pages of ``access`` in order, up to and including the first fault."""
        answers = []
        for k in range(access.pages + 1):
            answers.append(self.translate_page(access, k))
            if not answers[-1].granted:
                break
        return answers

    def translate_page(self, access, k):
        """The answer for page ``k`` of ``access`` on its own, whatever the pages before it say."""
        # "Page k of a request is the page of addr + 4096·k (mod 2^64)."
        addr = access.addr + PAGE * k & WRAP
        if k:
            addr &= ~(PAGE - 1)
        walk = _Walk(self.memory)
        try:
            out, read, write, size, leaf = self._translate(access, addr, walk)
        except _Fault as fault:
            return PageAnswer(fault.cause, fault.disposition, addr, 0, 0, Size.PAGE_4K,
                              walk.level, walk.entry_addr, None, tuple(walk.trace))
        return PageAnswer(Cause.OK, Disposition.DENY, out, read, write, size,
                          walk.level, walk.entry_addr, leaf, tuple(walk.trace))

    def _translate(self, access, addr, walk):
        untranslated = addr, 1, 1, Size.BYPASS, BYPASS
        mode = getattr(self.mode, "value", self.mode)
        # 1. "CTRL.MODE = 0 (ABORT) → CORE_OFF." 3 acts as ABORT (§7).
        if mode in (0, 3):
            raise _Fault(Cause.CORE_OFF)
        # "MODE = 2 (BYPASS) → granted, address unchanged, read = write = 1, size 3."
        if mode == 2:
            return untranslated
        device = self._device(access, walk)
        # "Its BYPASS bit → granted as in step 1."
        if _bit(device[0], 4 if access.ft else 3):
            return untranslated
        context = self._context(access, device, walk)
        return self._walk_table(access, addr, context, _bits(device[1], 9, 0), walk)

    def _device(self, access, walk):
        # 2. "DEVICE ≥ 2^DDT_LOG2 → DEVICE_INVALID."
        if access.device >= 1 << self.ddt_log2:
            raise _Fault(Cause.DEVICE_INVALID)
        # "Read the device entry." DDT_BASE + 16 × DEVICE
        device = walk.read(LEVEL_DEVICE, self.ddt_base + 16 * access.device, 2)
        # "V = 0 → DEVICE_INVALID."
        if not _bit(device[0], 0):
            raise _Fault(Cause.DEVICE_INVALID)
        # "A reserved bit → ENTRY_RESERVED." PDT_LEVELS = 3 is reserved as well.
        if (not _only(device[0], (7, 0), (51, 12)) or not _only(device[1], (9, 0))
                or _bits(device[0], 7, 6) == 3):
            raise _Fault(Cause.ENTRY_RESERVED)
        # "The request's FT not enabled → FT_DISABLED."
        if not _bit(device[0], 2 if access.ft else 1):
            raise _Fault(Cause.FT_DISABLED)
        return device

    def _context(self, access, device, walk):
        levels = _bits(device[0], 7, 6)
        base = _bits(device[0], 51, 12) << 12
        # 3. "PASID out of reach → PASID_INVALID."
        if access.pasid >= 1 << (7, 16, 20)[levels]:
            walk.nowhere()
            raise _Fault(Cause.PASID_INVALID)
        # "Walk the directory: V = 0 → PASID_INVALID; reserved bits → ENTRY_RESERVED."
        for level in range(levels, 0, -1):
            index = _bits(access.pasid, 19, 16) if level == 2 else _bits(access.pasid, 15, 7)
            (entry,) = walk.read(LEVEL_PASID, base + 8 * index, 1)
            if not _bit(entry, 0):
                raise _Fault(Cause.PASID_INVALID)
            if not _only(entry, (0, 0), (51, 12)):
                raise _Fault(Cause.ENTRY_RESERVED)
            base = _bits(entry, 51, 12) << 12
        # "Read the context: reserved bits → ENTRY_RESERVED;"
        context = walk.read(LEVEL_PASID, base + 32 * _bits(access.pasid, 6, 0), 4)
        if (not _only(context[0], (1, 0), (51, 12)) or not _only(context[1], (1, 0), (51, 12))
                or not _only(context[2], (3, 0)) or context[3]):
            raise _Fault(Cause.ENTRY_RESERVED)
        # "absent → PASID_INVALID or TABLE_ABSENT."
        if not _bit(context[0], 0) and not _bit(context[1], 0):
            raise _Fault(Cause.PASID_INVALID)
        if not _bit(context[1 if access.ft else 0], 0):
            raise _Fault(Cause.TABLE_ABSENT)
        return context

    def _walk_table(self, access, addr, context, devid, walk):
        root = context[1 if access.ft else 0]
        deny = _disposition(_bits(context[2], 3, 2) if access.ft else _bits(context[2], 1, 0))
        depth = 5 if _bit(root, 1) else 4
        # 4. "The address is not canonical for the table's depth (bits 63:47, or 63:56, not all
        # equal) → NON_CANONICAL."
        sign = addr >> (56 if depth == 5 else 47)
        if sign not in (0, WRAP >> (56 if depth == 5 else 47)):
            walk.nowhere()
            raise _Fault(Cause.NON_CANONICAL)
        # 5. "From the root down, at each level:"
        base, no_read, writable = _bits(root, 51, 12) << 12, 0, 1
        for level in range(depth, 0, -1):
            shift = 12 + 9 * (level - 1)
            entry_addr = base + 8 * _bits(addr, shift + 8, shift)
            (entry,) = walk.read(level, entry_addr, 1)
            # "P = 0 → NOT_PRESENT." The disposition is in bits 2:1.
            if not _bit(entry, 0):
                raise _Fault(Cause.NOT_PRESENT, _disposition(_bits(entry, 2, 1)))
            # "A reserved bit → ENTRY_RESERVED." PS at levels 4 and 5; bits 20:13 (29:13) of a
            # 2 MiB (1 GiB) leaf.
            large = _bit(entry, 7) and level > 1
            if large and (level >= 4 or _bits(entry, shift - 1, 13)):
                raise _Fault(Cause.ENTRY_RESERVED)
            # "U = 0 → SUPERVISOR."
            if not _bit(entry, 2):
                raise _Fault(Cause.SUPERVISOR)
            # "CHECK_AD and A = 0 → ACCESS_FLAG." Its disposition is REMAP (§5).
            if self.check_ad and not _bit(entry, 5):
                raise _Fault(Cause.ACCESS_FLAG, Disposition.REMAP)
            writable &= _bit(entry, 1)
            # NR is "looked at for FT = 1 only" (§3.3).
            no_read |= _bit(entry, 9) & access.ft
            # "Leaf? go to 6, else descend."
            if level == 1 or large:
                break
            base = _bits(entry, 51, 12) << 12
        # 6. "Leaf: FT differs → FT_MISMATCH."
        if _bit(entry, 10) != access.ft:
            raise _Fault(Cause.FT_MISMATCH)
        # "FT = 1 and DEVID differs → DEVICE_MISMATCH."
        if access.ft and _bits(entry, 61, 52) != devid:
            raise _Fault(Cause.DEVICE_MISMATCH)
        # "A read with NR set anywhere on the path (FT = 1 only) → READ_DENIED."
        if not access.write and no_read:
            raise _Fault(Cause.READ_DENIED, deny)
        # "A write with W = 0 anywhere on the path → WRITE_DENIED."
        if access.write and not writable:
            raise _Fault(Cause.WRITE_DENIED, deny)
        # "CHECK_AD and a write and D = 0 → ACCESS_FLAG."
        if self.check_ad and access.write and not _bit(entry, 6):
            raise _Fault(Cause.ACCESS_FLAG, Disposition.REMAP)
        # 7. "Granted: PFN · 4096 + offset, with the offset of the leaf's size; read = not NR,
        # write = W over the path." Below the leaf's size only the offset counts: bit 12 of a
        # large leaf is ignored, the bits above it are 0.
        target = _bits(entry, 51, shift) << shift | _bits(addr, shift - 1, 0)
        return target, 1 - no_read, writable, Size(level - 1), entry_addr & WRAP


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
    if beat.pages or beat.read or beat.write:
        fail(f"{where} is a fault and must have pages = read = write = 0")
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
