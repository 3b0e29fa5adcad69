"""Tables of text."""

__all__ = ["report", "table"]


def table(title, head, rows):
    """A table as lines of text; columns of numbers are aligned to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    right = [all(row[index].replace(".", "").isdigit() for row in rows)
             for index in range(len(head))]

    def line(cells):
        return "  " + "  ".join(cell.rjust(width) if numeric else cell.ljust(width)
                                for cell, width, numeric in zip(cells, widths, right)).rstrip()
    return ["", title, line(head), "  " + "  ".join("-" * width for width in widths),
            *map(line, rows)]


def report(files, denied, speed, counters):
    """The lines of the final tables."""
    lines = table("Files read through the SIOMMU (SHA-256 compared with the originals)",
                  ("file", "bytes", "extents", "uid", "mode", "read by", "by kernel", "cycles",
                   "sha256", "check"), files)
    lines += table("Attempts that must fail",
                   ("attempt", "process", "access", "refused", "cause", "disposition",
                    "image and memory"), denied)
    lines += table("Cycles per 4 KiB read, at random places",
                   ("in flight", "reads", "requests", "TLB hits", "walks", "without SIOMMU",
                    "with SIOMMU", "difference"), speed)
    if counters:
        lines += table("Counters of the whole run", ("counter", "value"), list(counters.items()))
    return lines
