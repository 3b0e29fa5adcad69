"""Measurements as text: lines while they come, tables in the report."""

from fpga.report import table, verdict

from .plan import FIGURES

__all__ = ["bench_report", "line", "number", "passed", "sections", "sort_key",
           "summary"]


def number(value):
    """A number with as many digits as it deserves."""
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1.5 \
        else f"{value:.3f}" if abs(value) >= .1 else f"{value:.4f}"


def passed(record):
    """Whether a record meets its bar; ``None`` if it has none."""
    if record["bar"] is None:
        return None
    return record["measured"] <= record["bar"] if record["atmost"] else \
        record["measured"] >= record["bar"]


def _bar(record):
    return "" if record["bar"] is None else \
        f"{'≤' if record['atmost'] else '≥'} {number(record['bar'])}"


def line(record):
    """One line about a measurement, for the terminal."""
    met = passed(record)
    return f"figure {record['figure']}: {record['what']}: {number(record['measured'])} " \
           f"{record['unit']}" + (f" (bar {_bar(record)}): {verdict(met)}" if met is not None
                                  else "") + (f"; {record['note']}" if record["note"] else "")


def sort_key(record):
    """Sorts records by figure, as ``FIGURES`` lists them; within one, as they were measured."""
    return list(FIGURES).index(str(record["figure"])), record["config"] != "default", \
        len(record["config"])


def summary(records):
    """Rows (figure, about, passed, missed) of the figures with bars."""
    rows = []
    for figure, about in FIGURES.items():
        verdicts = [passed(record) for record in records if str(record["figure"]) == figure]
        if any(each is not None for each in verdicts):
            missed = verdicts.count(False)
            rows.append((figure, about, verdicts.count(True), missed, verdict(not missed)))
    return rows


def bench_report(results, plots=()):
    """The report of ``make bench`` as Markdown text. ``plots``: (name, title) of images beside it.
    """
    return "\n".join(["# Latency and throughput", "", *sections(results, "##", plots)]) + "\n"


def sections(results, head, plots=(), folder=""):
    """The report's lines below its title.

    ``head``: what a section's heading begins with; ``folder``: where the plots are.
    """
    records = results["records"]
    lines = ["Measured on the exported Verilog under Verilator, in clock cycles; every answer was "
             "compared with the golden model. L: cycles from the handshake of a read address to "
             "that of its first data.", ""]
    if results["only"]:
        lines += [f"Only a part was measured: {results['only']}.", ""]
    lines += table(("figure", "about", "bars met", "bars missed", ""), summary(records))
    for figure, about in FIGURES.items():
        chosen = [record for record in records if str(record["figure"]) == figure]
        if not chosen:
            continue
        title = f"Figure {figure}: {about}" if figure.isdigit() else about.capitalize()
        lines += ["", f"{head} {title}", ""]
        lines += table(("what", "bar", "measured", "", "configuration", "remarks"), [
            (record["what"], _bar(record), f"{number(record['measured'])} {record['unit']}",
             "" if passed(record) is None else verdict(passed(record)),
             f"`{record['config']}`", record["note"]) for record in chosen])
    if plots:
        lines += ["", f"{head} Plots", ""]
        lines += [f"![{title}]({folder}{name})" for name, title in plots]
    lines += ["", f"{head} Configurations", ""]
    lines += [f"- `{name}`: {config}" for name, config in results["configs"].items()]
    if results["failures"]:
        lines += ["", f"{head} Failed", "", *(f"- {failure}" for failure in results["failures"])]
    return lines
