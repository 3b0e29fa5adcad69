"""The demo: applications read and write real ext4 files through the SIOMMU, and fail to misuse it.

``python -m sim.demo --golden`` runs it with the golden model in place of the RTL. The test bench
of the RTL calls ``run_demo`` with a world of its own.
"""

import mmap

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
        ``files``, ``denied`` and ``speed``: the rows of the tables; ``counters``.

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
        try:
            out(f"starting two SSDs, one with the image ({len(disk) >> 10} KiB), and two users")
            await machine.start()
            out(f"reading {len(files)} files directly")
            rows = await machine.read_everything()
            out("writing what may be written; then e2fsck")
            await machine.write_allowed()
            out("trying what must fail")
            misuse = Misuse(machine)
            await misuse.run()
            out("measuring")
            await cost.run()
            counters = await world.count()
            disk.flush()
        finally:
            cost.close()
            machine.close()
    image.check()
    for line in report(rows, misuse.rows, cost.rows, counters):
        out(line)
    out("")
    out("e2fsck -fn: the file system is clean")
    return {"files": rows, "denied": misuse.rows, "speed": cost.rows, "counters": counters}
