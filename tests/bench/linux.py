"""``make bench-linux``: what a read of 4 KiB costs a program under Linux, through the kernel and
directly. Leaves ``build/bench/linux.json``, a table and a plot.

The guest runs under QEMU's ``-icount``: its time counts its instructions, a nanosecond each, and
the SSD's delays are that time too (``sim.qemu.pace.GuestTime``). So every run gives the same
numbers, on any machine. Two boots: with an SSD that takes no time, what is left is instructions;
with one of 4 µs, it is what the program waits.
"""

import argparse
import hashlib
import json
import re
import sys
import tempfile
from pathlib import Path

from sim.device.nvme import Latency
from sim.drawing import drawn
from sim.qemu import driver, machine, packages
from sim.verilated import build_library
from siommu.generate.files import command, write_whole

from ..regression.simulator import BUILD, ROOT

__all__ = ["NONE", "PLOT", "RESULTS", "SSD", "content", "main", "plot", "reads", "rows", "sections"]

COUNT, DEPTHS = 2000, (1, 2, 4, 8, 16, 32)
PAGES = 4096                            #: of the file that is read
ANSWER_US = 4                           #: a read alone: fetched, read, transferred
SSD = Latency(read=640, write=640, units=8, transfer=100, command=60)
NONE = Latency(read=0, write=0, units=8, transfer=0, command=0)
RESULTS, PLOT = "linux.json", "linux.svg"
SECONDS = 600
SCRIPT = """\
mount -t ext4 /dev/nvme0n1 /mnt && insmod /siommu.ko && /reads /mnt/pages {count} {depths}
"""


def reads(library, image, latency, count=COUNT, depths=DEPTHS):
    """(path, depth) -> nanoseconds of the guest per read, on an SSD with ``latency``.

    Parameters
    ----------
    library : Path
        Of ``build_library``.
    image : bytearray
        An ext4 file system with the file "pages" (``content``).

    Raises
    ------
    MissingPackage, DriverError, MachineError, Difference
        As of ``machine.run``. A guest that measured nothing is a ``MachineError``.
    """
    files = {"siommu.ko": driver.module(packages.find()),
             "reads": (driver.program(driver.LINUX / "bench" / "reads.c"), 0o755)}
    script = SCRIPT.format(count=count, depths=" ".join(map(str, depths)))
    with tempfile.TemporaryFile() as console:
        machine.run(machine.Machine(library, [image], script, files=files, pace="guest",
                                    ssd=latency, seconds=SECONDS, console=console))
        console.seek(0)
        text = console.read().decode(errors="replace")
    found = {(path, int(depth)): int(ticks) / int(number) for path, depth, number, ticks in
             re.findall(r"^reads (\w+) (\d+) (\d+) (\d+)\r?$", text, re.M)}
    if set(found) != {(path, depth) for path in ("kernel", "direct") for depth in depths}:
        raise machine.MachineError(f"the guest did not measure everything:\n{text[-2000:]}")
    return found


def content(pages=PAGES):
    """The file that ``reads.c`` reads: each page begins with its number, and none is a hole."""
    return b"".join(page.to_bytes(8, "little").ljust(4096, b"Z") for page in range(pages))


def rows(instructions, times):
    """Rows of results: path, depth, instructions and nanoseconds per read."""
    return [{"path": path, "depth": depth, "instructions": round(instructions[path, depth]),
             "nanoseconds": round(times[path, depth])}
            for depth in sorted({depth for _, depth in times}) for path in ("kernel", "direct")]


def sections(results):
    """Lines of Markdown: the table, and what it comes to."""
    by = {(row["path"], row["depth"]): row for row in results["rows"]}
    lines = [f"{results['kernel']}; SSD of {ANSWER_US} µs; {COUNT} reads of 4 KiB each. SHA-256 of "
             f"the Verilog {results['verilog'][:16]}…", "",
             "| queue depth | kernel: instructions | direct: instructions | kernel: µs per read | "
             "direct: µs per read | saved |", "|--:|--:|--:|--:|--:|--:|"]
    for depth in sorted({depth for _, depth in by}):
        kernel, direct = by["kernel", depth], by["direct", depth]
        saved = 1 - direct["nanoseconds"] / kernel["nanoseconds"]
        lines.append(f"| {depth} | {kernel['instructions']:,} | {direct['instructions']:,} | "
                     f"{kernel['nanoseconds'] / 1000:.2f} | {direct['nanoseconds'] / 1000:.2f} | "
                     f"{saved:.0%} |")
    share = 1 - 1000 * ANSWER_US / by["kernel", 1]["nanoseconds"]
    return [*lines, "", f"At depth 1 the operating system is {share:.0%} of the time of a read "
            f"through the kernel."]


def plot(results, path):
    """Draws time per read against depth into ``path``."""
    with drawn(path) as axes:
        _draw(axes, results)


def _draw(axes, results):
    for name, label, marker in (("kernel", "kernel, O_DIRECT", "s"), ("direct", "direct", "o")):
        chosen = [row for row in results["rows"] if row["path"] == name]
        axes.plot([row["depth"] for row in chosen],
                  [row["nanoseconds"] / 1000 for row in chosen], marker=marker, label=label)
        axes.plot([row["depth"] for row in chosen],
                  [row["instructions"] / 1000 for row in chosen], ":", marker=marker, alpha=.5,
                  label=f"{label}: instructions alone, at 1 ns")
    axes.set(xlabel="queue depth", ylabel="µs per read of 4 KiB", xscale="log", yscale="log",
             title="A read of 4 KiB by a program under Linux")
    axes.set_xscale("log", base=2)
    axes.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    axes.grid(alpha=.3)
    axes.legend()


@command
def main():
    """Returns the exit status."""
    argparse.ArgumentParser(prog="python -m tests.bench.linux",
                            description=__doc__.split("\n")[0]).parse_args()
    from ..linux.booted import ext4
    packages.fetch()
    verilog = ROOT / "build" / "siommu.v"
    library = build_library(verilog)
    with tempfile.TemporaryDirectory() as scratch:
        image = ext4(Path(scratch), {"pages": content()})
    kernel = packages.find().kernel.name.replace("vmlinuz-", "Linux ")
    found = []
    for name, latency in (("no time", NONE), (f"{ANSWER_US} µs", SSD)):
        print(f"siommu: measuring with an SSD that takes {name}", file=sys.stderr, flush=True)
        found.append(reads(library, bytearray(image), latency))
    results = {"rows": rows(*found), "kernel": kernel,
               "verilog": hashlib.sha256(verilog.read_bytes()).hexdigest()}
    folder = BUILD / "bench"
    write_whole(folder / RESULTS, json.dumps(results, indent=1))
    plot(results, folder / PLOT)
    print("\n".join(sections(results)))
    print(f"siommu: wrote {folder / RESULTS} and {folder / PLOT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
