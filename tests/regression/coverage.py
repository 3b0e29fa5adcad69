"""Named covers: what the regression as a whole must have seen at least once.

Every simulation counts its hits into ``covers.json`` of its folder; ``test_regression.py`` adds
the files up and fails when a cover stayed empty.
"""

import json
from collections import Counter
from itertools import product
from pathlib import Path

from siommu.arch.formats import Cause, CommandWord0, Disposition, FenceWord0, Opcode, Size
from siommu.arch.packing import unpack
from siommu.generate.files import write_whole

__all__ = ["COVERS", "Coverage", "empty_covers"]

#: Levels at which §4 can end with a cause. 6: PASID directory or context, 7: device directory.
_TABLE = range(1, 6)
FAULT_LEVELS = {
    Cause.CORE_OFF: (0,),
    Cause.DEVICE_INVALID: (0, 7),
    Cause.FT_DISABLED: (7,),
    Cause.PASID_INVALID: (0, 6),
    Cause.TABLE_ABSENT: (6,),
    Cause.NON_CANONICAL: (0,),
    Cause.NOT_PRESENT: _TABLE,
    Cause.FT_MISMATCH: (1, 2, 3),
    Cause.DEVICE_MISMATCH: (1, 2, 3),
    Cause.READ_DENIED: (1, 2, 3),
    Cause.WRITE_DENIED: (1, 2, 3),
    Cause.SUPERVISOR: _TABLE,
    Cause.ENTRY_RESERVED: (2, 3, 4, 5, 6, 7),
    Cause.TABLE_ERROR: (*_TABLE, 6, 7),
    Cause.ACCESS_FLAG: _TABLE,
}
#: Causes of file accesses alone.
_FILE_ONLY = {Cause.DEVICE_MISMATCH, Cause.READ_DENIED}
_CHOSEN = (Cause.NOT_PRESENT, Cause.READ_DENIED, Cause.WRITE_DENIED)
#: Formats of RISC-V tables, by MEM_FMT.
RISCV_FORMATS = {1: "Sv39", 2: "Sv48", 3: "Sv57"}
#: Causes with which the walk of a RISC-V table can end: at each of its levels, for each has leaves.
RISCV_CAUSES = (Cause.NOT_PRESENT, Cause.READ_DENIED, Cause.WRITE_DENIED, Cause.SUPERVISOR,
                Cause.ENTRY_RESERVED, Cause.TABLE_ERROR, Cause.ACCESS_FLAG)
#: What a command may go by.
_SELECTORS = {Opcode.INVAL_TLB: ("device", "pasid", "ft", "addr"),
              Opcode.INVAL_CONTEXT: ("device", "pasid")}


def _selection(opcode, names):
    return f"command {opcode.name} by {' and '.join(names) or 'nothing'}"


def _all():
    for ft in (0, 1):
        for cause, levels in FAULT_LEVELS.items():
            if ft or cause not in _FILE_ONLY:
                yield from (f"fault {cause.name} ft={ft} level={level}" for level in levels)
        for cause in _CHOSEN:
            if ft or cause not in _FILE_ONLY:
                yield from (f"disposition {cause.name} {disposition.name} ft={ft}"
                            for disposition in Disposition)
        for size in Size:
            yield from (f"grant {size.name} ft={ft} write={write}" for write in (0, 1))
        yield f"read-only grant ft={ft}"
    for fmt, name in RISCV_FORMATS.items():
        yield f"fault NON_CANONICAL {name} level=0"
        for cause in RISCV_CAUSES:
            yield from (f"fault {cause.name} {name} level={level}" for level in range(1, fmt + 3))
    for level in _TABLE:
        yield from (f"grant riscv level={level} write={write}" for write in (0, 1))
    for fmt in RISCV_FORMATS:
        yield f"grant MEM_FMT={fmt}"
    for opcode, names in _SELECTORS.items():
        for chosen in product((False, True), repeat=len(names)):
            yield _selection(opcode, [name for name, on in zip(names, chosen) if on])
    for store, signal in product((0, 1), repeat=2):
        yield f"command FENCE store={store} signal={signal}"
    for ft, several in product((0, 1), repeat=2):
        yield f"command PREFETCH ft={ft} several lines={several}"
    yield from ("write-only grant", "run of several pages of one leaf", "run of 256 pages",
                "request of several runs", "fault after granted pages", "address wraps at 2^64",
                "answered without a table read", "answered after table reads",
                "beats of requests interleave", "request overtaken on its port",
                "several reads in flight", "reads answered out of order", "response stalled",
                "request stalled", "injected error answered TABLE_ERROR",
                "injected error survived", "reset with requests in flight",
                "port disabled with requests in flight")


COVERS = tuple(_all())
_KNOWN = frozenset(COVERS)


class Coverage:
    """Counts hits of the covers in this simulation."""

    def __init__(self, folder):
        self._file = Path(folder) / "covers.json"
        self.counts = Counter()

    def hit(self, name, count=1):
        if name not in _KNOWN:
            raise KeyError(f"there is no cover {name!r}")
        if count:
            self.counts[name] += count

    def transaction(self, access, answers):
        """The covers that a request and its golden answers stand for."""
        hit, ft = self.hit, access.ft
        last = answers[-1]
        for answer in answers:
            if answer.granted:
                hit(f"grant {answer.size.name} ft={ft} write={access.write}")
                if answer.table_format:
                    hit(f"grant riscv level={answer.level} write={access.write}")
                    hit(f"grant MEM_FMT={answer.table_format}")
                if not answer.write:
                    hit(f"read-only grant ft={ft}")
                if not answer.read:
                    hit("write-only grant")
        if not last.granted:
            # TABLE_ERROR and the like below 4 KiB pages have no level of their own in some causes.
            kind = RISCV_FORMATS.get(last.table_format, f"ft={ft}")
            hit(f"fault {last.cause.name} {kind} level={last.level}")
            if last.cause in _CHOSEN and not last.table_format:
                hit(f"disposition {last.cause.name} {last.disposition.name} ft={ft}")
            if len(answers) > 1:
                hit("fault after granted pages")
        if access.addr + 4096 * (len(answers) - 1) >= 1 << 64:
            hit("address wraps at 2^64")

    def command(self, word0):
        """The cover of a command that was executed, by its word 0."""
        says = unpack(CommandWord0, word0)
        opcode = Opcode(says["opcode"])
        if opcode is Opcode.FENCE:
            fence = unpack(FenceWord0, word0)
            self.hit(f"command FENCE store={fence['store']} signal={fence['signal']}")
        elif opcode is Opcode.PREFETCH:
            self.hit(f"command PREFETCH ft={says['ft']} several lines={int(says['n'] > 3)}")
        else:
            self.hit(_selection(opcode, [name for name in _SELECTORS[opcode]
                                         if says[f"by_{name}"]]))

    def save(self):
        """Adds the counts to the file of this simulation, and starts again from 0."""
        before = json.loads(self._file.read_text()) if self._file.exists() else {}
        write_whole(self._file,
                    json.dumps(Counter(before) + self.counts, indent=1, sort_keys=True))
        self.counts.clear()


def empty_covers(folders):
    """The covers that no simulation in ``folders`` has hit."""
    total = Counter()
    for folder in folders:
        path = Path(folder) / "covers.json"
        if path.exists():
            total.update(json.loads(path.read_text()))
    return [name for name in COVERS if not total[name]]
