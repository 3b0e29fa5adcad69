"""The tables of the demo."""

from ..host.top import fault_log
from ..text_table import table

__all__ = ["report"]


def report(files, denied, faults, speed, top):
    """The lines of the final tables."""
    lines = table("Files read through the SIOMMU (SHA-256 compared with the originals)",
                  ("file", "bytes", "extents", "uid", "mode", "read by", "by kernel", "cycles",
                   "sha256", "check"), files)
    lines += table("Attempts that must fail",
                   ("attempt", "process", "access", "refused", "cause", "disposition",
                    "image and memory"), denied)
    lines += table("The fault log of the operating system (recent records of the fault queue)",
                   fault_log.head, shortened(faults))
    lines += table("Cycles per 4 KiB read, at random places",
                   ("in flight", "reads", "requests", "L1 hits", "L2 hits", "misses",
                    "without SIOMMU", "with SIOMMU", "difference"), speed)
    lines += ["", "The core in each phase, by its counters (hits of all looks; wait of a miss in "
              "cycles)"]
    lines += ["  " + line for line in top.lines()]
    return lines


def shortened(rows):
    """The rows, with every further one of the same kind counted instead of shown.

    A kind is what process and device were told, and why: all but when, where and which entry.
    """
    shown = {}
    for row in rows:
        kind = row[1:7] + row[8:11] + row[12:]
        first, count = shown.get(kind, (row, 0))
        shown[kind] = first, count + 1
    return [(*row[:-1], row[-1] if count == 1 else f"{row[-1]}, {count} times")
            for row, count in shown.values()]
