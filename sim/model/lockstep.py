"""The golden model beside a core with caches, over tables that change at any time.

The golden model alone says what memory grants *now*. A core with caches may also grant what memory
said earlier, until a FENCE that covers it completes (§6), and the tables belong to software that
writes while the core reads. So the judge does not look at the memory at all. It keeps every word
that the core has read, with the cycle, and asks the golden model about those: an answer is right if
§4 gives it for words that the core has read and may still rest on.

- A *grant* may rest on what was read since the last INVAL that covers it and was fenced (§6): for a
  device entry or context that is INVAL_CONTEXT, for page tables INVAL_TLB as well.
- A *fault* must rest on words read since the request came (§4, "only memory denies").

What the judge gives away, and why: a word counts as read when its data was handed over, an INVAL
as begun when software wrote CQ_TAIL, and a FENCE without a store as completed when CQ_HEAD was seen
behind it. All of these err on the side of the core, by the length of a command or of a look.
Whether pages of one leaf were merged (§2.1 b) is not judged, for that depends on what the core held
together.
"""

from dataclasses import dataclass

from siommu.arch.formats import Cause

from .golden import GoldenModel
from .horizons import Horizons, Scope
from .steps import Fault, Walk

__all__ = ["Answer", "Difference", "Lockstep", "Scope", "Settings"]

PAGE = 4096
WRAP = (1 << 64) - 1
OVERLONG = 20_000                       #: ways to combine words of which the judge tries no more


class Difference(AssertionError):
    """The core gave an answer that the golden model does not. The message has the request, the
    beats, and the table entries that were walked with all values that the core read there."""


@dataclass(frozen=True)
class Settings:
    """CTRL and the DDT registers (§7). ``mode`` is CTRL.MODE."""

    mode: int = 0
    check_ad: int = 0
    ddt_base: int = 0
    ddt_log2: int = 0


class _Unread(Exception):
    """The core has not read that word."""


class _Reader(Walk):
    """Gives a walk the words of the core, one combination of them after the other."""

    def __init__(self, words, horizons):
        super().__init__(None)
        self._words = words
        self._context, self._table = horizons
        self._choices = []              # [index, number of values] of every word read
        self._place = 0

    def again(self):
        """Goes on to the next combination; false once all were tried."""
        self.level = self.entry_addr = self.quiet = self.table_format = self._place = 0
        self.trace = []
        while self._choices and self._choices[-1][0] + 1 == self._choices[-1][1]:
            self._choices.pop()
        if not self._choices:
            return False
        self._choices[-1][0] += 1
        return True

    def read(self, level, addr, words):
        self.level, self.entry_addr = level, addr & WRAP
        self.trace.append((level, self.entry_addr, words))
        since = self._context if level > 5 else self._table
        return [self._value(addr + 8 * index & WRAP, since) for index in range(words)]

    def _value(self, addr, since):
        values = sorted(((cycle, value is None, value or 0) for value, cycle
                         in self._words.get(addr, {}).items() if cycle >= since), reverse=True)
        if not values:
            raise _Unread
        if self._place == len(self._choices):
            self._choices.append([0, len(values)])
        _, error, value = values[self._choices[self._place][0]]
        self._place += 1
        if error:
            raise Fault(Cause.TABLE_ERROR)
        return value


class _Model(GoldenModel):
    """The golden model with a reader that is put in."""

    def __init__(self, settings, reader):
        super().__init__(None, settings.mode, settings.check_ad, settings.ddt_base,
                         settings.ddt_log2)
        self._reader = reader

    def _begin(self, access, addr):
        return self._reader


