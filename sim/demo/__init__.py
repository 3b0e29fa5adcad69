"""The demo: applications read and write real ext4 files through the SIOMMU, and fail to misuse it.

``python -m sim.demo --golden`` runs it with the golden model in place of the RTL. The test bench
of the RTL calls ``run_demo`` with a world of its own.
"""

import mmap

from ..host.top import Top, fault_log, watch
from .cost import Cost
from .files import make_image
from .machine import DemoFailed, Machine, World
from .misuse import Misuse
from .report import report

__all__ = ["DemoFailed", "World", "run_demo"]


async def run_demo(world):
    """Runs the whole demo in ``world`` and prints its tables.

    Returns
    -------
    dict
        ``files``, ``denied``, ``faults`` and ``speed``: the rows of the tables; ``counters``;
        ``top``, the ``Top`` with an interval for each phase.

    Raises
    ------
    DemoFailed
        Something that must hold does not; the sentence says what.
    """
    out = world.out
    out("making an ext4 image from real files (e2fsprogs)")
    image, files = make_image(world.folder)
    with open(image.path, "r+b") as handle, mmap.mmap(handle.fileno(), 0) as disk:
        machine = Machine(world, image, files, disk)
        cost = Cost(machine)
        top = Top(label_width=8)

        async def phase(label, sentence, work):
            out(sentence)
            result = await work
            top.end(label, await world.control.counters())
            return result
        try:
            out(f"starting two SSDs, one with the image ({len(disk) >> 10} KiB), and two users")
            await machine.start()
            misuse = Misuse(machine)
            top.begin(await world.control.counters())
            if world.watch:
                world.scheduler.start(watch(world.scheduler, world.control.counters, world.watch,
                                            out))
            rows = await phase("reading", f"reading {len(files)} files directly",
                               machine.read_everything())
            await phase("writing", "writing what may be written; then e2fsck",
                        machine.write_allowed())
            await phase("misuse", "trying what must fail", misuse.run())
            await phase("measure", "measuring", cost.run())
            counters = await world.control.counters()
            disk.flush()
        finally:
            cost.close()
            machine.close()
    image.check()
    faults = fault_log(machine.kernel.faults.log)
    for line in report(rows, misuse.rows, faults, cost.rows, top):
        out(line)
    out("")
    out("e2fsck -fn: the file system is clean")
    return {"files": rows, "denied": misuse.rows, "faults": faults, "speed": cost.rows,
            "counters": counters, "top": top}
