"""The plots of ``make bench``."""

from sim.drawing import drawn

__all__ = ["draw"]


def _series(records):
    found = {}
    for record in records:
        found.setdefault(record.get("series", ""), []).append((record["x"], record["measured"]))
    return {name: sorted(points) for name, points in found.items()}


def _of(records, *figures):
    return [record for record in records if record["figure"] in figures and "x" in record]


def _latency(axes, records):
    for name, points in _series(_of(records, 3, 4, "contexts")).items():
        axes.plot(*zip(*points), marker="o", label=name)
    for label, slope in (("L", lambda x: x), ("8·L", lambda x: 8 * x)):
        xs = [1, 500]
        axes.plot(xs, [slope(x) for x in xs], ":", color="grey", linewidth=1)
        axes.annotate(label, (500, slope(500)), color="grey")
    axes.set(xlabel="memory latency L (cycles)", ylabel="latency of a miss (cycles)",
             xscale="log", yscale="log")
    axes.legend()


def _walks(axes, records):
    chosen = _of(records, 5)
    for name, points in _series(chosen).items():
        axes.plot(*zip(*points), marker="o", label=name)
    xs = sorted({record["x"] for record in chosen})
    axes.plot(xs, [x / 100 for x in xs], ":", color="grey", label="walks / L, the memory's limit")
    axes.set(xlabel="walks in flight", ylabel="random misses per cycle, L = 100", ylim=(0, None))
    axes.legend()


def _working_set(axes, records):
    chosen = sorted(_of(records, "working set"), key=lambda record: record["x"])
    xs = [record["x"] for record in chosen]
    axes.plot(xs, [record["hit_rate"] for record in chosen], marker="o",
              label="requests without a leaf read")
    axes.plot(xs, [record["measured"] for record in chosen], marker="s",
              label="requests per cycle, L = 20")
    axes.set(xlabel="pages of the working set", xscale="log", ylim=(0, 1.05))
    axes.set_xscale("log", base=2)
    axes.legend()


def _ssd(axes, records):
    chosen = [record for record in _of(records, 10) if "added" in record]
    names = list(dict.fromkeys(record["series"] for record in chosen))
    for index, name in enumerate(names):
        points = [(record["x"], record["added"]) for record in chosen if record["series"] == name]
        width = .8 / len(names)
        axes.bar([x + (index - (len(names) - 1) / 2) * width for x, _ in points],
                 [added for _, added in points], width, label=name)
    axes.set(xlabel="SSDs", ylabel="added cycles per 4 KiB read",
             xticks=sorted({record["x"] for record in chosen}))
    axes.legend()


PLOTS = (("latency.svg", "Latency of a miss against the memory's", _latency, (3, 4)),
         ("walks.svg", "Throughput of misses against walks in flight", _walks, (5,)),
         ("working_set.svg", "Hit rate and throughput against the working set", _working_set,
          ("working set",)),
         ("ssd.svg", "Latency added to an SSD's reads", _ssd, (10,)))


def draw(records, folder):
    """Draws the plots for which there are ``records`` into ``folder``; (name, title) of each."""
    for name, *_ in PLOTS:
        (folder / name).unlink(missing_ok=True)     # of an earlier run
    done = []
    for name, title, plot, figures in PLOTS:
        if _of(records, *figures):
            with drawn(folder / name) as axes:
                plot(axes, records)
                axes.set_title(title)
                axes.grid(alpha=.3)
            done.append((name, title))
    return done
