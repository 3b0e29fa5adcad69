"""Tables of sizes and frequencies, in Markdown."""

from statistics import median

__all__ = ["FMAX_BARS", "SIZE_BARS", "bars", "parts", "sections", "synthesis_report",
           "table", "verdict"]

#: (configuration, speed grade) to the frequency in MHz that it must reach.
FMAX_BARS = {("default", 8): 165, ("default", 6): 125, ("small", 8): 180, ("large", 8): 140}
#: Configuration to the LUTs of all kinds, placed, and the flip-flops that it must not exceed.
SIZE_BARS = {"default": (16_000, 12_000), "small": (7_500, 6_500)}
#: MHz and cells of ``default`` by a user's plain flow.
PLAIN_BARS = {"default": (145, 17_000)}


def table(head, rows):
    """A Markdown table as a list of lines; columns of numbers are aligned to the right."""
    rows = [[str(cell) for cell in row] for row in rows]

    def numeric(cells):
        return any(cells) and all(cell.replace(".", "").isdigit() or cell in ("", "–")
                                  for cell in cells)
    right = [numeric([row[index] for row in rows]) for index in range(len(head))]
    return ["| " + " | ".join(map(str, head)) + " |",
            "|" + "|".join("--:" if column else "---" for column in right) + "|",
            *("| " + " | ".join(row) + " |" for row in rows)]


def verdict(passed):
    """The word for a bar that is kept or not."""
    return "PASS" if passed else "MISS"


def _placed(entry):
    """LUTs of the placed core: all kinds, the harness's taken off."""
    return median(run["luts"] for run in entry["runs"]) - entry["harness_luts"]


def bars(results):
    """Rows (figure, what, bar, measured, verdict) of what has a bar and was measured."""
    rows = []
    for (name, speed), bar in FMAX_BARS.items():
        runs = [run["fmax"] for run in results.get(name, {}).get("runs", ())
                if run["speed"] == speed]
        if runs:
            rows.append((11, f"`{name}`, speed grade {speed}, median of {len(runs)} seed(s)",
                         f"≥ {bar} MHz", f"{median(runs):.1f} MHz",
                         verdict(median(runs) >= bar)))
    for name, (luts_bar, ffs_bar) in SIZE_BARS.items():
        if results.get(name, {}).get("runs"):
            luts = _placed(results[name])
            rows.append((12, f"`{name}`, LUTs of all kinds, placed", f"≤ {luts_bar}",
                         f"{luts:.0f}", verdict(luts <= luts_bar)))
        if results.get(name, {}).get("core"):
            ffs = results[name]["core"]["FF"]
            rows.append((12, f"`{name}`, flip-flops", f"≤ {ffs_bar}", ffs,
                         verdict(ffs <= ffs_bar)))
    for name, (mhz_bar, cells_bar) in PLAIN_BARS.items():
        plain = results.get(name, {}).get("plain")
        if plain:
            rows += [(11, f"`{name}`, a user's plain flow, speed grade 8, one seed",
                      f"≥ {mhz_bar} MHz", f"{plain['fmax']:.1f} MHz",
                      verdict(plain["fmax"] >= mhz_bar)),
                     (12, f"`{name}`, a user's plain flow: cells", f"≤ {cells_bar}",
                      plain["cells"], verdict(plain["cells"] <= cells_bar))]
    return rows


def parts(sizes):
    """Rows (part, LUT4, carry, FF, LUT RAM, block RAM): the parts of the control plane and of the
    core, each with all that is inside of it. Ports are added up."""
    groups = {}
    for module, cells in sizes.items():
        path = module.split(".")            # siommu.control.core.tlb.plru, for example
        part = ".".join(path[2:4] or path[-1:])
        if part.partition(".")[2].endswith(("_ingress", "_egress")):
            part = f"core: all {part.rpartition('_')[2]}"
        total = groups.setdefault(part, dict.fromkeys(cells, 0))
        for name, count in cells.items():
            total[name] += count
    rows = sorted(groups.items(), key=lambda row: -row[1]["LUT4"])
    total = {name: sum(cells[name] for cells in groups.values()) for name in rows[0][1]}
    return [(f"`{part}`", *cells.values()) for part, cells in rows if any(cells.values())] + \
        [("sum", *total.values())]


