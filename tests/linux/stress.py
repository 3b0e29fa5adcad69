"""``make stress-linux``: processes in a guest start, attach, read, unmap, fork, exit and are killed
at random (``linux/tests/stress.c``), on two SSDs, for MINUTES; the golden model judges every answer
of the core beside them.

``--plant`` puts a fault into the core (``tests.mutations``) or into the module
(``MODULE_FAULTS``); the stress must notice it.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

from sim.arguments import at_least
from sim.model.lockstep import Difference
from sim.qemu import driver, guest, machine, packages
from sim.verilated import build_library
from siommu.generate.files import command, write_whole

from ..mutations import MUTATIONS, mutated_tree, verilog_of
from ..regression import simulator
from .booted import e2fsck, ext4

__all__ = ["MODULE_FAULTS", "StressFailed", "main", "stress"]

SOURCES = ("stress.c", "worker.c", "files.c")
#: Seconds for the boot, the warm-up and the looks behind.
MORE_SECONDS = 180
#: Cycles of a read of main memory: long walks, so that invalidations find them under way.
LATENCY = 200
SCRIPT = """\
mkdir /mnt/one /mnt/two
mount -t ext4 /dev/nvme0n1 /mnt/one && mount -t ext4 /dev/nvme1n1 /mnt/two
mount -t debugfs none /sys/kernel/debug
dmesg -c > /dev/null; insmod /siommu.ko
/stress {seed} {seconds} /mnt/one /mnt/two; echo "status $?"
grep -E '^(pages|walks|invalidations|fences|faults|faults_lost) ' /sys/kernel/debug/siommu/counters
rm -r /mnt/one/* /mnt/two/* && echo "files removed"
rmmod siommu && umount /mnt/one /mnt/two && echo "all given back"
dmesg | grep -v -E 'drop_caches|verification failed' | sed 's/^/kernel: /'
"""
COMPLAINT = re.compile(r"^kernel: .*(warn|bug:|oops|call trace|error|fail|stopped|leak|hung).*",
                       re.M | re.I)
#: Name to (file, text, what is there instead).
MODULE_FAULTS = {
    "no-notifier": ("memory.c", """\
	if (!space->dead && space->mode == SIOMMU_MEMORY_OWN && space->changes == 1) {
		update(space);
		space_revoke(space, -1);
	}
""", ""),
    "no-drain": ("space.c", """\
	for (index = 0; index < ssds_count(); index++)
		if (READ_ONCE(space->queues[index].alive))
			ssd_drain(ssds_get(index), space->pasid);
""", ""),
    "no-fence": ("space.c", "\thardware_invalidate(&command, 1);\n", "\t(void)command;\n"),
    "queue-outlives-its-process": ("memory.c", """\
		for (index = 0; index < ssds_count(); index++)
			ssd_end_queue(&space->queues[index]);
""", "\t\t(void)index;\n"),
    "pasid-not-given-back": ("tables.c", """\
{
	ida_free(&directories.numbers, pasid);
}
""", "{\n\t(void)pasid;\n}\n"),
    "file-not-let-go": ("files.c", "\t\tlet_go(inode);\n\t}\n\tlist_del", "\t}\n\tlist_del"),
}


class StressFailed(AssertionError):
    """The guest saw something that must not be. The message has its words, and how to repeat it."""


def stress(library, module, seconds, seed):
    """Runs the stress; returns what the guest says it did, a line.

    Parameters
    ----------
    library : Path
        The core, of ``build_library``.
    module : bytes
        siommu.ko.
    seconds : float
    seed : int

    Raises
    ------
    StressFailed, Difference, MachineError
    """
    again = f"repeat: make stress-linux SEED={seed}"
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as console:
        folders = [Path(scratch) / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        disks = [ext4(folder, {"readme": b"for the stress\n"}) for folder in folders]
        program = driver.program(*(driver.LINUX / "tests" / name for name in SOURCES))
        try:
            live = machine.run(machine.Machine(
                library, disks, SCRIPT.format(seed=seed, seconds=seconds), console=console,
                seconds=3 * seconds + MORE_SECONDS, latency=LATENCY,
                files={"siommu.ko": module, "stress": (program, 0o755)}))
        except machine.MachineError as error:
            raise StressFailed(f"{error}\n{_text(console)[-4000:]}\n{again}") from None
        text = _text(console)
        wrong = [line for line in text.splitlines() if line.startswith("FAIL")]
        wrong += [match[0] for match in COMPLAINT.finditer(text)]
        wrong += [f"the guest did not say {said!r}"
                  for said in ("status 0", "files removed", "all given back", guest.DONE)
                  if said not in text]
        wrong += [f"e2fsck of SSD {index}: {checked.stdout}" for index, checked in
                  enumerate(map(e2fsck, folders, disks)) if checked.returncode]
    if wrong:
        raise StressFailed("\n".join([*wrong, text[-4000:], again]))
    (did,) = re.findall(r"^note: (\d+ processes.*)$", text, re.M)
    return f"{did}; {live.judge.judged} answers judged, {live.judge.pages} pages"


def _text(console):
    console.seek(0)
    return console.read().decode(errors="replace").replace("\r", "")


def planted(name, scratch):
    """(library, module) with the fault ``name``, or with none."""
    found, verilog, linux = packages.find(), simulator.verilog(), driver.LINUX
    if name in MODULE_FAULTS:
        linux = mutated_module(name, Path(scratch) / "linux")
    elif name is not None:
        verilog = verilog_of(mutated_tree(name, scratch), Path(scratch) / "siommu.v")
    return build_library(verilog), driver.module(found, linux)


def mutated_module(name, folder):
    """A copy of the module's sources with a fault of ``MODULE_FAULTS``; ``folder``."""
    file, text, instead = MODULE_FAULTS[name]
    for source in [*driver.LINUX.glob("*.[ch]"), driver.LINUX / "Kbuild",
                   *driver.LINUX.glob("include/*.h")]:
        content = source.read_text()
        if source.name == file:
            if content.count(text) != 1:
                raise ValueError(f"the fault {name} does not fit {file} any more")
            content = content.replace(text, instead)
        write_whole(folder / source.relative_to(driver.LINUX), content)
    return folder


def run(minutes, seed, name=None):
    """Runs the stress, with the fault ``name`` if it is one; returns the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        library, module = planted(name, scratch)
        print(f"siommu: stress of {minutes:g} minutes, SEED={seed}"
              f"{f', with the fault {name}' if name else ''}", flush=True)
        begin = time.monotonic()
        try:
            did = stress(library, module, 60 * minutes, seed)
        except (StressFailed, Difference) as error:
            if name is None:
                print(f"siommu: {error}", file=sys.stderr)
                return 1
            print(f"siommu: {name} was noticed after {time.monotonic() - begin:.0f} s: "
                  f"{str(error).splitlines()[0]}")
            return 0
    print(f"siommu: {did}")
    if name:
        print(f"siommu: nothing noticed the fault {name}", file=sys.stderr)
    return int(name is not None)


@command
def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.linux.stress", description=__doc__)
    parser.add_argument("--minutes", type=at_least(.1, float), default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--plant", metavar="FAULT",
                        help=f"{', '.join(MODULE_FAULTS)}, or one of tests/mutations.py")
    options = parser.parse_args()
    if options.plant not in (None, *MODULE_FAULTS, *MUTATIONS):
        parser.error(f"no fault {options.plant}")
    packages.fetch()
    return run(options.minutes, options.seed, options.plant)


if __name__ == "__main__":
    sys.exit(main())
