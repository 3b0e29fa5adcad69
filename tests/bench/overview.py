"""One table of all figures, made of the tables of results that docs/performance.md has."""

import re

__all__ = ["overview"]

_HASH = re.compile(r"^- `default`: .*SHA-256(?: of the Verilog)? (\w+)", re.M)


def _between(text, name):
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def _cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(text):
    """(figure, what, bar, measured, verdict) of every row that has a bar."""
    figure = None
    for line in _between(text, "bench").splitlines():
        if line.startswith("### "):
            heading = re.match(r"### Figure (\d+): ", line)
            figure = heading[1] if heading else line.removeprefix("### ")
        elif figure and len(cells := _cells(line)) == 6 and cells[3] in ("PASS", "MISS"):
            yield figure, *cells[:4]
    for line in _between(text, "synth").splitlines():
        if len(cells := _cells(line)) == 5 and cells[4] in ("PASS", "MISS"):
            yield tuple(cells)


def _said(row):
    _, what, bar, measured, _ = row
    return f"{what}: {measured} ({bar})"


def overview(text):
    """Lines: a row for each figure of the document ``text``, and which Verilog they are of."""
    figures, rows = {}, list(_rows(text))
    for row in rows:
        figures.setdefault(row[0], []).append(row)
    lines = ["| figure | bars met | bars missed | met, the first one | missed, all of them |",
             "|--:|--:|--:|---|---|"]
    for figure, group in figures.items():
        met = [row for row in group if row[4] == "PASS"]
        missed = [row for row in group if row[4] == "MISS"]
        lines.append(f"| {figure} | {len(met)} | {len(missed)} | "
                     f"{_said(met[0]) if met else ''} | {'; '.join(map(_said, missed))} |")
    met = sum(row[4] == "PASS" for row in rows)
    hashes = {command: found[1] for name, command in (("bench", "bench"), ("synth", "bench-synth"))
              if (found := _HASH.search(_between(text, name)))}
    which = ", ".join(f"{value}… (`make {name}`)" for name, value in hashes.items())
    return [*lines, "", f"Of {len(rows)} bars {met} are met and {len(rows) - met} missed. "
            f"SHA-256 of the Verilog of `default`: {which}."]
