"""``python -m tests.bench.document``: puts the results of `make bench`, `make bench-synth` and
`make bench-linux` into docs/performance.md, between its markers, the table of all figures before
them, and the plots beside it. What was not run stays as it is; the data of `make bench-synth` go
beside the plots, so that what was measured once need not be again.
"""

import json
import sys

from fpga import plots as scaling
from fpga import report as synthesis
from fpga import synth as placing
from siommu.generate.files import command, write_whole

from ..regression.simulator import BUILD, ROOT
from . import linux, report
from .overview import overview
from .plots import PLOTS

__all__ = ["insert", "main", "merged", "replace"]

DOCUMENT = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"


def insert(text, name, lines):
    """``text`` with ``lines`` between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises
    ------
    ValueError
        The text does not have both markers.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, also, after = rest.partition(end)
    if not found or not also:
        raise ValueError(f"the document has no markers {begin.strip()} and {end}")
    return before + begin + "\n".join(lines) + "\n" + end + after


def replace(document, name, lines):
    """Writes the file ``document`` with ``lines`` between those markers (:func:`insert`)."""
    write_whole(document, insert(document.read_text(), name, lines))


def merged(data):
    """The results of `make bench-synth`, and those of before of configurations that are not among
    them, if the same recipe made these."""
    if data["recipe"] != placing.recipe():
        raise ValueError("build/synth/synth.json was made by another flow than this one")
    known = {**placing.measured(), **data["results"]}
    return {**data, "results": {name: known[name] for name in placing.variants() if name in known}}


@command
def main():
    """Returns the exit status."""
    text, done = DOCUMENT.read_text(), []
    bench, synth = BUILD / "bench" / "results.json", BUILD / "synth" / "synth.json"
    if bench.exists():
        results = json.loads(bench.read_text())
        if results["failures"]:
            print("siommu: a measurement of `make bench` failed; run it again", file=sys.stderr)
            return 1
        plots = [(name, title) for name, title, *_ in PLOTS if (bench.parent / name).exists()]
        for name, _ in plots:
            write_whole(PICTURES / name, (bench.parent / name).read_bytes())
        text = insert(text, "bench", report.sections(results, "###", plots, "performance/"))
        done.append(bench)
    if synth.exists():
        data = merged(json.loads(synth.read_text()))
        write_whole(placing.MEASURED, json.dumps(data, indent=1) + "\n")
        drawn = scaling.draw(data["results"], PICTURES / scaling.PLOT)
        text = insert(text, "synth", synthesis.sections(
            data, "###", f"performance/{scaling.PLOT}" if drawn else None))
        done.append(synth)
    if (BUILD / "bench" / linux.RESULTS).exists():
        results = json.loads((BUILD / "bench" / linux.RESULTS).read_text())
        linux.plot(results, PICTURES / linux.PLOT)
        text = insert(text, "linux", linux.sections(results))
        done.append(BUILD / "bench" / linux.RESULTS)
    if not done:
        print("siommu: there are no results; run `make bench`, `make bench-synth` or "
              "`make bench-linux` first", file=sys.stderr)
        return 1
    write_whole(DOCUMENT, insert(text, "figures", overview(text)))
    print(f"siommu: wrote {DOCUMENT} from {' and '.join(map(str, done))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
