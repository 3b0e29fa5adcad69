"""Log pages (NVMe 1.4, 5.14.1), the counts behind them, and asynchronous events (5.2)."""

from collections import deque

from .defs import PAGE, Admin, Io, LogPage, Status
from .transfer import CommandError

__all__ = ["AsyncEvents", "ErrorLog", "Usage", "log_data"]

KELVIN = 300                            #: the emulated drive is not warm
ALL = 0xFFFFFFFF


class ErrorLog:
    """The newest commands that failed."""

    LIMIT = 64                          #: entries

    def __init__(self):
        self.count = 0
        self._entries = deque(maxlen=self.LIMIT)

    def add(self, command, qid, status, dnr):
        """A command of queue ``qid`` failed with ``status`` (SCT << 8 | SC)."""
        self.count += 1
        entry = bytearray(64)

        def put(offset, value, size):
            entry[offset:offset + size] = value.to_bytes(size, "little")
        put(0, self.count, 8)
        put(8, qid, 2)
        put(10, command.cid, 2)
        put(12, int(status) << 1 | dnr << 15, 2)
        put(14, 0xFFFF, 2)              # it is not known which byte of the command was wrong
        put(16, command.slba if qid and command.opcode in (Io.READ, Io.WRITE) else 0, 8)
        put(24, command.nsid, 4)
        self._entries.appendleft(bytes(entry))

    def data(self):
        """The log page, newest first."""
        return b"".join(self._entries).ljust(64 * self.LIMIT, b"\0")


class Usage:
    """What the drive was used for since it was made."""

    def __init__(self):
        self.read_bytes = self.written_bytes = self.reads = self.writes = 0

    def count(self, write, length):
        """A Read or Write of ``length`` bytes has ended well."""
        if write:
            self.writes += 1
            self.written_bytes += length
        else:
            self.reads += 1
            self.read_bytes += length

    def smart(self, errors):
        """The SMART / Health Information page."""
        page = bytearray(512)

        def put(offset, value, size=16):
            page[offset:offset + size] = value.to_bytes(size, "little")
        put(1, KELVIN, 2)
        page[3], page[4] = 100, 10      # spare and its threshold, in per cent
        # Data units are of 1000 blocks of 512 bytes, rounded up.
        put(32, -(-self.read_bytes // 512_000))
        put(48, -(-self.written_bytes // 512_000))
        put(64, self.reads)
        put(80, self.writes)
        put(112, 1)                     # power cycles
        put(176, errors.count)
        return bytes(page)


def _effects():
    page = bytearray(PAGE)
    for base, opcodes in ((0, Admin), (1024, Io)):
        for opcode in opcodes:
            # CSUPP; LBCC of what changes blocks.
            page[base + 4 * opcode] = 3 if opcodes is Io and opcode == Io.WRITE else 1
    return bytes(page)


def log_data(controller, command):
    """The bytes that answer Get Log Page, as many as were asked for; behind the page they are 0.

    Raises
    ------
    CommandError
        There is no such log, or the offset lies behind it.
    """
    kind = command.cdw10 & 0xFF
    length = 4 * ((command.cdw10 >> 16 | (command.cdw11 & 0xFFFF) << 16) + 1)
    offset = command.cdw12 | command.cdw13 << 32
    if length > PAGE << controller.mdts:
        raise CommandError(Status.INVALID_FIELD)
    if kind == LogPage.ERRORS:
        data = controller.errors.data()
    elif kind == LogPage.HEALTH:
        if command.nsid not in (0, ALL):
            raise CommandError(Status.INVALID_FIELD)        # there is one log for the drive
        data = controller.usage.smart(controller.errors)
    elif kind == LogPage.FIRMWARE:
        data = (b"\1" + bytes(7) + b"1.0     ").ljust(512, b"\0")
    elif kind == LogPage.EFFECTS:
        data = _effects()
    else:
        raise CommandError(Status.INVALID_LOG_PAGE)
    if offset % 4 or offset > len(data):
        raise CommandError(Status.INVALID_FIELD)
    return data[offset:offset + length].ljust(length, b"\0")


class AsyncEvents:
    """Asynchronous Event Requests that are held, and events that wait for one.

    An event type that has been told is masked until the host reads its log page, so that a host
    which does not look is not told for ever.

    Parameters
    ----------
    scheduler : Scheduler
    """

    LIMIT = 4                           #: requests held at most (AERL + 1)
    BAD_REGISTER, BAD_VALUE = 0, 1      #: informations of type 0, error status

    def __init__(self, scheduler):
        self._scheduler = scheduler
        self._held = []                 # (event, answer, command) of every request
        self._waiting = {}              # type -> DW0 of an event that nobody asked for yet
        self._masked = set()

    def reset(self):
        """Requests and events are gone."""
        for over, *_ in self._held:
            over.set()
        self._held.clear()
        self._waiting.clear()
        self._masked.clear()

    async def request(self, command):
        """Waits for an event on behalf of ``command``; returns DW0."""
        if len(self._held) >= self.LIMIT:
            raise CommandError(Status.TOO_MANY_EVENTS)
        answer = []                     # DW0, once there is an event
        over = self._scheduler.event()
        self._held.append((over, answer, command))
        self._match()
        await over.wait()
        if not answer:
            raise CommandError(Status.ABORTED_SQ_DELETED)
        return answer[0]

    def withdraw(self, command):
        """The request of ``command`` was aborted: no event must be lost on it."""
        self._held = [held for held in self._held if held[2] is not command]

    def post(self, kind, information, page):
        """An event of type ``kind`` (0 to 2) happened; ``page`` is the log that tells more."""
        if kind not in self._masked:
            self._waiting.setdefault(kind, kind | information << 8 | page << 16)
            self._match()

    def _match(self):
        while self._held and self._waiting:
            kind = min(self._waiting)
            over, answer, _ = self._held.pop(0)
            answer.append(self._waiting.pop(kind))
            self._masked.add(kind)
            over.set()

    def has_read(self, command):
        """A log page was read; without Retain Asynchronous Event its type may be told again."""
        if not command.cdw10 >> 15 & 1:
            page = command.cdw10 & 0xFF
            self._masked.discard({LogPage.ERRORS: 0, LogPage.HEALTH: 1}.get(page))

