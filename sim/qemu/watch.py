"""What software does to the core, as far as the judge must know it: settings, INVAL, FENCE."""

from dataclasses import dataclass

from ..host.control.offsets import Reg
from ..memory import BusError
from ..model.lockstep import Scope, Settings

__all__ = ["Watch"]

OKAY = 0
INVAL_TLB, INVAL_CONTEXT, FENCE = 1, 2, 3
COMMAND_BYTES = 16
SETTINGS = (Reg.CTRL, Reg.DDT_BASE_LOW, Reg.DDT_BASE_HIGH, Reg.DDT_LOG2)
MODE, IN_FLIGHT = 3, 3                  # CTRL.MODE; STATUS.REQUESTS and WALKS


def _scope(words):
    """The ``Scope`` of an INVAL command (§6), ``None`` of another command."""
    word, address = words
    opcode = word & 0xFF
    device = word >> 16 & 0xFFFF if word >> 8 & 1 else None
    pasid = word >> 32 & 0xFFFFF if word >> 9 & 1 else None
    if opcode == INVAL_CONTEXT:
        return Scope(device, pasid, context=True)
    if opcode != INVAL_TLB:
        return None
    ft = word >> 12 & 1 if word >> 10 & 1 else None
    by_address = word >> 11 & 1
    return Scope(device, pasid, ft, address >> 12 if by_address else None,
                 word >> 52 & 0x3F if by_address else 0)


@dataclass
class _Pending:
    """A command between CQ_HEAD and CQ_TAIL."""

    slot: int
    words: tuple
    begin: int                          # no later than the core began it

    @property
    def store(self):
        """(address, strobe) of what a FENCE stores; ``None`` of another command."""
        word, address = self.words
        if word & 0xFF != FENCE or not word >> 8 & 1:
            return None
        return address & -8, 0xF << (address & 4)


class Watch:
    """Follows the guest's register accesses and its command queue, and tells the judge.

    Parameters
    ----------
    core : Core
        Its registers are read here too; that changes nothing in the core but the time.
    memory : GuestMemory
    judge : Lockstep
    """

    def __init__(self, core, memory, judge):
        self._core = core
        self._memory = memory
        self._judge = judge
        self.reset()

    def reset(self):
        """The core was reset."""
        self._pending = []
        self._owed = []                 # stores of FENCEs that CQ_HEAD showed to be over
        self._ahead = 0                 # commands that a store showed to be over, not CQ_HEAD
        self._invalidations = []        # (scope, begin) that no FENCE has covered yet
        self._head = self._tail = 0     # CQ_HEAD as it was seen last; CQ_TAIL
        self._aborted = None            # cycle of a MODE = ABORT that has not been waited for
        self._judge.reset(self._core.cycles)

    def _get(self, offset):
        return self._core.read(offset)[0]

    def written(self, offset, begin, response):
        """The guest wrote a register, and the core answered; ``begin`` is the cycle before."""
        if response != OKAY:
            return
        if offset in SETTINGS:
            ctrl, low, high, log2 = map(self._get, SETTINGS)
            self._judge.configure(Settings(ctrl & MODE, ctrl >> 2 & 1, high << 32 | low, log2),
                                  begin)
            if offset == Reg.CTRL and ctrl & MODE in (0, 3):
                self._aborted = begin
        elif offset == Reg.CQ_CTRL:
            self._restart()
        elif offset == Reg.CQ_TAIL:
            self._take(begin)
        elif offset == Reg.CQ_STATUS:
            # An illegal command is fetched again: software may have put another in its place.
            for command in self._pending:
                command.words = self._fetch(command.slot)

    def has_read(self, offset, value):
        """The guest read a register."""
        if offset == Reg.STATUS and self._aborted is not None and not value & IN_FLIGHT:
            self._judge.flushed(self._aborted)
            self._aborted = None

    def _restart(self):
        """The queue was turned on or off; on, it is empty."""
        if not self._get(Reg.CQ_CTRL) & 1:
            return
        if self._get(Reg.CQ_HEAD) == self._get(Reg.CQ_TAIL) == 0:
            self._pending, self._owed, self._ahead, self._head, self._tail = [], [], 0, 0, 0

    def _size(self):
        return 1 << self._get(Reg.CQ_LOG2)

    def _fetch(self, slot):
        base = self._get(Reg.CQ_BASE_HIGH) << 32 | self._get(Reg.CQ_BASE_LOW)
        try:
            data = self._memory.read(base + COMMAND_BYTES * slot, COMMAND_BYTES)
        except BusError:
            return 0, 0                 # the core will find the same: CQ_ERROR
        return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")

    def _take(self, begin):
        tail, size = self._get(Reg.CQ_TAIL), self._size()
        while self._tail != tail % size:
            self._pending.append(_Pending(self._tail, self._fetch(self._tail), begin))
            self._tail = (self._tail + 1) % size

    def stored(self, word):
        """The core wrote ``word``, a ``WordAccess``. If that is the store of the FENCE that is due,
        all commands up to it have completed."""
        if word.response != OKAY:
            return
        store = word.address, word.strobe
        if self._owed:
            # Software may have fences that store at one place: this is an earlier one's.
            if store == self._owed[0]:
                self._owed.pop(0)
            return
        for index, command in enumerate(self._pending):
            if command.words[0] & 0xFF == FENCE:
                if command.store == store:
                    for _ in range(index + 1):
                        self._next()
                    self._ahead += index + 1
                return                  # fences complete one after the other

    def _next(self):
        """The oldest command has completed."""
        self._complete(self._pending.pop(0))

    def look(self):
        """Looks how far the command queue is. To be called after the core was clocked, when all
        answers that it gave until then have been judged."""
        if not self._pending and not self._ahead:
            return
        head, size = self._get(Reg.CQ_HEAD), self._size()
        passed, self._head = (head - self._head) % size, head
        known = min(passed, self._ahead)        # CQ_HEAD comes behind a fence's store
        self._ahead -= known
        for _ in range(min(passed - known, len(self._pending))):
            # Reading CQ_HEAD takes some cycles: the store may be in these, still to be told of.
            self._owed += filter(None, [self._pending[0].store])
            self._next()

    def _complete(self, command):
        scope = _scope(command.words)
        if scope is not None:
            self._invalidations.append((scope, command.begin))
        elif command.words[0] & 0xFF == FENCE:
            for scope, begin in self._invalidations:
                self._judge.invalidated(scope, begin)
            self._invalidations.clear()
