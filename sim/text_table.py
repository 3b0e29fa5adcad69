"""Tables of text."""

__all__ = ["table"]


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
