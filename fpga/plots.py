"""The plot of ``make bench-synth``: how size and frequency grow."""

from statistics import median

from sim.drawing import drawn

__all__ = ["PLOT", "all_luts", "draw", "points"]

PLOT = "scaling.svg"
#: What the points of a sweep are.
AXES = {"ports": "ports", "l1": "first-level entries", "l2": "second-level translations",
        "walks": "walks in flight"}


def all_luts(cells):
    """LUTs of all kinds: a carry cell takes two, an LUT RAM six."""
    return cells["LUT4"] + 2 * cells["carry"] + 6 * cells["LUT RAM"]


def points(results, sweep):
    """(point, LUTs of all kinds, flip-flops, MHz) of a sweep's configurations that were
    synthesised alone and placed at speed grade 8, in order."""
    found = []
    for name, entry in results.items():
        kind, _, point = name.partition("-")
        freqs = [run["fmax"] for run in entry["runs"] if run["speed"] == 8]
        if kind == sweep and point and entry.get("core") and freqs:
            found.append((int(point), all_luts(entry["core"]), entry["core"]["FF"],
                          median(freqs)))
    return sorted(found)


def draw(results, path):
    """Draws a column for each sweep; returns whether there was anything to draw."""
    sweeps = {sweep: points(results, sweep) for sweep in AXES}
    sweeps = {sweep: found for sweep, found in sweeps.items() if len(found) > 1}
    if not sweeps:
        return False
    with drawn(path, 2, len(sweeps), figsize=(3 * len(sweeps), 5), sharey="row",
               squeeze=False) as axes:
        _panels(axes, sweeps)
    return True


def _panels(axes, sweeps):
    for column, (sweep, found) in enumerate(sweeps.items()):
        places, labels = range(len(found)), [f"{point:,}" for point, *_ in found]
        size, speed = axes[0][column], axes[1][column]
        size.plot(places, [row[1] for row in found], marker="o", label="LUTs of all kinds")
        size.plot(places, [row[2] for row in found], marker="s", label="flip-flops")
        speed.plot(places, [row[3] for row in found], marker="o", color="tab:green")
        for panel in (size, speed):
            panel.set_xticks(places, labels)
            panel.set_ylim(0, None)
            panel.grid(alpha=.3)
        speed.set(xlabel=AXES[sweep])
    axes[0][0].legend()
    axes[1][0].set(ylabel="MHz, one seed")
