"""What a run of random mutants has shown."""

from collections import Counter
from datetime import UTC, datetime

from .explained import EXPLAINED

__all__ = ["RATE", "data_of", "summary"]

RATE = .95          #: of the mutants that are not equivalent, to be noticed


def data_of(run, results, seed):
    """The data of a run: what docs/verification.md is written from, and the next run goes on with.

    Parameters
    ----------
    run : Run
    results : dict
        Mutant to what is kept of it.
    """
    text = run.text.splitlines()
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "sha256": run.sha256, "seed": seed,
            "results": {mutant.command: {
                **found, "name": str(mutant), "kind": mutant.kind,
                "verilog": text[mutant.line - 1].strip()} for mutant, found in results.items()}}


def summary(data):
    """Lines of Markdown, and whether enough is noticed, every survivor is explained, and nothing
    else is."""
    found = list(data["results"].values())
    noticed = [each for each in found if each["noticed"]]
    same = [each for each in found if each["equivalent"]]
    alive = [each for each in found if not each["noticed"] and not each["equivalent"]]
    explained = [each for each in alive if each["name"] in EXPLAINED]
    others = len(found) - len(same) - len(explained)
    rate = len(noticed) / others if others else 1
    lines = [f"{len(found)} mutants in {len({each['kind'] for each in found})} kinds of modules, "
             f"seed {data['seed']}, {data['date']}, of the Verilog {data['sha256'][:16]}…: "
             f"{len(noticed)} noticed, {len(same)} shown to change nothing, {len(explained)} "
             f"explained, {len(alive) - len(explained)} neither. Of those that can be noticed, "
             f"{100 * rate:.1f} % are.", "", "| noticed by | mutants |", "|---|--:|"]
    by_module = Counter(each["noticed"].partition(".")[0] for each in noticed)
    lines += [f"| `{module}` | {count} |" for module, count in by_module.most_common()]
    wrong = [each for each in noticed if each["name"] in EXPLAINED]
    for each in wrong:
        lines += ["", f"**{each['name']} is explained as one that no test can notice, and "
                      f"{each['noticed']} does.**"]
    if alive:
        lines += ["", "| survivor | its line of the Verilog | why |", "|---|---|---|"]
        lines += [f"| {each['name']} | `{_short(each['verilog'])}` "
                  f"| {EXPLAINED.get(each['name'], '**not explained**')} |" for each in alive]
    return lines, rate >= RATE and len(explained) == len(alive) and not wrong


def _short(text, most=60):
    text = text.replace("|", "\\|")
    return text if len(text) <= most else f"{text[:most]}…"