def synthesis_report(data):
    """The report of ``make bench-synth`` as Markdown text."""
    return "\n".join(["# Size and frequency on the ECP5-85", "", *sections(data, "##")]) + "\n"


def sections(data, head, plot=None):
    """The report's lines below its title. ``head``: what a section's heading begins with;
    ``plot``: where the plot is, if there is one."""
    results = data["results"]
    lines = [f"LFE5U-85F, {data['tools']}. Verilog from `siommu generate`, synthesised with "
             "`synth_ecp5` and a mapper script of its own (`fpga/flow.py`), placed and routed "
             f"inside of a harness of registers (`fpga/harness.py`), target {data['freq']}.", ""]
    lines += table(("figure", "what", "bar", "measured", ""), bars(results)) + [""]
    lines += [f"{head} Configurations", "",
              "LUT4, carry (two LUTs each), FF, LUT RAM (16 × 4 bits) and block RAM (18 Kbit): the "
              "core synthesised alone. LUTs placed: all LUTs with carry and LUT RAM, of the core "
              "in the harness, whose own are taken off.", ""]
    rows = []
    for name, entry in results.items():
        for speed in sorted({run["speed"] for run in entry["runs"]}, reverse=True) or [None]:
            runs = [run for run in entry["runs"] if run["speed"] == speed]
            freqs = sorted(run["fmax"] for run in runs)
            rows.append((f"`{name}`", *(entry.get("core", {}).values() or "–" * 5),
                         f"{_placed(entry):.0f}" if runs else "–", speed or "–",
                         f"{median(freqs):.1f}" if runs else "–",
                         ", ".join(f"{freq:.1f}" for freq in freqs) if len(freqs) > 1 else ""))
    lines += table(("configuration", "LUT4", "carry", "FF", "LUT RAM", "block RAM", "LUTs placed",
                    "speed", "Fmax (MHz), median", "all seeds"), rows) + [""]
    if plot:
        lines += [f"{head} How it grows", "", f"![Size and frequency over parameters]({plot})", ""]
    lines += [f"{head} Slowest paths", "", "Of the seed with the median frequency.", ""]
    rows = []
    for name, entry in results.items():
        for speed in sorted({run["speed"] for run in entry["runs"]}, reverse=True):
            runs = sorted((run for run in entry["runs"] if run["speed"] == speed),
                          key=lambda run: run["fmax"])
            path = runs[len(runs) // 2]["path"]
            rows.append((f"`{name}`, speed {speed}", path["begin"], path["end"],
                         f"{path['ns']:.2f}", f"{path['logic_ns']:.2f}",
                         f"{path['routing_ns']:.2f}"))
    lines += table(("configuration", "from", "to", "ns", "logic", "routing"), rows)
    for name, entry in results.items():
        if entry.get("parts"):
            lines += ["", f"{head} What each part of `{name}` costs", "",
                      "Every module synthesised alone, so that nothing is shared or simplified "
                      "across borders: the sum is more than the whole.", ""]
            lines += table(("part", "LUT4", "carry", "FF", "LUT RAM", "block RAM"),
                           parts(entry["parts"]))
    rows = [(f"`{name}`", *entry["xilinx"].values()) for name, entry in results.items()
            if entry.get("xilinx")]
    if rows:
        lines += ["", f"{head} On a Xilinx device", "",
                  "By Yosys's `synth_xilinx` for the 7 series, not placed: LUT6 of logic, LUT6 "
                  "that are RAM, flip-flops, block RAMs of 36 Kbit.", ""]
        lines += table(("configuration", "LUT", "LUT RAM", "FF", "BRAM36"), rows)
    lines += ["", f"{head} Verilog", ""]
    lines += [f"- `{name}`: SHA-256 {entry['sha256'][:16]}…" for name, entry in results.items()
              if "sha256" in entry]
    return lines