class Lockstep:
    """Judges the answers of a core.

    All cycles are of the core's clock and must not run backwards from call to call.

    Attributes
    ----------
    judged, pages : int
        Requests and pages judged so far.
    """

    def __init__(self):
        self.judged = self.pages = 0
        self._words = {}                # address -> {value (None: error): cycle of the last read}
        self._horizons = Horizons()
        self._settings = [(0, Settings())]

    def reset(self, cycle):
        """The core was reset: nothing older is used."""
        self.flushed(cycle)
        self.configure(Settings(), cycle)

    def configure(self, settings, cycle):
        """The registers of ``settings`` hold these values from ``cycle`` on."""
        if settings != self._settings[-1][1]:
            self._settings.append((cycle, settings))

    def read(self, accesses):
        """The core read these words: objects with the attributes of ``WordAccess``."""
        for access in accesses:
            if not access.write:
                value = None if access.response else access.value
                self._words.setdefault(access.address, {})[value] = access.cycle

    def invalidated(self, scope, cycle):
        """A FENCE completed over an INVAL of ``scope`` that began at ``cycle`` or later."""
        self._horizons.add(scope, cycle)

    def flushed(self, cycle):
        """Nothing that the core read before ``cycle`` is used any more (§7, MODE = ABORT)."""
        self._horizons.flush(cycle)
        self._words = {addr: kept for addr, values in self._words.items()
                       if (kept := {value: at for value, at in values.items() if at >= cycle})}

    def judge(self, access, asked, beats):
        """Judges all ``beats``, (cycle, ``Beat``) pairs, of a request at once: see ``Answer``."""
        answer = self.asked(access, asked)
        for cycle, beat in beats:
            answer.beat(cycle, beat)
        if not answer.over:
            self.fail(answer, "the last beat is missing")

    def asked(self, access, cycle):
        """The request ``access`` was submitted at ``cycle``; returns its ``Answer``."""
        return Answer(self, access, cycle)

    def possible(self, access, page, first, asked, until, beat):
        """Whether §4 can give what ``beat``, whose run begins at page ``first``, says of ``page``
        of a request of cycle ``asked`` at cycle ``until``."""
        addr = access.addr + PAGE * page & WRAP
        horizons = (asked, asked) if beat.cause else self._horizons.of(access, addr // PAGE)
        for settings in self._valid(asked, until):
            for answer in self._answers(access, page, settings, horizons):
                if beat.cause:
                    if (beat.cause, beat.disposition, beat.addr, beat.pages, beat.read,
                            beat.write) == (answer.cause.value, answer.disposition.value,
                                            answer.addr, 0, 0, 0):
                        return True
                elif answer.granted and self._grants(answer, beat, page - first):
                    return True
        return False

    @staticmethod
    def _grants(answer, beat, offset):
        address = beat.addr if not offset else (beat.addr & -PAGE) + PAGE * offset & WRAP
        return ((address, beat.read, beat.write, beat.disposition)
                == (answer.addr, answer.read, answer.write, 0)
                and (offset or beat.size == answer.size.value))

    def _valid(self, begin, end):
        """The settings that held at some time from ``begin`` to ``end``."""
        for index in range(len(self._settings) - 1, -1, -1):
            since, settings = self._settings[index]
            if since <= end:
                yield settings
            if since <= begin:
                return

    def _answers(self, access, page, settings, horizons):
        """What §4 says of a page, for every combination of words that may be rested on."""
        reader = _Reader(self._words, horizons)
        model = _Model(settings, reader)
        for _ in range(OVERLONG):
            try:
                yield model.translate_page(access, page)
            except _Unread:
                pass
            if not reader.again():
                return

    def fail(self, answer, why):
        """Raises the ``Difference`` of an ``Answer``."""
        access, page = answer.access, answer.page
        lines = [f"{why}, at page {page}.", f"Request, at cycle {answer.asked}: {access}"]
        lines += [f"Beat, at cycle {cycle}: {beat}" for cycle, beat in answer.beats]
        settings = self._settings[-1][1]
        lines.append(f"Registers: {settings}")
        horizons = self._horizons.of(access, (access.addr + PAGE * page & WRAP) // PAGE)
        lines.append(f"A grant may rest on contexts read since cycle {horizons[0]} and page tables "
                     f"read since cycle {horizons[1]}; a fault on what was read since "
                     f"{answer.asked}.")
        reader = _Reader(self._words, (0, 0))
        try:
            newest = _Model(settings, reader).translate_page(access, page)
            lines.append(f"The newest of what the core read says: {newest.cause.name} "
                         f"{newest.addr:#x}. Walked:")
        except _Unread:
            lines.append("The core has not read the last of these entries. Walked:")
        for level, addr, words in reader.trace:
            for word in range(addr, addr + 8 * words, 8):
                seen = sorted(((cycle, value) for value, cycle
                               in self._words.get(word, {}).items()), key=lambda pair: pair[0])
                lines.append(f"  level {level}, {word:#x}: " + (", ".join(
                    f"{'bus error' if value is None else hex(value)} until {cycle}"
                    for cycle, value in seen) or "never read"))
        raise Difference("\n".join(lines))


class Answer:
    """The answer to one request, judged beat by beat as it comes.

    A beat counts when it is handed over: what is fenced between two beats of a request binds the
    later one alone (§6).

    Attributes
    ----------
    beats : list of (cycle, Beat)
        Those that have come.
    page : int
        The page that the next beat begins with.
    over : bool
        Whether the last beat has come.
    """

    def __init__(self, judge, access, asked):
        self.access = access
        self.asked = asked
        self.beats = []
        self.page = 0
        self.over = False
        self._judge = judge

    def beat(self, cycle, beat):
        """Judges a beat that was handed over at ``cycle``. Call ``Lockstep.read`` before with what
        the core read until then, and ``invalidated`` after for fences that completed later.

        Raises
        ------
        Difference
        """
        judge, access, first = self._judge, self.access, self.page
        index = len(self.beats)
        self.beats.append((cycle, beat))
        if self.over:
            judge.fail(self, f"beat {index} comes after the last one")
        end = first if beat.cause else first + beat.pages
        last = bool(beat.cause) or end == access.pages
        if beat.tag != access.tag or bool(beat.last) != last or end > access.pages:
            judge.fail(self, f"beat {index} does not cover the pages in order (§2.1)")
        for page in range(first, end + 1):
            self.page = page
            if not judge.possible(access, page, first, self.asked, cycle, beat):
                judge.fail(self, f"beat {index} is not an answer of §4")
        judge.pages += end + 1 - first
        judge.judged += last
        self.page, self.over = end + 1, last
