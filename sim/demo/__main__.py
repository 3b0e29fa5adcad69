"""The command line of the demo, over the golden model."""

import argparse
import sys
import tempfile
from pathlib import Path

from siommu.generate.files import command

from ..device.ext4 import Ext4Error, MissingTools
from ..host.control import GoldenControlPlane, RegisterControl
from ..memory import Memory
from ..model.golden import GoldenModel
from ..model.translators import GoldenTranslator
from ..time.scheduler import Scheduler
from . import DemoFailed, World, run_demo

__all__ = ["golden_world", "main"]


QUOTA = 16                              #: FQ_QUOTA: a quarter of the ring


def golden_world(folder, out=print, seed=0):
    """A world in pure Python, with the golden model as the core (which takes no time)."""
    scheduler, memory = Scheduler(), Memory(seed=seed)
    model = GoldenModel(memory)
    plane = GoldenControlPlane(scheduler, memory, model)
    translators = [GoldenTranslator(model, plane=plane, port=port) for port in range(2)]
    return World(scheduler, memory, translators,
                 RegisterControl(scheduler, memory, plane.platform, quota=QUOTA), Path(folder),
                 out=out, seed=seed)


@command
def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sim.demo",
        description="Applications read and write real ext4 files through the SIOMMU.")
    parser.add_argument("--golden", action="store_true", required=True,
                        help="use the golden model as the core (the RTL runs with `make demo`)")
    parser.add_argument("--folder", type=Path, help="keep files and image there "
                                                    "(default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=0, help="replays a run (default: 0)")
    parser.add_argument("--top", type=int, default=0, metavar="CYCLES",
                        help="show the core's counters every so many cycles")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}")
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            world = golden_world(folder, seed=options.seed)
            world.watch = options.top
            world.scheduler.run(run_demo(world))
    except (DemoFailed, Ext4Error, MissingTools) as error:
        print(f"the demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
