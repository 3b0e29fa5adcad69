"""What the core does, as ``top`` shows what a machine does: rates between readings of its counters.

A snapshot is a dictionary of counters by name, as ``RegisterControl.counters`` returns it; the
others are made of it. All of it is text, to be read in a log.
"""

from dataclasses import dataclass

__all__ = ["Interval", "Top", "fault_log", "watch"]

LEVELS = {0: "-", 6: "context", 7: "device"}
WRAP = 1 << 64
REPEAT = 20                             #: rows until ``watch`` writes the head again


@dataclass(frozen=True)
class Interval:
    """What happened between two snapshots.

    Parameters
    ----------
    label : str
    counts : dict
        The difference of each counter.
    """

    label: str
    counts: dict

    @classmethod
    def between(cls, label, before, after):
        """The interval from snapshot ``before`` to ``after``; counters may wrap once."""
        return cls(label, {name: (after[name] - before[name]) % WRAP for name in after})

    def share(self, part, *whole):
        """``part`` of the sum of ``whole`` in per cent, as text."""
        total = sum(self.counts[name] for name in whole)
        return f"{100 * self.counts[part] / total:.1f}" if total else "-"

    def average(self, total, number):
        """``total`` per ``number``, as text."""
        return f"{self.counts[total] / self.counts[number]:.1f}" if self.counts[number] else "-"


#: The core looks for runs of pages: a request may take several looks.
LOOKS = "l1_hits", "l2_hits", "misses"
#: head, width, cell
COLUMNS = (
    ("cycles", 9, lambda each: each.counts["cycles"]),
    ("requests", 8, lambda each: each.counts["requests"]),
    ("/kcycle", 7, lambda each: f"{1000 * each.counts['requests'] / each.counts['cycles']:.1f}"
        if each.counts["cycles"] else "-"),
    ("pages", 8, lambda each: each.counts["pages"]),
    ("L1 %", 5, lambda each: each.share("l1_hits", *LOOKS)),
    ("L2 %", 5, lambda each: each.share("l2_hits", *LOOKS)),
    ("misses", 7, lambda each: each.counts["misses"]),
    ("avg wait", 8, lambda each: each.average("miss_cycles", "misses")),
    ("walks", 7, lambda each: each.counts["walks"]),
    ("reads", 7, lambda each: each.counts["table_reads"]),
    ("faults", 6, lambda each: each.counts["faults"]),
    ("lost", 5, lambda each: each.counts["faults_lost"]),
    ("inval", 5, lambda each: each.counts["invalidations"]),
    ("fences", 6, lambda each: each.counts["fences"]),
    ("prefetch", 8, lambda each: each.counts["prefetches"]),
    ("stall %", 7, lambda each: each.share("stall_cycles", "cycles")),
)


class Top:
    """A table with a row for each interval.

    Parameters
    ----------
    label_width : int
        Width of the first column.
    """

    def __init__(self, label_width=12):
        self.intervals = []
        self._width = label_width
        self._last = None

    def begin(self, counters):
        """The first interval begins with this snapshot."""
        self._last = counters

    def end(self, label, counters):
        """Ends an interval, and begins the next. Returns the ``Interval``."""
        interval = Interval.between(label, self._last, counters)
        self._last = counters
        self.intervals.append(interval)
        return interval

    def head(self):
        """The two lines of the table's head."""
        widths = [self._width, *(width for _, width, _ in COLUMNS)]
        return ["  ".join(["interval".ljust(self._width),
                           *(name.rjust(width) for name, width, _ in COLUMNS)]),
                "  ".join("-" * width for width in widths)]

    def row(self, interval):
        """The line of one interval."""
        return "  ".join([interval.label[:self._width].ljust(self._width),
                          *(str(cell(interval)).rjust(width) for _, width, cell in COLUMNS)])

    def lines(self):
        """The whole table."""
        return [*self.head(), *map(self.row, self.intervals)]


async def watch(scheduler, counters, cycles, out):
    """Writes a row every ``cycles`` cycles, for ever.

    Parameters
    ----------
    scheduler : Scheduler
    counters : coroutine function
        ``RegisterControl.counters``.
    cycles : int
    out : callable
        Takes a line.
    """
    top = Top()
    top.begin(await counters())
    rows = 0
    while True:
        await scheduler.delay(cycles)
        interval = top.end(str(scheduler.now), await counters())
        if rows % REPEAT == 0:
            for line in top.head():
                out(line)
        out(top.row(interval))
        rows += 1


def fault_log(entries):
    """Rows for a table of faults, from entries of ``FaultHandler.log``. Its columns are
    ``fault_log.head``."""
    rows = []
    for entry in entries:
        record = entry.record
        rows.append((
            record.cycles, record.port, f"{record.device:04x}", record.pasid, entry.process,
            "write" if record.write else "read", "blocks" if record.ft else "memory",
            f"{record.addr:#x}", record.cause.name, record.disposition.name,
            LEVELS.get(record.level, str(record.level)),
            f"{record.entry:#x}" if record.level else "-", entry.outcome))
    return rows


fault_log.head = ("cycle", "port", "device", "pasid", "process", "access", "to", "address", "cause",
                  "disposition", "level", "entry", "outcome")
