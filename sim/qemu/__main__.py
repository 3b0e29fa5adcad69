"""Tells the story, starts a machine, brings what it needs, or replays what stopped it:
``python -m sim.qemu story | run | fetch | replay``."""

import argparse
import contextlib
import dataclasses
import mmap
import sys
import tempfile
from pathlib import Path

from siommu.generate.files import command

from ..model.lockstep import Difference
from ..verilated import BuildError, CoreError, build_library
from ..verilated.journal import ReplayError, replay
from . import driver, machine, packages, story
from .protocol import ProtocolError

__all__ = ["main"]


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m sim.qemu", description=__doc__)
    parser.add_argument("command", choices=("story", "run", "fetch", "replay"))
    parser.add_argument("--verilog", type=Path, default=Path("build/siommu.v"),
                        help="the core (build/siommu.v)")
    parser.add_argument("--image", type=Path, action="append",
                        help="an SSD's content, read and written in place; again for another SSD; "
                             "without, the two SSDs of the story, which are not kept")
    parser.add_argument("--script", type=Path, help="shell for the guest; without, a shell on the "
                                                    "console")
    parser.add_argument("--timed", dest="pace", action="store_const", const="timed",
                        default="untimed",
                        help="clock the core through the SSD's delays, cycle by cycle")
    parser.add_argument("--guest-time", dest="pace", action="store_const", const="guest",
                        help="the guest counts instructions as nanoseconds, and the SSD's delays "
                             "are the guest's time")
    parser.add_argument("--latency", type=int, default=20,
                        help="cycles of a read of main memory (20)")
    parser.add_argument("--kernel", type=Path, help="a bzImage, instead of Debian's kernel")
    parser.add_argument("--headers", type=Path,
                        help="the tree that its modules are built against")
    parser.add_argument("--seconds", type=float, help="end the run after that time")
    parser.add_argument("--journal", type=Path, default=machine.JOURNAL,
                        help="replay: the journal of a run that was stopped")
    parser.add_argument("--verbose", action="store_true", help="story: show the guest's output")
    parser.add_argument("--waves", type=Path, help="replay: a VCD file to write")
    return parser.parse_args(argv)


@command
def main(argv=None):
    """The command; returns the status of the process."""
    arguments = _arguments(argv)
    try:
        if arguments.command == "replay":
            _replay(arguments)
            return 0
        packages.fetch()
        if arguments.command == "run":
            _run(arguments, _packages(arguments))
        elif arguments.command == "story":
            story.tell(arguments.verilog, _packages(arguments), arguments.verbose)
    except KeyboardInterrupt:
        return 130
    except (packages.MissingPackage, BuildError, CoreError, ProtocolError, machine.MachineError,
            driver.DriverError, story.StoryFailed, Difference, ReplayError,
            FileNotFoundError) as error:
        print(f"siommu: {error}", file=sys.stderr)
        return 1
    return 0


def _packages(arguments):
    """Debian's packages, but for what the arguments name instead."""
    found = packages.find()
    if bool(arguments.kernel) != bool(arguments.headers):
        raise packages.MissingPackage("--kernel and --headers go together: the module is built for "
                                      "the kernel that runs")
    if arguments.kernel is None:
        return found
    for path in (arguments.kernel, arguments.headers / "Makefile"):
        if not path.exists():
            raise packages.MissingPackage(f"{path} does not exist")
    return dataclasses.replace(found, kernel=arguments.kernel, headers=arguments.headers.resolve())


def _run(arguments, found):
    script = None if arguments.script is None else arguments.script.read_text()
    library = build_library(arguments.verilog)
    with contextlib.ExitStack() as stack:
        images, files = arguments.image, None
        if not images:
            told = story.Story(Path(stack.enter_context(tempfile.TemporaryDirectory())), found)
            images, files = [image.path for image in told.images], told.files
        disks = [stack.enter_context(contextlib.closing(_map(path, stack))) for path in images]
        live = machine.run(machine.Machine(library, disks, script, pace=arguments.pace,
                                           files=files or story.guest_files(found), packages=found,
                                           latency=arguments.latency, seconds=arguments.seconds))
    print(f"siommu: the golden model agrees with all {live.judge.judged} answers of the core, "
          f"{live.judge.pages} pages", file=sys.stderr)


def _map(path, stack):
    """A disk's content."""
    return mmap.mmap(stack.enter_context(path.open("r+b")).fileno(), 0)


def _replay(arguments):
    library = build_library(arguments.verilog, waves=arguments.waves is not None)
    port, access, beats = replay(arguments.journal, library, arguments.waves)
    print(f"siommu: the core gives the same answer again. Port {port}, {access}:")
    for beat in beats:
        print(f"siommu:   {beat}")


if __name__ == "__main__":
    sys.exit(main())
